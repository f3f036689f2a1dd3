"""A session: one connected socket, as a pure state machine.

Feed it what the client sent and what time it is; drain what to do:

    receive(message, now)    a whole text (`str`) or binary (`bytes`) message arrived; only while `reading`
    bytes_arrived(now)       anything at all came in, pings included
    tick(now)                the time in `next_deadline()` has come
    closed(now)              the socket is gone
    effects()                what to do now: texts to send, or an end; each is handed out once

Where a message goes depends on its topic and event alone (Phoenix dispatch, `phoenix.md` §4.1):

    topic      event        joined                        not joined
    phoenix    heartbeat    ok, join_ref null             the same
    any        phx_join     new reply, then old close     reply ok or error
    any        phx_leave    reply, close, events, left    ok, nothing else
    any        another      to the channel                error "unmatched topic", join_ref null

A message for a joined topic must carry the channel's join_ref; which others pass depends on the release of
Phoenix (`release.RELEASES`). One that does not pass is dropped without an answer. Bytes that are no message
at all end the whole socket with 1011.

One order is chosen where real servers race: answers come in the order of the requests.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec

from ..errors import FrameError
from ..model.account import Account
from ..model.events import Event, SpeakerLeft
from ..model.fault import Fault, FaultKind, Stage
from ..model.limits import GapAction, Measure, ThrottleAction
from ..wire.framing import Framing, Message, decode, encode
from .channel import Channel, ChannelCrashed, SocketRefused, chunk_size
from .gate import Gate
from .join import JoinRefused
from .journal import Kind
from .outbox import Outbox
from .release import RELEASES
from .space import TOPIC_PREFIX, Space

INTERNAL_ERROR = 1011
POLICY_VIOLATION = 1008
"""U: what the service closes with when a rule does. Nothing is published; this is what RFC 6455 has for it."""


class Close(msgspec.Struct, frozen=True):
    """Send a close frame with this code and an empty reason, and end the connection."""

    code: int


class Reset(msgspec.Struct, frozen=True):
    """Reset the TCP connection, without a close frame."""


class CutFrame(msgspec.Struct, frozen=True):
    """Send the beginning of a frame and end the connection in the middle of it."""


Effect = str | Close | Reset | CutFrame


class _Seated(msgspec.Struct, frozen=True):
    """A joined topic: its channel, the join_ref the join had, and the one its replies carry.

    They differ for a join with a null join_ref: the channel then answers with the join's ref.
    """

    channel: Channel
    join_ref: object
    reply_ref: object


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
        self.framing = framing
        self.socket = number
        self.muted = False
        """Whether heartbeats and pings go unanswered."""
        self._space = space
        self._account = account
        self._wake = wake
        self._seats: dict[object, _Seated] = {}
        self._gate = Gate(space.limits, now)
        self._outbox = Outbox(framing, space.faults, number)
        self._slow_join: Message | None = None
        self._mute_until: float | None = None
        self._ends: list[Effect] = []
        self._ended = False
        self._lead = 0.0
        self._held_at = 0.0

    # --- asked by whoever carries the bytes ---

    @property
    def reading(self) -> bool:
        """Whether the next message may be fed; else leave it unread until a tick has opened the gate."""
        return self._gate.open

    @property
    def writing(self) -> bool:
        """Whether bytes may be written."""
        return self._mute_until is None

    @property
    def has_joined(self) -> bool:
        """Whether any topic is joined."""
        return bool(self._seats)

    @property
    def ended(self) -> bool:
        """Whether the session is over and hears nothing more."""
        return self._ended

    def receive(self, message: str | bytes, now: float) -> None:
        """A whole message arrived. Drain `effects()` next."""
        if self._ended:
            return
        try:
            decoded = decode(self.framing, message)
        except FrameError as error:
            self._end(INTERNAL_ERROR, now, str(error))
            return
        self._record_received(decoded, now)
        topic, event = decoded.topic, decoded.event
        if topic == "phoenix" and event == "heartbeat":
            if not self.muted:
                self._reply(None, decoded, "ok", {}, now)
        elif event == "phx_join":
            self._join(decoded, now)
        elif isinstance(topic, str) and topic in self._seats:
            self._to_seat(self._seats[topic], decoded, now)
        elif event == "phx_leave":
            self._reply(decoded.join_ref, decoded, "ok", {}, now)
        else:
            self._reply(None, decoded, "error", {"reason": "unmatched topic"}, now)
        self._throttle(message, decoded, now)

    def bytes_arrived(self, now: float) -> None:
        """Anything came in, a ping or half a frame: the socket is not idle."""
        self._gate.bytes_arrived(self._own(now))

    def tick(self, now: float) -> None:
        """Do everything that is due at `now`."""
        if self._ended:
            return
        self._tick_gate(now)
        if self._ended:
            return
        if self._mute_until is not None and now >= self._mute_until:
            self._mute_until = None
            self._wake()
        for seat in tuple(self._seats.values()):
            seat.channel.tick(now)
        self._outbox.release(now)

    def next_deadline(self) -> float | None:
        """When to call `tick`, in seconds on the space's clock; None while nothing is pending."""
        if self._ended:
            return None
        deadlines = [self._gate_deadline(), self._outbox.next_deadline(), self._mute_until]
        deadlines += [seat.channel.next_deadline() for seat in self._seats.values()]
        return min((deadline for deadline in deadlines if deadline is not None), default=None)

    def closed(self, now: float, note: str = "") -> None:
        """The socket is gone: every channel is dropped, and the others learn of it."""
        if self._ended:
            return
        self._ended = True
        for seat in self._seats.values():
            seat.channel.drop(now)
        self._seats.clear()
        self._space.journal.record(Kind.CLOSED, now, socket=self.socket, note=note or None)

    def effects(self) -> list[Effect]:
        """What to do, in order; each effect is handed out once."""
        ends, self._ends = self._ends, []
        return [*self._outbox.take(), *ends]

    # --- joining ---

    def _join(self, message: Message, now: float) -> None:
        topic = message.topic
        if not (isinstance(topic, str) and topic.startswith(TOPIC_PREFIX)):
            self._reply(None, message, "error", {"reason": "unmatched topic"}, now)
            return
        fault = self._space.faults.take(Stage.JOIN, now, speaker=self._speaker_of(message), socket=self.socket)
        match fault:
            case None:
                self._answer_join(message, now)
            case Fault(kind=FaultKind.JOIN_ERROR, value=reason):
                self._reply(message.join_ref, message, "error", {"reason": str(reason)}, now)
            case Fault(kind=FaultKind.JOIN_DELAY, value=int(delay_ms)):
                # Joins are synchronous in a real server: nothing else on the socket is read meanwhile.
                self._slow_join = message
                self._shut(now, now + delay_ms / 1000)
            case _:
                pass  # silence

    def _answer_join(self, message: Message, now: float) -> None:
        topic, behaviour = message.topic, self._space.behaviour
        old = self._unseat(topic, now) if topic in self._seats else None
        try:
            if len(self._seats) >= behaviour.max_topics:
                raise JoinRefused("too many channels joined")
            if self._seats and behaviour.second_topic == "reject":
                raise JoinRefused(behaviour.reason_second_topic)
            channel = self._take_seat(topic, message, now)
        except JoinRefused as refused:
            channel = None
            self._reply(message.join_ref, message, "error", {"reason": refused.reason}, now)
        if old:
            # The old channel's close is mailed, the new reply is inline, so the reply comes first.
            self._push(old.join_ref, old.join_ref, topic, "phx_close", {}, now)
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
        self._gate.adopt(channel.limits, self._own(now))
        self._reply(message.join_ref, message, "ok", {}, now)
        return channel

    # --- a joined topic ---

    def _to_seat(self, seat: _Seated, message: Message, now: float) -> None:
        leaves = message.event == "phx_leave"
        if not RELEASES[self._space.behaviour.phoenix].passes(message.join_ref, seat.join_ref, leaves=leaves):
            return
        if leaves:
            self._reply(seat.reply_ref, message, "ok", {}, now)
            self._close_channel(seat, now, say_so=self._space.behaviour.phx_close_on_leave)
            return
        try:
            reply = seat.channel.push(message.event, message.payload, now)
        except ChannelCrashed:
            self._crash(seat, now)
            return
        except SocketRefused:
            self._end(POLICY_VIOLATION, now, "a chunk was too large")
            return
        if reply:
            self._reply(seat.reply_ref, message, *reply, now)
        seat.channel.tick(now)

    def _close_channel(self, seat: _Seated, now: float, *, say_so: bool = True, cleanly: bool = True) -> None:
        if say_so:
            # S: a phx_close read after the own speaker_left makes the Python SDKs believe they are joined.
            self._push(seat.join_ref, seat.join_ref, seat.channel.topic, "phx_close", {}, now)
        del self._seats[seat.channel.topic]
        seat.channel.leave(now, cleanly=cleanly)

    def _crash(self, seat: _Seated, now: float) -> None:
        self._unseat(seat.channel.topic, now)
        payload = RELEASES[self._space.behaviour.phoenix].crash
        self._push(seat.join_ref, seat.join_ref, seat.channel.topic, "phx_error", payload, now)

    def _unseat(self, topic: str, now: float) -> _Seated:
        seat = self._seats.pop(topic)
        seat.channel.drop(now)
        return seat

    # --- as a seat ---

    def deliver(self, channel: Channel, text: str, message: Message, event: Event, now: float) -> None:
        """An event of the conversation that `channel` is in."""
        if self._ended:
            return
        self._outbox.event(
            text,
            message,
            now,
            speaker=channel.speaker,
            other=lambda: channel.in_other_vocabulary(event),
            last=isinstance(event, SpeakerLeft),
        )
        self._record_sent(message, now)

    def evict(self, channel: Channel, now: float) -> None:
        """Another speaker of its name takes the channel's place."""
        seat = self._unseat(channel.topic, now)
        self._push(seat.join_ref, seat.join_ref, channel.topic, "phx_close", {}, now)

    def silenced(self, channel: Channel, action: GapAction, now: float) -> None:
        """The gap rule: the speaker sent no audio for too long."""
        note = f"gap: no audio for {channel.limits.gap.after_ms / 1000:g} s"
        self._note(Kind.RULE, now, note, speaker=channel.speaker)
        seat = self._seats[channel.topic]
        match action:
            case GapAction.LEAVE:
                self._close_channel(seat, now, cleanly=False)
            case GapAction.ERROR:
                self._crash(seat, now)
            case GapAction.CLOSE:
                self._end(POLICY_VIOLATION, now, note)
            case _:
                pass

    def strike(self, channel: Channel, fault: Fault, now: float) -> None:
        """A cue of the channel's script: strike here and now, or lie in wait for the fault's turn."""
        faults = self._space.faults
        if fault.kind.stage is Stage.EVENTS:
            faults.arm(fault if fault.speaker else msgspec.structs.replace(fault, speaker=channel.speaker))
        elif fault.kind.stage in (Stage.CHANNEL, Stage.SOCKET) and fault.speaker in (None, channel.speaker):
            if self._ended or channel.topic not in self._seats:
                faults.skip(fault, now, "its channel was gone", speaker=channel.speaker, socket=self.socket)
            else:
                faults.applied(fault, now, speaker=channel.speaker, socket=self.socket)
                self._apply(channel, fault, now)
        else:
            faults.arm(fault)

    # --- faults ---

    def strike_now(self, fault: Fault, now: float) -> bool:
        """A fault of the channel or socket stage from outside. False when none of the speakers is meant."""
        for seat in tuple(self._seats.values()):
            if fault.strikes(speaker=seat.channel.speaker):
                self._space.faults.applied(fault, now, speaker=seat.channel.speaker, socket=self.socket)
                self._apply(seat.channel, fault, now)
                return True
        return False

    def _strike_armed(self, channel: Channel, now: float) -> None:
        for stage in (Stage.CHANNEL, Stage.SOCKET):
            fault = self._space.faults.take(stage, now, speaker=channel.speaker, socket=self.socket)
            if fault and channel.topic in self._seats:
                self._apply(channel, fault, now)

    def _apply(self, channel: Channel, fault: Fault, now: float) -> None:
        until = now + fault.value / 1000 if isinstance(fault.value, int) else None
        match fault.kind:
            case FaultKind.CRASH:
                self._crash(self._seats[channel.topic], now)
            case FaultKind.CLOSE_CHANNEL:
                self._close_channel(self._seats[channel.topic], now, cleanly=False)
            case FaultKind.CLOSE:
                self._end(int(fault.value or INTERNAL_ERROR), now, str(fault))
            case FaultKind.RESET:
                self._end(Reset(), now, str(fault))
            case FaultKind.CUT_FRAME:
                self._end(CutFrame(), now, str(fault))
            case FaultKind.STOP_READING:
                self._shut(now, until)
            case FaultKind.STOP_WRITING:
                self._mute_until = until
            case FaultKind.MUTE_HEARTBEATS:
                self.muted = True
            case _:
                pass
        self._wake()

    # --- the gate ---

    def _throttle(self, message: str | bytes, decoded: Message, now: float) -> None:
        if self._ended:
            return
        framed = self._gate.limits.throttle.measure is Measure.FRAMED
        size = len(message) if framed else (chunk_size(decoded.payload) or 0)
        if not framed and decoded.event != "audio_chunk":
            return
        action = self._gate.message(size, self._own(now))
        if not self._gate.open:
            self._hold()
        if action is not None:
            self._note(
                Kind.RULE, now, "throttle: audio comes faster than the limit", speaker=self._speaker_of(decoded)
            )
        if action is ThrottleAction.CLOSE:
            self._end(POLICY_VIOLATION, now, "throttled")

    def _tick_gate(self, now: float) -> None:
        due_at = self._gate.next_deadline()
        deadline = self._gate_deadline()
        # Compared on the space's clock only, so that a tick at the deadline, however rounded, is due.
        if due_at is None or deadline is None or now < deadline:
            return
        was_open = self._gate.open
        if self._gate.tick(max(due_at, self._own(now))):
            idle = self._gate.limits.idle
            self._end(idle.close_code, now, f"idle for {(idle.after_ms or 0) / 1000:g} s")
        elif self._gate.open and not was_open:
            self._reopen(now)

    def _gate_deadline(self) -> float | None:
        due_at = self._gate.next_deadline()
        return None if due_at is None else due_at - self._lead

    def _own(self, now: float) -> float:
        """The socket's time: its audio moves it where audio moves time, and never back."""
        self._lead = max(self._lead, *(seat.channel.lead for seat in self._seats.values()), 0.0)
        return now + self._lead

    def _shut(self, now: float, until: float | None) -> None:
        self._gate.pause(self._own(now), None if until is None else self._own(until))
        self._hold()

    def _hold(self) -> None:
        self._held_at = self._space.real()
        for seat in self._seats.values():
            seat.channel.hold()

    def _reopen(self, now: float) -> None:
        waited_s = self._space.real() - self._held_at
        for seat in self._seats.values():
            seat.channel.resume(now, waited_s)
        message, self._slow_join = self._slow_join, None
        if message:
            self._answer_join(message, now)
        self._wake()

    # --- output ---

    def _reply(
        self,
        join_ref: object,
        message: Message,
        status: Literal["ok", "error"],
        response: dict[str, str],
        now: float,
    ) -> None:
        payload = {"status": status, "response": response}
        self._push(join_ref, message.ref, message.topic, "phx_reply", payload, now)

    def _push(self, join_ref: object, ref: object, topic: object, event: str, payload: object, now: float) -> None:
        if self._ended:
            return
        message = Message(join_ref, ref, topic, event, payload)
        self._outbox.reply(encode(self.framing, message))
        self._record_sent(message, now)

    def _end(self, how: int | Effect, now: float, note: str) -> None:
        """End the socket, with a close code or more rudely."""
        effect = Close(how) if isinstance(how, int) else how
        self._ends.append(effect)
        self.closed(now, f"closed with {how}: {note}" if isinstance(how, int) else note)
        self._wake()

    # --- the journal ---

    def _record_sent(self, message: Message, now: float) -> None:
        payload = message.payload
        self._space.journal.record(
            Kind.SENT,
            now,
            socket=self.socket,
            speaker=payload.get("speaker") if isinstance(payload, dict) else None,
            topic=message.topic,
            event=message.event,
            join_ref=message.join_ref,
            ref=message.ref,
            payload=payload,
        )
        self._wake()

    def _record_received(self, message: Message, now: float) -> None:
        audio_bytes = chunk_size(message.payload) if message.event == "audio_chunk" else None
        keeps = audio_bytes is None and not isinstance(message.payload, bytes)
        self._space.journal.record(
            Kind.RECEIVED,
            now,
            socket=self.socket,
            speaker=self._speaker_of(message),
            topic=message.topic,
            event=message.event,
            join_ref=message.join_ref,
            ref=message.ref,
            payload=message.payload if keeps else None,
            audio_bytes=audio_bytes,
        )

    def _note(self, kind: Kind, now: float, note: str, *, speaker: str | None = None) -> None:
        self._space.journal.record(kind, now, socket=self.socket, speaker=speaker, note=note)

    def _speaker_of(self, message: Message) -> str | None:
        if message.event == "phx_join":
            name = message.payload.get("speaker") if isinstance(message.payload, dict) else None
            return name if isinstance(name, str) else None
        seat = self._seats.get(message.topic) if isinstance(message.topic, str) else None
        return seat.channel.speaker if seat else None
