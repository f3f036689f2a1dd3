"""How late the chunks of one stream were, in a fixed amount of memory.

`pacing` says what is measured and why. Here it is summed up, one chunk at a time: means and squares are moved
along by each chunk (Welford), so an hour's sums lose no digits against a minute's.
"""

from __future__ import annotations

import math

PAUSE_S = 0.2
"""A chunk that comes so much later than the one before it comes after a pause."""


class Lateness:
    """The lateness of chunks against their due moments, both counted in seconds from the first chunk."""

    __slots__ = (
        "_jitter",
        "_mean_x",
        "_mean_y",
        "_n",
        "_steady",
        "_xx",
        "_xy",
        "_yy",
        "jitter_max_ms",
        "lag_max_s",
        "last_s",
        "lead_max_s",
        "roughness",
        "span_s",
    )

    def __init__(self) -> None:
        self.lead_max_s = 0.0
        self.lag_max_s = 0.0
        self.last_s = 0.0
        self.span_s = 0.0
        """The due moment of the last chunk."""
        self.roughness = 0.0
        """The sum of the squares of all steps; the smaller, the better these due moments fit the stream."""
        self.jitter_max_ms = 0.0
        self._jitter = _Quantiles()
        self._n = 0
        self._mean_x = self._mean_y = 0.0
        self._xx = self._xy = self._yy = 0.0
        self._steady = 0.0

    def add(self, due: float, elapsed: float, waited: float) -> None:
        """A chunk due at `due` came at `elapsed`; `waited` of the time since the last one was our doing."""
        late = elapsed - due
        if self._n:
            self._add_step(late - self.last_s, waited)
        self._n += 1
        self.span_s = due
        self.last_s = late
        if late > self.lag_max_s:
            self.lag_max_s = late
        elif -late > self.lead_max_s:
            self.lead_max_s = -late
        dx, dy = due - self._mean_x, late - self._mean_y
        self._mean_x += dx / self._n
        self._mean_y += dy / self._n
        self._xx += dx * (due - self._mean_x)
        self._xy += dx * (late - self._mean_y)
        self._yy += dy * (late - self._mean_y)

    def jitter_ms(self, share: float) -> float:
        """The jitter that the given share of the intervals does not exceed, in milliseconds."""
        return min(self._jitter.at(share) / 1000, self.jitter_max_ms)

    @property
    def steady_drift_ppm(self) -> float:
        """The drift from first chunk to last, with pauses left out."""
        return 1e6 * self._steady / self.span_s if self.span_s else 0.0

    def drift(self) -> tuple[float, float] | tuple[None, None]:
        """The drift and its standard error in ppm; None for fewer than three chunks, or without audio."""
        if self._n < 3 or not self._xx or not self.span_s:
            return None, None
        slope = self._xy / self._xx
        scatter = max(0.0, self._yy - slope * self._xy) / (self._n - 2)
        steps = self._n - 1
        variance = self.roughness / steps - (self.last_s / steps) ** 2
        walk = max(0.0, min(variance, 15 / steps * (scatter - variance / 2)))
        return 1e6 * slope, 1e6 * math.sqrt(scatter / self._xx + 1.2 * walk * steps / self.span_s**2)

    def _add_step(self, step: float, waited: float) -> None:
        jitter_ms = 1000 * abs(step - waited)
        self._jitter.add(round(1000 * jitter_ms))
        if jitter_ms > self.jitter_max_ms:
            self.jitter_max_ms = jitter_ms
        self.roughness += step * step
        if step <= PAUSE_S:
            self._steady += step


class _Quantiles:
    """Counts whole numbers in bins that grow with them: 64 single ones, then 32 to each power of two.

    A number is taken for the middle of its bin, which is off by at most 1/64 of it.
    """

    def __init__(self) -> None:
        self._bins: dict[int, int] = {}
        self._total = 0

    def add(self, number: int) -> None:
        shift = number.bit_length() - 6 if number > 63 else 0
        place = 32 * shift + (number >> shift)
        self._bins[place] = self._bins.get(place, 0) + 1
        self._total += 1

    def at(self, share: float) -> int:
        """The nearest-rank quantile; 0 of nothing."""
        rank = max(1, math.ceil(share * self._total))
        for place, count in sorted(self._bins.items()):
            rank -= count
            if rank <= 0:
                shift = max(0, place // 32 - 1)
                return ((place - 32 * shift) << shift) + (1 << shift) // 2
        return 0
