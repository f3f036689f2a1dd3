"""The transport of one socket: bytes in, bytes out, one timer.

uvicorn parses the HTTP request and hands the transport over at the upgrade; from there on `Frames` turns bytes
into messages and a `Session` turns messages into effects.

Every callback ends in the same funnel: feed messages while the session reads, carry out the effects of every
socket that has any (an event for one participant is an event for all), write, pause or resume the transport, and
re-arm the one timer. There is no task per connection, so there is nothing to cancel.

While the session does not read, the transport is paused and TCP pushes back on the client; what one read had
brought already waits in `_unread`, at most `READ_SIZE` bytes and the rest of one message.

Reads land in one reused buffer: the buffer a plain protocol allocates for each read costs more than parsing
the frame in it.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from msgspec.structs import replace
from websockets.http11 import Request

from ..model.fault import Fault
from ..protocol.admission import Admitted, Refusal
from ..protocol.outbox import Close, CutFrame, Reset
from ..protocol.records import Closed, Defect, EndedBy, Opened
from ..protocol.socket import INTERNAL_ERROR, Session
from .defects import trace_of
from .hosted import Life
from .upgrading import accept, judge, refuse
from .websocket import Frames, Sending, has_unread
from .world import Caller, World

logger = logging.getLogger("uhlive_mock")

READ_SIZE = 65_536
CLOSE_PATIENCE_S = 1.0
"""How long a client may take for its half of a closing handshake, and for what it has not read yet."""
MAX_BACKLOG = 4 * 1024 * 1024
"""Bytes queued for a client that does not read; past that its connection is cut."""

GOING_AWAY = 1001
SERVICE_RESTART = 1012

_NO_LINGER = struct.pack("ii", 1, 0)
"""SO_LINGER on, for no time at all: closing then resets the connection."""

_HALF_A_FRAME = b'\x81\x7e\x01\x00[null,null,"conversation:'
"""The head of a text frame of 256 bytes, and 25 of them."""


class Connection(asyncio.BufferedProtocol):
    """One socket. uvicorn builds it with its three arguments after `world`."""

    def __init__(
        self,
        world: World,
        *,
        config: Any,  # noqa: ANN401 - uvicorn's Config, not part of its typed surface
        server_state: Any,  # noqa: ANN401
        app_state: Any,  # noqa: ANN401
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._world = world
        self._peers: set[object] = server_state.connections
        self._loop = _loop or asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._sending: Sending | None = None
        self._frames = Frames()
        self._view = memoryview(bytearray(READ_SIZE))
        self._unread: deque[str | bytes] = deque()
        self._session: Session | None = None
        self.life: Life | None = None
        """Whose socket it is, once it is one."""
        self._client_id = ""
        self._timer: asyncio.TimerHandle | None = None
        self._timer_deadline: float | None = None
        self._paused = False
        self._closing = False
        self._unsent = 0
        """How many messages could not be sent any more, for the client had closed."""

    # --- asyncio ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport over."""
        self._transport = cast(asyncio.Transport, transport)
        self._sending = Sending(self._transport)
        self._peers.add(self)

    def data_received(self, data: bytes) -> None:
        """uvicorn replays the upgrade request through here before it hands over the transport."""
        self._receive(data)

    def get_buffer(self, sizehint: int) -> memoryview:
        """The one buffer that every read lands in.

        A view, not the bytearray: asyncio's TLS fills the rest of the buffer through a slice of what it got,
        and a slice of a bytearray is a copy.
        """
        return self._view

    def buffer_updated(self, nbytes: int) -> None:
        """Bytes arrived in the buffer."""
        self._receive(self._view[:nbytes])

    def pause_writing(self) -> None:
        """The client does not read as fast as it is sent to."""
        if self._sending:
            self._sending.pause()

    def resume_writing(self) -> None:
        """The client has read on."""
        if self._sending:
            self._sending.resume()
            self._write()

    def eof_received(self) -> None:
        """The client half-closed; a real server closes without a close frame."""

    def connection_lost(self, exc: Exception | None) -> None:
        """The transport is gone. What the client sent before still counts, however fast it came."""
        self._closing = True
        self._peers.discard(self)
        self._disarm()
        if self._session and self.life:
            self.life.sockets.pop(self, None)
            now = self.life.clock.now()
            if self._frames.failed:
                self._session.garbled(self._frames.failed, now)
            self._end_session(self._session, now, self._how_it_ended())
        self._world.settle()

    # --- uvicorn ---

    def shutdown(self) -> None:
        """The server stops. 1012 with a joined channel, as a draining Phoenix does, else 1001."""
        joined = self._session is not None and self._session.has_joined
        self._close(SERVICE_RESTART if joined else GOING_AWAY)
        if self._session:
            self._session.hush()
        self._world.settle()

    # --- world ---

    def tick(self, now: float) -> None:
        """Run what is due at `now`; carry out what comes of it next."""
        if self._session:
            with self._owning_up(now):
                self._session.tick(now)
                self._feed()
            self._world.wake(self)

    def finish(self, now: float, by: EndedBy) -> None:
        """The space is over, and so is the session."""
        if self._session:
            with self._owning_up(now):
                self._end_session(self._session, now, Closed(by=by))

    def in_flight(self) -> bool:
        """Whether the client has sent what is not read yet, or the connection is about to end."""
        if self._transport is None or self._paused:
            return False
        return self._closing or self._frames.close_rcvd is not None or has_unread(self._transport)

    def strike(self, fault: Fault, now: float) -> bool:
        """A fault from outside. False when it is meant for nobody here."""
        return self._session is not None and self._session.strike_now(fault, now)

    def next_deadline(self) -> float | None:
        """When the session next needs a tick."""
        return self._session.next_deadline() if self._session else None

    def carry_out(self) -> None:
        """Carry out the session's effects."""
        if self._session is None:
            return
        self._frames.muted = self._session.muted
        for effect in self._session.effects():
            match effect:
                case str(text):
                    if self._frames.is_open:
                        self._frames.send_whole(self._world.frame(text))
                    else:
                        self._unsent += 1
                case Close(code=code):
                    # Phoenix: the process died, so nobody waits for the client's close frame.
                    self._frames.fail(code)
                case Reset():
                    self._write()
                    self._reset()
                case CutFrame():
                    self._write()
                    self._cut_frame()
        self._write()
        self._pause_or_resume()
        self._arm()

    # --- receiving ---

    def _receive(self, data: bytes | memoryview) -> None:
        if self._frames.reader.eof or self._closing:
            return
        if self._session and self.life:
            self._session.bytes_arrived(self.life.clock.now())
        self._frames.receive_data(cast(bytes, data))
        for item in self._frames.requests_and_messages():
            if isinstance(item, Request):
                self._shake_hands(item)
            elif self.life and self.life.ended_at is not None:
                self._world.frame_came(self._client_id, self.life)
            else:
                self._unread.append(item)
        self._feed()
        if self._session is None:
            self._write()
        self._world.wake(self)
        self._world.settle()

    def _feed(self) -> None:
        """Feed the session what has arrived, while it reads."""
        session, life = self._session, self.life
        if session is None or life is None:
            return
        now = life.clock.now()
        with self._owning_up(now):
            while self._unread and session.reading and not session.ended:
                now = life.clock.now()
                session.receive(self._unread.popleft(), now)

    def _end_session(self, session: Session, now: float, closed: Closed) -> None:
        while self._unread and not session.ended:
            session.receive(self._unread.popleft(), now)
        if not session.ended:
            self._unsent += sum(isinstance(effect, str) for effect in session.effects())
        session.closed(now, replace(closed, unsent=self._unsent))

    def _how_it_ended(self) -> Closed:
        if self._frames.close_sent and not self._frames.close_rcvd_then_sent:
            return Closed(by=EndedBy.SERVER_STOPPED)
        if self._frames.close_rcvd is None:
            return Closed(by=EndedBy.LOST)
        return Closed(by=EndedBy.CLIENT, code=self._frames.close_rcvd.code)

    @contextmanager
    def _owning_up(self, now: float) -> Iterator[None]:
        """A defect of ours is told in the log and ends this socket as a crash does, and no other."""
        try:
            yield
        except Exception as error:
            logger.exception("a defect of uhlive-mock ended a socket; please report it")
            if self._session and self.life:
                self.life.space.journal.note(Defect(trace=trace_of(error)), now)
                closed = Closed(by=EndedBy.DEFECT, code=INTERNAL_ERROR)
                self._session.end(Close(INTERNAL_ERROR), now, closed)

    def _pause_or_resume(self) -> None:
        if self._session is None or self._transport is None or self._closing or self._transport.is_closing():
            return
        paused = not self._session.reading
        if paused != self._paused:
            self._paused = paused
            if paused:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()

    # --- the handshake ---

    def _shake_hands(self, request: Request) -> None:
        answer = judge(request, self._world)
        if isinstance(answer, Refusal):
            refuse(self._frames, answer)
        elif answer is not None:
            self._admit(answer)
            accept(self._frames, answer)

    def _admit(self, admitted: Admitted[Caller]) -> None:
        life = self.life = admitted.caller.life
        self._frames.max_message_size = life.space.behaviour.max_frame
        self._client_id = admitted.caller.account.client_id
        number, now = self._world.number(), life.clock.now()
        self._session = Session(
            space=life.space,
            account=admitted.caller.account,
            framing=admitted.framing,
            now=now,
            number=number,
            wake=lambda: self._world.wake(self),
        )
        life.sockets[self] = None
        life.space.journal.note(Opened(framing=admitted.framing), now, socket=number)

    # --- sending ---

    def _close(self, code: int) -> None:
        if self._frames.is_open:
            self._frames.send_close(code)
            self._write()
            self._lose_patience()
        elif self._transport:
            self._transport.close()

    def _write(self) -> None:
        if self._sending is None:
            return
        self._sending.put(self._frames.data_to_send())
        # An end is never held back: after it nobody would come and write it.
        held = self._session is not None and not (self._session.writing or self._session.ended)
        if self._sending.size > MAX_BACKLOG:
            self._abort()
        elif held:
            return
        elif self._sending.flush():
            self._hang_up()
        elif self._sending.ending:
            self._closing = True
            self._lose_patience()

    def _cut_frame(self) -> None:
        if self._transport:
            self._transport.write(_HALF_A_FRAME)
            self._hang_up()

    def _reset(self) -> None:
        if self._transport:
            # Without this, an abort ends the connection as politely as a close does.
            tcp = self._transport.get_extra_info("socket")
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            self._abort()

    def _hang_up(self) -> None:
        """Close once everything is written."""
        if self._transport:
            self._closing = True
            self._transport.close()
            self._lose_patience()

    def _lose_patience(self) -> None:
        """Cut the connection soon, however little of what it was sent the client has read by then."""
        self._disarm()
        self._timer = self._loop.call_later(CLOSE_PATIENCE_S, self._abort)

    def _abort(self) -> None:
        if self._transport:
            self._closing = True
            self._transport.abort()

    # --- the timer ---

    def rearm(self) -> None:
        """Set the timer anew: the clock jumped."""
        if self._timer_deadline is not None:
            self._disarm()
            self._arm()

    def _arm(self) -> None:
        if not self._frames.is_open or self._closing or self.life is None:
            return
        deadline = self.next_deadline()
        if self._timer_deadline is not None and (deadline is None or self._timer_deadline <= deadline):
            # It rings in time, finds nothing due, and is set anew; most deadlines move on with every frame.
            return
        self._disarm()
        delay = None if deadline is None else self.life.clock.real_delay(deadline)
        if delay is not None:
            self._timer_deadline = deadline
            self._timer = self._loop.call_later(delay, self._ring)

    def _ring(self) -> None:
        self._timer = self._timer_deadline = None
        if self.life:
            self.tick(self.life.clock.now())
        self._world.settle()

    def _disarm(self) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = self._timer_deadline = None
