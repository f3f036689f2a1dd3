"""How samples are coded: on the way to the service, and in sound without a header.

    encoder = Encoder(sample_rate=48_000, codec=Codec.ALAW, chunk_ms=100)
    encoder.feed(samples)       # the chunks that are complete by now
    encoder.finish()            # the rest, when there is no more

    samples of one channel -> resample to 8 kHz -> round to 16 bits -> encode -> cut in chunks

However the samples are cut when fed, the same chunks come out, and two encoders fed as many samples give as many
chunks. `numpy`, `soundfile` and `soxr` are imported when first needed.

D: the service takes 8 kHz mono, 16-bit signed little-endian or 8-bit G.711, nothing else. What comes from a
sound card, a telephone exchange or another program may be coded in more ways; `Encoding` lists those that can be
read, and `RawFormat` is everything a header would have said.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from functools import cache
from io import BytesIO
from typing import TYPE_CHECKING, Self

import msgspec

from .errors import ConfigurationError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Samples = NDArray[np.float32]
    """Samples of one channel, between -1 and 1."""

    _Pcm = NDArray[np.int16]

SAMPLE_RATE = 8000
"""Samples a second of the audio that is sent, whatever the codec."""


class Codec(StrEnum):
    """The `audio_codec` of a join. S: these three values since SDK 1.1.0."""

    LINEAR = "linear"
    ALAW = "g711a"
    ULAW = "g711u"

    @property
    def sample_width(self) -> int:
        """Bytes a sample."""
        return 2 if self is Codec.LINEAR else 1


class Encoding(StrEnum):
    """How the samples of headerless sound are coded."""

    U8 = "u8"
    S8 = "s8"
    S16 = "s16"
    S24 = "s24"
    S32 = "s32"
    F32 = "f32"
    F64 = "f64"
    ALAW = "alaw"
    ULAW = "ulaw"

    @property
    def sample_width(self) -> int:
        """Bytes a sample."""
        return _FORMS[self][0]

    @property
    def subtype(self) -> str:
        """What libsndfile calls it."""
        return _FORMS[self][1]


_FORMS = {
    Encoding.U8: (1, "PCM_U8"),
    Encoding.S8: (1, "PCM_S8"),
    Encoding.S16: (2, "PCM_16"),
    Encoding.S24: (3, "PCM_24"),
    Encoding.S32: (4, "PCM_32"),
    Encoding.F32: (4, "FLOAT"),
    Encoding.F64: (8, "DOUBLE"),
    Encoding.ALAW: (1, "ALAW"),
    Encoding.ULAW: (1, "ULAW"),
}
"""Bytes a sample, and libsndfile's name."""

_CODEC_NAMES = {"linear": Encoding.S16, "g711a": Encoding.ALAW, "g711u": Encoding.ULAW}
"""The service's names for three of them."""

_FULL_SCALE = 32_768
_MOST_CHANNELS = 1024
_MOST_SAMPLES = 10_000_000


class RawFormat(msgspec.Struct, frozen=True, kw_only=True):
    """What a header would have said: samples a second, channels, and how the samples are coded.

    Raises:
        ConfigurationError: a rate or a number of channels that no sound has.
    """

    sample_rate: int
    channels: int = 1
    encoding: Encoding = Encoding.S16
    big_endian: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.sample_rate <= _MOST_SAMPLES:
            raise ConfigurationError(f"{self.sample_rate} samples a second; expected 1 to {_MOST_SAMPLES}")
        if not 0 < self.channels <= _MOST_CHANNELS:
            raise ConfigurationError(f"{self.channels} channels; expected 1 to {_MOST_CHANNELS}")

    def __str__(self) -> str:
        return f"{self.sample_rate}:{self.channels}:{self.encoding}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The format in a text such as `8000:1:alaw`; `linear`, `g711a` and `g711u` are understood too.

        Raises:
            ConfigurationError: it is something else.
        """
        rate, _, rest = text.partition(":")
        channels, _, name = rest.partition(":")
        if not (rate.isascii() and rate.isdecimal() and channels.isascii() and channels.isdecimal()):
            raise ConfigurationError(f"the raw format {text!r}; expected RATE:CHANNELS:ENCODING, like 8000:1:s16")
        known = {encoding.value: encoding for encoding in Encoding} | _CODEC_NAMES
        if name not in known:
            raise ConfigurationError(f"the encoding {name!r}; expected one of {', '.join(known)}")
        if len(rate) > 9 or len(channels) > 9:
            raise ConfigurationError(f"the raw format {text!r}; expected smaller numbers")
        return cls(sample_rate=int(rate), channels=int(channels), encoding=known[name])

    @property
    def frame_size(self) -> int:
        """Bytes of one sample of every channel."""
        return self.channels * self.encoding.sample_width

    @property
    def layout(self) -> dict[str, str | int]:
        """The arguments with which soundfile reads sound of this format."""
        return {
            "samplerate": self.sample_rate,
            "channels": self.channels,
            "format": "RAW",
            "subtype": self.encoding.subtype,
            "endian": "BIG" if self.big_endian else "LITTLE",
        }

    def decode(self, coded: bytes) -> NDArray[np.float32]:
        """Samples between -1 and 1, a row for each frame and a column for each channel.

        `coded` is a whole number of frames; what is beyond the last whole frame is lost.
        """
        import soundfile as sf

        samples: NDArray[np.float32]
        samples, _ = sf.read(BytesIO(coded), dtype="float32", always_2d=True, **self.layout)
        return samples


class Encoder:
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
        return self._cut()

    def finish(self) -> list[bytes]:
        """The chunks that are left when there are no more samples; the last may be short."""
        import numpy as np

        self._pending += self._encode(_to_pcm(self._resample(np.empty(0, np.float32), True)))
        chunks = self._cut()
        if self._pending:
            chunks.append(bytes(self._pending))
            self._pending.clear()
        return chunks

    def _cut(self) -> list[bytes]:
        size = self._chunk_size
        whole = len(self._pending) // size * size
        chunks = [bytes(self._pending[start : start + size]) for start in range(0, whole, size)]
        del self._pending[:whole]
        return chunks


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
