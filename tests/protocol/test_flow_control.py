"""The gate of a socket: when it is read, and how long it may be silent.

Times are multiples of 1/1024 s and rates powers of two, so that every sum is exact and equality is asked for.
"""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import settings, strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test as run,
)

from uhlive_mock.model.limits import Idle, Limits, Throttle, ThrottleAction
from uhlive_mock.protocol.flow_control import FlowControl, Until

NOW = 1_700_000_000.0
DELAY, CLOSE, REPORT, OFF = ThrottleAction


def gate(
    *, rate: int = 1024, burst: int = 1024, action: ThrottleAction = DELAY, idle_ms: int | None = None
) -> FlowControl:
    return FlowControl(limits(rate=rate, burst=burst, action=action, idle_ms=idle_ms), NOW)


def limits(
    *, rate: int = 1024, burst: int = 1024, action: ThrottleAction = DELAY, idle_ms: int | None = None
) -> Limits:
    return Limits(throttle=Throttle(rate=rate, burst=burst, action=action), idle=Idle(after_ms=idle_ms))


# --- the throttle ---------------------------------------------------------------------------------------


def test_the_burst_passes_and_the_byte_behind_it_shuts_the_gate():
    each = gate()
    assert each.message(1024, NOW) is None
    assert each.open
    assert each.message(512, NOW) is DELAY
    assert not each.open
    assert each.next_deadline() == NOW + 0.5


def test_the_gate_opens_at_its_deadline_and_not_before():
    each = gate()
    each.message(2048, NOW)
    each.tick(NOW + 1 - 1 / 1024)
    assert not each.open
    each.tick(NOW + 1)
    assert each.open
    assert each.next_deadline() is None


def test_a_gate_that_only_reports_says_so_once_until_the_pace_is_kept_again():
    each = gate(action=REPORT)
    said = [each.message(1024, NOW + second) for second in (0, 0, 0, 0.5, 4, 4, 4)]
    assert said == [None, REPORT, None, None, None, REPORT, None]
    assert each.open


def test_a_gate_that_closes_says_so_every_time():
    each = gate(action=CLOSE)
    assert [each.message(1024, NOW) for _ in range(3)] == [None, CLOSE, CLOSE]


def test_a_gate_without_throttle_is_always_open():
    each = gate(action=OFF)
    assert {each.message(10**9, NOW) for _ in range(9)} == {None}
    assert each.open
    assert each.next_deadline() is None


def test_a_message_that_took_its_time_fills_the_bucket_on_the_way():
    each = gate()
    each.audio_lead = 9.0
    assert each.message(10_240, NOW) is None
    assert each.message(1, NOW) is DELAY


# --- pauses ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("first", "second"), [(2, 1), (1, 2)])
def test_the_longer_of_two_pauses_counts(first, second):
    each = gate()
    each.pause(Until(NOW + first))
    each.pause(Until(NOW + second))
    assert each.next_deadline() == NOW + 2
    each.tick(NOW + 1)
    assert not each.open
    each.tick(NOW + 2)
    assert each.open


@pytest.mark.parametrize(("debt_s", "pause_s"), [(1, 3), (3, 1)])
def test_a_debt_and_a_pause_must_both_be_over(debt_s, pause_s):
    each = gate()
    each.message(1024 + 1024 * debt_s, NOW)
    each.pause(Until(NOW + pause_s))
    assert each.next_deadline() == NOW + 3
    each.tick(NOW + 1)
    assert not each.open
    each.tick(NOW + 3)
    assert each.open


def test_a_pause_for_good_has_no_deadline():
    each = gate()
    each.pause(None)
    each.pause(Until(NOW + 1))
    assert each.next_deadline() is None
    each.tick(NOW + 1e9)
    assert not each.open


# --- idling ---------------------------------------------------------------------------------------------


def test_a_socket_is_idle_once_at_its_deadline():
    each = gate(idle_ms=60_000)
    assert each.next_deadline() == NOW + 60
    assert [each.tick(NOW + second) for second in (59, 60, 61, 200)] == [False, True, False, False]


def test_any_byte_keeps_a_socket_alive():
    each = gate(idle_ms=60_000)
    each.bytes_arrived(NOW + 59)
    assert each.next_deadline() == NOW + 119


def test_a_socket_that_is_not_read_is_not_idle_and_counts_from_zero_after():
    each = gate(idle_ms=1000)
    each.pause(Until(NOW + 10))
    assert each.next_deadline() == NOW + 10
    assert not each.tick(NOW + 10)
    assert each.next_deadline() == NOW + 11
    assert each.tick(NOW + 11)


# --- other limits ---------------------------------------------------------------------------------------


def test_other_limits_fill_the_bucket_and_restart_the_watch_only_where_they_differ():
    each = gate(idle_ms=10_000)
    each.message(1024, NOW)
    each.adopt(limits(idle_ms=20_000), NOW + 0.25)
    assert each.next_deadline() == NOW + 20.25
    assert each.message(512, NOW + 0.25) is DELAY
    each.tick(NOW + 1)
    each.adopt(limits(burst=4096, idle_ms=20_000), NOW + 1)
    assert each.message(4096, NOW + 1) is None


def test_whoever_goes_too_fast_by_other_limits_hears_of_it_again():
    each = gate(action=REPORT)
    each.message(2048, NOW)
    each.adopt(limits(burst=512, action=REPORT), NOW)
    assert each.message(1024, NOW) is REPORT


# --- anything at all ------------------------------------------------------------------------------------

TICKS = st.integers(0, 6000).map(lambda ticks: ticks / 1024)
LIMITS = st.builds(
    limits,
    rate=st.sampled_from([1024, 4096, 16_384]),
    burst=st.integers(1, 20_000),
    action=st.sampled_from(ThrottleAction),
    idle_ms=st.sampled_from([None, 125, 1000, 3000]),
)


class Kept(RuleBasedStateMachine):
    """The model is a ledger: bytes to spare, when pauses end, since when nothing came."""

    @initialize(limits=LIMITS)
    def build(self, limits: Limits) -> None:
        self.now = NOW
        self.limits = limits
        self.level = Fraction(limits.throttle.burst)
        self.shut = self.waits_for_debt = self.over = False
        self.paused_until = Fraction(0)
        self.silent_since: Fraction | None = Fraction(NOW)
        self.taken: list[tuple[Fraction, int]] = []
        self.gate = FlowControl(limits, NOW)

    def expected_deadline(self) -> Fraction | None:
        if self.shut:
            debt = max(Fraction(0), -self.level) / self.limits.throttle.rate if self.waits_for_debt else 0
            return max(self.paused_until, Fraction(self.now) + debt if debt else Fraction(0))
        idle_ms = self.limits.idle.after_ms
        if idle_ms is None or self.silent_since is None:
            return None
        return self.silent_since + Fraction(idle_ms, 1000)

    def pass_time(self, until: float) -> None:
        rate, burst = self.limits.throttle.rate, self.limits.throttle.burst
        self.level = min(Fraction(burst), self.level + rate * (Fraction(until) - Fraction(self.now)))
        self.now = until

    def tick(self) -> None:
        idle = False
        if self.shut:
            if self.now >= self.paused_until and not (self.waits_for_debt and self.level < 0):
                self.shut = self.waits_for_debt = False
                self.silent_since = None if self.silent_since is None else Fraction(self.now)
        else:
            deadline = self.expected_deadline()
            idle = deadline is not None and self.now >= deadline
            if idle:
                self.silent_since = None
        assert self.gate.tick(self.now) == idle

    @rule(seconds=TICKS, on_time=st.booleans())
    def wait(self, seconds: float, on_time: bool) -> None:
        target = self.now + seconds
        while on_time and (deadline := self.gate.next_deadline()) is not None and deadline <= target:
            self.pass_time(max(self.now, deadline))
            self.tick()
        self.pass_time(target)
        self.tick()

    @precondition(lambda self: not self.shut)
    @rule(size=st.integers(0, 30_000))
    def take_a_message(self, size: int) -> None:
        action = self.limits.throttle.action
        demand = None
        if action is not OFF:
            self.level -= size
            if self.level >= 0:
                self.over = False
            else:
                demand = action if action is CLOSE or not self.over else None
                self.over = True
                if action is DELAY:
                    self.shut = self.waits_for_debt = True
        if not self.shut or action is DELAY:
            self.silent_since = Fraction(self.now)
        assert self.gate.message(size, self.now) is demand
        if action is DELAY:
            self.taken.append((Fraction(self.now), size))

    @rule()
    def hear_a_byte(self) -> None:
        self.gate.bytes_arrived(self.now)
        self.silent_since = Fraction(self.now)

    @rule(seconds=TICKS)
    def pause(self, seconds: float) -> None:
        self.gate.pause(Until(self.now + seconds))
        self.paused_until = max(self.paused_until, Fraction(self.now + seconds))
        self.shut = True

    @precondition(lambda self: not self.shut)
    @rule(limits=LIMITS)
    def adopt(self, limits: Limits) -> None:
        self.gate.adopt(limits, self.now)
        if limits.throttle != self.limits.throttle:
            self.level, self.over = Fraction(limits.throttle.burst), False
            self.taken.clear()
        if limits.idle != self.limits.idle:
            self.silent_since = Fraction(self.now)
        self.limits = limits

    @invariant()
    def agrees_with_the_ledger(self) -> None:
        assert self.gate.open is not self.shut
        expected, found = self.expected_deadline(), self.gate.next_deadline()
        if expected is None or expected > self.now:
            assert (None if found is None else Fraction(found)) == expected
        else:
            assert found is not None
            assert found <= self.now

    @invariant()
    def no_window_takes_more_than_the_throttle_lets_through(self) -> None:
        throttle = self.limits.throttle
        for first, (since, _) in enumerate(self.taken):
            window = [size for _, size in self.taken[first:]]
            span = self.taken[-1][0] - since
            assert sum(window) <= throttle.burst + throttle.rate * span + max(window)


def test_the_gate_keeps_the_books_of_a_ledger():
    run(Kept, settings=settings(stateful_step_count=30))
