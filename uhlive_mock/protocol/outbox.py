"""The outbox: texts on their way to one socket, and the faults that strike events there.

Replies go straight out. An event may be dropped, sent twice, held back, swapped with the one behind it, renamed,
put into the other vocabulary or cut short. Events never overtake one that is held back by a delay.

Everything on its way out of a session: replies, events, and the end; written down as it goes.

Texts go through the `Outbox`, where faults strike events. After an end nothing more goes out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Literal

import msgspec

from ..model.fault import FaultKind, Stage
from ..wire.framing import Framing, Message, encode
from .faults import FaultBox
from .journal import Journal, Kind

Rewrite = Callable[[], Message]
"""Makes the message of an event in the other vocabulary."""


_Letter = tuple[str, Message]
"""A text and what it says."""


class Outbox:
    """The texts to send, in order.

    Args:
        sent: told of each event when it really goes out, as it goes out.
    """

    def __init__(
        self,
        framing: Framing,
        faults: FaultBox,
        socket: int,
        sent: Callable[[Message, float], None] = lambda message, now: None,
    ) -> None:
        self._framing = framing
        self._faults = faults
        self._socket = socket
        self._sent = sent
        self._ready: list[str] = []
        self._held: deque[tuple[float, _Letter]] = deque()
        self._swapped: _Letter | None = None

    def reply(self, text: str) -> None:
        """Send a text as it is."""
        self._ready.append(text)

    def event(
        self, text: str, message: Message, now: float, *, speaker: str, other: Rewrite, last: bool = False
    ) -> None:
        """Send an event to `speaker`'s socket, unless a fault has other plans.

        Args:
            other: makes the event's message in the other vocabulary.
            last: whether there may be no event behind it to be swapped with.
        """
        # One event waits for its swap already, or none may come behind: this is no event to hold back.
        spare = FaultKind.REORDER_EVENTS if last or self._swapped else None
        fault = (
            self._faults.take(
                Stage.EVENTS, now, speaker=speaker, event=str(message.event), socket=self._socket, spare=spare
            )
            if self._faults
            else None
        )
        letter = text, message
        if fault is None:
            self._emit(now, letter)
            return
        value = fault.value
        match fault.kind:
            case FaultKind.DROP_EVENTS if last:
                self._emit(now)
            case FaultKind.DROP_EVENTS:
                pass
            case FaultKind.DUPLICATE_EVENTS:
                self._emit(now, letter, letter)
            case FaultKind.DELAY_EVENTS if isinstance(value, int):
                self._emit(now, letter, ready_at=now + value / 1000)
            case FaultKind.REORDER_EVENTS:
                self._swapped = letter
            case FaultKind.RENAME_EVENTS:
                renamed = Message(message.join_ref, message.ref, message.topic, value, message.payload)
                self._emit(now, (encode(self._framing, renamed), renamed))
            case FaultKind.WRONG_VOCABULARY:
                translated = other()
                self._emit(now, (encode(self._framing, translated), translated))
            case _:
                self._emit(now, (text[: len(text) // 2], message))

    def release(self, now: float) -> None:
        """Let go of events that are held back until `now`."""
        while self._held and self._held[0][0] <= now:
            self._send(self._held.popleft()[1], now)

    def next_deadline(self) -> float | None:
        """When `release` has something to do."""
        return self._held[0][0] if self._held else None

    def take(self) -> list[str]:
        """The texts to send now; each is handed out once."""
        texts, self._ready = self._ready, []
        return texts

    def _emit(self, now: float, *letters: _Letter, ready_at: float | None = None) -> None:
        """Send letters, and behind them the event that waits for its swap; all behind what is held back."""
        if self._swapped is not None:
            letters, self._swapped = (*letters, self._swapped), None
        if self._held or ready_at is not None:
            last_ready_at = self._held[-1][0] if self._held else now
            ready_at = last_ready_at if ready_at is None else max(ready_at, last_ready_at)
            self._held += [(ready_at, letter) for letter in letters]
        else:
            for letter in letters:
                self._send(letter, now)

    def _send(self, letter: _Letter, now: float) -> None:
        text, message = letter
        self._ready.append(text)
        self._sent(message, now)


class Close(msgspec.Struct, frozen=True):
    """Send a close frame with this code and an empty reason, and end the connection."""

    code: int


class Reset(msgspec.Struct, frozen=True):
    """Reset the TCP connection, without a close frame."""


class CutFrame(msgspec.Struct, frozen=True):
    """Send the beginning of a frame and end the connection in the middle of it."""


End = Close | Reset | CutFrame
Effect = str | End


class Outlet:
    """What one session sends."""

    def __init__(
        self, framing: Framing, faults: FaultBox, journal: Journal, socket: int, wake: Callable[[], None]
    ) -> None:
        self.wake = wake
        self._framing = framing
        self._journal = journal
        self._socket = socket
        self._outbox = Outbox(framing, faults, socket, self._record)
        self._end: End | None = None
        self._ended = False

    def reply(
        self,
        join_ref: object,
        message: Message,
        status: Literal["ok", "error"],
        response: dict[str, str],
        now: float,
    ) -> None:
        """Answer a message."""
        payload = {"status": status, "response": response}
        self.push(join_ref, message.ref, message.topic, "phx_reply", payload, now)

    def push(self, join_ref: object, ref: object, topic: object, event: str, payload: object, now: float) -> None:
        """Send a message of the channel protocol itself, which no fault of the events stage strikes."""
        if not self._ended:
            message = Message(join_ref, ref, topic, event, payload)
            self._outbox.reply(encode(self._framing, message))
            self._record(message, now)

    def event(self, text: str, message: Message, now: float, *, speaker: str, other: Rewrite, last: bool) -> None:
        """Send an event of a conversation; see `Outbox.event`."""
        if not self._ended:
            self._outbox.event(text, message, now, speaker=speaker, other=other, last=last)

    def end(self, end: End) -> None:
        """End the connection once what was sent before is out."""
        self._end = end
        self._ended = True
        self.wake()

    def stop(self) -> None:
        """The connection is gone: send nothing more."""
        self._ended = True

    def release(self, now: float) -> None:
        """Let go of events that are held back until `now`."""
        self._outbox.release(now)

    def next_deadline(self) -> float | None:
        """When `release` has something to do."""
        return None if self._ended else self._outbox.next_deadline()

    def effects(self) -> list[Effect]:
        """What to do, in order; each effect is handed out once."""
        end, self._end = self._end, None
        return [*self._outbox.take(), *([] if end is None else [end])]

    def _record(self, message: Message, now: float) -> None:
        payload = message.payload
        self._journal.record(
            Kind.SENT,
            now,
            socket=self._socket,
            speaker=payload.get("speaker") if isinstance(payload, dict) else None,
            topic=message.topic,
            event=message.event,
            join_ref=message.join_ref,
            ref=message.ref,
            payload=payload,
        )
        self.wake()
