"""Where cues lie: each on one of four axes, by its trigger or by the trigger it follows.

audio         positions in the speaker's audio: `at`, and `after` behind it
joined        time since the join: `when: joined`, and `after` behind it
first_audio   time since the first audio
left          no time left: emitted at the leave, in order

From cues to events: what a script will say, and where on which axis.

Every event is planned at the **end** of what it speaks of. A `say` becomes

    start ──interim──interim──interim──► until: segment, normalized, entities

with a growing prefix of its words every `interim_every_ms`. Words share the span in proportion to their
length. Planning reads no audio and no clock, so how the audio is cut into chunks cannot change a plan;
all that is random comes from a generator seeded with the scenario's seed, the speaker, the cue and the turn.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from enum import StrEnum
from itertools import count

import msgspec

from ..model.events import Event, Raw, Word
from ..model.fault import Fault
from ..model.scenario import (
    At,
    Cue,
    Moment,
    RawEvent,
    Say,
    SayEntity,
    SayInterim,
    SayNormalized,
    Script,
    Timing,
    When,
)
from .recognizer import Recognizer, SpeakerProfile, length_ms, words_of


class Axis(StrEnum):
    """What a planned position counts from."""

    AUDIO = "audio"
    JOINED = "joined"
    FIRST_AUDIO = "first_audio"
    LEFT = "left"


_AXES = {Moment.JOINED: Axis.JOINED, Moment.FIRST_AUDIO: Axis.FIRST_AUDIO, Moment.LEFT: Axis.LEFT}


class Placed(msgspec.Struct, frozen=True):
    """A cue with its axis and span resolved."""

    index: int
    cue: Cue
    axis: Axis
    start_ms: int
    end_ms: int


def place(script: Script, timing: Timing) -> Iterator[Placed]:
    """Resolve every cue of a script to an axis and a span, in the order written."""
    axis, previous_end = Axis.AUDIO, 0
    for index, cue in enumerate(script.cues):
        match cue.trigger:
            case At(position_ms=start):
                axis = Axis.AUDIO
            case When(moment=moment):
                axis, start = _AXES[moment], 0
            case after:
                start = previous_end + after.delay_ms
        end = cue.until_ms if cue.until_ms is not None else start + length_ms(cue.action, timing)
        previous_end = end
        yield Placed(index, cue, axis, start, end)


Happening = Event | Fault
"""What a cue makes happen: something the conversation hears, or something that goes wrong."""


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
    between turns. `numbers` is where utterance ids come from.
    """

    def __init__(self, script: Script, profile: SpeakerProfile, timing: Timing, seed: int) -> None:
        self._script = script
        self._profile = profile
        self._timing = timing
        self._seed = seed
        self._turns = 0
        self.next_turn_ms: int | None = 0
        self.numbers = count(profile.first_utterance)
        self._recognizer = Recognizer(profile, self.numbers)

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
        rng = random.Random(f"{self._seed}/{self._profile.speaker}/{self._turns}/{placed.index}")  # noqa: S311
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
            case SayInterim() if not self._profile.interim_results:
                pass  # D: false yields no interim events
            case Fault() as fault:
                yield end, fault
            case RawEvent(name=name, payload=payload):
                yield end, Raw(speaker=self._profile.speaker, name=name, payload=payload)
            case action:
                yield end, self._recognizer.event(action, start, end, rng)

    def _say(self, say: Say, start: int, end: int, rng: random.Random) -> Iterator[tuple[int, Happening]]:
        recognizer, words = self._recognizer, words_of(say, start, end, rng)
        if self._profile.interim_results:
            for position, shown in _growth(words, start, end, self._timing.interim_every_ms):
                yield position, recognizer.interim(say, words[:shown])
        yield end, recognizer.segment(say, words)
        if say.normalized is not None:
            spoken = SayNormalized(
                text=say.normalized, lang=say.lang, country=say.country, confidence=say.confidence
            )
            yield end, recognizer.normalized(spoken, words_of(spoken, start, end, rng))
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
            yield end, recognizer.entity(scripted, words[inline.first].start_ms, words[inline.last].end_ms)


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
