"""From samples as they are to chunks as the service wants them.

    shaper = Shaper(sample_rate=48_000, codec=Codec.ALAW, chunk_ms=100)
    shaper.feed(samples)        # the chunks that are complete by now
    shaper.finish()             # the rest, when there is no more

    samples of one channel -> resample to 8 kHz -> round to 16 bits -> encode -> cut in chunks

However the samples are cut when fed, the same chunks come out, and two shapers fed as many samples give as many
chunks. `numpy`, `soundfile` and `soxr` are imported when first needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from io import BytesIO
from typing import TYPE_CHECKING

from .codecs import SAMPLE_RATE, Codec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Samples = NDArray[np.float32]
    """Samples of one channel, between -1 and 1."""

    _Pcm = NDArray[np.int16]

_FULL_SCALE = 32_768


class Shaper:
    """One channel's sound on its way to the service.

    Args:
        sample_rate: that of the samples fed.
        codec: how the chunks are coded.
        chunk_ms: sound in a chunk, in milliseconds; the last may be shorter.

    Raises:
        ValueError: `chunk_ms` is not positive, or `codec` is not a codec.
    """

    def __init__(self, *, sample_rate: int, codec: Codec | str = Codec.LINEAR, chunk_ms: int = 100) -> None:
        codec = Codec(codec)
        if chunk_ms <= 0:
            raise ValueError(f"chunk_ms is {chunk_ms}; expected more than 0")
        self._chunk_size = SAMPLE_RATE * chunk_ms // 1000 * codec.sample_width
        self._encode = _encoder(codec)
        self._resample = _resampler(sample_rate)
        self._pending = bytearray()

    def feed(self, samples: Samples) -> list[bytes]:
        """Take samples; the chunks that are complete."""
        self._pending += self._encode(_to_pcm(self._resample(samples, False)))
        return list(self._cut())

    def finish(self) -> list[bytes]:
        """The chunks that are left when there are no more samples; the last may be short."""
        import numpy as np

        self._pending += self._encode(_to_pcm(self._resample(np.empty(0, np.float32), True)))
        chunks = list(self._cut())
        if self._pending:
            chunks.append(bytes(self._pending))
            self._pending.clear()
        return chunks

    def _cut(self) -> Iterator[bytes]:
        size, start = self._chunk_size, 0
        while start + size <= len(self._pending):
            yield bytes(self._pending[start : start + size])
            start += size
        del self._pending[:start]


def _resampler(sample_rate: int) -> Callable[[Samples, bool], Samples]:
    """A function of samples and whether they are the last, to the samples at 8 kHz that are ready."""
    if sample_rate == SAMPLE_RATE:
        return lambda samples, _last: samples
    import soxr

    stream = soxr.ResampleStream(sample_rate, SAMPLE_RATE, 1, dtype="float32")
    return lambda samples, last: stream.resample_chunk(samples, last=last)


def _to_pcm(samples: Samples) -> _Pcm:
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
