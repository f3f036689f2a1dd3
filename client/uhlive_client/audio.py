"""Sound files in chunks, ready to stream: all channels mixed into one speaker, or one speaker a channel.

    read_audio("call.flac")                   # an iterator of chunks
    left, right = read_channels("call.flac")  # one for each channel

A file goes through in blocks, so two hours of sound need no more memory than a second. Each iterator of
`read_channels` reads the file on its own: they can be taken in step, one after the other or not at all, and
none keeps anything for another. `codecs` says what happens to the samples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from .codecs import SAMPLE_RATE as SAMPLE_RATE, Codec as Codec, Encoder, RawFormat
from .errors import AudioError

if TYPE_CHECKING:
    import numpy as np
    import soundfile as sf
    from numpy.typing import NDArray

    from .codecs import Samples

    Frames = NDArray[np.float32]
    """A row for each frame, a column for each channel."""

_BLOCK = 16_384


class AudioInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What a file's header says. `seconds` is its length; `sample_rate` is its own, before resampling."""

    seconds: float
    sample_rate: int
    channels: int


def probe(path: str | PathLike[str], *, raw: RawFormat | None = None) -> AudioInfo:
    """What the file says of itself; `raw` says it of a file without header.

    Raises:
        AudioError: the file is missing, unreadable or empty.
    """
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
    and read as the chunks are taken.

    Args:
        path: the file.
        codec: how the chunks are coded.
        chunk_ms: sound in a chunk, in milliseconds; 20 to 500 is usual.
        raw: what the file's sound is coded in, for a file without header.

    Raises:
        AudioError: the file is missing, unreadable or empty (at once), or turns out damaged (later).
        ValueError: `chunk_ms` is not positive, or `codec` is not a codec.
    """
    return _Reading(path, raw, codec, chunk_ms).chunks(mixed)


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
    return tuple(
        _Reading(path, raw, codec, chunk_ms).chunks(channel_of(channel))
        for channel in range(probe(path, raw=raw).channels)
    )


def mixed(frames: Frames) -> Samples:
    """The mean of all channels."""
    samples: Samples = frames.mean(axis=1)
    return samples


def channel_of(channel: int) -> Callable[[Frames], Samples]:
    """What picks one channel, counted from 0."""
    return lambda frames: frames[:, channel].copy()


def _opened(path: str | PathLike[str], raw: RawFormat | None) -> sf.SoundFile:
    import soundfile as sf

    if not Path(path).exists():
        raise AudioError(f"{Path(path)}: no such file")
    try:
        file = sf.SoundFile(path, **(raw.layout if raw else {}))
    except (sf.SoundFileError, OSError) as problem:
        why = getattr(problem, "error_string", str(problem))
        raise AudioError(f"{Path(path)}: not a sound file that can be read ({why.rstrip('.')})") from None
    except TypeError:
        # soundfile wants a rate and a format for headerless files, by their `.raw` suffix.
        raise AudioError(
            f"{Path(path)}: a file without header; expected its format too: RATE:CHANNELS:ENCODING, like 8000:1:s16"
        ) from None
    if file.frames == 0:
        file.close()
        raise AudioError(f"{Path(path)}: no sound in it; expected at least one sample")
    return file


class _Reading:
    """A file that is open, and what its chunks are to be like."""

    def __init__(self, path: str | PathLike[str], raw: RawFormat | None, codec: Codec | str, chunk_ms: int) -> None:
        self._path = Path(path)
        self._file = _opened(path, raw)
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
