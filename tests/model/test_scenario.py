"""What a scenario refuses when it is built, and whom it speaks for."""

from __future__ import annotations

import msgspec
import pytest

from uhlive_mock.errors import ScenarioError
from uhlive_mock.model.fault import Fault, FaultKind
from uhlive_mock.model.limits import Idle, Limits
from uhlive_mock.model.scenario import (
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
    When,
)

AT = At(position_ms=1000)
MARK = RawEvent(name="mark")
RESET = Fault(kind=FaultKind.RESET)


def entity(first: int, last: int) -> InlineEntity:
    return InlineEntity(name="location_city", first=first, last=last, source="x")


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: At(position_ms=-1), "at is -1 ms; expected 0 or more"),
        (lambda: After(delay_ms=-5), "after is -5 ms; expected 0 or more"),
        (lambda: Cue(trigger=AT, action=MARK, until_ms=1000), "until is 1000 ms, not after at, 1000 ms"),
        (lambda: Cue(trigger=AT, action=MARK, until_ms=999), "not after at"),
        (lambda: Cue(trigger=After(delay_ms=0), action=MARK, until_ms=9), "until needs at"),
        (lambda: Cue(trigger=When(moment=Moment.LEFT), action=MARK, until_ms=9), "until needs at"),
        (lambda: Cue(trigger=AT, action=RESET, until_ms=2000), "until does not go with a fault"),
        (lambda: Script(say_from=Moment.FIRST_AUDIO), "say_from needs ghost"),
        (
            lambda: Script(ghost=True, say_from=Moment.LEFT),
            "say_from is 'left'; expected 'joined' or 'first_audio'",
        ),
        (lambda: Scenario(speakers={"*": Script(ghost=True)}), "a ghost has a name of its own"),
        (lambda: Scenario(speakers={"": Script()}), "a speaker has no name"),
        (lambda: Scenario(name=""), "scenario is empty; expected at least one character"),
        (lambda: Match(conversation=""), "conversation is empty"),
        (lambda: Script(loop_ms=0), "loop is 0 ms; expected 100 ms or more"),
        (lambda: Script(loop_ms=-1), "loop is -1 ms"),
        (lambda: Timing(latency_ms=-1), "latency is -1 ms; expected 0 or more"),
        (lambda: Timing(jitter_ms=-1), "jitter is -1 ms; expected 0 or more"),
        (lambda: Timing(interim_every_ms=0), "interim_every is 0 ms; expected more than 0"),
        (lambda: Timing(word_ms=0), "word is 0 ms; expected more than 0"),
        (lambda: RawEvent(name=""), "event name is empty"),
        (lambda: SayTags(tags=()), "tags is empty"),
        (lambda: SayRelation(name="x", members=()), "members is empty"),
    ],
)
def test_a_bad_value_is_refused_with_what_was_found_and_what_was_expected(build, message):
    with pytest.raises(ScenarioError, match=message):
        build()


@pytest.mark.parametrize("kind", [Say, SayInterim, SaySegment, SayNormalized])
@pytest.mark.parametrize("text", ["", " ", "\n\t\u2003"])
def test_a_text_has_at_least_one_word(kind, text):
    with pytest.raises(ScenarioError, match="the text is empty"):
        kind(text=text)


@pytest.mark.parametrize("normalized", ["", " \n"])
def test_a_normalized_text_has_at_least_one_word_too(normalized):
    with pytest.raises(ScenarioError, match="the normalized text is empty"):
        Say(text="bonjour", normalized=normalized)


@pytest.mark.parametrize("field", ["lang", "country"])
@pytest.mark.parametrize(
    "build",
    [
        lambda **given: Say(text="x", **given),
        lambda **given: SaySegment(text="x", **given),
        lambda **given: SayEntity(name="x", source="x", **given),
        lambda **given: SayRelation(name="x", members=("y",), **given),
        lambda **given: SayTags(tags=(ScriptedTag(id="1", label="x"),), **given),
    ],
)
def test_a_language_or_country_has_at_least_one_character(build, field):
    with pytest.raises(ScenarioError, match=f"{field} is empty; expected at least one character"):
        build(**{field: ""})
    build(**{field: "fr"})


@pytest.mark.parametrize(
    ("build", "name"),
    [
        (lambda: SayEntity(name="x", source=""), "source"),
        (lambda: SayEntity(name="x", source="x", display=""), "display"),
        (lambda: ScriptedTag(id="", label="x"), "id"),
        (lambda: ScriptedTag(id="1", label=""), "label"),
    ],
)
def test_a_text_that_no_document_could_say_is_refused(build, name):
    with pytest.raises(ScenarioError, match=f"{name} is empty; expected at least one character"):
        build()


@pytest.mark.parametrize("confidence", [-0.1, 1.1, 85, float("nan")])
@pytest.mark.parametrize(
    "build",
    [
        lambda value: Say(text="x", confidence=value),
        lambda value: SaySegment(text="x", confidence=value),
        lambda value: InlineEntity(name="x", first=0, last=0, source="x", confidence=value),
        lambda value: SayEntity(name="x", source="x", confidence=value),
        lambda value: SayRelation(name="x", members=("y",), confidence=value),
        lambda value: SayTags(tags=(ScriptedTag(id="1", label="x"),), confidence=value),
        lambda value: ScriptedTag(id="1", label="x", confidence=value),
    ],
)
def test_a_confidence_lies_between_0_and_1(build, confidence):
    with pytest.raises(ScenarioError, match="expected 0 to 1"):
        build(confidence)
    build(0)
    build(1)


@pytest.mark.parametrize("name", ["", "location city", "location-city", "2nd", "a.b"])
def test_the_name_of_an_entity_or_relation_is_one_that_the_sdks_can_read(name):
    for build in (
        lambda: InlineEntity(name=name, first=0, last=0, source="x"),
        lambda: SayEntity(name=name, source="x"),
        lambda: SayRelation(name=name, members=("y",)),
        lambda: SayRelation(name="x", members=("y", name)),
    ):
        with pytest.raises(ScenarioError, match="expected letters, digits and underscores"):
            build()


@pytest.mark.parametrize(("first", "last"), [(-1, 0), (2, 1)])
def test_an_inline_entity_covers_words_from_first_to_last(first, last):
    with pytest.raises(ScenarioError, match="expected 0 <= first <= last"):
        entity(first, last)


def test_an_inline_entity_covers_words_that_exist():
    assert Say(text="un deux", entities=(entity(1, 1),))
    with pytest.raises(ScenarioError, match="covers word 2; the text has 2 words"):
        Say(text="un deux", entities=(entity(1, 2),))


@pytest.mark.parametrize(("one", "other"), [((0, 1), (1, 2)), ((0, 2), (1, 1)), ((1, 1), (1, 1))])
def test_inline_entities_do_not_overlap(one, other):
    with pytest.raises(ScenarioError, match="overlaps another entity"):
        Say(text="un deux trois", entities=(entity(*one), entity(*other)))


def test_inline_entities_may_come_in_any_order_and_touch():
    say = Say(text="un deux trois", entities=(entity(2, 2), entity(0, 1)))
    assert len(say.entities) == 2


# --- whom a scenario speaks for ---------------------------------------------------------------------------


def test_a_speaker_has_its_own_script_else_the_one_for_anyone_else_none():
    bob, anyone = Script(cues=(Cue(trigger=AT, action=MARK),)), Script(loop_ms=500)
    scenario = Scenario(speakers={"Bob": bob, "*": anyone})
    assert scenario.script_for("Bob") is bob
    assert scenario.script_for("bob") is anyone
    assert Scenario(speakers={"Bob": bob}).script_for("Alice") == Script()


def test_an_empty_script_of_its_own_keeps_a_speaker_silent():
    silent = Script()
    scenario = Scenario(speakers={"Bob": silent, "*": Script(loop_ms=500)})
    assert scenario.script_for("Bob") is silent


@pytest.mark.parametrize(
    ("pattern", "conversation", "speaks"),
    [
        ("*", "anything", True),
        ("*", "", True),
        ("support-*", "support-1", True),
        ("support-*", "Support-1", False),
        ("support-*", "my-support-1", False),
        ("call-?", "call-12", False),
        ("call-[12]", "call-2", True),
    ],
)
def test_a_scenario_speaks_in_the_conversations_its_pattern_fits(pattern, conversation, speaks):
    assert Scenario(match=Match(conversation=pattern)).speaks_in(conversation) is speaks


def test_a_scenario_says_nothing_about_limits_unless_it_does():
    assert Scenario().limits is None
    assert Scenario(limits=Limits()) != Scenario()


def test_a_ghost_may_loop_and_count_from_the_first_audio():
    ghost = Script(ghost=True, say_from=Moment.FIRST_AUDIO, loop_ms=500, cues=(Cue(trigger=AT, action=RESET),))
    assert Scenario(speakers={"Bob": ghost}).script_for("Bob").ghost


# --- values -----------------------------------------------------------------------------------------------


def test_scenarios_are_frozen():
    with pytest.raises(AttributeError):
        Scenario().seed = 3


def test_a_scenario_survives_a_trip_through_json():
    scenario = Scenario(
        name="billets",
        seed=7,
        speakers={
            "*": Script(
                cues=(
                    Cue(trigger=AT, until_ms=2000, action=Say(text="à lyon", entities=(entity(1, 1),))),
                    Cue(trigger=After(delay_ms=10), action=SayTags(tags=(ScriptedTag(id="1", label="a"),))),
                    Cue(trigger=When(moment=Moment.LEFT), action=MARK),
                    Cue(trigger=AT, action=RESET),
                )
            ),
            "Bob": Script(ghost=True, say_from=Moment.FIRST_AUDIO),
        },
        limits=Limits(idle=Idle(after_ms=None)),
    )
    assert msgspec.json.decode(msgspec.json.encode(scenario), type=Scenario) == scenario


def test_where_a_cue_was_written_does_not_count_when_cues_are_compared():
    assert Cue(trigger=AT, action=MARK, line=3) == Cue(trigger=AT, action=MARK, line=4)
    assert Cue(trigger=AT, action=MARK) != Cue(trigger=AT, action=MARK, until_ms=2000)


def test_a_repr_pastes_back():
    cue = Cue(trigger=AT, until_ms=2000, action=Say(text="à lyon", entities=(entity(1, 1),)), line=3)
    assert eval(repr(cue)) == cue
