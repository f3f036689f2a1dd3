"""A conversation: who takes part in it, and who hears what.

joined        speaker_joined to the *others*; nothing for an observer (D: JavaScript SDK)
any event     to everyone, observers and the speaker included, encoded once for each form it takes
left          speaker_left to everyone, the leaver included; nothing for an observer
late joiner   is told nothing of what was before (S: "joined after us")
"""

from __future__ import annotations

from typing import Protocol

from ..model.account import Vocabulary
from ..model.events import Event
from ..wire.framing import Framing, Message, encode
from ..wire.vocabulary import Setting, render


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

    def deliver(self, text: str, message: Message, now: float) -> None:
        """Queue an event; `text` is `message` in the participant's framing."""


class Conversation:
    """The participants of one topic, in the order they joined."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.participants: list[Participant] = []
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
        for participant in self.participants:
            if participant is not without:
                participant.deliver(*self._form(participant, event, forms), now)

    def tell(self, participant: Participant, event: Event, now: float) -> None:
        """Tell one participant only."""
        participant.deliver(*self._form(participant, event, {}), now)

    def _form(
        self, to: Participant, event: Event, forms: dict[tuple[object, ...], tuple[str, Message]]
    ) -> tuple[str, Message]:
        join_ref = to.event_join_ref
        key = (to.framing, to.vocabulary, type(join_ref), str(join_ref))
        if key not in forms:
            name, payload = render(to.vocabulary, event, self.setting)
            message = Message(join_ref, None, self.setting.topic, name, payload)
            forms[key] = encode(to.framing, message), message
        return forms[key]
