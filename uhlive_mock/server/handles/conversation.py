"""The conversations of a space and who spoke in them, as a test asks for them."""

from __future__ import annotations

from os import PathLike

from ...errors import ConfigurationError
from ...protocol.hearing import Hearing
from ...protocol.pacing import Pacing
from ...protocol.recording import Recording
from ..wav import wav_bytes, write_wav
from ..world import HostedSpace
from .call import Call


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
