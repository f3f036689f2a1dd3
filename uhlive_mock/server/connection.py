"""The transport of one socket: bytes in, bytes out, one timer.

uvicorn parses the HTTP request and hands the transport over at the upgrade; from there on `Frames` turns bytes
into messages and a `Socket` turns messages into effects.

Every callback ends in the same funnel: feed messages while the socket reads, carry out the effects of every
socket that has any (an event for one participant is an event for all), write, pause or resume the transport, and
re-arm the one timer. There is no task per connection, so there is nothing to cancel.

While the socket does not read, the transport is paused and TCP pushes back on the client; what one read had
brought already waits in `_unread`, at most `READ_SIZE` bytes and the rest of one message.

Reads land in one reused buffer: the buffer a plain protocol allocates for each read costs more than parsing
the frame in it.

The file is long because every callback of the transport ends in that funnel, the handshake and the rude ends too.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from collections import deque
from email.utils import formatdate
from typing import Any, cast

from msgspec.structs import replace
from websockets.datastructures import Headers
from websockets.http11 import Request, Response
from websockets.utils import accept_key

from ..model.fault import Fault, FaultKind, Stage
from ..protocol.admission import Admitted, Refusal, Upgrade, check_upgrade, is_socket_path
from ..protocol.clock import Clock
from ..protocol.outbox import Close, CutFrame, Reset
from ..protocol.records import Closed, Defect, EndedBy, Opened
from ..protocol.socket import Socket
from ..protocol.space import Space
from .spaces import Caller, Spaces, trace_of
from .websocket import Frames, WriteQueue, has_unread, text_frame

logger = logging.getLogger("uhlive_mock")

READ_SIZE = 65_536
CLOSE_TIMEOUT_S = 1.0
"""How long a client may take for its half of a closing handshake, and for what it has not read yet."""
MAX_BACKLOG = 4 * 1024 * 1024
"""Bytes queued for a client that does not read; past that its connection is cut."""

_NEVER_CACHED = {"cache-control": "max-age=0, private, must-revalidate"}

_NEVER = float("inf")

GOING_AWAY = 1001
SERVICE_RESTART = 1012

_NO_LINGER = struct.pack("ii", 1, 0)
"""SO_LINGER on, for no time at all: closing then resets the connection."""

_HALF_A_FRAME = b'\x81\x7e\x01\x00[null,null,"conversation:'
"""The head of a text frame of 256 bytes, and 25 of them."""


class Connection(asyncio.BufferedProtocol):
    """One socket. uvicorn builds it with its three arguments after `spaces`."""

    def __init__(
        self,
        spaces: Spaces,
        *,
        config: Any,  # noqa: ANN401 - uvicorn's Config, not part of its typed surface
        server_state: Any,  # noqa: ANN401
        app_state: Any,  # noqa: ANN401
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._spaces = spaces
        self._peers: set[object] = server_state.connections
        self._loop = _loop or asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._queue: WriteQueue | None = None
        self._frames = Frames()
        self._view = memoryview(bytearray(READ_SIZE))
        self._unread: deque[str | bytes] = deque()
        self._socket: Socket | None = None
        self.space: Space | None = None
        """The space of the socket, once it is one."""
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
        self._queue = WriteQueue(self._transport)
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
        if self._queue:
            self._queue.pause()

    def resume_writing(self) -> None:
        """The client has read on."""
        if self._queue:
            self._queue.resume()
            self._write()

    def eof_received(self) -> None:
        """The client half-closed; a real server closes without a close frame."""

    def connection_lost(self, exc: Exception | None) -> None:
        """The transport is gone. What the client sent before still counts, however fast it came."""
        self._closing = True
        self._peers.discard(self)
        self._disarm()
        if self._socket and self.space:
            self.space.sockets.pop(self, None)
            now = self.space.clock.now()
            if self._frames.failed:
                self._socket.garbled(self._frames.failed, now)
            self._end_socket(self._socket, now, self._how_it_ended())
            self.space.settle()

    # --- uvicorn ---

    def shutdown(self) -> None:
        """The server stops. 1012 with a joined channel, as a draining Phoenix does, else 1001."""
        joined = self._socket is not None and self._socket.has_joined
        self._close(SERVICE_RESTART if joined else GOING_AWAY)
        if self._socket:
            self._socket.stop_sending()
        if self.space:
            self.space.settle()

    # --- its space ---

    def tick(self, now: float) -> None:
        """Run what is due at `now`; carry out what comes of it next."""
        if self._socket and self.space:
            try:
                self._socket.tick(now)
            except Exception as error:  # noqa: BLE001 - told in the log
                self._report_error(error, now)
            self._feed()
            self.space.wake(self)

    def finish(self, now: float, by: EndedBy) -> None:
        """The space is over, and so is the socket."""
        if self._socket:
            try:
                self._end_socket(self._socket, now, Closed(by=by))
            except Exception as error:  # noqa: BLE001 - told in the log
                self._report_error(error, now)

    def in_flight(self) -> bool:
        """Whether the client has sent what is not read yet, or the connection is about to end."""
        if self._transport is None or self._paused:
            return False
        return self._closing or self._frames.close_rcvd is not None or has_unread(self._transport)

    def strike(self, fault: Fault, now: float) -> bool:
        """A fault from outside. False when none of the speakers here is meant."""
        return self._socket is not None and self._socket.strike(fault, now)

    def next_deadline(self) -> float | None:
        """When the socket next needs a tick."""
        return self._socket.next_deadline() if self._socket else None

    def carry_out(self) -> None:
        """Carry out the socket's effects, then pause or resume the transport and set the timer."""
        socket = self._socket
        if socket is None:
            return
        self._frames.muted = socket.outbox.muted
        for effect in socket.effects():
            match effect:
                case str(text):
                    if self._frames.is_open:
                        self._frames.send_whole(self._frame(text))
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
        if self._paused is socket.flow.open:
            self._pause_or_resume(paused=not socket.flow.open)
        self._arm(socket)

    # --- receiving ---

    def _receive(self, data: bytes | memoryview) -> None:
        frames, space = self._frames, self.space
        if frames.reader.eof or self._closing:
            return
        if self._socket and space:
            self._socket.bytes_arrived(space.clock.now())
        frames.receive_data(cast(bytes, data))
        for item in frames.requests_and_messages():
            if isinstance(item, Request):
                self._shake_hands(item)
            elif space and space.ended_at is not None:
                self._spaces.frame_came(self._client_id, space)
            else:
                self._unread.append(item)
        if self._unread:
            self._feed()
        space = self.space
        if space is None:
            self._write()
            return
        space.wake(self)
        space.settle()

    def _feed(self) -> None:
        """Feed the socket what has arrived, while it reads."""
        socket, space, unread = self._socket, self.space, self._unread
        if socket is None or space is None:
            return
        while unread and socket.flow.open and not socket.ended:
            now = space.clock.now()
            try:
                socket.receive(unread.popleft(), now)
            except Exception as error:  # noqa: BLE001 - told in the log
                self._report_error(error, now)

    def _end_socket(self, socket: Socket, now: float, closed: Closed) -> None:
        while self._unread and not socket.ended:
            socket.receive(self._unread.popleft(), now)
        if not socket.ended:
            self._unsent += sum(isinstance(effect, str) for effect in socket.effects())
        socket.closed(now, replace(closed, unsent=self._unsent))

    def _how_it_ended(self) -> Closed:
        if self._frames.close_sent and not self._frames.close_rcvd_then_sent:
            return Closed(by=EndedBy.SERVER_STOPPED)
        if self._frames.close_rcvd is None:
            return Closed(by=EndedBy.LOST)
        return Closed(by=EndedBy.CLIENT, code=self._frames.close_rcvd.code)

    def _report_error(self, error: Exception, now: float) -> None:
        """An error of ours is told in the log and ends this socket as a crash does, and no other."""
        logger.exception("a defect of uhlive-mock ended a socket; please report it", exc_info=error)
        if self._socket and self.space:
            self.space.journal.note(Defect(trace=trace_of(error)), now)
            self._socket.failed(now)

    def _pause_or_resume(self, *, paused: bool) -> None:
        if self._transport is None or self._closing or self._transport.is_closing():
            return
        self._paused = paused
        if paused:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    # --- the handshake ---

    def _shake_hands(self, request: Request) -> None:
        answer = check_handshake(request, self._spaces)
        if isinstance(answer, Refusal):
            refuse(self._frames, answer)
        elif answer is not None:
            self._admit(answer)
            accept(self._frames, answer)

    def _admit(self, admitted: Admitted[Caller]) -> None:
        space = self.space = admitted.caller.space
        self._frames.max_message_size = space.behaviour.max_frame
        self._client_id = admitted.caller.account.client_id
        number, now = self._spaces.number(), space.clock.now()
        self._socket = Socket(
            space=space,
            account=admitted.caller.account,
            framing=admitted.framing,
            now=now,
            number=number,
            wake=lambda: space.wake(self),
        )
        space.sockets[self] = None
        space.journal.note(Opened(framing=admitted.framing), now, socket=number)

    # --- sending ---

    def _close(self, code: int) -> None:
        if self._frames.is_open:
            self._frames.send_close(code)
            self._write()
            self._start_close_timeout()
        elif self._transport:
            self._transport.close()

    def _frame(self, text: str) -> bytes:
        """The frame of a text: one object for all sockets that get the text now, however long each queues it."""
        frames = self.space.frames if self.space else {}
        frame = frames.get(text)
        if frame is None:
            frame = frames[text] = text_frame(text)
        return frame

    def _write(self) -> None:
        queue = self._queue
        if queue is None:
            return
        if frames := self._frames.data_to_send():
            queue.put(frames)
        if not queue.waiting and not queue.ending:
            return
        # An end is never held back: after it nothing would come and write it.
        held = self._socket is not None and not (self._socket.writing or self._socket.ended)
        if queue.size > MAX_BACKLOG:
            self._abort()
        elif held:
            return
        elif queue.flush():
            self._hang_up()
        elif queue.ending:
            self._closing = True
            self._start_close_timeout()

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
            self._start_close_timeout()

    def _start_close_timeout(self) -> None:
        """Cut the connection soon, however little of what it was sent the client has read by then."""
        self._disarm()
        self._timer = self._loop.call_later(CLOSE_TIMEOUT_S, self._abort)

    def _abort(self) -> None:
        if self._transport:
            self._closing = True
            self._transport.abort()

    # --- the timer ---

    def rearm(self) -> None:
        """Set the timer anew: the clock jumped."""
        if self._timer_deadline is not None and self._socket:
            self._disarm()
            self._arm(self._socket)

    def _arm(self, socket: Socket) -> None:
        if self._closing or self.space is None or not self._frames.is_open:
            return
        if self.space.follow_audio:
            self._arm_in_real_time(socket, self.space.clock)
            return
        deadline = socket.next_deadline()
        if deadline is None or (self._timer_deadline is not None and self._timer_deadline <= deadline):
            # It rings in time, finds nothing due, and is set anew; most deadlines move on with every frame.
            return
        self._disarm()
        delay = self.space.clock.real_delay(deadline)
        if delay is not None:
            self._timer_deadline = deadline
            self._timer = self._loop.call_later(delay, self._ring)

    def _arm_in_real_time(self, socket: Socket, clock: Clock) -> None:
        """On a clock that audio drives: at once for what is due, else when real time ends a wait."""
        deadline = socket.next_deadline()
        delay = None if deadline is None else clock.real_delay(deadline)
        real = socket.real_deadline()
        if delay is None and real != _NEVER:
            delay = max(0.0, real - clock.real())
        self._disarm()
        if delay is not None:
            self._timer_deadline = deadline
            self._timer = self._loop.call_later(delay, self._ring)

    def _ring(self) -> None:
        self._timer = self._timer_deadline = None
        if self.space:
            self.tick(self.space.clock.now())
            self.space.settle()

    def _disarm(self) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = self._timer_deadline = None


def check_handshake(request: Request, spaces: Spaces) -> Admitted[Caller] | Refusal | None:
    """Whether a request becomes a socket; None when a fault leaves it hanging."""
    if not is_socket_path(request.path):
        return Refusal(status=404, body="Not Found", why="no socket at this path")
    headers: dict[str, list[str]] = {}
    for name, value in request.headers.raw_items():
        headers.setdefault(name.lower(), []).append(value)
    upgrade = Upgrade(
        method=request.method,
        target=request.path,
        http_version=request.protocol.removeprefix("HTTP/"),
        headers=headers,
    )
    answer = check_upgrade(upgrade, spaces.admit, refused_status=spaces.refused_status)
    if isinstance(answer, Refusal):
        return answer
    space = answer.caller.space
    match space.faults.take(Stage.HANDSHAKE, space.clock.now()):
        case Fault(kind=FaultKind.HANDSHAKE_STATUS, value=int(status)) as fault:
            return Refusal(status=status, why=str(fault))
        case Fault():
            return None
    return answer


def refuse(frames: Frames, refusal: Refusal) -> None:
    """Answer with the status and body of a refusal."""
    response = frames.reject(refusal.status, refusal.body)
    response.headers.update(_NEVER_CACHED)
    frames.send_response(response)


def accept(frames: Frames, admitted: Admitted[Caller]) -> None:
    """Answer with 101: no extension, no subprotocol."""
    headers = Headers(
        {
            "Date": formatdate(usegmt=True),
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Accept": accept_key(admitted.key),
            **_NEVER_CACHED,
        }
    )
    frames.send_response(Response(101, "Switching Protocols", headers))
