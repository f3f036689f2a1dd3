"""From the names and payloads of the wire to events.

Two vocabularies exist, chosen by the account and never mixed on one socket: *legacy* (`segment_decoded`,
`entity_*_found`; S: SDK 1.6.1 and the JavaScript SDK) and *universal* (`audio_segment_decoded`,
`entity_*_recognized`; S: SDK 2.x). No name means one payload in one and another in the other, so the name
alone tells.

`_BY_NAME` and `_BY_AFFIXES` say which of `shapes` a name promises. A payload of another shape makes an
`UnknownEvent`, never an error: the service may change before its clients do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypedDict, TypeVar

import msgspec

from . import shapes
from .events import (
    Closed,
    Entity,
    EntityRef,
    Event,
    Interim,
    Normalized,
    Relation,
    Reply,
    Segment,
    SpeakerJoined,
    SpeakerLeft,
    Tag,
    Tags,
    UnknownEvent,
    Word,
)
from .wire import REPLY, Message


def parse(message: Message) -> Event:
    """The event a message tells of; an `UnknownEvent` when it tells of none we know. Never raises."""
    name = message.event
    read = _BY_NAME.get(name)
    try:
        if read is not None:
            return read(message)
        for prefix, suffix, read_named in _BY_AFFIXES:
            if name.startswith(prefix) and name.endswith(suffix) and len(name) > len(prefix) + len(suffix):
                return read_named(message, name.removeprefix(prefix).removesuffix(suffix))
    except (msgspec.ValidationError, OverflowError):
        pass
    return UnknownEvent(name=name, payload=message.payload)


# --- what every payload has -------------------------------------------------------------------------------

_ShapeT = TypeVar("_ShapeT", bound="shapes.Shape")


class _Common(TypedDict):
    speaker: str
    start_ms: int
    end_ms: int
    lang: str | None
    country: str | None
    confidence: float | None


def _common(shape: shapes.Timed) -> _Common:
    return {
        "speaker": shape.speaker,
        "start_ms": round(shape.start),
        "end_ms": round(shape.end),
        "lang": shape.lang,
        "country": shape.country,
        "confidence": shape.confidence,
    }


def _as(shape: type[_ShapeT], message: Message) -> _ShapeT:
    return msgspec.convert(message.payload, shape)


def _text(value: shapes.Id) -> str | None:
    return None if value is None else str(value)


# --- speech -----------------------------------------------------------------------------------------------

_SpeechKind = type[Interim] | type[Segment] | type[Normalized]


_SpeechShape = type[shapes.UniversalSpeech] | type[shapes.LegacySpeech]


def _speech(shape: _SpeechShape, kind: _SpeechKind) -> Callable[[Message], Event]:
    def read(message: Message) -> Event:
        said: shapes.UniversalSpeech | shapes.LegacySpeech = _as(shape, message)
        about = said if isinstance(said, shapes.LegacySpeech) else said.meta or shapes.Meta()
        return kind(
            text=said.text,
            utterance=_text(said.utterance),
            previous=_text(about.previous),
            model=about.model,
            words=tuple(
                Word(text=w.text, start_ms=round(w.start), end_ms=round(w.end), confidence=w.confidence)
                for w in said.words
            ),
            **_common(said),
        )

    return read


# --- entities ---------------------------------------------------------------------------------------------


def _universal_entity(message: Message, name: str) -> Event:
    found = _as(shapes.UniversalEntity, message)
    return Entity(
        name=name,
        id=_text(found.id),
        source=found.source,
        display=found.display,
        value=found.value,
        **_common(found),
    )


def _legacy_entity(message: Message, name: str) -> Event:
    found = _as(shapes.LegacyEntity, message)
    note = found.annotation
    return Entity(name=name, source=note.source, display=note.display, value=note.value, **_common(found))


# --- relations --------------------------------------------------------------------------------------------


def _member_name(name: str | None) -> str | None:
    # D: the name of a member the service does not know is empty.
    return name.removeprefix("entity_").removesuffix("_recognized").removesuffix("_found") if name else None


def _universal_relation(message: Message, name: str) -> Event:
    found = _as(shapes.UniversalRelation, message)
    members = tuple(EntityRef(name=_member_name(m.name), id=_text(m.id)) for m in found.members)
    return Relation(name=name, members=members, **_common(found))


def _legacy_relation(message: Message, name: str) -> Event:
    found = _as(shapes.LegacyRelation, message)
    members = tuple(
        EntityRef(name=_member_name(m.name), start_ms=None if m.start is None else round(m.start))
        for m in found.members
    )
    return Relation(name=name, members=members, **_common(found))


# --- tags -------------------------------------------------------------------------------------------------


def _universal_tags(message: Message) -> Event:
    found = _as(shapes.UniversalTags, message)
    tags = tuple(Tag(id=t.value, label=t.display, confidence=t.confidence) for t in found.components)
    return Tags(tags=tags, **_common(found))


def _legacy_tags(message: Message) -> Event:
    found = _as(shapes.LegacyTags, message)
    return Tags(tags=tuple(Tag(id=t.uuid, label=t.label) for t in found.annotation.tags), **_common(found))


# --- participants and Phoenix -----------------------------------------------------------------------------


def _speaker_joined(message: Message) -> Event:
    who = _as(shapes.SpeakerJoined, message)
    return SpeakerJoined(
        speaker=who.speaker,
        timestamp_ms=None if who.timestamp is None else round(who.timestamp),
        lang=who.lang,
        country=who.country,
        interim_results=who.interim_result if who.interim_results is None else who.interim_results,
        rescoring=who.rescoring,
    )


def _speaker_left(message: Message) -> Event:
    who = _as(shapes.SpeakerLeft, message)
    at = None if who.timestamp is None else round(who.timestamp)
    return SpeakerLeft(speaker=who.speaker, timestamp_ms=at, reason=who.reason)


def _reply(message: Message) -> Event:
    answer = _as(shapes.Reply, message)
    given = answer.response.get("reason") if isinstance(answer.response, dict) else None
    return Reply(
        ref=message.ref,
        ok=answer.status == "ok",
        reason=given if isinstance(given, str) else None,
        response=answer.response,
    )


def _closed(message: Message) -> Event:
    return Closed()


_BY_NAME: dict[str, Callable[[Message], Event]] = {
    "audio_words_decoded": _speech(shapes.UniversalSpeech, Interim),
    "audio_segment_decoded": _speech(shapes.UniversalSpeech, Segment),
    "audio_segment_normalized": _speech(shapes.UniversalSpeech, Normalized),
    "tags_set": _universal_tags,
    "words_decoded": _speech(shapes.LegacySpeech, Interim),
    "segment_decoded": _speech(shapes.LegacySpeech, Segment),
    "segment_normalized": _speech(shapes.LegacySpeech, Normalized),
    "tags_found": _legacy_tags,
    "speaker_joined": _speaker_joined,
    "speaker_left": _speaker_left,
    REPLY: _reply,
    "phx_close": _closed,
}

_BY_AFFIXES: tuple[tuple[str, str, Callable[[Message, str], Event]], ...] = (
    ("entity_", "_recognized", _universal_entity),
    ("relation_", "_recognized", _universal_relation),
    ("entity_", "_found", _legacy_entity),
    ("relation_", "_found", _legacy_relation),
)
