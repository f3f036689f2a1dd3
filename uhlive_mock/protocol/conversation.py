"""A conversation: who takes part in it, and who hears what.

    joined        speaker_joined to the *others*; nothing for an observer (D: JavaScript SDK)
    any event     to everyone, observers and the speaker included, encoded once for each form it takes
    left          speaker_left to everyone, the leaver included; nothing for an observer
    late joiner   is told nothing of what was before (S: "joined after us")

Its ghosts live on the conversation's time: that of the space, moved on by the speaker who has sent the most
audio where audio moves time. It never goes back, not even when that speaker leaves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain, count
from typing import Protocol

from ..model.account import Vocabulary
from ..model.events import Event
from ..model.fault import Fault
from ..wire.framing import Framing, Message, encode
from ..wire.vocabulary import Setting, render
from .ghost import Ghost
from .player import Player


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

    def __init__(self, setting: Setting, identifier: str = "") -> None:
        self.setting = setting
        self.id = identifier
        """As its client knows it."""
        self.participants: list[Participant] = []
        self.ghosts: list[Ghost] = []
        self.absent: dict[str, Player] = {}
        """Those who speak in pushed events and are not there."""
        self._places: set[int] = set()
        self._past_lead = 0.0

    @property
    def lead(self) -> float:
        """By how many seconds the audio of its speakers has moved its time on."""
        return max(self._past_lead, *(participant.lead for participant in self.participants), 0.0)

    def enter(self, participant: Participant) -> None:
        """Add a participant; it hears every event from now on."""
        self.participants.append(participant)

    def remove(self, participant: Participant) -> None:
        """Remove a participant; it hears nothing from now on."""
        self._past_lead = self.lead
        self.participants.remove(participant)

    def take_place(self, *wanted: int) -> int:
        """The first wanted place that no speaker of the conversation has ever had, or the next one behind them."""
        places = chain(wanted, count(wanted[-1]))
        place = next(place for place in places if place not in self._places)
        self._places.add(place)
        return place

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
            self.broadcast(ghost.enter(now + self.lead), now)

    def audio_began(self, now: float) -> None:
        """Somebody has sent audio."""
        for ghost in self.ghosts:
            ghost.start(self._own(ghost, now))

    def ghosts_deadline(self) -> float | None:
        """When `play_ghost` will next have something to do, on the space's clock."""
        return min((due_at for due_at, _, _ in self._ghosts_due()), default=None)

    def play_ghost(self, now: float, strike: Callable[[Fault, float], None]) -> None:
        """Broadcast what the ghost of the earliest deadline says then; its faults go to `strike`."""
        _, due_at, ghost = min(self._ghosts_due(), key=lambda each: each[0])
        self._hear_ghost(ghost, ghost.due(due_at), now, strike)

    def lay_ghosts(self, ghosts: list[Ghost], now: float, strike: Callable[[Fault, float], None]) -> None:
        """Let ghosts leave: nobody is left to hear them, or a speaker takes their name."""
        for ghost in tuple(ghosts):
            self._hear_ghost(ghost, ghost.leave(self._own(ghost, now)), now, strike)

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

    def _own(self, ghost: Ghost, now: float) -> float:
        return now - ghost.entered_at + self.lead

    def _ghosts_due(self) -> Iterator[tuple[float, float, Ghost]]:
        """Each ghost that waits for something, with the deadline on the space's clock and in its own time."""
        lead = self.lead if self.ghosts else 0.0
        for ghost in self.ghosts:
            own = ghost.next_deadline()
            if own is not None:
                yield ghost.entered_at + (own - lead), own, ghost

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
