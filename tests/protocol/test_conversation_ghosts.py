"""Ghosts: speakers that the server plays."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from uhlive_mock.model.fault import Fault, FaultKind
from uhlive_mock.model.scenario import After, At, Cue, Moment, RawEvent, Say, Scenario, Script, Timing, When
from uhlive_mock.protocol.journal import Kind
from uhlive_mock.protocol.outbox import Close

T = "conversation:acme@conv1"


def at(position_ms: int, action: Fault | str) -> Cue:
    said = RawEvent(name=action) if isinstance(action, str) else action
    return Cue(trigger=At(position_ms=position_ms), action=said)


def when(moment: Moment, action: Fault | str) -> Cue:
    said = RawEvent(name=action) if isinstance(action, str) else action
    return Cue(trigger=When(moment=moment), action=said)


def after(delay_ms: int, name: str) -> Cue:
    return Cue(trigger=After(delay_ms=delay_ms), action=RawEvent(name=name))


def ghosts(latency_ms: int = 0, /, **scripts: tuple[Cue, ...] | Script) -> Scenario:
    """A scenario in which everyone is a ghost."""
    return Scenario(
        timing=Timing(latency_ms=latency_ms),
        speakers={
            name: script if isinstance(script, Script) else Script(cues=script, ghost=True)
            for name, script in scripts.items()
        },
    )


def told(peer) -> list[tuple[str, str | None]]:
    """Names and speakers of what the server sent."""
    return [(frame[3], frame[4].get("speaker")) for frame in peer.hears()]


# --- coming and going -----------------------------------------------------------------------------------


@pytest.mark.parametrize("readonly", [False, True])
def test_a_ghost_is_announced_behind_the_join_reply_of_the_first_participant(room, readonly):
    peer = room(scenario=ghosts(Gus=(at(1000, "a"),))).connect().join("Alice", readonly=readonly, model="en")
    reply, joined = peer.hears()
    assert reply[3] == "phx_reply"
    assert joined == [
        None,
        None,
        T,
        "speaker_joined",
        {
            "speaker": "Gus",
            "interim_results": True,
            "rescoring": True,
            "lang": "en",
            "country": "fr",
            "timestamp": 1_700_000_000_000,
        },
    ]


def test_whoever_comes_later_is_told_nothing_and_brings_no_second_ghost(room):
    place = room(scenario=ghosts(Gus=(at(5000, "a"),)))
    alice = place.connect().joined("Alice")
    alice.hears()
    bob = place.connect().joined("Bob")
    assert told(alice) == [("speaker_joined", "Bob")]
    place.advance(5)
    assert told(bob) == [("a", None), ("speaker_left", "Gus")]


def test_a_ghost_leaves_with_its_last_word(room):
    place = room(scenario=ghosts(250, Gus=(at(1000, "a"), at(2000, "b"), when(Moment.LEFT, "bye"))))
    alice = place.connect().joined("Alice")
    alice.hears()
    place.advance(2.249)
    assert alice.names() == ["a"]
    place.advance(0.001)
    left = alice.hears()
    assert [frame[3] for frame in left] == ["b", "bye", "speaker_left"]
    assert left[-1][4] == {"speaker": "Gus", "timestamp": 1_700_000_002_250}
    assert alice.session.next_deadline() is None


@pytest.mark.parametrize("end", ["leave", "drop"])
def test_a_ghost_leaves_with_the_last_participant(room, end):
    place = room(scenario=ghosts(Gus=(at(9000, "a"),)))
    alice, bob = place.connect().joined("Alice"), place.connect().joined("Bob")
    [conversation] = place.space.conversations.values()
    getattr(alice, end)()
    assert len(conversation.ghosts) == 1
    bob.hears()
    getattr(bob, end)()
    assert conversation.ghosts == []
    assert place.space.conversations == {}
    assert "a" not in bob.names()
    place.advance(100)


def test_a_ghost_comes_again_with_the_next_call(room):
    place = room(scenario=ghosts(Gus=(at(1000, "a"),)))
    for join_ref in ("1", "2"):
        peer = place.connect().joined("Alice", join_ref=join_ref)
        place.advance(2)
        assert told(peer) == [("a", None), ("speaker_left", "Gus")]
        peer.leave()


@pytest.mark.parametrize("cues", [(), (when(Moment.LEFT, "bye"),)])
def test_a_ghost_with_nothing_to_say_leaves_at_once(room, cues):
    place = room(scenario=ghosts(Gus=cues))
    alice = place.connect().joined("Alice")
    assert alice.session.next_deadline() == place.now
    place.advance(1)
    heard = alice.hears()
    assert [frame[3] for frame in heard][-1] == "speaker_left"
    assert heard[-1][4]["timestamp"] == 1_700_000_000_000


# --- speaking on time -------------------------------------------------------------------------------------


@pytest.mark.parametrize("start", [0.0, 0.1, 1.7e9, 1.7e9 + 0.123, 1.7e9 + 1 / 3])
@pytest.mark.parametrize("latency_ms", [0, 333])
def test_a_ghost_speaks_at_the_pace_of_real_speech(room, start, latency_ms):
    cues = (at(0, "0"), *(at(37 * number, str(37 * number)) for number in range(1, 100)))
    place = room(scenario=ghosts(latency_ms, Gus=cues), now=start)
    alice = place.connect().joined("Alice")
    place.advance(5)
    sent = [
        (entry.event, entry.now - start)
        for entry in place.space.journal.messages(kind=Kind.SENT)
        if str(entry.event).isdigit()
    ]
    assert [name for name, _ in sent] == [str(37 * number) for number in range(100)]
    for name, heard_s in sent:
        assert heard_s == pytest.approx(int(name) / 1000 + latency_ms / 1000, abs=1e-5, rel=0)
    assert alice.names()[-1] == "speaker_left"


def test_a_ghost_follows_the_audio_of_whoever_has_sent_most(room):
    place = room(
        scenario=ghosts(Gus=tuple(at(second * 1000, str(second)) for second in range(1, 8))), follow_audio=True
    )
    alice, bob = place.connect().joined("Alice"), place.connect().joined("Bob")
    alice.hears()
    alice.audio(2.5)
    assert alice.names() == ["1", "2"]
    bob.audio(2)
    assert alice.names() == []
    bob.audio(1)
    assert alice.names() == ["3"]
    place.advance(1)
    assert alice.names() == ["4"]
    assert bob.names() == ["1", "2", "3", "4"]


def test_a_conversations_time_does_not_go_back_when_its_fastest_speaker_leaves(room):
    cues = tuple(at(second * 1000, str(second)) for second in range(1, 20))
    place = room(scenario=ghosts(Gus=cues), follow_audio=True)
    alice, bob = place.connect().joined("Alice"), place.connect().joined("Bob")
    alice.audio(10)
    bob.hears()
    alice.leave()
    assert bob.names() == ["speaker_left"]
    place.advance(2)
    assert bob.names() == ["11", "12"]


@given(
    chunks=st.lists(st.integers(1, 40_000), min_size=1, max_size=20),
    positions=st.lists(st.integers(0, 5000), min_size=1, max_size=8),
    latency_ms=st.sampled_from([0, 70]),
    start=st.sampled_from([0.0, 1.7e9 + 1 / 3]),
)
def test_how_audio_is_cut_changes_nothing_of_a_rehearsal(room, chunks, positions, latency_ms, start):
    def heard(sizes: list[int]) -> list[str]:
        real = Script(cues=tuple(at(number * 500 + 3, f"Alice {number}") for number in range(9)))
        gus = tuple(at(position, f"Gus {position}") for position in positions)
        place = room(scenario=ghosts(latency_ms, Gus=gus, Alice=real), follow_audio=True, now=start)
        peer = place.connect().joined("Alice")
        for size in sizes:
            peer.audio(data=bytes(2 * size))
        place.advance(10)
        return peer.texts()

    assert heard(chunks) == heard([sum(chunks)])


# --- from where positions count ---------------------------------------------------------------------------


@pytest.mark.parametrize("follow_audio", [False, True])
def test_a_ghost_can_wait_for_the_first_audio(room, follow_audio):
    script = Script(
        cues=(
            when(Moment.JOINED, "hello"),
            at(0, "a"),
            at(1000, "b"),
            when(Moment.FIRST_AUDIO, "c"),
            after(500, "d"),
        ),
        ghost=True,
        say_from=Moment.FIRST_AUDIO,
    )
    place = room(scenario=ghosts(Gus=script), follow_audio=follow_audio)
    alice = place.connect().joined("Alice")
    place.advance(10)
    assert alice.names() == ["hello"]
    alice.audio(data=b"")
    alice.audio(data=b"\0")
    place.advance(10)
    assert alice.names() == []
    alice.audio(data=b"\0")
    place.advance(0.1)
    assert sorted(alice.names()) == ["a", "c"]
    place.advance(2)
    assert alice.names() == ["d", "b", "speaker_left"]


def test_the_first_audio_of_a_ghost_is_where_its_own_positions_begin(room):
    place = room(scenario=ghosts(Gus=(when(Moment.FIRST_AUDIO, "a"), after(500, "b"))))
    alice = place.connect().joined("Alice")
    place.advance(0.499)
    assert alice.names() == ["a"]
    place.advance(0.001)
    assert alice.names() == ["b", "speaker_left"]


def test_a_ghost_that_loops_goes_on_as_long_as_somebody_listens(room):
    script = Script(cues=(at(300, "a"), at(700, "b")), ghost=True, loop_ms=1000)
    place = room(scenario=ghosts(Gus=script))
    alice = place.connect().joined("Alice")
    alice.hears()
    place.advance(3.5)
    assert alice.names() == ["a", "b"] * 3 + ["a"]
    place.advance(100)
    assert alice.names() == ["b", "a"] * 100
    alice.leave()
    assert place.space.conversations == {}


# --- names and ids ------------------------------------------------------------------------------------------


def test_utterance_ids_are_unique_among_ghosts_and_speakers(room):
    say = Cue(trigger=At(position_ms=0), until_ms=500, action=Say(text="un deux"))
    speakers = {name: Script(cues=(say,), ghost=name != "*") for name in ("*", "Gus", "Gerd")}
    place = room(scenario=Scenario(speakers=speakers))
    alice, bob = place.connect().joined("Alice"), place.connect().joined("Bob")
    for peer in (alice, bob):
        peer.audio(1)
    place.advance(2)
    alice.leave()
    segments = [frame[4] for frame in alice.hears() if frame[3] == "audio_segment_decoded"]
    assert sorted(segment["speaker"] for segment in segments) == ["Alice", "Bob", "Gerd", "Gus"]
    assert len({segment["id"] for segment in segments}) == 4


@pytest.mark.parametrize("first", ["Gus", "Alice"])
def test_a_real_speaker_of_a_ghosts_name_speaks_beside_it_with_ids_of_its_own(room, first):
    say = Cue(trigger=At(position_ms=0), until_ms=500, action=Say(text="un deux"))
    place = room(scenario=ghosts(Gus=(say, at(3000, "end"))))
    peers = {name: place.connect().joined(name) for name in (first, "Gus" if first == "Alice" else "Alice")}
    peers["Gus"].audio(1)
    place.advance(2)
    segments = [frame[4] for frame in peers["Alice"].hears() if frame[3] == "audio_segment_decoded"]
    assert [segment["speaker"] for segment in segments] == ["Gus", "Gus"]
    assert len({segment["id"] for segment in segments}) == 2


def test_ids_that_count_from_0_do_so_for_ghosts_too(room):
    say = Cue(trigger=At(position_ms=0), until_ms=500, action=Say(text="un"))
    place = room(scenario=ghosts(Gus=(say,), Gerd=(say,)), utterance_ids="speaker")
    alice = place.connect().joined("Alice")
    place.advance(2)
    assert {frame[4]["id"] for frame in alice.hears() if frame[3] == "audio_segment_decoded"} == {"0"}


def test_a_ghosts_name_is_taken_where_names_are_unique(room):
    place = room(scenario=ghosts(Gus=(at(5000, "a"),)), duplicate_speaker="reject")
    alice = place.connect().joined("Alice")
    gus = place.connect().join("Gus")
    assert gus.hears()[0][4]["response"] == {"reason": "speaker already joined"}
    place.advance(6)
    assert place.connect().join("Gus").hears()[0][4]["status"] == "ok"
    assert alice.names() == ["a", "speaker_left", "speaker_joined"]


def test_a_real_speaker_replaces_a_ghost_where_the_second_of_a_name_does(room):
    place = room(scenario=ghosts(Gus=(at(5000, "a"),)), duplicate_speaker="replace")
    alice = place.connect().joined("Alice")
    place.connect().joined("Gus")
    place.advance(6)
    assert told(alice) == [("speaker_left", "Gus"), ("speaker_joined", "Gus")]


@pytest.mark.parametrize("choice", ["reject", "replace"])
def test_no_ghost_comes_to_a_speaker_of_its_name_where_names_are_unique(room, choice):
    place = room(scenario=ghosts(Gus=(at(5000, "a"),)), duplicate_speaker=choice)
    gus = place.connect().joined("Gus")
    place.advance(6)
    assert gus.hears() == []


def test_two_conversations_have_two_ghosts(room):
    place = room(scenario=ghosts(Gus=(at(1000, "a"),)))
    first = place.connect().joined("Alice")
    place.advance(0.5)
    second = place.connect().joined("Alice", topic=T + "2")
    place.advance(0.5)
    assert (first.names(), second.names()) == (["a", "speaker_left"], [])
    place.advance(0.5)
    assert (first.names(), second.names()) == ([], ["a", "speaker_left"])


def test_several_ghosts_speak_in_the_order_of_time_even_when_the_server_is_late(room):
    place = room(scenario=ghosts(Gus=(at(100, "1"), at(300, "3")), Gerd=(at(200, "2"), at(400, "4"))))
    alice = place.connect().joined("Alice")
    alice.hears()
    place.wait(1)
    assert [name for name in alice.names() if name != "speaker_left"] == ["1", "2", "3", "4"]


# --- faults ---------------------------------------------------------------------------------------------------


def test_a_ghosts_fault_strikes_the_listener_it_names(room):
    cues = (at(1000, Fault(kind=FaultKind.CLOSE, value=1011, speaker="Bob")), at(2000, "a"))
    place = room(scenario=ghosts(Gus=cues))
    alice, bob = place.connect().joined("Alice"), place.connect().joined("Bob")
    place.advance(3)
    assert bob.hears() == [Close(1011)]
    assert alice.names() == ["speaker_joined", "speaker_left", "a", "speaker_left"]


def test_a_ghosts_fault_without_a_name_strikes_who_has_listened_longest(room):
    place = room(scenario=ghosts(Gus=(at(1000, Fault(kind=FaultKind.CRASH)), at(1000, "a"), at(2000, "b"))))
    alice, bob = place.connect().joined("Alice"), place.connect().joined("Bob")
    alice.hears()
    place.wait(3)
    assert alice.names() == ["phx_error"]
    assert bob.names() == ["speaker_left", "a", "b", "speaker_left"]


def test_a_ghosts_fault_can_end_the_call_in_mid_sentence(room):
    cues = (at(1000, Fault(kind=FaultKind.CLOSE, value=1011)), at(1000, "a"), when(Moment.LEFT, "bye"))
    place = room(scenario=ghosts(Gus=cues))
    alice = place.connect().joined("Alice")
    alice.hears()
    place.advance(3)
    assert alice.hears() == [Close(1011)]
    assert place.space.conversations == {}


@pytest.mark.parametrize("kind", [FaultKind.CRASH, FaultKind.RESET, FaultKind.DROP_EVENTS])
def test_a_ghosts_last_fault_meets_nobody_when_everyone_has_left(room, kind):
    place = room(scenario=ghosts(Gus=(at(9000, "a"), when(Moment.LEFT, Fault(kind=kind)))))
    alice = place.connect().joined("Alice")
    alice.leave()
    skipped = [entry.note for entry in place.space.journal if entry.kind is Kind.FAULT_SKIPPED]
    assert skipped == [f"{kind}: nobody was left"]
    assert not place.space.faults
