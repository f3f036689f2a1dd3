"""Everything on its way out of one socket: replies, events, and the end; written down as it really goes out.

    reply, push        messages of the channel protocol: straight out
    send               an event of a conversation: behind the events that are held back
    swap               an event that goes out behind the next one
    end                the last thing that goes out; nothing follows it
    release(now)       what was held back until now goes out
    effects()          what to do now: texts to send, or an end; each is handed out once

Events never overtake one that is held back by a delay. `faults` decides what is held back, swapped or left out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Literal

import msgspec

from ..wire.framing import Framing, Message, encode
from .flow_control import Until
from .journal import Journal, Participation
from .records import Closed, Kind

_SENT = Kind.SENT
"""A name of its own: Python 3.11 takes a while to find a member of an enum."""


class Close(msgspec.Struct, frozen=True):
    """Send a close frame with this code and an empty reason, and end the connection."""

    code: int


class Reset(msgspec.Struct, frozen=True):
    """Reset the TCP connection, without a close frame."""


class CutFrame(msgspec.Struct, frozen=True):
    """Send the beginning of a frame and end the connection in the middle of it."""


End = Close | Reset | CutFrame
Effect = str | End


class Letter(msgspec.Struct, frozen=True, gc=False):
    """An event on its way: its text, what that says, to whom it goes, and which speaker it names."""

    text: str
    message: Message
    to: Participation | None = None
    of: Participation | None = None


class Outbox:
    """What one socket sends. See the module's docstring.

    Args:
        socket: the number of the socket in the journal.
        wake: called when there is something to carry out.
    """

    def __init__(
        self, framing: Framing, journal: Journal, socket: int, wake: Callable[[], None] = lambda: None
    ) -> None:
        self.framing = framing
        self.socket = socket
        self.wake = wake
        self.is_open = True
        """Whether anything more may be sent."""
        self.ended: Closed | None = None
        """How the socket was ended from this side, at `ended_at`; None while it was not."""
        self.ended_at = 0.0
        self.muted = False
        """Whether heartbeats and pings go unanswered."""
        self.silent_until: Until | None = None
        """Until when no byte is written; None when bytes are."""
        self.holds_back = False
        """Whether `release` has something to do one day."""
        self.has_effects = False
        """Whether there is something to carry out."""
        self.swapped: Letter | None = None
        """The event that waits for the next one to go out before it."""
        self._journal = journal
        self._ready: list[str] = []
        self._held: deque[tuple[Until, Letter]] = deque()
        self._end: End | None = None

    def reply(
        self,
        join_ref: object,
        message: Message,
        status: Literal["ok", "error"],
        response: dict[str, str],
        now: float,
        to: Participation | None = None,
    ) -> None:
        """Answer a message."""
        payload = {"status": status, "response": response}
        self.push(join_ref, message.ref, message.topic, "phx_reply", payload, now, to)

    def push(
        self,
        join_ref: object,
        ref: object,
        topic: object,
        event: str,
        payload: object,
        now: float,
        to: Participation | None = None,
    ) -> None:
        """Send a message of the channel protocol itself."""
        if self.is_open:
            message = Message(join_ref, ref, topic, event, payload)
            self._go(Letter(encode(self.framing, message), message, to), now)

    def send(self, now: float, *letters: Letter, until: Until | None = None) -> None:
        """Send events, now or not before `until`, and behind them the one that waits for its swap."""
        if not self.is_open:
            return
        if self.swapped is not None:
            letters, self.swapped = (*letters, self.swapped), None
        if self._held or until is not None:
            last = self._held[-1][0] if self._held else Until(now, 0.0)
            held = last if until is None else Until(max(until.own, last.own), max(until.real, last.real))
            self._held += [(held, letter) for letter in letters]
            self.holds_back = True
            self.wake()  # for the deadline
        else:
            for letter in letters:
                self._go(letter, now)

    def stop_sending(self, until: Until) -> None:
        """Write no byte until then, but for an end."""
        self.silent_until, self.holds_back = until, True
        self.wake()

    def end(self, end: End, now: float, closed: Closed) -> None:
        """End the connection once what was sent before is out."""
        if self.ended is None:
            self._end, self.ended, self.ended_at = end, closed, now
            self.has_effects = True
        self.is_open = False
        self.wake()

    def stop(self) -> None:
        """The connection is gone: send nothing more."""
        self.is_open = False

    def release(self, now: float, *, lead: float = 0.0, real: float = 0.0) -> None:
        """Let go of what is held back until `now`; the socket's own time is ahead by `lead`."""
        silent = self.silent_until
        if silent is not None and (silent.own - lead <= now or silent.real <= real):
            self.silent_until = None
            self.wake()
        while self._held and (self._held[0][0].own - lead <= now or self._held[0][0].real <= real):
            self._go(self._held.popleft()[1], now)
        self.holds_back = bool(self._held) or self.silent_until is not None

    def next_deadline(self) -> float | None:
        """When `release` has something to do, on the socket's own time."""
        return min((until.own for until in self._waits()), default=None)

    def real_deadline(self) -> float:
        """When `release` has something to do in real time; infinity if that never has."""
        return min((until.real for until in self._waits()), default=float("inf"))

    def _waits(self) -> Iterator[Until]:
        if self._held and self.is_open:
            yield self._held[0][0]
        if self.silent_until is not None:
            yield self.silent_until

    def effects(self) -> list[Effect]:
        """What to do, in order."""
        ready: list[Effect] = [*self._ready, *([] if self._end is None else [self._end])]
        self._ready, self._end, self.has_effects = [], None, False
        return ready

    def _go(self, letter: Letter, now: float) -> None:
        message, to = letter.message, letter.to
        payload = message.payload
        speaker = payload.get("speaker") if isinstance(payload, dict) else None
        self._ready.append(letter.text)
        self.has_effects = True
        self._journal.record(
            _SENT,
            now,
            socket=self.socket,
            speaker=speaker,
            topic=message.topic,
            event=message.event,
            join_ref=message.join_ref,
            ref=message.ref,
            payload=payload,
            # What names no speaker is about its receiver.
            of=to if speaker is None else letter.of,
            to=to.speaker if to else None,
        )
        self.wake()
