"""What is written reads back as it was, and looks as a person would write it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, strategies as st

from uhlive_mock.errors import ScenarioError
from uhlive_mock.model.fault import Fault, FaultKind, Stage, Takes
from uhlive_mock.model.limits import (
    Chunk,
    ChunkAction,
    Gap,
    GapAction,
    Idle,
    Limits,
    Measure,
    Throttle,
    ThrottleAction,
)
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
from uhlive_mock.scenarios import builtin_scenario, format_scenario, outline, parse_scenario, scenario

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


close_codes = st.integers(1000, 1003) | st.integers(1007, 1014) | st.integers(3000, 4999)
sizes = st.integers(1, 10**12 - 1) | st.integers(1, 1000).flatmap(lambda n: st.sampled_from([n * 1000, n * 1024]))
taken: dict[Takes, st.SearchStrategy[int | str | None]] = {
    Takes.NOTHING: st.none(),
    Takes.STATUS: st.integers(400, 599),
    Takes.CODE: close_codes,
    Takes.TEXT: texts | tricky,
    Takes.DURATION: st.integers(1, 100_000),
}


@st.composite
def faults(draw: st.DrawFn) -> Fault:
    kind = draw(st.sampled_from(FaultKind))
    return Fault(
        kind=kind,
        value=draw(taken[kind.takes]),
        count=draw(st.none() | st.integers(1, 10)),
        speaker=draw(optional),
        event=draw(optional) if kind.stage is Stage.EVENTS else None,
        probability=draw(st.floats(0, 1, exclude_min=True)),
    )


limits = st.builds(
    Limits,
    throttle=st.builds(
        Throttle,
        rate=sizes,
        burst=sizes,
        action=st.sampled_from(ThrottleAction),
        measure=st.sampled_from(Measure),
    )
    | st.builds(Throttle, action=st.sampled_from(ThrottleAction)),
    gap=st.builds(Gap, after_ms=st.integers(1, 10**6) | st.just(5000), action=st.sampled_from(GapAction)),
    idle=st.builds(
        Idle, after_ms=st.none() | st.integers(1, 10**6), close_code=close_codes | st.just(Idle().close_code)
    ),
    chunk=st.builds(Chunk, max=sizes | st.just(64_000), action=st.sampled_from(ChunkAction)),
)


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
    faults(),
)


@st.composite
def scripts(draw: st.DrawFn, *, ghosts: bool = True) -> Script:
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
        if isinstance(action, Fault):
            until_ms = None
        cues.append(Cue(trigger=trigger, action=action, until_ms=until_ms))
    loop_ms = draw(st.none() | st.integers(max(100, latest_end_ms + 1), latest_end_ms + 5000))
    ghost = ghosts and draw(st.booleans())
    say_from = draw(st.sampled_from([Moment.JOINED, Moment.FIRST_AUDIO])) if ghost else Moment.JOINED
    return Script(cues=tuple(cues), loop_ms=loop_ms, ghost=ghost, say_from=say_from)


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
    limits=st.none() | limits,
    speakers=st.builds(
        lambda named, everyone: named | everyone,
        st.dictionaries((texts | tricky).filter(lambda name: name != "*"), scripts(), max_size=3),
        st.dictionaries(st.just("*"), scripts(ghosts=False), max_size=1),
    ),
)


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


def test_default_limits_are_not_the_limits_of_the_space() -> None:
    written = Scenario(limits=Limits())
    assert format_scenario(written) == "version: 1\nscenario: scenario\nlimits: {}\nspeakers: {}\n"
    assert parse_scenario(format_scenario(written)) == written != Scenario()


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
        .fault("close", 1011, after=0)
        .fault("mute_heartbeats", after=0)
        .fault("delay_events", 2, count=None, event="entity_*", probability=0.5, after=0)
        .speaker("Bob")
        .loop(24)
        .ghost(say_from="first_audio")
        .segment("oui", at=1)
        .throttle(rate=10_000, burst=65_536, action="close")
        .gap(action="off")
        .idle(after=30)
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
limits:
  throttle: {rate: 10 kB/s, burst: 64 KiB, action: close}
  gap: "off"
  idle: {after: 30s}
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
    - after: 0s
      fault: {close: 1011}
    - after: 0s
      fault: mute_heartbeats
    - after: 0s
      fault: {delay_events: 2s, count: all, event: "entity_*", probability: 0.5}
  Bob:
    loop: 24s
    ghost: true
    say_from: first_audio
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


# --- a scenario on one screen -----------------------------------------------------------------------------


def test_an_outline_has_a_table_for_each_speaker() -> None:
    shown = outline(
        scenario("billets", match="support-*", seed=7, jitter_ms=50)
        .speaker("Alice")
        .loop(24)
        .say("je voudrais deux billets pour [Lyon](location_city)", at=0.4, until=2.1)
        .segment("très bien", after=1)
        .event("custom", {"a": 1}, when="left")
        .relation("location", "location_street", "location_city", after=0)
        .entity("location_city", "lyon", after=0)
        .tags({"t1": "Quote"}, after=0)
        .interim("merci", after=0)
        .normalized("Merci.", after=0)
        .speaker("*")
        .speaker("Bob")
        .ghost(say_from="first_audio")
        .fault("close", 1011, at=2)
        .fault("drop_events", count=3, event="entity_*", at=2)
        .throttle(rate=10_000, action="close")
        .gap(action="off")
        .build()
    )
    assert (
        shown
        == """\
billets: conversations support-*, seed 7
latency 250ms + up to 50ms, interims every 300ms, words of 320ms
limits: throttle rate 10 kB/s, action close; gap off

Alice, again every 24s
  start  end   action      text                                entities
  400ms  2.1s  say         je voudrais deux billets pour Lyon  location_city
  +1s          segment     très bien
  left         event       custom {"a": 1}
  +0s          relation    location                            location_street, location_city
  +0s          entity      lyon                                location_city
  +0s          tags        Quote
  +0s          interim     merci
  +0s          normalized  Merci.

* (everyone else)
  says nothing

Bob, a ghost from the first audio on
  start  end  action  text                                    entities
  2s          fault   close 1011
  2s          fault   drop_events, count 3, event "entity_*\""""
    )


def test_long_texts_are_cut() -> None:
    shown = outline(scenario().segment("oui " * 100, at=1).build())
    assert max(len(line) for line in shown.splitlines()) < 100
    assert "…" in shown


def test_the_builtin_scenario_fits_on_a_screen() -> None:
    lines = outline(builtin_scenario()).splitlines()
    assert len(lines) < 24
    assert max(len(line) for line in lines) <= 120
