"""The outbox: texts on their way to one socket, and the faults that strike events there.

Replies go straight out. An event may be dropped, sent twice, held back, swapped with the one behind it, renamed,
put into the other vocabulary or cut short. Events never overtake one that is held back by a delay.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from ..model.fault import FaultKind, Stage
from ..wire.framing import Framing, Message, encode
from .faults import FaultBox

Rewrite = Callable[[], Message]
"""Makes the message of an event in the other vocabulary."""


class Outbox:
    """The texts to send, in order."""

    def __init__(self, framing: Framing, faults: FaultBox, socket: int) -> None:
        self._framing = framing
        self._faults = faults
        self._socket = socket
        self._ready: list[str] = []
        self._held: deque[tuple[float, str]] = deque()
        self._swapped: list[str] = []

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
        fault = (
            self._faults.take(Stage.EVENTS, now, speaker=speaker, event=str(message.event), socket=self._socket)
            if self._faults
            else None
        )
        if fault is None:
            self._emit(text, now)
            return
        value = fault.value
        match fault.kind:
            case FaultKind.DROP_EVENTS:
                pass
            case FaultKind.DUPLICATE_EVENTS:
                self._emit(text, now)
                self._emit(text, now)
            case FaultKind.DELAY_EVENTS if isinstance(value, int):
                self._held.append((now + value / 1000, text))
            case FaultKind.REORDER_EVENTS if not last:
                self._swapped.append(text)
            case FaultKind.REORDER_EVENTS:
                self._emit(text, now)
            case FaultKind.RENAME_EVENTS:
                renamed = Message(message.join_ref, message.ref, message.topic, value, message.payload)
                self._emit(encode(self._framing, renamed), now)
            case FaultKind.WRONG_VOCABULARY:
                self._emit(encode(self._framing, other()), now)
            case _:
                self._emit(text[: len(text) // 2], now)

    def release(self, now: float) -> None:
        """Let go of events that are held back until `now`."""
        while self._held and self._held[0][0] <= now:
            self._ready.append(self._held.popleft()[1])

    def next_deadline(self) -> float | None:
        """When `release` has something to do."""
        return self._held[0][0] if self._held else None

    def take(self) -> list[str]:
        """The texts to send now; each is handed out once."""
        texts, self._ready = self._ready, []
        return texts

    def _emit(self, text: str, now: float) -> None:
        swapped, self._swapped = self._swapped, []
        if self._held:
            ready_at = self._held[-1][0]
            self._held += [(ready_at, each) for each in (text, *swapped)]
        else:
            self._ready += [text, *swapped]
