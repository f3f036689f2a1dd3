"""Sound files as the service wants them: 8 kHz mono, 16-bit linear or G.711.

A file goes through in blocks, so an hour of sound needs no more memory than a second:

    read a block -> mix to mono -> resample to 8 kHz -> round to 16 bits -> encode -> cut in chunks

D: 8 kHz, 16-bit signed little-endian or 8-bit G.711, nothing else. `soundfile`, `numpy` and `soxr` are
imported when first needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from functools import cache
from io import BytesIO
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from .errors import AudioError

if TYPE_CHECKING:
    import numpy as np
    import soundfile as sf
    from numpy.typing import NDArray

    _Samples = NDArray[np.float32]
    _Pcm = NDArray[np.int16]

SAMPLE_RATE = 8000
"""Samples a second, whatever the codec."""

_BLOCK = 16_384
_FULL_SCALE = 32_768


class Codec(StrEnum):
    """The `audio_codec` of a join. S: these three values since SDK 1.1.0."""

    LINEAR = "linear"
    ALAW = "g711a"
    ULAW = "g711u"

    @property
    def sample_width(self) -> int:
        """Bytes a sample."""
        return 2 if self is Codec.LINEAR else 1


class AudioInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What a file's header says. `seconds` is its length; `sample_rate` is its own, before resampling."""

    seconds: float
    sample_rate: int
    channels: int


def probe(path: str | PathLike[str]) -> AudioInfo:
    """What the file says of itself.

    Raises:
        AudioError: the file is missing, unreadable or empty.
    """
    with _opened(path) as file:
        return AudioInfo(seconds=file.frames / file.samplerate, sample_rate=file.samplerate, channels=file.channels)


def read_audio(
    path: str | PathLike[str], *, codec: Codec | str = Codec.LINEAR, chunk_ms: int = 100
) -> Iterator[bytes]:
    """The sound of a file in chunks of `chunk_ms` milliseconds, ready to stream; the last may be shorter.

    Any format libsndfile reads, any rate, any number of channels. The file is opened at once and read as
    the chunks are taken.

    Args:
        path: the file.
        codec: how the samples are coded.
        chunk_ms: sound in a chunk, in milliseconds; 20 to 500 is usual.

    Raises:
        AudioError: the file is missing, unreadable or empty (at once), or turns out damaged (later).
        ValueError: `chunk_ms` is not positive, or `codec` is not a codec.
    """
    codec = Codec(codec)
    if chunk_ms <= 0:
        raise ValueError(f"chunk_ms is {chunk_ms}; expected more than 0")
    file = _opened(path)
    encode = _encoder(codec)
    pieces = (encode(_to_pcm(samples)) for samples in _at_8_khz(file, Path(path)))
    return _rechunk(pieces, SAMPLE_RATE * chunk_ms // 1000 * codec.sample_width)


def _opened(path: str | PathLike[str]) -> sf.SoundFile:
    import soundfile as sf

    if not Path(path).exists():
        raise AudioError(f"{Path(path)}: no such file")
    try:
        file = sf.SoundFile(path)
    except (sf.SoundFileError, OSError) as problem:
        why = getattr(problem, "error_string", str(problem))
        raise AudioError(f"{Path(path)}: not a sound file that can be read ({why.rstrip('.')})") from None
    except TypeError:
        # soundfile wants a rate and a format for headerless files, by their `.raw` suffix.
        raise AudioError(f"{Path(path)}: a file without header; expected one with its rate") from None
    if file.frames == 0:
        file.close()
        raise AudioError(f"{Path(path)}: no sound in it; expected at least one sample")
    return file


def _at_8_khz(file: sf.SoundFile, path: Path) -> Iterator[_Samples]:
    with file:
        if file.samplerate == SAMPLE_RATE:
            yield from _mono(file, path)
            return
        import numpy as np
        import soxr

        stream = soxr.ResampleStream(file.samplerate, SAMPLE_RATE, 1, dtype="float32")
        for block in _mono(file, path):
            yield stream.resample_chunk(block)
        yield stream.resample_chunk(np.empty(0, np.float32), last=True)


def _mono(file: sf.SoundFile, path: Path) -> Iterator[_Samples]:
    import soundfile as sf

    while True:
        try:
            block: _Samples = file.read(_BLOCK, dtype="float32", always_2d=True)
        except sf.SoundFileError as problem:
            at = file.tell() / file.samplerate
            raise AudioError(f"{path}: damaged after {at:.1f} s ({problem})") from None
        if not len(block):
            return
        yield block.mean(axis=1)


def _to_pcm(samples: _Samples) -> _Pcm:
    import numpy as np

    # 16-bit sound comes out bit for bit: float32 holds n / 32768 exactly.
    scaled = np.nan_to_num(samples) * np.float32(_FULL_SCALE)
    pcm: _Pcm = np.rint(scaled.clip(-_FULL_SCALE, _FULL_SCALE - 1)).astype("<i2")
    return pcm


def _encoder(codec: Codec) -> Callable[[_Pcm], bytes]:
    if codec is Codec.LINEAR:
        return lambda pcm: pcm.tobytes()
    table = _g711_table(codec)
    return lambda pcm: table[pcm.view("<u2")].tobytes()


@cache
def _g711_table(codec: Codec) -> NDArray[np.uint8]:
    """The code of every 16-bit sample, found at the sample read as unsigned."""
    import numpy as np
    import soundfile as sf

    every = np.arange(2 * _FULL_SCALE, dtype=np.uint16).view(np.int16)
    codes = BytesIO()
    sf.write(codes, every, SAMPLE_RATE, format="RAW", subtype="ALAW" if codec is Codec.ALAW else "ULAW")
    return np.frombuffer(codes.getvalue(), np.uint8)


def _rechunk(pieces: Iterable[bytes], size: int) -> Iterator[bytes]:
    pending = bytearray()
    for piece in pieces:
        pending += piece
        while len(pending) >= size:
            yield bytes(pending[:size])
            del pending[:size]
    if pending:
        yield bytes(pending)
