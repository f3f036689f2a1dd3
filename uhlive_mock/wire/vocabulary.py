"""How typed events become wire names and payloads, in both of the service's vocabularies.

    legacy      words_decoded, segment_decoded, entity_*_found ...   SDK <= 1.6.1 and the JavaScript SDK
    universal   audio_words_decoded, ..., entity_*_recognized ...    SDK >= 2.0

S: the properties of SDK 1.6.1 and 2.1.0 and their fixtures; D: the provider's event pages. Each payload
has every field that either SDK generation reads from it.
"""

from __future__ import annotations

import re
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
    Recognition,
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
        form = WRITERS[vocabulary][type(event)]
    except KeyError:
        raise InternalError(f"no {vocabulary} form for {type(event).__name__}") from None
    return form.named(event), form.write(event, setting)


class Form(msgspec.Struct, frozen=True):
    """One kind of event in one vocabulary: its wire name, with `*` for the event's own name, and its payload."""

    name: str
    write: Callable[[Any, Setting], Any]
    others: dict[str, str] = {}
    """Names of events that are other names on the wire."""

    def named(self, event: Event) -> str:
        """The wire name of an event."""
        if "*" not in self.name:
            return self.name
        return self.about(event.name)  # type: ignore[union-attr]  # a kind with a `*` has a name

    def about(self, name: str) -> str:
        """The wire name of an event of that name."""
        return self.name.replace("*", self.others.get(name, name))


def _span(start_ms: int, end_ms: int) -> Payload:
    return {"start": start_ms, "end": end_ms, "length": end_ms - start_ms}


def _word(key: str, word: Word) -> Payload:
    return {key: word.text, **_span(word.start_ms, word.end_ms), "confidence": word.confidence}


def _head(event: Recognition) -> Payload:
    """What every annotation says first."""
    return {
        "speaker": event.speaker,
        "lang": event.lang,
        "country": event.country,
        **_span(event.start_ms, event.end_ms),
        "confidence": event.confidence,
    }


# --- both vocabularies ------------------------------------------------------------------------------------


def _speaker_joined(event: SpeakerJoined, _: Setting) -> Payload:
    return {
        "speaker": event.speaker,
        "interim_results": event.interim_results,
        "rescoring": event.rescoring,
        "lang": event.lang,
        "country": event.country,
        "timestamp": event.timestamp_ms,
    }


def _speaker_left(event: SpeakerLeft, _: Setting) -> Payload:
    payload: Payload = {"speaker": event.speaker, "timestamp": event.timestamp_ms}
    if event.reason is not None:
        payload["reason"] = event.reason
    return payload


# --- legacy -----------------------------------------------------------------------------------------------


def _legacy_speech(event: Speech, _: Setting) -> Payload:
    return {
        "speaker": event.speaker,
        "lang": event.lang,
        "country": event.country,
        "model": event.model,
        "utterance_id": event.utterance,
        **_span(event.start_ms, event.end_ms),
        "transcript": event.text,
        "words": [_word("word", word) for word in event.words],
        "confidence": event.confidence,
    }


def _legacy_normalized(event: Normalized, setting: Setting) -> Payload:
    return {**_legacy_speech(event, setting), "previous_utterance_id": event.previous}


def _legacy_entity(event: Entity, _: Setting) -> Payload:
    annotation: Payload = {"original": event.source}
    if event.display is not None:
        annotation["canonical"] = event.display
    if event.value is not None:
        annotation["value"] = event.value
    return {**_head(event), "annotation": annotation}


def _legacy_relation(event: Relation, _: Setting) -> Payload:
    return {
        **_head(event),
        "members": [
            {"entity": _LEGACY_ENTITY.about(member.name) if member.name else "", "start": member.start_ms}
            for member in event.members
        ],
    }


def _legacy_tags(event: Tags, _: Setting) -> Payload:
    return {
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


def _universal_speech(event: Speech, setting: Setting) -> Payload:
    return {
        "id": str(event.utterance),
        "speaker": event.speaker,
        "lang": event.lang,
        "country": event.country,
        "value": event.text,
        **_span(event.start_ms, event.end_ms),
        "confidence": event.confidence,
        "components": [_word("value", word) for word in event.words],
        "meta": {
            "model": event.model,
            "previous_utterance_id": None if event.previous is None else str(event.previous),
        },
        **_universal_setting(setting),
    }


def _universal_entity(event: Entity, setting: Setting) -> Payload:
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
    return payload


def _universal_relation(event: Relation, setting: Setting) -> Payload:
    return {
        **_head(event),
        "components": [
            {"class": _UNIVERSAL_ENTITY.about(member.name) if member.name else "", "id": member.id}
            for member in event.members
        ],
        **_universal_setting(setting),
    }


def _universal_tags(event: Tags, setting: Setting) -> Payload:
    return {
        **_head(event),
        "components": [{"value": tag.id, "display": tag.label, "confidence": tag.confidence} for tag in event.tags],
        **_universal_setting(setting),
    }


# --- reading what was sent --------------------------------------------------------------------------------


def summarize(name: object, payload: object) -> tuple[str, str]:
    """The kind and the text of an event on the wire, in either vocabulary, as the events themselves tell them.

    Another event's kind is its name. A payload that does not have the text has an empty one.
    """
    wire_name = name if isinstance(name, str) else repr(name)
    fields = payload if isinstance(payload, dict) else {}
    if wire_name in _KINDS:
        kind, read = _KINDS[wire_name]
        return kind, read(fields, "")
    for pattern, names, kind, read in _PATTERNS:
        if match := pattern.fullmatch(wire_name):
            return kind, read(fields, names.get(match[1], match[1]))
    return wire_name, ""


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _read_speech(fields: Payload, _: str) -> str:
    return _text(fields.get("transcript", fields.get("value")))


def _read_entity(fields: Payload, name: str) -> str:
    annotation = fields.get("annotation")
    source = fields.get("source", annotation.get("original") if isinstance(annotation, dict) else None)
    return f'{name} "{_text(source)}"'


def _read_tags(fields: Payload, _: str) -> str:
    annotation = fields.get("annotation")
    tags = fields.get("components", annotation.get("tags") if isinstance(annotation, dict) else None)
    found = [tag for tag in tags if isinstance(tag, dict)] if isinstance(tags, list) else []
    labels = (tag.get("display", tag.get("label")) for tag in found)
    return ", ".join(label for label in labels if isinstance(label, str))


def _read_nothing(*_: object) -> str:
    return ""


# --- the table --------------------------------------------------------------------------------------------

_LEGACY_ENTITY = Form("entity_*_found", _legacy_entity, LEGACY_ENTITY_NAMES)
_UNIVERSAL_ENTITY = Form("entity_*_recognized", _universal_entity)
_JOINED = Form("speaker_joined", _speaker_joined)
_LEFT = Form("speaker_left", _speaker_left)
_RAW = Form("*", lambda event, setting: event.payload)

EVENTS: dict[type[Any], tuple[Form, Form, Callable[[Payload, str], str]]] = {
    Interim: (
        Form("words_decoded", _legacy_speech),
        Form("audio_words_decoded", _universal_speech),
        _read_speech,
    ),
    Segment: (
        Form("segment_decoded", _legacy_speech),
        Form("audio_segment_decoded", _universal_speech),
        _read_speech,
    ),
    Normalized: (
        Form("segment_normalized", _legacy_normalized),
        Form("audio_segment_normalized", _universal_speech),
        _read_speech,
    ),
    Entity: (_LEGACY_ENTITY, _UNIVERSAL_ENTITY, _read_entity),
    Relation: (
        Form("relation_*_found", _legacy_relation),
        Form("relation_*_recognized", _universal_relation),
        lambda fields, name: name,
    ),
    Tags: (Form("tags_found", _legacy_tags), Form("tags_set", _universal_tags), _read_tags),
    SpeakerJoined: (_JOINED, _JOINED, _read_nothing),
    SpeakerLeft: (_LEFT, _LEFT, _read_nothing),
    Raw: (_RAW, _RAW, _read_nothing),
}
"""Every kind of event: its legacy form, its universal form, and what reads its text back from either payload."""

WRITERS: dict[Vocabulary, dict[type, Form]] = {
    Vocabulary.LEGACY: {kind: legacy for kind, (legacy, _, _) in EVENTS.items()},
    Vocabulary.UNIVERSAL: {kind: universal for kind, (_, universal, _) in EVENTS.items()},
}

_READERS = [(form, kind.kind, read) for kind, (*forms, read) in EVENTS.items() if kind is not Raw for form in forms]
_KINDS = {form.name: (kind, read) for form, kind, read in _READERS if "*" not in form.name}
_PATTERNS = [
    (re.compile(form.name.replace("*", r"(\w+)")), {wire: name for name, wire in form.others.items()}, kind, read)
    for form, kind, read in _READERS
    if "*" in form.name
]
