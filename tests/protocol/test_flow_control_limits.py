"""The throttle and the watchdog, with a plain float for time."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given, strategies as st

from uhlive_mock.protocol.flow_control import TokenBucket, Watchdog

UNIX = 1_700_000_000.0

starts = st.sampled_from([0.0, 1.0, UNIX])
rates = st.integers(1_000, 100_000)
bursts = st.integers(1, 100_000)
sizes = st.integers(1, 64_000)
waits = st.just(0.0) | st.floats(0, 10)


def take_when_allowed(
    bucket: TokenBucket, schedule: list[tuple[int, float]], now: float
) -> list[tuple[float, int]]:
    """When each chunk was taken: its pause after the one before, or as soon as the debt is paid."""
    taken = []
    for size, wait in schedule:
        now += wait
        if bucket.in_debt(now):
            clear_at = bucket.clear_at()
            assert clear_at is not None
            assert bucket.in_debt(math.nextafter(clear_at, 0))
            now = clear_at
            assert not bucket.in_debt(now)
        bucket.spend(size, now)
        taken.append((now, size))
    return taken


@given(start=starts, rate=rates, burst=bursts, schedule=st.lists(st.tuples(sizes, waits), min_size=2, max_size=40))
def test_no_window_takes_more_than_burst_and_rate_and_one_chunk(start, rate, burst, schedule):
    taken = take_when_allowed(TokenBucket(rate, burst, start), schedule, start)
    for first, (opened, _) in enumerate(taken):
        total = 0
        for closed, size in taken[first:]:
            total += size
            window = Fraction(closed) - Fraction(opened)
            rounding = rate * Fraction(math.ulp(closed))
            assert total <= burst + rate * window + size + rounding


@given(start=starts, rate=rates, burst=bursts, size=sizes)
def test_a_sender_that_never_waits_gets_exactly_the_rate_after_days(start, rate, burst, size):
    bucket, now, total = TokenBucket(rate, burst, start), start, 0
    for _ in range(300):
        bucket.spend(size * 1000, now)
        total += size * 1000
        clear_at = bucket.clear_at()
        now = now if clear_at is None else clear_at
    owed = Fraction(total - burst) / rate
    assert abs(Fraction(now) - Fraction(start) - max(owed, Fraction(0))) <= 2 * Fraction(math.ulp(now))


def test_a_chunk_larger_than_the_burst_is_taken_whole_and_leaves_a_debt():
    bucket = TokenBucket(20_000, 64_000, 0.0)
    bucket.spend(104_000, 0.0)
    assert bucket.clear_at() == 2.0
    assert bucket.in_debt(1.999)
    assert not bucket.in_debt(2.0)
    assert bucket.clear_at() is None


def test_an_empty_bucket_is_not_in_debt():
    bucket = TokenBucket(20_000, 64_000, 0.0)
    bucket.spend(64_000, 0.0)
    assert bucket.clear_at() is None
    assert not bucket.in_debt(0.0)
    bucket.spend(1, 0.0)
    assert bucket.in_debt(0.0)


def test_a_pause_refills_no_more_than_the_burst():
    bucket = TokenBucket(20_000, 64_000, 0.0)
    bucket.spend(64_000, 0.0)
    bucket.spend(64_001, 3600.0)
    assert bucket.in_debt(3600.0)


def test_who_reads_on_in_debt_gets_deeper_into_it():
    bucket = TokenBucket(10, 10, 0.0)
    for _ in range(3):
        bucket.spend(20, 0.0)
    assert bucket.clear_at() == 5.0


def test_throttled_seconds_are_those_in_debt():
    bucket = TokenBucket(10, 10, 100.0)
    bucket.spend(20, 100.0)
    assert bucket.throttled_s(100.25) == 0.25
    bucket.spend(5, 100.5)
    assert bucket.throttled_s(101.25) == 1.25
    assert bucket.throttled_s(200.0) == 1.5
    bucket.spend(40, 200.0)
    assert bucket.throttled_s(300.0) == 4.5


@pytest.mark.parametrize("pause", [0.5, 0.5001, 0.501])
def test_the_official_sdk_sending_a_file_is_never_throttled(pause):
    bucket, now = TokenBucket(20_000, 64_000, UNIX), UNIX
    for _ in range(3600):
        bucket.spend(8000, now)
        assert not bucket.in_debt(now)
        now += pause


def test_the_javascript_sdk_is_throttled_only_when_its_framing_counts():
    audio, framed, now = TokenBucket(20_000, 64_000, UNIX), TokenBucket(20_000, 64_000, UNIX), UNIX
    for _ in range(400):
        audio.spend(4000, now)
        framed.spend(5430, now)
        now += 0.25
    assert audio.throttled_s(now) == 0
    assert framed.throttled_s(now) > 0


# --- watchdog -----------------------------------------------------------------------------------------------


def test_a_watchdog_fires_once_at_its_deadline():
    dog = Watchdog(5.0)
    dog.feed(10.0)
    assert dog.deadline() == 15.0
    assert not dog.fired(math.nextafter(15.0, 0))
    assert dog.fired(15.0)
    assert not dog.fired(15.0)
    assert not dog.fired(1e9)
    assert dog.deadline() is None


def test_food_after_it_fired_arms_it_again():
    dog = Watchdog(5.0)
    dog.feed(0.0)
    assert dog.fired(5.0)
    dog.feed(6.0)
    assert dog.deadline() == 11.0


def test_a_watchdog_waits_for_its_first_food():
    dog = Watchdog(5.0)
    dog.suspend()
    dog.resume(7.0)
    assert dog.deadline() is None
    assert not dog.fired(1e9)


def test_suspended_time_is_no_silence():
    dog = Watchdog(5.0)
    dog.feed(0.0)
    dog.suspend()
    assert dog.deadline() is None
    assert not dog.fired(60.0)
    dog.resume(60.0)
    assert dog.deadline() == 65.0


def test_resuming_a_watchdog_that_was_not_suspended_changes_nothing():
    dog = Watchdog(5.0)
    dog.feed(0.0)
    dog.resume(4.0)
    assert dog.deadline() == 5.0


def test_resuming_does_not_make_it_fire_twice():
    dog = Watchdog(5.0)
    dog.feed(0.0)
    assert dog.fired(5.0)
    dog.suspend()
    dog.resume(6.0)
    assert dog.deadline() is None


def test_a_stopped_watchdog_stays_stopped():
    dog = Watchdog(5.0)
    dog.feed(0.0)
    dog.stop()
    dog.feed(1.0)
    assert dog.deadline() is None
    assert not dog.fired(1e9)


def test_a_watchdog_without_a_limit_never_fires():
    dog = Watchdog(None)
    dog.feed(0.0)
    assert dog.deadline() is None
    assert not dog.fired(1e9)


@given(start=starts, after=st.floats(0.001, 100), steps=st.integers(1, 1000))
def test_it_fires_at_the_same_time_in_one_step_or_a_thousand(start, after, steps):
    dog = Watchdog(after)
    dog.feed(start)
    deadline = dog.deadline()
    assert deadline is not None
    end = start + 2 * after
    moments = sorted([*(start + 2 * after * step / steps for step in range(steps)), deadline, end])
    assert [now for now in moments if dog.fired(now)] == [deadline]
