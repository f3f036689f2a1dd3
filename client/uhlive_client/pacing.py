"""When each chunk is due, and how well the deadlines were kept.

Every deadline is counted from one anchor, in samples: chunk *n* is due when a speaker who started at the
anchor would have spoken everything before it. An error in one deadline is therefore never passed on to the
next, and a late chunk is followed by chunks on time. After a stall the overdue chunks go out at once.

`now` is an argument, in seconds of any clock that does not jump; this module never reads one.
"""

from __future__ import annotations

import math
from array import array

import msgspec

from .audio import SAMPLE_RATE


class PacingReport(msgspec.Struct, frozen=True, kw_only=True):
    """How a stream went.

    `drift_ppm` is how much slower (positive) or faster the chunks went out than they should, by least
    squares over all of them, in parts per million; `None` for fewer than two deadlines. Lateness is how
    long after its deadline a chunk was sent.
    """

    chunks: int
    audio_s: float
    wall_s: float
    drift_ppm: float | None
    late_p50_ms: float
    late_p95_ms: float
    late_max_ms: float

    def __str__(self) -> str:
        drift = "" if self.drift_ppm is None else f"drift {self.drift_ppm:+.0f} ppm, "
        return (
            f"pacing: {self.audio_s:.1f} s of audio in {self.wall_s:.1f} s, {self.chunks} chunks, "
            f"{drift}late p50 {self.late_p50_ms:.1f} ms, p95 {self.late_p95_ms:.1f} ms, "
            f"max {self.late_max_ms:.1f} ms"
        )


class Pacer:
    """The deadlines of one stream.

    Wait until `due`, send a chunk, call `sent`; after the last one, `due` is when its sound ends.

    Args:
        anchor: when the first chunk is due, in seconds.
        rate: how many times faster than speech; `math.inf` makes everything due at the anchor.

    Raises:
        ValueError: `rate` is not positive.
    """

    def __init__(self, *, anchor: float, rate: float = 1.0) -> None:
        if not rate > 0:
            raise ValueError(f"rate is {rate}; expected more than 0")
        self.anchor = anchor
        self._rate = rate
        self._samples = 0
        self._deadlines = array("d")
        self._lateness = array("d")

    @property
    def audio_s(self) -> float:
        """Seconds of sound sent so far."""
        return self._samples / SAMPLE_RATE

    @property
    def due(self) -> float:
        """When the next chunk is due."""
        return self.anchor + self.audio_s / self._rate

    def sent(self, n_samples: int, now: float) -> None:
        """Note that a chunk of `n_samples` was sent at `now`."""
        self._deadlines.append(self.due - self.anchor)
        self._lateness.append(now - self.due)
        self._samples += n_samples

    def report(self, now: float) -> PacingReport:
        """How the stream went, if it ended at `now`."""
        ordered = sorted(self._lateness)
        return PacingReport(
            chunks=len(ordered),
            audio_s=self.audio_s,
            wall_s=now - self.anchor,
            drift_ppm=_slope_ppm(self._deadlines, self._lateness),
            late_p50_ms=_quantile(ordered, 0.50) * 1000,
            late_p95_ms=_quantile(ordered, 0.95) * 1000,
            late_max_ms=_quantile(ordered, 1.0) * 1000,
        )


def _quantile(ordered: list[float], share: float) -> float:
    """The nearest-rank quantile; 0 of nothing."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else 0.0


def _slope_ppm(x: array[float], y: array[float]) -> float | None:
    if len(x) < 2:
        return None
    mean_x, mean_y = math.fsum(x) / len(x), math.fsum(y) / len(y)
    spread = math.fsum((a - mean_x) ** 2 for a in x)
    if not spread:
        return None
    return 1e6 * math.fsum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True)) / spread
