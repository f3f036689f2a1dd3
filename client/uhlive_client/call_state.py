"""What a call is, for whichever shell does its I/O: patience, signs of life, losses, and where it ends.

A shell opens a socket, sends `join()`, and then takes turns until the call is `over`:

    match core.turn(now, clear=…):
        case Wait(seconds):   receive a frame for so long; then `heard(frame, now)`, or `silent(now)` if none came
        case Send(frame):     send it
        case Ping():          send a WebSocket ping, then `pinged(is_answered, now)`

`next_event()` gives what was heard, in order. `audio` and `leave` make the frames of the caller's own verbs.

Rules.

- While we are joined a silence may last. Once we are leaving, and while we are joining, each answer has
  `timeout` seconds. Sound sent faster than speech is throttled (D), so patience begins when all that was sent
  would have been spoken.
- An observer's stay may end without a word (I: nothing says that `phx_close` comes). Once it has said that it
  leaves there is nothing to lose, so silence and a closed socket are an end like any other.
- When nothing was heard for a while the service is asked for a sign of life, but only while the line is `clear`:
  a question that queues behind sound says nothing about the service. So a throttled connection, whose pings are
  read as late as its sound, is never taken for a dead one.
- The first loss is the one that counts: everybody who uses the call is told of that one.
- With `reconnect`, a loss in mid-call opens a gap instead. Sound that comes due in it is counted and dropped;
  `audio` returns no frame for it. `next_delay`, `join` and `missed` are the verbs of whoever mends the line.

`now` is an argument, in seconds of any clock that does not jump. Nothing here may be used from two threads at
once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import msgspec

from .codecs import SAMPLE_RATE
from .conversation import Conversation, JoinOptions, State
from .errors import ConnectionLost, Timeout, UhliveClientError, UsageError, WireError
from .events import Event, Reply
from .pulse import Pulse
from .reconnect import Gap, Reconnect
from .wire import Framing

_LEAST_WAIT_S = 0.05
"""Even after its time has passed, a frame that lies in the socket gets a chance to be read."""


class Wait(msgspec.Struct, frozen=True):
    """Receive a frame for so many seconds."""

    seconds: float


class Send(msgspec.Struct, frozen=True):
    """Send a frame."""

    frame: str | bytes


class Ping(msgspec.Struct, frozen=True):
    """Send a WebSocket ping."""


class Core:
    """A call without I/O.

    Args:
        account: the account's identifier.
        conversation: the name of the conversation.
        timeout: seconds to wait for each answer.
        ping_interval: seconds of hearing nothing after which to ping; `None` for never.
        heartbeat: seconds from one Phoenix heartbeat to the next; `None` for none.
        reconnect: how to mend a lost line; `None` for not at all.
    """

    def __init__(
        self,
        account: str,
        conversation: str,
        options: JoinOptions,
        *,
        framing: Framing,
        timeout: float,
        ping_interval: float | None,
        heartbeat: float | None,
        reconnect: Reconnect | None,
    ) -> None:
        self.timeout = timeout
        self.failure: Exception | None = None
        self.frames_heard = 0
        self._account = account
        self._name = conversation
        self._options = options
        self._framing = framing
        self._intervals = (ping_interval, heartbeat)
        self._reconnect = reconnect
        self._told: deque[Event | WireError] = deque()
        self._gap: Gap | None = None
        self._stays = 0
        self._samples = 0
        self._staying = False
        self._done = False
        self._said_leave = False
        self._waits_since = 0.0
        self._spoken_until = 0.0
        self.conversation = self._stay()
        self._ping, self._heartbeat = self._pulses(0.0)

    # --- where we stand -----------------------------------------------------------------------------------

    @property
    def speaking(self) -> bool:
        """Whether sound may be sent: we are joined, or shall be again."""
        return self._gap is not None or (self.failure is None and self.conversation.state is State.JOINED)

    @property
    def down(self) -> bool:
        """Whether the line is lost, and to be mended."""
        return self._gap is not None

    def ready_to_stream(self) -> None:
        """Raises when streaming makes no sense. A stay that the service has ended is no mistake of the caller's.

        Raises:
            UhliveClientError: what ended the call.
            UsageError: not joined, or we have left.
        """
        self.check()
        if not self.speaking and (self._said_leave or not self._stays):
            raise UsageError(f"cannot stream while {self.conversation.state.name.lower()}; expected joined")

    def keeps(self, due: float) -> bool:
        """Whether a chunk that was due at `due` waits until the line is mended: it is late, not lost in the gap."""
        return self._gap is not None and due < self._gap.since

    @property
    def over(self) -> bool:
        """Whether nothing more is to be expected."""
        return self._done and self._gap is None and self.failure is None

    def next_event(self) -> Event | None:
        """The next of what was heard; `None` when all has been told.

        Raises:
            WireError: what came at this place is not a message.
        """
        if not self._told:
            return None
        told = self._told.popleft()
        if isinstance(told, WireError):
            raise told
        return told

    def check(self) -> None:
        """Raises what ended the call, if something did."""
        if self.failure is not None:
            raise self.failure

    # --- the caller's verbs -------------------------------------------------------------------------------

    def audio(self, chunk: bytes, now: float) -> str | bytes | None:
        """The frame of a chunk; `None` while the line is down, when the chunk is counted as lost.

        Raises:
            UhliveClientError: what ended the call.
            UsageError: not joined, an observer, or too large a chunk.
        """
        self.check()
        samples = len(chunk) // self._options.audio_codec.sample_width
        if self._gap is not None:
            self._gap.lost_samples += samples
            self._samples += samples
            return None
        frame = self.conversation.audio(chunk)
        self._samples += samples
        self._spoken_until = max(now, self._spoken_until) + samples / SAMPLE_RATE
        return frame

    def leave(self, now: float) -> str | bytes | None:
        """The frame that says we leave; `None` when there is nobody to say it to."""
        if self._gap is not None or self.failure is not None or self.conversation.state is not State.JOINED:
            return None
        self._staying = False
        self._said_leave = True
        self._waits_since = now
        return self.conversation.leave()

    def patience(self, now: float) -> float:
        """Seconds that a frame may take to be sent: `timeout`, and as long as the sound before it lasts."""
        return max(now, self._spoken_until) + self.timeout - now

    # --- turns --------------------------------------------------------------------------------------------

    def turn(self, now: float, *, clear: bool) -> Wait | Send | Ping:
        """What to do next; `clear` is whether what is sent now goes out at once."""
        if self.conversation.state is not State.JOINED:
            return self._wait(now, self._deadline())
        pulses = (self._ping, self._heartbeat)
        if clear:
            if self._heartbeat.is_due(now):
                frame = self.conversation.heartbeat()
                self._heartbeat.asked(now)
                return Send(frame)
            if self._ping.is_due(now):
                return Ping()
        else:
            for pulse in pulses:
                if pulse.is_due(now):
                    pulse.postpone(now)
        asks = [at for pulse in pulses if (at := pulse.next_at()) is not None]
        gives_up = [self._patience_from(at) for pulse in pulses if (at := pulse.waits_since()) is not None]
        # Never longer than `timeout`: whoever leaves meanwhile may then wait no longer than that.
        return self._wait(now, min([now + self.timeout, *asks, *gives_up]))

    def pinged(self, is_answered: Callable[[], bool], now: float) -> None:
        """A ping went out; `is_answered` tells whether its pong has come."""
        self._ping.asked(now, is_answered)

    def heard(self, frame: str | bytes, now: float) -> None:
        """A frame came.

        Raises:
            ChannelCrashed, JoinRefused: as `Conversation.receive`; the loss is then for `lost`.
        """
        self.frames_heard += 1
        self._waits_since = now
        self._ping.answered()
        self._ping.postpone(now)
        was_joining = self.conversation.state is State.JOINING
        awaited_heartbeat = self.conversation.awaits_heartbeat
        try:
            event = self.conversation.receive(frame)
        except WireError as nonsense:
            self._told.append(nonsense)
            return
        if awaited_heartbeat and not self.conversation.awaits_heartbeat:
            self._heartbeat.answered()
            return
        self._staying = self.conversation.state is State.JOINED
        self._done = self.conversation.over  # which a crash also makes it, but that is a loss
        if was_joining and self._staying:
            self._joined(now)
            if isinstance(event, Reply):
                return
        if event is not None:
            self._told.append(event)

    def silent(self, now: float) -> None:
        """No frame came while the shell waited.

        Raises:
            Timeout: an answer is overdue.
            ConnectionLost: a sign of life is.
        """
        if self.conversation.state is not State.JOINED:
            if now >= self._deadline():
                raise Timeout(self._awaited(), self.timeout)
            return
        for pulse in (self._ping, self._heartbeat):
            asked_at = pulse.waits_since()
            if asked_at is not None and now >= self._patience_from(asked_at):
                raise ConnectionLost(None, f"no answer to a {pulse.what} within {self.timeout:g} s")

    # --- losses -------------------------------------------------------------------------------------------

    def lost(self, loss: UhliveClientError, now: float) -> None:
        """The line, or the service's end of it, is gone: the call has a gap now, or a failure, or is over."""
        if self.failure is not None or self._gap is not None or self.over:
            return
        if self._options.readonly and self.conversation.state is State.LEAVING:
            self._done = True
        elif self._reconnect is not None and self._staying:
            self._gap = Gap(loss, now, self._reconnect)
        else:
            self.failure = loss

    def next_delay(self) -> float | None:
        """Seconds to wait before the next attempt to mend the line; `None` when there will be none."""
        gap = self._gap
        delay = None if gap is None else gap.next_delay()
        if gap is not None and delay is None:
            self.failure, self._gap = gap.loss, None
        return delay

    def missed(self, problem: UhliveClientError) -> None:
        """An attempt failed."""
        if self._gap is not None:
            self._gap.last_problem = problem

    def give_up(self, defect: Exception) -> None:
        """Whoever mends the line, or streams, cannot go on, for a reason that no other rule is about."""
        self.failure, self._gap = defect, None

    def join(self, now: float) -> str | bytes:
        """The frame that asks to join, the first time or again."""
        self.conversation = self._stay()
        self._waits_since = self._spoken_until = now
        return self.conversation.join()

    # --- inside -------------------------------------------------------------------------------------------

    def _stay(self) -> Conversation:
        shift_ms = round(self._samples * 1000 / SAMPLE_RATE)
        options = msgspec.structs.replace(self._options, origin=self._options.origin + shift_ms)
        return Conversation(self._account, self._name, options, framing=self._framing, earlier=self._stays)

    def _pulses(self, now: float) -> tuple[Pulse, Pulse]:
        ping, heartbeat = self._intervals
        return Pulse("ping", ping, now), Pulse("heartbeat", heartbeat, now)

    def _joined(self, now: float) -> None:
        self._stays += 1
        self._ping, self._heartbeat = self._pulses(now)
        gap, self._gap = self._gap, None
        if gap is not None:
            self._told.append(gap.mended(now, self.conversation.options.origin))

    def _wait(self, now: float, until: float) -> Wait:
        return Wait(max(_LEAST_WAIT_S, until - now))

    def _deadline(self) -> float:
        return self._patience_from(self._waits_since)

    def _patience_from(self, since: float) -> float:
        return max(since, self._spoken_until) + self.timeout

    def _awaited(self) -> str:
        if self.conversation.state is State.JOINING:
            return "answer to the join"
        return f"speaker_left for {self.conversation.speaker}, nor any other event,"
