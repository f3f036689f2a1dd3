"""Events to names and payloads, against the provider's tables and whichever official SDK is installed."""

from __future__ import annotations

import json
import re

import msgspec
import pytest
from hypothesis import given, strategies as st

from uhlive_mock.errors import InternalError
from uhlive_mock.model.account import Vocabulary
from uhlive_mock.model.events import (
    Entity,
    EntityRef,
    Event,
    Interim,
    Normalized,
    Raw,
    Relation,
    Segment,
    SpeakerJoined,
    SpeakerLeft,
    Speech,
    Tag,
    Tags,
    Word,
)
from uhlive_mock.wire.framing import Framing, Message, encode
from uhlive_mock.wire.vocabulary import WRITERS, Setting, render, summarize

LEGACY, UNIVERSAL = Vocabulary
SETTING = Setting(topic="conversation:acme@conv1", client_id="acme", campaign_id="spring")

ALICE = {"speaker": "Alice", "lang": "fr", "country": "fr"}
SPAN = {"start_ms": 2730, "end_ms": 3690}
WORDS = (
    Word(text="vingt-deux", start_ms=2730, end_ms=3000, confidence=0.9),
    Word(text="là", start_ms=3000, end_ms=3690, confidence=1.0),
)
SPEECH = {
    **ALICE,
    **SPAN,
    "model": "fr",
    "utterance": 7,
    "previous": 6,
    "text": "vingt-deux là",
    "words": WORDS,
    "confidence": 0.95,
}
NUMBER = Entity(
    **ALICE,
    **SPAN,
    name="cardinal_number",
    id="Entity.CardinalNumber-2730",
    source="vingt-deux",
    display="22",
    value=22.0,
    confidence=0.9,
)
CITY = msgspec.structs.replace(NUMBER, name="location_city", id="c-1", source="lyon", display=None, value=None)
RELATION = Relation(
    **ALICE,
    **SPAN,
    name="location",
    members=(
        EntityRef(name="cardinal_number", id="n-1", start_ms=2730),
        EntityRef(name="", id="", start_ms=None),
    ),
    confidence=0.8,
)
TAGS = Tags(
    **ALICE, **SPAN, tags=(Tag(id="af46d611", label="Product - 50t anvil", confidence=0.7),), confidence=0.8
)
JOINED = SpeakerJoined(**ALICE, interim_results=True, rescoring=False, timestamp_ms=1613129063523)
LEFT = SpeakerLeft(speaker="Alice", timestamp_ms=1613129073523)
EVERY = {
    "interim": Interim(**SPEECH),
    "segment": Segment(**SPEECH),
    "normalized": Normalized(**SPEECH),
    "entity": NUMBER,
    "relation": RELATION,
    "tags": TAGS,
    "speaker_joined": JOINED,
    "speaker_left": LEFT,
}

# --- names and payloads ---------------------------------------------------------------------------------

SPANNED = {"start": 2730, "end": 3690, "length": 960}
COMMON = ALICE | SPANNED
OURS = {"conversation": "conversation:acme@conv1", "client_id": "acme", "campaign_id": "spring"}
LEGACY_SPEECH = COMMON | {
    "model": "fr",
    "utterance_id": 7,
    "transcript": "vingt-deux là",
    "words": [
        {"word": "vingt-deux", "start": 2730, "end": 3000, "length": 270, "confidence": 0.9},
        {"word": "là", "start": 3000, "end": 3690, "length": 690, "confidence": 1.0},
    ],
    "confidence": 0.95,
}
UNIVERSAL_SPEECH = (
    COMMON
    | OURS
    | {
        "id": "7",
        "value": "vingt-deux là",
        "components": [
            {"value": "vingt-deux", "start": 2730, "end": 3000, "length": 270, "confidence": 0.9},
            {"value": "là", "start": 3000, "end": 3690, "length": 690, "confidence": 1.0},
        ],
        "confidence": 0.95,
        "meta": {"model": "fr", "previous_utterance_id": "6"},
    }
)
ARRIVAL = ALICE | {"interim_results": True, "rescoring": False, "timestamp": 1613129063523}
DEPARTURE = {"speaker": "Alice", "timestamp": 1613129073523}

ON_THE_WIRE = {
    LEGACY: {
        "interim": ("words_decoded", LEGACY_SPEECH),
        "segment": ("segment_decoded", LEGACY_SPEECH),
        "normalized": ("segment_normalized", LEGACY_SPEECH | {"previous_utterance_id": 6}),
        "entity": (
            "entity_number_found",
            COMMON
            | {"confidence": 0.9, "annotation": {"original": "vingt-deux", "canonical": "22", "value": 22.0}},
        ),
        "relation": (
            "relation_location_found",
            COMMON
            | {
                "confidence": 0.8,
                "members": [
                    {"entity": "entity_number_found", "start": 2730},
                    {"entity": "", "start": None},
                ],
            },
        ),
        "tags": (
            "tags_found",
            COMMON
            | {
                "confidence": 0.8,
                "annotation": {"tags": [{"uuid": "af46d611", "label": "Product - 50t anvil"}]},
            },
        ),
        "speaker_joined": ("speaker_joined", ARRIVAL),
        "speaker_left": ("speaker_left", DEPARTURE),
    },
    UNIVERSAL: {
        "interim": ("audio_words_decoded", UNIVERSAL_SPEECH),
        "segment": ("audio_segment_decoded", UNIVERSAL_SPEECH),
        "normalized": ("audio_segment_normalized", UNIVERSAL_SPEECH),
        "entity": (
            "entity_cardinal_number_recognized",
            COMMON
            | OURS
            | {
                "id": "Entity.CardinalNumber-2730",
                "source": "vingt-deux",
                "display": "22",
                "value": 22.0,
                "confidence": 0.9,
                "meta": {},
            },
        ),
        "relation": (
            "relation_location_recognized",
            COMMON
            | OURS
            | {
                "confidence": 0.8,
                "components": [
                    {"class": "entity_cardinal_number_recognized", "id": "n-1"},
                    {"class": "", "id": ""},
                ],
            },
        ),
        "tags": (
            "tags_set",
            COMMON
            | OURS
            | {
                "confidence": 0.8,
                "components": [{"value": "af46d611", "display": "Product - 50t anvil", "confidence": 0.7}],
            },
        ),
        "speaker_joined": ("speaker_joined", ARRIVAL),
        "speaker_left": ("speaker_left", DEPARTURE),
    },
}


@pytest.mark.parametrize("kind", EVERY)
@pytest.mark.parametrize("vocabulary", Vocabulary)
def test_an_event_has_the_name_and_the_payload_of_its_vocabulary(vocabulary, kind):
    assert render(vocabulary, EVERY[kind], SETTING) == ON_THE_WIRE[vocabulary][kind]


@pytest.mark.parametrize(
    ("vocabulary", "place", "absent"),
    [(LEGACY, "annotation", {"canonical", "value"}), (UNIVERSAL, None, {"display", "value"})],
)
def test_an_entity_without_display_and_value_has_neither_key(vocabulary, place, absent):
    _, payload = render(vocabulary, CITY, SETTING)
    assert not absent & set(payload[place] if place else payload)


@pytest.mark.parametrize("value", [0, 0.0, False, "", [], {"unit": "EUR", "value": 3.5}])
def test_a_value_that_is_empty_is_a_value(value):
    entity = msgspec.structs.replace(NUMBER, value=value)
    assert render(LEGACY, entity, SETTING)[1]["annotation"]["value"] == value
    assert render(UNIVERSAL, entity, SETTING)[1]["value"] == value


def test_only_the_number_has_another_name_in_legacy():
    assert render(LEGACY, CITY, SETTING)[0] == "entity_location_city_found"
    assert render(UNIVERSAL, CITY, SETTING)[0] == "entity_location_city_recognized"


@pytest.mark.parametrize("vocabulary", Vocabulary)
def test_the_first_utterance_has_none_before_it(vocabulary):
    _, payload = render(vocabulary, Normalized(**SPEECH | {"previous": None}), SETTING)
    assert (payload if vocabulary is LEGACY else payload["meta"])["previous_utterance_id"] is None


@pytest.mark.parametrize("vocabulary", Vocabulary)
def test_a_departure_can_have_a_reason(vocabulary):
    left = SpeakerLeft(speaker="Alice", timestamp_ms=1, reason="timeout")
    assert render(vocabulary, left, SETTING)[1]["reason"] == "timeout"


@pytest.mark.parametrize("vocabulary", Vocabulary)
@pytest.mark.parametrize("payload", [{}, {"a": [1]}, [], None, "text"])
def test_a_raw_event_is_written_as_it_is(vocabulary, payload):
    assert render(vocabulary, Raw(speaker="Alice", name="custom", payload=payload), SETTING) == (
        "custom",
        payload,
    )


def test_both_vocabularies_know_every_event():
    assert set(WRITERS[LEGACY]) == set(WRITERS[UNIVERSAL]) == set(Event.__args__)


def test_what_no_vocabulary_knows_is_a_defect_of_ours():
    with pytest.raises(InternalError, match="no legacy form for Word"):
        render(LEGACY, WORDS[0], SETTING)


@pytest.mark.parametrize("vocabulary", Vocabulary)
@pytest.mark.parametrize("kind", sorted(set(EVERY) - {"raw"}))
def test_the_wire_tells_the_kind_and_the_text_that_the_event_tells(vocabulary, kind):
    event = EVERY[kind]
    assert summarize(*render(vocabulary, event, SETTING)) == (event.kind, event.text)


def test_an_event_of_no_known_name_is_a_kind_of_its_own():
    assert summarize("custom", {"value": "x"}) == ("custom", "")
    assert summarize(None, None) == ("None", "")


@pytest.mark.parametrize("payload", [None, [], {}, {"annotation": 1, "components": [1, {"display": 2}]}])
def test_a_payload_without_the_text_has_an_empty_one(payload):
    assert summarize("words_decoded", payload) == ("interim", "")
    assert summarize("entity_number_found", payload) == ("entity", 'cardinal_number ""')
    assert summarize("relation_x_recognized", payload) == ("relation", "x")
    assert summarize("tags_set", payload) == ("tags", "")


# --- any event ------------------------------------------------------------------------------------------

TEXTS = st.text(min_size=1, max_size=12)
TIMES = st.integers(-(2**53), 2**53)
CONFIDENCES = st.floats(0, 1)
NAMES = st.from_regex(r"[a-z]+(_[a-z0-9]+)*", fullmatch=True)
VALUES = st.none() | st.integers() | st.text() | st.fixed_dictionaries({"unit": st.text(), "value": st.integers()})
WHO = {"speaker": TEXTS, "lang": st.sampled_from(["fr", "en"]), "country": st.sampled_from(["fr", "us"])}
WHEN = {"start_ms": TIMES, "end_ms": TIMES, "confidence": CONFIDENCES}
ANY_WORD = st.builds(Word, text=TEXTS, **WHEN)
ANY_SPEECH = (
    WHO
    | WHEN
    | {
        "model": TEXTS,
        "utterance": st.integers(0),
        "previous": st.none() | st.integers(0),
        "text": TEXTS,
        "words": st.lists(ANY_WORD, max_size=3).map(tuple),
    }
)
ANY_MEMBER = st.just(EntityRef(name="", id="", start_ms=None)) | st.builds(
    EntityRef, name=NAMES, id=TEXTS, start_ms=TIMES
)
EVENTS = st.one_of(
    *(st.builds(kind, **ANY_SPEECH) for kind in (Interim, Segment, Normalized)),
    st.builds(Entity, **WHO, **WHEN, name=NAMES, id=TEXTS, source=TEXTS, display=st.none() | TEXTS, value=VALUES),
    st.builds(Relation, **WHO, **WHEN, name=NAMES, members=st.lists(ANY_MEMBER, max_size=3).map(tuple)),
    st.builds(
        Tags,
        **WHO,
        **WHEN,
        tags=st.lists(st.builds(Tag, id=TEXTS, label=TEXTS, confidence=CONFIDENCES), max_size=3).map(tuple),
    ),
    st.builds(SpeakerJoined, **WHO, interim_results=st.booleans(), rescoring=st.booleans(), timestamp_ms=TIMES),
    st.builds(SpeakerLeft, speaker=TEXTS, timestamp_ms=TIMES, reason=st.none() | TEXTS),
)


def frame(vocabulary: Vocabulary, event: Event) -> str:
    """What a vsn2 socket of that vocabulary receives."""
    return encode(Framing.VSN2, Message(None, None, SETTING.topic, *render(vocabulary, event, SETTING)))


@given(event=EVENTS, vocabulary=st.sampled_from(Vocabulary))
def test_every_event_of_every_content_makes_sense_on_the_wire(event, vocabulary):
    _, _, topic, name, payload = json.loads(frame(vocabulary, event))
    assert topic == SETTING.topic
    assert payload["speaker"] == event.speaker
    assert name in {
        LEGACY: {"words_decoded", "segment_decoded", "segment_normalized", "tags_found"},
        UNIVERSAL: {"audio_words_decoded", "audio_segment_decoded", "audio_segment_normalized", "tags_set"},
    }[vocabulary] | {"speaker_joined", "speaker_left"} or re.fullmatch(
        r"(entity|relation)_\w+_" + ("found" if vocabulary is LEGACY else "recognized"), name
    )
    if "start" in payload:
        assert payload["length"] == payload["end"] - payload["start"]


# --- the official SDK -----------------------------------------------------------------------------------

sdk = pytest.importorskip("uhlive.stream.conversation.events")
GENERATION = UNIVERSAL if hasattr(sdk, "EntityRecognized") else LEGACY
OTHER = LEGACY if GENERATION is UNIVERSAL else UNIVERSAL
CLASSES = {
    LEGACY: {
        Interim: "WordsDecoded",
        Segment: "SegmentDecoded",
        Normalized: "SegmentNormalized",
        Entity: "EntityFound",
        Relation: "RelationFound",
        Tags: "TagsFound",
        SpeakerJoined: "SpeakerJoined",
        SpeakerLeft: "SpeakerLeft",
    },
    UNIVERSAL: {
        Interim: "AudioWordsDecoded",
        Segment: "AudioSegmentDecoded",
        Normalized: "AudioSegmentNormalized",
        Entity: "EntityRecognized",
        Relation: "RelationRecognized",
        Tags: "TagsSet",
        SpeakerJoined: "SpeakerJoined",
        SpeakerLeft: "SpeakerLeft",
    },
}[GENERATION]


def read_by_sdk(event: Event):
    return sdk.Event.from_message(json.loads(frame(GENERATION, event)))


def properties(thing: object) -> dict[str, object]:
    """Every property of an object of the SDK, by introspection, with its value."""
    kind = type(thing)
    return {name: getattr(thing, name) for name in dir(kind) if isinstance(getattr(kind, name), property)}


def read_everything(thing: object) -> dict[str, object]:
    """The properties of an event; reads those of the words, tags and references in it as well."""
    found = properties(thing)
    for value in found.values():
        for inner in value if isinstance(value, list) else ():
            assert properties(inner) or vars(inner)
    assert repr(thing)
    assert str(thing)
    return found


@pytest.mark.parametrize("kind", EVERY)
def test_the_installed_sdk_reads_every_property_of_every_event(kind):
    event = EVERY[kind]
    read = read_by_sdk(event)
    assert type(read).__name__ == CLASSES[type(event)]
    found = read_everything(read)
    assert found.pop("speaker") == "Alice"
    assert found.pop("conversation" if GENERATION is UNIVERSAL else "topic") == SETTING.topic
    empty = {name for name, value in found.items() if value is None}
    assert empty == {"join_ref", "ref"}


@given(event=EVENTS)
def test_the_installed_sdk_reads_any_content_of_any_event(event):
    read = read_by_sdk(event)
    found = properties(read)
    assert type(read).__name__ == CLASSES[type(event)]
    if isinstance(event, Speech):
        words = found["components" if GENERATION is UNIVERSAL else "words"]
        word = "value" if GENERATION is UNIVERSAL else "word"
        assert [(getattr(one, word), one.start, one.end) for one in words] == [
            (one.text, one.start_ms, one.end_ms) for one in event.words
        ]
        assert found["value" if GENERATION is UNIVERSAL else "transcript"] == event.text
    if isinstance(event, Entity):
        assert found["source" if GENERATION is UNIVERSAL else "original"] == event.source
        assert found["display" if GENERATION is UNIVERSAL else "canonical"] == event.display
        assert found["value"] == event.value
    if isinstance(event, Relation):
        known = [member for member in event.members if member.name]
        assert len(found["components" if GENERATION is UNIVERSAL else "members"]) == len(known)
    if isinstance(event, Tags):
        assert len(found["tags"]) == len(event.tags)


@pytest.mark.parametrize("kind", EVERY)
def test_the_installed_sdk_meets_the_other_vocabulary_as_documented(kind):
    """What both SDK generations do: transcripts and tags are `Unknown`, entities and relations a crash."""
    message = json.loads(frame(OTHER, EVERY[kind]))
    if kind in {"entity", "relation"}:
        with pytest.raises(AttributeError):
            sdk.Event.from_message(message)
    else:
        known = kind.startswith("speaker_")
        assert isinstance(sdk.Event.from_message(message), sdk.Unknown) is not known


# --- our own client -------------------------------------------------------------------------------------

theirs = pytest.importorskip("uhlive_client.events")
client_wire = pytest.importorskip("uhlive_client.wire")
client_vocabulary = pytest.importorskip("uhlive_client.vocabulary")
NOT_IN_LEGACY = {"Entity": {"id"}, "Interim": {"previous"}, "Segment": {"previous"}}


@given(event=EVENTS, vocabulary=st.sampled_from(Vocabulary))
def test_our_client_reads_what_we_meant(event, vocabulary):
    kind = type(event).__name__
    read = client_vocabulary.parse(client_wire.decode(frame(vocabulary, event), client_wire.Framing.VSN2))
    assert type(read) is getattr(theirs, kind)
    said, heard = msgspec.structs.asdict(event), msgspec.structs.asdict(read)
    assert set(heard) == set(said)
    for name in set(said) - (NOT_IN_LEGACY.get(kind, set()) if vocabulary is LEGACY else set()):
        if name in {"utterance", "previous"}:
            assert heard[name] == (None if said[name] is None else str(said[name]))
        elif name == "members":
            assert len(heard[name]) == len(said[name])
        elif name == "words":
            assert [msgspec.structs.asdict(word) for word in heard[name]] == [
                msgspec.structs.asdict(word) for word in said[name]
            ]
        elif name == "tags":
            assert [(tag.id, tag.label) for tag in heard[name]] == [(tag.id, tag.label) for tag in said[name]]
        elif name == "name" and vocabulary is LEGACY and said[name] == "cardinal_number":
            assert heard[name] in {"number", "cardinal_number"}
        else:
            assert heard[name] == said[name], name
