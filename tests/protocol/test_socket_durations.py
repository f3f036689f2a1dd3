"""Faults that take a time end on every clock, for a client that has no time-out of its own and only waits."""

from __future__ import annotations

import pytest

from uhlive_mock.model.fault import Fault, FaultKind
from uhlive_mock.model.scenario import At, Cue, SaySegment

SECONDS = 2.0
EVENTS, WRITING, READING = FaultKind.DELAY_EVENTS, FaultKind.STOP_WRITING, FaultKind.STOP_READING


def fault(kind: FaultKind, **reach) -> Fault:
    return Fault(kind=kind, value=round(SECONDS * 1000), **reach)


def segment_at(position_ms: int) -> Cue:
    return Cue(trigger=At(position_ms=position_ms), action=SaySegment(text="bonjour"))


def pass_time(place, clock: str, seconds: float) -> None:
    """Let so much time pass on what moves: the space's clock, or on a clock that audio drives real time."""
    if clock == "audio":
        place.real += seconds
        place.wait(0)
    else:
        place.advance(seconds)


CLOCKS = ("real", "audio")
"""A manual clock is to the machine what a real one is: `now` is an argument."""


@pytest.mark.parametrize("clock", CLOCKS)
def test_a_late_join_is_answered(room, clock):
    place = room(follow_audio=clock == "audio")
    place.space.faults.arm(fault(FaultKind.JOIN_DELAY))
    alice = place.connect().join()
    pass_time(place, clock, SECONDS - 0.1)
    assert alice.names() == []
    pass_time(place, clock, 0.1)
    assert alice.names() == ["phx_reply"]


@pytest.mark.parametrize("scripted", [True, False])
@pytest.mark.parametrize("clock", CLOCKS)
def test_an_event_held_back_comes(room, clock, scripted):
    cues = [segment_at(200)]
    if scripted:
        cues.insert(0, Cue(trigger=At(position_ms=100), action=fault(EVENTS)))
    place = room(scenario=room.script(*cues, latency_ms=0), follow_audio=clock == "audio")
    alice = place.connect().joined()
    if not scripted:
        place.space.faults.arm(fault(EVENTS))
    alice.audio(0.6)
    pass_time(place, clock, SECONDS - 0.1)
    assert alice.names() == []
    pass_time(place, clock, 0.2)
    assert alice.names() == ["audio_segment_decoded"]


def test_audio_that_goes_on_uses_the_duration_up(room):
    place = room(scenario=room.script(segment_at(200), latency_ms=0), follow_audio=True)
    place.space.faults.arm(fault(EVENTS))
    alice = place.connect().joined()
    alice.audio(0.6)
    alice.audio(SECONDS - 0.2)
    assert alice.names() == []
    alice.audio(0.2)
    assert alice.names() == ["audio_segment_decoded"]


def test_an_observer_sends_no_audio_so_real_time_brings_its_events(room):
    place = room(scenario=room.script(segment_at(200), latency_ms=0), follow_audio=True)
    olga, alice = place.connect().observing(), place.connect().joined()
    olga.names()
    place.space.faults.arm(fault(EVENTS, speaker="Olga"))
    alice.audio(30)
    assert olga.names() == []
    pass_time(place, "audio", SECONDS)
    assert olga.names() == ["audio_segment_decoded"]


@pytest.mark.parametrize("scripted", [True, False])
@pytest.mark.parametrize("clock", CLOCKS)
@pytest.mark.parametrize("kind", [READING, WRITING])
def test_a_socket_that_stops_goes_on(room, clock, kind, scripted):
    cues = [Cue(trigger=At(position_ms=100), action=fault(kind))] if scripted else []
    place = room(scenario=room.script(*cues, latency_ms=0), follow_audio=clock == "audio")
    alice = place.connect().joined()
    alice.audio(0.2)
    if not scripted:
        assert alice.session.strike(fault(kind), place.now)

    def goes() -> bool:
        return alice.session.reading if kind is READING else alice.session.writing

    assert not goes()
    pass_time(place, clock, SECONDS - 0.1)
    assert not goes()
    pass_time(place, clock, 0.2)
    assert goes()


def test_a_leave_behind_a_held_event_is_heard_out(room):
    place = room(scenario=room.script(segment_at(200), latency_ms=0), follow_audio=True)
    place.space.faults.arm(fault(EVENTS))
    alice = place.connect().joined()
    alice.audio(0.6)
    alice.leave()
    assert alice.names() == ["phx_reply", "phx_close"]
    pass_time(place, "audio", SECONDS)
    assert alice.names() == ["audio_segment_decoded", "speaker_left"]


def test_the_real_deadline_is_known_only_while_real_time_ends_something(room):
    place = room(follow_audio=True)
    alice = place.connect().joined()
    assert alice.session.real_deadline() == float("inf")
    alice.session.strike(fault(READING), place.now)
    assert alice.session.real_deadline() == place.real + SECONDS
    pass_time(place, "audio", SECONDS)
    assert alice.session.real_deadline() == float("inf")
