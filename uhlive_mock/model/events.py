"""What the service tells the participants of a conversation, before any vocabulary names it.

Times are integer milliseconds on the audio timeline with the speaker's `origin` already added.
Confidences are floats in 0..1. D/S: the event tables of the provider's pages and of both SDK generations.

Every event tells its `kind` and its `text`: what was said, or found in what was said; empty for the others.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec


class Word(msgspec.Struct, frozen=True, kw_only=True):
    """One timestamped token of a transcript."""

    text: str
    start_ms: int
    end_ms: int
    confidence: float


class Recognition(msgspec.Struct, frozen=True, kw_only=True):
    """What all that is recognised in a speaker's audio has in common."""

    speaker: str
    lang: str
    country: str
    start_ms: int
    end_ms: int
    confidence: float


class Speech(Recognition, frozen=True, kw_only=True):
    """What interims, segments and normalised segments have in common."""

    model: str
    utterance: int
    previous: int | None
    text: str
    words: tuple[Word, ...]


class Interim(Speech, frozen=True, kw_only=True):
    """A transcript that may still change; shares `utterance` with the segment that ends it."""

    kind: ClassVar[str] = "interim"


class Segment(Speech, frozen=True, kw_only=True):
    """The final transcript of an utterance."""

    kind: ClassVar[str] = "segment"


class Normalized(Speech, frozen=True, kw_only=True):
    """The final transcript, written as a person would write it."""

    kind: ClassVar[str] = "normalized"


class Entity(Recognition, frozen=True, kw_only=True):
    """A named entity recognised in what a speaker said."""

    kind: ClassVar[str] = "entity"

    name: str
    id: str
    source: str
    display: str | None
    value: object

    @property
    def text(self) -> str:
        """The name, and the words between quotes."""
        return f'{self.name} "{self.source}"'


class EntityRef(msgspec.Struct, frozen=True, kw_only=True):
    """A member of a relation. `name` is empty when the member is not known."""

    name: str
    id: str
    start_ms: int | None


class Relation(Recognition, frozen=True, kw_only=True):
    """A relation between entities of one speaker."""

    kind: ClassVar[str] = "relation"

    name: str
    members: tuple[EntityRef, ...]

    @property
    def text(self) -> str:
        """The name."""
        return self.name


class Tag(msgspec.Struct, frozen=True, kw_only=True):
    """One behavioural label, by its id and its readable name."""

    id: str
    label: str
    confidence: float


class Tags(Recognition, frozen=True, kw_only=True):
    """The tags found on a time range."""

    kind: ClassVar[str] = "tags"

    tags: tuple[Tag, ...]

    @property
    def text(self) -> str:
        """The labels."""
        return ", ".join(tag.label for tag in self.tags)


class SpeakerJoined(msgspec.Struct, frozen=True, kw_only=True):
    """A speaker joined; sent to the others only. `timestamp_ms` is Unix time."""

    kind: ClassVar[str] = "speaker_joined"
    text: ClassVar[str] = ""

    speaker: str
    lang: str
    country: str
    interim_results: bool
    rescoring: bool
    timestamp_ms: int


class SpeakerLeft(msgspec.Struct, frozen=True, kw_only=True):
    """A speaker left or was lost; comes after that speaker's last event. `timestamp_ms` is Unix time."""

    kind: ClassVar[str] = "speaker_left"
    text: ClassVar[str] = ""

    speaker: str
    timestamp_ms: int
    reason: str | None = None


class Raw(msgspec.Struct, frozen=True, kw_only=True):
    """An event whose wire name and payload the scenario writes itself."""

    kind: ClassVar[str] = "event"

    speaker: str
    name: str
    payload: object

    @property
    def text(self) -> str:
        """The name."""
        return self.name


Event = Interim | Segment | Normalized | Entity | Relation | Tags | SpeakerJoined | SpeakerLeft | Raw
"""Everything a conversation may broadcast."""
