"""What one speaker sent, put together again.

The bytes are kept as they came, in the speaker's codec, up to a cap; `linear()` decodes them. How they were
cut into chunks does not matter, not even through the middle of a sample.

Time is not part of the sound: chunks are joined without a seam. A gap mark says where a live listener, who
hears every chunk as it arrives, would have heard silence: where a chunk came more than `gap_s` after all the
sound before it had been heard.
"""

from __future__ import annotations

from functools import cache

import msgspec

from ..model.audio import SAMPLE_RATE, Codec

CAP_BYTES = 64 * 1024 * 1024
"""How much is kept by default: 70 minutes of linear audio, 140 of G.711."""

GAP_S = 0.2
"""Silence longer than this is marked. A network's jitter is shorter, a pause in speech is longer."""


class GapMark(msgspec.Struct, frozen=True, kw_only=True):
    """Silence of `silence_s` seconds before the sample number `position`."""

    position: int
    silence_s: float


class Recording:
    """One speaker's audio. Feed it with `add`.

    Args:
        codec: how the bytes code samples.
        cap_bytes: how many bytes are kept, from the first on.
        gap_s: silence longer than this is marked, in seconds.
    """

    def __init__(self, codec: Codec, *, cap_bytes: int = CAP_BYTES, gap_s: float = GAP_S) -> None:
        self.codec = codec
        self._cap = cap_bytes
        self._gap_s = gap_s
        self._kept = bytearray()
        self._gaps: list[GapMark] = []
        self._heard_until: float | None = None
        self.dropped_bytes = 0
        """Bytes that came after the cap was reached."""

    @property
    def size(self) -> int:
        """Bytes kept, as the speaker encoded them."""
        return len(self._kept)

    @property
    def samples(self) -> int:
        """Whole samples kept."""
        return len(self._kept) // self.codec.sample_width

    @property
    def duration_s(self) -> float:
        """Seconds of sound kept."""
        return self.samples / SAMPLE_RATE

    @property
    def truncated(self) -> bool:
        """Whether more came than is kept."""
        return self.dropped_bytes > 0

    @property
    def gaps(self) -> tuple[GapMark, ...]:
        """Where a live listener heard silence, in order."""
        return tuple(self._gaps)

    def add(self, chunk: bytes, at_s: float) -> None:
        """`chunk` came at `at_s`, in seconds of whichever clock."""
        room = self._cap - len(self._kept)
        kept = chunk if len(chunk) <= room else chunk[:room]
        self.dropped_bytes += len(chunk) - len(kept)
        if not kept:
            return
        before = self.samples
        if self._heard_until is None:
            self._heard_until = at_s
        elif at_s > self._heard_until:
            silence_s = at_s - self._heard_until
            if silence_s > self._gap_s:
                self._gaps.append(GapMark(position=before, silence_s=silence_s))
            self._heard_until = at_s
        self._kept += kept
        self._heard_until += (self.samples - before) / SAMPLE_RATE

    def encoded(self) -> bytes:
        """The bytes kept, as they came."""
        return bytes(self._kept)

    def linear(self) -> bytes:
        """The sound as 16-bit little-endian samples; half a sample at the end is left out."""
        if self.codec is Codec.LINEAR:
            return bytes(memoryview(self._kept)[: 2 * self.samples])
        low, high = _g711_tables(self.codec)
        decoded = bytearray(2 * len(self._kept))
        decoded[0::2] = self._kept.translate(low)
        decoded[1::2] = self._kept.translate(high)
        return bytes(decoded)


@cache
def _g711_tables(codec: Codec) -> tuple[bytes, bytes]:
    """The low and the high byte of the sample behind each of the 256 codes."""
    decode = _alaw if codec is Codec.ALAW else _ulaw
    samples = [decode(code) & 0xFFFF for code in range(256)]
    return bytes(sample & 0xFF for sample in samples), bytes(sample >> 8 for sample in samples)


def _alaw(code: int) -> int:
    """ITU-T G.711, table 1: even bits inverted, then sign, 3 bits of segment and 4 of a linear step."""
    code ^= 0x55
    segment, step = (code >> 4) & 7, code & 15
    size = (step << 4) + 8 if segment == 0 else ((step << 4) + 0x108) << (segment - 1)
    return size if code & 0x80 else -size


def _ulaw(code: int) -> int:
    """ITU-T G.711, table 2: all bits inverted; a bias of 33 in 14 bits, 132 in 16, makes segments alike."""
    code ^= 0xFF
    segment, step = (code >> 4) & 7, code & 15
    size = (((step << 3) + 132) << segment) - 132
    return -size if code & 0x80 else size
