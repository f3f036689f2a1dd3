"""What a server writes to disk: recordings and journals.

recording   a WAV file: 8 kHz, mono, 16 bits, exactly the samples the speaker sent. A pause adds nothing to the
            sound. When there were any, they are listed in a file beside it: `alice.wav` and `alice.gaps.json`,
            which reads `[{"position": 8000, "silence_s": 1.5}]`, position in samples.
journal     one JSON object a line, complete after every line
"""

from __future__ import annotations

import logging
from io import BytesIO
from os import PathLike
from pathlib import Path

import msgspec

from ..errors import os_errors_as
from ..model.audio import SAMPLE_RATE
from ..protocol.journal import Entry, to_line
from ..protocol.speaker_audio import Recording

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
        with os_errors_as(f"cannot write the journal {path}"):
            # Unbuffered: a killed server leaves whole lines behind.
            self._file = open(path, "ab", buffering=0)  # noqa: SIM115 - closed by close()
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
