"""From cues to events: what a script will say, and where on which axis.

Every event is planned at the **end** of what it speaks of. A `say` becomes

    start ──interim──interim──interim──► until: segment, normalized, entities

with a growing prefix of its words every `interim_every_ms`. Words share the span in proportion to their
length. Planning reads no audio and no clock, so how the audio is cut into chunks cannot change a plan;
all that is random comes from a generator seeded with the scenario's seed, the speaker, the cue and the turn.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import TypedDict, TypeVar

import msgspec

from ..model.events import (
    Entity,
    EntityRef,
    Event,
    Interim,
    Normalized,
    Raw,
    Relation,
    Segment,
    Tag,
    Tags,
    Word,
)
from ..model.fault import Fault
from ..model.scenario import (
    Cue,
    RawEvent,
    Say,
    SayEntity,
    SayInterim,
    SayNormalized,
    SayRelation,
    SaySegment,
    SayTags,
    Script,
    Timing,
)
from .axes import Axis, Placed, place
from .voice import Voice

Happening = Event | Fault
"""What a cue makes happen: something the conversation hears, or something that goes wrong."""

_Speech = TypeVar("_Speech", Interim, Segment, Normalized)


class _Common(TypedDict):
    speaker: str
    lang: str
    country: str


class _Span(TypedDict):
    start_ms: int
    end_ms: int


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """An event that is due `latency_ms` after `position_ms` on its axis; `cue` is its place in the script."""

    axis: Axis
    position_ms: int
    latency_ms: int
    cue: int
    event: Happening


class Planner:
    """Plans one speaker's script, turn by turn for a script that loops.

    `next_turn_ms` is where in the audio the next turn starts, None when there is none; `turn()` plans it and
    returns its events sorted by position. Utterance ids, and the entities that relations refer to, carry over
    between turns.
    """

    def __init__(self, script: Script, voice: Voice, timing: Timing, seed: int) -> None:
        self._script = script
        self._voice = voice
        self._timing = timing
        self._seed = seed
        self._turns = 0
        self.next_turn_ms: int | None = 0
        self._next_utterance = voice.first_utterance
        self._open_utterance: int | None = None
        self._ended: int | None = None
        self._before_ended: int | None = None
        self._latest: dict[str, EntityRef] = {}

    def turn(self) -> list[Planned]:
        """The next turn's events."""
        loop_ms = self._script.loop_ms
        shift = self._turns * (loop_ms or 0)
        planned = [
            event
            for placed in place(self._script, self._timing)
            if not self._turns or placed.axis is Axis.AUDIO
            for event in self._cue(placed, shift)
        ]
        self._turns += 1
        self.next_turn_ms = None if loop_ms is None else self._turns * loop_ms
        planned.sort(key=lambda item: item.position_ms)  # stable: ties keep the order written
        return planned

    def _cue(self, placed: Placed, shift: int) -> Iterator[Planned]:
        rng = random.Random(f"{self._seed}/{self._voice.speaker}/{self._turns}/{placed.index}")  # noqa: S311
        latency = self._timing.latency_ms + rng.randint(0, self._timing.jitter_ms)
        if isinstance(placed.cue.action, Fault):
            latency = 0  # a fault is no recognition, so it does not take the time of one
        start, end = placed.start_ms + shift, placed.end_ms + shift
        for position, event in self._events(placed.cue, start, end, rng):
            yield Planned(axis=placed.axis, position_ms=position, latency_ms=latency, cue=placed.index, event=event)

    def _events(self, cue: Cue, start: int, end: int, rng: random.Random) -> Iterator[tuple[int, Happening]]:
        match cue.action:
            case Say() as say:
                yield from self._say(say, start, end, rng)
            case SayInterim() as spoken:
                utterance = self._utterance()
                if self._voice.interim_results:  # D: false yields no interim events
                    words = _words(spoken, start, end, rng)
                    yield end, self._speech(Interim, spoken, utterance, words, self._ended)
            case SaySegment() as spoken:
                yield end, self._segment(spoken, _words(spoken, start, end, rng))
            case SayNormalized() as spoken:
                yield end, self._normalized(spoken, _words(spoken, start, end, rng))
            case SayEntity() as entity:
                yield end, self._entity(entity, start, end)
            case SayRelation() as relation:
                yield end, self._relation(relation, start, end)
            case SayTags() as tags:
                yield end, self._tags(tags, start, end)
            case Fault() as fault:
                yield end, fault
            case RawEvent(name=name, payload=payload):
                yield end, Raw(speaker=self._voice.speaker, name=name, payload=payload)

    def _say(self, say: Say, start: int, end: int, rng: random.Random) -> Iterator[tuple[int, Happening]]:
        words = _words(say, start, end, rng)
        utterance = self._utterance()
        if self._voice.interim_results:
            for position, count in _growth(words, start, end, self._timing.interim_every_ms):
                yield position, self._speech(Interim, say, utterance, words[:count], self._ended)
        yield end, self._segment(say, words)
        if say.normalized is not None:
            spoken = SayNormalized(
                text=say.normalized, lang=say.lang, country=say.country, confidence=say.confidence
            )
            yield end, self._normalized(spoken, _words(spoken, start, end, rng))
        for inline in say.entities:
            scripted = SayEntity(
                name=inline.name,
                source=inline.source,
                display=inline.display,
                value=inline.value,
                lang=say.lang,
                country=say.country,
                confidence=inline.confidence,
            )
            yield end, self._entity(scripted, words[inline.first].start_ms, words[inline.last].end_ms)

    # --- one event each ---

    def _utterance(self) -> int:
        if self._open_utterance is None:
            self._open_utterance = self._next_utterance
            self._next_utterance += 1
        return self._open_utterance

    def _segment(self, spoken: Say | SaySegment, words: tuple[Word, ...]) -> Segment:
        utterance = self._utterance()
        segment = self._speech(Segment, spoken, utterance, words, self._ended)
        self._open_utterance = None
        self._before_ended, self._ended = self._ended, utterance
        return segment

    def _normalized(self, spoken: SayNormalized, words: tuple[Word, ...]) -> Normalized:
        # U: whether it has an id of its own; the default is the id of the segment it rewrites.
        utterance = self._voice.first_utterance if self._ended is None else self._ended
        return self._speech(Normalized, spoken, utterance, words, self._before_ended)

    def _speech(
        self,
        kind: type[_Speech],
        spoken: Say | SayInterim | SaySegment | SayNormalized,
        utterance: int,
        words: tuple[Word, ...],
        previous: int | None,
    ) -> _Speech:
        return kind(
            **self._common(spoken.lang, spoken.country),
            model=self._voice.model,
            utterance=utterance,
            previous=previous,
            start_ms=words[0].start_ms + self._voice.origin_ms,
            end_ms=words[-1].end_ms + self._voice.origin_ms,
            text=" ".join(word.text for word in words),
            words=tuple(self._shifted(word) for word in words),
            confidence=round(sum(word.confidence for word in words) / len(words), 3),
        )

    def _entity(self, entity: SayEntity, start: int, end: int) -> Entity:
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
        self._latest[entity.name] = EntityRef(name=entity.name, id=event.id, start_ms=event.start_ms)
        return event

    def _relation(self, relation: SayRelation, start: int, end: int) -> Relation:
        unknown = EntityRef(name="", id="", start_ms=None)
        return Relation(
            **self._common(relation.lang, relation.country),
            **self._span(start, end),
            name=relation.name,
            members=tuple(self._latest.get(name, unknown) for name in relation.members),
            confidence=relation.confidence,
        )

    def _tags(self, tags: SayTags, start: int, end: int) -> Tags:
        return Tags(
            **self._common(tags.lang, tags.country),
            **self._span(start, end),
            tags=tuple(Tag(id=tag.id, label=tag.label, confidence=tag.confidence) for tag in tags.tags),
            confidence=tags.confidence,
        )

    def _common(self, lang: str | None, country: str | None) -> _Common:
        return {
            "speaker": self._voice.speaker,
            "lang": lang or self._voice.lang,
            "country": country or self._voice.country,
        }

    def _span(self, start: int, end: int) -> _Span:
        return {"start_ms": start + self._voice.origin_ms, "end_ms": end + self._voice.origin_ms}

    def _shifted(self, word: Word) -> Word:
        return Word(text=word.text, confidence=word.confidence, **self._span(word.start_ms, word.end_ms))


def _words(
    spoken: Say | SayInterim | SaySegment | SayNormalized, start: int, end: int, rng: random.Random
) -> tuple[Word, ...]:
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


def _growth(words: tuple[Word, ...], start: int, end: int, every: int) -> Iterator[tuple[int, int]]:
    """Where interims come and how many words each has: one whenever the prefix has grown, at least one."""
    shown = 0
    for position in range(start + every, end, every):
        heard = sum(word.end_ms <= position for word in words)
        if heard > shown:
            shown = heard
            yield position, heard
    if not shown:
        yield end, len(words)
