"""From the names and payloads of the wire to events.

Two vocabularies exist, chosen by the account and never mixed on one socket: *legacy* (`segment_decoded`,
`entity_*_found`; S: SDK 1.6.1 and the JavaScript SDK) and *universal* (`audio_segment_decoded`,
`entity_*_recognized`; S: SDK 2.x). No name means one payload in one and another in the other, so the name
alone tells.

`_BY_NAME` and `_BY_AFFIXES` say which payload a name promises. A payload of another shape makes an
`UnknownEvent`, never an error: the service may change before its clients do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypedDict

import msgspec

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
    """The event in a message; an `UnknownEvent` when it holds none we know. Never raises."""
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


# --- what the payloads look like --------------------------------------------------------------------------

# A field without a default must be there, one with a default may be missing, any other is ignored. Where the two
# vocabularies say the same thing in different words, `rename` says it in ours.
# S: what the SDKs read and their fixtures hold; D: the provider's samples. The SDKs require more than is required
# here, but a transcript without a language is still a transcript.

_Id = str | int | None
"""S: `utterance_id` is a number in the JavaScript types, a string in Python's."""


class _Payload(msgspec.Struct, frozen=True, kw_only=True):
    """A payload. Times are read as floats, so that `960.0` is a time too."""


class _Timed(_Payload, frozen=True, kw_only=True):
    speaker: str
    start: float
    end: float
    lang: str | None = None
    country: str | None = None
    confidence: float | None = None


class _Word(_Payload, frozen=True, kw_only=True):
    start: float
    end: float
    confidence: float | None = None


class _UniversalWord(_Word, frozen=True, kw_only=True, rename={"text": "value"}):
    text: str


class _LegacyWord(_Word, frozen=True, kw_only=True, rename={"text": "word"}):
    text: str


class _Meta(_Payload, frozen=True, kw_only=True, rename={"previous": "previous_utterance_id"}):
    model: str | None = None
    previous: _Id = None


class _UniversalSpeech(
    _Timed, frozen=True, kw_only=True, rename={"text": "value", "utterance": "id", "words": "components"}
):
    text: str
    utterance: _Id = None
    words: tuple[_UniversalWord, ...] = ()
    meta: _Meta | None = None


class _LegacySpeech(
    _Timed,
    frozen=True,
    kw_only=True,
    rename={"text": "transcript", "utterance": "utterance_id", "previous": "previous_utterance_id"},
):
    text: str
    utterance: _Id = None
    words: tuple[_LegacyWord, ...] = ()
    model: str | None = None
    previous: _Id = None


class _UniversalEntity(_Timed, frozen=True, kw_only=True):
    source: str
    display: str | None = None
    value: object = None
    id: _Id = None


class _Annotation(_Payload, frozen=True, kw_only=True, rename={"source": "original", "display": "canonical"}):
    source: str
    display: str | None = None
    value: object = None


class _LegacyEntity(_Timed, frozen=True, kw_only=True):
    annotation: _Annotation


class _UniversalMember(_Payload, frozen=True, kw_only=True, rename={"name": "class"}):
    name: str | None = None
    id: _Id = None


class _UniversalRelation(_Timed, frozen=True, kw_only=True, rename={"members": "components"}):
    members: tuple[_UniversalMember, ...]


class _LegacyMember(_Payload, frozen=True, kw_only=True, rename={"name": "entity"}):
    name: str | None = None
    start: float | None = None


class _LegacyRelation(_Timed, frozen=True, kw_only=True):
    members: tuple[_LegacyMember, ...]


class _UniversalTag(_Payload, frozen=True, kw_only=True):
    value: str
    display: str
    confidence: float | None = None


class _UniversalTags(_Timed, frozen=True, kw_only=True):
    components: tuple[_UniversalTag, ...]


class _LegacyTag(_Payload, frozen=True, kw_only=True):
    uuid: str
    label: str


class _LegacyTagList(_Payload, frozen=True, kw_only=True):
    tags: tuple[_LegacyTag, ...]


class _LegacyTags(_Timed, frozen=True, kw_only=True):
    annotation: _LegacyTagList


class _JoinedPayload(_Payload, frozen=True, kw_only=True):
    speaker: str
    timestamp: float | None = None
    lang: str | None = None
    country: str | None = None
    interim_results: bool | None = None
    interim_result: bool | None = None  # S: so spelt in the JavaScript types
    rescoring: bool | None = None


class _LeftPayload(_Payload, frozen=True, kw_only=True):
    speaker: str
    timestamp: float | None = None
    reason: str | None = None


class _ReplyPayload(_Payload, frozen=True, kw_only=True):
    status: str
    response: object = None


# --- what every payload has -------------------------------------------------------------------------------


class _Common(TypedDict):
    speaker: str
    start_ms: int
    end_ms: int
    lang: str | None
    country: str | None
    confidence: float | None


def _common(shape: _Timed) -> _Common:
    return {
        "speaker": shape.speaker,
        "start_ms": round(shape.start),
        "end_ms": round(shape.end),
        "lang": shape.lang,
        "country": shape.country,
        "confidence": shape.confidence,
    }


def _rounded(ms: float | None) -> int | None:
    return None if ms is None else round(ms)


def _text(value: _Id) -> str | None:
    return None if value is None else str(value)


# --- speech -----------------------------------------------------------------------------------------------


def _speech(
    shape: type[_UniversalSpeech] | type[_LegacySpeech], kind: type[Interim] | type[Segment] | type[Normalized]
) -> Callable[[Message], Event]:
    def read(message: Message) -> Event:
        said: _UniversalSpeech | _LegacySpeech = msgspec.convert(message.payload, shape)
        about = said if isinstance(said, _LegacySpeech) else said.meta or _Meta()
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
    found = msgspec.convert(message.payload, _UniversalEntity)
    return Entity(
        name=name,
        id=_text(found.id),
        source=found.source,
        display=found.display,
        value=found.value,
        **_common(found),
    )


def _legacy_entity(message: Message, name: str) -> Event:
    found = msgspec.convert(message.payload, _LegacyEntity)
    note = found.annotation
    return Entity(name=name, source=note.source, display=note.display, value=note.value, **_common(found))


# --- relations --------------------------------------------------------------------------------------------


def _member_name(name: str | None) -> str | None:
    # D: the name of a member the service does not know is empty.
    return name.removeprefix("entity_").removesuffix("_recognized").removesuffix("_found") if name else None


def _universal_relation(message: Message, name: str) -> Event:
    found = msgspec.convert(message.payload, _UniversalRelation)
    return Relation(
        name=name,
        members=tuple(EntityRef(name=_member_name(m.name), id=_text(m.id)) for m in found.members),
        **_common(found),
    )


def _legacy_relation(message: Message, name: str) -> Event:
    found = msgspec.convert(message.payload, _LegacyRelation)
    return Relation(
        name=name,
        members=tuple(EntityRef(name=_member_name(m.name), start_ms=_rounded(m.start)) for m in found.members),
        **_common(found),
    )


# --- tags -------------------------------------------------------------------------------------------------


def _universal_tags(message: Message) -> Event:
    found = msgspec.convert(message.payload, _UniversalTags)
    return Tags(
        tags=tuple(Tag(id=t.value, label=t.display, confidence=t.confidence) for t in found.components),
        **_common(found),
    )


def _legacy_tags(message: Message) -> Event:
    found = msgspec.convert(message.payload, _LegacyTags)
    return Tags(tags=tuple(Tag(id=t.uuid, label=t.label) for t in found.annotation.tags), **_common(found))


# --- participants and Phoenix -----------------------------------------------------------------------------


def _speaker_joined(message: Message) -> Event:
    who = msgspec.convert(message.payload, _JoinedPayload)
    return SpeakerJoined(
        speaker=who.speaker,
        timestamp_ms=_rounded(who.timestamp),
        lang=who.lang,
        country=who.country,
        interim_results=who.interim_result if who.interim_results is None else who.interim_results,
        rescoring=who.rescoring,
    )


def _speaker_left(message: Message) -> Event:
    who = msgspec.convert(message.payload, _LeftPayload)
    return SpeakerLeft(speaker=who.speaker, timestamp_ms=_rounded(who.timestamp), reason=who.reason)


def _reply(message: Message) -> Event:
    answer = msgspec.convert(message.payload, _ReplyPayload)
    return Reply(
        ref=message.ref,
        ok=answer.status == "ok",
        reason=reason_in(answer.response),
        response=answer.response,
    )


def reason_in(response: object) -> str | None:
    """The text that a response or an error gives as its reason, if it gives one."""
    given = response.get("reason") if isinstance(response, dict) else None
    return given if isinstance(given, str) else None


_BY_NAME: dict[str, Callable[[Message], Event]] = {
    "audio_words_decoded": _speech(_UniversalSpeech, Interim),
    "audio_segment_decoded": _speech(_UniversalSpeech, Segment),
    "audio_segment_normalized": _speech(_UniversalSpeech, Normalized),
    "tags_set": _universal_tags,
    "words_decoded": _speech(_LegacySpeech, Interim),
    "segment_decoded": _speech(_LegacySpeech, Segment),
    "segment_normalized": _speech(_LegacySpeech, Normalized),
    "tags_found": _legacy_tags,
    "speaker_joined": _speaker_joined,
    "speaker_left": _speaker_left,
    REPLY: _reply,
    "phx_close": lambda message: Closed(),
}

_BY_AFFIXES: tuple[tuple[str, str, Callable[[Message, str], Event]], ...] = (
    ("entity_", "_recognized", _universal_entity),
    ("relation_", "_recognized", _universal_relation),
    ("entity_", "_found", _legacy_entity),
    ("relation_", "_found", _legacy_relation),
)
