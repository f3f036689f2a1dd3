"""What faults do to events on their way to one socket."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, strategies as st

from uhlive_mock.model.account import Vocabulary
from uhlive_mock.model.events import Raw
from uhlive_mock.model.fault import Fault, FaultKind
from uhlive_mock.model.limits import Limits
from uhlive_mock.model.scenario import At, Cue, Say, SayEntity, SayNormalized, SayRelation, SayTags, ScriptedTag
from uhlive_mock.protocol.faults import FaultBox, send_event
from uhlive_mock.protocol.flow_control import FlowControl
from uhlive_mock.protocol.journal import Journal, Kind, Participation
from uhlive_mock.protocol.outbox import Letter, Outbox
from uhlive_mock.wire.framing import Framing, Message, encode
from uhlive_mock.wire.vocabulary import WRITERS

VALUES = {FaultKind.DELAY_EVENTS: 1000, FaultKind.RENAME_EVENTS: "renamed"}


class Line:
    """An outbox, its faults and a float for the time."""

    def __init__(self, framing: Framing = Framing.VSN2) -> None:
        self.now = 100.0
        self.framing = framing
        self.journal = Journal(lambda: 0.0)
        self.faults = FaultBox(0, self.journal)
        self.outbox = Outbox(framing, Journal(lambda: 0.0), 1)

    def arm(self, kind: FaultKind, value: int | str | None = None, **reach) -> Line:
        self.faults.arm(Fault(kind=kind, value=VALUES.get(kind) if value is None else value, **reach))
        return self

    def send(self, *names: str, speaker: str = "Alice") -> Line:
        for name in names:
            message = Message(None, None, "t", name, {"é": name})
            other = Message(None, None, "t", f"other {name}", {})
            send_event(
                self.faults,
                self.outbox,
                FlowControl(Limits(), self.now),
                Letter(encode(self.framing, message), message, Participation(0, speaker)),
                self.now,
                other=lambda other=other: other,
                last=name == "speaker_left",
            )
        return self

    def wait(self, seconds: float) -> Line:
        self.now += seconds
        self.outbox.release(self.now)
        return self

    def sent(self) -> list[str]:
        return [json.loads(text)[3] for text in self.outbox.effects()]

    def applied(self) -> list[str]:
        return [entry.event for entry in self.journal if entry.kind is Kind.FAULT]


# --- one kind at a time ---------------------------------------------------------------------------------


def test_without_faults_events_and_replies_go_out_in_order_and_once():
    line = Line().send("a", "b")
    line.outbox.push(1, 1, "t", "c", {}, line.now)
    assert line.send("d").sent() == ["a", "b", "c", "d"]
    assert line.sent() == []
    assert line.outbox.next_deadline() is None


@pytest.mark.parametrize(
    ("kind", "sent"),
    [
        (FaultKind.DROP_EVENTS, ["b", "c"]),
        (FaultKind.DUPLICATE_EVENTS, ["a", "a", "b", "c"]),
        (FaultKind.REORDER_EVENTS, ["b", "a", "c"]),
        (FaultKind.RENAME_EVENTS, ["renamed", "b", "c"]),
        (FaultKind.WRONG_VOCABULARY, ["other a", "b", "c"]),
    ],
)
def test_a_fault_strikes_the_next_event_and_no_other(kind, sent):
    line = Line().arm(kind)
    assert line.send("a", "b", "c").sent() == sent
    assert line.applied() == ["a"]
    assert not line.faults


def test_a_renamed_event_keeps_its_payload():
    line = Line().arm(FaultKind.RENAME_EVENTS).send("a")
    assert line.outbox.effects() == ['[null,null,"t","renamed",{"é":"a"}]']


@pytest.mark.parametrize("framing", Framing)
@pytest.mark.parametrize("name", ["a", "", '"', "\\", "é😀", "]" * 90, "}" * 90])
def test_malformed_json_is_no_json(framing, name):
    [text] = Line(framing).arm(FaultKind.MALFORMED_JSON).send(name).outbox.effects()
    with pytest.raises(json.JSONDecodeError):
        json.loads(text)


# --- delays ---------------------------------------------------------------------------------------------


def test_a_delayed_event_comes_at_its_time_with_all_that_came_behind_it():
    line = Line().send("a").arm(FaultKind.DELAY_EVENTS, 1000).send("b", "c")
    assert line.sent() == ["a"]
    assert line.outbox.next_deadline() == line.now + 1
    assert line.wait(0.5).send("d").sent() == []
    assert line.wait(0.499).sent() == []
    assert line.wait(0.001).sent() == ["b", "c", "d"]
    assert line.send("e").sent() == ["e"]
    assert line.outbox.next_deadline() is None


def test_a_reply_overtakes_events_that_are_held_back():
    line = Line().arm(FaultKind.DELAY_EVENTS).send("a")
    line.outbox.push(1, 1, "t", "reply", {}, line.now)
    assert line.sent() == ["reply"]
    assert line.wait(1).sent() == ["a"]


def test_a_shorter_delay_does_not_overtake_a_longer_one():
    line = Line().arm(FaultKind.DELAY_EVENTS, 1000).arm(FaultKind.DELAY_EVENTS, 100).send("a", "b", "c")
    assert line.outbox.next_deadline() == line.now + 1
    assert line.wait(0.9).sent() == []
    assert line.wait(0.1).sent() == ["a", "b", "c"]


def test_a_longer_delay_behind_a_shorter_one_holds_only_what_is_behind_it():
    line = Line().arm(FaultKind.DELAY_EVENTS, 100).arm(FaultKind.DELAY_EVENTS, 1000).send("a", "b", "c")
    assert line.wait(0.1).sent() == ["a"]
    assert line.wait(0.9).sent() == ["b", "c"]


# --- swaps ----------------------------------------------------------------------------------------------


def test_each_swap_is_of_two_neighbours():
    line = Line().arm(FaultKind.REORDER_EVENTS, count=2)
    assert line.send("a", "b", "c", "d", "e").sent() == ["b", "a", "d", "c", "e"]
    assert line.applied() == ["a", "c"]


def test_endless_swaps_lose_nothing():
    line = Line().arm(FaultKind.REORDER_EVENTS, count=None)
    assert line.send("a", "b", "c", "speaker_left").sent() == ["b", "a", "speaker_left", "c"]


def test_no_event_is_swapped_with_one_behind_the_last():
    line = Line().arm(FaultKind.REORDER_EVENTS)
    assert line.send("speaker_left").sent() == ["speaker_left"]
    assert line.applied() == []
    assert list(line.faults)


def test_a_swap_with_a_delayed_event_comes_right_behind_it():
    line = Line().arm(FaultKind.REORDER_EVENTS).arm(FaultKind.DELAY_EVENTS).send("a", "b", "c")
    assert line.sent() == []
    assert line.wait(1).sent() == ["b", "a", "c"]


def test_a_swap_with_a_dropped_event_is_one_with_the_next():
    line = Line().arm(FaultKind.REORDER_EVENTS).arm(FaultKind.DROP_EVENTS).send("a", "b", "c", "d")
    assert line.sent() == ["c", "a", "d"]


def test_a_swap_that_waits_when_the_last_event_is_dropped_is_none():
    line = Line().arm(FaultKind.REORDER_EVENTS).arm(FaultKind.DROP_EVENTS, event="speaker_left")
    assert line.send("a", "speaker_left").sent() == ["a"]


# --- whom and which -------------------------------------------------------------------------------------


def test_a_pattern_chooses_the_events():
    line = Line().arm(FaultKind.DROP_EVENTS, event="entity_*", count=None)
    assert line.send("entity_a", "words", "entity_b", "ENTITY_C").sent() == ["words", "ENTITY_C"]


def test_a_speaker_chooses_whose_events():
    line = Line().arm(FaultKind.DROP_EVENTS, speaker="Bob")
    assert line.send("a", speaker="Alice").send("b", speaker="Bob").send("c", speaker="Bob").sent() == ["a", "c"]


@given(
    armed=st.lists(
        st.tuples(
            st.sampled_from(
                [
                    FaultKind.DELAY_EVENTS,
                    FaultKind.DUPLICATE_EVENTS,
                    FaultKind.REORDER_EVENTS,
                    FaultKind.DROP_EVENTS,
                ]
            ),
            st.integers(1, 3),
        ),
        max_size=4,
    ),
    pauses=st.lists(st.integers(0, 900), min_size=1, max_size=12),
)
def test_no_event_is_lost_or_made_up_and_none_moves_by_more_than_one_place(armed, pauses):
    line = Line()
    for kind, count in armed:
        line.arm(kind, count=count)
    sent = []
    for number, pause in enumerate(pauses):
        line.send(str(number))
        sent += line.wait(pause / 1000).sent()
    sent += line.send("speaker_left").wait(100).sent()
    applied = [(entry.note, entry.event) for entry in line.journal if entry.kind is Kind.FAULT]
    dropped = {event for note, event in applied if note == "drop_events"}
    doubled = {event for note, event in applied if note == "duplicate_events"}
    names = [*map(str, range(len(pauses))), "speaker_left"]
    kept = [name for name in names if name not in dropped for _ in range(1 + (name in doubled))]
    assert sorted(sent) == sorted(kept)
    for place, name in enumerate(dict.fromkeys(kept)):
        assert abs(list(dict.fromkeys(sent)).index(name) - place) <= 1


# --- on a socket ----------------------------------------------------------------------------------------

SPOKEN = (
    Say(text="deux billets", normalized="2 billets"),
    SayNormalized(text="2"),
    SayEntity(name="location_city", source="Lyon"),
    SayRelation(name="location", members=("location_city",)),
    SayTags(tags=(ScriptedTag(id="1", label="Request"),)),
)


@pytest.mark.parametrize("client", ["acme", "legacy"])
@pytest.mark.parametrize("framing", Framing)
def test_every_event_of_the_wrong_vocabulary_is_what_an_account_of_the_other_gets(room, client, framing):
    cues = [Cue(trigger=At(position_ms=100 * number), action=action) for number, action in enumerate(SPOKEN)]

    def heard(client: str, *faults: Fault) -> list[str]:
        place = room(scenario=room.script(*cues), identifier_must_match=False)
        for fault in faults:
            place.space.faults.arm(fault)
        peer = place.connect(framing, client).join()
        peer.send("1", "2", room.topic, "audio_chunk", {"blob": "AAAA" * 16_000})
        peer.leave()
        return [text for text in peer.texts() if "phx_" not in text and "speaker_left" not in text]

    def names(texts: list[str]) -> list[str]:
        return [json.loads(text)[3] if framing is Framing.VSN2 else json.loads(text)["event"] for text in texts]

    other = "legacy" if client == "acme" else "acme"
    wrong = heard(client, Fault(kind=FaultKind.WRONG_VOCABULARY, count=None))
    assert names(wrong) == names(heard(other))
    assert not set(names(wrong)) & set(names(heard(client)))
    assert len(set(names(wrong))) == 6


def test_both_vocabularies_write_every_event():
    assert set(WRITERS[Vocabulary.LEGACY]) == set(WRITERS[Vocabulary.UNIVERSAL])
    assert Raw in WRITERS[Vocabulary.LEGACY]


# --- what the journal says was sent ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "value", "written"),
    [
        (FaultKind.DROP_EVENTS, None, []),
        (FaultKind.DUPLICATE_EVENTS, None, [("hello", 0.0), ("hello", 0.0)]),
        (FaultKind.RENAME_EVENTS, "goodbye", [("goodbye", 0.0)]),
        (FaultKind.DELAY_EVENTS, 2000, [("hello", 2.0)]),
    ],
)
def test_an_event_counts_as_sent_when_and_as_it_goes_out(kind, value, written):
    journal = Journal(lambda: 0.0)
    faults = FaultBox(0, journal)
    faults.arm(Fault(kind=kind, value=value))
    outbox = Outbox(Framing.VSN2, journal, 1)
    message = Message(None, None, "t", "hello", {})
    letter = Letter(encode(Framing.VSN2, message), message, Participation(0, "Alice"))
    send_event(faults, outbox, FlowControl(Limits(), 0.0), letter, 0.0, other=lambda: message)
    outbox.release(2.0)
    assert [(entry.event, entry.now) for entry in journal.messages(kind=Kind.SENT)] == written
