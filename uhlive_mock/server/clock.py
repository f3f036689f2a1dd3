"""One formula for every clock of a space.

    now = base + rate * (real - real_base)

    real      rate 1 (or any other); time passes by itself
    audio     rate 0; each speaker's audio moves that speaker's time, and `advance()` moves everyone's
    manual    rate 0; only `advance()` moves it

`now` starts at Unix time, so that timestamps read as such on every clock.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import StrEnum

from ..errors import ConfigurationError


class Drive(StrEnum):
    """What moves a clock."""

    REAL = "real"
    AUDIO = "audio"
    MANUAL = "manual"


class Clock:
    """The time of one space.

    Args:
        drive: what moves it.
        rate: seconds of space time for each second of real time; only for `real`.
        real: monotonic seconds.
        start: what `now()` says first, Unix seconds.

    Raises:
        ConfigurationError: the rate is not positive, or given with a clock that real time does not move.
    """

    def __init__(
        self,
        drive: Drive = Drive.REAL,
        *,
        rate: float = 1.0,
        real: Callable[[], float] = time.monotonic,
        start: float | None = None,
    ) -> None:
        if not 0 < rate < float("inf"):
            raise ConfigurationError(f"the clock's rate is {rate}; expected more than 0")
        if rate != 1 and drive is not Drive.REAL:
            raise ConfigurationError(f"rate is for the real clock; the clock is {drive}")
        self.drive = drive
        self.rate = rate if drive is Drive.REAL else 0.0
        self._real = real
        self._base = time.time() if start is None else start
        self._real_base = real()

    def anew(self) -> Clock:
        """A clock of the same drive and rate that begins now."""
        return Clock(self.drive, rate=self.rate or 1.0, real=self._real)

    def now(self) -> float:
        """Seconds on this clock."""
        return self._base + self.rate * (self._real() - self._real_base)

    def advance(self, seconds: float) -> None:
        """Jump forward. Whoever owns deadlines runs those that have become due.

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
