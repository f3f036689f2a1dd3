"""What a test holds: a space of a running server, its journal, its conversations and their speakers.

Handles may be used from any thread but the server's own. Every method runs its work on the server's event loop
and waits for it, so what it returns is consistent and does not change under the caller.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from os import PathLike
from types import TracebackType
from typing import Protocol, Self, TypeVar

from ..errors import ConfigurationError, WaitTimeout
from ..model.fault import Fault, FaultKind, Takes
from ..protocol.hearing import Hearing
from ..protocol.journal import Entry, Journal, Kind
from ..protocol.pacing import Pacing
from ..protocol.recording import Recording
from .journal_file import JournalFile
from .serving import Serving
from .wav import wav_bytes, write_wav
from .world import HostedSpace

T = TypeVar("T")


class Call(Protocol):
    """Runs work on the server's loop and returns what it returns."""

    def __call__(self, work: Callable[[], T]) -> T: ...


class SpaceHandle:
    """A space of a running server."""

    def __init__(
        self, call: Call, keep: Callable[[JournalFile], None], serving: Serving, hosted: HostedSpace
    ) -> None:
        self._call = call
        self._keep = keep
        self._serving = serving
        self._hosted = hosted
        self._account = next(iter(hosted.space.accounts.values()))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

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

    @property
    def journal(self) -> JournalHandle:
        """What happened in this space."""
        return JournalHandle(self._call, self._keep, self._hosted.space.journal)

    def issue_token(self, *, expires_in: int = 300) -> str:
        """A token of the space's account, without HTTP; `expires_in` in seconds, 0 for an expired one."""
        issuer = self._serving.world.issuer
        now = self._call(self._hosted.clock.now)
        return issuer.issue(
            self._account,
            now,
            issuer=issuer.issuer_url(str(self._serving.urls["http_url"])),
            expires_in=expires_in,
        )

    @property
    def unheard(self) -> list[str]:
        """One sentence for each scenario, and each named speaker of one, that was never given a chance."""
        return self._call(self._hosted.space.unheard)

    def advance(self, seconds: float) -> None:
        """Jump the space's clock, running everything that becomes due on the way, in order."""
        self._call(lambda: self._serving.world.advance(self._hosted, seconds))

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
        self._call(lambda: self._serving.world.inject(self._hosted, ready))

    @property
    def faults(self) -> list[Fault]:
        """The faults that wait for their turn."""
        return self._call(lambda: list(self._hosted.space.faults))

    def clear_faults(self) -> None:
        """Forget the faults that wait for their turn."""
        self._call(lambda: self._hosted.space.faults.forget(self._hosted.clock.now(), "cleared"))

    def conversation(self, conversation: str) -> ConversationHandle:
        """A conversation by its id; it need not exist yet."""
        return ConversationHandle(self._call, self._hosted, f"conversation:{self.client_id}@{conversation}")

    @property
    def speakers(self) -> list[SpeakerHandle]:
        """Every speaker's stay in any conversation so far, in the order of their joins."""
        return [
            SpeakerHandle(self._call, hearing) for hearing in self._call(lambda: list(self._hosted.space.hearings))
        ]

    def close(self) -> None:
        """End the space: its sockets are closed and its account unknown from now on. May be called again."""
        self._call(lambda: self._serving.world.remove(self._hosted))


class JournalHandle:
    """A space's journal, readable from any thread."""

    def __init__(self, call: Call, keep: Callable[[JournalFile], None], journal: Journal) -> None:
        self._call = call
        self._keep = keep
        self._journal = journal

    def entries(self) -> list[Entry]:
        """Every entry so far, in order."""
        return self._call(lambda: list(self._journal))

    def messages(
        self, *, event: str | None = None, speaker: str | None = None, kind: Kind | None = None
    ) -> list[Entry]:
        """The messages both ways, or those of a `kind`, that match every filter given."""
        return self._call(lambda: self._journal.messages(event=event, speaker=speaker, kind=kind))

    def unplayed(self) -> list[str]:
        """One sentence for each cue that the audio never reached."""
        return self._call(self._journal.unplayed)

    def findings(self) -> list[str]:
        """One sentence for each rule and each speaker that broke it."""
        return self._call(self._journal.findings)

    @property
    def truncated(self) -> bool:
        """Whether the oldest entries are gone."""
        return self._call(lambda: self._journal.truncated)

    def to_jsonl(self) -> str:
        """Every entry so far as lines of JSON; a first one of kind `truncated` says how many are missing."""
        return self._call(self._journal.to_jsonl)

    def write_to(self, path: str | PathLike[str]) -> None:
        """Append every entry, past and to come, to a file, one JSON object a line.

        Raises:
            ConfigurationError: the file cannot be written.
        """
        file = JournalFile(path)
        self._keep(file)

        def begin() -> None:
            for entry in self._journal.export():
                file.write(entry)
            self._journal.listen(file.write)

        self._call(begin)

    def wait_for(
        self,
        *,
        event: str | None = None,
        speaker: str | None = None,
        kind: Kind | None = None,
        timeout: float = 5.0,
    ) -> Entry:
        """The first message that matches every filter given, waiting for it if need be.

        Raises:
            WaitTimeout: none came within `timeout` seconds.
        """
        arrived = threading.Event()
        stop = self._call(lambda: self._journal.listen(lambda _: arrived.set()))
        deadline = time.monotonic() + timeout
        try:
            while True:
                arrived.clear()
                if found := self.messages(event=event, speaker=speaker, kind=kind):
                    return found[0]
                if not arrived.wait(max(0.0, deadline - time.monotonic())):
                    wanted = {"event": event, "speaker": speaker, "kind": kind}
                    given = ", ".join(f"{name}={value}" for name, value in wanted.items() if value is not None)
                    raise WaitTimeout(f"no message with {given or 'any content'} came within {timeout:g} s")
        finally:
            self._call(stop)


class ConversationHandle:
    """One conversation of a space."""

    def __init__(self, call: Call, hosted: HostedSpace, topic: str) -> None:
        self._call = call
        self._hosted = hosted
        self._topic = topic

    @property
    def speakers(self) -> list[SpeakerHandle]:
        """Every speaker's stay so far, in the order of their joins."""
        return self._call(self._speakers)

    def speaker(self, name: str) -> SpeakerHandle:
        """The latest stay of a speaker.

        Raises:
            ConfigurationError: nobody of that name has joined.
        """
        speakers = self._call(self._speakers)
        for speaker in reversed(speakers):
            if speaker.name == name:
                return speaker
        joined = ", ".join(dict.fromkeys(speaker.name for speaker in speakers)) or "nobody"
        raise ConfigurationError(f"no speaker {name!r} has joined {self._topic}; joined so far: {joined}")

    def _speakers(self) -> list[SpeakerHandle]:
        hearings = self._hosted.space.hearings
        return [SpeakerHandle(self._call, hearing) for hearing in hearings if hearing.topic == self._topic]


class SpeakerHandle:
    """One speaker's stay in a conversation, over or not."""

    def __init__(self, call: Call, hearing: Hearing) -> None:
        self._call = call
        self._hearing = hearing

    @property
    def name(self) -> str:
        """The speaker's name."""
        return self._hearing.speaker

    @property
    def topic(self) -> str:
        """The conversation's topic."""
        return self._hearing.topic

    @property
    def conversation(self) -> str:
        """The conversation's id."""
        return self._hearing.conversation

    @property
    def audio(self) -> bytes:
        """The audio received so far, decoded to 16-bit little-endian samples at 8 kHz."""
        return self._call(lambda: self._hearing.recording.linear())

    @property
    def recording(self) -> Recording:
        """The audio as it came: codec, duration, gaps, whether it was truncated. Read it once the stay is over."""
        return self._hearing.recording

    @property
    def pacing(self) -> Pacing:
        """How the audio was paced, on real time."""
        return self._call(lambda: self._hearing.pacing)

    @property
    def left_cleanly(self) -> bool | None:
        """True after a leave, False after a lost connection or a rule's end, None while the speaker stays."""
        return self._call(lambda: self._hearing.left_cleanly)

    def wav(self) -> bytes:
        """The audio received so far as a WAV file."""
        return self._call(lambda: wav_bytes(self._hearing.recording))

    def write_wav(self, path: str | PathLike[str]) -> None:
        """Write the audio received so far to a WAV file; gaps go to a `.gaps.json` beside it.

        Raises:
            OSError: the file cannot be written.
        """
        self._call(lambda: write_wav(path, self._hearing.recording))
