"""What differs between releases of Phoenix: which stale join_refs pass, and how a crash is told.

Source: diffs of Phoenix's tags, confirmed on real servers from 1.6.16 to 1.8.12.

The topics of one socket: Phoenix dispatch, and the channels that are joined.

Where a message goes depends on its topic and event alone, as in the socket of Phoenix:

    topic      event        joined                        not joined
    phoenix    heartbeat    ok, join_ref null             the same
    any        phx_join     new reply, then old close     reply ok or error
    any        phx_leave    reply, close, events, left    ok, nothing else
    any        another      to the channel                error "unmatched topic", join_ref null

A message for a joined topic must carry the channel's join_ref; which others pass depends on the release of
Phoenix (`release.RELEASES`). One that does not pass is dropped without an answer.

One order is chosen where real servers race: answers come in the order of the requests.

A session: one connected socket, as a pure state machine.

Feed it what the client sent and what time it is; drain what to do:

    receive(message, now)    a whole text (`str`) or binary (`bytes`) message arrived; only while `reading`
    bytes_arrived(now)       anything at all came in, pings included
    tick(now)                the time in `next_deadline()` has come
    closed(now)              the socket is gone
    effects()                what to do now: texts to send, or an end; each is handed out once

It decodes, sees to the limits of the socket (`Intake`) and leaves the rest to its `Topics`; everything it says goes
through its `Outlet`. Bytes that are no message at all end the whole socket with 1011.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec
from msgspec.structs import replace

from ..errors import FrameError
from ..model.account import Account
from ..model.events import Event, SpeakerLeft
from ..model.fault import Fault, FaultKind, Stage
from ..model.limits import GapAction, Limits, Measure, ThrottleAction
from ..wire.framing import Framing, Message, decode, readable
from .admission import JoinRefused
from .channel import Channel, ChannelCrashed, SocketRefused
from .flow_control import Intake
from .outbox import Close, CutFrame, Effect, End, Outlet, Reset
from .records import Closed, EndedBy, Kind, LimitRule, Malformed, RuleBroken, SkipReason, Struck
from .space import TOPIC_PREFIX, Space
from .speaker_audio import chunk_size


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """One release and those before it. The fields up to `any_leave_after_null_join` say what passes although
    its join_ref is not the channel's.
    """

    null_event: bool
    other_event: bool
    any_event_after_null_join: bool
    null_leave: bool
    any_leave_after_null_join: bool
    crash: dict[str, str]

    def passes(self, given: object, own: object, *, leaves: bool) -> bool:
        """Whether a message with join_ref `given` reaches a channel joined with `own`. Compared strictly."""
        if type(given) is type(own) and given == own:
            return True
        if own is None:
            return self.any_leave_after_null_join if leaves else self.any_event_after_null_join
        if given is None:
            return self.null_leave if leaves else self.null_event
        return not leaves and self.other_event


_STRICT = Release(
    null_event=False,
    other_event=False,
    any_event_after_null_join=True,
    null_leave=False,
    any_leave_after_null_join=True,
    crash={},
)
_TOLD = {"reason": "channel_crash"}

RELEASES = {
    "1.8.2": replace(_STRICT, null_event=True, other_event=True),
    "1.8.9": _STRICT,
    "1.8.11": replace(_STRICT, crash=_TOLD),
    "1.8.12": Release(
        null_event=True,
        other_event=False,
        any_event_after_null_join=False,
        null_leave=True,
        any_leave_after_null_join=False,
        crash=_TOLD,
    ),
}


class Socket(Protocol):
    """What the topics need of the socket they are on."""

    muted: bool

    @property
    def ended(self) -> bool:
        """Whether it is over."""

    def end(self, end: End, now: float, closed: Closed) -> None:
        """End the socket."""

    def pause(self, now: float, until: float | None) -> None:
        """Read nothing until then."""

    def adopt(self, limits: Limits, now: float) -> None:
        """Go by the limits of a conversation."""

    def suffer(self, fault: Fault, now: float) -> None:
        """Let a fault of the socket stage happen."""


class _Seated(msgspec.Struct, frozen=True):
    """A joined topic: its channel, the join_ref the join had, and the one its replies carry.

    They differ for a join with a null join_ref: the channel then answers with the join's ref.
    """

    channel: Channel
    join_ref: object
    reply_ref: object


class Topics:
    """The topics of one socket. It is the `Seat` of each of its channels."""

    def __init__(
        self, *, space: Space, account: Account, framing: Framing, number: int, out: Outlet, socket: Socket
    ) -> None:
        self.framing = framing
        self.socket = number
        self._space = space
        self._account = account
        self._out = out
        self._on = socket
        self._seats: dict[object, _Seated] = {}
        self._slow_join: Message | None = None

    @property
    def channels(self) -> list[Channel]:
        """The joined channels, in the order of their joins."""
        return [seat.channel for seat in self._seats.values()]

    def take(self, message: Message, now: float) -> None:
        """A message arrived."""
        topic, event = message.topic, message.event
        if topic == "phoenix" and event == "heartbeat":
            if not self._on.muted:
                self._out.reply(None, message, "ok", {}, now)
        elif event == "phx_join":
            self._join(message, now)
        elif isinstance(topic, str) and topic in self._seats:
            self._to_seat(self._seats[topic], message, now)
        elif event == "phx_leave":
            self._out.reply(message.join_ref, message, "ok", {}, now)
        else:
            self._out.reply(None, message, "error", {"reason": "unmatched topic"}, now)

    def resume(self, now: float) -> None:
        """The socket reads again: answer the join that kept it waiting."""
        message, self._slow_join = self._slow_join, None
        if message:
            self._answer_join(message, now)

    def tick(self, now: float) -> None:
        """Do everything that is due at `now`."""
        for channel in self.channels:
            channel.tick(now)

    def next_deadline(self) -> float | None:
        """When to call `tick`."""
        deadlines = (channel.next_deadline() for channel in self.channels)
        return min((deadline for deadline in deadlines if deadline is not None), default=None)

    def drop(self, now: float) -> None:
        """The socket is gone: every channel is dropped, and the others learn of it."""
        channels = self.channels
        self._seats.clear()
        for channel in channels:
            channel.drop(now)

    def speaker_of(self, message: Message) -> str | None:
        """Who sent a message: the name on its topic, or in its join."""
        if message.event == "phx_join":
            name = message.payload.get("speaker") if isinstance(message.payload, dict) else None
            return name if isinstance(name, str) else None
        seat = self._seats.get(message.topic) if isinstance(message.topic, str) else None
        return seat.channel.speaker if seat else None

    # --- joining ---

    def _join(self, message: Message, now: float) -> None:
        topic = message.topic
        if not (isinstance(topic, str) and topic.startswith(TOPIC_PREFIX)):
            self._out.reply(None, message, "error", {"reason": "unmatched topic"}, now)
            return
        fault = self._space.faults.take(Stage.JOIN, now, speaker=self.speaker_of(message), socket=self.socket)
        match fault:
            case None:
                self._answer_join(message, now)
            case Fault(kind=FaultKind.JOIN_ERROR, value=reason):
                self._out.reply(message.join_ref, message, "error", {"reason": str(reason)}, now)
            case Fault(kind=FaultKind.JOIN_DELAY, value=int(delay_ms)):
                # Joins are synchronous in a real server: nothing else on the socket is read meanwhile.
                self._slow_join = message
                self._on.pause(now, now + delay_ms / 1000)
            case _:
                pass  # silence

    def _answer_join(self, message: Message, now: float) -> None:
        topic, behaviour = message.topic, self._space.behaviour
        old = self._unseat(topic, now) if topic in self._seats else None
        channel = None
        try:
            if len(self._seats) >= behaviour.max_topics:
                raise JoinRefused("too many channels joined")
            if self._seats and behaviour.second_topic == "reject":
                raise JoinRefused(behaviour.reason_second_topic)
            channel = self._take_seat(topic, message, now)
        except JoinRefused as refused:
            self._out.reply(message.join_ref, message, "error", {"reason": refused.reason}, now)
        if self._on.ended:  # a fault in the script of whoever made room took the socket along
            self.drop(now)
            return
        if old:
            # The old channel's close is mailed, the new reply is inline, so the reply comes first.
            self._out.push(old.join_ref, old.join_ref, topic, "phx_close", {}, now)
        if channel:
            channel.start(now)
            self._strike_armed(channel, now)

    def _take_seat(self, topic: str, message: Message, now: float) -> Channel:
        reply_ref = message.ref if message.join_ref is None else message.join_ref
        channel = Channel.join(
            message.payload,
            now,
            space=self._space,
            account=self._account,
            topic=topic,
            seat=self,
            join_ref=reply_ref,
        )
        self._seats[topic] = _Seated(channel, message.join_ref, reply_ref)
        self._on.adopt(channel.limits, now)
        self._out.reply(message.join_ref, message, "ok", {}, now)
        return channel

    # --- a joined topic ---

    def _to_seat(self, seat: _Seated, message: Message, now: float) -> None:
        leaves = message.event == "phx_leave"
        if not RELEASES[self._space.behaviour.phoenix].passes(message.join_ref, seat.join_ref, leaves=leaves):
            return
        if leaves:
            self._out.reply(seat.reply_ref, message, "ok", {}, now)
            self._close(seat, now, say_so=self._space.behaviour.phx_close_on_leave)
            return
        try:
            reply = seat.channel.push(message.event, message.payload, now)
        except ChannelCrashed:
            self._crash(seat, now)
            return
        except SocketRefused as refused:
            self._close_for(refused.broken, now)
            return
        if reply:
            self._out.reply(seat.reply_ref, message, *reply, now)
        seat.channel.tick(now)

    def _close(self, seat: _Seated, now: float, *, say_so: bool = True, cleanly: bool = True) -> None:
        if say_so:
            # S: a phx_close read after the own speaker_left makes the Python SDKs believe they are joined.
            self._out.push(seat.join_ref, seat.join_ref, seat.channel.topic, "phx_close", {}, now)
        del self._seats[seat.channel.topic]
        seat.channel.leave(now, cleanly=cleanly)

    def _crash(self, seat: _Seated, now: float) -> None:
        self._unseat(seat.channel.topic, now)
        payload = RELEASES[self._space.behaviour.phoenix].crash
        self._out.push(seat.join_ref, seat.join_ref, seat.channel.topic, "phx_error", payload, now)

    def _unseat(self, topic: str, now: float) -> _Seated:
        seat = self._seats.pop(topic)
        seat.channel.drop(now)
        return seat

    # --- as a seat ---

    def deliver(self, channel: Channel, text: str, message: Message, event: Event, now: float) -> None:
        """An event of the conversation that `channel` is in."""
        self._out.event(
            text,
            message,
            now,
            speaker=channel.speaker,
            other=lambda: channel.in_other_vocabulary(event),
            last=isinstance(event, SpeakerLeft),
        )

    def evict(self, channel: Channel, now: float) -> None:
        """Another speaker of its name takes the channel's place."""
        seat = self._unseat(channel.topic, now)
        self._out.push(seat.join_ref, seat.join_ref, channel.topic, "phx_close", {}, now)

    def dismiss(self, channel: Channel, now: float) -> None:
        """The service makes the speaker leave."""
        self._close(self._seats[channel.topic], now, cleanly=False)

    def silenced(self, channel: Channel, action: GapAction, now: float) -> None:
        """The gap rule: the speaker sent no audio for too long."""
        broken = RuleBroken(rule=LimitRule.GAP, limit=channel.limits.gap.after_ms / 1000)
        self._space.journal.note(broken, now, socket=self.socket, speaker=channel.speaker, topic=channel.topic)
        seat = self._seats[channel.topic]
        match action:
            case GapAction.LEAVE:
                self._close(seat, now, cleanly=False)
            case GapAction.ERROR:
                self._crash(seat, now)
            case GapAction.CLOSE:
                self._close_for(broken, now)
            case GapAction.REPORT | GapAction.OFF:
                pass

    def _close_for(self, broken: RuleBroken, now: float) -> None:
        code = self._space.behaviour.rule_close_code
        self._on.end(Close(code), now, Closed(by=EndedBy.RULE, code=code, cause=broken))

    def strike(self, channel: Channel, fault: Fault, now: float) -> None:
        """A cue of the channel's script: strike here and now, or lie in wait for the fault's turn."""
        faults = self._space.faults
        if fault.kind.stage is Stage.EVENTS:
            own = fault if fault.speaker else msgspec.structs.replace(fault, speaker=channel.speaker)
            faults.arm(own, by=channel.speaker)
        elif fault.kind.stage in (Stage.CHANNEL, Stage.SOCKET) and fault.speaker in (None, channel.speaker):
            seated = channel.topic in self._seats
            if self._on.ended or (fault.kind.stage is Stage.CHANNEL and not seated):
                gone = SkipReason.SOCKET_GONE if self._on.ended else SkipReason.CHANNEL_GONE
                faults.skip(fault, now, gone, speaker=channel.speaker, socket=self.socket)
            else:
                faults.applied(fault, now, speaker=channel.speaker, socket=self.socket)
                self._apply(channel, fault, now)
        else:
            faults.arm(fault)

    # --- faults ---

    def strike_now(self, fault: Fault, now: float) -> bool:
        """A fault of the channel or socket stage from outside. False when none of the speakers is meant."""
        for channel in self.channels:
            if not fault.strikes(speaker=channel.speaker):
                continue
            if self._space.faults.chance(fault, now, speaker=channel.speaker, socket=self.socket):
                self._space.faults.applied(fault, now, speaker=channel.speaker, socket=self.socket)
                self._apply(channel, fault, now)
            return True
        return False

    def _strike_armed(self, channel: Channel, now: float) -> None:
        for stage in (Stage.CHANNEL, Stage.SOCKET):
            while channel.topic in self._seats:
                fault = self._space.faults.take(stage, now, speaker=channel.speaker, socket=self.socket)
                if fault is None:
                    break
                self._apply(channel, fault, now)
                if fault.count is None:
                    break

    def _apply(self, channel: Channel, fault: Fault, now: float) -> None:
        match fault.kind:
            case FaultKind.CRASH:
                self._crash(self._seats[channel.topic], now)
            case FaultKind.CLOSE_CHANNEL:
                self._close(self._seats[channel.topic], now, cleanly=False)
            case _:
                self._on.suffer(fault, now)


INTERNAL_ERROR = 1011

_LOST = Closed()

_GARBLED = {1007: "a text that is not UTF-8", 1009: "a message larger than the server takes"}


class Session:
    """One connected socket. See the module's docstring.

    Args:
        now: when the socket opened.
        number: names the socket in the journal.
        wake: called when effects appear, so that whoever carries them out comes and drains them.
    """

    def __init__(
        self,
        *,
        space: Space,
        account: Account,
        framing: Framing,
        now: float,
        number: int = 0,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        self.muted = False
        """Whether heartbeats and pings go unanswered."""
        self._framing = framing
        self._number = number
        self._space = space
        self._out = Outlet(framing, space.faults, space.journal, number, wake)
        self._topics = Topics(
            space=space, account=account, framing=framing, number=number, out=self._out, socket=self
        )
        self._intake = Intake(
            space.limits, now, lambda: self._topics.channels, space.real, follows_audio=space.follow_audio
        )
        self._silent_until: float | None = None
        self._ended = False

    @property
    def reading(self) -> bool:
        """Whether the next message may be fed; else leave it unread until a tick has opened the gate."""
        return self._intake.open

    @property
    def writing(self) -> bool:
        """Whether bytes may be written."""
        return self._silent_until is None

    @property
    def has_joined(self) -> bool:
        """Whether any topic is joined."""
        return bool(self._topics.channels)

    @property
    def ended(self) -> bool:
        """Whether the session is over and hears nothing more."""
        return self._ended

    def receive(self, message: str | bytes, now: float) -> None:
        """A whole message arrived. Drain `effects()` next."""
        if self._ended:
            return
        try:
            decoded = decode(self._framing, message)
            speaker = self._topics.speaker_of(decoded)
            self._record(decoded, speaker, now)
            self._topics.take(decoded, now)
        except FrameError as error:
            malformed = Malformed(why=str(error))
            self._space.journal.note(malformed, now, socket=self._number, payload=readable(message))
            closed = Closed(by=EndedBy.FRAME, code=INTERNAL_ERROR, cause=malformed)
            self.end(Close(INTERNAL_ERROR), now, closed)
            return
        self._throttle(message, decoded, speaker, now)

    def bytes_arrived(self, now: float) -> None:
        """Anything came in, a ping or half a frame: the socket is not idle."""
        self._intake.bytes_arrived(now)

    def tick(self, now: float) -> None:
        """Do everything that is due at `now`."""
        if self._ended:
            return
        opened, idle = self._intake.tick(now)
        if idle:
            rule = self._intake.limits.idle
            broken = RuleBroken(rule=LimitRule.IDLE, limit=(rule.after_ms or 0) / 1000)
            closed = Closed(by=EndedBy.RULE, code=rule.close_code, cause=broken)
            self.end(Close(rule.close_code), now, closed)
            return
        if opened:
            self._topics.resume(now)
            self._out.wake()
        if self._silent_until is not None and now >= self._silent_until:
            self._silent_until = None
            self._out.wake()
        self._topics.tick(now)
        self._out.release(now)

    def next_deadline(self) -> float | None:
        """When to call `tick`, in seconds on the space's clock; None while nothing is pending."""
        if self._ended:
            return None
        deadlines = (
            self._intake.next_deadline(),
            self._out.next_deadline(),
            self._silent_until,
            self._topics.next_deadline(),
        )
        return min((deadline for deadline in deadlines if deadline is not None), default=None)

    def closed(self, now: float, closed: Closed = _LOST) -> None:
        """The socket is gone: every channel is dropped, and the others learn of it."""
        if self._ended:
            return
        self._ended = True
        self._out.stop()
        self._topics.drop(now)
        self._space.journal.note(closed, now, socket=self._number)

    def garbled(self, code: int, now: float) -> None:
        """The socket was closed with `code`, for what the client sent is not WebSocket, or too much."""
        if self._ended:
            return
        malformed = Malformed(why=_GARBLED.get(code, "no WebSocket frame"))
        self._space.journal.note(malformed, now, socket=self._number)
        self.closed(now, Closed(by=EndedBy.FRAME, code=code, cause=malformed))

    def hush(self) -> None:
        """Say nothing more: whatever would be said could not be sent."""
        self._out.stop()

    def effects(self) -> list[Effect]:
        """What to do, in order; each effect is handed out once."""
        return self._out.effects()

    def strike_now(self, fault: Fault, now: float) -> bool:
        """A fault of the channel or socket stage from outside. False when it is meant for nobody here."""
        return not self._ended and self._topics.strike_now(fault, now)

    # --- as the socket of its topics ---

    def end(self, end: End, now: float, closed: Closed) -> None:
        """End the socket, with a close code or more rudely."""
        self._out.end(end)
        self.closed(now, closed)

    def pause(self, now: float, until: float | None) -> None:
        """Read nothing until then."""
        self._intake.pause(now, until)

    def adopt(self, limits: Limits, now: float) -> None:
        """Go by the limits of a conversation."""
        self._intake.adopt(limits, now)

    def suffer(self, fault: Fault, now: float) -> None:
        """Let a fault of the socket stage happen."""
        struck = Struck(fault=fault)
        match fault:
            case Fault(kind=FaultKind.CLOSE, value=int(code)):
                self.end(Close(code), now, Closed(by=EndedBy.FAULT, code=code, cause=struck))
            case Fault(kind=FaultKind.RESET):
                self.end(Reset(), now, Closed(by=EndedBy.FAULT, cause=struck))
            case Fault(kind=FaultKind.CUT_FRAME):
                self.end(CutFrame(), now, Closed(by=EndedBy.FAULT, cause=struck))
            case Fault(kind=FaultKind.STOP_READING, value=int(pause_ms)):
                self.pause(now, now + pause_ms / 1000)
            case Fault(kind=FaultKind.STOP_WRITING, value=int(pause_ms)):
                self._silent_until = now + pause_ms / 1000
            case Fault(kind=FaultKind.MUTE_HEARTBEATS):
                self.muted = True
            case _:
                pass
        self._out.wake()

    # --- inside ---

    def _throttle(self, message: str | bytes, decoded: Message, speaker: str | None, now: float) -> None:
        if self._ended:
            return
        size = len(message) if isinstance(message, bytes) else len(message.encode())
        if self._intake.limits.throttle.measure is Measure.AUDIO:
            audio_size = chunk_size(decoded.payload) if decoded.event == "audio_chunk" else None
            if audio_size is None:
                return
            size = audio_size
        demand = self._intake.message(size, now)
        if demand is None:
            return
        broken = RuleBroken(rule=LimitRule.THROTTLE)
        self._space.journal.note(broken, now, socket=self._number, speaker=speaker)
        if demand is ThrottleAction.CLOSE:
            code = self._space.behaviour.rule_close_code
            self.end(Close(code), now, Closed(by=EndedBy.RULE, code=code, cause=broken))

    def _record(self, message: Message, speaker: str | None, now: float) -> None:
        audio_bytes = chunk_size(message.payload) if message.event == "audio_chunk" else None
        binary = isinstance(message.payload, bytes)
        self._space.journal.record(
            Kind.RECEIVED,
            now,
            socket=self._number,
            speaker=speaker,
            topic=message.topic,
            event=message.event,
            join_ref=message.join_ref,
            ref=message.ref,
            payload=None if binary or audio_bytes is not None else message.payload,
            audio_bytes=audio_bytes,
            binary=binary,
        )
