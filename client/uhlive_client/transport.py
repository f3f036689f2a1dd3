"""What a call is held over: a WebSocket, and the link that opens, reads, replaces and closes it.

    Connector.open(token)         a `Socket`; every way in which that can fail has an error of its own
    Socket.send(frame, within)    ConnectionLost when it cannot be sent in so many seconds
    Socket.receive(within)        the next frame; TimeoutError when none comes in so many seconds
    Socket.ping()                 a question whether the pong has come
    Socket.clear                  whether what is sent now goes out at once
    Socket.close(), abort()       after the closing handshake, or at once

There is no reading task. `Link.advance` reads one frame for the task that wants to know what comes next; one task
reads at a time, and a task that had to wait for that looks first whether there is anything left to wait for. A link
that is lost and may be replaced is replaced by a task of its own, so that streaming goes on in time.

Keep-alive is the WebSocket's own pings, sent in the background whether the socket is used or not. D: the
service closes a socket that sends nothing for 60 s, and any ping counts; S: the SDK's observer does the same.
The library's own limit on how long a pong may take is off: a service that throttles our sound reads our pings as
late as the sound before them, which may be minutes. `call_state` knows how late that is.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec
from websockets.asyncio.client import ClientConnection, connect as open_websocket
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidProxy, InvalidStatus, InvalidURI

from .call_state import CallState, Ping, Send, Wait
from .conversation import State
from .errors import (
    ChannelCrashed,
    ConfigurationError,
    ConnectionLost,
    HandshakeRefused,
    Timeout,
    UhliveClientError,
    Unreachable,
)
from .login import Login
from .settings import Settings
from .wire import Framing

# Events wait here while the call is not iterated. When it is full the socket is no longer read, pongs included,
# so a small queue would lose the connection of a program that streams first and reads afterwards.
_QUEUE = 4096

_LOGGER = logging.getLogger(__name__)
# What matters is raised. At the level of debugging the library logs addresses, and ours hold the token.
_LOGGER.setLevel(logging.INFO)
_LOGGER.addHandler(logging.NullHandler())

_T = TypeVar("_T")


class Connector(msgspec.Struct, frozen=True, kw_only=True):
    """Opens sockets to one address. `timeout` is in seconds, for opening a socket and for closing it."""

    settings: Settings
    framing: Framing
    timeout: float
    ping_interval: float | None

    async def open(self, token: str) -> Socket:
        """Open a socket.

        Raises:
            ConfigurationError: the proxy of the environment cannot be used, or the certificates.
            HandshakeRefused: the service refused.
            Timeout: it did not answer in time.
            Unreachable: nothing answered, or a certificate is not trusted.
        """
        with self._failures_named():
            connection = await open_websocket(
                self.settings.socket_url(token, self.framing),
                logger=_LOGGER,
                ssl=self.settings.ssl_context() if urlsplit(self.settings.url).scheme == "wss" else None,
                compression=None,  # D: Phoenix negotiates none
                open_timeout=self.timeout,
                close_timeout=self.timeout,
                ping_interval=self.ping_interval,
                ping_timeout=None,
                max_queue=_QUEUE,
                max_size=None,
                user_agent_header="uhlive-client",
            )
        return Socket(connection, self.timeout)

    @contextmanager
    def _failures_named(self) -> Iterator[None]:
        place = urlsplit(self.settings.url).netloc
        try:
            yield
        # `from None` throughout: what is hidden holds the address, and the address the token.
        except InvalidStatus as refusal:
            raise HandshakeRefused(refusal.response.status_code) from None
        except InvalidProxy as problem:
            raise ConfigurationError(f"the proxy of the environment cannot be used: {problem.msg}") from None
        except InvalidHandshake as problem:
            raise HandshakeRefused(None, f"{place} does not answer as a WebSocket server ({problem})") from None
        except ConnectionClosed:
            raise HandshakeRefused(None, f"{place} closed the connection instead of answering") from None
        except InvalidURI:
            raise HandshakeRefused(None, f"{place} redirects to an address that is no WebSocket's") from None
        except TimeoutError:
            raise Timeout(f"socket from {place}", self.timeout) from None
        except OSError as problem:
            raise Unreachable.because(place, problem) from None
        except UnicodeError:
            raise ConfigurationError(f"the address of {place!r}: not a name of a host") from None


class Socket:
    """An open WebSocket. The module's docstring lists what it does."""

    def __init__(self, connection: ClientConnection, close_timeout: float) -> None:
        self._connection = connection
        self._close_timeout = close_timeout

    @property
    def clear(self) -> bool:
        """Whether what is sent now goes out at once."""
        return not self._connection.transport.get_write_buffer_size()

    async def send(self, frame: str | bytes, within: float) -> None:
        """Send a frame.

        Raises:
            ConnectionLost: the socket is closed, or takes nothing for so many seconds.
        """
        try:
            async with asyncio.timeout(within):
                await self._connection.send(frame)
        except TimeoutError:
            raise ConnectionLost(None, f"nothing could be sent for {within:g} s") from None
        except ConnectionClosed as closed:
            raise _loss_of(closed) from None

    async def receive(self, within: float) -> str | bytes:
        """The next frame.

        Raises:
            ConnectionLost: the socket is closed.
            TimeoutError: none came.
        """
        try:
            async with asyncio.timeout(within):
                return await self._connection.recv()
        except ConnectionClosed as closed:
            raise _loss_of(closed) from None

    async def ping(self) -> Callable[[], bool]:
        """Send a ping; the answer tells whether its pong has come.

        Raises:
            ConnectionLost: the socket is closed.
        """
        try:
            pong = asyncio.ensure_future(await self._connection.ping())
        except ConnectionClosed as closed:
            raise _loss_of(closed) from None
        return pong.done

    async def close(self) -> None:
        """Close it. Does nothing if it is closed."""
        try:
            async with asyncio.timeout(self._close_timeout):
                await self._connection.close()
        except TimeoutError:  # it takes nothing, not even that
            self.abort()
            await self._connection.wait_closed()

    def abort(self) -> None:
        """Drop the connection: a task that sends or receives fails at once."""
        self._connection.transport.abort()


def _loss_of(closed: ConnectionClosed) -> ConnectionLost:
    """How a closed socket reads to the caller. The code is the peer's, never one that we sent."""
    if closed.rcvd is not None:
        return ConnectionLost(closed.rcvd.code, closed.rcvd.reason)
    return ConnectionLost(None, closed.sent.reason if closed.sent is not None else "")


class Link:
    """The connection of a call, over one socket after another.

    A task that sends sound holds `sending`; a rejoin holds it until it is answered.
    """

    def __init__(self, state: CallState, login: Login, connector: Connector) -> None:
        self.sending = asyncio.Lock()
        self.now = asyncio.get_running_loop().time
        self._state = state
        self._login = login
        self._connector = connector
        self._socket: Socket | None = None
        self._reading = asyncio.Lock()
        self._reconnection: asyncio.Task[None] | None = None
        self._closing = False

    async def open(self) -> None:
        """Open a socket and join.

        Raises:
            UhliveClientError: everything that `Connecting` lists.
        """
        socket = self._socket = await self._connect()
        try:
            async with self.sending:
                await socket.send(self._state.join(self.now()), self._state.timeout)
                while self._state.conversation.state is State.JOINING:
                    await self._turn(socket)
        except UhliveClientError:
            await self._close_socket()
            raise

    async def send(self, frame: str | bytes, within: float) -> None:
        """Send a frame, unless the link is lost meanwhile and will be replaced.

        Raises:
            UhliveClientError: what ended the call.
        """
        socket = self._open_socket()
        try:
            await socket.send(frame, within)
        except ConnectionLost as loss:
            self._lose(loss, socket)
            self._state.check()

    async def advance(self, heard_before: int) -> None:
        """Take one turn, unless another task has heard a frame since there were `heard_before`.

        Raises:
            UhliveClientError: what ended the call.
        """
        async with self._reading:
            await self.reconnected()
            if self._state.frames_heard != heard_before:
                return
            self._state.check()
            socket = self._open_socket()
            try:
                await self._turn(socket)
            except (ChannelCrashed, ConnectionLost, Timeout) as loss:
                self._lose(loss, socket)

    async def reconnected(self) -> None:
        """Wait until the link is up again, or has been given up.

        Raises:
            ConnectionLost: it will never be, for the call is being closed.
        """
        if self._reconnection is not None:
            await asyncio.wait({self._reconnection})
        if self._state.down and self._closing:
            raise ConnectionLost(None, "it is closed")

    async def stop_reconnecting(self) -> None:
        """Open no other socket, now or later."""
        self._closing = True
        if self._reconnection is not None:
            self._reconnection.cancel()
            await asyncio.wait({self._reconnection})

    async def close(self) -> None:
        """Close the socket. Does nothing if it is closed."""
        await self.stop_reconnecting()
        await self._close_socket()

    # --- inside -------------------------------------------------------------------------------------------

    async def _turn(self, socket: Socket) -> None:
        match self._state.turn(self.now(), clear=socket.clear):
            case Wait(seconds=seconds):
                try:
                    frame = await socket.receive(seconds)
                except TimeoutError:
                    self._state.silent(self.now())
                else:
                    self._state.heard(frame, self.now())
            case Send(frame=frame):
                await socket.send(frame, self._state.timeout)
            case Ping():
                self._state.pinged(await socket.ping(), self.now())

    def _open_socket(self) -> Socket:
        if self._socket is None:
            raise ConnectionLost(None, "it is closed")
        return self._socket

    async def _connect(self) -> Socket:
        try:
            return await self._connector.open(await _in_thread(self._login.access_token))
        except HandshakeRefused as refusal:
            if not self._login.refused(refusal.status):
                raise
        return await self._connector.open(await _in_thread(self._login.access_token))

    def _lose(self, loss: UhliveClientError, socket: Socket) -> None:
        if socket is not self._socket:
            return  # it was lost before
        self._state.lost(loss, self.now())
        if not self._state.over:
            socket.abort()
        if self._state.down and self._reconnection is None and not self._closing:
            self._reconnection = asyncio.create_task(self._reconnect())

    async def _reconnect(self) -> None:
        try:
            await self._close_socket()
            while (delay := self._state.next_delay()) is not None:
                await asyncio.sleep(delay)
                try:
                    await self.open()
                except UhliveClientError as problem:
                    self._state.missed(problem)
        except Exception as defect:  # noqa: BLE001 - raised where the call is used
            self._state.give_up(defect)
        self._reconnection = None

    async def _close_socket(self) -> None:
        socket, self._socket = self._socket, None
        if socket is not None:
            await socket.close()


async def _in_thread(work: Callable[[], _T]) -> _T:
    """Do work that blocks in a thread of its own.

    Unlike a thread of the loop's pool it holds up neither the end of the loop nor that of the program, so that
    Ctrl-C does not wait for an authentication server that does not answer.
    """
    outcome: Future[_T] = Future()
    outcome.set_running_or_notify_cancel()

    def run() -> None:
        try:
            result = work()
        except BaseException as failure:  # noqa: BLE001 - raised where it is awaited
            outcome.set_exception(failure)
        else:
            outcome.set_result(result)

    thread = threading.Thread(target=run, name="uhlive-client token", daemon=True)
    thread.start()
    try:
        return await asyncio.wrap_future(outcome)
    finally:
        if outcome.done():  # and so is the thread; when this was cancelled it may go on
            thread.join()
