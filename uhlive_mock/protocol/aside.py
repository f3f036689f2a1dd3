"""What a speaker says besides its script: events that a test pushes, made whole.

They speak with the speaker's voice and go on where its script has got to: a relation may name an entity that the
script said, a `normalized` rewrites the segment that ended last, whoever said it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from ..model.events import Event, Segment, SpeakerJoined, SpeakerLeft, Word
from ..model.fault import Fault
from ..model.scenario import (
    SayEntity,
    SayInterim,
    SayNormalized,
    SayRelation,
    SaySegment,
    SayTags,
    Timing,
)
from ..scenarios.events import Joining, Leaving, LiveEvent
from .plan import Happening, length_ms
from .recognizer import Speaking, Spoken, Voice, words_of


class Aside:
    """Makes the pushed events of one speaker.

    Args:
        numbers: where the utterance ids of the speaker's script come from.
    """

    def __init__(self, voice: Voice, numbers: Iterator[int], timing: Timing, seed: int) -> None:
        self._voice = voice
        self._speaking = Speaking(voice, numbers)
        self._timing = timing
        self._seed = seed
        self._said = 0
        self._last: tuple[int, int] | None = None
        """Where in the audio the last segment was."""

    def heard(self, happening: Happening) -> None:
        """The script said something."""
        if isinstance(happening, Segment):
            self._ended(happening)
        if not isinstance(happening, Fault):
            self._speaking.heard(happening)

    def event(self, live: LiveEvent, received_ms: int, now: float) -> Event:
        """A pushed event, made whole.

        Args:
            received_ms: how much of the speaker's audio has arrived.
            now: Unix seconds, for those who join and leave.
        """
        start, end = self._span(live, received_ms)
        speaking = self._speaking
        match live.action:
            case SayInterim() as spoken:
                return speaking.interim(spoken, self._words(spoken, start, end))
            case SaySegment() as spoken:
                segment = speaking.segment(spoken, self._words(spoken, start, end))
                self._ended(segment)
                return segment
            case SayNormalized() as spoken:
                return speaking.normalized(spoken, self._words(spoken, start, end))
            case SayEntity() as entity:
                return speaking.entity(entity, start, end)
            case SayRelation() as relation:
                return speaking.relation(relation, start, end)
            case SayTags() as tags:
                return speaking.tags(tags, start, end)
            case Joining() as joining:
                return SpeakerJoined(
                    speaker=live.speaker,
                    lang=joining.lang or self._voice.lang,
                    country=joining.country or self._voice.country,
                    interim_results=joining.interim_results,
                    rescoring=joining.rescoring,
                    timestamp_ms=int(now * 1000),
                )
            case Leaving(reason=reason):
                return SpeakerLeft(speaker=live.speaker, timestamp_ms=int(now * 1000), reason=reason)

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

    def _words(self, spoken: Spoken, start: int, end: int) -> tuple[Word, ...]:
        self._said += 1
        rng = random.Random(f"{self._seed}/{self._voice.speaker}/aside/{self._said}")  # noqa: S311
        return words_of(spoken, start, end, rng)

    def _ended(self, segment: Segment) -> None:
        origin = self._voice.origin_ms
        self._last = segment.start_ms - origin, segment.end_ms - origin
