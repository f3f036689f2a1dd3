"""Whether a transcript was delivered, and why not."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from uhlive_mock.model.account import Vocabulary
from uhlive_mock.model.events import Interim, Normalized, Segment
from uhlive_mock.model.fault import Fault, FaultKind
from uhlive_mock.model.scenario import At, Cue, Moment, Say, SaySegment, Scenario, Script, Timing, When
from uhlive_mock.verification.expectations import SPEECH, summarize
from uhlive_mock.verification.messages import JournalView
from uhlive_mock.verification.transcripts import Transcript, delivered, nearest, why_not_delivered
from uhlive_mock.wire.vocabulary import Setting, render

HELLO = Cue(trigger=At(position_ms=500), action=Say(text="hello big world"), until_ms=1500)


def reasons(place, sought: Transcript) -> list[str]:
    lines = why_not_delivered(place.space, sought).splitlines()
    return [line.strip() for line in lines[lines.index("  why it may be missing:") + 1 :]]


@pytest.mark.parametrize("vocabulary", Vocabulary)
@pytest.mark.parametrize("kind", [Interim, Segment, Normalized])
def test_a_transcript_is_read_in_both_vocabularies(vocabulary, kind):
    fields = {"model": "fr", "utterance": 0, "previous": None, "start_ms": 0, "end_ms": 1, "words": ()}
    event = kind(speaker="Alice", lang="fr", country="fr", text="hello", confidence=0.5, **fields)
    name, payload = render(vocabulary, event, Setting(topic="t", client_id="c", campaign_id="x"))
    assert summarize(name, payload).kind == kind.__name__.lower() == SPEECH[name]
    assert summarize(name, payload).text == "hello"


@pytest.mark.parametrize("client", ["acme", "legacy"])
def test_a_delivery_is_found_whatever_vocabulary_it_has(room, client):
    topic = f"conversation:{client}@conv1"
    place = room(scenario=room.script(HELLO), follow_audio=True)
    alice = place.connect(client=client).joined("Alice", topic=topic)
    place.connect(client=client).joined("Bob", topic=topic)
    alice.audio(2, topic=topic)
    for to in (None, "Alice", "Bob"):
        found = delivered(place.space, Transcript(text="hello big world", to=to, speaker="Alice"))
        assert found.event in SPEECH
    assert delivered(place.space, Transcript(text="hello big world", to="Olga")) is None
    assert delivered(place.space, Transcript(text="hello big world", kind="normalized")) is None
    assert delivered(place.space, Transcript(text="hello big", kind="interim"))


def test_the_difference_is_marked(room):
    place = room(scenario=room.script(HELLO), follow_audio=True)
    place.connect().joined("Alice").audio(2)
    lines = why_not_delivered(place.space, Transcript(text="hello small world")).splitlines()
    assert lines[:2] == ['no segment "hello small world" was delivered', "  the nearest:"]
    assert lines[2].endswith("Alice's audio at 2.000 s): segment of Alice")
    assert lines[3:6] == [
        "      expected  hello small world",
        "      found     hello big world",
        "                      ^^^",
    ]


def test_audio_that_never_came_is_the_reason(room):
    place = room(scenario=room.script(HELLO), follow_audio=True)
    alice = place.connect().joined("Alice")
    alice.audio(1)
    sought = Transcript(text="hello big world")
    assert reasons(place, sought) == ["cue 0 of Alice says it at 1.500 s of audio; Alice has sent 1.000 s"]
    alice.leave()
    assert reasons(place, sought) == ["cue 0 of Alice says it at 1.500 s of audio; Alice sent 1.000 s"]


def test_latency_that_has_not_passed_is_the_reason(room):
    place = room(scenario=room.script(HELLO))
    place.connect().joined("Alice").audio(2)
    [why] = reasons(place, Transcript(text="hello big world"))
    assert why == ("cue 0 of Alice says it at 1.500 s of audio, plus 250 ms of latency; time or a leave brings it")


@pytest.mark.parametrize(
    ("moment", "why"),
    [
        (Moment.LEFT, "cue 0 of Alice says it at the leave, and Alice has not left"),
        (
            Moment.FIRST_AUDIO,
            "cue 0 of Alice says it at the first audio, plus 250 ms of latency; time or a leave brings it",
        ),
    ],
)
def test_a_moment_that_has_not_come_is_the_reason(room, moment, why):
    cue = Cue(trigger=When(moment=moment), action=SaySegment(text="bye"))
    place = room(scenario=Scenario(speakers={"*": Script(cues=(cue,))}, timing=Timing(word_ms=1)))
    place.connect().joined("Alice")
    [found] = reasons(place, Transcript(text="bye"))
    assert found == why.replace("at the first audio", "0.001 s after the first audio")


def test_a_fault_is_the_reason(room):
    place = room(scenario=room.script(HELLO), follow_audio=True)
    place.space.faults.arm(Fault(kind=FaultKind.DROP_EVENTS, event="*segment_decoded"))
    place.connect().joined("Alice").audio(2)
    why = reasons(place, Transcript(text="hello big world"))
    assert why[1].startswith("fault drop_events struck audio_segment_decoded on its way to Alice (#")


def test_who_never_joined_is_the_reason(room):
    call = Scenario(name="call", speakers={"Bob": Script(cues=(HELLO,)), "Alice": Script()})
    place = room(scenario=call, follow_audio=True)
    sought = Transcript(text="hello big world")
    assert reasons(place, sought)[0] == "nobody joined; joined: nobody"
    place.connect().joined("Alice").audio(2)
    assert reasons(place, sought) == ["cue 0 of Bob says it at 1.500 s of audio; Bob never joined"]
    assert reasons(place, Transcript(text="hello big world", speaker="Bob"))[0] == (
        "Bob never joined; joined: Alice in conv1"
    )


def test_words_that_no_cue_says_are_the_reason(room):
    place = room(scenario=room.script(HELLO), follow_audio=True)
    place.connect().joined("Alice")
    assert reasons(place, Transcript(text="hello big words")) == [
        'no cue of scenario says it; the nearest is cue 0 of Alice: segment "hello big world"'
    ]


def test_who_joined_too_late_is_the_reason(room):
    place = room(scenario=room.script(HELLO), follow_audio=True)
    place.connect().joined("Alice").audio(2)
    place.connect().joined("Bob")
    [why] = reasons(place, Transcript(text="hello big world", speaker="Alice", to="Bob"))
    assert why.startswith("Bob joined (#")
    assert ") after it was delivered (#" in why


WORDS = st.lists(st.sampled_from(["ab", "cd", "ef", "gh"]), min_size=1, max_size=5).map(" ".join)


@given(wanted=WORDS, said_texts=st.lists(WORDS, min_size=1, max_size=4, unique=True))
def test_the_same_words_are_nearer_than_any_others(room, wanted, said_texts):
    cues = (Cue(trigger=At(position_ms=10 * n), action=SaySegment(text=text)) for n, text in enumerate(said_texts))
    place = room(scenario=room.script(*cues, word_ms=1), follow_audio=True)
    place.connect().joined("Alice").audio(1)
    sought = Transcript(text=wanted, speaker="Bob")
    misses = [summarize(entry.event, entry.payload).text for entry in nearest(JournalView(place.space), sought)]
    assert wanted not in misses[1:]
    assert (wanted in said_texts) == (misses[:1] == [wanted])
    assert why_not_delivered(place.space, sought)
