"""Events out of payloads: both vocabularies tell the same story, and none can surprise the reader."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, strategies as st
from uhlive_client import events
from uhlive_client.vocabulary import parse
from uhlive_client.wire import Message

COMMON = {"speaker": "Alice", "lang": "fr", "country": "fr", "start": 960, "end": 1320, "length": 360}
SPOKEN = {
    "speaker": "Alice",
    "lang": "fr",
    "country": "fr",
    "start_ms": 960,
    "end_ms": 1320,
}


def event(name: str, payload: object, *, ref: str | None = None) -> events.Event:
    return parse(Message(join_ref=None, ref=ref, topic="t", event=name, payload=payload))


SPEECH = {
    "text": "allez-y",
    "utterance": "4",
    "previous": "3",
    "model": "generic",
    "confidence": 0.9,
    "words": (events.Word(text="allez-y", start_ms=960, end_ms=1320, confidence=0.94202),),
    **SPOKEN,
}
UNIVERSAL_SPEECH = {
    **COMMON,
    "id": "4",
    "value": "allez-y",
    "confidence": 0.9,
    "components": [{"value": "allez-y", "start": 960, "end": 1320, "length": 360, "confidence": 0.94202}],
    "meta": {"model": "generic", "previous_utterance_id": 3},
    "conversation": "conversation:acme@conv1",
    "client_id": "acme",
    "campaign_id": "",
}
LEGACY_SPEECH = {
    **COMMON,
    "utterance_id": 4,
    "previous_utterance_id": 3,
    "transcript": "allez-y",
    "confidence": 0.9,
    "model": "generic",
    "words": [{"word": "allez-y", "start": 960, "end": 1320, "length": 360, "confidence": 0.94202}],
}


@pytest.mark.parametrize(
    ("kind", "universal", "legacy"),
    [
        (events.Interim, "audio_words_decoded", "words_decoded"),
        (events.Segment, "audio_segment_decoded", "segment_decoded"),
        (events.Normalized, "audio_segment_normalized", "segment_normalized"),
    ],
)
def test_speech_reads_alike_in_both_vocabularies(kind, universal, legacy):
    assert event(universal, UNIVERSAL_SPEECH) == event(legacy, LEGACY_SPEECH) == kind(**SPEECH)


def test_entity():
    universal = event(
        "entity_cardinal_number_recognized",
        {**COMMON, "id": "x-960", "source": "deux", "display": "2", "value": 2, "confidence": 0.8},
    )
    legacy = event(
        "entity_cardinal_number_found",
        {**COMMON, "confidence": 0.8, "annotation": {"original": "deux", "canonical": "2", "value": 2}},
    )
    expected = events.Entity(
        name="cardinal_number", source="deux", display="2", value=2, confidence=0.8, id="x-960", **SPOKEN
    )
    assert universal == expected
    assert legacy == msgspec.structs.replace(expected, id=None)


def test_relation():
    universal = event(
        "relation_identity_recognized",
        {
            **COMMON,
            "components": [
                {"class": "entity_pers_lastname_recognized", "id": "y"},
                {"class": "", "id": None},
            ],
        },
    )
    legacy = event(
        "relation_identity_found",
        {**COMMON, "members": [{"entity": "entity_pers_lastname_found", "start": 960}, {"entity": ""}]},
    )
    nobody = events.EntityRef(name=None)
    assert universal == events.Relation(
        name="identity", members=(events.EntityRef(name="pers_lastname", id="y"), nobody), **SPOKEN
    )
    assert legacy == events.Relation(
        name="identity", members=(events.EntityRef(name="pers_lastname", start_ms=960), nobody), **SPOKEN
    )


def test_tags():
    universal = event(
        "tags_set", {**COMMON, "components": [{"value": "id-1", "display": "Request", "confidence": 0.8}]}
    )
    legacy = event("tags_found", {**COMMON, "annotation": {"tags": [{"uuid": "id-1", "label": "Request"}]}})
    assert universal == events.Tags(tags=(events.Tag(id="id-1", label="Request", confidence=0.8),), **SPOKEN)
    assert legacy == events.Tags(tags=(events.Tag(id="id-1", label="Request"),), **SPOKEN)


def test_speaker_joined_in_either_spelling():
    payload = {"speaker": "Bob", "rescoring": True, "timestamp": 1613129063523, "lang": "fr", "country": "fr"}
    expected = events.SpeakerJoined(
        speaker="Bob",
        timestamp_ms=1613129063523,
        lang="fr",
        country="fr",
        interim_results=False,
        rescoring=True,
    )
    assert event("speaker_joined", payload | {"interim_results": False}) == expected
    assert event("speaker_joined", payload | {"interim_result": False}) == expected


def test_speaker_left_with_and_without_a_reason():
    assert event("speaker_left", {"speaker": "Bob", "timestamp": 5}) == events.SpeakerLeft(
        speaker="Bob", timestamp_ms=5
    )
    assert event("speaker_left", {"speaker": "Bob", "reason": "gone"}) == events.SpeakerLeft(
        speaker="Bob", reason="gone"
    )


def test_replies():
    assert event("phx_reply", {"status": "ok", "response": {}}, ref="3") == events.Reply(
        ref="3", ok=True, response={}
    )
    assert event("phx_reply", {"status": "error", "response": {"reason": "no"}}) == events.Reply(
        ref=None, ok=False, reason="no", response={"reason": "no"}
    )


@pytest.mark.parametrize(
    ("name", "payload"),
    [
        ("audio_segment_decoded", {"speaker": "Alice", "value": "x", "start": 1}),
        ("audio_segment_decoded", {"speaker": "Alice", "value": "x", "start": "1", "end": 2}),
        ("segment_decoded", None),
        ("entity_x_recognized", {**COMMON}),
        ("entity_x_found", {**COMMON, "annotation": "deux"}),
        ("entity__recognized", {**COMMON, "source": "x"}),
        ("entity_x_lost", {**COMMON, "source": "x"}),
        ("speaker_left", {}),
        ("phx_reply", {}),
        ("something_new", [1, 2]),
    ],
)
def test_what_is_not_as_promised_is_unknown(name, payload):
    assert event(name, payload) == events.UnknownEvent(name=name, payload=payload)


def test_what_may_be_missing_is_none():
    segment = event("audio_segment_decoded", {"speaker": "Alice", "value": "x", "start": 1.0, "end": 2})
    assert segment == events.Segment(speaker="Alice", text="x", start_ms=1, end_ms=2)


def test_events_paste_back():
    segment = event("audio_segment_decoded", UNIVERSAL_SPEECH)
    assert eval(repr(segment), vars(events).copy()) == segment


keys = st.sampled_from([*UNIVERSAL_SPEECH, *LEGACY_SPEECH, "annotation", "original", "source", "members", "class"])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=6),
    max_leaves=8,
)
names = st.text(max_size=8) | st.sampled_from(
    [
        "audio_words_decoded",
        "segment_decoded",
        "tags_set",
        "tags_found",
        "speaker_joined",
        "speaker_left",
        "phx_reply",
        "phx_close",
        "phx_error",
        "entity_x_recognized",
        "entity_x_found",
        "relation_x_recognized",
        "relation_x_found",
    ]
)


@given(names, values)
def test_parsing_never_raises(name, payload):
    assert isinstance(event(name, payload), events.Event)


@given(names, values)
def test_a_full_payload_with_one_odd_field_never_raises(key, value):
    for name, payload in (("audio_words_decoded", UNIVERSAL_SPEECH), ("segment_decoded", LEGACY_SPEECH)):
        for field in payload:
            assert isinstance(event(name, payload | {field: value}), events.Event)
