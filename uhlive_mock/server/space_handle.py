"""What a test holds: a space of a running server.

It may be used from any thread. Every method runs its work on the server's event loop and waits for it, so what it
returns is consistent and does not change under the caller. After a reset it is of the space that took the old one's
place.

    reach it      client_id, client_secret, env, token_url, ws_url, wss_url, ca_file, issue_token
    change it     advance, push, drop, inject, clear_faults, replace_scenario, reset, close
    look at it    journal, conversation, speakers, timeline, scenarios, faults
    claim         assert_sent, assert_not_sent, assert_transcript_delivered, assert_audio_equals
    judge it      verdict, of which violations and unheard are parts; allow, expect_nothing

The file is long because most of it is what these methods promise.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import AbstractContextManager
from os import PathLike
from types import TracebackType
from typing import TypedDict, Unpack

from msgspec.structs import replace

from ..errors import ConfigurationError
from ..model.fault import Fault, FaultKind, Takes
from ..protocol.channel import drop
from ..protocol.journal import Entry
from ..protocol.records import SkipReason
from ..protocol.space import Space
from ..scenarios.events import Pushed
from ..verification import rules
from ..verification.judge import JournalReader, contact, judge
from ..verification.rules import Verdict, Violation
from ..verification.timeline import timeline
from .conversation_handle import ConversationHandle, SpeakerHandle
from .journal_handle import JournalHandle, MessageFilter
from .loop_portal import SpacePortal
from .space_options import ScenarioSource, scenarios_from

_LOOK_EVERY_S = 0.0005


class TranscriptFilter(TypedDict, total=False):
    """Which transcript: whose words, in which conversation, for whom, of which kind."""

    speaker: str | None
    conversation: str | None
    to: str | None
    kind: str | None


class SpaceHandle(AbstractContextManager["SpaceHandle"]):
    """A space of a running server; a context manager that closes it."""

    def __init__(self, portal: SpacePortal) -> None:
        self._portal = portal
        self._serving = portal.serving
        self._account = portal.settings.account

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- reaching it --------------------------------------------------------------------------------------------

    @property
    def client_id(self) -> str:
        """The client id of the space's (first) account."""
        return self._account.client_id

    @property
    def client_secret(self) -> str:
        """Its secret."""
        return self._account.client_secret

    @property
    def env(self) -> dict[str, str]:
        """The environment that points the official SDK at this space."""
        return self._serving.env(self.client_id, self.client_secret)

    @property
    def token_url(self) -> str:
        """Where to ask for tokens."""
        return str(self._serving.urls["token_url"])

    @property
    def ws_url(self) -> str:
        """The plain WebSocket URL, without a path."""
        return str(self._serving.urls["ws_url"])

    @property
    def wss_url(self) -> str | None:
        """The TLS WebSocket URL, without a path; None on a server without TLS."""
        return self._serving.urls["wss_url"]

    @property
    def ca_file(self) -> str | None:
        """The certificates to trust: the system's and the server's own CA."""
        return self._serving.urls["ca_file"]

    def issue_token(self, *, expires_in: int = 300) -> str:
        """A token of the space's account, without HTTP; `expires_in` in seconds, 0 for an expired one."""
        issuer = self._serving.spaces.issuer
        return issuer.issue(
            self._account,
            self._portal.ask(lambda space: space.clock.now()),
            issuer=issuer.issuer_url(str(self._serving.urls["http_url"])),
            expires_in=expires_in,
        )

    # --- changing it --------------------------------------------------------------------------------------------

    def advance(self, seconds: float) -> None:
        """Jump the space's clock, running everything that becomes due on the way, in order."""
        self._portal.act(lambda space: space.advance(seconds))

    def push(self, conversation: str, *events: Pushed) -> None:
        """Tell everyone who is in a conversation, in the order given, as if the service had recognised it.

        Args:
            conversation: its id.
            events: what `segment`, `entity`, `event` and their like return.

        Raises:
            ConfigurationError: no participant is in that conversation.
        """
        self._portal.act(lambda space: space.push(conversation, events, space.clock.now()))

    def drop(self, speaker: str, conversation: str | None = None) -> None:
        """Make a speaker leave: it gets `phx_close`, and everyone hears its `speaker_left`. A ghost just leaves.

        Args:
            speaker: its name; an observer's is one too.
            conversation: the id of the conversation; every one the speaker is in by default.

        Raises:
            ConfigurationError: no participant of that name is there.
        """
        self._portal.act(lambda space: drop(space, speaker, space.clock.now(), conversation))

    def inject(
        self,
        fault: Fault | FaultKind | str,
        value: float | str | None = None,
        *,
        count: int | None = 1,
        speaker: str | None = None,
        event: str | None = None,
        probability: float = 1.0,
    ) -> None:
        """Let something go wrong: at once where it can, else when its turn comes.

        Args:
            fault: a fault, or the name of its kind, such as `close` or `delay_events`.
            value: what the kind reads: a status, a close code, a text, or a duration in seconds.
            count: how often it applies; None for always.
            speaker: whose connection; anyone's by default.
            event: a shell pattern over the names of events.
            probability: how likely it is to apply each time its turn comes.

        Raises:
            ScenarioError: there is no such kind, or it does not take that value.
        """
        if not isinstance(fault, Fault):
            kind = FaultKind.named(fault)
            if kind.takes is Takes.DURATION and isinstance(value, int | float):
                value = round(value * 1000)
            fault = Fault(
                kind=kind,
                value=value,  # type: ignore[arg-type]  # the fault refuses what is none of its values
                count=count,
                speaker=speaker,
                event=event,
                probability=probability,
            )
        ready = fault
        self._portal.act(lambda space: space.inject(ready))

    @property
    def faults(self) -> list[Fault]:
        """The faults that wait for their turn."""
        return self._portal.ask(lambda space: list(space.faults))

    def clear_faults(self) -> None:
        """Forget the faults that wait for their turn."""
        self._portal.ask(lambda space: space.faults.forget(space.clock.now(), SkipReason.CLEARED))

    @property
    def scenarios(self) -> list[str]:
        """The names of the scenarios that a participant may get that joins now."""
        return self._portal.ask(lambda space: [scenario.name for scenario in space.scenarios])

    def replace_scenario(self, scenario: ScenarioSource | Iterable[ScenarioSource]) -> None:
        """Give participants that join from now on another scenario, or the path of its document, or several.

        A participant that has joined keeps its script and its limits. Ghosts come with the first that joins a
        conversation.

        Raises:
            ScenarioError: a document cannot be used.
        """
        scenarios = scenarios_from(scenario)

        def change(space: Space) -> None:
            space.scenarios = scenarios

        self._portal.ask(change)

    def reset(self) -> None:
        """Make the space as new: same accounts, scenario, seed and kind of clock, and nothing has happened yet.

        Its sockets are closed; its journal, recordings and faults are gone, also for handles that exist already.
        A file that the journal is written to goes on, and its indices begin at 0 again.

        Raises:
            ConfigurationError: the space was closed.
        """
        self._portal.ask(self._serving.spaces.reset)

    def settle(self, *, timeout: float = 2.0) -> bool:
        """Wait until the server has read what clients have sent so far, and those that said goodbye are gone.

        Returns at once when nothing is on its way. False when something still was after `timeout` seconds; what
        a rule or a fault keeps from being read is not waited for.
        """
        deadline = time.monotonic() + timeout
        while self._portal.ask(lambda space: any(socket.in_flight() for socket in space.sockets)):
            if time.monotonic() > deadline:
                return False
            time.sleep(_LOOK_EVERY_S)
        return True

    def close(self) -> None:
        """End the space: its sockets are closed and its account unknown from now on. May be called again."""
        self._portal.ask(self._serving.spaces.close)

    # --- looking at it ------------------------------------------------------------------------------------------

    @property
    def journal(self) -> JournalHandle:
        """What happened in this space."""
        return JournalHandle(self._portal)

    def conversation(self, conversation: str) -> ConversationHandle:
        """A conversation by its id; it need not exist yet."""
        return ConversationHandle(self._portal, f"conversation:{self.client_id}@{conversation}")

    @property
    def speakers(self) -> list[SpeakerHandle]:
        """Every speaker's stay in any conversation so far, in the order of their joins."""
        hearings = self._portal.ask(lambda space: list(space.hearings))
        return [SpeakerHandle(self._portal, hearing) for hearing in hearings]

    def timeline(self, conversation: str | None = None, width: int = 100) -> str:
        """What was expected beside what happened, on the audio axis of each speaker, as text.

        Args:
            conversation: the id of the only conversation to show; every one by default.
            width: characters a line may have.
        """
        return self._portal.ask(lambda space: timeline(space, conversation, width))

    # --- claims -------------------------------------------------------------------------------------------------

    def assert_sent(
        self, event: str, *, times: int | None = None, timeout: float = 0.0, **sought: Unpack[MessageFilter]
    ) -> Entry:
        """The client sent such a message; see `JournalHandle.assert_sent`.

        Raises:
            AssertionError: it did not, or not so often; shows what came nearest.
        """
        __tracebackhide__ = True
        return self.journal.assert_sent(event, times=times, timeout=timeout, **sought)

    def assert_not_sent(self, event: str, **sought: Unpack[MessageFilter]) -> None:
        """The client has sent no such message so far; see `JournalHandle.assert_not_sent`.

        Raises:
            AssertionError: it has; shows which.
        """
        __tracebackhide__ = True
        self.journal.assert_not_sent(event, **sought)

    def assert_transcript_delivered(
        self, text: str, *, timeout: float = 0.0, **sought: Unpack[TranscriptFilter]
    ) -> Entry:
        """The server delivered exactly this transcript; see `JournalHandle.assert_transcript_delivered`.

        Raises:
            AssertionError: it did not; shows what came nearest, and why it may be missing.
        """
        __tracebackhide__ = True
        return self.journal.assert_transcript_delivered(text, timeout=timeout, **sought)

    def assert_audio_equals(
        self,
        wav: str | PathLike[str] | bytes,
        *,
        speaker: str,
        conversation: str | None = None,
        tolerance: int = 0,
    ) -> None:
        """The audio of a speaker's latest stay is that of a file; see `SpeakerHandle.assert_audio_equals`.

        Raises:
            AssertionError: it is not, or no speaker of that name joined.
            ConfigurationError: the speaker joined several conversations, and none is given.
        """
        __tracebackhide__ = True
        _the_one(self.speakers, speaker, conversation).assert_audio_equals(wav, tolerance=tolerance)

    # --- judging it ---------------------------------------------------------------------------------------------

    def verdict(self, *, at_end: bool = False) -> Verdict:
        """Everything that speaks against the test and was not allowed: the one question that covers all others.

        Args:
            at_end: nothing is to come any more: a speaker that has not left never will, and what was not heard
                never is.
        """
        return self._portal.ask(
            lambda space: judge(
                space,
                allowed=space.expectations.allowed,
                expected_nothing=space.expectations.expects_nothing,
                at_end=at_end,
            )
        )

    @property
    def violations(self) -> list[Violation]:
        """What the client did wrong so far, allowed or not, in order of the first time; a part of `verdict`."""
        return self._portal.ask(lambda space: JournalReader.of(space).violations())

    @property
    def unheard(self) -> list[str]:
        """One sentence for each scenario, and each named speaker of one, without a chance; a part of `verdict`."""
        return self._portal.ask(lambda space: space.unheard())

    def allow(self, *ids: str) -> None:
        """Let the client break these rules, besides those allowed before; `*` for all of them.

        A defect of uhlive-mock itself cannot be allowed. `uhlive-mock explain` lists the ids.

        Raises:
            ConfigurationError: there is no such rule.
        """
        if not all(isinstance(name, str) for name in ids):
            raise ConfigurationError(f"allow takes the ids of rules, one after the other; found {ids!r}")
        found = rules.known(ids)

        def allow(space: Space) -> None:
            space.expectations = replace(space.expectations, allowed=space.expectations.allowed | found)

        self._portal.ask(allow)

    def expect_nothing(self) -> None:
        """Declare that the client leaves the service alone: no token, no socket, no message, from now on either.

        Raises:
            AssertionError: it did not so far.
        """

        def declare(space: Space) -> str | None:
            space.expectations = replace(space.expectations, expects_nothing=True)
            reader = JournalReader.of(space)
            return contact(reader.first_contact, reader.contacts) if reader.first_contact else None

        if found := self._portal.ask(declare):
            raise AssertionError(found)


def _the_one(stays: list[SpeakerHandle], speaker: str, conversation: str | None) -> SpeakerHandle:
    __tracebackhide__ = True
    own = [stay for stay in stays if stay.name == speaker and conversation in (None, stay.conversation)]
    if not own:
        where = "" if conversation is None else f" in {conversation}"
        joined = ", ".join(dict.fromkeys(f"{stay.name} in {stay.conversation}" for stay in stays))
        raise AssertionError(f"{speaker} never joined{where}; joined: {joined or 'nobody'}")
    conversations = list(dict.fromkeys(stay.conversation for stay in own))
    if len(conversations) > 1:
        raise ConfigurationError(f"{speaker} joined {', '.join(conversations)}; say which conversation is meant")
    return own[-1]
