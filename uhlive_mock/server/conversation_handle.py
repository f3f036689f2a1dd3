"""A conversation of a space and a speaker's stay in one, as a test holds them. Both may be used from any thread."""

from __future__ import annotations

from os import PathLike

from ..errors import ConfigurationError
from ..protocol.channel import drop
from ..protocol.journal import Entry
from ..protocol.pacing import Pacing
from ..protocol.speaker_audio import Recording, SpeakerAudio
from ..scenarios.events import Pushed
from .files import wav_bytes, write_wav
from .loop_portal import SpacePortal


class ConversationHandle:
    """One conversation of a space."""

    def __init__(self, portal: SpacePortal, topic: str) -> None:
        self._portal = portal
        self._topic = topic

    @property
    def speakers(self) -> list[SpeakerHandle]:
        """Every speaker's stay so far, in the order of their joins."""
        hearings = self._portal.ask(lambda space: list(space.hearings))
        return [SpeakerHandle(self._portal, hearing) for hearing in hearings if hearing.topic == self._topic]

    def speaker(self, name: str) -> SpeakerHandle:
        """The latest stay of a speaker.

        Raises:
            ConfigurationError: no speaker of that name has joined.
        """
        speakers = self.speakers
        for speaker in reversed(speakers):
            if speaker.name == name:
                return speaker
        joined = ", ".join(dict.fromkeys(speaker.name for speaker in speakers)) or "nobody"
        raise ConfigurationError(f"no speaker {name!r} has joined {self._topic}; joined so far: {joined}")

    def push(self, *events: Pushed) -> None:
        """Tell everyone who is in it; see `SpaceHandle.push`."""
        self._portal.act(lambda space: space.push(self._topic, events, space.clock.now()))


class SpeakerHandle:
    """One speaker's stay in a conversation, over or not."""

    def __init__(self, portal: SpacePortal, hearing: SpeakerAudio) -> None:
        self._portal = portal
        self._hearing = hearing

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SpeakerHandle) and self._hearing is other._hearing

    def __hash__(self) -> int:
        return hash(id(self._hearing))

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
    def join(self) -> Entry:
        """Its `phx_join` as the client sent it: `join.payload["model"]`.

        Raises:
            ConfigurationError: the journal had lost it before it was answered, which takes a very late answer.
        """
        if self._hearing.join is None:
            raise ConfigurationError(f"the journal has lost the phx_join of {self.name!r}")
        return self._hearing.join

    @property
    def audio(self) -> bytes:
        """The audio received so far, decoded to 16-bit little-endian samples at 8 kHz."""
        return self._portal.loop.call(lambda: self._hearing.recording.linear())

    @property
    def recording(self) -> Recording:
        """The audio as it came: codec, duration, gaps, whether it was truncated. Read it once the stay is over."""
        return self._hearing.recording

    @property
    def pacing(self) -> Pacing:
        """How the audio was paced, on real time."""
        return self._portal.loop.call(lambda: self._hearing.pacing)

    @property
    def left_cleanly(self) -> bool | None:
        """True after a leave, False after a lost connection or a rule's end, None while the speaker stays."""
        return self._portal.loop.call(lambda: self._hearing.left_cleanly)

    def drop(self) -> None:
        """Make the speaker leave its conversation; see `SpaceHandle.drop`."""
        self._portal.act(lambda space: drop(space, self.name, space.clock.now(), self.topic))

    def assert_audio_equals(self, wav: str | PathLike[str] | bytes, *, tolerance: int = 0) -> None:
        """The audio received so far is that of a file, sample by sample.

        G.711 is compared within half a step of its law, for more is not kept of its source.

        Args:
            wav: a file's path, the bytes of a WAV file, or raw little-endian 16-bit samples; 8 kHz and mono.
            tolerance: how far each sample may be off, of 32768.

        Raises:
            AssertionError: it is not; shows the first difference, and what probably happened.
            ConfigurationError: the file cannot be read, or is not 8 kHz, mono and 16 bits.
        """
        from ..verification.audio_diff import why_not_equal  # brings numpy and soundfile

        __tracebackhide__ = True
        data = self._portal.loop.call(lambda: self._hearing.recording.encoded())
        if why := why_not_equal(self._hearing, data, wav, tolerance=tolerance):
            raise AssertionError(why)

    def wav(self) -> bytes:
        """The audio received so far as a WAV file."""
        return self._portal.loop.call(lambda: wav_bytes(self._hearing.recording))

    def write_wav(self, path: str | PathLike[str]) -> None:
        """Write the audio received so far to a WAV file; gaps go to a `.gaps.json` beside it.

        Raises:
            OSError: the file cannot be written.
        """
        self._portal.loop.call(lambda: write_wav(path, self._hearing.recording))
