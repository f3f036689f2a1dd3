"""What is written reads back as it was, and looks as a person would write it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uhlive_mock.errors import ScenarioError
from uhlive_mock.model.scenario import (
    Action,
    After,
    At,
    Cue,
    InlineEntity,
    Match,
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
    Trigger,
    When,
)
from uhlive_mock.scenarios import builtin_scenario, format_scenario, parse_scenario, scenario

texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
tricky = st.sampled_from(
    [
        "yes",
        "null",
        "1",
        "1.5",
        "0x1f",
        "~",
        "a: b",
        "- a",
        "#a",
        "*",
        "&a",
        "é",
        "12s",
        "on",
        "[a](b)",
        "a, b",
        "it's",
    ]
)
phrases = st.lists(texts | tricky, min_size=1, max_size=6).map(lambda parts: " ".join(" ".join(parts).split()))
phrases = phrases.filter(bool)
names = st.from_regex(r"[a-z][a-z_]{0,10}", fullmatch=True)
confidences = st.floats(0, 1)
optional = st.none() | texts | tricky
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
    | tricky,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts | tricky, inner, max_size=3),
    max_leaves=5,
)
spoken = {"text": phrases, "lang": optional, "country": optional, "confidence": st.none() | confidences}
annotated = {"lang": optional, "country": optional, "confidence": confidences}


@st.composite
def says(draw: st.DrawFn) -> Say:
    fields = {name: draw(strategy) for name, strategy in spoken.items()}
    words = fields["text"].split()
    entities: list[InlineEntity] = []
    position = 0
    while position < len(words) and draw(st.booleans()):
        first = draw(st.integers(position, len(words) - 1))
        last = draw(st.integers(first, len(words) - 1))
        entities.append(
            InlineEntity(
                name=draw(names),
                first=first,
                last=last,
                source=" ".join(words[first : last + 1]),
                value=draw(json_values),
                display=draw(st.none() | texts),
                confidence=draw(confidences),
            )
        )
        position = last + 1
    return Say(**fields, normalized=draw(st.none() | phrases), entities=tuple(entities))


actions: st.SearchStrategy[Action] = st.one_of(
    says(),
    st.builds(SayInterim, **spoken),
    st.builds(SaySegment, **spoken),
    st.builds(SayNormalized, **spoken),
    st.builds(SayEntity, name=names, source=texts, display=optional, value=json_values, **annotated),
    st.builds(SayRelation, name=names, members=st.lists(names, min_size=1).map(tuple), **annotated),
    st.builds(
        SayTags,
        tags=st.lists(
            st.builds(ScriptedTag, id=texts | tricky, label=texts, confidence=confidences),
            min_size=1,
            max_size=3,
        ).map(tuple),
        **annotated,
    ),
    st.builds(RawEvent, name=texts, payload=json_values),
)


@st.composite
def scripts(draw: st.DrawFn) -> Script:
    """Cues in the order of their positions, in a loop that they fit into."""
    cues: list[Cue] = []
    position_ms = latest_end_ms = 0
    for action in draw(st.lists(actions, max_size=4)):
        until_ms: int | None = None
        match draw(st.sampled_from(["at", "after", "when"])):
            case "at":
                position_ms += draw(st.integers(0, 5000))
                if draw(st.booleans()):
                    until_ms = position_ms + draw(st.integers(1, 5000))
                latest_end_ms = max(latest_end_ms, until_ms or position_ms)
                trigger: Trigger = At(position_ms=position_ms)
            case "after":
                trigger = After(delay_ms=draw(st.integers(0, 5000)))
            case _:
                trigger = When(moment=draw(st.sampled_from(Moment)))
        cues.append(Cue(trigger=trigger, action=action, until_ms=until_ms))
    loop_ms = draw(st.none() | st.integers(latest_end_ms + 1, latest_end_ms + 5000))
    return Script(cues=tuple(cues), loop_ms=loop_ms)


scenarios = st.builds(
    Scenario,
    name=texts | tricky,
    match=st.builds(Match, conversation=texts | st.just("*")),
    seed=st.none() | st.integers(-(2**63), 2**63 - 1),
    timing=st.builds(
        Timing,
        latency_ms=st.integers(0, 5000),
        jitter_ms=st.integers(0, 5000),
        interim_every_ms=st.integers(1, 5000),
        word_ms=st.integers(1, 5000),
    ),
    speakers=st.dictionaries(texts | tricky, scripts(), max_size=3),
)


@settings(deadline=None, derandomize=True, max_examples=100)
@given(scenarios)
def test_what_is_written_reads_back(written: Scenario) -> None:
    assert parse_scenario(format_scenario(written)) == written


@pytest.mark.parametrize("display", ["a  b", " a", "\x85", "\t", "\u2028", "}", '} "a', "\ufeff", "# a: b"])
def test_white_space_in_the_annotation_of_an_entity_is_kept(display: str) -> None:
    written = scenario().say(f'[a]{{"entity": "x", "display": {json.dumps(display)}}} b', at=0).build()
    assert parse_scenario(format_scenario(written)) == written


def test_the_builtin_scenario_reads_back() -> None:
    assert parse_scenario(format_scenario(builtin_scenario())) == builtin_scenario()


def test_a_document_leaves_out_what_has_its_default() -> None:
    assert format_scenario(Scenario()) == "version: 1\nscenario: scenario\nspeakers: {}\n"


def test_a_document_reads_as_a_person_would_write_it() -> None:
    written = (
        scenario("billets", match="support-*", seed=7, latency_ms=100)
        .say(
            'bonjour je voudrais [deux]{"entity": "cardinal_number", "value": 2, "display": "2"} billets pour Lyon',
            normalized="Bonjour, je voudrais 2 billets.",
            at=0.4,
            until=2.1,
            lang="fr",
        )
        .entity("location_city", "lyon", confidence=0.97, after=1)
        .event("custom", {"on": [1, None, "1"]}, when="left")
        .speaker("Bob")
        .loop(24)
        .segment("oui", at=1)
        .build()
    )
    assert (
        format_scenario(written)
        == """\
version: 1
scenario: billets
match: {conversation: "support-*"}
seed: 7
timing: {latency: 100ms}
speakers:
  "*":
    - at: 400ms
      until: 2.1s
      say: >-
        bonjour je voudrais [deux]{"entity": "cardinal_number", "value": 2, "display": "2"}
        billets pour Lyon
      normalized: Bonjour, je voudrais 2 billets.
      lang: fr
    - after: 1s
      entity: {name: location_city, source: lyon, confidence: 0.97}
    - when: left
      event: {name: custom, payload: {"on": [1, null, "1"]}}
  Bob:
    loop: 24s
    script:
      - at: 1s
        segment: oui
"""
    )


@pytest.mark.parametrize("payload", [{"a": float("nan")}, {"a": {1}}, {1: "a"}, {"a": 2**64}, {"a": "\ud800"}])
def test_a_payload_that_json_cannot_say_cannot_be_written(payload: object) -> None:
    written = scenario().event("custom", payload, at=1).build()
    with pytest.raises(ScenarioError):
        format_scenario(written)
