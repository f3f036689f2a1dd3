"""A conversation: who takes part in it, and who hears what.

    joined        speaker_joined to the *others*; nothing for an observer (D: JavaScript SDK)
    any event     to everyone, observers and the speaker included, encoded once for each form it takes
    left          speaker_left to everyone, the leaver included; nothing for an observer
    late joiner   is told nothing of what was before (S: "joined after us")

Its ghosts live on the conversation's time: that of the space, moved on by the speaker who has sent the most
audio where audio moves time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ..model.account import Vocabulary
from ..model.events import Event
from ..model.fault import Fault
from ..wire.framing import Framing, Message, encode
from ..wire.vocabulary import Setting, render
from .ghost import Ghost


class Participant(Protocol):
    """One side of a conversation, as the conversation sees it."""

    @property
    def framing(self) -> Framing:
        """How its socket frames messages."""

    @property
    def vocabulary(self) -> Vocabulary:
        """The names its account gets."""

    @property
    def event_join_ref(self) -> object:
        """The join_ref its events carry; null by default."""

    @property
    def lead(self) -> float:
        """By how many seconds its audio has moved its own time on."""

    def deliver(self, text: str, message: Message, event: Event, now: float) -> None:
        """Queue an event; `text` is `message` in the participant's framing."""


class Conversation:
    """The participants of one topic, in the order they joined."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.participants: list[Participant] = []
        self.ghosts: list[Ghost] = []
        self._speakers = 0

    def enter(self, participant: Participant) -> None:
        """Add a participant; it hears every event from now on."""
        self.participants.append(participant)

    def remove(self, participant: Participant) -> None:
        """Remove a participant; it hears nothing from now on."""
        self.participants.remove(participant)

    def take_speaker_number(self) -> int:
        """A number for the next speaker, counting from 0 over the conversation's life."""
        self._speakers += 1
        return self._speakers - 1

    def broadcast(self, event: Event, now: float, *, without: Participant | None = None) -> None:
        """Tell everyone, or everyone but one."""
        forms: dict[tuple[object, ...], tuple[str, Message]] = {}
        for participant in tuple(self.participants):
            if participant is not without:
                self._tell(participant, event, forms, now)

    def tell(self, participant: Participant, event: Event, now: float) -> None:
        """Tell one participant only."""
        self._tell(participant, event, {}, now)

    # --- ghosts ---

    def raise_ghosts(self, ghosts: list[Ghost], now: float) -> None:
        """Let ghosts join; they are announced to everyone."""
        self.ghosts += ghosts
        for ghost in ghosts:
            self.broadcast(ghost.enter(now + self._lead), now)

    def audio_began(self, now: float) -> None:
        """Somebody has sent audio."""
        for ghost in self.ghosts:
            ghost.start(now + self._lead)

    def ghosts_deadline(self) -> float | None:
        """When `play_ghosts` will next have something to do, on the space's clock."""
        deadlines = (ghost.next_deadline() for ghost in self.ghosts)
        earliest = min((deadline for deadline in deadlines if deadline is not None), default=None)
        return None if earliest is None else earliest - self._lead

    def play_ghosts(self, now: float, strike: Callable[[Fault, float], None]) -> None:
        """Broadcast what ghosts say by `now`; their faults go to `strike`."""
        for ghost in tuple(self.ghosts):
            self._hear_ghost(ghost, ghost.due(now + self._lead), now, strike)

    def lay_ghosts(self, now: float, strike: Callable[[Fault, float], None]) -> None:
        """Nobody is left to hear the ghosts: they leave."""
        for ghost in tuple(self.ghosts):
            self._hear_ghost(ghost, ghost.leave(now + self._lead), now, strike)

    def _hear_ghost(
        self, ghost: Ghost, said: list[Event | Fault], now: float, strike: Callable[[Fault, float], None]
    ) -> None:
        for happening in said:
            if isinstance(happening, Fault):
                strike(happening, now)
            else:
                self.broadcast(happening, now)
        if ghost.gone and ghost in self.ghosts:
            self.ghosts.remove(ghost)

    # --- inside ---

    @property
    def _lead(self) -> float:
        return max((participant.lead for participant in self.participants), default=0.0)

    def _tell(
        self, to: Participant, event: Event, forms: dict[tuple[object, ...], tuple[str, Message]], now: float
    ) -> None:
        join_ref = to.event_join_ref
        key = (to.framing, to.vocabulary, type(join_ref), str(join_ref))
        if key not in forms:
            message = self.message(event, to.vocabulary, join_ref)
            forms[key] = encode(to.framing, message), message
        to.deliver(*forms[key], event, now)

    def message(self, event: Event, vocabulary: Vocabulary, join_ref: object) -> Message:
        """The message of an event in a vocabulary."""
        name, payload = render(vocabulary, event, self.setting)
        return Message(join_ref, None, self.setting.topic, name, payload)
