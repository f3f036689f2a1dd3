"""Everything on its way out of a session: replies, events, and the end; written down as it goes.

Texts go through the `Outbox`, where faults strike events. After an end nothing more goes out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec

from ..wire.framing import Framing, Message, encode
from .faults import FaultBox
from .journal import Journal, Kind
from .outbox import Outbox, Rewrite


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
