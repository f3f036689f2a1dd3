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
