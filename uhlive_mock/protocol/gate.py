"""The gate: when a socket is read, and for how long it may stay silent.

The gate shuts while the throttle's bucket is in debt (action `delay`), while a fault or a slow join pauses the
socket, and opens by itself at `next_deadline()`. Whoever carries bytes stops feeding messages while it is shut
and lets TCP push back, so that no message is lost and none overtakes another.

    message(size, now)     a message's bytes are counted; says what its throttle demands
    bytes_arrived(now)     anything at all came in, pings included: the socket is not idle
    pause(until)           shut until then, None for good
    tick(now)              open when the time has come; says whether the socket has been idle too long

While shut, nobody can tell silence from bytes left unread, so the idle watchdog does not count.
"""

from __future__ import annotations

from ..model.limits import Limits, ThrottleAction
from .limits import TokenBucket, Watchdog

_FOREVER = float("inf")


class Gate:
    """The gate of one socket."""

    def __init__(self, limits: Limits, now: float) -> None:
        self.limits = limits
        self._bucket = TokenBucket(limits.throttle.rate, limits.throttle.burst, now)
        self._idle = _idle(limits)
        self._idle.feed(now)
        self._paused_until = 0.0
        self._shut_since: float | None = None
        self._delayed = False
        self._over = False

    @property
    def open(self) -> bool:
        """Whether the next message may be fed."""
        return self._shut_since is None

    def adopt(self, limits: Limits, now: float) -> None:
        """Go by other limits from now on; a throttle that differs starts with a full bucket."""
        if limits.throttle != self.limits.throttle:
            self._over = False
            self._bucket = TokenBucket(limits.throttle.rate, limits.throttle.burst, now)
        if limits.idle != self.limits.idle:
            self._idle = _idle(limits)
            self._idle.feed(now)
            if not self.open:
                self._idle.suspend()
        self.limits = limits

    def bytes_arrived(self, now: float) -> None:
        """Bytes came in."""
        self._idle.feed(now)

    def message(self, size: int, now: float, *, since: float | None = None) -> ThrottleAction | None:
        """`size` bytes were taken, the first at `since`. What the throttle demands when they were too many:

        `DELAY` shut the gate already; `REPORT` comes once until the pace is kept again; None is fine.
        """
        action = self.limits.throttle.action
        if action is ThrottleAction.OFF:
            return None
        self._bucket.spend(size, now, since=since)
        if not self._bucket.in_debt(now):
            self._over = False
            return None
        if action is ThrottleAction.DELAY:
            self._delayed = True
            self._shut(now)
        if self._over and action is not ThrottleAction.CLOSE:
            return None
        self._over = True
        return action

    def pause(self, now: float, until: float | None) -> None:
        """Shut until `until`, for good when None."""
        self._paused_until = _FOREVER if until is None else max(self._paused_until, until)
        self._shut(now)

    def next_deadline(self) -> float | None:
        """When to call `tick`."""
        if self._shut_since is None:
            return self._idle.deadline()
        opens = max(self._paused_until, self._bucket.clear_at() or 0.0 if self._delayed else 0.0)
        return None if opens == _FOREVER else opens

    def tick(self, now: float) -> bool:
        """Open if the time has come. True, once, when the socket has been idle too long."""
        if self._shut_since is not None:
            in_debt = self._delayed and self._bucket.in_debt(now)
            if not in_debt and now >= self._paused_until:
                self._shut_since, self._delayed = None, False
                self._idle.resume(now)
        return self._idle.fired(now)

    def _shut(self, now: float) -> None:
        if self._shut_since is None:
            self._shut_since = now
            self._idle.suspend()


def _idle(limits: Limits) -> Watchdog:
    return Watchdog(None if limits.idle.after_ms is None else limits.idle.after_ms / 1000)
