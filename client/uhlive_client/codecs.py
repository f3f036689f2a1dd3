"""How samples are coded: on the way to the service, and in sound without a header.

D: the service takes 8 kHz mono, 16-bit signed little-endian or 8-bit G.711, nothing else. What comes from a
sound card, a telephone exchange or another program may be coded in more ways; `Encoding` lists those that can be
read, all of them little-endian, and `RawFormat` is everything a header would have said.
"""

from __future__ import annotations

from enum import StrEnum
from io import BytesIO
from typing import TYPE_CHECKING, Self

import msgspec

from .errors import ConfigurationError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

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
        return _WIDTHS[self]

    @property
    def subtype(self) -> str:
        """What libsndfile calls it."""
        return _SUBTYPES[self]


_SUBTYPES = {
    Encoding.U8: "PCM_U8",
    Encoding.S8: "PCM_S8",
    Encoding.S16: "PCM_16",
    Encoding.S24: "PCM_24",
    Encoding.S32: "PCM_32",
    Encoding.F32: "FLOAT",
    Encoding.F64: "DOUBLE",
    Encoding.ALAW: "ALAW",
    Encoding.ULAW: "ULAW",
}

_WIDTHS = {
    Encoding.U8: 1,
    Encoding.S8: 1,
    Encoding.S16: 2,
    Encoding.S24: 3,
    Encoding.S32: 4,
    Encoding.F32: 4,
    Encoding.F64: 8,
    Encoding.ALAW: 1,
    Encoding.ULAW: 1,
}

_CODEC_NAMES = {"linear": Encoding.S16, "g711a": Encoding.ALAW, "g711u": Encoding.ULAW}
"""The service's names for three of them."""

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
            "endian": "LITTLE",
        }

    def decode(self, coded: bytes) -> NDArray[np.float32]:
        """Samples between -1 and 1, a row for each frame and a column for each channel.

        `coded` is a whole number of frames; what is beyond the last whole frame is lost.
        """
        import soundfile as sf

        samples: NDArray[np.float32]
        samples, _ = sf.read(BytesIO(coded), dtype="float32", always_2d=True, **self.layout)
        return samples
