"""The throttle and the watchdog in any order of calls, against models that keep all there is to know.

Times are multiples of 1/1024 s and rates powers of two, so that every sum is exact and equality is asked for.
"""

from __future__ import annotations

from fractions import Fraction

from hypothesis import settings, strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test as run,
)

from uhlive_mock.protocol.flow_control import TokenBucket, Watchdog

PROPERTY = settings(stateful_step_count=25)
UNIX = 1_700_000_000
TICKS = st.integers(0, 4000).map(lambda ticks: ticks / 1024)


class Throttled(RuleBasedStateMachine):
    """The model keeps the level itself, as a fraction, and moves it with the time."""

    @initialize(rate=st.sampled_from([1024, 4096, 16384]), burst=st.integers(1, 64_000))
    def fill(self, rate: int, burst: int) -> None:
        self.now = float(UNIX)
        self.rate, self.burst = rate, burst
        self.level, self.in_debt_s = Fraction(burst), Fraction(0)
        self.bucket = TokenBucket(rate, burst, self.now)

    def pass_time(self, until: float) -> None:
        passed = Fraction(until) - Fraction(self.now)
        self.in_debt_s += min(passed, max(Fraction(0), -self.level / self.rate))
        self.level = min(Fraction(self.burst), self.level + self.rate * passed)
        self.now = until

    @rule(seconds=TICKS)
    def wait(self, seconds: float) -> None:
        self.pass_time(self.now + seconds)

    @rule(size=st.integers(1, 64_000))
    def take_a_chunk(self, size: int) -> None:
        self.bucket.spend(size, self.now)
        self.level -= size

    @precondition(lambda self: self.bucket.clear_at() is not None)
    @rule()
    def wait_until_clear(self) -> None:
        clear_at = self.bucket.clear_at()
        assert clear_at is not None
        self.pass_time(clear_at)
        assert self.level >= 0
        assert not self.bucket.in_debt(self.now)

    @invariant()
    def agrees_with_the_model(self) -> None:
        assert self.bucket.in_debt(self.now) == (self.level < 0)
        clear_at = self.bucket.clear_at()
        paid = None if self.level >= 0 else Fraction(self.now) - self.level / self.rate
        assert (None if clear_at is None else Fraction(clear_at)) == paid
        assert Fraction(self.bucket.throttled_s(self.now)) == self.in_debt_s


class Watched(RuleBasedStateMachine):
    """The model counts silence tick by tick, and barks when it has counted enough."""

    @initialize(ticks=st.integers(1, 20))
    def hold(self, ticks: int) -> None:
        self.limit = ticks
        self.ticks = UNIX * 1024
        self.silence: int | None = None
        self.reading = True
        self.alive = True
        self.barked = 0
        self.heard = 0
        self.dog = Watchdog(ticks / 1024)

    @property
    def now(self) -> float:
        return self.ticks / 1024

    @rule(ticks=st.integers(1, 30), poll_every=st.integers(1, 30))
    def wait(self, ticks: int, poll_every: int) -> None:
        for tick in range(1, ticks + 1):
            self.ticks += 1
            if self.alive and self.reading and self.silence is not None:
                self.silence += 1
                if self.silence == self.limit:
                    self.silence, self.barked = None, self.barked + 1
            if tick % poll_every == 0 or tick == ticks:
                self.heard += self.dog.fired(self.now)
                assert self.heard == self.barked

    @rule()
    def feed(self) -> None:
        self.dog.feed(self.now)
        self.silence = 0

    @rule()
    def suspend(self) -> None:
        self.dog.suspend()
        self.reading = False

    @rule()
    def resume(self) -> None:
        self.dog.resume(self.now)
        if not self.reading and self.silence is not None:
            self.silence = 0
        self.reading = True

    @precondition(lambda self: self.ticks % 7 == 0)
    @rule()
    def stop(self) -> None:
        self.dog.stop()
        self.alive = False

    @invariant()
    def agrees_with_the_model(self) -> None:
        assert not self.dog.fired(self.now)
        counts = self.alive and self.reading and self.silence is not None
        left = None if not counts else self.limit - (self.silence or 0)
        deadline = self.dog.deadline()
        assert (None if deadline is None else round((deadline - self.now) * 1024)) == left


def test_the_throttle_keeps_the_books_of_a_model():
    run(Throttled, settings=PROPERTY)


def test_the_watchdog_barks_when_a_model_does():
    run(Watched, settings=PROPERTY)
