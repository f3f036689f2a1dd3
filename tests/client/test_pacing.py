"""Deadlines, with a plain float for time."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from uhlive_client.pacing import Pacer

PROPERTY = settings(deadline=None, derandomize=True, max_examples=40)

anchors = st.floats(0, 1e6)
delays = st.lists(st.floats(0, 0.5), min_size=2, max_size=60)
chunks = st.integers(80, 8000)


@PROPERTY
@given(anchor=anchors, delays=delays, n=chunks, rate=st.floats(0.1, 100))
def test_no_delay_is_passed_on(anchor, delays, n, rate):
    pacer = Pacer(anchor=anchor, rate=rate)
    for count, delay in enumerate(delays):
        assert pacer.due == pytest.approx(anchor + count * n / 8000 / rate, abs=1e-6)
        pacer.sent(n, pacer.due + delay)
    assert pacer.due == pytest.approx(anchor + len(delays) * n / 8000 / rate, abs=1e-6)


@PROPERTY
@given(delays=delays, n=chunks)
def test_lateness_is_what_it_was(delays, n):
    pacer = Pacer(anchor=100.0)
    for delay in delays:
        pacer.sent(n, pacer.due + delay)
    report = pacer.report(pacer.due)
    ordered = sorted(delays)
    assert report.late_max_ms == pytest.approx(1000 * ordered[-1], abs=1e-6)
    assert report.late_p50_ms == pytest.approx(1000 * ordered[math.ceil(len(ordered) / 2) - 1], abs=1e-6)
    assert report.late_p50_ms <= report.late_p95_ms <= report.late_max_ms


@pytest.mark.parametrize("ppm", [-500, 0, 12, 3000])
def test_drift_is_the_slope_of_the_lateness(ppm):
    pacer = Pacer(anchor=5.0)
    for count in range(600):
        jitter = 0.002 * (-1) ** count
        pacer.sent(800, 5.0 + count * 0.1 * (1 + ppm / 1e6) + jitter)
    assert pacer.report(65.0).drift_ppm == pytest.approx(ppm, abs=1)


def test_one_late_chunk_is_no_drift():
    pacer = Pacer(anchor=0.0)
    for count in range(101):
        pacer.sent(800, pacer.due + (0.1 if count == 50 else 0))
    assert pacer.report(10.1).drift_ppm == pytest.approx(0, abs=1e-6)


def test_an_infinite_rate_is_always_due():
    pacer = Pacer(anchor=3.0, rate=math.inf)
    pacer.sent(8000, 3.0)
    pacer.sent(8000, 3.5)
    assert pacer.due == 3.0
    assert pacer.report(3.5).drift_ppm is None


@pytest.mark.parametrize("rate", [0.0, -1.0, math.nan])
def test_a_rate_is_positive(rate):
    with pytest.raises(ValueError, match="expected more than 0"):
        Pacer(anchor=0.0, rate=rate)


def test_the_report_is_one_line():
    pacer = Pacer(anchor=0.0)
    for _ in range(243):
        pacer.sent(800, pacer.due + 0.0001)
    assert str(pacer.report(24.3)) == (
        "pacing: 24.3 s of audio in 24.3 s, 243 chunks, drift -0 ppm, late p50 0.1 ms, p95 0.1 ms, max 0.1 ms"
    ).replace("-0", f"{pacer.report(24.3).drift_ppm:+.0f}")


def test_the_report_of_nothing():
    assert str(Pacer(anchor=1.0).report(1.0)) == (
        "pacing: 0.0 s of audio in 0.0 s, 0 chunks, late p50 0.0 ms, p95 0.0 ms, max 0.0 ms"
    )
