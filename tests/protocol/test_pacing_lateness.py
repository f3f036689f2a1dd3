"""Lateness summed up, against numpy and against repeated trials."""

from __future__ import annotations

import random
from collections.abc import Iterable
from itertools import accumulate

import numpy as np
import pytest
from hypothesis import given, strategies as st

from uhlive_mock.protocol.pacing import Lateness

CHUNK_S = 0.1


def summed(late: Iterable[float], *, waited: float = 0.0) -> Lateness:
    """Chunks of `CHUNK_S`, each so late."""
    of = Lateness()
    for n, seconds in enumerate(late):
        of.add(n * CHUNK_S, n * CHUNK_S + seconds, waited)
    return of


@given(late=st.lists(st.floats(-10, 10), min_size=2, max_size=100), share=st.sampled_from([0.01, 0.5, 0.95, 1.0]))
def test_quantiles_of_jitter_are_off_by_a_64th_at_most(late, share):
    jitter = 1000 * np.abs(np.diff(late))
    exact = np.percentile(jitter, 100 * share, method="inverted_cdf")
    assert summed(late).jitter_ms(share) == pytest.approx(exact, rel=1 / 64, abs=0.001)
    assert summed(late).jitter_ms(share) <= summed(late).jitter_max_ms


def test_nothing_has_no_jitter():
    assert Lateness().jitter_ms(0.5) == 0


def test_time_the_server_did_not_read_is_no_jitter():
    assert summed([0.0, 2.0, 4.0], waited=2.0).jitter_max_ms == pytest.approx(0)


def test_jitter_takes_no_more_memory_the_longer_it_lasts():
    rng = random.Random(0)
    of = summed(rng.expovariate(10) for _ in range(20_000))
    assert len(of._jitter._bins) < 64 + 32 * 20


@given(late=st.lists(st.floats(-10, 10), min_size=3, max_size=100))
def test_drift_is_the_slope_that_numpy_fits(late):
    due = CHUNK_S * np.arange(len(late))
    drift, error = summed(late).drift()
    (slope, _), covariance = np.polyfit(due, late, 1), np.zeros((2, 2))
    if len(late) > 3:
        _, covariance = np.polyfit(due, late, 1, cov=True)
    assert drift == pytest.approx(1e6 * slope, rel=1e-6, abs=1e-2)
    assert error >= 1e6 * np.sqrt(covariance[0, 0]) * (1 - 1e-6) - 1e-2


@pytest.mark.parametrize(("chunks", "known"), [(0, False), (1, False), (2, False), (3, True)])
def test_drift_takes_three_chunks(chunks, known):
    assert (summed([0.0] * chunks).drift() != (None, None)) is known


def test_drift_is_as_exact_after_ten_hours_as_after_a_minute():
    of = summed(n * CHUNK_S * 123e-6 for n in range(10 * 3600 * 2))
    assert of.drift()[0] == pytest.approx(123, abs=1e-6)
    assert of.steady_drift_ppm == pytest.approx(123, abs=1e-6)


@pytest.mark.parametrize("kind", ["jitter", "walk"])
def test_the_standard_error_is_that_of_repeated_trials(kind):
    drifts, errors = [], []
    for seed in range(120):
        rng = random.Random(seed)
        noise = [rng.gauss(0, 0.003) for _ in range(200)]
        drift, error = summed(noise if kind == "jitter" else accumulate(noise)).drift()
        drifts.append(drift)
        errors.append(error)
    assert 0.8 < np.median(errors) / np.std(drifts) < 1.5
    assert 0.8 < np.sqrt(np.mean(np.square(errors))) / np.std(drifts) < 4
    assert np.mean(np.abs(drifts) > 3 * np.array(errors)) < 0.02


def test_a_steady_drift_leaves_pauses_out():
    of = summed(0.0001 * n + 3 * (n > 50) for n in range(101))
    assert of.steady_drift_ppm == pytest.approx(1000, rel=0.02)
    assert of.lag_max_s == pytest.approx(3.01)
