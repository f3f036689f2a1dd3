"""What a script becomes before any audio arrives."""

from __future__ import annotations

from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, strategies as st

from uhlive_mock.model.events import Entity, Interim, Normalized, Raw, Relation, Segment, Speech, Tags
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
    Script,
    ScriptedTag,
    Timing,
    When,
)
from uhlive_mock.protocol.plan import Axis, Planned, Planner
from uhlive_mock.protocol.recognizer import SpeakerProfile

ALICE = SpeakerProfile(speaker="Alice", model="fr", country="fr")


def plan(*cues: Cue, profile: SpeakerProfile = ALICE, seed: int = 0, **timing) -> list[Planned]:
    return Planner(Script(cues=cues), profile, Timing(**timing), seed).turn()


def events(*cues: Cue, **options) -> list:
    return [planned.event for planned in plan(*cues, **options)]


def at(position_ms: int, action, until_ms: int | None = None) -> Cue:
    return Cue(trigger=At(position_ms=position_ms), action=action, until_ms=until_ms)


def after(delay_ms: int, action) -> Cue:
    return Cue(trigger=After(delay_ms=delay_ms), action=action)


def when(moment: Moment, action) -> Cue:
    return Cue(trigger=When(moment=moment), action=action)


def mark(name: str) -> RawEvent:
    return RawEvent(name=name)


def marks(*cues: Cue, **timing) -> list[tuple[str, Axis, int]]:
    """Name, axis and position of every planned mark."""
    return [
        (planned.event.name, planned.axis, planned.position_ms)
        for planned in plan(*cues, **timing)
        if isinstance(planned.event, Raw)
    ]


LYON = Say(
    text="deux billets pour lyon",
    normalized="Deux billets pour Lyon.",
    entities=(
        InlineEntity(name="cardinal_number", first=0, last=0, source="deux", value=2, display="2"),
        InlineEntity(name="location_city", first=3, last=3, source="lyon"),
    ),
)

# --- an utterance ---------------------------------------------------------------------------------------


def test_a_say_is_interims_then_segment_then_normalized_then_entities():
    planned = plan(at(400, LYON, 2400), interim_every_ms=1000)
    assert [(type(item.event), item.position_ms) for item in planned] == [
        (Interim, 1400),
        (Segment, 2400),
        (Normalized, 2400),
        (Entity, 2400),
        (Entity, 2400),
    ]


@given(say=..., start=st.integers(0, 5000), length=st.integers(1, 4000), timing=..., origin=st.integers())
def test_every_utterance_has_the_shape_clients_rely_on(
    say: Say, start: int, length: int, timing: Timing, origin: int
):
    profile = msgspec.structs.replace(ALICE, origin_ms=origin)
    planned = Planner(Script(cues=(at(start, say, start + length),)), profile, timing, 0).turn()
    said = [item.event for item in planned]
    kinds = [type(event) for event in said]
    interims = [event for event in said if isinstance(event, Interim)]
    [segment] = [event for event in said if isinstance(event, Segment)]
    # interims first, at least one, each longer than the one before and a beginning of the segment
    assert kinds[: len(interims)] == [Interim] * len(interims)
    assert interims
    assert all(len(one.words) < len(two.words) for one, two in pairwise(interims))
    assert all(segment.words[: len(interim.words)] == interim.words for interim in interims)
    assert {speech.utterance for speech in said if isinstance(speech, Speech)} == {segment.utterance}
    # then the segment, then everything about it
    assert kinds[len(interims)] is Segment
    expected = [Normalized] * (say.normalized is not None) + [Entity] * len(say.entities)
    assert kinds[len(interims) + 1 :] == expected
    # words are contiguous and fill the span
    assert segment.words[0].start_ms == start + origin
    assert segment.words[-1].end_ms == start + length + origin
    for speech in said:
        if isinstance(speech, Speech):
            assert (speech.start_ms, speech.end_ms) == (speech.words[0].start_ms, speech.words[-1].end_ms)
            assert speech.text == " ".join(word.text for word in speech.words)
            assert all(one.end_ms == two.start_ms for one, two in pairwise(speech.words))
            assert all(word.start_ms <= word.end_ms for word in speech.words)
            assert all(0 <= word.confidence <= 1 for word in speech.words)
            assert 0 <= speech.confidence <= 1
    # an entity covers its words of the segment, and those are its source
    entities = [event for event in said if isinstance(event, Entity)]
    for entity, scripted in zip(entities, say.entities, strict=True):
        covered = segment.words[scripted.first : scripted.last + 1]
        assert (entity.start_ms, entity.end_ms) == (covered[0].start_ms, covered[-1].end_ms)
        assert segment.start_ms <= entity.start_ms <= entity.end_ms <= segment.end_ms
        assert entity.source == " ".join(word.text for word in covered)


def test_an_interim_has_the_words_heard_so_far():
    say = Say(text="aa bb cc dd")
    planned = plan(at(0, say, 1200), interim_every_ms=300)
    assert [(item.position_ms, item.event.text) for item in planned] == [
        (300, "aa"),
        (600, "aa bb"),
        (900, "aa bb cc"),
        (1200, "aa bb cc dd"),
    ]
    assert isinstance(planned[-1].event, Segment)


def test_an_interim_comes_only_when_it_has_something_new():
    planned = plan(at(0, Say(text="anticonstitutionnellement oui"), 3000), interim_every_ms=100)
    assert [item.event.text for item in planned if isinstance(item.event, Interim)] == ["anticonstitutionnellement"]


def test_an_utterance_shorter_than_the_interval_still_has_one_interim():
    planned = plan(at(0, Say(text="oui"), 100), interim_every_ms=300)
    assert [(type(item.event), item.position_ms, item.event.text) for item in planned] == [
        (Interim, 100, "oui"),
        (Segment, 100, "oui"),
    ]


def test_without_interim_results_there_are_no_interims():
    quiet = msgspec.structs.replace(ALICE, interim_results=False)
    said = events(
        at(0, LYON, 2000), at(3000, SayInterim(text="non")), at(4000, SaySegment(text="si")), profile=quiet
    )
    assert not [event for event in said if isinstance(event, Interim)]
    assert [type(event) for event in said] == [Segment, Normalized, Entity, Entity, Segment]


@given(script=..., timing=..., seed=st.integers())
def test_without_interim_results_everything_else_is_the_same(script: Script, timing: Timing, seed: int):
    quiet = msgspec.structs.replace(ALICE, interim_results=False)
    everything = Planner(script, ALICE, timing, seed).turn()
    rest = [planned for planned in everything if not isinstance(planned.event, Interim)]
    assert Planner(script, quiet, timing, seed).turn() == rest


@given(script=..., timing=..., origin=st.sampled_from([0, -5, 1_613_129_063_523]))
def test_an_origin_shifts_every_time_by_the_same_amount(script: Script, timing: Timing, origin: int):
    def shift_back(value: object, by: int) -> object:
        if isinstance(value, dict):
            return {
                key: inner - by if key in {"start_ms", "end_ms"} and inner is not None else shift_back(inner, by)
                for key, inner in value.items()
                if key != "id"  # ends with the start
            }
        return [shift_back(inner, by) for inner in value] if isinstance(value, list) else value

    def said(by: int) -> list:
        profile = msgspec.structs.replace(ALICE, origin_ms=by)
        turn = Planner(script, profile, timing, 7).turn()
        return shift_back(msgspec.json.decode(msgspec.json.encode(turn)), by)

    assert said(origin) == said(0)


def test_a_say_without_an_end_lasts_as_long_as_its_words():
    [*_, segment] = events(at(500, Say(text="un deux trois")), word_ms=400)
    assert (segment.start_ms, segment.end_ms) == (500, 1700)


def test_events_take_language_and_country_from_the_join_unless_told_otherwise():
    english = SpeakerProfile(speaker="Bob", model="en.large", country="us")
    told, own = events(
        at(0, SaySegment(text="a")), at(1, SaySegment(text="b", lang="fr", country="ca")), profile=english
    )
    assert (told.speaker, told.lang, told.country, told.model) == ("Bob", "en", "us", "en.large")
    assert (own.lang, own.country) == ("fr", "ca")


def test_a_scripted_confidence_is_that_of_every_word():
    [segment] = events(at(0, SaySegment(text="un deux", confidence=0.5)))
    assert [word.confidence for word in segment.words] == [0.5, 0.5]
    assert segment.confidence == 0.5


# --- utterances and relations ---------------------------------------------------------------------------


def test_single_interims_and_the_segment_after_them_share_an_utterance():
    said = events(
        at(0, SayInterim(text="un")),
        at(1000, SayInterim(text="un deux")),
        at(2000, SaySegment(text="un deux trois")),
        at(3000, SayNormalized(text="1 2 3")),
        at(4000, SaySegment(text="quatre")),
    )
    assert [event.utterance for event in said] == [0, 0, 0, 0, 1]
    assert [event.previous for event in said] == [None, None, None, None, 0]


def test_utterances_count_from_the_first_one_of_the_voice():
    profile = msgspec.structs.replace(ALICE, first_utterance=40)
    said = events(*(at(ms, SaySegment(text="x")) for ms in (0, 1000, 2000)), profile=profile)
    assert [(event.utterance, event.previous) for event in said] == [(40, None), (41, 40), (42, 41)]


def test_a_relation_refers_to_the_latest_entities_of_its_names():
    said = events(
        at(0, SayEntity(name="location_city", source="lyon")),
        at(1000, SayEntity(name="location_city", source="paris")),
        at(1000, SayEntity(name="location_country", source="france")),
        at(2000, SayRelation(name="location", members=("location_city", "location_country", "iban"))),
    )
    _, paris, france, relation = said
    assert isinstance(relation, Relation)
    assert [(member.name, member.id, member.start_ms) for member in relation.members] == [
        ("location_city", paris.id, 1000),
        ("location_country", france.id, 1000),
        ("", "", None),
    ]


def test_tags_and_raw_events_say_what_the_script_says():
    tags, raw = events(
        at(0, SayTags(tags=(ScriptedTag(id="bf46", label="Request for quote"),)), 500),
        at(600, RawEvent(name="custom", payload=[1])),
    )
    assert isinstance(tags, Tags)
    assert (tags.start_ms, tags.end_ms, tags.tags[0].id, tags.tags[0].label) == (
        0,
        500,
        "bf46",
        "Request for quote",
    )
    assert raw == Raw(speaker="Alice", name="custom", payload=[1])


# --- where cues lie -------------------------------------------------------------------------------------


def test_at_is_a_position_in_the_audio():
    assert marks(at(500, mark("a")), at(200, mark("b"), 900)) == [
        ("a", Axis.AUDIO, 500),
        ("b", Axis.AUDIO, 900),
    ]


def test_after_counts_from_the_end_of_the_cue_before():
    assert marks(
        after(100, mark("start")),
        at(500, Say(text="un deux"), 1500),
        after(250, mark("a")),
        after(0, mark("b")),
        after(0, SaySegment(text="un deux")),
        after(10, mark("c")),
        word_ms=300,
    ) == [
        ("start", Axis.AUDIO, 100),
        ("a", Axis.AUDIO, 1750),
        ("b", Axis.AUDIO, 1750),
        ("c", Axis.AUDIO, 2360),
    ]


def test_after_stays_on_the_axis_of_the_cue_before():
    found = marks(
        when(Moment.JOINED, mark("joined")),
        after(1000, mark("a")),
        at(300, mark("at")),
        after(10, mark("b")),
        when(Moment.LEFT, mark("left")),
        after(5, mark("c")),
        when(Moment.FIRST_AUDIO, mark("first")),
        after(7, mark("d")),
    )
    assert sorted(found) == [
        ("a", Axis.JOINED, 1000),
        ("at", Axis.AUDIO, 300),
        ("b", Axis.AUDIO, 310),
        ("c", Axis.LEFT, 5),
        ("d", Axis.FIRST_AUDIO, 7),
        ("first", Axis.FIRST_AUDIO, 0),
        ("joined", Axis.JOINED, 0),
        ("left", Axis.LEFT, 0),
    ]


def test_cues_of_one_position_keep_the_order_written():
    found = marks(at(1000, mark("a")), at(500, mark("b"), 1000), at(1000, mark("c")))
    assert [name for name, _, _ in found] == ["a", "b", "c"]


# --- turns, seeds ---------------------------------------------------------------------------------------


def test_a_script_that_does_not_loop_has_one_turn():
    planner = Planner(Script(cues=(at(0, mark("a")),)), ALICE, Timing(), 0)
    assert planner.next_turn_ms == 0
    planner.turn()
    assert planner.next_turn_ms is None


def test_a_loop_shifts_each_turn_and_goes_on_counting_utterances():
    planner = Planner(Script(cues=(at(100, SaySegment(text="x"), 200),), loop_ms=1000), ALICE, Timing(), 0)
    turns = []
    for start in (0, 1000, 2000):
        assert planner.next_turn_ms == start
        turns += planner.turn()
    assert [item.position_ms for item in turns] == [200, 1200, 2200]
    assert [item.event.start_ms for item in turns] == [100, 1100, 2100]
    assert [item.event.utterance for item in turns] == [0, 1, 2]


def test_turns_of_a_loop_do_not_share_their_chance():
    planner = Planner(Script(cues=(at(0, SaySegment(text="un deux trois")),), loop_ms=1000), ALICE, Timing(), 0)
    turns = [planner.turn()[0].event for _ in range(3)]
    assert len({tuple(word.confidence for word in turn.words) for turn in turns}) == 3


def test_only_the_audio_of_a_script_is_looped():
    cues = (at(0, mark("a")), *(when(moment, mark(moment)) for moment in Moment))
    planner = Planner(Script(cues=cues, loop_ms=500), ALICE, Timing(), 0)
    assert len(planner.turn()) == 4
    assert [item.event.name for item in planner.turn()] == ["a"]


@given(script=..., timing=..., seed=st.integers())
def test_one_seed_plans_one_script(script: Script, timing: Timing, seed: int):
    assert Planner(script, ALICE, timing, seed).turn() == Planner(script, ALICE, timing, seed).turn()


def test_another_seed_makes_other_confidences_and_other_jitter():
    def outcome(seed: int) -> tuple:
        [planned] = plan(at(0, SaySegment(text="un deux")), seed=seed, jitter_ms=10_000)
        return planned.latency_ms, planned.event.confidence

    outcomes = {outcome(seed) for seed in range(10)}
    assert len({latency for latency, _ in outcomes}) > 1
    assert len({confidence for _, confidence in outcomes}) > 1


def test_speakers_of_one_script_do_not_share_their_chance():
    bob = msgspec.structs.replace(ALICE, speaker="Bob")
    cue = at(0, SaySegment(text="un deux trois"))
    assert events(cue)[0].words != events(cue, profile=bob)[0].words


@given(script=..., latency=st.integers(0, 900), jitter=st.integers(0, 900), seed=st.integers())
def test_latency_lies_between_the_scripts_and_the_jitter(script: Script, latency: int, jitter: int, seed: int):
    timing = Timing(latency_ms=latency, jitter_ms=jitter)
    for planned in Planner(script, ALICE, timing, seed).turn():
        assert latency <= planned.latency_ms <= latency + jitter


def test_taking_a_cue_out_changes_no_other_cues_chance():
    first, second = at(0, SaySegment(text="a b c")), at(5000, SaySegment(text="d e f"))
    silent = at(0, mark("instead"))
    assert events(first, second)[1].words == events(silent, second)[1].words


@pytest.mark.parametrize("model", ["fr", "en", "fr.telephony"])
def test_the_language_is_that_of_the_model(model):
    assert SpeakerProfile(speaker="A", model=model, country="fr").lang == model[:2]
