"""What a call is, without I/O: patience, signs of life, losses, and where it ends.

Its link opens a socket, sends `join()`, and then takes turns until the call is `over`:

    match state.turn(now, clear=…):
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
- When nothing was heard for a while the service is asked for a sign of life, but only while the socket is `clear`:
  a question that queues behind sound says nothing about the service. So a throttled connection, whose pings are
  read as late as its sound, is never taken for a dead one.
- The first loss is the one that counts: every later verb raises that one.
- With `reconnect`, a loss in mid-call opens a gap instead. Sound that comes due in it is counted and dropped;
  `audio` returns no frame for it. `next_delay`, `join` and `missed` are the verbs of reconnecting. Delays grow
  and attempts count over all losses until a stay has lasted.

`now` is an argument, in seconds of any clock that does not jump.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import msgspec

from .codecs import SAMPLE_RATE
from .conversation import Conversation, JoinOptions, State
from .errors import ConnectionLost, Timeout, UhliveClientError, UsageError, WireError
from .events import Event, Reconnected, Reply
from .settings import Attempts, Reconnect
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


class CallState:
    """A call without I/O.

    Args:
        account: the account's identifier.
        conversation: the name of the conversation.
        timeout: seconds to wait for each answer.
        ping_interval: seconds of hearing nothing after which to ping; `None` for never.
        heartbeat: seconds from one Phoenix heartbeat to the next; `None` for none.
        reconnect: how to replace a lost connection; `None` for not at all.
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
        self._attempts = Attempts(reconnect) if reconnect is not None else None
        self._unread: deque[Event | WireError] = deque()
        self._gap: _Gap | None = None
        self._stays = self._samples = 0
        self._staying = self._done = self._said_leave = False
        self._waits_since = self._spoken_until = self._joined_at = 0.0
        self.conversation = self._stay()
        self._ping, self._heartbeat = self._signs_of_life(0.0)

    # --- where we stand -----------------------------------------------------------------------------------

    @property
    def speaking(self) -> bool:
        """Whether sound may be sent: we are joined, or shall be again."""
        return self._gap is not None or (self.failure is None and self.conversation.state is State.JOINED)

    @property
    def down(self) -> bool:
        """Whether the connection is lost, and to be replaced."""
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
        """Whether a chunk that was due at `due` waits for the gap to end: it is late, not lost in it."""
        return self._gap is not None and due < self._gap.since

    @property
    def over(self) -> bool:
        """Whether nothing more is to be expected."""
        return self._done and self._gap is None and self.failure is None

    def next_event(self) -> Event | None:
        """The next of what was heard; `None` when there is no more.

        Raises:
            WireError: what came at this place is not a message.
        """
        found = self._unread.popleft() if self._unread else None
        if isinstance(found, WireError):
            raise found
        return found

    def check(self) -> None:
        """Raises what ended the call, if something did."""
        if self.failure is not None:
            raise self.failure

    # --- the caller's verbs -------------------------------------------------------------------------------

    def audio(self, chunk: bytes, now: float) -> str | bytes | None:
        """The frame of a chunk; `None` while the connection is lost, when the chunk is counted as lost too.

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
        """The frame that says we leave; `None` when it cannot be said."""
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
            return _wait(now, self._patience_from(self._waits_since))
        signs = (self._ping, self._heartbeat)
        if clear:
            if self._heartbeat.is_due(now):
                frame = self.conversation.heartbeat()
                self._heartbeat.asked(now)
                return Send(frame)
            if self._ping.is_due(now):
                return Ping()
        else:
            for sign in signs:
                if sign.is_due(now):
                    sign.postpone(now)
        asks = [at for sign in signs if (at := sign.next_at()) is not None]
        gives_up = [self._patience_from(at) for sign in signs if (at := sign.waits_since()) is not None]
        # Never longer than `timeout`: a task that leaves meanwhile may then wait no longer than that.
        return _wait(now, min([now + self.timeout, *asks, *gives_up]))

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
            self._unread.append(nonsense)
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
            self._unread.append(event)

    def silent(self, now: float) -> None:
        """No frame came during a `Wait`.

        Raises:
            Timeout: an answer is overdue.
            ConnectionLost: a sign of life is.
        """
        if self.conversation.state is not State.JOINED:
            if now >= self._patience_from(self._waits_since):
                end = f"speaker_left for {self.conversation.speaker}, nor any other event,"
                joining = self.conversation.state is State.JOINING
                raise Timeout("answer to the join" if joining else end, self.timeout)
            return
        for sign in (self._ping, self._heartbeat):
            asked_at = sign.waits_since()
            if asked_at is not None and now >= self._patience_from(asked_at):
                raise ConnectionLost(None, f"no answer to a {sign.what} within {self.timeout:g} s")

    # --- losses -------------------------------------------------------------------------------------------

    def lost(self, loss: UhliveClientError, now: float) -> None:
        """The connection, or the service's end of it, is gone: the call has a gap now, or a failure, or is over."""
        if self.failure is not None or self._gap is not None or self.over:
            return
        if self._options.readonly and self.conversation.state is State.LEAVING:
            self._done = True
        elif self._attempts is not None and self._staying:
            self._attempts.stayed(now - self._joined_at)
            self._gap = _Gap(loss, now, self._attempts)
        else:
            self.failure = loss

    def next_delay(self) -> float | None:
        """Seconds to wait before the next attempt to reconnect; `None` when there will be none."""
        gap = self._gap
        delay = None if gap is None else gap.next_delay()
        if gap is not None and delay is None:
            self.failure, self._gap = gap.loss, None
        return delay

    def missed(self, problem: UhliveClientError) -> None:
        """An attempt failed."""
        if self._gap is not None:
            self._gap.attempts.failed(problem)

    def give_up(self, defect: Exception) -> None:
        """Reconnecting, or streaming, cannot go on, for a reason that no other rule is about."""
        self.failure, self._gap = defect, None

    def join(self, now: float) -> str | bytes:
        """The frame that asks to join, the first time or again."""
        self.conversation = self._stay()
        self._waits_since = self._spoken_until = now
        return self.conversation.join()

    # --- inside -------------------------------------------------------------------------------------------

    def _stay(self) -> Conversation:
        origin = self._options.origin + round(self._samples * 1000 / SAMPLE_RATE)
        options = msgspec.structs.replace(self._options, origin=origin)
        return Conversation(self._account, self._name, options, framing=self._framing, earlier=self._stays)

    def _signs_of_life(self, now: float) -> tuple[Keepalive, Keepalive]:
        ping, heartbeat = self._intervals
        return Keepalive("ping", ping, now), Keepalive("heartbeat", heartbeat, now)

    def _joined(self, now: float) -> None:
        self._stays += 1
        self._joined_at = now
        self._ping, self._heartbeat = self._signs_of_life(now)
        gap, self._gap = self._gap, None
        if gap is not None:
            self._unread.append(gap.reconnected(now, self.conversation.options.origin))

    def _patience_from(self, since: float) -> float:
        return max(since, self._spoken_until) + self.timeout


def _wait(now: float, until: float) -> Wait:
    return Wait(max(_LEAST_WAIT_S, until - now))


class Keepalive:
    """One way to ask for a sign of life, such as a ping: when to ask, and since when the answer is awaited.

    Args:
        what: what it is called in messages.
        interval: seconds from one question to the next; `None` for never.
        now: when to start to count.
    """

    def __init__(self, what: str, interval: float | None, now: float) -> None:
        self.what = what
        self._interval = interval
        self._due = now
        self._asked: float | None = None
        self._is_answered: Callable[[], bool] | None = None
        self.postpone(now)

    def is_due(self, now: float) -> bool:
        """Whether to ask now. Never while an answer is still to come."""
        return self._interval is not None and self._asked is None and now >= self._due

    def asked(self, now: float, is_answered: Callable[[], bool] | None = None) -> None:
        """It was asked; `is_answered` tells later whether the answer has come, if `answered` is not called."""
        self.postpone(now)
        self._asked = now
        self._is_answered = is_answered

    def answered(self) -> None:
        """The answer has come."""
        self._asked = None

    def postpone(self, now: float) -> None:
        """Ask no earlier than an interval from now."""
        if self._interval is not None:
            self._due = now + self._interval

    def waits_since(self) -> float | None:
        """When the question was asked whose answer has not come; `None` when there is none."""
        if self._is_answered is not None and self._is_answered():
            self._asked = None
        return self._asked

    def next_at(self) -> float | None:
        """When to ask next; `None` for never, or not before the answer has come."""
        return None if self._interval is None or self._asked is not None else self._due


class _Gap:
    """From a loss at `now` until we have joined again. `lost_samples` counts the sound that comes due in it."""

    def __init__(self, loss: UhliveClientError, now: float, attempts: Attempts) -> None:
        self.loss = loss
        self.since = now
        self.lost_samples = 0
        self.attempts = attempts
        self._tried = 0

    def next_delay(self) -> float | None:
        """Seconds to wait before the next attempt; `None` when there will be none, which the loss then says."""
        delay = self.attempts.next_delay()
        if delay is None:
            self.loss.add_note(str(self.attempts))
        else:
            self._tried += 1
        return delay

    def reconnected(self, now: float, origin: int) -> Reconnected:
        """What to report of it when it is over."""
        return Reconnected(
            gap_s=now - self.since,
            lost_audio_s=self.lost_samples / SAMPLE_RATE,
            origin=origin,
            attempts=self._tried,
            reason=str(self.loss),
        )
