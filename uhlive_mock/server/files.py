"""What a server writes to disk: recordings, journals, and a folder of what the speakers of a space said.

recording   a WAV file: 8 kHz, mono, 16 bits, exactly the samples the speaker sent. A pause adds nothing to the
            sound. When there were any, they are listed in a file beside it: `alice.wav` and `alice.gaps.json`,
            which reads `[{"position": 8000, "silence_s": 1.5}]`, position in samples.
journal     one JSON object a line, complete after every line
folder      one WAV file for each stay, `<conversation>-<speaker>-<n>.wav`. A file is written once its stay is
            over, and whatever is left when the folder is closed, so nothing is ever cut. Names come from
            clients: what is not a letter, a digit, `_`, `.` or `-` becomes `_`, and long names are cut. `n`
            counts the stays of one name and passes over files that exist, so nothing is overwritten either.
"""

from __future__ import annotations

import logging
import threading
from io import BytesIO
from os import PathLike
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import TYPE_CHECKING, Self

import msgspec

from ..errors import ConfigurationError
from ..model.audio import SAMPLE_RATE
from ..protocol.journal import Entry, to_line
from ..protocol.speaker_audio import Recording

if TYPE_CHECKING:
    from .conversation_handle import SpeakerHandle
    from .space_handle import SpaceHandle

LONGEST_NAME = 100
"""Bytes of a conversation's or speaker's name in a file's name, which may have 255 in all."""

_EVERY_S = 0.5

logger = logging.getLogger("uhlive_mock")


def wav_bytes(recording: Recording) -> bytes:
    """The recording as a WAV file in memory."""
    file = BytesIO()
    _write(file, recording)
    return file.getvalue()


def write_wav(path: str | PathLike[str], recording: Recording) -> None:
    """Write the recording to `path`, and its gaps beside it if it has any.

    Raises:
        OSError: a file cannot be written.
    """
    path = Path(path)
    with path.open("wb") as file:
        _write(file, recording)
    beside = path.with_suffix(".gaps.json")
    if recording.gaps:
        beside.write_bytes(msgspec.json.encode(recording.gaps))
    else:
        # Gaps of an earlier recording of that name would be taken for this one's.
        beside.unlink(missing_ok=True)


def _write(file: object, recording: Recording) -> None:
    import soundfile as sf

    with sf.SoundFile(file, "w", samplerate=SAMPLE_RATE, channels=1, format="WAV", subtype="PCM_16") as wav:
        wav.buffer_write(recording.linear(), dtype="int16")


class JournalFile:
    """Appends journal entries to a file. When the disk refuses one, it says so once and writes no more.

    Raises:
        ConfigurationError: the file cannot be opened for writing.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        try:
            # Unbuffered: a killed server leaves whole lines behind.
            self._file = open(path, "ab", buffering=0)  # noqa: SIM115 - closed by close()
        except OSError as error:
            raise ConfigurationError(f"cannot write the journal {path}: {error.strerror or error}") from None
        self._path = path
        self._full = False

    def write(self, entry: Entry) -> None:
        """Append one entry."""
        if self._full:
            return
        try:
            self._file.write(to_line(entry))
        except OSError as error:
            # The calls go on: a test should not fail for want of disk.
            self._full = True
            logger.warning("the journal %s ends before its time: %s", self._path, error.strerror or error)

    def close(self) -> None:
        """Close the file; may be called again."""
        self._file.close()


class AudioFolder:
    """Writes the audio of a space's speakers to a folder while it is entered. Leave it before the server stops.

    Raises:
        ConfigurationError: the folder cannot be made or written to.
    """

    def __init__(self, folder: str | PathLike[str], space: SpaceHandle) -> None:
        self._folder = Path(folder)
        self._space = space
        self._written: set[SpeakerHandle] = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="uhlive-mock-audio", daemon=True)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with TemporaryFile(dir=self._folder):
                pass
        except OSError as error:
            raise ConfigurationError(f"cannot write audio to {folder}: {error.strerror or error}") from None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        self._collect(those_who_stay=True)

    def _watch(self) -> None:
        while not self._over.wait(_EVERY_S):
            self._collect()

    def _collect(self, *, those_who_stay: bool = False) -> None:
        speakers = self._space.speakers
        self._written &= set(speakers)  # a reset forgets them
        for speaker in speakers:
            if speaker in self._written:
                continue
            stays = speaker.left_cleanly is None
            if stays and not those_who_stay:
                continue
            self._written.add(speaker)
            self._write(speaker, stays=stays)

    def _write(self, speaker: SpeakerHandle, *, stays: bool) -> None:
        try:
            path = self._reserve(speaker)
            if stays:
                speaker.write_wav(path)
            else:
                write_wav(path, speaker.recording)  # in this thread: the server has other things to do
        except OSError as error:
            logger.warning("the audio of %s was not written: %s", speaker.name, error)
            return
        if speaker.recording.truncated:
            seconds = speaker.recording.duration_s
            logger.warning("%s ends after %.0f s: more audio than is kept came", path, seconds)

    def _reserve(self, speaker: SpeakerHandle) -> Path:
        stem = f"{safe_name(speaker.conversation)}-{safe_name(speaker.name)}"
        number = 1
        while True:
            path = self._folder / f"{stem}-{number}.wav"
            try:
                path.touch(exist_ok=False)
            except FileExistsError:
                number += 1
            else:
                return path


def safe_name(name: str) -> str:
    """A name as part of a file's name: no separators, nothing hidden, not too long, not empty."""
    safe = "".join(char if char.isalnum() or char in "_.-" else "_" for char in name[:LONGEST_NAME])
    safe = safe.encode()[:LONGEST_NAME].decode(errors="ignore")
    start = safe.lstrip(".-")
    return "_" * (len(safe) - len(start)) + start or "_"
