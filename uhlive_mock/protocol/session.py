"""A session: one connected socket, as a pure state machine.

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

from ..errors import FrameError
from ..model.account import Account
from ..model.fault import Fault, FaultKind
from ..model.limits import Limits, Measure, ThrottleAction
from ..wire.framing import Framing, Message, decode, readable
from .chunks import chunk_size
from .intake import Intake
from .journal import Kind
from .outlet import Close, CutFrame, Effect, End, Outlet, Reset
from .space import Space
from .topics import Topics

INTERNAL_ERROR = 1011

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
            self._space.journal.record(
                Kind.MALFORMED, now, socket=self._number, payload=readable(message), note=str(error)
            )
            self.end(INTERNAL_ERROR, now, str(error))
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
            self.end(rule.close_code, now, f"idle for {(rule.after_ms or 0) / 1000:g} s")
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

    def closed(self, now: float, note: str = "", *, unsent: int = 0) -> None:
        """The socket is gone: every channel is dropped, and the others learn of it.

        Args:
            unsent: how many of the last messages to the client could not be sent any more.
        """
        if self._ended:
            return
        self._ended = True
        self._out.stop()
        self._topics.drop(now)
        payload = {"unsent": unsent} if unsent else None
        self._space.journal.record(Kind.CLOSED, now, socket=self._number, payload=payload, note=note or None)

    def garbled(self, code: int, now: float) -> None:
        """The socket was closed with `code`, for what the client sent is not WebSocket, or too much."""
        if self._ended:
            return
        why = _GARBLED.get(code, "no WebSocket frame")
        self._space.journal.record(Kind.MALFORMED, now, socket=self._number, note=why)
        self.closed(now, f"closed with {code}: {why}")

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

    def end(self, how: int | End, now: float, note: str) -> None:
        """End the socket, with a close code or more rudely."""
        self._out.end(Close(how) if isinstance(how, int) else how)
        self.closed(now, f"closed with {how}: {note}" if isinstance(how, int) else note)

    def pause(self, now: float, until: float | None) -> None:
        """Read nothing until then."""
        self._intake.pause(now, until)

    def adopt(self, limits: Limits, now: float) -> None:
        """Go by the limits of a conversation."""
        self._intake.adopt(limits, now)

    def suffer(self, fault: Fault, now: float) -> None:
        """Let a fault of the socket stage happen."""
        match fault:
            case Fault(kind=FaultKind.CLOSE, value=int(code)):
                self.end(code, now, str(fault))
            case Fault(kind=FaultKind.RESET):
                self.end(Reset(), now, str(fault))
            case Fault(kind=FaultKind.CUT_FRAME):
                self.end(CutFrame(), now, str(fault))
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
        note = "throttle: audio comes faster than the limit"
        self._space.journal.record(Kind.RULE, now, socket=self._number, speaker=speaker, note=note)
        if demand is ThrottleAction.CLOSE:
            self.end(self._space.behaviour.rule_close_code, now, note)

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
