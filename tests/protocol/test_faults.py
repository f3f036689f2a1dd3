"""Faults: armed from outside, and as cues of a script."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, strategies as st

from uhlive_mock.model.fault import Fault, FaultKind, Stage
from uhlive_mock.model.scenario import After, At, Cue, Moment, RawEvent, Scenario, Script, Timing, When
from uhlive_mock.protocol.faults import FaultBox
from uhlive_mock.protocol.journal import Journal, Kind
from uhlive_mock.protocol.outbox import Close, CutFrame, Reset
from uhlive_mock.protocol.records import SkipReason

T = "conversation:acme@conv1"
OK = {"status": "ok", "response": {}}

VALUES = {
    FaultKind.TOKEN_STATUS: 503,
    FaultKind.TOKEN_ERROR: "invalid_client",
    FaultKind.TOKEN_DELAY: 1000,
    FaultKind.HANDSHAKE_STATUS: 503,
    FaultKind.JOIN_ERROR: "no",
    FaultKind.JOIN_DELAY: 1000,
    FaultKind.DELAY_EVENTS: 1000,
    FaultKind.RENAME_EVENTS: "renamed",
    FaultKind.CLOSE: 1011,
    FaultKind.STOP_READING: 1000,
    FaultKind.STOP_WRITING: 1000,
}


def fault(kind: FaultKind, **reach) -> Fault:
    return Fault(kind=kind, value=VALUES.get(kind), **reach)


def at(position_ms: int, action: Fault | str) -> Cue:
    said = RawEvent(name=action) if isinstance(action, str) else action
    return Cue(trigger=At(position_ms=position_ms), action=said)


def when(moment: Moment, action: Fault | str) -> Cue:
    said = RawEvent(name=action) if isinstance(action, str) else action
    return Cue(trigger=When(moment=moment), action=said)


def scripts(**speakers: tuple[Cue, ...]) -> Scenario:
    return Scenario(
        speakers={name: Script(cues=cues) for name, cues in speakers.items()}, timing=Timing(latency_ms=0)
    )


def written(place) -> list[str]:
    """The faults in the journal, the skipped ones with the reason."""
    return [entry.note for entry in place.space.journal if entry.kind in (Kind.FAULT, Kind.FAULT_SKIPPED)]


@pytest.fixture
def box() -> FaultBox:
    return FaultBox(0, Journal(lambda: 0.0))


def notes(box: FaultBox) -> list[tuple[str, str]]:
    return [(str(entry.kind), entry.note) for entry in box._journal]


# --- the box --------------------------------------------------------------------------------------------


def test_an_empty_box_is_false_and_gives_nothing(box):
    assert not box
    assert box.take(Stage.JOIN, 0.0) is None


def test_a_fault_applies_as_often_as_it_counts(box):
    box.arm(fault(FaultKind.JOIN_SILENCE, count=2))
    assert [box.take(Stage.JOIN, 0.0) is not None for _ in range(3)] == [True, True, False]
    assert not box
    assert notes(box) == [("fault", "join_silence")] * 2


def test_a_fault_without_count_applies_for_ever(box):
    box.arm(fault(FaultKind.JOIN_SILENCE, count=None))
    assert all(box.take(Stage.JOIN, 0.0) for _ in range(100))
    assert box


def test_the_first_armed_applies_first(box):
    first, second = fault(FaultKind.JOIN_SILENCE), fault(FaultKind.JOIN_ERROR)
    box.arm(first)
    box.arm(second)
    assert [box.take(Stage.JOIN, 0.0), box.take(Stage.JOIN, 0.0)] == [first, second]


@pytest.mark.parametrize("kind", FaultKind)
def test_a_fault_waits_for_its_own_stage(box, kind):
    box.arm(fault(kind))
    taken = {stage: box.take(stage, 0.0, speaker="Alice", event="a") for stage in Stage if stage is not kind.stage}
    assert set(taken.values()) == {None}
    assert box.take(kind.stage, 0.0, speaker="Alice", event="a") == fault(kind)


@pytest.mark.parametrize(
    ("reach", "speaker", "event", "strikes"),
    [
        ({}, None, None, True),
        ({"speaker": "Bob"}, "Bob", "a", True),
        ({"speaker": "Bob"}, "Alice", "a", False),
        ({"speaker": "Bob"}, None, "a", False),
        ({"event": "entity_*"}, "Bob", "entity_a", True),
        ({"event": "entity_*"}, "Bob", "words", False),
        ({"event": "*"}, "Bob", None, False),
    ],
)
def test_a_fault_reaches_its_speaker_and_its_events(box, reach, speaker, event, strikes):
    box.arm(fault(FaultKind.DROP_EVENTS, **reach))
    assert (box.take(Stage.EVENTS, 0.0, speaker=speaker, event=event) is not None) is strikes


def test_one_that_is_not_meant_hides_none_behind_it(box):
    box.arm(fault(FaultKind.DROP_EVENTS, speaker="Bob"))
    box.arm(fault(FaultKind.DUPLICATE_EVENTS))
    assert box.take(Stage.EVENTS, 0.0, speaker="Alice", event="a") == fault(FaultKind.DUPLICATE_EVENTS)


def test_chance_comes_from_the_seed_and_what_it_let_pass_is_written_down():
    def taken(seed: int) -> tuple[list[bool], list[str]]:
        journal = Journal(lambda: 0.0)
        box = FaultBox(seed, journal)
        box.arm(fault(FaultKind.JOIN_SILENCE, count=None, probability=0.5))
        return [box.take(Stage.JOIN, 0.0) is not None for _ in range(200)], [entry.note for entry in journal]

    assert taken(1) == taken(1)
    assert taken(1) != taken(2)
    struck, written = taken(1)
    assert 60 < sum(struck) < 140
    assert written == ["join_silence" if each else "join_silence: chance let it pass" for each in struck]


def test_what_chance_lets_pass_does_not_count(box):
    box.arm(fault(FaultKind.JOIN_SILENCE, count=3, probability=0.3))
    assert sum(box.take(Stage.JOIN, 0.0) is not None for _ in range(500)) == 3


def test_forgetting_writes_down_only_what_never_applied(box):
    for each in (
        fault(FaultKind.JOIN_SILENCE, count=None),
        fault(FaultKind.JOIN_ERROR, count=2),
        fault(FaultKind.CRASH),
    ):
        box.arm(each)
    box.take(Stage.JOIN, 0.0)
    box.forget(0.0, SkipReason.NO_TURN)
    assert notes(box) == [
        ("fault", "join_silence"),
        ("fault_skipped", "join_error: no: its turn never came"),
        ("fault_skipped", "crash: its turn never came"),
    ]
    assert not box


# --- joins ----------------------------------------------------------------------------------------------


def test_a_join_can_be_refused_with_any_reason(room):
    place = room()
    place.space.faults.arm(fault(FaultKind.JOIN_ERROR))
    peer = place.connect().join()
    assert peer.hears() == [["1", "1", T, "phx_reply", {"status": "error", "response": {"reason": "no"}}]]
    assert not peer.session.has_joined
    assert peer.joined(join_ref="2").session.has_joined


def test_a_join_that_is_not_answered_leaves_the_topic_unjoined(room):
    place = room()
    place.space.faults.arm(fault(FaultKind.JOIN_SILENCE))
    peer = place.connect().join()
    assert peer.hears() == []
    assert not peer.session.has_joined
    assert place.space.conversations == {}
    peer.audio(0.1)
    assert peer.hears()[0][4]["response"] == {"reason": "unmatched topic"}


def test_a_fault_for_one_speakers_join_lets_the_others_in(room):
    place = room()
    place.space.faults.arm(fault(FaultKind.JOIN_ERROR, speaker="Bob"))
    assert [place.connect().join(name).hears()[0][4]["status"] for name in ("Alice", "Bob", "Bob")] == [
        "ok",
        "error",
        "ok",
    ]


def test_a_slow_join_holds_everything_else_on_its_socket(room):
    place = room(chunk_reply="ok")
    other = place.connect().joined("Bob")
    peer = place.connect().joined(topic=T + "2")
    place.space.faults.arm(fault(FaultKind.JOIN_DELAY))
    peer.join(join_ref="5", ref="5")
    peer.audio(0.1)
    peer.send(None, "7", "phoenix", "heartbeat")
    other.send(None, "8", "phoenix", "heartbeat")
    assert (peer.hears(), len(other.hears())) == ([], 1)
    assert not peer.session.reading
    assert peer.session.next_deadline() == place.now + 1
    place.advance(0.999)
    assert peer.hears() == []
    place.advance(0.001)
    assert [frame[:2] for frame in peer.hears()] == [["5", "5"], ["5", "2"], [None, "7"]]
    assert other.names() == ["speaker_joined"]


def test_the_others_still_reach_a_socket_whose_join_is_slow(room):
    place = room()
    peer = place.connect().observing(topic=T + "2")
    place.space.faults.arm(fault(FaultKind.JOIN_DELAY, speaker="Alice"))
    peer.join()
    place.connect().joined("Bob", topic=T + "2")
    assert peer.names() == ["speaker_joined"]


def test_a_socket_lost_before_its_slow_join_is_answered_never_joined(room):
    place = room()
    place.space.faults.arm(fault(FaultKind.JOIN_DELAY))
    peer = place.connect().join()
    peer.drop()
    place.advance(5)
    assert peer.hears() == []
    assert place.space.hearings == []


# --- a channel, a socket ----------------------------------------------------------------------------------

ENDS = {
    FaultKind.CRASH: [["1", "1", T, "phx_error", {"reason": "channel_crash"}]],
    FaultKind.CLOSE: [Close(1011)],
    FaultKind.RESET: [Reset()],
    FaultKind.CUT_FRAME: [CutFrame()],
}


@pytest.mark.parametrize("kind", ENDS)
@pytest.mark.parametrize("how", ["cue", "struck", "armed"])
def test_a_stay_can_end_in_each_of_these_ways(room, kind, how):
    place = room(scenario=scripts(Alice=(at(500, fault(kind)),)) if how == "cue" else None)
    bob = place.connect().joined("Bob")
    if how == "armed":
        place.space.faults.arm(fault(kind, speaker="Alice"))
    alice = place.connect().join()
    if how == "struck":
        assert alice.session.strike(fault(kind, speaker="Alice"), place.now)
    elif how == "cue":
        alice.audio(1)
    assert alice.hears() == [["1", "1", T, "phx_reply", OK], *ENDS[kind]]
    assert bob.names() == ["speaker_joined", "speaker_left"]
    assert alice.session.ended is (kind is not FaultKind.CRASH)
    assert not alice.session.has_joined
    assert written(place) == [str(fault(kind))]
    assert place.space.hearings[-1].left_cleanly is False


def test_the_server_can_close_a_channel_with_all_that_was_heard(room):
    cues = (at(500, fault(FaultKind.CLOSE_CHANNEL)), at(500, "behind"), at(600, "later"))
    place = room(scenario=scripts(Alice=cues))
    bob = place.connect().joined("Bob")
    alice = place.connect().joined("Alice")
    alice.audio(1)
    assert alice.names() == ["phx_close", "behind", "later", "speaker_left"]
    assert bob.names() == ["speaker_joined", "behind", "later", "speaker_left"]
    assert place.space.hearings[-1].left_cleanly is False


@pytest.mark.parametrize("kind", ENDS)
def test_what_was_due_with_the_end_of_a_stay_comes_before_speaker_left(room, kind):
    place = room(scenario=scripts(Alice=(at(500, "a"), at(500, fault(kind)), at(500, "b"), at(900, "c"))))
    bob = place.connect().joined("Bob")
    place.connect().joined("Alice").audio(1)
    assert bob.names() == ["speaker_joined", "a", "b", "c", "speaker_left"]


def test_of_two_ends_in_one_breath_the_second_is_skipped(room):
    place = room(scenario=scripts(Alice=(at(500, fault(FaultKind.CRASH)), at(500, fault(FaultKind.CLOSE_CHANNEL)))))
    alice = place.connect().joined("Alice")
    alice.audio(1)
    assert alice.names() == ["phx_error"]
    assert written(place) == ["crash", "close_channel: its channel was gone"]


def test_a_channel_that_crashed_can_be_joined_again(room):
    place = room(scenario=scripts(Alice=(at(500, fault(FaultKind.CRASH)),)))
    alice = place.connect().joined("Alice")
    alice.audio(1)
    assert alice.names() == ["phx_error"]
    assert alice.joined(join_ref="2").session.has_joined


def test_a_fault_from_outside_reaches_the_speaker_it_names(room):
    place = room()
    alice, bob = place.connect().joined("Alice"), place.connect().joined("Bob")
    alice.hears()
    crash = fault(FaultKind.CRASH, speaker="Bob")
    assert [peer.session.strike(crash, place.now) for peer in (alice, bob)] == [False, True]
    assert bob.names() == ["phx_error"]


def test_a_cue_can_strike_another_speaker_here_and_now(room):
    place = room(scenario=scripts(Alice=(at(500, fault(FaultKind.CRASH, speaker="Bob")),)))
    bob, alice = place.connect().joined("Bob"), place.connect().joined("Alice")
    bob.hears()
    alice.audio(1)
    assert bob.names() == ["phx_error"]
    assert alice.names() == ["speaker_left"]
    assert written(place) == ["crash"]


def test_a_cue_for_a_speaker_who_is_not_there_waits_for_its_join(room):
    place = room(scenario=scripts(Alice=(at(500, fault(FaultKind.CLOSE, speaker="Bob")),)))
    place.connect().joined("Alice").audio(1)
    assert written(place) == []
    assert place.connect().join("Bob").hears()[1:] == [Close(1011)]
    assert written(place) == ["close: 1011"]


def test_chance_decides_about_a_cue_as_well(room):
    rare = fault(FaultKind.STOP_WRITING, probability=0.5)

    def struck(seed: int) -> bool:
        place = room(scenario=scripts(Alice=(at(100, rare),)), seed=seed)
        alice = place.connect().joined("Alice")
        alice.audio(1)
        assert written(place) == [str(rare) + (": chance let it pass" if alice.session.writing else "")]
        return not alice.session.writing

    found = [struck(seed) for seed in range(40)]
    assert 8 < sum(found) < 32
    assert found == [struck(seed) for seed in range(40)]


def test_a_socket_that_is_not_read_answers_when_it_is(room):
    place = room(scenario=scripts(Alice=(at(500, fault(FaultKind.STOP_READING)), at(700, "a"), at(1200, "b"))))
    alice = place.connect().joined("Alice")
    alice.audio(1)
    alice.audio(1)
    alice.send(None, "7", "phoenix", "heartbeat")
    assert alice.names() == ["a"]
    assert alice.session.next_deadline() == place.now + 1
    place.advance(0.999)
    assert alice.names() == []
    place.advance(0.001)
    assert alice.names() == ["b", "phx_reply"]


def test_a_socket_that_is_not_written_to_says_so_until_its_time(room):
    place = room(scenario=scripts(Alice=(at(500, fault(FaultKind.STOP_WRITING)),)))
    alice = place.connect().joined("Alice")
    assert alice.session.writing
    alice.audio(1)
    assert not alice.session.writing
    assert alice.session.reading
    assert alice.session.next_deadline() == place.now + 1
    before = alice.woken
    place.advance(1)
    assert alice.session.writing
    assert alice.woken > before


def test_a_mute_socket_answers_no_heartbeat_and_everything_else(room):
    place = room(scenario=scripts(Alice=(when(Moment.JOINED, fault(FaultKind.MUTE_HEARTBEATS)),)))
    alice = place.connect().joined("Alice")
    place.advance(0)
    assert alice.session.muted
    alice.send(None, "7", "phoenix", "heartbeat")
    assert alice.hears() == []
    alice.leave()
    assert alice.names() == ["phx_reply", "phx_close", "speaker_left"]


def test_several_faults_can_wait_for_one_join(room):
    place = room()
    for kind in (FaultKind.MUTE_HEARTBEATS, FaultKind.STOP_READING, FaultKind.STOP_WRITING):
        place.space.faults.arm(fault(kind))
    session = place.connect().joined().session
    assert (session.muted, session.reading, session.writing) == (True, False, False)


def test_what_waits_behind_the_end_of_a_stay_goes_on_waiting(room):
    place = room()
    place.space.faults.arm(fault(FaultKind.CRASH))
    place.space.faults.arm(fault(FaultKind.MUTE_HEARTBEATS))
    first = place.connect().join()
    assert not first.session.muted
    assert place.connect().joined().session.muted


# --- events -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (FaultKind.DROP_EVENTS, ["a", "c"]),
        (FaultKind.DUPLICATE_EVENTS, ["a", "b", "b", "c"]),
        (FaultKind.REORDER_EVENTS, ["a", "c", "b"]),
        (FaultKind.RENAME_EVENTS, ["a", "renamed", "c"]),
        (FaultKind.DELAY_EVENTS, ["a"]),
    ],
)
def test_a_cue_strikes_the_next_event_to_its_own_speaker(room, kind, names):
    place = room(scenario=scripts(Alice=(at(0, "a"), at(100, fault(kind)), at(200, "b"), at(300, "c"))))
    bob, alice = place.connect().joined("Bob"), place.connect().joined("Alice")
    bob.hears()
    alice.audio(1)
    assert alice.names() == names
    assert bob.names() == ["a", "b", "c"]
    assert written(place) == [str(fault(kind))]


def test_a_cut_event_is_cut_for_its_own_speaker_only(room):
    place = room(scenario=scripts(Alice=(at(100, fault(FaultKind.MALFORMED_JSON)), at(200, "b"))))
    bob, alice = place.connect().joined("Bob"), place.connect().joined("Alice")
    bob.hears()
    alice.audio(1)
    with pytest.raises(json.JSONDecodeError):
        alice.hears()
    assert bob.names() == ["b"]


def test_delayed_events_keep_their_order_behind_the_leaves_answers(room):
    place = room(scenario=scripts(Alice=(at(100, fault(FaultKind.DELAY_EVENTS)), at(200, "a"), at(300, "b"))))
    alice = place.connect().joined("Alice")
    alice.audio(1)
    alice.leave()
    assert alice.names() == ["phx_reply", "phx_close"]
    place.advance(1)
    assert alice.names() == ["a", "b", "speaker_left"]


@pytest.mark.parametrize("how", ["cue", "left", "armed"])
def test_the_own_speaker_left_can_be_dropped(room, how):
    drop = fault(FaultKind.DROP_EVENTS, event="speaker_left")
    cues = {"cue": (at(100, drop),), "left": (when(Moment.LEFT, drop),), "armed": ()}[how]
    place = room(scenario=scripts(Alice=cues))
    alice = place.connect().joined("Alice")
    if how == "armed":
        place.space.faults.arm(Fault(kind=drop.kind, event=drop.event, speaker="Alice"))
    alice.audio(1)
    alice.leave()
    assert alice.names() == ["phx_reply", "phx_close"]
    assert written(place) == ["drop_events"]


def test_an_event_fault_that_met_no_event_is_skipped_when_its_speaker_has_left(room):
    place = room(scenario=scripts(Alice=(at(100, fault(FaultKind.DROP_EVENTS, event="entity_*")),)))
    alice = place.connect().joined("Alice")
    alice.audio(1)
    alice.leave()
    assert alice.names() == ["phx_reply", "phx_close", "speaker_left"]
    assert written(place) == ["drop_events: no event came before its speaker left"]
    assert not place.space.faults


def test_the_fault_of_one_speakers_stay_does_not_outlive_it(room):
    endless = fault(FaultKind.DROP_EVENTS, count=None)
    place = room(scenario=scripts(Alice=(at(100, endless),), Bob=(at(100, "b"),)))
    alice = place.connect().joined("Alice")
    bob = place.connect().joined("Bob")
    alice.hears()
    alice.audio(1)
    bob.audio(1)
    alice.leave()
    assert bob.names() == ["b", "speaker_left"]
    assert alice.names() == ["phx_reply", "phx_close"]
    assert not place.space.faults
    assert set(written(place)) == {"drop_events"}


# --- cues of the leave --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [FaultKind.CRASH, FaultKind.CLOSE_CHANNEL])
def test_a_channel_that_leaves_can_neither_crash_nor_be_closed(room, kind):
    place = room(scenario=scripts(Alice=(when(Moment.LEFT, fault(kind)), when(Moment.LEFT, "last"))))
    alice = place.connect().joined("Alice")
    alice.leave()
    assert alice.names() == ["phx_reply", "phx_close", "last", "speaker_left"]
    assert written(place) == [f"{kind}: its channel was gone"]


@pytest.mark.parametrize("kind", [FaultKind.CRASH, FaultKind.CLOSE_CHANNEL, FaultKind.CLOSE, FaultKind.RESET])
def test_a_lost_socket_is_struck_by_nothing_any_more(room, kind):
    place = room(scenario=scripts(Alice=(when(Moment.LEFT, fault(kind)), when(Moment.LEFT, "last"))))
    bob, alice = place.connect().joined("Bob"), place.connect().joined("Alice")
    bob.hears()
    alice.drop()
    assert alice.hears() == []
    assert bob.names() == ["last", "speaker_left"]
    assert written(place) == [f"{fault(kind)}: its socket was gone"]


def test_a_socket_that_ends_while_it_is_joined_again_joins_nothing(room):
    place = room(scenario=scripts(Alice=(when(Moment.LEFT, fault(FaultKind.CLOSE)),)))
    alice = place.connect().joined("Alice")
    alice.join("Alice", join_ref="2")
    assert alice.hears() == [Close(1011)]
    assert not alice.session.has_joined
    assert place.space.conversations == {}


@pytest.mark.parametrize(("kind", "end"), [(FaultKind.CLOSE, Close(1011)), (FaultKind.RESET, Reset())])
def test_a_socket_can_be_lost_between_a_leave_and_its_speaker_left(room, kind, end):
    place = room(scenario=scripts(Alice=(when(Moment.LEFT, "last"), when(Moment.LEFT, fault(kind)))))
    bob, alice = place.connect().joined("Bob"), place.connect().joined("Alice")
    bob.hears()
    alice.leave()
    heard = alice.hears()
    assert [frame[3] for frame in heard[:-1]] == ["phx_reply", "phx_close", "last"]
    assert heard[-1] == end
    assert bob.names() == ["last", "speaker_left"]
    assert written(place) == [str(fault(kind))]


# --- anything at all ------------------------------------------------------------------------------------------

_FAULTS = st.builds(
    fault,
    st.sampled_from([kind for kind in FaultKind if kind.stage not in (Stage.TOKEN, Stage.HANDSHAKE)]),
    count=st.sampled_from([1, 2, None]),
    speaker=st.sampled_from([None, "Alice", "Bob"]),
    probability=st.sampled_from([1.0, 0.5]),
)
_TRIGGERS = st.one_of(
    st.builds(At, position_ms=st.integers(0, 2000)),
    st.builds(After, delay_ms=st.integers(0, 500)),
    st.builds(When, moment=st.sampled_from(Moment)),
)
_CUES = st.builds(Cue, trigger=_TRIGGERS, action=_FAULTS | st.builds(RawEvent, name=st.sampled_from("abc")))
_DEEDS = st.tuples(
    st.sampled_from(["join", "audio", "audio", "leave", "drop", "wait", "strike", "arm"]),
    st.integers(0, 2),
    _FAULTS,
)


@given(
    cues=st.fixed_dictionaries({name: st.lists(_CUES, max_size=4).map(tuple) for name in ("Alice", "Bob", "Gus")}),
    deeds=st.lists(_DEEDS, max_size=15),
    follow_audio=st.booleans(),
    seed=st.integers(0, 9),
)
def test_no_faults_of_any_kind_break_a_space_and_one_seed_breaks_it_in_one_way(
    room, cues, deeds, follow_audio, seed
):
    def journal() -> list:
        speakers = {name: Script(cues=cues[name], ghost=name == "Gus") for name in cues}
        scenario = Scenario(speakers=speakers, timing=Timing(latency_ms=100))
        place = room(scenario=scenario, follow_audio=follow_audio, seed=seed)
        peers = [place.connect() for _ in range(3)]
        for deed, number, each in deeds:
            peer = peers[number]
            match deed:
                case "join":
                    peer.join(("Alice", "Bob", "Alice")[number])
                case "audio":
                    peer.audio(0.7)
                case "leave":
                    peer.leave()
                case "drop":
                    peer.drop()
                case "wait":
                    place.advance(0.8)
                case "strike" if each.kind.stage in (Stage.CHANNEL, Stage.SOCKET):
                    peer.session.strike(each, place.now)
                case _:
                    place.space.faults.arm(each)
        place.advance(100)
        for peer in peers:
            peer.drop()
        assert place.space.conversations == {}
        assert all(hearing.left_cleanly is not None for hearing in place.space.hearings)
        return list(place.space.journal)

    assert journal() == journal()
