"""A session: one connected socket, as a pure state machine.

Feed it what the client sent and what time it is; drain what to do:

    receive(message, now)    a whole text (`str`) or binary (`bytes`) message arrived
    tick(now)                the time in `next_deadline()` has come
    closed(now)              the socket is gone
    effects()                what to do now: texts to send, or `Close`; each is handed out once

Where a message goes depends on its topic and event alone (Phoenix dispatch, `phoenix.md` §4.1):

    topic      event        joined                        not joined
    phoenix    heartbeat    ok, join_ref null             the same
    any        phx_join     new reply, then old close     reply ok or error
    any        phx_leave    reply, close, events, left    ok, nothing else
    any        another      to the channel                error "unmatched topic", join_ref null

A message for a joined topic must carry the channel's join_ref; which others pass depends on the release of
Phoenix (`_JOIN_REF_RULES`). One that does not pass is dropped without an answer. Bytes that are no message
at all end the whole socket with 1011.

One order is chosen where real servers race: answers come in the order of the requests.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec

from ..errors import FrameError
from ..model.account import Account
from ..wire.framing import Framing, Message, decode, encode
from .channel import Channel, ChannelCrashed, chunk_size
from .join import JoinRefused
from .journal import Kind
from .space import TOPIC_PREFIX, Space

INTERNAL_ERROR = 1011


class Close(msgspec.Struct, frozen=True):
    """Send a close frame with this code and an empty reason, and end the connection."""

    code: int


Effect = str | Close


class _Seat(msgspec.Struct, frozen=True):
    """A joined topic: its channel, the join_ref the join had, and the one its replies carry.

    They differ for a join with a null join_ref: the channel then answers with the join's ref.
    """

    channel: Channel
    join_ref: object
    reply_ref: object


class _Rule(msgspec.Struct, frozen=True):
    """What passes although its join_ref is not the channel's."""

    null_event: bool
    other_event: bool
    any_event_after_null_join: bool
    null_leave: bool
    any_leave_after_null_join: bool


_JOIN_REF_RULES = {
    "1.8.2": _Rule(True, True, True, False, True),
    "1.8.9": _Rule(False, False, True, False, True),
    "1.8.11": _Rule(False, False, True, False, True),
    "1.8.12": _Rule(True, False, False, True, False),
}
# Phoenix: an exit that was not announced as a close carries a reason since 1.8.10.
_CRASH_PAYLOADS: dict[str, dict[str, str]] = {
    "1.8.2": {},
    "1.8.9": {},
    "1.8.11": {"reason": "channel_crash"},
    "1.8.12": {"reason": "channel_crash"},
}


class Session:
    """One connected socket. See the module's docstring.

    Args:
        number: names the socket in the journal.
        wake: called when effects appear, so that whoever carries them out comes and drains them.
    """

    def __init__(
        self,
        *,
        space: Space,
        account: Account,
        framing: Framing,
        number: int = 0,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        self.reading = True
        self._space = space
        self._account = account
        self._framing = framing
        self._number = number
        self._wake = wake
        self._seats: dict[object, _Seat] = {}
        self._effects: list[Effect] = []
        self._ended = False

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
            decoded = decode(self._framing, message)
        except FrameError as error:
            self._fail(str(error), now)
            return
        self._record_received(decoded, now)
        topic, event = decoded.topic, decoded.event
        if topic == "phoenix" and event == "heartbeat":
            self._reply(None, decoded, "ok", {}, now)
        elif event == "phx_join":
            self._join(decoded, now)
        elif isinstance(topic, str) and topic in self._seats:
            self._to_seat(self._seats[topic], decoded, now)
        elif event == "phx_leave":
            self._reply(decoded.join_ref, decoded, "ok", {}, now)
        else:
            self._reply(None, decoded, "error", {"reason": "unmatched topic"}, now)

    def tick(self, now: float) -> None:
        """Broadcast everything that is due at `now`."""
        for seat in tuple(self._seats.values()):
            seat.channel.tick(now)

    def next_deadline(self) -> float | None:
        """When to call `tick`, in seconds on the space's clock; None while nothing is pending."""
        deadlines = [
            deadline for seat in self._seats.values() if (deadline := seat.channel.next_deadline()) is not None
        ]
        return min(deadlines, default=None)

    def closed(self, now: float, note: str = "") -> None:
        """The socket is gone: every channel is dropped, and the others learn of it."""
        if not self._ended:
            self._end(now)
            self._space.journal.record(Kind.CLOSED, now, socket=self._number, note=note or None)

    def effects(self) -> list[Effect]:
        """What to do, in order; each effect is handed out once."""
        effects, self._effects = self._effects, []
        return effects

    # --- dispatch ---

    def _join(self, message: Message, now: float) -> None:
        topic, behaviour = message.topic, self._space.behaviour
        if not (isinstance(topic, str) and topic.startswith(TOPIC_PREFIX)):
            self._reply(None, message, "error", {"reason": "unmatched topic"}, now)
            return
        old = self._unseat(topic, now) if topic in self._seats else None
        try:
            if len(self._seats) >= behaviour.max_topics:
                raise JoinRefused("too many channels joined")
            if self._seats and behaviour.second_topic == "reject":
                raise JoinRefused(behaviour.reason_second_topic)
            self._take_seat(topic, message, now)
        except JoinRefused as refused:
            self._reply(message.join_ref, message, "error", {"reason": refused.reason}, now)
        if old:
            # The old channel's close is mailed, the new reply is inline, so the reply comes first.
            self._push(old.join_ref, old.join_ref, topic, "phx_close", {}, now)

    def _take_seat(self, topic: str, message: Message, now: float) -> None:
        reply_ref = message.ref if message.join_ref is None else message.join_ref
        channel = Channel.join(
            message.payload,
            now,
            space=self._space,
            account=self._account,
            framing=self._framing,
            topic=topic,
            socket=self._number,
            join_ref=reply_ref,
            deliver=self._deliver,
            evict=lambda when: self._evict(topic, when),
        )
        self._seats[topic] = _Seat(channel, message.join_ref, reply_ref)
        self._reply(message.join_ref, message, "ok", {}, now)

    def _to_seat(self, seat: _Seat, message: Message, now: float) -> None:
        if not self._passes(seat, message):
            return
        if message.event == "phx_leave":
            self._leave(seat, message, now)
            return
        try:
            reply = seat.channel.push(message.event, message.payload, now)
        except ChannelCrashed:
            self._unseat(message.topic, now)
            payload = _CRASH_PAYLOADS[self._space.behaviour.phoenix]
            self._push(seat.join_ref, seat.join_ref, message.topic, "phx_error", payload, now)
            return
        if reply:
            self._reply(seat.reply_ref, message, *reply, now)
        seat.channel.tick(now)

    def _leave(self, seat: _Seat, message: Message, now: float) -> None:
        self._reply(seat.reply_ref, message, "ok", {}, now)
        if self._space.behaviour.phx_close_on_leave:
            # S: a phx_close read after the own speaker_left makes the Python SDKs believe they are joined.
            self._push(seat.join_ref, seat.join_ref, message.topic, "phx_close", {}, now)
        del self._seats[message.topic]
        seat.channel.leave(now)

    def _evict(self, topic: str, now: float) -> None:
        seat = self._unseat(topic, now)
        self._push(seat.join_ref, seat.join_ref, topic, "phx_close", {}, now)

    def _unseat(self, topic: str, now: float) -> _Seat:
        seat = self._seats.pop(topic)
        seat.channel.drop(now)
        return seat

    def _passes(self, seat: _Seat, message: Message) -> bool:
        given, own = message.join_ref, seat.join_ref
        if type(given) is type(own) and given == own:
            return True
        rule = _JOIN_REF_RULES[self._space.behaviour.phoenix]
        leaves = message.event == "phx_leave"
        if own is None:
            return rule.any_leave_after_null_join if leaves else rule.any_event_after_null_join
        if given is None:
            return rule.null_leave if leaves else rule.null_event
        return not leaves and rule.other_event

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
        message = Message(join_ref, ref, topic, event, payload)
        self._deliver(encode(self._framing, message), message, now)

    def _deliver(self, text: str, message: Message, now: float) -> None:
        if self._ended:
            return
        payload = message.payload
        self._space.journal.record(
            Kind.SENT,
            now,
            socket=self._number,
            speaker=payload.get("speaker") if isinstance(payload, dict) else None,
            topic=message.topic,
            event=message.event,
            join_ref=message.join_ref,
            ref=message.ref,
            payload=payload,
        )
        self._effects.append(text)
        self._wake()

    def _fail(self, note: str, now: float) -> None:
        self._effects.append(Close(INTERNAL_ERROR))
        self.closed(now, f"closed with {INTERNAL_ERROR}: {note}")
        self._wake()

    def _end(self, now: float) -> None:
        self._ended = True
        for seat in self._seats.values():
            seat.channel.drop(now)
        self._seats.clear()

    def _record_received(self, message: Message, now: float) -> None:
        audio_bytes = chunk_size(message.payload) if message.event == "audio_chunk" else None
        keeps = audio_bytes is None and not isinstance(message.payload, bytes)
        self._space.journal.record(
            Kind.RECEIVED,
            now,
            socket=self._number,
            speaker=self._speaker_of(message),
            topic=message.topic,
            event=message.event,
            join_ref=message.join_ref,
            ref=message.ref,
            payload=message.payload if keeps else None,
            audio_bytes=audio_bytes,
        )

    def _speaker_of(self, message: Message) -> str | None:
        if message.event == "phx_join":
            name = message.payload.get("speaker") if isinstance(message.payload, dict) else None
            return name if isinstance(name, str) else None
        seat = self._seats.get(message.topic) if isinstance(message.topic, str) else None
        return seat.channel.options.speaker if seat else None
