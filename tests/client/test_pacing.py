"""Deadlines, with a plain float for time; and the pace of a real stream, judged by the mock."""

from __future__ import annotations

import asyncio
import math
import tracemalloc

import pytest
import pytest_asyncio
from hypothesis import given, strategies as st
from uhlive_client import aio
from uhlive_client.pacing import Pacer

from uhlive_mock import MockServer
from uhlive_mock.scenarios import parse_scenario

anchors = st.floats(0, 1e6)
delays = st.lists(st.floats(0, 0.5), min_size=2, max_size=60)
chunks = st.integers(80, 8000)


@given(anchor=anchors, delays=delays, n=chunks, rate=st.floats(0.1, 100))
def test_no_delay_is_passed_on(anchor, delays, n, rate):
    pacer = Pacer(anchor=anchor, rate=rate)
    for count, delay in enumerate(delays):
        assert pacer.due == pytest.approx(anchor + count * n / 8000 / rate, abs=1e-6)
        pacer.sent(n, pacer.due + delay)
    assert pacer.due == pytest.approx(anchor + len(delays) * n / 8000 / rate, abs=1e-6)


@given(delays=delays, n=chunks)
def test_lateness_is_what_it_was(delays, n):
    pacer = Pacer(anchor=100.0)
    for delay in delays:
        pacer.sent(n, pacer.due + delay)
    report = pacer.report(pacer.due)
    ordered = sorted(delays)
    assert report.late_max_ms == pytest.approx(1000 * ordered[-1], abs=1e-6)
    for share, found in ((0.50, report.late_p50_ms), (0.95, report.late_p95_ms)):
        exact = ordered[math.ceil(share * len(ordered)) - 1]
        assert found == pytest.approx(1000 * exact, rel=0.005, abs=0.0011)
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


def test_chunks_that_were_all_early_have_a_negative_lag():
    pacer = Pacer(anchor=0.0)
    for _ in range(3):
        pacer.sent(800, pacer.due - 0.05)
    report = pacer.report(1.0)
    assert report.late_max_ms == pytest.approx(-50)
    assert report.late_p50_ms == pytest.approx(-50)


@pytest.mark.parametrize(("rate", "lead"), [(0.5, 0.0), (1.0, 0.0), (20.0, 9.405), (math.inf, 9.9)])
def test_lead_is_how_far_ahead_of_speech_the_sound_is(rate, lead):
    pacer = Pacer(anchor=7.0, rate=rate)
    for _ in range(100):
        pacer.sent(800, pacer.due)
    assert pacer.lead_s == pytest.approx(lead)
    assert pacer.report(17.0).lead_max_s == pytest.approx(lead)


def test_lag_and_lead_are_those_of_the_last_chunk():
    pacer = Pacer(anchor=0.0, rate=2.0)
    pacer.sent(16_000, 0.25)
    assert (pacer.lag_s, pacer.lead_s) == (0.25, 0.0)
    pacer.sent(16_000, 1.0)
    assert (pacer.lag_s, pacer.lead_s) == (0.0, 1.0)


def test_a_long_stream_needs_no_more_memory_than_a_short_one():
    pacer = Pacer(anchor=0.0)

    def growth(chunks: int) -> int:
        tracemalloc.start()
        try:
            for count in range(chunks):
                pacer.sent(800, pacer.due + 0.001 * (count % 97))
            return tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()

    growth(600)
    assert growth(20_000) < 10_000


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


def test_the_report_tells_of_lead_when_there_is_any():
    pacer = Pacer(anchor=0.0, rate=20.0)
    for _ in range(100):
        pacer.sent(800, pacer.due)
    assert str(pacer.report(0.5)).endswith("max 0.0 ms, lead 9.4 s")


def test_the_report_of_nothing():
    assert str(Pacer(anchor=1.0).report(1.0)) == (
        "pacing: 0.0 s of audio in 0.0 s, 0 chunks, late p50 0.0 ms, p95 0.0 ms, max 0.0 ms"
    )


# --- a real stream ----------------------------------------------------------------------------------------

# It runs beside one that sleeps from chunk to chunk, at the same time on the same machine: whatever disturbs one
# disturbs the other, so only their proportion is judged. A sleep is always a little too long, so a sleeper falls
# behind by the sum of all of them; with absolute deadlines no more than the last one counts.

CHUNK_S = 0.01
CHUNKS = [bytes(160)] * 250
NOTHING = parse_scenario('version: 1\nspeakers:\n  "*": []\n')


@pytest_asyncio.fixture
async def space():
    with MockServer() as server, server.space(scenario=NOTHING) as space:
        yield space


def join(space, speaker):
    return aio.connect(
        conversation="conv1",
        speaker=speaker,
        client_id=space.client_id,
        token=space.issue_token(),
        url=space.ws_url,
    )


async def keep_time(space):
    async with join(space, "Alice") as call:
        report = await call.stream(CHUNKS)
        await call.leave()
    return report


async def sleep_from_chunk_to_chunk(space):
    async with join(space, "Bob") as call:
        for chunk in CHUNKS:
            await call.send(chunk)
            await asyncio.sleep(CHUNK_S)
        await call.leave()


@pytest.mark.asyncio
async def test_deadlines_do_not_add_up_what_sleeps_do(space):
    report, _ = await asyncio.gather(keep_time(space), sleep_from_chunk_to_chunk(space))
    alice, bob = (space.conversation("conv1").speaker(name).pacing for name in ("Alice", "Bob"))
    assert alice.verdict == "keeps real time"
    late, later = -alice.lead_final_s, -bob.lead_final_s
    assert later > 0.03  # the sleeper has lost a little on each chunk
    assert late < later / 3
    assert abs(alice.drift_ppm) < bob.drift_ppm / 3
    assert abs(report.drift_ppm) < bob.drift_ppm / 3
