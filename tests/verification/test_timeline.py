"""What was expected beside what happened."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from uhlive_mock.model.audio import Codec
from uhlive_mock.model.fault import Fault, FaultKind
from uhlive_mock.model.limits import Gap
from uhlive_mock.model.scenario import (
    After,
    At,
    Cue,
    Moment,
    RawEvent,
    Say,
    SayInterim,
    SaySegment,
    SayTags,
    Scenario,
    Script,
    ScriptedTag,
    Timing,
    When,
)
from uhlive_mock.protocol.journal import Kind
from uhlive_mock.verification.expectations import summarize
from uhlive_mock.verification.timeline import NARROWEST, timeline

HELLO = Cue(trigger=At(position_ms=500), action=Say(text="hello big world"), until_ms=1500)
BYE = Cue(trigger=At(position_ms=9000), action=SaySegment(text="bye"))


def rows(text: str) -> list[list[str]]:
    """The cells of the lines with two columns, blanks squeezed."""
    lines = (line.split("│") for line in text.splitlines() if "│" in line)
    return [[" ".join(cell.split()) for cell in line] for line in lines]


def test_a_call_reads_like_this(room):
    place = room(scenario=room.script(HELLO, BYE, word_ms=100), follow_audio=True)
    alice = place.connect().joined("Alice", model="en")
    for _ in range(22):
        alice.audio(0.1)
    alice.leave()
    alice.drop()
    text = timeline(place.space)
    assert text.splitlines()[0] == "space acme: scenario, seed 0"
    assert text.splitlines()[2] == "conv1 · Alice · 2.200 s of linear audio · left"
    assert rows(text) == [
        ["due expected", "at happened"],
        ["", "0.000 phx_join model=en → ok"],
        ["", "0.000 … 18 chunks, 1.800 s, 2 interims"],
        ['1.500 say "hello big world"', '1.800 segment "hello big world"'],
        ["", "1.800 … 4 chunks, 0.400 s of audio"],
        ["", "2.200 phx_leave"],
        ["", "2.200 phx_close"],
        ["", "2.200 speaker_left"],
        ["", "2.200 socket 1: connection lost"],
        ['9.100 segment "bye" never', ""],
    ]


def test_a_cue_that_may_still_come_is_not_yet_missed(room):
    place = room(scenario=room.script(HELLO), follow_audio=True)
    alice = place.connect().joined("Alice")
    alice.audio(1)
    assert rows(timeline(place.space))[-1][0] == '1.500 say "hello big world" not yet'
    alice.drop()
    assert rows(timeline(place.space))[-1][0] == '1.500 say "hello big world" never'


def test_the_clock_of_the_space_is_told_where_no_audio_filled_it(room):
    place = room(limits=room.limits(gap=Gap(after_ms=5000)))
    alice = place.connect().joined("Alice")
    for _ in range(3):
        place.advance(0.1)
        alice.audio(0.1)
    place.advance(10)
    [others] = [line for line in timeline(place.space).splitlines() if "pass)" in line]
    assert others.split() == ["0.300", "(5.000", "s", "pass)"]
    assert "rule gap: no audio for 5 s" in timeline(place.space)


def test_every_kind_of_moment_has_its_place(room):
    cues = (
        Cue(trigger=When(moment=Moment.JOINED), action=SaySegment(text="one")),
        Cue(trigger=After(delay_ms=200), action=RawEvent(name="custom")),
        Cue(trigger=When(moment=Moment.FIRST_AUDIO), action=SayInterim(text="two")),
        Cue(trigger=When(moment=Moment.LEFT), action=SayTags(tags=(ScriptedTag(id="1", label="Request"),))),
    )
    place = room(scenario=room.script(*cues, word_ms=100, latency_ms=0))
    alice = place.connect().joined("Alice")
    place.advance(0.5)
    alice.audio(0.1)
    place.advance(0.2)
    alice.leave()
    left = [cells for cells in rows(timeline(place.space)) if cells[0]][1:]
    assert left == [
        ['join+0.100 segment "one"', '0.000 segment "one"'],
        ["join+0.300 event custom", "0.000 custom"],
        ['first+0.100 interim "two"', '0.100 interim "two"'],
        ["leave tags Request", "0.100 tags Request"],
    ]


def test_faults_among_the_cues_stand_beside_what_they_did(room):
    cues = (
        Cue(trigger=At(position_ms=200), action=Fault(kind=FaultKind.DROP_EVENTS, event="*segment_decoded")),
        Cue(trigger=At(position_ms=300), action=Fault(kind=FaultKind.JOIN_ERROR, value="no")),
        HELLO,
        Cue(trigger=At(position_ms=1800), action=Fault(kind=FaultKind.CLOSE, value=1011)),
    )
    place = room(scenario=room.script(*cues), follow_audio=True)
    alice = place.connect().joined("Alice")
    for _ in range(20):
        alice.audio(0.1)
    found = {cells[0]: cells[1] for cells in rows(timeline(place.space)) if cells[0]}
    assert found["0.200 fault drop_events"] == "1.800 fault drop_events (audio_segment_decoded)"
    assert found["0.300 fault join_error: no armed"] == ""
    assert found['1.500 say "hello big world" never'] == ""
    assert found["1.800 fault close: 1011"] == "1.800 fault close: 1011"


def test_a_script_that_loops_goes_as_far_as_the_audio_and_one_cue_further(room):
    scenario = room.script(
        Cue(trigger=At(position_ms=400), action=SaySegment(text="again")), loop_ms=1000, word_ms=1
    )
    place = room(scenario=scenario, follow_audio=True)
    place.connect().joined("Alice").audio(3)
    left = [cells[0] for cells in rows(timeline(place.space)) if cells[0]][1:]
    assert left == [
        '0.401 segment "again"',
        '1.401 segment "again"',
        '2.401 segment "again"',
        '3.401 segment "again" not yet',
    ]


def test_who_heard_it_is_told_when_it_was_not_only_the_speaker(room):
    place = room(scenario=room.script(HELLO), follow_audio=True)
    alice = place.connect().joined("Alice")
    for name in ("Bob", "Carol", "Dave", "Eve"):
        place.connect().joined(name)
    place.connect().observing()
    alice.audio(2)
    text = timeline(place.space)
    [line] = [cells[1] for cells in rows(text) if "segment" in cells[1]]
    assert line == '2.000 segment "hello big world" → Alice, Bob +4'
    assert "Olga in conv1: phx_join readonly=True" in text


def test_a_ghost_has_a_table_on_its_own_axis(room):
    script = Script(
        cues=(Cue(trigger=At(position_ms=700), action=SaySegment(text="hi"), until_ms=1000),), ghost=True
    )
    place = room(scenario=Scenario(speakers={"Bob": script}, timing=Timing(latency_ms=0)))
    place.connect().joined("Alice")
    place.advance(5)
    text = timeline(place.space)
    assert "conv1 · Bob · a ghost" in text
    assert ['1.000 segment "hi"', '1.000 segment "hi" → Alice'] in rows(text)


def test_one_conversation_can_be_asked_for(room):
    place = room(follow_audio=True)
    place.connect().joined("Alice", topic="conversation:acme@one")
    place.connect().joined("Bob", topic="conversation:acme@two")
    assert "Bob" not in timeline(place.space, "one")
    assert "Alice" in timeline(place.space, "one")
    assert "Alice" not in timeline(place.space, "three")


def test_a_refused_join_stands_among_the_others(room):
    place = room()
    place.connect().join("Alice", topic="conversation:other@conv1")
    lines = [line.split("  ")[-1] for line in timeline(place.space).splitlines()]
    assert lines[-1] == "conv1: → error: unauthorized"
    assert lines[-2] == "Alice in conv1: phx_join"


def test_what_comes_of_an_older_stay_stands_with_that_stay(room):
    place = room(follow_audio=True)
    alice = place.connect().joined("Alice")
    alice.audio(0.5)
    alice.joined("Alice", ref="7")
    alice.leave()
    tables = timeline(place.space).split("conv1 · Alice · ")
    first, second = ([line.strip() for line in table.splitlines() if "phx_" in line] for table in tables[1:])
    assert first == ["0.000  phx_join → ok", "0.500  phx_close"]
    assert second == ["0.000  phx_join → ok", "0.000  phx_leave", "0.000  phx_close"]


def test_what_the_journal_has_lost_is_no_miss(room):
    place = room(scenario=room.script(HELLO), follow_audio=True)
    place.space.journal.__init__(lambda: 0.0, capacity=6)
    alice = place.connect().joined("Alice")
    for _ in range(40):
        alice.audio(0.1)
    text = timeline(place.space)
    assert text.splitlines()[1].startswith("the journal has lost its first ")
    assert ['1.500 say "hello big world"', ""] in rows(text)
    assert rows(text)[-1][1] == "3.400 … 6 chunks, 0.600 s of audio"


def test_a_long_call_keeps_its_beginning_and_its_end(room):
    cue = Cue(trigger=At(position_ms=50), action=SaySegment(text="again"))
    place = room(scenario=room.script(cue, loop_ms=100, word_ms=1), follow_audio=True)
    alice = place.connect().joined("Alice")
    for _ in range(600):
        alice.audio(0.1)
    alice.leave()
    lines = timeline(place.space).splitlines()
    assert len(lines) <= 200
    assert "phx_join" in lines[4]
    assert "speaker_left" in lines[-1]
    assert sum("lines left out" in line for line in lines) == 1


def test_many_speakers_are_cut_to_a_few(room):
    place = room(follow_audio=True)
    for number in range(100):
        place.connect().joined(f"speaker {number}").audio(0.1)
    lines = timeline(place.space).splitlines()
    assert len(lines) <= 205
    assert "more tables" in lines[-1]


@st.composite
def sessions(draw):
    """What somebody does: audio, pushes, leaves, other joins, silence."""
    doing = st.tuples(st.sampled_from(["audio", "wait", "join", "leave", "drop", "boom", "strike", "beat"]))
    return draw(st.lists(st.tuples(doing, st.integers(0, 3), st.floats(0, 1.5)), max_size=12))


FAULTS = st.sampled_from(
    [
        Fault(kind=FaultKind.CRASH),
        Fault(kind=FaultKind.CLOSE, value=1011),
        Fault(kind=FaultKind.DROP_EVENTS),
        Fault(kind=FaultKind.DUPLICATE_EVENTS, count=None),
        Fault(kind=FaultKind.RENAME_EVENTS, value="other"),
        Fault(kind=FaultKind.JOIN_SILENCE),
        Fault(kind=FaultKind.DELAY_EVENTS, value=300),
    ]
)
SCENARIOS = st.builds(
    Scenario,
    timing=st.from_type(Timing),
    speakers=st.fixed_dictionaries(
        {"*": st.from_type(Script)},
        optional={
            "Bob": st.builds(Script, cues=st.lists(st.from_type(Cue), max_size=3).map(tuple), ghost=st.just(True))
        },
    ),
)


@given(
    scenario=SCENARIOS,
    steps=sessions(),
    fault=FAULTS,
    follow_audio=st.booleans(),
    codec=st.sampled_from(Codec),
    capacity=st.sampled_from([100_000, 100_000, 5]),
    width=st.integers(0, 140),
)
def test_any_session_can_be_told(room, scenario, steps, fault, follow_audio, codec, capacity, width):
    place = room(scenario=scenario, follow_audio=follow_audio)
    place.space.journal.__init__(lambda: 0.0, capacity=capacity)
    names = ["Alice", "Bob", "a\nb\x1b[0m", "Alice"]
    for (what,), who, amount in steps:
        while len(place.peers) <= who:
            place.connect(client="legacy" if len(place.peers) == 2 else "acme")
        peer = place.peers[who]
        topic = f"conversation:{'legacy' if who == 2 else 'acme'}@conv1"
        match what:
            case "audio":
                peer.audio(amount, topic=topic)
            case "wait":
                place.advance(amount)
            case "join":
                peer.join(names[who], topic=topic, audio_codec=codec)
            case "leave":
                peer.leave(topic=topic)
            case "drop":
                peer.drop()
            case "boom":
                peer.send(None, "5", topic, "boom", {"deep": [{"x": 1}]})
            case "beat":
                peer.send(None, "6", "phoenix", "heartbeat")
            case "strike":
                place.space.faults.arm(fault)
        told = timeline(place.space, width=width, lines=100_000)
    if not steps:
        return
    assert all(len(line) <= max(width, NARROWEST) and line.isprintable() for line in told.splitlines())
    for entry in place.space.journal:
        words = summarize(entry.event, entry.payload)
        if entry.kind is Kind.SENT and words.kind == "segment":
            assert f'segment "{words.text[:4]}' in told
    short = timeline(place.space)
    assert len(short.splitlines()) <= 210


@pytest.mark.parametrize("width", [0, 60, 100, 200])
def test_lines_are_as_wide_as_asked(room, width):
    place = room(scenario=room.script(HELLO, BYE), follow_audio=True)
    place.connect().joined("A" * 300).audio(2)
    widest = max(map(len, timeline(place.space, width=width).splitlines()))
    assert widest == max(width, NARROWEST)
