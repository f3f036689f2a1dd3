"""The topics of one socket: Phoenix dispatch, and the channels that are joined.

Where a message goes depends on its topic and event alone, as in the socket of Phoenix:

    topic      event        joined                        not joined
    phoenix    heartbeat    ok, join_ref null             the same
    any        phx_join     new reply, then old close     reply ok or error
    any        phx_leave    reply, close, events, left    ok, nothing else
    any        another      to the channel                error "unmatched topic", join_ref null

A message for a joined topic must carry the channel's join_ref; which others pass depends on the release of
Phoenix (`release.RELEASES`). One that does not pass is dropped without an answer.

One order is chosen where real servers race: answers come in the order of the requests.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from ..model.account import Account
from ..model.events import Event, SpeakerLeft
from ..model.fault import Fault, FaultKind, Stage
from ..model.limits import GapAction, Limits
from ..wire.framing import Framing, Message
from .channel import Channel, ChannelCrashed, SocketRefused
from .join import JoinRefused
from .journal import Kind
from .outlet import Outlet
from .release import RELEASES
from .space import TOPIC_PREFIX, Space


class Socket(Protocol):
    """What the topics need of the socket they are on."""

    muted: bool

    @property
    def ended(self) -> bool:
        """Whether it is over."""

    def end(self, code: int, now: float, note: str) -> None:
        """Close the socket."""

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
        except SocketRefused:
            self._on.end(self._space.behaviour.rule_close_code, now, "a chunk was too large")
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
        note = f"gap: no audio for {channel.limits.gap.after_ms / 1000:g} s"
        self._space.journal.record(
            Kind.RULE, now, socket=self.socket, speaker=channel.speaker, topic=channel.topic, note=note
        )
        seat = self._seats[channel.topic]
        match action:
            case GapAction.LEAVE:
                self._close(seat, now, cleanly=False)
            case GapAction.ERROR:
                self._crash(seat, now)
            case GapAction.CLOSE:
                self._on.end(self._space.behaviour.rule_close_code, now, note)
            case GapAction.REPORT | GapAction.OFF:
                pass

    def strike(self, channel: Channel, fault: Fault, now: float) -> None:
        """A cue of the channel's script: strike here and now, or lie in wait for the fault's turn."""
        faults = self._space.faults
        if fault.kind.stage is Stage.EVENTS:
            own = fault if fault.speaker else msgspec.structs.replace(fault, speaker=channel.speaker)
            faults.arm(own, by=channel.speaker)
        elif fault.kind.stage in (Stage.CHANNEL, Stage.SOCKET) and fault.speaker in (None, channel.speaker):
            seated = channel.topic in self._seats
            if self._on.ended or (fault.kind.stage is Stage.CHANNEL and not seated):
                gone = "socket" if self._on.ended else "channel"
                faults.skip(fault, now, f"its {gone} was gone", speaker=channel.speaker, socket=self.socket)
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
