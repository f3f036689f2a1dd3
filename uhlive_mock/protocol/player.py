"""Plays one speaker's script against the audio that arrives.

Three verbs drive it and one question asks when to come back:

    joined(now)                  starts the clock axes
    heard(samples, before, now)  audio arrived: `samples` more, while the speaker's time went before -> now
    due(now)                     the events to send now, in order; `take(now)` is one of them at a time
    next_deadline()              when `due` will next have something

An event on the audio axis is *reached* when the samples received cover its position, and due `latency` after
that. On a clock that real time drives, a chunk arrives at once (`before == now`) and everything in it is
reached at `now`; on a clock that audio drives, a chunk takes its own duration and a position inside it is
reached at its exact moment. Both are `now - min(now - before, audio behind the position)`.

Events of the audio axis never overtake each other, whatever their latency, and due times are whole
microseconds, so that rounding never decides an order. So content and order depend on the plan and on the
total audio alone, not on how it was cut into chunks.

`leave()` hands out everything the received audio has reached, due or not, and says which cues were never
(wholly) played.
"""

from __future__ import annotations

import heapq
from collections import Counter, deque

from ..model.audio import SAMPLE_RATE, SAMPLES_PER_MS
from ..model.scenario import Script, Timing
from .plan import Axis, Happening, Planned, Planner
from .recognizer import PushedEvents, SpeakerProfile
from .records import Unplayed

_NEVER = float("inf")


class Player:
    """One speaker's script in play. See the module's docstring."""

    def __init__(self, script: Script, profile: SpeakerProfile, timing: Timing, seed: int) -> None:
        self._planner = Planner(script, profile, timing, seed)
        self.pushed = PushedEvents(profile, self._planner.numbers, timing, seed)
        """The events that a test pushes in the speaker's name."""
        self._script = script
        self._profile = profile
        self._samples = 0
        self._audio: deque[Planned] = deque()
        self._waiting: dict[Axis, list[Planned]] = {axis: [] for axis in Axis if axis is not Axis.AUDIO}
        self._ready: list[tuple[float, int, Planned]] = []
        self.ready_at = _NEVER
        """When the next reached event is due; infinity while there is none."""
        self._sequence = 0
        self._audio_ready_at = float("-inf")
        self._planned: Counter[int] = Counter()
        self._played: Counter[int] = Counter()
        self._plan_turns()

    @property
    def received_ms(self) -> int:
        """Audio received, in whole milliseconds."""
        return self._samples // SAMPLES_PER_MS

    def joined(self, now: float) -> None:
        """The speaker joined: cues on the `joined` axis start to count."""
        self._start(Axis.JOINED, now)

    def heard(self, samples: int, before: float, now: float) -> None:
        """`samples` more of audio arrived while the speaker's time went from `before` to `now` (seconds)."""
        if not samples:
            return
        if not self._samples:
            self._start(Axis.FIRST_AUDIO, before)
        self._samples += samples
        if self._planner.next_turn_ms is not None:
            self._plan_turns()
        if self._audio and self._audio[0].position_ms * SAMPLES_PER_MS <= self._samples:
            self._reach(before, now)

    def began(self, now: float) -> None:
        """The speaker began to speak: position 0 is reached before any audio. For speakers that send none."""
        self._start(Axis.FIRST_AUDIO, now)
        self._reach(now, now)

    def due(self, now: float) -> list[Happening]:
        """The events to send at `now`, in order; each is handed out once."""
        events = []
        while (happening := self.take(now)) is not None:
            events.append(happening)
        return events

    def take(self, now: float) -> Happening | None:
        """The first event to send at `now`, None when there is none."""
        if self.ready_at > now:
            return None
        planned = heapq.heappop(self._ready)[2]
        self.ready_at = self._ready[0][0] if self._ready else _NEVER
        return self._play(planned)

    def next_deadline(self) -> float | None:
        """When the next reached event is due, or None while there is none."""
        return None if self.ready_at == _NEVER else self.ready_at

    @property
    def next_position_ms(self) -> int | None:
        """The next position in the audio that something is planned for, or where the next turn is planned."""
        turn_ms = self._planner.next_turn_ms
        if not self._audio:
            return turn_ms
        position_ms = self._audio[0].position_ms
        return position_ms if turn_ms is None else min(position_ms, turn_ms)

    @property
    def finished(self) -> bool:
        """Whether nothing is left to play before a leave. A script that loops has no end."""
        if self._planner.next_turn_ms is not None:
            return False
        waiting = any(planned for axis, planned in self._waiting.items() if axis is not Axis.LEFT)
        return not (self._audio or self._ready or waiting)

    def leave(self, now: float) -> list[Happening]:
        """The speaker leaves: everything reached and not yet sent, then the cues of the `left` axis.

        Latency is cut short; what a clock axis has not reached by `now` stays unplayed.
        """
        reached: list[tuple[float, int, Planned]] = []
        early: list[tuple[float, int, Planned]] = []
        for entry in sorted(self._ready, key=lambda item: item[:2]):
            ready_at, _, planned = entry
            reached_at = _whole_us(ready_at - planned.latency_ms / 1000)
            waits = planned.axis is not Axis.AUDIO and reached_at > _whole_us(now)
            (early if waits else reached).append(entry)
        self._ready = early
        self.ready_at = early[0][0] if early else _NEVER
        events = [self._play(planned) for _, _, planned in reached]
        return events + [self._play(planned) for planned in self._waiting.pop(Axis.LEFT, [])]

    def unplayed(self) -> list[Unplayed]:
        """The cues not (wholly) played so far. A script that loops has no end, so it lists none."""
        if self._script.loop_ms is not None:
            return []
        last = {planned.cue: planned for planned in self._pending()}
        return [
            Unplayed(
                speaker=self._profile.speaker,
                index=index,
                line=self._script.cues[index].line or 0,
                axis=last[index].axis,
                due_ms=last[index].position_ms,
                received_ms=self.received_ms,
                played=self._played[index],
                planned=self._planned[index],
            )
            for index in sorted(last)
        ]

    # --- inside ---

    def _pending(self) -> list[Planned]:
        ready = [planned for _, _, planned in sorted(self._ready, key=lambda item: item[:2])]
        return [
            *ready,
            *self._audio,
            *(planned for waiting in self._waiting.values() for planned in waiting),
        ]

    def _plan_turns(self) -> None:
        """Plan every turn that the audio has entered; one that outlasts the loop overlaps the next."""
        entered: list[Planned] = []
        while (start := self._planner.next_turn_ms) is not None and start <= self.received_ms:
            entered += self._planner.turn()
        if not entered:
            return
        for planned in entered:
            self._planned[planned.cue] += 1
            (self._audio if planned.axis is Axis.AUDIO else self._waiting[planned.axis]).append(planned)
        self._audio = deque(sorted(self._audio, key=lambda planned: planned.position_ms))

    def _reach(self, before: float, now: float) -> None:
        while self._audio and self._audio[0].position_ms * SAMPLES_PER_MS <= self._samples:
            planned = self._audio.popleft()
            behind = (self._samples - planned.position_ms * SAMPLES_PER_MS) / SAMPLE_RATE
            reached = now - min(now - before, behind)
            self._audio_ready_at = max(self._audio_ready_at, reached + planned.latency_ms / 1000)
            self._push(self._audio_ready_at, planned)

    def _start(self, axis: Axis, now: float) -> None:
        for planned in self._waiting.pop(axis, []):
            self._push(now + (planned.position_ms + planned.latency_ms) / 1000, planned)

    def _push(self, ready_at: float, planned: Planned) -> None:
        self._sequence += 1
        heapq.heappush(self._ready, (_whole_us(ready_at), self._sequence, planned))
        self.ready_at = self._ready[0][0]

    def _play(self, planned: Planned) -> Happening:
        self._played[planned.cue] += 1
        self.pushed.heard(planned.event)
        return planned.event


def _whole_us(seconds: float) -> float:
    return round(seconds, 6)
