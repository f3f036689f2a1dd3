"""One formula for every clock of a space.

    now = base + rate * (real - real_base)

    real      rate 1 (or any other); time passes by itself
    audio     rate 0; each speaker's audio moves that speaker's time, and `advance()` moves everyone's
    manual    rate 0; only `advance()` moves it

`now` starts at Unix time, so that timestamps read as such on every clock.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

from ..errors import ConfigurationError
from ..model.settings import Drive


class Clock:
    """The time of one space.

    Args:
        drive: what moves it.
        rate: seconds of space time for each second of real time, more than 0; 1 unless real time moves it.
        real: seconds of real time, from any start: what moves it, and what pacing is judged on.
        wall: Unix seconds; what `now()` says first.
    """

    def __init__(
        self,
        drive: Drive = Drive.REAL,
        *,
        rate: float = 1.0,
        real: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:
        self.drive = drive
        self.rate = rate if drive is Drive.REAL else 0.0
        self.real = real
        self.wall = wall
        self._base = wall()
        self._real_base = real()

    def fresh(self) -> Self:
        """A clock of the same drive and rate that begins now."""
        return type(self)(self.drive, rate=self.rate or 1.0, real=self.real, wall=self.wall)

    def now(self) -> float:
        """Seconds on this clock."""
        return self._base + self.rate * (self.real() - self._real_base)

    def advance(self, seconds: float) -> None:
        """Jump forward. The caller runs what has become due.

        Raises:
            ConfigurationError: `seconds` is negative or not finite.
        """
        if not 0 <= seconds < float("inf"):
            raise ConfigurationError(f"a clock cannot advance by {seconds} s; expected 0 or more")
        self._base += seconds

    def real_delay(self, deadline: float) -> float | None:
        """Real seconds until `deadline`, 0 when it has passed, None when real time alone never gets there."""
        ahead = deadline - self.now()
        if ahead <= 0:
            return 0.0
        return ahead / self.rate if self.rate else None
