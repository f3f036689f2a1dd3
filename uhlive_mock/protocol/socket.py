"""A socket: one WebSocket of a client, as a pure state machine.

Feed it what the client sent and what time it is; drain what to do:

    receive(message, now)    a whole text (`str`) or binary (`bytes`) message arrived; only while `reading`
    bytes_arrived(now)       anything at all came in, pings included
    tick(now)                the time in `next_deadline()` has come
    closed(now, how)         the connection is gone
    effects()                what to do now: texts to send, or an end; each is handed out once

It decodes, keeps the joined channels, and dispatches as the socket of Phoenix does. Where a message goes depends on
its topic and event alone:

    topic      event        joined                        not joined
    phoenix    heartbeat    ok, join_ref null             the same
    any        phx_join     new reply, then old close     reply ok or error
    any        phx_leave    reply, close, events, left    ok, nothing else
    any        another      to the channel                error "unmatched topic", join_ref null

A message for a joined topic must carry the channel's join_ref; which others pass depends on the release of
Phoenix (`PhoenixRelease`). One that does not pass is dropped without an answer. Bytes that are no message at all
end the whole socket with 1011.

One order is chosen where real servers race: answers come in the order of the requests.

The **throttle** and **idle** rules are those of its `FlowControl`; everything it says goes through its `Outbox`. A
channel ends by itself, and says so in `over`. A rule or a fault that ends the socket ends its outbox, maybe that of
another socket; that one drops its channels at its next tick, or when its effects are drained.

The file is long because one WebSocket is one machine: what it is told, what it dispatches, and how it ends.
"""

from __future__ import annotations

from collections.abc import Callable

from ..errors import FrameError
from ..model.account import Account
from ..model.fault import Fault, FaultKind, Stage
from ..model.limits import Measure, ThrottleAction
from ..wire.framing import Framing, Message, decode, readable
from .admission import JoinRefused
from .channel import Channel
from .flow_control import FlowControl
from .journal import Entry, Participation
from .outbox import Close, Effect, Outbox
from .records import Closed, EndedBy, Kind, LimitRule, Malformed, RuleBroken
from .space import TOPIC_PREFIX, Space
from .speaker_audio import chunk_size

INTERNAL_ERROR = 1011

MOST_TOPICS = 1000
"""Topics of which the latest stay is remembered, so that what comes behind it is known to be about it."""

_GARBLED = {1007: "a text that is not UTF-8", 1009: "a message larger than the server takes"}
_LOST = Closed()
_RECEIVED = Kind.RECEIVED
"""A name of its own: Python 3.11 takes a while to find a member of an enum."""


class Socket:
    """One WebSocket. See the module's docstring.

    Args:
        now: when it opened.
        number: names it in the journal.
        wake: called when effects appear, so that the connection comes and drains them.
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
        self.flow = FlowControl(space.limits, now, follows_audio=space.follow_audio, real=space.real)
        self.outbox = Outbox(framing, space.journal, number, wake)
        self._framing = framing
        self._number = number
        self._space = space
        self._journal = space.journal
        self._account = account
        self._channels: dict[str, Channel] = {}
        self._latest: dict[str, Participation] = {}
        """The latest stay on each topic, for the journal."""
        self._slow_join: tuple[Message, Entry] | None = None
        self._held_at: float | None = None
        """Since when the channels know that nothing is read, in real seconds."""
        self._over = False

    @property
    def reading(self) -> bool:
        """Whether the next message may be fed; else leave it unread until a tick."""
        return self.flow.open

    @property
    def writing(self) -> bool:
        """Whether bytes may be written."""
        return self.outbox.silent_until is None

    @property
    def muted(self) -> bool:
        """Whether heartbeats and pings go unanswered."""
        return self.outbox.muted

    @property
    def ended(self) -> bool:
        """Whether the socket is over and hears nothing more."""
        return self._over or self.outbox.ended is not None

    @property
    def has_joined(self) -> bool:
        """Whether any topic is joined."""
        return bool(self.channels)

    @property
    def channels(self) -> list[Channel]:
        """The joined channels, in the order of their joins."""
        return [channel for channel in self._channels.values() if not channel.over]

    # --- what happens to it ---

    def receive(self, data: str | bytes, now: float) -> None:
        """A whole message arrived. Drain `effects()` next."""
        if self._over or self.outbox.ended:
            return
        try:
            message = decode(self._framing, data)
            topic, event, payload = message.topic, message.event, message.payload
            channel = self._channels.get(topic) if type(topic) is str else None
            if channel is not None and channel.over:
                channel = None
            audio_bytes = None
            binary = type(payload) is bytes
            if event == "audio_chunk":
                audio_bytes = len(payload) if binary else chunk_size(payload)
            about = channel.participation if channel else None
            if about is None or event == "phx_join":
                about = self._about(message)
            entry = self._journal.record(
                _RECEIVED,
                now,
                socket=self._number,
                speaker=channel.speaker if channel and event != "phx_join" else _named(message),
                topic=topic,
                event=event,
                join_ref=message.join_ref,
                ref=message.ref,
                payload=None if binary or audio_bytes is not None else payload,
                audio_bytes=audio_bytes,
                binary=binary,
                of=about,
            )
            self._dispatch(message, channel, entry, now)
        except FrameError as error:
            self._malformed(data, str(error), now)
            return
        if self.outbox.ended:
            self._finish(now)
            return
        if self.flow.limits.throttle.measure is Measure.AUDIO:
            size = audio_bytes
        else:
            size = len(data) if isinstance(data, bytes) else len(data.encode())
        if size is not None:
            demand = self.flow.message(size, now)
            if demand is not None:
                self._too_fast(demand, entry, now)
        if self.outbox.holds_back:
            self._release(now)
        if not self.flow.open:
            self._hold()

    def bytes_arrived(self, now: float) -> None:
        """Anything came in, a ping or half a frame: the socket is not idle."""
        self.flow.bytes_arrived(now)

    def tick(self, now: float) -> None:
        """Do everything that is due at `now`."""
        if self._over:
            return
        if self.outbox.ended:
            self._finish(now)
            return
        was_reading = self.flow.open
        if self.flow.tick(now):
            idle = self.flow.limits.idle
            broken = RuleBroken(rule=LimitRule.IDLE, limit=(idle.after_ms or 0) / 1000)
            self._end(idle.close_code, now, Closed(by=EndedBy.RULE, code=idle.close_code, cause=broken))
            return
        if self.flow.open and not was_reading:
            self._resume(now)
        for channel in self.channels:
            channel.tick(now)
            if self.outbox.ended:
                break
        self._release(now)
        self._mind(now)

    def next_deadline(self) -> float | None:
        """When to call `tick`, in seconds on the space's clock; None while nothing is pending."""
        if self._over:
            return None
        if self.outbox.ended:  # by another socket: its channels are still to be dropped
            return self.outbox.ended_at
        soonest = self.flow.next_deadline()
        at = self.outbox.next_deadline() if self.outbox.holds_back else None
        if at is not None:
            at -= self.flow.own(0.0)
        if at is not None and (soonest is None or at < soonest):
            soonest = at
        for channel in self._channels.values():
            if not channel.over:
                at = channel.next_deadline()
                if at is not None and (soonest is None or at < soonest):
                    soonest = at
        return soonest

    def real_deadline(self) -> float:
        """When to call `tick` however the space's clock stands, in real seconds; infinity while that is never.

        On a clock that audio drives, a client that the mock makes wait sends none: real time ends the wait.
        """
        if self._over:
            return float("inf")
        held = self.outbox.real_deadline() if self.outbox.holds_back else float("inf")
        return min(held, self.flow.real_deadline)

    def closed(self, now: float, closed: Closed = _LOST) -> None:
        """The connection is gone: every channel is dropped, and the others learn of it."""
        if self.outbox.ended:
            self._finish(now)
        if self._over:
            return
        self._over = True
        self.outbox.stop()
        channels = self.channels
        for channel in channels:
            channel.over = True
        for channel in channels:
            channel.drop(now)
        self._channels.clear()
        self._journal.note(closed, now, socket=self._number)

    def garbled(self, code: int, now: float) -> None:
        """The connection was closed with `code`, for what the client sent is not WebSocket, or too much."""
        if self.ended:
            return
        malformed = Malformed(why=_GARBLED.get(code, "no WebSocket frame"))
        self._journal.note(malformed, now, socket=self._number)
        self.closed(now, Closed(by=EndedBy.FRAME, code=code, cause=malformed))

    def failed(self, now: float) -> None:
        """An exception of ours ended the socket."""
        self._end(INTERNAL_ERROR, now, Closed(by=EndedBy.DEFECT, code=INTERNAL_ERROR))

    def stop_sending(self) -> None:
        """Say nothing more: it could not be sent."""
        self.outbox.stop()

    def effects(self) -> list[Effect]:
        """What to do, in order; each effect is handed out once."""
        outbox = self.outbox
        if outbox.ended and not self._over:
            self._finish(outbox.ended_at)
        elif not self.flow.open:
            self._hold()
        return outbox.effects() if outbox.has_effects else []

    def strike(self, fault: Fault, now: float) -> bool:
        """A fault of the channel or socket stage from outside. False when none of the speakers here is meant."""
        if self.ended:
            return False
        for channel in self.channels:
            if fault.speaker in (None, channel.speaker):
                of, faults = channel.participation, self._space.faults
                if faults.chance(fault, now, speaker=channel.speaker, socket=self._number, of=of):
                    faults.applied(fault, now, speaker=channel.speaker, socket=self._number, of=of)
                    channel.apply(fault, now)
                    self._mind(now)
                return True
        return False

    # --- dispatch ---

    def _dispatch(self, message: Message, channel: Channel | None, entry: Entry, now: float) -> None:
        topic, event = message.topic, message.event
        if channel is not None and event != "phx_join" and topic != "phoenix":
            self._to_channel(channel, message, now)
        elif topic == "phoenix" and event == "heartbeat":
            if not self.outbox.muted:
                self.outbox.reply(None, message, "ok", {}, now)
        elif event == "phx_join":
            self._join(message, entry, now)
        elif event == "phx_leave":
            self.outbox.reply(message.join_ref, message, "ok", {}, now, self._here(topic))
        else:
            self.outbox.reply(None, message, "error", {"reason": "unmatched topic"}, now, self._here(topic))

    def _to_channel(self, channel: Channel, message: Message, now: float) -> None:
        leaves = message.event == "phx_leave"
        given, own = message.join_ref, channel.join_ref
        if (given != own or type(given) is not type(own)) and not self._space.behaviour.release.passes(
            given, own, leaves=leaves
        ):
            return
        if leaves:
            self.outbox.reply(channel.reply_ref, message, "ok", {}, now, channel.participation)
            channel.leave(now)
            return
        reply = channel.push(message.event, message.payload, now)
        if channel.over or self.outbox.ended:
            return
        if reply:
            self.outbox.reply(channel.reply_ref, message, *reply, now, channel.participation)
        channel.tick(now)

    def _join(self, message: Message, entry: Entry, now: float) -> None:
        topic, faults = message.topic, self._space.faults
        if not (isinstance(topic, str) and topic.startswith(TOPIC_PREFIX)):
            self.outbox.reply(None, message, "error", {"reason": "unmatched topic"}, now)
            return
        to = self._latest[topic]
        fault = (
            faults.take(Stage.JOIN, now, speaker=_named(message), socket=self._number, of=to)
            if faults.armed
            else None
        )
        match fault:
            case None:
                self._answer_join(message, entry, now)
            case Fault(kind=FaultKind.JOIN_ERROR, value=reason):
                self.outbox.reply(message.join_ref, message, "error", {"reason": str(reason)}, now, to)
            case Fault(kind=FaultKind.JOIN_DELAY, value=int(delay_ms)):
                # Joins are synchronous in a real server: nothing else on the socket is read meanwhile.
                self._slow_join = message, entry
                self.flow.pause(self.flow.until(now, delay_ms / 1000))
            case _:
                pass  # silence

    def _answer_join(self, message: Message, entry: Entry, now: float) -> None:
        topic, behaviour = message.topic, self._space.behaviour
        old = self._channels.pop(topic, None)
        if old and old.over:
            old = None
        if old:
            old.drop(now)
        channel, to = None, self._latest[topic]
        try:
            joined = len(self.channels)
            if joined >= behaviour.max_topics:
                raise JoinRefused("too many channels joined")
            if joined and behaviour.second_topic == "reject":
                raise JoinRefused(behaviour.reason_second_topic)
            channel = self._joined(message, entry, to, now)
        except JoinRefused as refused:
            self.outbox.reply(message.join_ref, message, "error", {"reason": refused.reason}, now, to)
        if self.outbox.ended:  # a fault in the script of a speaker that made room took the socket along
            return
        if old:
            # The old channel's close is mailed, the new reply is inline, so the reply comes first.
            self.outbox.push(old.join_ref, old.join_ref, topic, "phx_close", {}, now, old.participation)
        if channel:
            channel.start(now)
            self._strike_armed(channel, now)

    def _joined(self, message: Message, entry: Entry, to: Participation, now: float) -> Channel:
        channel = self._channels[message.topic] = Channel.join(
            message.payload,
            now,
            space=self._space,
            account=self._account,
            topic=message.topic,
            entry=entry,
            participation=to,
            refs=(message.join_ref, message.ref if message.join_ref is None else message.join_ref),
            outbox=self.outbox,
            flow=self.flow,
        )
        self.flow.adopt(channel.limits, now)
        self.outbox.reply(message.join_ref, message, "ok", {}, now, to)
        return channel

    def _strike_armed(self, channel: Channel, now: float) -> None:
        """Faults that waited for the next join strike it."""
        faults = self._space.faults
        for stage in (Stage.CHANNEL, Stage.SOCKET):
            while faults.armed and not (channel.over or self.outbox.ended):
                of = channel.participation
                fault = faults.take(stage, now, speaker=channel.speaker, socket=self._number, of=of)
                if fault is None:
                    break
                channel.apply(fault, now)
                if fault.count is None:
                    break

    # --- limits ---

    def _too_fast(self, demand: ThrottleAction, entry: Entry, now: float) -> None:
        broken = RuleBroken(rule=LimitRule.THROTTLE)
        of = self._latest.get(entry.topic) if isinstance(entry.topic, str) else None
        self._journal.note(broken, now, socket=self._number, speaker=entry.speaker, of=of)
        if demand is ThrottleAction.CLOSE:
            code = self._space.behaviour.rule_close_code
            self._end(code, now, Closed(by=EndedBy.RULE, code=code, cause=broken))

    def _hold(self) -> None:
        """Nothing is read: that is nobody's silence."""
        if self._held_at is None:
            self._held_at = self._space.real()
            for channel in self.channels:
                channel.hold()

    def _release(self, now: float) -> None:
        self.outbox.release(now, lead=self.flow.own(0.0), real=self._space.real())

    def _resume(self, now: float) -> None:
        """The socket is read again: answer the join that kept it waiting."""
        held_s = 0.0 if self._held_at is None else self._space.real() - self._held_at
        self._held_at = None
        for channel in self.channels:
            channel.resume(now, held_s)
        waiting, self._slow_join = self._slow_join, None
        if waiting:
            self._answer_join(*waiting, now)
        self.outbox.wake()

    # --- its end ---

    def _mind(self, now: float) -> None:
        """A fault or a rule may have ended the socket, or stopped its reading."""
        if self.outbox.ended:
            self._finish(now)
        elif not self.flow.open:
            self._hold()

    def _end(self, code: int, now: float, closed: Closed) -> None:
        self.outbox.end(Close(code), now, closed)
        self._finish(now)

    def _finish(self, now: float) -> None:
        closed, self.outbox.ended = self.outbox.ended, None
        if closed:
            self.closed(now, closed)

    def _malformed(self, data: str | bytes, why: str, now: float) -> None:
        malformed = Malformed(why=why)
        self._journal.note(malformed, now, socket=self._number, payload=readable(data))
        self._end(INTERNAL_ERROR, now, Closed(by=EndedBy.FRAME, code=INTERNAL_ERROR, cause=malformed))

    # --- for the journal ---

    def _here(self, topic: object) -> Participation | None:
        """The latest stay on a topic."""
        return self._latest.get(topic) if isinstance(topic, str) else None

    def _about(self, message: Message) -> Participation | None:
        """The stay that a message is about: with a `phx_join` one begins."""
        topic = message.topic
        if message.event != "phx_join" or not isinstance(topic, str):
            return self._here(topic)
        observes = isinstance(message.payload, dict) and message.payload.get("readonly") is True
        begun = Participation(self._journal.next_index, _named(message), None if observes else 0.0)
        self._latest.pop(topic, None)
        self._latest[topic] = begun
        if len(self._latest) > MOST_TOPICS:
            del self._latest[next(iter(self._latest))]
        return begun


def _named(message: Message) -> str | None:
    """The speaker that a join names."""
    if message.event != "phx_join" or not isinstance(message.payload, dict):
        return None
    name = message.payload.get("speaker")
    return name if isinstance(name, str) else None
