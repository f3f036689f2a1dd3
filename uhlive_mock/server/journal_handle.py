"""A space's journal, as a test reads it: what happened, claims about it, and waiting for what is to happen.

It may be used from any thread. A claim that does not hold shows what came nearest.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from os import PathLike
from typing import TypedDict, TypeVar, Unpack

from ..errors import ConfigurationError, WaitTimeout
from ..protocol.journal import Entry, Kind
from ..protocol.space import Space
from ..verification.messages import Sought, why_not_come, why_not_sent, why_sent
from ..verification.transcripts import KINDS, Transcript, delivered, why_not_delivered
from .files import JournalFile
from .loop_portal import SpacePortal

T = TypeVar("T")

_LOOK_EVERY_S = 0.1
"""How often a wait looks whether the space is still there."""


class MessageFilter(TypedDict, total=False):
    """Which messages: of whom, in the conversation of which id, with what in their payload at least."""

    speaker: str | None
    conversation: str | None
    payload: object


class JournalHandle:
    """A space's journal, readable from any thread."""

    def __init__(self, portal: SpacePortal) -> None:
        self._portal = portal

    def entries(self) -> list[Entry]:
        """Every entry so far, in order."""
        return self._portal.ask(lambda space: list(space.journal))

    def messages(
        self,
        *,
        event: str | None = None,
        kind: Kind | None = None,
        **filters: Unpack[MessageFilter],
    ) -> list[Entry]:
        """The messages both ways, or those of a `kind`, that match every filter given.

        Args:
            conversation: the id of their conversation.
            payload: what their payload has at least; at every level, keys that are not named are not looked at.
        """
        return self._sought(event, kind, **filters).matching(self.entries())

    def unplayed(self) -> list[str]:
        """One sentence for each cue that the audio never reached; a part of `SpaceHandle.verdict`."""
        return self._portal.ask(lambda space: space.journal.unplayed())

    def findings(self) -> list[str]:
        """One sentence for each limit and each speaker that broke it; a part of `SpaceHandle.verdict`."""
        return self._portal.ask(lambda space: space.journal.findings())

    @property
    def truncated(self) -> bool:
        """Whether the oldest entries are gone."""
        return self._portal.ask(lambda space: space.journal.truncated)

    def to_jsonl(self) -> str:
        """Every entry so far as lines of JSON; a first one of kind `truncated` says how many are missing."""
        return self._portal.ask(lambda space: space.journal.to_jsonl())

    def write_to(self, path: str | PathLike[str]) -> None:
        """Append every entry, past and to come, to a file, one JSON object a line.

        Raises:
            ConfigurationError: the file cannot be written.
        """
        file = JournalFile(path)
        self._portal.serving.files.append(file)

        def begin(space: Space) -> None:
            for entry in space.journal.export():
                file.write(entry)
            space.journal.listen(file.write)

        self._portal.ask(begin)

    # --- claims ---------------------------------------------------------------------------------------------------

    def assert_sent(
        self,
        event: str,
        *,
        times: int | None = None,
        timeout: float = 0.0,
        **filters: Unpack[MessageFilter],
    ) -> Entry:
        """The client sent such a message, at least once or exactly `times`; returns the first.

        Args:
            payload: what the payload has at least; at every level, keys that are not named are not looked at.
            timeout: how long to wait for it, in seconds.

        Raises:
            AssertionError: it did not, or not so often; shows what came nearest.
        """
        __tracebackhide__ = True
        if times is not None and times < 1:
            raise ConfigurationError(f"times is {times}; expected 1 or more, or assert_not_sent")
        sought = self._sought(event, Kind.RECEIVED, **filters)

        def look(space: Space) -> list[Entry] | None:
            found = sought.matching(space.journal)
            return found if len(found) >= (times or 1) else None

        found, waited = self._wait(sought.matches, look, timeout)
        if found is None or (times is not None and len(found) > times):
            waited = waited if timeout and found is None else ""
            raise AssertionError(
                self._portal.ask(lambda space: why_not_sent(space, sought, times=times, waited=waited))
            )
        return found[0]

    def assert_not_sent(
        self,
        event: str,
        **filters: Unpack[MessageFilter],
    ) -> None:
        """The client has sent no such message so far; the filters are those of `assert_sent`.

        Raises:
            AssertionError: it has; shows which.
        """
        __tracebackhide__ = True
        sought = self._sought(event, Kind.RECEIVED, **filters)
        if sought.matching(self.entries()):
            raise AssertionError(self._portal.ask(lambda space: why_sent(space, sought)))

    def assert_transcript_delivered(
        self,
        text: str,
        *,
        speaker: str | None = None,
        conversation: str | None = None,
        to: str | None = None,
        kind: str | None = "segment",
        timeout: float = 0.0,
    ) -> Entry:
        """The server delivered exactly this transcript, in whatever vocabulary; returns the first delivery.

        Args:
            speaker: whose words they are.
            to: which participant got it, by the name it joined under.
            kind: `segment`, `interim` or `normalized`; None for any.
            timeout: how long to wait for it, in seconds.

        Raises:
            AssertionError: it did not; shows what came nearest, and why it may be missing.
        """
        __tracebackhide__ = True
        if kind is not None and kind not in KINDS:
            raise ConfigurationError(f"kind is {kind!r}; expected {', '.join(KINDS)} or None")
        sought = Transcript(
            text=text, speaker=speaker, conversation=conversation, to=to, kind=kind, clients=self._clients
        )
        found, waited = self._wait(sought.matches, lambda space: delivered(space, sought), timeout)
        if found is None:
            waited = waited if timeout else ""
            raise AssertionError(self._portal.ask(lambda space: why_not_delivered(space, sought, waited)))
        return found

    # --- waiting --------------------------------------------------------------------------------------------------

    def wait_for(
        self,
        *,
        event: str | None = None,
        kind: Kind | None = None,
        timeout: float = 5.0,
        **filters: Unpack[MessageFilter],
    ) -> Entry:
        """The first message that matches every filter given, as in `messages`, waiting for it if need be.

        Raises:
            WaitTimeout: none came within `timeout` seconds, or before the space or the server ended; says what
                came instead.
        """
        __tracebackhide__ = True
        sought = self._sought(event, kind, **filters)
        found, waited = self._wait(
            sought.matches, lambda space: next(iter(sought.matching(space.journal)), None), timeout
        )
        if found is None:
            raise WaitTimeout(self._portal.ask(lambda space: why_not_come(space, sought, waited)))
        return found

    def _wait(
        self, matters: Callable[[Entry], bool], look: Callable[[Space], T | None], timeout: float
    ) -> tuple[T | None, str]:
        """What `look` finds, now or after an entry that matters; else None, and how the wait ended."""
        news: queue.SimpleQueue[Entry] = queue.SimpleQueue()
        stop = self._portal.ask(lambda space: space.journal.listen(news.put))
        started = time.monotonic()
        deadline = started + timeout
        try:
            while True:
                over = self._over()
                if (found := self._portal.ask(look)) is not None:
                    return found, ""
                while True:
                    left = deadline - time.monotonic()
                    if left <= 0:
                        return None, f" within {timeout:g} s"
                    if over:
                        return None, f": {over} after {time.monotonic() - started:.1f} s of waiting"
                    try:
                        entry = news.get(timeout=min(left, _LOOK_EVERY_S))
                    except queue.Empty:
                        if self._over():
                            break
                    else:
                        if matters(entry):
                            break
        finally:
            self._portal.loop.call(stop)

    def _over(self) -> str:
        """What has ended, so that nothing can come any more; empty while all is well."""
        if self._portal.ask(lambda space: space.over):
            return "the space was closed"
        return "the server stopped" if self._portal.loop.finished else ""

    @property
    def _clients(self) -> tuple[str, ...]:
        return tuple(account.client_id for account in self._portal.settings.accounts)

    def _sought(self, event: str | None, kind: Kind | None, **filters: Unpack[MessageFilter]) -> Sought:
        return Sought(event=event, kind=kind, clients=self._clients, **filters)


Journal = JournalHandle
"""The name under which `uhlive_mock` also exports it."""
