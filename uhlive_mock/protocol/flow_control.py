"""Flow control of one socket: when it is read, and how long it may stay silent.

**FlowControl** stops reading while the throttle's bucket is in debt (action `delay`) and while a fault or a slow
join pauses the socket, and reads on by itself at `next_deadline()`. The connection feeds no message meanwhile and
lets TCP push back, so that no message is lost and none overtakes another.

    message(size, now)     a message's bytes are counted; says what its throttle demands
    bytes_arrived(now)     anything at all came in, pings included: the socket is not idle
    pause(until)           read nothing until then, None for good
    tick(now)              read on when the time has come; says whether the socket has been idle too long

While nothing is read, silence cannot be told from bytes left unread, so the idle watchdog does not count.

`now` is the space's time throughout. On a clock that audio drives, a socket's own time is the space's plus the
audio it has sent (`audio_lead`) and never goes back; so a call streamed in one go is neither too fast nor silent.
Deadlines are handed out, and compared, on the space's clock, so that a tick at a deadline is due however it was
rounded.

A **duration** that the mock itself makes a client wait for (a pause, an event held back) is over when the socket's
own time says so (`until`): audio that goes on uses it up, and so does `advance()`. On a clock that audio drives, a
client that only waits sends none; then as many seconds of real time end it.

**TokenBucket** holds at most `burst` bytes and fills with `rate` bytes a second.

    spend(size, now)    a chunk was taken, whole; what the bucket lacked becomes a debt, which time pays
    in_debt(now)        whether to leave the next chunk unread
    clear_at()          when the debt is paid and reading goes on; None without one

Reading only while it is not in debt takes at most `burst + rate * window` bytes and one chunk in any window of
time, and exactly `rate` in the long run. Reading on regardless gets deeper into debt, which is how a throttle that
only reports measures.

The bucket keeps no level, since a level would have to be rounded at every chunk. It keeps the moment when it
was last full and the whole bytes taken since:

    level(now) = burst + rate * (now - full_at) - taken

Both are exact, so every deadline is one sum away from the truth, after hours as after seconds. `in_debt`
compares with that very deadline, so that at `clear_at()` the debt is paid.

**Watchdog** fires once, `after_s` seconds after it was last fed.

    waiting ──feed──► counting ──fired──► waiting
                      │      ▲
                suspend      resume: counts from zero, for what came meanwhile lies unread
                      ▼      │
                      suspended

One stopped watchdog stays stopped. One that was never fed, or has fired, waits for the next `feed`.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from ..model.limits import Limits, ThrottleAction

_FOREVER = float("inf")


class Until(msgspec.Struct, frozen=True):
    """When a duration is over: on the socket's own time, or in real time, whichever comes first."""

    own: float
    real: float = _FOREVER


class FlowControl:
    """Flow control of one socket. See the module's docstring.

    Args:
        follows_audio: audio moves time.
        real: seconds of real time.
    """

    def __init__(
        self,
        limits: Limits,
        now: float,
        *,
        follows_audio: bool = False,
        real: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self.limits = limits
        self.open = True
        """Whether the next message may be fed."""
        self.audio_lead = 0.0
        """By how many seconds the audio on this socket has moved its time on."""
        self._follows_audio = follows_audio
        self._real = real
        self.lead = 0.0
        """By how many seconds the socket's own time is ahead of the space's."""
        self._bucket = TokenBucket(limits.throttle.rate, limits.throttle.burst, now)
        self._idle = _idle(limits)
        self._idle.feed(now)
        self._paused_until = 0.0
        self.real_deadline = _FOREVER
        """When real time ends a pause; infinity while none does."""
        self._delayed = False
        self._over = False

    def adopt(self, limits: Limits, now: float) -> None:
        """Go by other limits from now on; a throttle that differs starts with a full bucket."""
        own = self.own(now)
        if limits.throttle != self.limits.throttle:
            self._over = False
            self._bucket = TokenBucket(limits.throttle.rate, limits.throttle.burst, own)
        if limits.idle != self.limits.idle:
            self._idle = _idle(limits)
            self._idle.feed(own)
            if not self.open:
                self._idle.suspend()
        self.limits = limits

    def bytes_arrived(self, now: float) -> None:
        """Bytes came in."""
        if self.audio_lead > self.lead:
            self.lead = self.audio_lead
        self._idle.feed(now + self.lead)

    def message(self, size: int, now: float) -> ThrottleAction | None:
        """`size` bytes were taken. What the throttle demands when they were too many:

        `DELAY` has stopped reading already; `REPORT` comes once until the pace is kept again; None is fine.
        """
        # A chunk takes its own duration where audio moves time: it neither comes at once nor leaves a silence.
        since = now + self.lead
        own = since if self.audio_lead <= self.lead else self.own(now)
        self._idle.feed(own)
        action, demand = self.limits.throttle.action, None
        if action is not ThrottleAction.OFF:
            if not self._bucket.spend(size, own, since=since):
                self._over = False
            else:
                if action is ThrottleAction.DELAY:
                    self._delayed = True
                    self._stop_reading()
                if action is ThrottleAction.CLOSE or not self._over:
                    demand = action
                self._over = True
        if self._follows_audio and not self.open and self.real_deadline == _FOREVER:
            self._wait_out(now)
        return demand

    def until(self, now: float, seconds: float) -> Until:
        """When a duration that begins now is over."""
        real = self._real() + seconds if self._follows_audio else _FOREVER
        return Until(self.own(now) + seconds, real)

    def pause(self, until: Until | None) -> None:
        """Read nothing until then, for good when None."""
        if until is None:
            self._paused_until = _FOREVER
        else:
            if until.real != _FOREVER:
                before = 0.0 if self.real_deadline == _FOREVER else self.real_deadline
                self.real_deadline = max(before, until.real)
            self._paused_until = max(self._paused_until, until.own)
        self._stop_reading()

    def next_deadline(self) -> float | None:
        """When to call `tick`."""
        due_at = self._due_at()
        return None if due_at is None else due_at - self.lead

    def tick(self, now: float) -> bool:
        """Read on if the time has come. True, once, when the socket has been idle too long."""
        if self.real_deadline <= self._real() and self._paused_until != _FOREVER:
            self._paused_until = 0.0
            return self._tick(self.own(now))
        due_at = self._due_at()
        if due_at is None or now < due_at - self.lead:
            return False
        return self._tick(max(due_at, self.own(now)))

    # --- inside, on the socket's own time ---

    def own(self, now: float) -> float:
        """The socket's own time."""
        if self.audio_lead > self.lead:
            self.lead = self.audio_lead
        return now + self.lead

    def _due_at(self) -> float | None:
        if self.open:
            return self._idle.deadline()
        reads_at = max(self._paused_until, self._bucket.clear_at() or 0.0 if self._delayed else 0.0)
        return None if reads_at == _FOREVER else reads_at

    def _tick(self, own: float) -> bool:
        if not self.open:
            in_debt = self._delayed and self._bucket.in_debt(own)
            if not in_debt and own >= self._paused_until:
                self.open, self._delayed, self.real_deadline = True, False, _FOREVER
                self._idle.resume(own)
        return self._idle.fired(own)

    def _wait_out(self, now: float) -> None:
        """Where audio moves time nothing else would: the throttle's wait itself moves it."""
        reads_at = self._due_at()
        if reads_at is not None:
            self.lead = max(self.lead, reads_at - now)
            self._tick(reads_at)

    def _stop_reading(self) -> None:
        if self.open:
            self.open = False
            self._idle.suspend()


def _idle(limits: Limits) -> Watchdog:
    return Watchdog(None if limits.idle.after_ms is None else limits.idle.after_ms / 1000)


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

    def spend(self, size: int, now: float, *, since: float | None = None) -> bool:
        """A chunk of `size` bytes was taken at `now`. Returns whether that is more than the bucket gave.

        Args:
            since: when its first byte came, if earlier: a bucket that was full goes on filling from then on.
        """
        if self._clear_at is not None:
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
            return True
        return self._clear_at is not None

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
