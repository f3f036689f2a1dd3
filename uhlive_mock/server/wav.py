"""Recordings as WAV files: 8 kHz, mono, 16 bits, exactly the samples the speaker sent.

A pause adds nothing to the sound. When there were any, they are listed in a file beside it:
`alice.wav` and `alice.gaps.json`, which reads `[{"position": 8000, "silence_s": 1.5}]`, position in samples.
"""

from __future__ import annotations

from io import BytesIO
from os import PathLike
from pathlib import Path

import msgspec

from ..model.audio import SAMPLE_RATE
from ..protocol.recording import Recording


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
