"""The builder makes the scenarios that documents make, and refuses what they refuse."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from uhlive_mock.errors import ScenarioError
from uhlive_mock.model.fault import FaultKind
from uhlive_mock.model.limits import ChunkAction, Gap, GapAction, Idle, Limits, Throttle, ThrottleAction
from uhlive_mock.model.scenario import (
    After,
    At,
    Cue,
    Moment,
    RawEvent,
    Say,
    SayRelation,
    SaySegment,
    SayTags,
    Scenario,
    Script,
    Timing,
    When,
)
from uhlive_mock.scenarios import ScenarioBuilder, builtin_scenario, parse_scenario, scenario

DOCUMENT = """\
version: 1
scenario: billets
match: {conversation: "support-*"}
seed: 7
timing: {latency: 100ms, jitter: 20ms, interim_every: 500ms, word: 200ms}
limits:
  throttle: {rate: 10 kB/s, burst: 32 kB, action: close, measure: framed}
  gap: {after: 20s, action: leave}
  idle: {after: 30s, close_code: 1002}
  chunk: {max: 32 kB, action: error}
speakers:
  Alice:
    loop: 24s
    script:
      - at: 0.4s
        until: 2.1s
        say: pour [Lyon](location_city)
        normalized: Pour Lyon.
        lang: fr
        country: ch
        confidence: 0.9
      - {after: 1s, interim: très, lang: fr}
      - {after: 0s, segment: très bien, confidence: 0.8}
      - {after: 0s, normalized: Très bien., country: fr}
  "*":
    - {when: joined, event: {name: custom, payload: {a: 1}}}
    - {when: left, event: {name: bye}}
    - {at: 3s, entity: {name: location_city, source: lyon, display: Lyon, value: Lyon}, confidence: 0.97}
    - {at: 4s, relation: {name: location, members: [location_street, location_city]}, confidence: 0.7}
    - {at: 5s, until: 6s, tags: [{id: t1, label: Request for quote, confidence: 0.6}], confidence: 0.6}
    - {at: 12s, fault: {close: 1011}}
    - {at: 12s, fault: reset}
    - {after: 1s, fault: {delay_events: 1.5s, count: all, event: "entity_*", speaker: Bob, probability: 0.5}}
    - {after: 1s, fault: {join_error: full, count: 2}}
  Bob:
    ghost: true
    say_from: first_audio
    loop: 10s
    script:
      - {after: 1s, say: oui}
"""


def test_the_builder_makes_what_the_document_says() -> None:
    built = (
        scenario(
            "billets",
            match="support-*",
            seed=7,
            latency_ms=100,
            jitter_ms=20,
            interim_every_ms=500,
            word_ms=200,
        )
        .speaker("Alice")
        .loop(24)
        .say(
            "pour [Lyon](location_city)",
            at=0.4,
            until=2.1,
            normalized="Pour Lyon.",
            lang="fr",
            country="ch",
            confidence=0.9,
        )
        .interim("très", after=1, lang="fr")
        .segment("très bien", after=0, confidence=0.8)
        .normalized("Très bien.", after=0, country="fr")
        .speaker("*")
        .event("custom", {"a": 1}, when="joined")
        .event("bye", when=Moment.LEFT)
        .entity("location_city", "lyon", display="Lyon", value="Lyon", confidence=0.97, at=3)
        .relation("location", "location_street", "location_city", confidence=0.7, at=4)
        .tags({"t1": "Request for quote"}, confidence=0.6, at=5, until=6)
        .fault("close", 1011, at=12)
        .fault(FaultKind.RESET, at=12)
        .fault("delay_events", 1.5, count=None, event="entity_*", speaker="Bob", probability=0.5, after=1)
        .fault("join_error", "full", count=2, after=1)
        .speaker("Bob")
        .ghost(say_from="first_audio")
        .loop(10)
        .say("oui", after=1)
        .throttle(rate=10_000, burst=32_000, action="close", measure="framed")
        .gap(after=20, action="leave")
        .idle(after=30, close_code=1002)
        .chunk(max=32_000, action=ChunkAction.ERROR)
        .build()
    )
    assert built == parse_scenario(DOCUMENT)


def test_an_empty_builder_makes_a_silent_scenario() -> None:
    assert scenario().build() == Scenario()


def test_the_first_cues_are_everyones() -> None:
    assert set(scenario().say("oui", after=0).build().speakers) == {"*"}


def test_a_speaker_without_cues_is_silent() -> None:
    built = scenario().say("oui", after=0).speaker("Bob").build()
    assert built.script_for("Bob") == Script()


def test_a_speaker_may_be_taken_up_again() -> None:
    built = (
        scenario().speaker("Alice").segment("a", at=1).speaker("Bob").speaker("Alice").segment("b", at=2).build()
    )
    assert len(built.speakers["Alice"].cues) == 2


def test_a_builder_is_a_value_that_tests_can_share() -> None:
    start = scenario().segment("a", at=1)
    assert start.segment("b", at=2).build() != start.build()
    assert len(start.build().speakers["*"].cues) == 1


def test_times_are_seconds() -> None:
    cues = scenario().segment("a", at=0.29, until=2.1).segment("b", after=0.5).build().speakers["*"].cues
    assert cues == (
        Cue(trigger=At(position_ms=290), until_ms=2100, action=SaySegment(text="a")),
        Cue(trigger=After(delay_ms=500), action=SaySegment(text="b")),
    )


def test_moments_are_named_by_text_or_member() -> None:
    by_text = scenario().event("x", when="first_audio").build()
    assert by_text == scenario().event("x", when=Moment.FIRST_AUDIO).build()
    assert by_text.speakers["*"].cues == (
        Cue(trigger=When(moment=Moment.FIRST_AUDIO), action=RawEvent(name="x", payload={})),
    )


def test_the_limits_of_the_builder_are_those_of_the_model() -> None:
    start = scenario()
    for limited in (start.throttle(), start.gap(), start.idle(), start.chunk()):
        assert limited.build().limits == Limits()
    assert start.build().limits is None


def test_a_limit_given_again_replaces_only_itself() -> None:
    limits = scenario().gap(after=20).throttle(action="off").gap(action="off").idle(after=None).build().limits
    assert limits == Limits(
        throttle=Throttle(action=ThrottleAction.OFF), gap=Gap(action=GapAction.OFF), idle=Idle(after_ms=None)
    )


def test_a_ghost_stays_one_whatever_is_said_after() -> None:
    script = scenario().speaker("Bob").ghost().loop(5).say("oui", at=1).build().speakers["Bob"]
    assert (script.ghost, script.say_from, script.loop_ms) == (True, Moment.JOINED, 5000)


def test_the_timing_of_the_builder_is_that_of_the_model() -> None:
    assert scenario().build().timing == Timing()


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda start: start.say("a"), "found at=None, after=None, when=None; expected exactly one of them"),
        (
            lambda start: start.say("a", at=1, after=1),
            "found at=1, after=1, when=None; expected exactly one of them",
        ),
        (lambda start: start.say("a", when="join"), "unknown moment 'join'; did you mean 'joined'?"),
        (
            lambda start: start.say("a [b", at=1),
            "column 3 of the text: '[' is never closed; expected ']', or '\\[' for a bracket",
        ),
        (lambda start: start.say("a", at=2, until=1), "until is 1000 ms, not after at, 2000 ms"),
        (lambda start: start.say("a", at=-1), "at is -1000 ms; expected 0 or more"),
        (lambda start: start.say("a", at=0.00001), "at is 1e-05 s; expected a whole number of milliseconds"),
        (lambda start: start.loop(0), "loop is 0 ms; expected 100 ms or more"),
        (lambda start: start.fault("rest", at=1), "unknown fault 'rest'; did you mean 'reset'?"),
        (
            lambda start: start.fault("close", at=1),
            "close takes a close code, 1000 to 1003, 1007 to 1014 or 3000 to 4999; found None",
        ),
        (
            lambda start: start.fault("close", 1.5, at=1),
            "close takes a close code, 1000 to 1003, 1007 to 1014 or 3000 to 4999; found 1.5",
        ),
        (
            lambda start: start.fault("stop_reading", 0.00001, at=1),
            "stop_reading is 1e-05 s; expected a whole number of milliseconds",
        ),
        (
            lambda start: start.fault("reset", at=1, until=2),
            "until does not go with a fault, which spans no audio",
        ),
        (
            lambda start: start.throttle(action="dely"),
            "unknown action 'dely'; did you mean 'delay'?",
        ),
        (lambda start: start.throttle(measure="frames"), "unknown measure 'frames'; did you mean 'framed'?"),
        (lambda start: start.gap(after=0), "gap.after is 0 ms; expected more than 0"),
        (
            lambda start: start.gap(after=0.00001),
            "gap.after is 1e-05 s; expected a whole number of milliseconds",
        ),
        (
            lambda start: start.ghost(),
            "a ghost has a name of its own; '*' is everyone without a script",
        ),
        (
            lambda start: start.speaker("Bob").ghost(say_from="left"),
            "say_from is 'left'; expected 'joined' or 'first_audio'",
        ),
        (lambda start: start.segment(" ", at=1), "the text is empty; expected at least one word"),
        (lambda start: start.tags({}, at=1), "tags is empty; expected at least one tag"),
        (
            lambda start: start.relation("x", at=1),
            "members is empty; expected the name of at least one entity",
        ),
        (
            lambda start: start.segment("a", at=2).segment("b", at=1).build(),
            "test: speakers.*[1]: at is 1s, but that of cue [0] is 2s; expected cues in order",
        ),
        (
            lambda start: start.segment("a", at=2).loop(1).build(),
            "test: speakers.*: loop is 1s, shorter than the script: cue [0] ends at 2s",
        ),
    ],
)
def test_mistakes_are_refused(mistake: Callable[[ScenarioBuilder], object], message: str) -> None:
    with pytest.raises(ScenarioError) as refused:
        mistake(scenario("test"))
    assert str(refused.value) == message


def test_a_misspelt_argument_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="untli"):
        scenario().say("a", at=1, untli=2)  # type: ignore[call-arg]


# --- the scenario of a server that was given none ---------------------------------------------------------

SCRIPT = builtin_scenario().script_for("anyone at all")
SAYS = [cue for cue in SCRIPT.cues if isinstance(cue.action, Say)]


def test_it_speaks_for_everyone_in_every_conversation() -> None:
    assert builtin_scenario().speaks_in("any conversation")
    assert SCRIPT.cues


def test_it_starts_within_a_second_and_starts_again_after_twenty() -> None:
    assert isinstance(SCRIPT.cues[0].trigger, At)
    assert SCRIPT.cues[0].trigger.position_ms < 1000
    assert SCRIPT.loop_ms == 20_000


def test_utterances_alternate_between_french_and_english() -> None:
    assert [say.action.lang for say in SAYS] == ["fr", "en", "fr", "en", "fr"]


def test_utterances_do_not_overlap() -> None:
    ends = [0, *(say.until_ms for say in SAYS)]
    for say, end in zip(SAYS, ends, strict=False):
        assert isinstance(say.trigger, At)
        assert end is not None
        assert end < say.trigger.position_ms


def test_both_languages_have_entities_and_there_are_a_relation_and_tags() -> None:
    assert {say.action.lang for say in SAYS if say.action.entities} == {"fr", "en"}
    assert any(isinstance(cue.action, SayRelation) for cue in SCRIPT.cues)
    assert any(isinstance(cue.action, SayTags) for cue in SCRIPT.cues)


def test_the_members_of_the_relation_were_said_before_it() -> None:
    said: set[str] = set()
    for cue in SCRIPT.cues:
        if isinstance(cue.action, Say):
            said |= {entity.name for entity in cue.action.entities}
        if isinstance(cue.action, SayRelation):
            assert set(cue.action.members) <= said
