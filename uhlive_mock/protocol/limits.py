"""The two measures behind the service's limits: how fast audio comes, and how long none comes.

**TokenBucket.** It holds at most `burst` bytes and fills with `rate` bytes a second.

    spend(size, now)    a chunk was taken, whole; what the bucket lacked becomes a debt, which time pays
    in_debt(now)        whether to leave the next chunk unread
    clear_at()          when the debt is paid and reading goes on; None without one

Whoever reads only while it is not in debt takes at most `burst + rate * window` bytes and one chunk in any
window of time, and exactly `rate` in the long run. Whoever reads on regardless gets deeper into debt, which
is how a throttle that only reports measures.

The bucket keeps no level, since a level would have to be rounded at every chunk. It keeps the moment when it
was last full and the whole bytes taken since:

    level(now) = burst + rate * (now - full_at) - taken

Both are exact, so every deadline is one sum away from the truth, after hours as after seconds. `in_debt`
compares with that very deadline, so whoever waits until `clear_at()` finds the debt paid.

**Watchdog.** It fires once, `after_s` seconds after it was last fed.

    waiting ──feed──► counting ──fired──► waiting
                      │      ▲
                suspend      resume: counts from zero, for what came meanwhile lies unread
                      ▼      │
                      suspended

One stopped watchdog stays stopped. One that was never fed, or has fired, waits for the next `feed`.
"""

from __future__ import annotations


class TokenBucket:
    """A throttle of `rate_bytes_s` bytes a second with `burst_bytes` to spare, full at `now`."""

    __slots__ = ("_burst", "_clear_at", "_debt_since", "_full_at", "_rate", "_settled_s", "_taken")

    def __init__(self, rate_bytes_s: int, burst_bytes: int, now: float) -> None:
        self._rate = rate_bytes_s
        self._burst = burst_bytes
        self._full_at = now
        self._taken = 0
        self._clear_at: float | None = None
        self._debt_since = now
        self._settled_s = 0.0

    def spend(self, size: int, now: float, *, since: float | None = None) -> None:
        """A chunk of `size` bytes was taken at `now`. Ask `in_debt` before the next one.

        Args:
            since: when its first byte came, if earlier: a bucket that was full goes on filling from then on.
        """
        self._settle(now)
        began = now if since is None else since
        # Not `>=`: only a later float is certain to lie past a rounded sum, so no byte is ever given away.
        if began > self._full_at + self._taken / self._rate:
            self._full_at, self._taken = began, 0
        self._taken += size
        clear_at = self._full_at + (self._taken - self._burst) / self._rate
        if clear_at > now:
            if self._clear_at is None:
                self._debt_since = now
            self._clear_at = clear_at

    def in_debt(self, now: float) -> bool:
        """Whether more was taken than the bucket gave. Once it was not, `clear_at()` is None."""
        self._settle(now)
        return self._clear_at is not None

    def clear_at(self) -> float | None:
        """When the debt is paid; None without a debt. The answer stands until `in_debt` or `spend`."""
        return self._clear_at

    def throttled_s(self, now: float) -> float:
        """Seconds spent in debt until `now`."""
        self._settle(now)
        return self._settled_s if self._clear_at is None else self._settled_s + (now - self._debt_since)

    def _settle(self, now: float) -> None:
        if self._clear_at is not None and now >= self._clear_at:
            self._settled_s += self._clear_at - self._debt_since
            self._clear_at = None


class Watchdog:
    """Fires once after `after_s` seconds without `feed`; never when that is None.

    Ask `fired` before `feed`: feeding it after its deadline forgets the silence that was too long.
    """

    __slots__ = ("_after_s", "_suspended", "_zero")

    def __init__(self, after_s: float | None) -> None:
        self._after_s = after_s
        self._suspended = False
        self._zero: float | None = None

    def feed(self, now: float) -> None:
        """Count from `now` on."""
        self._zero = now

    def suspend(self) -> None:
        """Nothing is being read: time does not count."""
        self._suspended = True

    def resume(self, now: float) -> None:
        """Reading goes on: count from `now` on, if it counted before."""
        if self._suspended:
            self._suspended = False
            if self._zero is not None:
                self._zero = now

    def stop(self) -> None:
        """Never fire again."""
        self._after_s = None

    def deadline(self) -> float | None:
        """When it will fire; None while nothing counts."""
        if self._zero is None or self._after_s is None or self._suspended:
            return None
        return self._zero + self._after_s

    def fired(self, now: float) -> bool:
        """Whether the deadline has passed; true once."""
        deadline = self.deadline()
        if deadline is None or now < deadline:
            return False
        self._zero = None
        return True
