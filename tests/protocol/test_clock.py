"""The formula of every clock, with a plain number for the real time."""

from __future__ import annotations

import math
import time

import pytest
from hypothesis import given, strategies as st

from uhlive_mock.errors import ConfigurationError
from uhlive_mock.model.settings import Drive
from uhlive_mock.protocol.clock import Clock


class Real:
    """Real time, moved by hand."""

    def __init__(self) -> None:
        self.seconds = 5000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def real() -> Real:
    return Real()


def test_a_real_clock_starts_where_it_is_told_and_goes_with_real_time(real):
    clock = Clock(real=real, wall=lambda: 100.0)
    assert clock.now() == 100.0
    real.seconds += 2.5
    assert clock.now() == 102.5


@pytest.mark.parametrize("rate", [0.5, 1.0, 10.0, 1000.0])
def test_a_rate_multiplies_real_time(real, rate):
    clock = Clock(real=real, wall=lambda: 100.0, rate=rate)
    real.seconds += 2
    assert clock.now() == 100.0 + 2 * rate


@pytest.mark.parametrize("drive", [Drive.AUDIO, Drive.MANUAL])
def test_real_time_does_not_move_the_other_clocks(real, drive):
    clock = Clock(drive, real=real, wall=lambda: 100.0)
    real.seconds += 3600
    assert clock.now() == 100.0
    assert clock.real_delay(100.1) is None


@pytest.mark.parametrize("drive", Drive)
def test_every_clock_can_be_advanced(real, drive):
    clock = Clock(drive, real=real, wall=lambda: 100.0)
    clock.advance(61)
    assert clock.now() == 161.0
    clock.advance(0)
    assert clock.now() == 161.0


def test_an_advance_is_in_the_clocks_own_seconds(real):
    clock = Clock(real=real, wall=lambda: 0.0, rate=10)
    clock.advance(5)
    real.seconds += 1
    assert clock.now() == 15.0


def test_a_clock_starts_at_unix_time():
    assert Clock(Drive.MANUAL, real=time.monotonic, wall=time.time).now() > 1_700_000_000


@pytest.mark.parametrize(("rate", "delay"), [(1.0, 3.0), (2.0, 1.5), (0.1, 30.0)])
def test_a_deadline_is_so_much_real_time_away(real, rate, delay):
    assert Clock(real=real, wall=lambda: 100.0, rate=rate).real_delay(103.0) == pytest.approx(delay)


@pytest.mark.parametrize("drive", Drive)
@pytest.mark.parametrize("deadline", [100.0, 99.0, -math.inf])
def test_a_deadline_that_has_come_is_no_time_away_on_any_clock(real, drive, deadline):
    assert Clock(drive, real=real, wall=lambda: 100.0).real_delay(deadline) == 0.0


@given(
    steps=st.lists(st.tuples(st.sampled_from(["real", "advance"]), st.floats(0, 1000)), max_size=10),
    rate=st.floats(0.01, 100),
)
def test_a_clock_never_goes_back(steps, rate):
    real = Real()
    clock, last = Clock(real=real, wall=lambda: 0.0, rate=rate), 0.0
    for kind, seconds in steps:
        if kind == "real":
            real.seconds += seconds
        else:
            clock.advance(seconds)
        assert clock.now() >= last
        last = clock.now()


@pytest.mark.parametrize("seconds", [-0.001, -math.inf, math.inf, math.nan])
def test_a_clock_cannot_be_advanced_by_nonsense(seconds):
    clock = Clock(Drive.MANUAL, real=Real(), wall=lambda: 100.0)
    with pytest.raises(ConfigurationError, match="expected 0 or more"):
        clock.advance(seconds)
    assert clock.now() == 100.0
