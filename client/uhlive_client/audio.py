"""Sound files in chunks, ready to stream: all channels mixed into one speaker, or one speaker a channel.

    read_audio("call.flac")                   # an iterator of chunks
    left, right = read_channels("call.flac")  # one for each channel

A file goes through in blocks, so two hours of sound need no more memory than a second. Each iterator of
`read_channels` reads the file on its own: they can be taken in step, one after the other or not at all, and
none keeps anything for another. `codecs` says what happens to the samples.

Sound without a length. A WAV is "RIFF", a size, "WAVE" and then chunks: four letters, a size, that many bytes, and
one more to make it even. `fmt ` says how samples are coded, `data` holds them, anything else is passed over. A
program that writes to a pipe does not know the size of `data` yet, and writes 0, all ones or a number of its own
imagination, so a size that can be one of those only means "until the end". RF64 keeps the real size in `ds64`. AU
has one header of six numbers. Such a stream gives the same samples as a file, from a FIFO and from `piped_audio`.
That streams it as it comes; here a FIFO is read to its end first, for it can be read once, and from the front only.

D: RFC 2361 and the WAVEFORMATEXTENSIBLE documentation for the tags; EBU TECH 3306 for RF64. S: libsndfile reads all
ones as "until the end", and 0 as no sound.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from io import BytesIO
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Self

import msgspec

from .codecs import SAMPLE_RATE as SAMPLE_RATE, Codec as Codec, Encoder, Encoding, RawFormat
from .errors import AudioError, ConfigurationError

if TYPE_CHECKING:
    import numpy as np
    import soundfile as sf
    from numpy.typing import NDArray

    from .codecs import Samples

    Frames = NDArray[np.float32]
    """A row for each frame, a column for each channel."""

_BLOCK = 16_384

Exactly = Callable[[int], bytes]
"""Gives the next so many bytes; fewer only at the end of the stream."""

_WAV_ENCODINGS = {
    (1, 8): Encoding.U8,
    (1, 16): Encoding.S16,
    (1, 24): Encoding.S24,
    (1, 32): Encoding.S32,
    (3, 32): Encoding.F32,
    (3, 64): Encoding.F64,
    (6, 8): Encoding.ALAW,
    (7, 8): Encoding.ULAW,
}
"""By format tag and bits a sample."""

_AU_ENCODINGS = {
    1: Encoding.ULAW,
    2: Encoding.S8,
    3: Encoding.S16,
    4: Encoding.S24,
    5: Encoding.S32,
    6: Encoding.F32,
    7: Encoding.F64,
    27: Encoding.ALAW,
}

_EXTENSIBLE = 0xFFFE
_UNKNOWN = 0x7FFF_0000
"""A `data` at least so big is of no known size: sox writes 0x7FFFF000 and a little less, ffmpeg all ones."""

_LONGEST_FORMAT = 4096


class AudioInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What a file's header says. `seconds` is its length; `sample_rate` is its own, before resampling."""

    seconds: float
    sample_rate: int
    channels: int


def probe(path: str | PathLike[str], *, raw: RawFormat | None = None) -> AudioInfo:
    """What the file says of itself; `raw` says it of a file without header.

    Raises:
        AudioError: the file is missing, unreadable or empty, or it is a pipe.
    """
    if Path(path).is_fifo():
        raise AudioError(f"{Path(path)}: a pipe, which has no length to tell and can be read once")
    with _opened(path, raw) as file:
        return AudioInfo(seconds=file.frames / file.samplerate, sample_rate=file.samplerate, channels=file.channels)


def read_audio(
    path: str | PathLike[str],
    *,
    codec: Codec | str = Codec.LINEAR,
    chunk_ms: int = 100,
    raw: RawFormat | None = None,
) -> Iterator[bytes]:
    """The sound of a file in chunks of `chunk_ms` milliseconds, ready to stream; the last may be shorter.

    Any format libsndfile reads, any rate, any number of channels, which are mixed. The file is opened at once
    and read as the chunks are taken; a FIFO is read to its end at once.

    Args:
        path: the file.
        codec: how the chunks are coded.
        chunk_ms: sound in a chunk, in milliseconds; 20 to 500 is usual.
        raw: what the file's sound is coded in, for a file without header.

    Raises:
        AudioError: the file is missing, unreadable or empty (at once), or turns out damaged (later).
        ValueError: `chunk_ms` is not positive, or `codec` is not a codec.
    """
    return _Reading(path, raw, codec, chunk_ms, _piped(path)).chunks(mixed)


def read_channels(
    path: str | PathLike[str],
    *,
    codec: Codec | str = Codec.LINEAR,
    chunk_ms: int = 100,
    raw: RawFormat | None = None,
) -> tuple[Iterator[bytes], ...]:
    """The sound of each channel of a file, as `read_audio` gives that of all of them together.

    A stereo call has one speaker in each of its two channels. All of them give as many chunks.

    Raises:
        AudioError: the file is missing, unreadable or empty (at once), or turns out damaged (later).
        ValueError: `chunk_ms` is not positive, or `codec` is not a codec.
    """
    content = _piped(path)
    with _opened(path, raw, content) as file:
        channels = range(file.channels)
    return tuple(_Reading(path, raw, codec, chunk_ms, content).chunks(channel_of(channel)) for channel in channels)


def mixed(frames: Frames) -> Samples:
    """The mean of all channels."""
    samples: Samples = frames.mean(axis=1)
    return samples


def channel_of(channel: int) -> Callable[[Frames], Samples]:
    """What picks one channel, counted from 0."""
    return lambda frames: frames[:, channel].copy()


def _piped(path: str | PathLike[str]) -> bytes | None:
    """All that comes out of a FIFO; `None` for a file, which can be opened again."""
    return Path(path).read_bytes() if Path(path).is_fifo() else None


def _opened(path: str | PathLike[str], raw: RawFormat | None, content: bytes | None = None) -> sf.SoundFile:
    """The sound of a file, or of what was read from a FIFO."""
    import soundfile as sf

    if not Path(path).exists():
        raise AudioError(f"{Path(path)}: no such file")
    file: sf.SoundFile | None = None
    why = ""
    try:
        file = sf.SoundFile(path if content is None else BytesIO(content), **(raw.layout if raw else {}))
    except (sf.SoundFileError, OSError) as problem:
        why = getattr(problem, "error_string", str(problem)).rstrip(".")
    except TypeError:
        # soundfile wants a rate and a format for headerless files, by their `.raw` suffix.
        raise AudioError(
            f"{Path(path)}: a file without header; expected its format too: RATE:CHANNELS:ENCODING, like 8000:1:s16"
        ) from None
    if raw is None and (file is None or file.frames == 0):
        file = _without_length(path, content) or file
    if file is None:
        raise AudioError(f"{Path(path)}: not a sound file that can be read ({why})")
    if file.frames == 0:
        file.close()
        raise AudioError(f"{Path(path)}: no sound in it; expected at least one sample")
    return file


def _without_length(path: str | PathLike[str], content: bytes | None) -> sf.SoundFile | None:
    """A stream that was kept: all that follows its header; `None` if its header tells a length, or it has none."""
    import soundfile as sf

    try:
        rest = _Rest(open(path, "rb") if content is None else BytesIO(content))  # noqa: SIM115
        raw, size = read_header(rest.read)
        return sf.SoundFile(rest.begin(), **raw.layout) if size is None else None
    except (AudioError, OSError, sf.SoundFileError):
        return None


class _Rest:
    """What is left of a file, as a file of its own with as much of the interface as soundfile uses."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._start = 0

    def begin(self) -> Self:
        """Begin where the file has been read to."""
        self._start = self._file.tell()
        return self

    def read(self, size: int) -> bytes:
        return self._file.read(size)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._file.seek(offset if whence else offset + self._start, whence) - self._start

    def tell(self) -> int:
        return self._file.tell() - self._start

    def __del__(self) -> None:
        self._file.close()  # soundfile leaves it open


class _Reading:
    """A file that is open, and what its chunks are to be like."""

    def __init__(
        self,
        path: str | PathLike[str],
        raw: RawFormat | None,
        codec: Codec | str,
        chunk_ms: int,
        content: bytes | None,
    ) -> None:
        self._path = Path(path)
        self._file = _opened(path, raw, content)
        self._encoder = Encoder(sample_rate=self._file.samplerate, codec=codec, chunk_ms=chunk_ms)

    def chunks(self, pick: Callable[[Frames], Samples]) -> Iterator[bytes]:
        """The chunks of what `pick` takes from each block. The file is closed at the end."""
        with self._file:
            while len(frames := self._block()):
                yield from self._encoder.feed(pick(frames))
            yield from self._encoder.finish()

    def _block(self) -> Frames:
        import soundfile as sf

        try:
            frames: Frames = self._file.read(_BLOCK, dtype="float32", always_2d=True)
        except sf.SoundFileError as problem:
            at = self._file.tell() / self._file.samplerate
            raise AudioError(f"{self._path}: damaged after {at:.1f} s ({problem})") from None
        return frames


# --- the header of a stream -------------------------------------------------------------------------------


def read_header(exactly: Exactly) -> tuple[RawFormat, int | None]:
    """The format of the samples that follow, and their bytes; None for until the end.

    Raises:
        AudioError: this is no WAV or AU stream, or one that is coded in a way we do not read.
    """
    start = exactly(12)
    if start[:4] == b".snd" and len(start) == 12:
        return _au_format(start, exactly)
    if start[:4] not in (b"RIFF", b"RF64") or start[8:] != b"WAVE":
        found = f"begins with {start[:4]!r}" if start else "nothing at all"
        raise AudioError(f"not a WAV stream ({found}); samples without header need RATE:CHANNELS:ENCODING")
    raw: RawFormat | None = None
    long_size: int | None = None
    while True:
        name, size = _chunk_header(exactly)
        if name == b"data":
            if raw is None:
                raise AudioError("a WAV stream without a format; expected `fmt ` before `data`")
            if start[:4] == b"RF64" and size == 0xFFFF_FFFF:
                return raw, long_size
            return raw, _known(size)
        if name in (b"fmt ", b"ds64") and size <= _LONGEST_FORMAT:
            body = exactly(size + size % 2)
            if name == b"fmt ":
                raw = _format_of(body)
            elif len(body) >= 16:
                # A size of 0 is one that was never filled in, and so is one of all ones.
                long_size = struct.unpack_from("<Q", body, 8)[0]
                long_size = long_size if 0 < long_size < 1 << 63 else None
        else:
            _skip(exactly, size + size % 2)


def _chunk_header(exactly: Exactly) -> tuple[bytes, int]:
    head = exactly(8)
    if len(head) < 8:
        raise AudioError("a WAV stream that ends before its sound; expected `data`")
    name, size = struct.unpack("<4sI", head)
    return name, size


def _skip(exactly: Exactly, size: int) -> None:
    while size:
        piece = exactly(min(size, _BLOCK))
        if not piece:
            return  # the next chunk's head says that the stream has ended
        size -= len(piece)


def _known(size: int) -> int | None:
    return size if 0 < size < _UNKNOWN else None


def _au_format(start: bytes, exactly: Exactly) -> tuple[RawFormat, int | None]:
    rest = exactly(12)
    if len(rest) < 12:
        raise AudioError("an AU stream that ends before its sound; expected a header of 24 bytes")
    at, size = struct.unpack_from(">II", start, 4)
    code, sample_rate, channels = struct.unpack(">III", rest)
    if code not in _AU_ENCODINGS:
        raise AudioError(f"an AU stream of encoding {code}; expected PCM, float, A-law or mu-law")
    _skip(exactly, max(0, at - 24))
    return _raw_format("an AU", sample_rate, channels, _AU_ENCODINGS[code], big_endian=True), _known(size)


def _raw_format(
    kind: str, sample_rate: int, channels: int, encoding: Encoding, *, big_endian: bool = False
) -> RawFormat:
    try:
        return RawFormat(sample_rate=sample_rate, channels=channels, encoding=encoding, big_endian=big_endian)
    except ConfigurationError as problem:
        raise AudioError(f"{kind} stream of {problem}") from None


def _format_of(body: bytes) -> RawFormat:
    if len(body) < 16:
        raise AudioError(f"a WAV stream whose format has {len(body)} bytes; expected at least 16")
    tag, channels, sample_rate, _, _, bits = struct.unpack_from("<HHIIHH", body)
    if tag == _EXTENSIBLE and len(body) >= 26:
        (tag,) = struct.unpack_from("<H", body, 24)
    encoding = _WAV_ENCODINGS.get((tag, bits))
    if encoding is None:
        raise AudioError(f"a WAV stream of format {tag} with {bits} bits; expected PCM, float, A-law or mu-law")
    return _raw_format("a WAV", sample_rate, channels, encoding)
