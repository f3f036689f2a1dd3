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

The gate: when a socket is read, and for how long it may stay silent.

The gate shuts while the throttle's bucket is in debt (action `delay`), while a fault or a slow join pauses the
socket, and opens by itself at `next_deadline()`. Whoever carries bytes stops feeding messages while it is shut
and lets TCP push back, so that no message is lost and none overtakes another.

    message(size, now)     a message's bytes are counted; says what its throttle demands
    bytes_arrived(now)     anything at all came in, pings included: the socket is not idle
    pause(until)           shut until then, None for good
    tick(now)              open when the time has come; says whether the socket has been idle too long

While shut, nobody can tell silence from bytes left unread, so the idle watchdog does not count.

The intake of a socket: its gate, on the time of its speakers.

On a clock that audio drives, a socket's time is the space's plus the audio it has sent, and never goes back; so a
call streamed in one go is neither too fast nor silent. Deadlines are handed out, and compared, on the space's
clock, so that a tick at a deadline is due however it was rounded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from ..model.limits import Limits, ThrottleAction

if TYPE_CHECKING:
    from .channel import Channel


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


class Intake:
    """The gate of one socket. `now` is the space's time throughout.

    Args:
        channels: the channels joined at the moment.
        real: seconds of real time.
        follows_audio: whether audio moves time.
    """

    def __init__(
        self,
        limits: Limits,
        now: float,
        channels: Callable[[], Iterable[Channel]],
        real: Callable[[], float],
        *,
        follows_audio: bool = False,
    ) -> None:
        self._gate = Gate(limits, now)
        self._channels = channels
        self._real = real
        self._follows_audio = follows_audio
        self._lead = 0.0
        self._held_at: float | None = None

    @property
    def limits(self) -> Limits:
        """The limits in force."""
        return self._gate.limits

    @property
    def open(self) -> bool:
        """Whether the next message may be fed."""
        return self._gate.open

    def adopt(self, limits: Limits, now: float) -> None:
        """Go by other limits from now on."""
        self._gate.adopt(limits, self._own(now))

    def bytes_arrived(self, now: float) -> None:
        """Anything came in."""
        self._gate.bytes_arrived(self._own(now))

    def message(self, size: int, now: float) -> ThrottleAction | None:
        """`size` bytes were taken; what the throttle demands, see `Gate.message`."""
        # A chunk takes its own duration where audio moves time: it neither comes at once nor leaves a silence.
        since, own = now + self._lead, self._own(now)
        self._gate.bytes_arrived(own)
        demand = self._gate.message(size, own, since=since)
        if self._follows_audio and not self._gate.open:
            self._wait_out(now)
        self._hold()
        return demand

    def pause(self, now: float, until: float | None) -> None:
        """Take nothing until `until`, for good when None."""
        self._gate.pause(self._own(now), None if until is None else self._own(until))
        self._hold()

    def next_deadline(self) -> float | None:
        """When to call `tick`."""
        due_at = self._gate.next_deadline()
        return None if due_at is None else due_at - self._lead

    def tick(self, now: float) -> tuple[bool, bool]:
        """See to what is due: whether the gate opened just now, and whether the socket has idled too long."""
        due_at, deadline = self._gate.next_deadline(), self.next_deadline()
        if due_at is None or deadline is None or now < deadline:
            return False, False
        was_open = self._gate.open
        idle = self._gate.tick(max(due_at, self._own(now)))
        opened = self._gate.open and not was_open
        if opened:
            held_s = 0.0 if self._held_at is None else self._real() - self._held_at
            self._held_at = None
            for channel in self._channels():
                channel.resume(now, held_s)
        return opened, idle

    def _own(self, now: float) -> float:
        self._lead = max(self._lead, *(channel.lead for channel in self._channels()), 0.0)
        return now + self._lead

    def _wait_out(self, now: float) -> None:
        """Where audio moves time nobody else would: the throttle's wait itself moves it."""
        opens_at = self._gate.next_deadline()
        if opens_at is not None:
            self._lead = max(self._lead, opens_at - now)
            self._gate.tick(opens_at)

    def _hold(self) -> None:
        if not self._gate.open and self._held_at is None:
            self._held_at = self._real()
            for channel in self._channels():
                channel.hold()
