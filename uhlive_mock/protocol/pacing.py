"""Judges how a speaker's audio was paced, on wall time, whatever clock the space runs on.

    chunk(samples, size, wall)    a chunk arrived
    throttled(seconds)            the server read nothing for so long, by its own will
    pacing()                      the judgement so far

**Due.** Real time gives every chunk a moment, counted from the first one. There are two ways to be on time: a
file's sender sends a chunk when its *start* is to be spoken, a microphone's when its *end* has been. With
chunks of one size they cannot be told apart; with chunks of several sizes each looks jumpy by the other's
measure. Both are measured, and the one with the smaller jitter counts. *Lead* is how long before its due
moment a chunk came, *lag* how long after.

**Jitter** is how far the interval between two chunks is from the one between their due moments, either way.
Time that the server itself did not read is taken out of jitter and gaps, but not out of lead, lag and drift:
what arrived late did arrive late.

**Drift** is the slope of the lag over the audio, by least squares over all chunks: parts per million slower
(positive) or faster than real time. Its standard error allows for two kinds of noise. Jitter around a fixed
timetable scatters the lag about the line, and least squares know what that does. Delays that are never made
up, such as sleeps that last too long by chance, or a step in the delay of the network, add up to a random
walk, and leave a far less certain line than the scatter tells. Jitter's scatter has half the variance of its
steps from chunk to chunk; what goes beyond is taken for a walk. One of n steps of variance v scatters by
v*n/15, has a slope of variance 1.2*v*n/span**2, and v is no more than the variance of the steps. For jitter
alone the error comes out too large rather than too small.

**Faster than real time** is a lead of more than `LEAD_S`. **Drifting** is a drift that is large
(`DRIFT_PPM`), certain (`DRIFT_ERRORS`), has made a difference (`DRIFT_S`) and is not half due to pauses
(`PAUSE_S`): who pauses is behind, but does not drift.

**Burst** is the smallest burst with which a token bucket filling at real time would have let everything pass
at once: one chunk for a sender on time, all of the audio for one that sends a file in one go.

Memory is bounded, a call may last for days: jitter is counted in bins (`_Quantiles`), chunk sizes by value.

How late the chunks of one stream were, in a fixed amount of memory.

`pacing` says what is measured and why. Here it is summed up, one chunk at a time: means and squares are moved
along by each chunk (Welford), so an hour's sums lose no digits against a minute's.
"""

from __future__ import annotations

import math
from collections import Counter
from enum import StrEnum

import msgspec

from ..model.audio import SAMPLE_RATE

LEAD_S = 1.0
"""More lead than this is faster than real time. A microphone gathers less while its join is answered."""

DRIFT_PPM = 100.0
"""Less drift than this is a sound card's clock against ours."""

DRIFT_ERRORS = 3.0
"""Less drift than so many standard errors is noise."""

DRIFT_S = 0.02
"""Less than this, gained or lost in all, is jitter: +-5 ms of it can at worst look like 15 ms of drift."""

DRIFT_CHUNKS = 20
"""From fewer chunks than this no standard error is worth much."""


class Due(StrEnum):
    """When a chunk is on time."""

    START = "start"
    END = "end"


class Pacing(msgspec.Struct, frozen=True, kw_only=True):
    """How a speaker's audio was paced. The module's docstring says how each is measured.

    `wall_s` is from the first chunk to the last. `lead_final_s` is negative when the last chunk lagged.
    Drift and its standard error are None for fewer than three chunks. The jitter quantiles are nearest-rank
    and off by 1/64 at most, the maximum is exact. `longest_gap_s` is the longest interval between two chunks.
    `chunk_sizes` are pairs of size in bytes and number of chunks, by size.
    """

    chunks: int
    audio_s: float
    wall_s: float
    due: Due
    lead_max_s: float
    lag_max_s: float
    lead_final_s: float
    jitter_p50_ms: float
    jitter_p95_ms: float
    jitter_max_ms: float
    longest_gap_s: float
    drift_ppm: float | None
    drift_error_ppm: float | None
    burst_s: float
    burst_bytes: int
    chunk_sizes: tuple[tuple[int, int], ...]
    throttled_s: float
    faster_than_real_time: bool
    drifting: bool

    @property
    def verdict(self) -> str:
        """The judgement in a few words."""
        if not self.chunks:
            return "no audio"
        if self.faster_than_real_time:
            return f"faster than real time: {self.lead_max_s:.1f} s ahead"
        if self.drifting and self.drift_ppm is not None:
            return f"drifts: {abs(self.drift_ppm):.0f} ppm {'late' if self.drift_ppm > 0 else 'early'}"
        return "keeps real time"

    def table(self) -> str:
        """All of it on a few lines of plain text."""
        final = f"{abs(self.lead_final_s):.3f} s {'ahead' if self.lead_final_s > 0 else 'behind'}"
        jitter = f"p50 {self.jitter_p50_ms:.1f}, p95 {self.jitter_p95_ms:.1f}, max {self.jitter_max_ms:.1f} ms"
        drift = "too few chunks to tell"
        if self.drift_ppm is not None:
            drift = f"{self.drift_ppm:+.0f} ppm, give or take {self.drift_error_ppm:.0f}"
        most = sorted(self.chunk_sizes, key=lambda pair: -pair[1])
        sizes = ", ".join(f"{count} of {size} bytes" for size, count in most[:4])
        others = f", {len(most) - 4} other sizes" if len(most) > 4 else ""
        rows = {
            "verdict": self.verdict,
            "audio": f"{self.audio_s:.3f} s in {self.wall_s:.3f} s",
            "chunks": f"{self.chunks}, due at their {self.due}",
            "chunk sizes": f"{sizes}{others}" if sizes else "none",
            "lead": f"{self.lead_max_s:.3f} s at most",
            "lag": f"{self.lag_max_s:.3f} s at most",
            "last chunk": final,
            "drift": drift,
            "jitter": jitter,
            "longest gap": f"{self.longest_gap_s:.3f} s",
            "burst": f"{self.burst_s:.3f} s, {self.burst_bytes} bytes",
            "throttled": f"{self.throttled_s:.3f} s",
        }
        return "\n".join(f"{name:<12} {value}" for name, value in rows.items())


class PacingJudge:
    """The judge of one speaker. See the module's docstring."""

    def __init__(self) -> None:
        self._by_start = Lateness()
        self._by_end = Lateness()
        self._sizes: Counter[int] = Counter()
        self._chunks = 0
        self._samples = 0
        self._first_wall = 0.0
        self._first_samples = 0
        self._elapsed = 0.0
        self._longest_gap_s = 0.0
        self._ahead_s = 0.0
        self._burst_s = 0.0
        self._waited_s = 0.0
        self._throttled_s = 0.0

    def chunk(self, samples: int, size: int, wall: float) -> None:
        """A chunk of `samples` in `size` bytes arrived at `wall`, in seconds of real time."""
        if not self._chunks:
            self._first_wall, self._first_samples, self._waited_s = wall, samples, 0.0
        elapsed = wall - self._first_wall
        interval = elapsed - self._elapsed
        self._by_start.add(self._samples / SAMPLE_RATE, elapsed, self._waited_s)
        self._samples += samples
        self._by_end.add((self._samples - self._first_samples) / SAMPLE_RATE, elapsed, self._waited_s)
        if interval - self._waited_s > self._longest_gap_s:
            self._longest_gap_s = interval - self._waited_s
        ahead_s = self._ahead_s - interval
        self._ahead_s = (ahead_s if ahead_s > 0 else 0.0) + samples / SAMPLE_RATE
        if self._ahead_s > self._burst_s:
            self._burst_s = self._ahead_s
        self._sizes[size] += 1
        self._chunks += 1
        self._elapsed = elapsed
        self._waited_s = 0.0

    def throttled(self, seconds: float) -> None:
        """The server read nothing for so many seconds since the last chunk."""
        self._throttled_s += seconds
        self._waited_s += seconds

    def pacing(self) -> Pacing:
        """The judgement on everything so far."""
        due, lateness = min(
            ((Due.START, self._by_start), (Due.END, self._by_end)), key=lambda pair: pair[1].roughness
        )
        audio_s = self._samples / SAMPLE_RATE
        total_bytes = sum(size * count for size, count in self._sizes.items())
        faster = lateness.lead_max_s > LEAD_S
        drift, error = lateness.drift()
        return Pacing(
            chunks=self._chunks,
            audio_s=audio_s,
            wall_s=self._elapsed,
            due=due,
            lead_max_s=lateness.lead_max_s,
            lag_max_s=lateness.lag_max_s,
            lead_final_s=0.0 - lateness.last_s,
            jitter_p50_ms=lateness.jitter_ms(0.5),
            jitter_p95_ms=lateness.jitter_ms(0.95),
            jitter_max_ms=lateness.jitter_max_ms,
            longest_gap_s=self._longest_gap_s,
            drift_ppm=drift,
            drift_error_ppm=error,
            burst_s=self._burst_s,
            burst_bytes=round(self._burst_s / audio_s * total_bytes) if audio_s else total_bytes,
            chunk_sizes=tuple(sorted(self._sizes.items())),
            throttled_s=self._throttled_s,
            faster_than_real_time=faster,
            drifting=not faster and self._chunks >= DRIFT_CHUNKS and _drifts(lateness),
        )


def _drifts(lateness: Lateness) -> bool:
    drift, error = lateness.drift()
    if drift is None or error is None:
        return False
    return (
        abs(drift) > DRIFT_PPM
        and abs(drift) > DRIFT_ERRORS * error
        and abs(drift) / 1e6 * lateness.span_s > DRIFT_S
        and lateness.steady_drift_ppm / drift > 0.5
    )


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
            step = late - self.last_s
            jitter_ms = 1000 * abs(step - waited)
            self._jitter.add(round(1000 * jitter_ms))
            if jitter_ms > self.jitter_max_ms:
                self.jitter_max_ms = jitter_ms
            self.roughness += step * step
            if step <= PAUSE_S:
                self._steady += step
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
