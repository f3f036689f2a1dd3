"""What the payloads of events look like on the wire, in both vocabularies.

A field without a default must be there, one with a default may be missing, any other is ignored. Where
the two vocabularies say the same thing in different words, `rename` says it in ours.
S: what the SDKs read and their fixtures hold; D: the provider's samples. The SDKs require more than is
required here, but a transcript without a language is still a transcript.
"""

from __future__ import annotations

import msgspec

Id = str | int | None
"""S: `utterance_id` is a number in the JavaScript types, a string in Python's."""


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """A payload. Times are read as floats, so that `960.0` is a time too."""


class Timed(Shape, frozen=True, kw_only=True):
    speaker: str
    start: float
    end: float
    lang: str | None = None
    country: str | None = None
    confidence: float | None = None


class Word(Shape, frozen=True, kw_only=True):
    start: float
    end: float
    confidence: float | None = None


class UniversalWord(Word, frozen=True, kw_only=True, rename={"text": "value"}):
    text: str


class LegacyWord(Word, frozen=True, kw_only=True, rename={"text": "word"}):
    text: str


class Meta(Shape, frozen=True, kw_only=True, rename={"previous": "previous_utterance_id"}):
    model: str | None = None
    previous: Id = None


class UniversalSpeech(
    Timed, frozen=True, kw_only=True, rename={"text": "value", "utterance": "id", "words": "components"}
):
    text: str
    utterance: Id = None
    words: tuple[UniversalWord, ...] = ()
    meta: Meta | None = None


class LegacySpeech(
    Timed,
    frozen=True,
    kw_only=True,
    rename={"text": "transcript", "utterance": "utterance_id", "previous": "previous_utterance_id"},
):
    text: str
    utterance: Id = None
    words: tuple[LegacyWord, ...] = ()
    model: str | None = None
    previous: Id = None


class UniversalEntity(Timed, frozen=True, kw_only=True):
    source: str
    display: str | None = None
    value: object = None
    id: Id = None


class Annotation(Shape, frozen=True, kw_only=True, rename={"source": "original", "display": "canonical"}):
    source: str
    display: str | None = None
    value: object = None


class LegacyEntity(Timed, frozen=True, kw_only=True):
    annotation: Annotation


class UniversalMember(Shape, frozen=True, kw_only=True, rename={"name": "class"}):
    name: str | None = None
    id: Id = None


class UniversalRelation(Timed, frozen=True, kw_only=True, rename={"members": "components"}):
    members: tuple[UniversalMember, ...]


class LegacyMember(Shape, frozen=True, kw_only=True, rename={"name": "entity"}):
    name: str | None = None
    start: float | None = None


class LegacyRelation(Timed, frozen=True, kw_only=True):
    members: tuple[LegacyMember, ...]


class UniversalTag(Shape, frozen=True, kw_only=True):
    value: str
    display: str
    confidence: float | None = None


class UniversalTags(Timed, frozen=True, kw_only=True):
    components: tuple[UniversalTag, ...]


class LegacyTag(Shape, frozen=True, kw_only=True):
    uuid: str
    label: str


class LegacyTagList(Shape, frozen=True, kw_only=True):
    tags: tuple[LegacyTag, ...]


class LegacyTags(Timed, frozen=True, kw_only=True):
    annotation: LegacyTagList


class SpeakerJoined(Shape, frozen=True, kw_only=True):
    speaker: str
    timestamp: float | None = None
    lang: str | None = None
    country: str | None = None
    interim_results: bool | None = None
    interim_result: bool | None = None  # S: so spelt in the JavaScript types
    rescoring: bool | None = None


class SpeakerLeft(Shape, frozen=True, kw_only=True):
    speaker: str
    timestamp: float | None = None
    reason: str | None = None


class Reply(Shape, frozen=True, kw_only=True):
    status: str
    response: object = None
