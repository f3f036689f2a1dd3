"""A ghost: a speaker that the server plays, so that one program can rehearse a call of two.

It joins when the first participant has joined, speaks at the pace of real speech on the conversation's time,
and leaves after its last word, or when nobody is left to hear it. Its positions count from its join, or from
the conversation's first audio (`say_from`).

Its own time counts from its join, and whoever drives it compares on the space's clock: `due(next_deadline())`
always does something, however the deadline was rounded on the way.
"""

from __future__ import annotations

from ..model.audio import SAMPLE_RATE
from ..model.events import SpeakerJoined, SpeakerLeft
from ..model.scenario import Moment, Scenario
from .plan import Happening
from .player import Player
from .recognizer import Voice


class Ghost:
    """One ghost in one conversation. Times are seconds of its own time, but for `enter`."""

    def __init__(self, voice: Voice, scenario: Scenario, seed: int) -> None:
        self.gone = False
        self.entered_at = 0.0
        """When it joined, on the conversation's time."""
        self._voice = voice
        script = scenario.speakers[voice.speaker]
        self.player = Player(script, voice, scenario.timing, seed)
        """Its script in play."""
        self._waits_for = script.say_from
        self._started: float | None = None
        self._samples = 0
        self._last = 0.0

    @property
    def speaker(self) -> str:
        """Its name."""
        return self._voice.speaker

    def enter(self, now: float) -> SpeakerJoined:
        """The ghost joins at `now`, on the conversation's time; returns the event for everyone."""
        self.entered_at = now
        self.player.joined(0.0)
        if self._waits_for is Moment.JOINED:
            self.start(0.0)
        return self._voice.joined(now)

    def start(self, now: float) -> None:
        """Positions count from `now` on, unless they count already."""
        if self._started is None:
            self._started = self._last = now
            self.player.began(now)

    def next_deadline(self) -> float | None:
        """When `due` will next have something; None while it waits for the first audio."""
        if self.player.finished:
            return self._last
        deadline = self.player.next_deadline()
        position_ms = self.player.next_position_ms
        if self._started is None or position_ms is None:
            return deadline
        reached = self._started + position_ms / 1000
        return reached if deadline is None else min(deadline, reached)

    def due(self, now: float) -> list[Happening]:
        """What the ghost says by `now`; its own `speaker_left` comes last."""
        if self.gone:
            return []
        if self._started is not None and now > self._last:
            # Rounded, so that a position is reached at its very sample however the deadline was rounded.
            samples = round((now - self._started) * SAMPLE_RATE)
            self.player.heard(samples - self._samples, self._last, now)
            self._samples = samples
        self._last = max(self._last, now)
        said = self.player.due(now)
        return said + self.leave(now) if self.player.finished else said

    def leave(self, now: float) -> list[Happening]:
        """The ghost leaves."""
        if self.gone:
            return []
        self.gone = True
        left = SpeakerLeft(speaker=self.speaker, timestamp_ms=int((self.entered_at + now) * 1000))
        return [*self.player.leave(now), left]
