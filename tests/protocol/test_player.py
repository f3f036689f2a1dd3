"""A script in play: what audio makes of a plan, and when."""

from __future__ import annotations

import pytest
from hypothesis import assume, given, strategies as st

from uhlive_mock.model.audio import SAMPLE_RATE, SAMPLES_PER_MS
from uhlive_mock.model.events import Event, Raw
from uhlive_mock.model.scenario import After, At, Cue, Moment, RawEvent, Say, SaySegment, Script, Timing, When
from uhlive_mock.protocol.plan import Axis, Planned, Planner
from uhlive_mock.protocol.player import Player
from uhlive_mock.protocol.recognizer import SpeakerProfile

ALICE = SpeakerProfile(speaker="Alice", model="fr", country="fr")
PROMPT = Timing(latency_ms=0)
CHUNKS = st.lists(st.integers(0, 12_000), max_size=8)


def mark(name: str) -> RawEvent:
    return RawEvent(name=name)


def at(position_ms: int, name: str) -> Cue:
    return Cue(trigger=At(position_ms=position_ms), action=mark(name))


def when(moment: Moment, name: str) -> Cue:
    return Cue(trigger=When(moment=moment), action=mark(name))


def after(delay_ms: int, name: str) -> Cue:
    return Cue(trigger=After(delay_ms=delay_ms), action=mark(name))


def player(*cues: Cue, loop_ms: int | None = None, timing: Timing = PROMPT, seed: int = 0) -> Player:
    return Player(Script(cues=cues, loop_ms=loop_ms), ALICE, timing, seed)


def hear(of: Player, seconds: float, now: float) -> None:
    """All at once, as on a clock that real time drives."""
    of.heard(round(seconds * SAMPLE_RATE), now, now)


def names(events: list[Event]) -> list[str]:
    return [event.name for event in events if isinstance(event, Raw)]


def audio_only(script: Script) -> bool:
    """Whether no cue depends on the time of day."""
    clocked = {Moment.JOINED, Moment.FIRST_AUDIO}
    return not any(isinstance(cue.trigger, When) and cue.trigger.moment in clocked for cue in script.cues)


def reached_by(script: Script, timing: Timing, seed: int, samples: int) -> list[Planned]:
    """What the plan says that so much audio reaches; without any, not even its beginning."""
    if not samples:
        return []
    planner, planned = Planner(script, ALICE, timing, seed), []
    while planner.next_turn_ms is not None and planner.next_turn_ms * SAMPLES_PER_MS <= samples:
        planned += planner.turn()
    return sorted(
        (item for item in planned if item.axis is Axis.AUDIO and item.position_ms * SAMPLES_PER_MS <= samples),
        key=lambda item: item.position_ms,
    )


def play_as_it_lasts(script: Script, timing: Timing, seed: int, chunks: list[int]) -> list[Event]:
    """Each chunk takes its own duration, as on a clock that audio drives."""
    alice, played, total = Player(script, ALICE, timing, seed), [], 0
    alice.joined(0.0)
    for samples in chunks:
        before, total = total / SAMPLE_RATE, total + samples
        alice.heard(samples, before, total / SAMPLE_RATE)
        played += alice.due(total / SAMPLE_RATE)
    return played + alice.leave(total / SAMPLE_RATE)


def play_at_once(script: Script, timing: Timing, seed: int, chunks: list[int], pause: float) -> list[Event]:
    """Each chunk arrives in no time, as on a clock that real time drives."""
    alice, played, now = Player(script, ALICE, timing, seed), [], 1000.0
    alice.joined(now)
    for samples in chunks:
        now += pause
        alice.heard(samples, now, now)
        played += alice.due(now)
    return played + alice.leave(now)


# --- audio ----------------------------------------------------------------------------------------------


def test_a_cue_is_played_when_the_audio_reaches_it():
    alice = player(at(500, "a"))
    hear(alice, 0.499875, 0.0)
    assert alice.next_deadline() is None
    alice.heard(1, 1.0, 1.0)
    assert alice.next_deadline() == 1.0
    assert names(alice.due(1.0)) == ["a"]


def test_a_cue_at_the_start_waits_for_the_first_sample():
    alice = player(at(0, "a"))
    alice.joined(0.0)
    alice.heard(0, 1.0, 1.0)
    assert alice.next_deadline() is None
    alice.heard(1, 2.0, 2.0)
    assert names(alice.due(2.0)) == ["a"]


def test_time_alone_plays_no_cue_of_the_audio():
    alice = player(at(500, "a"))
    alice.joined(0.0)
    assert alice.due(1e9) == []


def test_latency_delays_an_event_behind_the_audio_that_reached_it():
    alice = player(at(500, "a"), timing=Timing(latency_ms=250))
    hear(alice, 2.0, 10.0)
    assert alice.next_deadline() == 10.25
    assert alice.due(10.2499) == []
    assert names(alice.due(10.25)) == ["a"]


def test_on_a_clock_that_audio_drives_a_position_is_reached_at_its_moment():
    alice = player(at(500, "a"), at(1500, "b"), timing=Timing(latency_ms=250))
    alice.heard(2 * SAMPLE_RATE, 10.0, 12.0)
    assert alice.next_deadline() == 10.75
    assert names(alice.due(11.0)) == ["a"]
    assert alice.next_deadline() == 11.75


def test_nothing_is_played_twice():
    alice = player(at(500, "a"), when(Moment.LEFT, "left"))
    hear(alice, 1.0, 0.0)
    assert names(alice.due(0.0)) == ["a"]
    assert alice.due(99.0) == []
    assert names(alice.leave(99.0)) == ["left"]
    assert alice.leave(99.0) == []


def test_jitter_never_reorders_the_events_of_the_audio():
    cues = [at(10 * number, str(number)) for number in range(40)]
    alice = player(*cues, timing=Timing(latency_ms=0, jitter_ms=500))
    alice.heard(SAMPLE_RATE, 0.0, 1.0)
    assert names(alice.due(10.0)) == [str(number) for number in range(40)]


# --- the other axes -------------------------------------------------------------------------------------


def test_cues_of_the_join_need_no_audio():
    alice = player(when(Moment.JOINED, "a"), after(2000, "b"), timing=Timing(latency_ms=100))
    assert alice.next_deadline() is None
    alice.joined(50.0)
    assert alice.next_deadline() == 50.1
    assert names(alice.due(50.1)) == ["a"]
    assert alice.next_deadline() == 52.1


def test_cues_of_the_first_audio_count_from_its_beginning():
    alice = player(when(Moment.FIRST_AUDIO, "a"), after(3000, "b"))
    alice.joined(0.0)
    assert alice.due(100.0) == []
    alice.heard(SAMPLE_RATE, 100.0, 101.0)
    assert names(alice.due(101.0)) == ["a"]
    alice.heard(SAMPLE_RATE, 101.0, 102.0)
    assert alice.next_deadline() == 103.0


def test_cues_of_the_leave_come_last_and_in_order():
    alice = player(when(Moment.LEFT, "c"), after(0, "d"), after(9000, "e"), at(0, "a"), at(500, "b"))
    hear(alice, 1.0, 0.0)
    assert names(alice.leave(0.0)) == ["a", "b", "c", "d", "e"]


# --- leaving --------------------------------------------------------------------------------------------


def test_leaving_cuts_latency_short_for_what_was_reached_and_plays_nothing_beyond():
    alice = player(at(500, "a"), at(1500, "b"), timing=Timing(latency_ms=60_000))
    hear(alice, 1.0, 0.0)
    assert names(alice.leave(0.0)) == ["a"]


def test_leaving_plays_of_the_clock_axes_what_their_time_has_reached():
    cues = (when(Moment.JOINED, "a"), after(1000, "b"), after(1, "c"))
    alice = player(*cues, timing=Timing(latency_ms=500))
    alice.joined(10.0)
    assert names(alice.leave(11.0)) == ["a", "b"]


@given(script=..., timing=..., seed=st.integers(0, 3), chunks=CHUNKS)
def test_a_stay_plays_what_its_audio_reached_and_nothing_beyond(
    script: Script, timing: Timing, seed: int, chunks: list[int]
):
    assume(audio_only(script))
    planned = reached_by(script, timing, seed, sum(chunks))
    played = play_at_once(script, timing, seed, chunks, pause=0.1)
    left = [item.event for item in Planner(script, ALICE, timing, seed).turn() if item.axis is Axis.LEFT]
    assert played == [item.event for item in planned] + left


# --- how audio is cut into chunks -----------------------------------------------------------------------


@given(script=..., timing=..., seed=st.integers(0, 3), chunks=CHUNKS)
def test_how_audio_is_cut_changes_nothing_on_a_clock_that_audio_drives(
    script: Script, timing: Timing, seed: int, chunks: list[int]
):
    whole = play_as_it_lasts(script, timing, seed, [sum(chunks)])
    assert play_as_it_lasts(script, timing, seed, chunks) == whole
    tens = [80] * (sum(chunks) // 80) + [sum(chunks) % 80]
    assert play_as_it_lasts(script, timing, seed, tens) == whole


@given(
    script=...,
    timing=...,
    seed=st.integers(0, 3),
    chunks=CHUNKS,
    pause=st.sampled_from([0.0, 0.01, 0.3, 7.0]),
)
def test_how_and_when_audio_comes_changes_no_order(
    script: Script, timing: Timing, seed: int, chunks: list[int], pause: float
):
    assume(audio_only(script))
    whole = play_as_it_lasts(script, timing, seed, [sum(chunks)])
    assert play_at_once(script, timing, seed, chunks, pause) == whole


def test_events_due_at_one_moment_on_two_axes_keep_their_order_however_the_audio_is_cut():
    cues = tuple(at(ms, f"audio {ms}") for ms in range(100, 3000, 100))
    clock = tuple(after(100, f"clock {ms}") for ms in range(100, 3000, 100))
    script = Script(cues=(when(Moment.JOINED, "clock 0"), *clock, *cues))
    timing = Timing(latency_ms=70)
    whole = play_as_it_lasts(script, timing, 0, [24_000])
    for chunk in (1, 7, 80, 333, 960, 8001):
        chunks = [chunk] * (24_000 // chunk) + [24_000 % chunk]
        assert play_as_it_lasts(script, timing, 0, chunks) == whole


# --- deadlines ------------------------------------------------------------------------------------------


@given(script=..., timing=..., seed=st.integers(0, 3), chunks=CHUNKS)
def test_nothing_is_due_before_the_deadline_and_something_at_it(
    script: Script, timing: Timing, seed: int, chunks: list[int]
):
    alice, now = Player(script, ALICE, timing, seed), 0.0
    alice.joined(now)
    for samples in chunks:
        alice.heard(samples, now, now + samples / SAMPLE_RATE)
        now += samples / SAMPLE_RATE
        deadlines = []
        while (deadline := alice.next_deadline()) is not None and deadline <= now + 0.1:
            assert alice.due(deadline - 1e-6) == []
            assert alice.due(deadline)
            deadlines.append(deadline)
        assert deadlines == sorted(set(deadlines))


@given(script=..., timing=..., seed=st.integers(0, 3), samples=st.integers(0, 40_000))
def test_one_jump_and_a_thousand_steps_play_the_same(script: Script, timing: Timing, seed: int, samples: int):
    def fresh() -> Player:
        alice = Player(script, ALICE, timing, seed)
        alice.joined(0.0)
        alice.heard(samples, 0.0, 0.0)
        return alice

    stepped = fresh()
    steps = [event for step in range(1001) for event in stepped.due(step / 50)]
    assert fresh().due(20.0) == steps


# --- loops ----------------------------------------------------------------------------------------------


def test_a_loop_goes_on_as_long_as_the_audio():
    alice = player(at(100, "a"), loop_ms=1000)
    hear(alice, 3.2, 0.0)
    assert names(alice.due(0.0)) == ["a"] * 4
    assert alice.unplayed() == []


def test_turns_that_outlast_the_loop_overlap():
    alice = player(at(0, "a"), at(2500, "b"), loop_ms=1000)
    found = []
    for second in range(4):
        hear(alice, 1.0, float(second))
        found.append(names(alice.due(float(second))))
    assert found == [["a", "a"], ["a"], ["b", "a"], ["b", "a"]]


def test_a_loop_without_audio_cues_ends_with_its_first_turn():
    alice = player(when(Moment.JOINED, "a"), loop_ms=100)
    alice.joined(0.0)
    hear(alice, 5.0, 0.0)
    assert names(alice.due(0.0)) == ["a"]


def test_an_empty_loop_is_silent():
    alice = player(loop_ms=100)
    hear(alice, 5.0, 0.0)
    assert alice.due(9.0) == []


# --- what was not played --------------------------------------------------------------------------------


def test_cues_that_the_audio_never_reached_are_reported():
    alice = player(at(500, "a"), Cue(trigger=At(position_ms=5000), action=mark("b"), line=17))
    hear(alice, 1.25, 0.0)
    alice.leave(0.0)
    [unplayed] = alice.unplayed()
    assert unplayed.index == 1
    assert str(unplayed) == (
        "line 17: cue 1 of Alice was never played: it needs 5 s of audio, 1.25 s of audio arrived"
    )


def test_a_cue_that_was_cut_is_reported_with_how_far_it_got():
    alice = player(Cue(trigger=At(position_ms=0), action=Say(text="un deux trois"), until_ms=1500))
    hear(alice, 1.0, 0.0)
    alice.leave(0.0)
    [unplayed] = alice.unplayed()
    assert (unplayed.played, unplayed.planned) == (2, 3)
    assert "was cut after 2 of 3 events" in str(unplayed)
    assert "it needs 1.5 s of audio, 1 s of audio arrived" in str(unplayed)


@pytest.mark.parametrize(
    ("moment", "reason"),
    [
        (Moment.JOINED, "it is due 2 s after joined; 1 s of audio arrived"),
        (Moment.FIRST_AUDIO, "it is due 2 s after first_audio; 1 s of audio arrived"),
    ],
)
def test_cues_that_time_never_reached_are_reported(moment, reason):
    alice = player(when(moment, "a"), after(2000, "b"))
    alice.joined(0.0)
    hear(alice, 1.0, 0.0)
    assert names(alice.leave(1.5)) == ["a"]
    assert [str(unplayed) for unplayed in alice.unplayed()] == [f"cue 1 of Alice was never played: {reason}"]


def test_a_script_that_was_played_to_its_end_reports_nothing():
    alice = player(
        at(500, "a"), when(Moment.LEFT, "b"), Cue(trigger=At(position_ms=0), action=SaySegment(text="x"))
    )
    hear(alice, 1.0, 0.0)
    alice.leave(0.0)
    assert alice.unplayed() == []


@given(script=..., timing=..., chunks=CHUNKS)
def test_every_cue_is_played_in_full_or_reported(script: Script, timing: Timing, chunks: list[int]):
    assume(script.loop_ms is None)
    alice, total, played = Player(script, ALICE, timing, 0), 0, 0
    alice.joined(0.0)
    for samples in chunks:
        alice.heard(samples, total / SAMPLE_RATE, (total + samples) / SAMPLE_RATE)
        total += samples
        played += len(alice.due(total / SAMPLE_RATE))
    played += len(alice.leave(total / SAMPLE_RATE))
    planned = Planner(script, ALICE, timing, 0).turn()
    unplayed = alice.unplayed()
    missing = sum(item.planned - item.played for item in unplayed)
    assert played + missing == len(planned)
    assert all(item.played < item.planned for item in unplayed)
