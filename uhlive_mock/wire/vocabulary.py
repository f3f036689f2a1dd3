"""How typed events become wire names and payloads, in both of the service's vocabularies.

    legacy      words_decoded, segment_decoded, entity_*_found ...   SDK <= 1.6.1 and the JavaScript SDK
    universal   audio_words_decoded, ..., entity_*_recognized ...    SDK >= 2.0

S: the properties of SDK 1.6.1 and 2.1.0 and their fixtures; D: the provider's event pages. Each payload
has every field that either SDK generation reads from it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from ..errors import InternalError
from ..model.account import Vocabulary
from ..model.events import (
    Entity,
    Event,
    Interim,
    Normalized,
    Raw,
    Relation,
    Segment,
    SpeakerJoined,
    SpeakerLeft,
    Speech,
    Tags,
    Word,
)

Payload = dict[str, Any]
Rendered = tuple[str, Any]


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """What a payload says about the conversation it belongs to."""

    topic: str
    client_id: str
    campaign_id: str


LEGACY_ENTITY_NAMES = {"cardinal_number": "number"}
"""Entities that have another name in the legacy vocabulary. S: `number` became `cardinal_number` in 2.0."""


def render(vocabulary: Vocabulary, event: Event, setting: Setting) -> Rendered:
    """The wire name and payload of `event`."""
    try:
        write = WRITERS[vocabulary][type(event)]
    except KeyError:
        raise InternalError(f"no {vocabulary} form for {type(event).__name__}") from None
    return write(event, setting)


def _span(start_ms: int, end_ms: int) -> Payload:
    return {"start": start_ms, "end": end_ms, "length": end_ms - start_ms}


def _head(event: Entity | Relation | Tags) -> Payload:
    """What every annotation says first."""
    return {
        "speaker": event.speaker,
        "lang": event.lang,
        "country": event.country,
        **_span(event.start_ms, event.end_ms),
        "confidence": event.confidence,
    }


# --- both vocabularies ------------------------------------------------------------------------------------


def _speaker_joined(event: SpeakerJoined, _: Setting) -> Rendered:
    return "speaker_joined", {
        "speaker": event.speaker,
        "interim_results": event.interim_results,
        "rescoring": event.rescoring,
        "lang": event.lang,
        "country": event.country,
        "timestamp": event.timestamp_ms,
    }


def _speaker_left(event: SpeakerLeft, _: Setting) -> Rendered:
    payload: Payload = {"speaker": event.speaker, "timestamp": event.timestamp_ms}
    if event.reason is not None:
        payload["reason"] = event.reason
    return "speaker_left", payload


def _raw(event: Raw, _: Setting) -> Rendered:
    return event.name, event.payload


# --- legacy -----------------------------------------------------------------------------------------------


def _legacy_word(word: Word) -> Payload:
    return {"word": word.text, **_span(word.start_ms, word.end_ms), "confidence": word.confidence}


def _legacy_speech(name: str, *, with_previous: bool = False) -> Callable[[Speech, Setting], Rendered]:
    def write(event: Speech, _: Setting) -> Rendered:
        payload: Payload = {
            "speaker": event.speaker,
            "lang": event.lang,
            "country": event.country,
            "model": event.model,
            "utterance_id": event.utterance,
            **_span(event.start_ms, event.end_ms),
            "transcript": event.text,
            "words": [_legacy_word(word) for word in event.words],
            "confidence": event.confidence,
        }
        if with_previous:
            payload["previous_utterance_id"] = event.previous
        return name, payload

    return write


def _legacy_entity_event(name: str) -> str:
    return f"entity_{LEGACY_ENTITY_NAMES.get(name, name)}_found"


def _legacy_entity(event: Entity, _: Setting) -> Rendered:
    annotation: Payload = {"original": event.source}
    if event.display is not None:
        annotation["canonical"] = event.display
    if event.value is not None:
        annotation["value"] = event.value
    return _legacy_entity_event(event.name), {
        **_head(event),
        "annotation": annotation,
    }


def _legacy_relation(event: Relation, _: Setting) -> Rendered:
    return f"relation_{event.name}_found", {
        **_head(event),
        "members": [
            {"entity": _legacy_entity_event(member.name) if member.name else "", "start": member.start_ms}
            for member in event.members
        ],
    }


def _legacy_tags(event: Tags, _: Setting) -> Rendered:
    return "tags_found", {
        **_head(event),
        "annotation": {"tags": [{"uuid": tag.id, "label": tag.label} for tag in event.tags]},
    }


# --- universal --------------------------------------------------------------------------------------------


def _universal_setting(setting: Setting) -> Payload:
    return {
        "conversation": setting.topic,
        "client_id": setting.client_id,
        "campaign_id": setting.campaign_id,
    }


def _universal_word(word: Word) -> Payload:
    return {"value": word.text, **_span(word.start_ms, word.end_ms), "confidence": word.confidence}


def _universal_speech(name: str) -> Callable[[Speech, Setting], Rendered]:
    def write(event: Speech, setting: Setting) -> Rendered:
        previous = None if event.previous is None else str(event.previous)
        return name, {
            "id": str(event.utterance),
            "speaker": event.speaker,
            "lang": event.lang,
            "country": event.country,
            "value": event.text,
            **_span(event.start_ms, event.end_ms),
            "confidence": event.confidence,
            "components": [_universal_word(word) for word in event.words],
            "meta": {"model": event.model, "previous_utterance_id": previous},
            **_universal_setting(setting),
        }

    return write


def _universal_entity_event(name: str) -> str:
    return f"entity_{name}_recognized"


def _universal_entity(event: Entity, setting: Setting) -> Rendered:
    payload: Payload = {
        "id": event.id,
        "speaker": event.speaker,
        "lang": event.lang,
        "country": event.country,
        "source": event.source,
    }
    if event.display is not None:
        payload["display"] = event.display
    if event.value is not None:
        payload["value"] = event.value
    payload |= {
        **_span(event.start_ms, event.end_ms),
        "confidence": event.confidence,
        "meta": {},
        **_universal_setting(setting),
    }
    return _universal_entity_event(event.name), payload


def _universal_relation(event: Relation, setting: Setting) -> Rendered:
    return f"relation_{event.name}_recognized", {
        **_head(event),
        "components": [
            {"class": _universal_entity_event(member.name) if member.name else "", "id": member.id}
            for member in event.members
        ],
        **_universal_setting(setting),
    }


def _universal_tags(event: Tags, setting: Setting) -> Rendered:
    return "tags_set", {
        **_head(event),
        "components": [{"value": tag.id, "display": tag.label, "confidence": tag.confidence} for tag in event.tags],
        **_universal_setting(setting),
    }


_BOTH: dict[type, Callable[[Any, Setting], Rendered]] = {
    SpeakerJoined: _speaker_joined,
    SpeakerLeft: _speaker_left,
    Raw: _raw,
}
WRITERS: dict[Vocabulary, dict[type, Callable[[Any, Setting], Rendered]]] = {
    Vocabulary.LEGACY: {
        Interim: _legacy_speech("words_decoded"),
        Segment: _legacy_speech("segment_decoded"),
        Normalized: _legacy_speech("segment_normalized", with_previous=True),
        Entity: _legacy_entity,
        Relation: _legacy_relation,
        Tags: _legacy_tags,
        **_BOTH,
    },
    Vocabulary.UNIVERSAL: {
        Interim: _universal_speech("audio_words_decoded"),
        Segment: _universal_speech("audio_segment_decoded"),
        Normalized: _universal_speech("audio_segment_normalized"),
        Entity: _universal_entity,
        Relation: _universal_relation,
        Tags: _universal_tags,
        **_BOTH,
    },
}
