"""The transport of one socket: bytes in, bytes out, one timer.

uvicorn parses the HTTP request and hands the transport over at the upgrade; from there on `websockets`'
sans-I/O `ServerProtocol` turns bytes into frames and a `Session` turns messages into effects.

Every callback ends in the same funnel, `_settle`: carry out the effects of every socket that has any (an
event for one participant is an event for all), write, and re-arm the one timer. There is no task per
connection, so there is nothing to cancel.

Reads land in one reused buffer: the buffer a plain protocol allocates for each read costs more than parsing
the frame in it.
"""

from __future__ import annotations

import asyncio
import logging
from email.utils import formatdate
from typing import Any, cast

from websockets.datastructures import Headers
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.utils import accept_key

from ..protocol.handshake import Admitted, Refusal, Upgrade, check_upgrade, is_socket_path
from ..protocol.journal import Kind
from ..protocol.session import Close, Session
from .world import Caller, HostedSpace, World

READ_SIZE = 65_536
CLOSE_PATIENCE_S = 1.0
"""How long to wait for the client's half of a closing handshake before cutting the connection."""
MAX_BACKLOG = 16 * 1024 * 1024
"""Bytes queued for a client that does not read; past that its connection is cut."""

GOING_AWAY = 1001
SERVICE_RESTART = 1012

# websockets logs request lines at DEBUG and those carry the token, so it gets a logger that says nothing.
_SILENT = logging.Logger("uhlive_mock.silent", logging.CRITICAL + 1)
_EMPTY_HEADERS = {"cache-control": "max-age=0, private, must-revalidate"}


class _Frames(ServerProtocol):
    """Frames and handshake of one socket; like Phoenix, it never gives a close reason."""

    def fail(self, code: int, reason: str = "") -> None:
        super().fail(code)


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
        self._frames = _Frames(max_size=None, logger=_SILENT)
        self._view = memoryview(bytearray(READ_SIZE))
        self._fragments: list[bytes] = []
        self._fragments_are_text = False
        self._session: Session | None = None
        self._hosted: HostedSpace | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_deadline: float | None = None
        self._closing = False

    # --- asyncio ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport over."""
        self._transport = cast(asyncio.Transport, transport)
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

    def eof_received(self) -> None:
        """The client half-closed; a real server closes without a close frame."""

    def connection_lost(self, exc: Exception | None) -> None:
        """The transport is gone."""
        self._peers.discard(self)
        self._disarm()
        if self._session and self._hosted:
            self._hosted.sockets.pop(self, None)
            code = self._frames.close_rcvd.code if self._frames.close_rcvd else None
            note = f"closed by the client with {code}" if code else "connection lost"
            self._session.closed(self._hosted.clock.now(), note)
        self._settle()

    # --- uvicorn ---

    def shutdown(self) -> None:
        """The server stops. 1012 with a joined channel, as a draining Phoenix does, else 1001."""
        joined = self._session is not None and self._session.has_joined
        self._close(SERVICE_RESTART if joined else GOING_AWAY)
        self._settle()

    # --- world ---

    def tick(self, now: float) -> None:
        """Run what is due at `now`."""
        if self._session:
            self._session.tick(now)

    def next_deadline(self) -> float | None:
        """When the session next needs a tick."""
        return self._session.next_deadline() if self._session else None

    def carry_out(self) -> None:
        """Carry out the session's effects."""
        if self._session is None:
            return
        for effect in self._session.effects():
            match effect:
                case str(text):
                    if self._frames.state is State.OPEN:
                        self._frames.send_text(text.encode())
                case Close(code=code):
                    # Phoenix: the process died, so nobody waits for the client's close frame.
                    self._frames.fail(code)
        self._write()
        self._arm()

    # --- inside ---

    def _receive(self, data: bytes | memoryview) -> None:
        if self._frames.reader.eof or self._closing:
            return
        self._frames.receive_data(cast(bytes, data))
        for event in self._frames.events_received():
            if isinstance(event, Request):
                self._shake_hands(event)
            elif isinstance(event, Frame):
                self._take_frame(event)
        self._write()
        self._world.wake(self)
        self._settle()

    def _shake_hands(self, request: Request) -> None:
        answer = self._check(request)
        if isinstance(answer, Refusal):
            response = self._frames.reject(answer.status, answer.body)
            for name, value in _EMPTY_HEADERS.items():
                response.headers[name] = value
            self._frames.send_response(response)
            return
        caller = answer.caller
        self._hosted = caller.hosted
        behaviour = self._hosted.space.behaviour
        self._frames.max_message_size = behaviour.max_frame
        number = self._world.number()
        self._session = Session(
            space=self._hosted.space,
            account=caller.account,
            framing=answer.framing,
            number=number,
            wake=lambda: self._world.wake(self),
        )
        self._hosted.sockets[self] = None
        self._hosted.space.journal.record(
            Kind.OPENED, self._hosted.clock.now(), socket=number, note=f"{answer.framing} socket opened"
        )
        headers = Headers(
            {
                "Date": formatdate(usegmt=True),
                "Upgrade": "websocket",
                "Connection": "Upgrade",
                "Sec-WebSocket-Accept": accept_key(answer.key),
                **_EMPTY_HEADERS,
            }
        )
        self._frames.send_response(Response(101, "Switching Protocols", headers))

    def _check(self, request: Request) -> Admitted[Caller] | Refusal:
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
        return check_upgrade(upgrade, self._world.admit, refused_status=self._world.refused_status)

    def _take_frame(self, frame: Frame) -> None:
        match frame.opcode:
            case Opcode.TEXT | Opcode.BINARY:
                if frame.fin:
                    self._take_message(bytes(frame.data), is_text=frame.opcode is Opcode.TEXT)
                else:
                    self._fragments = [bytes(frame.data)]
                    self._fragments_are_text = frame.opcode is Opcode.TEXT
            case Opcode.CONT:
                self._fragments.append(bytes(frame.data))
                if frame.fin:
                    whole, self._fragments = b"".join(self._fragments), []
                    self._take_message(whole, is_text=self._fragments_are_text)

    def _take_message(self, data: bytes, *, is_text: bool) -> None:
        if self._session is None or self._hosted is None or self._frames.state is not State.OPEN:
            return
        message: str | bytes = data
        if is_text:
            try:
                message = data.decode()
            except UnicodeDecodeError:
                self._frames.fail(1007)
                return
        self._session.receive(message, self._hosted.clock.now())
        if self._session.ended:
            self.carry_out()

    def _close(self, code: int) -> None:
        if self._frames.state is State.OPEN:
            self._frames.send_close(code)
            self._write()
            self._disarm()
            self._timer = self._loop.call_later(CLOSE_PATIENCE_S, self._abort)
        elif self._transport:
            self._transport.close()

    def _write(self) -> None:
        if self._transport is None:
            return
        for data in self._frames.data_to_send():
            if data:
                self._transport.write(data)
            else:
                self._closing = True
                self._transport.close()
        if self._transport.get_write_buffer_size() > MAX_BACKLOG:
            self._abort()

    def _abort(self) -> None:
        if self._transport:
            self._transport.abort()

    def _settle(self) -> None:
        self._world.settle()

    # --- the timer ---

    def _arm(self) -> None:
        if self._frames.state is not State.OPEN or self._hosted is None:
            return
        deadline = self.next_deadline()
        if deadline == self._timer_deadline and self._timer is not None:
            return
        self._disarm()
        delay = None if deadline is None else self._hosted.clock.real_delay(deadline)
        if delay is not None:
            self._timer_deadline = deadline
            self._timer = self._loop.call_later(delay, self._ring)

    def _ring(self) -> None:
        self._timer = self._timer_deadline = None
        if self._hosted:
            self.tick(self._hosted.clock.now())
        self._world.wake(self)
        self._settle()

    def _disarm(self) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = self._timer_deadline = None
