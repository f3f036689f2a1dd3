"""Who speaks in a plan: what a join says that every event of the speaker repeats.

One speaker's events: what its voice makes of the words and annotations of a script, or of a test.

Two may speak for one speaker, its script and a test that pushes events. They share the count that utterance ids
are drawn from, so no two utterances have one id; each remembers for itself which utterance is open, which ended
last, and which entities a relation may name.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import TypedDict, TypeVar

import msgspec

from ..model.events import (
    Entity,
    EntityRef,
    Event,
    Interim,
    Normalized,
    Relation,
    Segment,
    SpeakerJoined,
    Tag,
    Tags,
    Word,
)
from ..model.scenario import (
    Recognized,
    Say,
    SayEntity,
    SayInterim,
    SayNormalized,
    SayRelation,
    SaySegment,
    SayTags,
)

UTTERANCE_STRIDE = 1_000_000
"""Distance between the utterance ids of two speakers of a conversation."""


class Voice(msgspec.Struct, frozen=True, kw_only=True):
    """One speaker. Its utterance ids count from `first_utterance`."""

    speaker: str
    model: str
    country: str
    interim_results: bool = True
    rescoring: bool = True
    origin_ms: int = 0
    first_utterance: int = 0

    @property
    def lang(self) -> str:
        """The language of the model. I: public model names are language codes."""
        return self.model[:2]

    def joined(self, now: float) -> SpeakerJoined:
        """The event of its joining at `now`, in Unix seconds."""
        return SpeakerJoined(
            speaker=self.speaker,
            lang=self.lang,
            country=self.country,
            interim_results=self.interim_results,
            rescoring=self.rescoring,
            timestamp_ms=int(now * 1000),
        )


Spoken = Say | SayInterim | SaySegment | SayNormalized
"""Every action that has words."""

_Speech = TypeVar("_Speech", Interim, Segment, Normalized)


class _Common(TypedDict):
    speaker: str
    lang: str
    country: str


class _Span(TypedDict):
    start_ms: int
    end_ms: int


class Speaking:
    """Makes the events of one speaker. Positions are those of its audio; events have its origin added.

    Args:
        voice: what all of its events say.
        numbers: where new utterances get their ids.
    """

    def __init__(self, voice: Voice, numbers: Iterator[int]) -> None:
        self._voice = voice
        self._numbers = numbers
        self._open: int | None = None
        self._ended: int | None = None
        self._before_ended: int | None = None
        self._latest: dict[str, EntityRef] = {}

    def heard(self, event: Event) -> None:
        """Another who speaks for the speaker has said this: what comes next may refer to it."""
        match event:
            case Segment(utterance=utterance):
                self._before_ended, self._ended = self._ended, utterance
            case Entity(name=name, id=identifier, start_ms=start_ms):
                self._latest[name] = EntityRef(name=name, id=identifier, start_ms=start_ms)
            case _:
                pass

    def interim(self, spoken: Say | SayInterim, words: tuple[Word, ...]) -> Interim:
        """An interim of the utterance that the next segment ends."""
        return self._speech(Interim, spoken, self._utterance(), words, self._ended)

    def segment(self, spoken: Say | SaySegment, words: tuple[Word, ...]) -> Segment:
        """The segment that ends an utterance."""
        utterance = self._utterance()
        segment = self._speech(Segment, spoken, utterance, words, self._ended)
        self._open = None
        self._before_ended, self._ended = self._ended, utterance
        return segment

    def normalized(self, spoken: SayNormalized, words: tuple[Word, ...]) -> Normalized:
        """The normalised text of the utterance that ended last."""
        # U: whether it has an id of its own; the default is the id of the segment it rewrites.
        utterance = self._voice.first_utterance if self._ended is None else self._ended
        return self._speech(Normalized, spoken, utterance, words, self._before_ended)

    def entity(self, entity: SayEntity, start: int, end: int) -> Entity:
        """An entity, which relations may name from now on."""
        event = Entity(
            **self._common(entity.lang, entity.country),
            **self._span(start, end),
            name=entity.name,
            # S: ids of the SDK's fixtures read "Entity.LocationCity-8560".
            id=f"Entity.{entity.name.title().replace('_', '')}-{start + self._voice.origin_ms}",
            source=entity.source,
            display=entity.display,
            value=entity.value,
            confidence=entity.confidence,
        )
        self.heard(event)
        return event

    def relation(self, relation: SayRelation, start: int, end: int) -> Relation:
        """A relation between the latest entities of its members' names."""
        unknown = EntityRef(name="", id="", start_ms=None)
        return Relation(
            **self._common(relation.lang, relation.country),
            **self._span(start, end),
            name=relation.name,
            members=tuple(self._latest.get(name, unknown) for name in relation.members),
            confidence=relation.confidence,
        )

    def tags(self, tags: SayTags, start: int, end: int) -> Tags:
        """The tags of a span."""
        return Tags(
            **self._common(tags.lang, tags.country),
            **self._span(start, end),
            tags=tuple(Tag(id=tag.id, label=tag.label, confidence=tag.confidence) for tag in tags.tags),
            confidence=tags.confidence,
        )

    def event(self, action: Recognized, start: int, end: int, rng: random.Random) -> Event:
        """The event of an action that lies at `start..end`; its words share that span."""
        make = _MAKERS[type(action)]
        if isinstance(action, Spoken):
            return make(self, action, words_of(action, start, end, rng))
        return make(self, action, start, end)

    # --- inside ---

    def _utterance(self) -> int:
        if self._open is None:
            self._open = next(self._numbers)
        return self._open

    def _speech(
        self,
        kind: type[_Speech],
        spoken: Spoken,
        utterance: int,
        words: tuple[Word, ...],
        previous: int | None,
    ) -> _Speech:
        return kind(
            **self._common(spoken.lang, spoken.country),
            **self._span(words[0].start_ms, words[-1].end_ms),
            model=self._voice.model,
            utterance=utterance,
            previous=previous,
            text=" ".join(word.text for word in words),
            words=tuple(
                Word(text=word.text, confidence=word.confidence, **self._span(word.start_ms, word.end_ms))
                for word in words
            ),
            confidence=round(sum(word.confidence for word in words) / len(words), 3),
        )

    def _common(self, lang: str | None, country: str | None) -> _Common:
        return {
            "speaker": self._voice.speaker,
            "lang": lang or self._voice.lang,
            "country": country or self._voice.country,
        }

    def _span(self, start: int, end: int) -> _Span:
        return {"start_ms": start + self._voice.origin_ms, "end_ms": end + self._voice.origin_ms}


_MAKERS: dict[type, Callable[..., Event]] = {
    SayInterim: Speaking.interim,
    SaySegment: Speaking.segment,
    SayNormalized: Speaking.normalized,
    SayEntity: Speaking.entity,
    SayRelation: Speaking.relation,
    SayTags: Speaking.tags,
}
"""What makes the event of an action: of its words if it has any, else of its span."""


def words_of(spoken: Spoken, start: int, end: int, rng: random.Random) -> tuple[Word, ...]:
    """The words of a text, sharing `start..end` in proportion to their length plus one."""
    texts = spoken.text.split()
    total = sum(len(text) + 1 for text in texts)
    words, heard, at = [], 0, start
    for text in texts:
        heard += len(text) + 1
        until = start + (end - start) * heard // total
        confidence = round(rng.uniform(0.85, 0.99), 3) if spoken.confidence is None else spoken.confidence
        words.append(Word(text=text, start_ms=at, end_ms=until, confidence=confidence))
        at = until
    return tuple(words)
