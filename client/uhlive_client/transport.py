"""The WebSocket under a call, once for each shell: opened with every way it can fail named, and pinged.

    Door.open(token)       an `AsyncSocket`; `Door.open_blocking(token)` a `BlockingSocket`
    send(frame, within)    ConnectionLost when it cannot be sent in so many seconds
    receive(within)        the next frame; TimeoutError when none comes in so many seconds
    ping()                 a question whether the pong has come
    clear                  whether what is sent now goes out at once
    close(), abort()       after the closing handshake, or at once

Keep-alive is the WebSocket's own pings, sent in the background whether anybody uses the socket or not. D: the
service closes a socket that sends nothing for 60 s, and any ping counts; S: the SDK's observer does the same.
The library's own limit on how long a pong may take is off: a service that throttles our sound reads our pings as
late as the sound before them, which may be minutes. `core` knows how late that is.
"""

from __future__ import annotations

import asyncio
import logging
import selectors
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypedDict
from urllib.parse import urlsplit

import msgspec
from websockets.asyncio.client import ClientConnection as AsyncConnection
from websockets.asyncio.client import connect as connect_async
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidProxy, InvalidStatus, InvalidURI
from websockets.sync.client import ClientConnection as BlockingConnection
from websockets.sync.client import connect as connect_blocking

from .errors import ConfigurationError, ConnectionLost, HandshakeRefused, Timeout, Unreachable
from .settings import Settings
from .shared_tls import SharedTLS
from .wire import Framing

# Events wait here while nobody iterates. When it is full the socket is no longer read, pongs included,
# so a small queue would lose the connection of a program that streams first and reads afterwards.
_QUEUE = 4096
_LOOK_UP_S = 0.1


_LOGGER = logging.getLogger(__name__)
# What matters is raised. At the level of debugging the library logs addresses, and ours hold the token.
_LOGGER.setLevel(logging.INFO)
_LOGGER.addHandler(logging.NullHandler())


class _Terms(TypedDict):
    logger: logging.Logger
    ssl: ssl.SSLContext | None
    compression: None
    open_timeout: float
    close_timeout: float
    ping_interval: float | None
    ping_timeout: None
    max_queue: int
    max_size: None
    user_agent_header: str


class Door(msgspec.Struct, frozen=True, kw_only=True):
    """Where sockets are opened, and on what terms. `timeout` is in seconds, for opening one and for closing it."""

    settings: Settings
    framing: Framing
    timeout: float
    ping_interval: float | None

    async def open(self, token: str) -> AsyncSocket:
        """Open a socket.

        Raises:
            ConfigurationError: the proxy of the environment cannot be used, or the certificates.
            HandshakeRefused: the service refused.
            Timeout: it did not answer in time.
            Unreachable: nobody answered, or a certificate is not trusted.
        """
        with self._failures_named():
            url = self.settings.socket_url(token, self.framing)
            return AsyncSocket(await connect_async(url, **self._terms()), self.timeout)

    def open_blocking(self, token: str) -> BlockingSocket:
        """The same without asyncio."""
        with self._failures_named():
            url = self.settings.socket_url(token, self.framing)
            terms = self._terms()
            if terms["ssl"] is not None:
                terms["ssl"].sslsocket_class = SharedTLS
            # Entered here and closed by `BlockingSocket.close`: the library means it for a `with`.
            return BlockingSocket(connect_blocking(url, **terms).__enter__())

    def _terms(self) -> _Terms:
        return {
            "logger": _LOGGER,
            "ssl": self.settings.ssl_context() if urlsplit(self.settings.url).scheme == "wss" else None,
            "compression": None,  # D: Phoenix negotiates none
            "open_timeout": self.timeout,
            "close_timeout": self.timeout,
            "ping_interval": self.ping_interval,
            "ping_timeout": None,
            "max_queue": _QUEUE,
            "max_size": None,
            "user_agent_header": "uhlive-client",
        }

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


class AsyncSocket:
    """A socket for asyncio."""

    def __init__(self, connection: AsyncConnection, close_timeout: float) -> None:
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
            raise _stuck(within) from None
        except ConnectionClosed as closed:
            raise _lost(closed) from None

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
            raise _lost(closed) from None

    async def ping(self) -> Callable[[], bool]:
        """Send a ping; the answer tells whether its pong has come.

        Raises:
            ConnectionLost: the socket is closed.
        """
        try:
            pong = asyncio.ensure_future(await self._connection.ping())
        except ConnectionClosed as closed:
            raise _lost(closed) from None
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
        """Drop the connection: whoever sends or receives is told at once."""
        self._connection.transport.abort()


class BlockingSocket:
    """A socket for threads: one may receive while others send."""

    def __init__(self, connection: BlockingConnection) -> None:
        self._connection = connection

    @property
    def clear(self) -> bool:
        """Whether what is sent now goes out at once."""
        return self._has_room(0)

    def send(self, frame: str | bytes, within: float) -> None:
        """Send a frame.

        Raises:
            ConnectionLost: the socket is closed, or takes nothing for so many seconds.
        """
        until = time.monotonic() + within
        # Waiting for room first, because the library lets nobody receive while it waits for room itself.
        if not self._has_room(within):
            raise _stuck(within)
        with suppress(OSError):  # closed; `send` knows with which code
            self._connection.socket.settimeout(max(0.001, until - time.monotonic()))
        try:
            self._connection.send(frame)
        except ConnectionClosed as closed:
            raise (_stuck(within) if isinstance(closed.__cause__, TimeoutError) else _lost(closed)) from None

    def receive(self, within: float) -> str | bytes:
        """The next frame.

        Raises:
            ConnectionLost: the socket is closed.
            TimeoutError: none came.
        """
        try:
            return self._connection.recv(within)
        except ConnectionClosed as closed:
            raise _lost(closed) from None

    def ping(self) -> Callable[[], bool]:
        """Send a ping; the answer tells whether its pong has come.

        Raises:
            ConnectionLost: the socket is closed.
        """
        try:
            return self._connection.ping().is_set
        except ConnectionClosed as closed:
            raise _lost(closed) from None

    def close(self) -> None:
        """Close it, and wait for the library's threads to end. Does nothing if it is closed."""
        self._connection.close()
        self._connection.wait_closed()
        if self._connection.keepalive_thread is not None:
            self._connection.keepalive_thread.join()

    def abort(self) -> None:
        """Drop the connection: whoever sends or receives is told at once."""
        with suppress(OSError):
            # Not `SSLSocket.shutdown`, which takes TLS away from under whoever is receiving.
            socket.socket.shutdown(self._connection.socket, socket.SHUT_RDWR)

    def _has_room(self, within: float) -> bool:
        """Whether something can be sent, waiting for it so many seconds; a closed socket takes anything."""
        until = time.monotonic() + within
        with selectors.DefaultSelector() as selector:
            try:
                selector.register(self._connection.socket, selectors.EVENT_WRITE)
            except (OSError, ValueError):
                return True
            while not selector.select(max(0, min(until - time.monotonic(), _LOOK_UP_S))):
                if self._connection.socket.fileno() < 0:
                    return True  # closed by another thread, which no selector tells
                if time.monotonic() >= until:
                    return False
        return True


def _stuck(seconds: float) -> ConnectionLost:
    return ConnectionLost(None, f"nothing could be sent for {seconds:g} s")


def _lost(closed: ConnectionClosed) -> ConnectionLost:
    """How a closed socket reads to the caller. The code is the peer's, never one that we sent."""
    if closed.rcvd is not None:
        return ConnectionLost(closed.rcvd.code, closed.rcvd.reason)
    return ConnectionLost(None, closed.sent.reason if closed.sent is not None else "")
