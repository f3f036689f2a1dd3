"""The recognizer: what is said of one speaker, made into events.

A script says what is recognised; so does a test that pushes events. Both speak through a `Recognizer` of the
speaker's `SpeakerProfile`. They share the count that **utterance ids** are drawn from, so no two utterances have
one id; each remembers for itself which utterance is open, which ended last, and which entities a relation may name.

Utterance ids of a speaker begin at `SpeakerProfile.first_utterance`, which the conversation gives out, a million
apart; interims and the segment that ends them share one.

`PushedEvents` makes the events that a test pushes, whole. They go on where the speaker's script has got to: a
relation may name an entity that the script said, a `normalized` rewrites the segment that ended last, whichever of
the two said it.
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
    SpeakerLeft,
    Tag,
    Tags,
    Word,
)
from ..model.fault import Fault
from ..model.scenario import (
    Action,
    Recognized,
    Say,
    SayEntity,
    SayInterim,
    SayNormalized,
    SayRelation,
    SaySegment,
    SayTags,
    Timing,
)
from ..scenarios.events import Joining, Leaving, LiveAction, LiveEvent

UTTERANCE_STRIDE = 1_000_000
"""Distance between the utterance ids of two speakers of a conversation."""


class SpeakerProfile(msgspec.Struct, frozen=True, kw_only=True):
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


class Recognizer:
    """Makes the events of one speaker. Positions are those of its audio; events have its origin added.

    Args:
        profile: what all of its events say.
        numbers: where new utterances get their ids.
    """

    def __init__(self, profile: SpeakerProfile, numbers: Iterator[int]) -> None:
        self._profile = profile
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
        utterance = self._profile.first_utterance if self._ended is None else self._ended
        return self._speech(Normalized, spoken, utterance, words, self._before_ended)

    def entity(self, entity: SayEntity, start: int, end: int) -> Entity:
        """An entity, which relations may name from now on."""
        event = Entity(
            **self._common(entity.lang, entity.country),
            **self._span(start, end),
            name=entity.name,
            # S: ids of the SDK's fixtures read "Entity.LocationCity-8560".
            id=f"Entity.{entity.name.title().replace('_', '')}-{start + self._profile.origin_ms}",
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
        """The event of an action that lies at `start..end`; its words share that span, `rng` their confidence."""
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
            model=self._profile.model,
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
            "speaker": self._profile.speaker,
            "lang": lang or self._profile.lang,
            "country": country or self._profile.country,
        }

    def _span(self, start: int, end: int) -> _Span:
        return {"start_ms": start + self._profile.origin_ms, "end_ms": end + self._profile.origin_ms}


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


_MAKERS: dict[type, Callable[..., Event]] = {
    SayInterim: Recognizer.interim,
    SaySegment: Recognizer.segment,
    SayNormalized: Recognizer.normalized,
    SayEntity: Recognizer.entity,
    SayRelation: Recognizer.relation,
    SayTags: Recognizer.tags,
}
"""What makes the event of an action: of its words if it has any, else of its span."""


class PushedEvents:
    """Makes the pushed events of one speaker.

    Args:
        numbers: where the utterance ids of the speaker's script come from.
    """

    def __init__(self, profile: SpeakerProfile, numbers: Iterator[int], timing: Timing, seed: int) -> None:
        self._profile = profile
        self._recognizer = Recognizer(profile, numbers)
        self._timing = timing
        self._seed = seed
        self._said = 0
        self._last: tuple[int, int] | None = None
        """Where in the audio the last segment was."""

    def heard(self, happening: Event | Fault) -> None:
        """The script said something."""
        if isinstance(happening, Segment):
            self._ended(happening)
        if not isinstance(happening, Fault):
            self._recognizer.heard(happening)

    def event(self, live: LiveEvent, received_ms: int, now: float) -> Event:
        """A pushed event, made whole.

        Args:
            received_ms: how much of the speaker's audio has arrived.
            now: Unix seconds, for a speaker that joins or leaves.
        """
        profile = self._profile
        match live.action:
            case Joining() as joining:
                return SpeakerJoined(
                    speaker=live.speaker,
                    lang=joining.lang or profile.lang,
                    country=joining.country or profile.country,
                    interim_results=joining.interim_results,
                    rescoring=joining.rescoring,
                    timestamp_ms=int(now * 1000),
                )
            case Leaving(reason=reason):
                return SpeakerLeft(speaker=live.speaker, timestamp_ms=int(now * 1000), reason=reason)
            case action:
                start, end = self._span(live, received_ms)
                self._said += isinstance(action, Spoken)
                rng = random.Random(f"{self._seed}/{profile.speaker}/aside/{self._said}")  # noqa: S311
                event = self._recognizer.event(action, start, end, rng)
                if isinstance(event, Segment):
                    self._ended(event)
                return event

    def _span(self, live: LiveEvent, received_ms: int) -> tuple[int, int]:
        """Where in the audio a pushed event lies; `scenarios.events` has the rules."""
        length, start, end = length_ms(live.action, self._timing), live.start_ms, live.end_ms
        if start is None and end is None:
            if self._last and not isinstance(live.action, SayInterim | SaySegment):
                return self._last
            start = max(received_ms - length, self._last[1] if self._last else 0)
        elif start is None:
            start = max(0, (end or 0) - length)
        return start, start + length if end is None else end

    def _ended(self, segment: Segment) -> None:
        origin = self._profile.origin_ms
        self._last = segment.start_ms - origin, segment.end_ms - origin


def length_ms(action: Action | LiveAction, timing: Timing) -> int:
    """How long an action lasts that has no end of its own: as long as its words."""
    return action.word_count * timing.word_ms
