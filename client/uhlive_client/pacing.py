"""When each chunk is due, and how well the deadlines were kept.

Every deadline is counted from one anchor, in samples: chunk *n* is due when a speaker who started at the
anchor would have spoken everything before it. An error in one deadline is therefore never passed on to the
next, and a late chunk is followed by chunks on time. After a stall the overdue chunks go out at once.

**Lag** is how long after its deadline a chunk was sent. **Lead** is how much further its sound is than speech
that began at the anchor would be: nothing at the pace of speech, 19 s after a second at `rate` 20. **Drift** is the
slope of the lag over the deadlines, by least squares.

However long a stream is, it is remembered in a few numbers: sums for the drift, and for the quantiles a count of
the lags in each of `_BINS` bins between a power of two and the next.

`now` is an argument, in seconds of any clock that does not jump; this module never reads one.
"""

from __future__ import annotations

import math
from collections import Counter

import msgspec

from .audio import SAMPLE_RATE

_BINS = 128
_SHORTEST_S = 1e-6
"""Lags up to this, and chunks sent early, count as none in the quantiles."""


class PacingReport(msgspec.Struct, frozen=True, kw_only=True):
    """How a stream went. The module's docstring says what is measured.

    `drift_ppm` is how much slower (positive) or faster the chunks went out than they should, in parts per
    million; None for fewer than two deadlines. The quantiles are nearest-rank and within half a percent, the maxima
    exact.
    """

    chunks: int
    audio_s: float
    wall_s: float
    drift_ppm: float | None
    late_p50_ms: float
    late_p95_ms: float
    late_max_ms: float
    lead_max_s: float = 0.0

    def __str__(self) -> str:
        drift = "" if self.drift_ppm is None else f"drift {self.drift_ppm:+.0f} ppm, "
        lead = f", lead {self.lead_max_s:.1f} s" if self.lead_max_s >= 0.05 else ""
        return (
            f"pacing: {self.audio_s:.1f} s of audio in {self.wall_s:.1f} s, {self.chunks} chunks, "
            f"{drift}late p50 {self.late_p50_ms:.1f} ms, p95 {self.late_p95_ms:.1f} ms, "
            f"max {self.late_max_ms:.1f} ms{lead}"
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
        self.lag_s = 0.0
        self.lead_s = 0.0
        self._rate = rate
        self._samples = 0
        self._drift = _Slope()
        self._lags = _Quantiles()
        self._lag_max_s = -math.inf
        self._lead_max_s = 0.0

    @property
    def audio_s(self) -> float:
        """Seconds of sound sent so far."""
        return self._samples / SAMPLE_RATE

    @property
    def due(self) -> float:
        """When the next chunk is due."""
        return self.anchor + self.audio_s / self._rate

    def sent(self, n_samples: int, now: float) -> None:
        """Note that a chunk of `n_samples` was sent at `now`; `lag_s` and `lead_s` are those of this chunk."""
        self.lag_s = now - self.due
        self.lead_s = max(0.0, self.audio_s - (now - self.anchor)) if self._rate > 1 else 0.0
        self._drift.add(self.due - self.anchor, self.lag_s)
        self._lags.add(self.lag_s)
        self._lag_max_s = max(self._lag_max_s, self.lag_s)
        self._lead_max_s = max(self._lead_max_s, self.lead_s)
        self._samples += n_samples

    def report(self, now: float) -> PacingReport:
        """How the stream went, if it ended at `now`."""
        longest = self._lag_max_s if self._lags.count else 0.0
        return PacingReport(
            chunks=self._lags.count,
            audio_s=self.audio_s,
            wall_s=now - self.anchor,
            drift_ppm=self._drift.ppm,
            late_p50_ms=min(self._lags.quantile(0.50), longest) * 1000,
            late_p95_ms=min(self._lags.quantile(0.95), longest) * 1000,
            late_max_ms=longest * 1000,
            lead_max_s=self._lead_max_s,
        )


class _Slope:
    """The slope of y over x by least squares, of any number of points, without keeping them."""

    def __init__(self) -> None:
        self._count = 0
        self._mean_x = self._mean_y = self._xx = self._xy = 0.0

    def add(self, x: float, y: float) -> None:
        # Welford's recurrence: sums of the distances from the means as they are, so that nothing cancels.
        self._count += 1
        from_mean = x - self._mean_x
        self._mean_x += from_mean / self._count
        self._mean_y += (y - self._mean_y) / self._count
        self._xx += from_mean * (x - self._mean_x)
        self._xy += from_mean * (y - self._mean_y)

    @property
    def ppm(self) -> float | None:
        return 1e6 * self._xy / self._xx if self._xx else None


class _Quantiles:
    """How long most lags were, of any number, in bins that are 1/128 of their power of two wide."""

    def __init__(self) -> None:
        self.count = 0
        self._bins: Counter[int] = Counter()

    def add(self, seconds: float) -> None:
        self.count += 1
        if seconds <= _SHORTEST_S:
            self._bins[0] += 1
            return
        fraction, exponent = math.frexp(seconds / _SHORTEST_S)  # 0.5 <= fraction < 1
        self._bins[1 + exponent * _BINS + int((fraction - 0.5) * 2 * _BINS)] += 1

    def quantile(self, share: float) -> float:
        """The middle of the bin that the nearest rank is in; 0 of nothing."""
        rank, seen = math.ceil(share * self.count), 0
        for number in sorted(self._bins):
            seen += self._bins[number]
            if seen >= rank:
                return _middle(number)
        return 0.0


def _middle(number: int) -> float:
    if not number:
        return 0.0
    exponent, part = divmod(number - 1, _BINS)
    return _SHORTEST_S * math.ldexp(0.5 + (part + 0.5) / (2 * _BINS), exponent)
