"""The intake of a socket: its gate, on the time of its speakers.

On a clock that audio drives, a socket's time is the space's plus the audio it has sent, and never goes back; so a
call streamed in one go is neither too fast nor silent. Deadlines are handed out, and compared, on the space's
clock, so that a tick at a deadline is due however it was rounded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..model.limits import Limits, ThrottleAction
from .channel import Channel
from .gate import Gate


class Intake:
    """The gate of one socket. `now` is the space's time throughout.

    Args:
        channels: the channels joined at the moment.
        real: seconds of real time.
        follows_audio: whether audio moves time.
    """

    def __init__(
        self,
        limits: Limits,
        now: float,
        channels: Callable[[], Iterable[Channel]],
        real: Callable[[], float],
        *,
        follows_audio: bool = False,
    ) -> None:
        self._gate = Gate(limits, now)
        self._channels = channels
        self._real = real
        self._follows_audio = follows_audio
        self._lead = 0.0
        self._held_at: float | None = None

    @property
    def limits(self) -> Limits:
        """The limits in force."""
        return self._gate.limits

    @property
    def open(self) -> bool:
        """Whether the next message may be fed."""
        return self._gate.open

    def adopt(self, limits: Limits, now: float) -> None:
        """Go by other limits from now on."""
        self._gate.adopt(limits, self._own(now))

    def bytes_arrived(self, now: float) -> None:
        """Anything came in."""
        self._gate.bytes_arrived(self._own(now))

    def message(self, size: int, now: float) -> ThrottleAction | None:
        """`size` bytes were taken; what the throttle demands, see `Gate.message`."""
        # A chunk takes its own duration where audio moves time: it neither comes at once nor leaves a silence.
        since, own = now + self._lead, self._own(now)
        self._gate.bytes_arrived(own)
        demand = self._gate.message(size, own, since=since)
        if self._follows_audio and not self._gate.open:
            self._wait_out(now)
        self._hold()
        return demand

    def pause(self, now: float, until: float | None) -> None:
        """Take nothing until `until`, for good when None."""
        self._gate.pause(self._own(now), None if until is None else self._own(until))
        self._hold()

    def next_deadline(self) -> float | None:
        """When to call `tick`."""
        due_at = self._gate.next_deadline()
        return None if due_at is None else due_at - self._lead

    def tick(self, now: float) -> tuple[bool, bool]:
        """See to what is due: whether the gate opened just now, and whether the socket has idled too long."""
        due_at, deadline = self._gate.next_deadline(), self.next_deadline()
        if due_at is None or deadline is None or now < deadline:
            return False, False
        was_open = self._gate.open
        idle = self._gate.tick(max(due_at, self._own(now)))
        opened = self._gate.open and not was_open
        if opened:
            held_s = 0.0 if self._held_at is None else self._real() - self._held_at
            self._held_at = None
            for channel in self._channels():
                channel.resume(now, held_s)
        return opened, idle

    def _own(self, now: float) -> float:
        self._lead = max(self._lead, *(channel.lead for channel in self._channels()), 0.0)
        return now + self._lead

    def _wait_out(self, now: float) -> None:
        """Where audio moves time nobody else would: the throttle's wait itself moves it."""
        opens_at = self._gate.next_deadline()
        if opens_at is not None:
            self._lead = max(self._lead, opens_at - now)
            self._gate.tick(opens_at)

    def _hold(self) -> None:
        if not self._gate.open and self._held_at is None:
            self._held_at = self._real()
            for channel in self._channels():
                channel.hold()
