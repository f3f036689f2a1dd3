"""What the linter remembers of a socket, of each topic on it, and of the refs used there.

A topic is in one of six states, and what may be sent to it depends on that alone:

    state      how it came there                  audio                 another message
    never      nothing was joined                 audio_before_join     push_before_join
    asked      phx_join, not answered yet         audio_before_join     push_before_join
    joined     the answer was ok                  fine                  fine
    refused    the answer was an error            audio_before_join     push_before_join
    left       the client's own phx_leave         audio_after_leave     push_before_join
    ended      phx_close, phx_error, unasked      audio_after_leave     push_before_join

A leave is harmless in any state. For who is on a topic that has `ended`, see the linter.
"""

from __future__ import annotations

from collections import deque
from enum import Enum, auto

from ..model.audio import SAMPLE_RATE, Codec
from ..protocol.journal import Entry
from .rules import Traits

REMEMBERED_REFS = 4096
"""How many refs of a stay are remembered: a counter that wraps around reuses none."""


class State(Enum):
    """Where a client stands with a topic."""

    NEVER = auto()
    ASKED = auto()
    JOINED = auto()
    REFUSED = auto()
    LEFT = auto()
    ENDED = auto()


NOT_JOINED: dict[State, tuple[str, str]] = {
    State.NEVER: ("audio_before_join", "push_before_join"),
    State.ASKED: ("audio_before_join", "push_before_join"),
    State.REFUSED: ("audio_before_join", "push_before_join"),
    State.LEFT: ("audio_after_leave", "push_before_join"),
    State.ENDED: ("audio_after_leave", "push_before_join"),
}
"""The rules that audio, and any other message, break in a state; none in the state that is missing."""


class Refs:
    """The latest refs of a stay."""

    __slots__ = ("_order", "_seen")

    def __init__(self) -> None:
        self._order: deque[str] = deque()
        self._seen: set[str] = set()

    def used(self, ref: object) -> bool:
        """Note a ref; whether it was used before. A null ref asks for no answer and may be used again."""
        if ref is None:
            return False
        key = repr(ref)
        if key in self._seen:
            return True
        self._seen.add(key)
        self._order.append(key)
        if len(self._order) > REMEMBERED_REFS:
            self._seen.remove(self._order.popleft())
        return False


class Seat:
    """One stay on one topic, from its join on.

    Args:
        before: the stay that the join found there, if any.
    """

    def __init__(self, join: Entry | None = None, before: Seat | None = None) -> None:
        payload = join.payload if join is not None and isinstance(join.payload, dict) else {}
        self.state = State.NEVER if join is None else State.ASKED
        self.before = before
        self.join_ref = join.join_ref if join else None
        self.speaker = join.speaker if join else None
        self.observes = payload.get("readonly") is True
        self.width = 1 if payload.get("audio_codec") in (Codec.ALAW, Codec.ULAW) else 2
        self.refs = Refs()
        self.closes_owed = 0
        """How many phx_close are still to come for stays that this one took the place of."""
        self.ended_at = 0.0
        """When the service ended it, in Unix seconds."""
        self.left_nth: int | None = None
        """Which of the messages sent on its socket was its own speaker_left, counting from 1."""
        self.latest = join
        """The last message that the client sent there."""
        self._bytes = 0
        self._began = 0.0

    @property
    def is_here(self) -> bool:
        """Whether a speaker stays."""
        return self.state is State.JOINED and not self.observes

    def waits(self, sent: int) -> bool:
        """Whether it has left and its speaker_left is not among the first `sent` messages of its socket."""
        gone = self.state is State.LEFT and not self.observes
        return gone and (self.left_nth is None or self.left_nth > sent)

    def at_s(self) -> float | None:
        """How far its audio has come, in seconds; None before any."""
        return self._bytes / (self.width * SAMPLE_RATE) if self._bytes else None

    def heard(self, size: int, now: float) -> tuple[float, float]:
        """A chunk came at `now`: where it begins in the audio, and by how much that is early, in seconds."""
        if not self._bytes:
            self._began = now
        start_s = self._bytes / (self.width * SAMPLE_RATE)
        self._bytes += size
        return start_s, start_s - (now - self._began)


class Line:
    """One socket."""

    def __init__(self) -> None:
        self.traits = Traits()
        self.seats: dict[str, Seat] = {}
        self.heartbeats = Refs()
        self.latest: tuple[Entry, Seat | None, float | None] | None = None
        """What the client sent last, to which seat, and where in the audio that was."""
        self.sent = 0
        """How many messages were sent to the client."""
        self.excused = False
        """Whether a fault has struck: how the client ends is no longer held against it."""
        self.held = False
        """Whether the server has read or written late: what comes may have been sent long ago."""

    @property
    def only(self) -> Seat | None:
        """Whoever is on it, if that is one."""
        joined = [seat for seat in self.seats.values() if seat.state is State.JOINED]
        return joined[0] if len(joined) == 1 else None
