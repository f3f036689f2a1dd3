"""Questions to a space's journal, which the space and its journal both answer, and waiting for the answer."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from typing import TypeVar

from ...errors import ConfigurationError
from ...protocol.journal import Entry, Kind
from ...protocol.space import Space
from ...verification.messages import Sought, why_not_sent, why_sent
from ...verification.transcripts import KINDS, Transcript, delivered, why_not_delivered
from .reach import Reach

T = TypeVar("T")

_LOOKS_S = 0.1
"""How often a wait looks whether the space is still there."""


class Questioning(Reach):
    """The part of a handle that asks the journal."""

    def assert_sent(
        self,
        event: str,
        *,
        speaker: str | None = None,
        conversation: str | None = None,
        payload: object = None,
        times: int | None = None,
        timeout: float = 0.0,
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
        sought = self._sought(event, speaker, conversation, payload, Kind.RECEIVED)
        least = times or 1

        def look(space: Space) -> list[Entry] | None:
            found = sought.matching(space.journal)
            return found if len(found) >= least else None

        found, waited = self._wait(sought.matches, look, timeout)
        if found is None or (times is not None and len(found) > times):
            waited = waited if timeout and found is None else ""
            raise AssertionError(self._say(lambda space: why_not_sent(space, sought, times=times, waited=waited)))
        return found[0]

    def assert_not_sent(
        self,
        event: str,
        *,
        speaker: str | None = None,
        conversation: str | None = None,
        payload: object = None,
    ) -> None:
        """The client has sent no such message so far; the filters are those of `assert_sent`.

        Raises:
            AssertionError: it has; shows which.
        """
        __tracebackhide__ = True
        sought = self._sought(event, speaker, conversation, payload, Kind.RECEIVED)
        if sought.matching(self._call(lambda: list(self._hosted.space.journal))):
            raise AssertionError(self._say(lambda space: why_sent(space, sought)))

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
        clients = self._clients()
        sought = Transcript(
            text=text, speaker=speaker, conversation=conversation, to=to, kind=kind, clients=clients
        )
        found, waited = self._wait(sought.matches, lambda space: delivered(space, sought), timeout)
        if found is None:
            waited = waited if timeout else ""
            raise AssertionError(self._say(lambda space: why_not_delivered(space, sought, waited)))
        return found

    # --- inside ---

    def _clients(self) -> tuple[str, ...]:
        return self._call(lambda: tuple(self._hosted.space.accounts))

    def _sought(
        self,
        event: str | None,
        speaker: str | None,
        conversation: str | None,
        payload: object,
        kind: Kind | None,
    ) -> Sought:
        return Sought(
            event=event,
            speaker=speaker,
            conversation=conversation,
            payload=payload,
            kind=kind,
            clients=self._clients(),
        )

    def _say(self, say: Callable[[Space], str]) -> str:
        return self._call(lambda: say(self._hosted.space))

    def _wait(
        self, matters: Callable[[Entry], bool], look: Callable[[Space], T | None], timeout: float
    ) -> tuple[T | None, str]:
        """What `look` finds, now or after an entry that matters; else None, and how the wait ended."""
        news: queue.SimpleQueue[Entry] = queue.SimpleQueue()
        stop = self._call(lambda: self._hosted.space.journal.listen(news.put))
        started = time.monotonic()
        deadline = started + timeout
        try:
            while True:
                over = self._over()
                if (found := self._call(lambda: look(self._hosted.space))) is not None:
                    return found, ""
                while True:
                    left = deadline - time.monotonic()
                    if left <= 0:
                        return None, f" within {timeout:g} s"
                    if over:
                        return None, f": {over} after {time.monotonic() - started:.1f} s of waiting"
                    try:
                        entry = news.get(timeout=min(left, _LOOKS_S))
                    except queue.Empty:
                        if self._over():
                            break
                    else:
                        if matters(entry):
                            break
        finally:
            self._call(stop)

    def _over(self) -> str:
        """What has ended, so that nothing can come any more; empty while all is well."""
        if self._call(lambda: self._hosted.over):
            return "the space was closed"
        return "" if self._serving.listeners.plain.fileno() >= 0 else "the server stopped"
