"""What the service accepts as audio.

8 kHz mono, 16-bit little-endian linear or 8-bit G.711, and nothing else.
D: the provider's getting-started page. S: `audio_codec` values of the Python SDK since 1.1.0.
"""

from __future__ import annotations

from enum import StrEnum

SAMPLE_RATE = 8000
"""Samples a second of every codec."""

SAMPLES_PER_MS = SAMPLE_RATE // 1000


class Codec(StrEnum):
    """The `audio_codec` of a join."""

    LINEAR = "linear"
    ALAW = "g711a"
    ULAW = "g711u"

    @property
    def sample_width(self) -> int:
        """Bytes a sample."""
        return 2 if self is Codec.LINEAR else 1
