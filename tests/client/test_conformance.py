"""What the mock's scenario says is what the client hears: all of it, in order, however it goes over the wire.

The scenario's events are taken from the player that plays it, before any vocabulary names them.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from uhlive_client import events as heard
from uhlive_client.codecs import Codec
from uhlive_client.wire import Framing

from uhlive_mock.model import events as said
from uhlive_mock.model.account import Vocabulary
from uhlive_mock.model.scenario import (
    After,
    At,
    Cue,
    InlineEntity,
    Moment,
    RawEvent,
    Say,
    SayEntity,
    SayInterim,
    SayNormalized,
    SayRelation,
    SaySegment,
    SayTags,
    Scenario,
    Script,
    ScriptedTag,
    Timing,
    When,
)
from uhlive_mock.protocol.player import Player
from uhlive_mock.protocol.recognizer import SpeakerProfile
from uhlive_mock.scenarios import builtin_scenario

ORIGIN = 1_700_000_000_000


# --- what a scenario says, in the client's words ----------------------------------------------------------


def played(scenario: Scenario, samples: list[int], *, origin: int) -> list[said.Event]:
    """What Alice's script says of so many samples, chunk by chunk."""
    voice = SpeakerProfile(speaker="Alice", model="fr", country="fr", origin_ms=origin)
    player = Player(scenario.script_for("Alice"), voice, scenario.timing, scenario.seed or 0)
    player.joined(0.0)
    happened = player.due(now := 0.0)
    for count in samples:
        before, now = now, now + count / 8000
        player.heard(count, before, now)
        happened += player.due(now)
    return happened + player.leave(now)


def translated(event: said.Event, vocabulary: Vocabulary) -> heard.Event:
    """The same as the client tells it, with what a vocabulary does not say left out."""
    legacy = vocabulary is Vocabulary.LEGACY
    match event:
        case said.Raw(name=name, payload=payload):
            return heard.UnknownEvent(name=name, payload=payload)
        case said.Interim() | said.Segment() | said.Normalized():
            says_previous = event.previous is not None and (not legacy or isinstance(event, said.Normalized))
            return getattr(heard, type(event).__name__)(
                text=event.text,
                utterance=str(event.utterance),
                previous=str(event.previous) if says_previous else None,
                model=event.model,
                words=tuple(
                    heard.Word(text=w.text, start_ms=w.start_ms, end_ms=w.end_ms, confidence=w.confidence)
                    for w in event.words
                ),
                **common(event),
            )
        case said.Entity():
            return heard.Entity(
                name=entity_name(event.name, legacy),
                id=None if legacy else event.id,
                source=event.source,
                display=event.display,
                value=event.value,
                **common(event),
            )
        case said.Relation():
            members = tuple(
                heard.EntityRef(
                    name=entity_name(member.name, legacy) or None,
                    id=None if legacy else member.id,
                    start_ms=member.start_ms if legacy else None,
                )
                for member in event.members
            )
            return heard.Relation(name=event.name, members=members, **common(event))
        case said.Tags():
            tags = tuple(
                heard.Tag(id=tag.id, label=tag.label, confidence=None if legacy else tag.confidence)
                for tag in event.tags
            )
            return heard.Tags(tags=tags, **common(event))
    raise AssertionError(f"{event} is nothing a script says")


def common(event) -> dict[str, object]:
    names = ("speaker", "lang", "country", "start_ms", "end_ms", "confidence")
    return {name: getattr(event, name) for name in names}


def entity_name(name: str, legacy: bool) -> str:
    return {"cardinal_number": "number"}.get(name, name) if legacy else name


def told(events: list[heard.Event]) -> list[heard.Event]:
    """The events without what ends a call."""
    [reply, *rest] = [
        event for event in events if isinstance(event, heard.Reply | heard.Closed | heard.SpeakerLeft)
    ]
    assert isinstance(reply, heard.Reply)
    assert [type(event) for event in rest] == [heard.Closed, heard.SpeakerLeft]
    assert isinstance(events[-1], heard.SpeakerLeft)
    return [event for event in events if event is not reply and event not in rest]


# --- every combination ------------------------------------------------------------------------------------


@pytest.mark.parametrize("codec", Codec)
@pytest.mark.parametrize("vocabulary", Vocabulary)
@pytest.mark.parametrize("framing", Framing)
def test_the_builtin_call_is_heard_whole(converse, reach, mock_server, framing, vocabulary, codec):
    call = builtin_scenario()
    chunks = [bytes([number % 7]) * 4000 * codec.sample_width for number in range(44)]  # 22 s, and so a second turn
    with mock_server.space(scenario=call, clock="audio", vocabulary=vocabulary) as space:
        terms = {"framing": framing, "audio_codec": codec, "origin": ORIGIN}
        events = told(converse(reach(space, tls=True, asks=True, **terms), chunks))
        alice = space.conversation("conv1").speaker("Alice")
        assert alice.recording.codec == codec
        assert len(alice.audio) == 44 * 8000
        if codec is Codec.LINEAR:
            assert alice.audio == b"".join(chunks)
    assert events == [translated(event, vocabulary) for event in played(call, [4000] * 44, origin=ORIGIN)]
    kinds = {type(event).__name__ for event in events}
    assert kinds == {"Interim", "Segment", "Normalized", "Entity", "Relation", "Tags"}


# --- any scenario -----------------------------------------------------------------------------------------

words = st.lists(st.sampled_from(["je", "voudrais", "été", "билет", "aujourd'hui", "x"]), min_size=1, max_size=5)
texts = words.map(" ".join)
entity_names = st.sampled_from(["location_city", "cardinal_number", "time_date"])
confidences = st.sampled_from([0, 0.5, 0.9, 1])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-1e9, 1e9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


@st.composite
def says(draw) -> Say:
    spoken = draw(words)
    last = draw(st.integers(0, len(spoken) - 1))
    first = draw(st.integers(0, last))
    entity = InlineEntity(
        name=draw(entity_names),
        first=first,
        last=last,
        source=" ".join(spoken[first : last + 1]),
        display=draw(st.none() | texts),
        value=draw(json_values),
    )
    return Say(
        text=" ".join(spoken),
        normalized=draw(st.none() | texts),
        entities=draw(st.sampled_from([(), (entity,)])),
        confidence=draw(st.none() | confidences),
    )


actions = st.one_of(
    says(),
    st.builds(SayInterim, text=texts),
    st.builds(SaySegment, text=texts),
    st.builds(SayNormalized, text=texts),
    st.builds(SayEntity, name=entity_names, source=texts, value=json_values, confidence=confidences),
    st.builds(SayRelation, name=st.just("location"), members=st.tuples(entity_names, entity_names)),
    st.builds(SayTags, tags=st.just((ScriptedTag(id="1", label="Request"), ScriptedTag(id="2", label="été")))),
    st.builds(RawEvent, name=st.just("custom"), payload=json_values),
)


@st.composite
def cues(draw) -> Cue:
    match draw(st.sampled_from(["at", "until", "after", "when"])):
        case "after":
            return Cue(trigger=After(delay_ms=draw(st.integers(0, 400))), action=draw(actions))
        case "when":
            return Cue(trigger=When(moment=draw(st.sampled_from(Moment))), action=draw(actions))
        case how:
            start = draw(st.integers(0, 1500))
            until = start + draw(st.integers(1, 800)) if how == "until" else None
            return Cue(trigger=At(position_ms=start), action=draw(actions), until_ms=until)


scenarios = st.builds(
    Scenario,
    seed=st.integers(0, 99),
    timing=st.builds(Timing, latency_ms=st.sampled_from([0, 250]), jitter_ms=st.sampled_from([0, 300])),
    speakers=st.fixed_dictionaries(
        {
            "*": st.builds(
                Script,
                cues=st.lists(cues(), min_size=1, max_size=5).map(tuple),
                loop_ms=st.none() | st.integers(500, 2000),
            )
        }
    ),
)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    scenario=scenarios,
    samples=st.lists(st.integers(1, 8000), max_size=4),
    vocabulary=st.sampled_from(Vocabulary),
    framing=st.sampled_from(Framing),
    codec=st.sampled_from(Codec),
    origin=st.sampled_from([0, ORIGIN]),
)
def test_any_scenario_is_heard_as_it_was_written(
    converse, reach, mock_server, scenario, samples, vocabulary, framing, codec, origin
):
    chunks = [bytes(count * codec.sample_width) for count in samples]
    with mock_server.space(scenario=scenario, clock="audio", vocabulary=vocabulary) as space:
        terms = {"framing": framing, "audio_codec": codec, "origin": origin}
        events = told(converse(reach(space, **terms), chunks))
    assert events == [translated(event, vocabulary) for event in played(scenario, samples, origin=origin)]
