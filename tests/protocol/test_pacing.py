"""The judge of pacing, with synthetic senders."""

from __future__ import annotations

import random
from collections import Counter

import msgspec
import numpy as np
import pytest
from hypothesis import given, strategies as st

from uhlive_mock.protocol.pacing import DRIFT_CHUNKS, DRIFT_S, Due, Pacing, PacingJudge

UNIX = 1_700_000_000.0
Sent = tuple[int, float]

chunk_samples = st.sampled_from([160, 800, 960, 2000, 4000])
starts = st.sampled_from([0.0, UNIX])
ORDERS = st.sampled_from([list.sort, list.reverse, lambda chunks: chunks.sort(reverse=True)])


def judge(sent: list[Sent], *, width: int = 2) -> Pacing:
    of = PacingJudge()
    for samples, wall in sent:
        of.chunk(samples, samples * width, wall)
    return of.pacing()


def sleeping(overheads: list[float], *, samples: int = 4000, start: float = UNIX) -> list[Sent]:
    """Sends, sleeps for as long as the chunk lasts and a little longer: the official SDK's file example."""
    sent, elapsed = [], 0.0
    for overhead in overheads:
        sent.append((samples, start + elapsed))
        elapsed += samples / 8000 + overhead
    return sent


def anchored(jitter: list[float], *, samples: int = 4000, start: float = UNIX) -> list[Sent]:
    """Sends every chunk at its own deadline, give or take its jitter."""
    return [(samples, start + n * samples / 8000 + late) for n, late in enumerate(jitter)]


def recorded(sizes: list[int], *, start: float = UNIX) -> list[Sent]:
    """Sends every chunk when its last sample has been recorded."""
    return [(size, start + sum(sizes[: n + 1]) / 8000) for n, size in enumerate(sizes)]


def played(sizes: list[int], *, start: float = UNIX) -> list[Sent]:
    """Sends every chunk when its first sample is to be played."""
    return [(size, start + sum(sizes[:n]) / 8000) for n, size in enumerate(sizes)]


# --- verdicts -----------------------------------------------------------------------------------------------


@given(overheads=st.lists(st.floats(0.0001, 0.001), min_size=1, max_size=20), order=ORDERS, start=starts)
def test_sleeping_between_chunks_drifts_but_is_not_faster_than_real_time(overheads, order, start):
    overheads = (overheads * 300)[:300]
    order(overheads)
    pacing = judge(sleeping(overheads, start=start))
    assert pacing.drifting
    assert not pacing.faster_than_real_time
    assert pacing.lead_max_s < 1e-6
    assert pacing.lag_max_s == pytest.approx(sum(overheads[:-1]), abs=1e-5)


@pytest.mark.parametrize(("overhead", "drifts"), [(0.0001, True), (0.001, True), (0.00004, False)])
def test_drift_counts_above_a_sound_cards(overhead, drifts):
    assert judge(sleeping([overhead] * 1200)).drifting is drifts


def test_drift_counts_once_it_has_made_a_difference():
    sent = sleeping([0.001] * 60)
    seen = [judge(sent[:n]).drifting for n in range(1, 60)]
    assert seen.index(True) == round(DRIFT_S / 0.001) + 1
    assert all(seen[seen.index(True) :])


def test_drift_takes_more_than_a_few_chunks_however_long_they_are():
    sent = sleeping([0.02] * 30, samples=32_000)
    assert [judge(sent[:n]).drifting for n in (5, DRIFT_CHUNKS - 1, DRIFT_CHUNKS)] == [False, False, True]


@given(
    jitter=st.integers(3, 100).flatmap(lambda n: st.lists(st.floats(-0.005, 0.005), min_size=n, max_size=n)),
    samples=chunk_samples,
    start=starts,
)
def test_no_jitter_of_5_ms_is_a_drift(jitter, samples, start):
    pacing = judge(anchored(jitter, samples=samples, start=start))
    assert not pacing.drifting
    assert not pacing.faster_than_real_time
    assert max(pacing.lead_max_s, pacing.lag_max_s) <= 0.010001


@pytest.mark.parametrize("seconds", [10, 60, 300])
def test_random_jitter_is_no_drift_however_long_the_call(seconds):
    for seed in range(10):
        rng = random.Random(seed)
        jitter = [rng.uniform(-0.005, 0.005) for _ in range(seconds * 10)]
        assert not judge(anchored(jitter, samples=800)).drifting


def test_a_pause_is_no_drift():
    rng = random.Random(1)
    for pauses in (1, 5, 40):
        at = [400 // (pauses + 1) * (n + 1) for n in range(pauses)]
        late = [2.0 * sum(n >= start for start in at) + rng.uniform(0, 0.005) for n in range(400)]
        pacing = judge(anchored(late, samples=800))
        assert not pacing.drifting
        assert pacing.lag_max_s > 1.9 * pauses
        assert pacing.longest_gap_s == pytest.approx(2.1, abs=0.01)


def test_one_step_in_the_networks_delay_is_no_drift():
    rng = random.Random(1)
    late = [0.05 * (n >= 200) + rng.uniform(0, 0.005) for n in range(400)]
    assert not judge(anchored(late, samples=800)).drifting


def test_catching_up_after_a_stall_is_neither_drift_nor_faster_than_real_time():
    sent = [(800, UNIX + (13.0 if 100 <= n < 130 else n / 10)) for n in range(400)]
    pacing = judge(sent)
    assert not pacing.drifting
    assert not pacing.faster_than_real_time
    assert pacing.burst_s == pytest.approx(3.1)


@given(samples=chunk_samples, seconds=st.floats(2, 20), start=starts)
def test_ten_times_faster_is_faster_than_real_time(samples, seconds, start):
    count = int(seconds * 8000 / samples) + 1
    pacing = judge([(samples, start + n * samples / 80_000) for n in range(count)])
    assert pacing.faster_than_real_time
    assert not pacing.drifting
    assert pacing.lead_final_s == pacing.lead_max_s
    assert pacing.drift_ppm == pytest.approx(-900_000, abs=1)


def test_what_was_recorded_before_the_join_is_not_faster_than_real_time():
    backlog = [(800, UNIX)] * 9
    live = [(800, UNIX + 0.1 * n) for n in range(1, 200)]
    assert not judge(backlog + live).faster_than_real_time


def test_microphone_chunks_of_changing_sizes_are_on_time():
    rng = random.Random(3)
    pacing = judge(recorded([rng.choice([1024, 2048, 3072]) for _ in range(100)]))
    assert pacing.due is Due.END
    assert pacing.jitter_max_ms < 0.001
    assert pacing.lead_max_s < 1e-6
    assert not pacing.drifting


def test_a_short_last_chunk_of_a_file_is_on_time():
    pacing = judge(played([4000] * 20 + [100]))
    assert pacing.due is Due.START
    assert pacing.jitter_max_ms < 0.001


# --- figures ------------------------------------------------------------------------------------------------


@given(
    sent=st.lists(st.tuples(st.integers(1, 8000), st.floats(0, 2)), min_size=3, max_size=60),
    start=starts,
)
def test_figures_are_those_of_numpy(sent, start):
    samples = np.array([size for size, _ in sent])
    wall = start + np.cumsum([pause for _, pause in sent])
    pacing = judge(list(zip(samples.tolist(), wall.tolist(), strict=True)))
    elapsed = wall - wall[0]
    due = np.concatenate([[0], np.cumsum(samples if pacing.due is Due.END else samples[:-1])])[-len(sent) :]
    due = (due - due[0]) / 8000
    late = elapsed - due
    assert pacing.audio_s == pytest.approx(samples.sum() / 8000)
    assert pacing.wall_s == elapsed[-1]
    assert pacing.lead_max_s == pytest.approx(max(0, -late.min()), abs=1e-9)
    assert pacing.lag_max_s == pytest.approx(max(0, late.max()), abs=1e-9)
    assert pacing.lead_final_s == pytest.approx(-late[-1], abs=1e-9)
    assert pacing.longest_gap_s == pytest.approx(np.diff(elapsed).max(), abs=1e-9)
    assert pacing.drift_ppm == pytest.approx(1e6 * np.polyfit(due, late, 1)[0], rel=1e-6, abs=1e-3)
    assert pacing.jitter_max_ms == pytest.approx(1000 * np.abs(np.diff(late)).max(), abs=1e-9)


@given(
    sent=st.lists(st.tuples(st.integers(1, 8000), st.floats(0, 2)), min_size=1, max_size=25),
    width=st.sampled_from([1, 2]),
)
def test_the_burst_is_the_most_that_any_window_has_too_much(sent, width):
    walls = np.cumsum([pause for _, pause in sent])
    sizes = [size for size, _ in sent]
    pacing = judge(list(zip(sizes, walls.tolist(), strict=True)), width=width)
    worst = max(
        sum(sizes[first : last + 1]) / 8000 - (walls[last] - walls[first])
        for first in range(len(sent))
        for last in range(first, len(sent))
    )
    assert pacing.burst_s == pytest.approx(worst, abs=1e-9)
    assert pacing.burst_bytes == pytest.approx(worst * 8000 * width, abs=0.51)


@given(sizes=st.lists(st.integers(1, 5), min_size=1), seed=st.randoms(use_true_random=False))
def test_the_sizes_of_chunks_do_not_depend_on_their_order(sizes, seed):
    shuffled = list(sizes)
    seed.shuffle(shuffled)
    once, again = (judge([(size, 0.0) for size in order]).chunk_sizes for order in (sizes, shuffled))
    assert once == again == tuple(sorted(Counter(2 * size for size in sizes).items()))


def test_time_the_server_did_not_read_is_neither_jitter_nor_gap():
    of = PacingJudge()
    now = UNIX
    for n in range(20):
        if n == 10:
            of.throttled(1.0)
            of.throttled(2.0)
            now += 3.0
        of.chunk(800, 1600, now)
        now += 0.1
    pacing = of.pacing()
    assert pacing.throttled_s == 3.0
    assert pacing.jitter_max_ms < 0.001
    assert pacing.longest_gap_s == pytest.approx(0.1)
    assert pacing.lag_max_s == pytest.approx(3.0)


@pytest.mark.parametrize("chunks", [0, 1, 2])
def test_a_few_chunks_have_no_drift(chunks):
    pacing = judge(anchored([0.0] * chunks))
    assert pacing.chunks == chunks
    assert pacing.drift_ppm is None
    assert not pacing.drifting
    assert pacing.table()


def test_chunks_without_a_whole_sample_are_counted():
    of = PacingJudge()
    for n in range(12):
        of.chunk(0, 1, UNIX + n)
    pacing = of.pacing()
    assert pacing.burst_bytes == 12
    assert pacing.drift_ppm is None


# --- shown --------------------------------------------------------------------------------------------------


def test_the_table_is_one_screen_of_plain_text():
    sent = [(samples, wall) for samples, wall in sleeping([0.001] * 100, start=0.0)]
    assert judge(sent).table() == (
        "verdict      drifts: 2000 ppm late\n"
        "audio        50.000 s in 49.599 s\n"
        "chunks       100, due at their start\n"
        "chunk sizes  100 of 8000 bytes\n"
        "lead         0.000 s at most\n"
        "lag          0.099 s at most\n"
        "last chunk   0.099 s behind\n"
        "drift        +2000 ppm, give or take 0\n"
        "jitter       p50 1.0, p95 1.0, max 1.0 ms\n"
        "longest gap  0.501 s\n"
        "burst        0.500 s, 8000 bytes\n"
        "throttled    0.000 s"
    )


def test_the_table_lists_the_commonest_sizes():
    pacing = judge([(size, 0.0) for size in (1, 2, 3, 4, 5, 5)])
    assert "2 of 10 bytes, 1 of 2 bytes, 1 of 4 bytes, 1 of 6 bytes, 1 other sizes" in pacing.table()


def test_pacing_goes_through_json():
    pacing = judge(anchored([0.0, 0.001, 0.002, 0.0]))
    assert msgspec.json.decode(msgspec.json.encode(pacing), type=Pacing) == pacing
