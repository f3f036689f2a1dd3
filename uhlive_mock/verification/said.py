"""What an event on the wire says, in either vocabulary: its kind and its words.

    words_decoded, audio_words_decoded              interim
    segment_decoded, audio_segment_decoded          segment
    segment_normalized, audio_segment_normalized    normalized
    entity_*_found, entity_*_recognized             entity
    relation_*_found, relation_*_recognized         relation
    tags_found, tags_set                            tags
    speaker_joined, speaker_left                    the same

Anything else is an event of that name. What a scenario plans and what was sent can so be compared, whatever
vocabulary it was sent in.
"""

from __future__ import annotations

import re

import msgspec

from ..model.account import Vocabulary
from ..model.events import Event
from ..wire.vocabulary import LEGACY_ENTITY_NAMES, Setting, render

SPEECH = {
    "words_decoded": "interim",
    "audio_words_decoded": "interim",
    "segment_decoded": "segment",
    "audio_segment_decoded": "segment",
    "segment_normalized": "normalized",
    "audio_segment_normalized": "normalized",
}
"""The kind of transcript that each event carries."""

_ANNOTATION = re.compile(r"(entity|relation)_(\w+)_(found|recognized)")
_UNIVERSAL_NAMES = {legacy: universal for universal, legacy in LEGACY_ENTITY_NAMES.items()}
_NOWHERE = Setting(topic="", client_id="", campaign_id="")


class Said(msgspec.Struct, frozen=True):
    """What an event says: its kind, and its words, or the name of what it found with them."""

    kind: str
    text: str = ""

    def __str__(self) -> str:
        if self.kind in _QUOTED:
            return f'{self.kind} "{self.text}"'
        return f"{self.kind} {self.text}".rstrip()


_QUOTED = frozenset(SPEECH.values())


def said(event: object, payload: object) -> Said:
    """What an event of that name and payload says."""
    name = event if isinstance(event, str) else repr(event)
    fields = payload if isinstance(payload, dict) else {}
    if name in SPEECH:
        text = fields.get("transcript", fields.get("value"))
        return Said(SPEECH[name], text if isinstance(text, str) else "")
    if match := _ANNOTATION.fullmatch(name):
        kind, found, form = match.groups()
        if form == "found":
            found = _UNIVERSAL_NAMES.get(found, found)
        return Said(kind, f'{found} "{_source(fields)}"' if kind == "entity" else found)
    if name in ("tags_found", "tags_set"):
        return Said("tags", ", ".join(_labels(fields)))
    return Said(name)


def planned(event: Event) -> Said:
    """What an event will say once it is sent."""
    return said(*render(Vocabulary.UNIVERSAL, event, _NOWHERE))


def _source(fields: dict[object, object]) -> str:
    annotation = fields.get("annotation")
    source = fields.get("source", annotation.get("original") if isinstance(annotation, dict) else None)
    return source if isinstance(source, str) else ""


def _labels(fields: dict[object, object]) -> list[str]:
    annotation = fields.get("annotation")
    tags = fields.get("components", annotation.get("tags") if isinstance(annotation, dict) else None)
    found = (
        [tag.get("display", tag.get("label")) for tag in tags if isinstance(tag, dict)]
        if isinstance(tags, list)
        else []
    )
    return [label for label in found if isinstance(label, str)]
