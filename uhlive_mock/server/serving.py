"""Listening twice: one application and one socket protocol, on a plain port and on a TLS port.

Bind first, then announce: a port that is taken is reported before anything else happens. uvicorn runs each
listener; its signal handling is switched off, since whoever owns the process decides when to stop.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import functools
import os
import secrets
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import cast

import msgspec
import uvicorn
from starlette.routing import BaseRoute
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from ..errors import ConfigurationError
from ..protocol.token_endpoint import TokenEndpoint
from ..protocol.token_messages import TokenBehaviour
from .certificates import Certificates
from .connection import Connection
from .http import build_app
from .world import World

GRACE_S = 2
"""How long requests and sockets may take to end when the server stops."""

LINGER_S = 0.5
"""How long a client may take to close a kept-alive connection before it is cut; an idle TLS one never does."""


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """Where to listen. Port 0 picks a free one; no `tls_port` means no TLS."""

    host: str = "127.0.0.1"
    port: int = 0
    tls_port: int | None = 0


def bind(host: str, port: int) -> socket.socket:
    """A TCP socket that listens; connections wait until it is served.

    Raises:
        ConfigurationError: the port is taken or not allowed, or the host is none of this machine's.
    """
    if not 0 <= port <= 65_535:
        raise ConfigurationError(f"cannot listen on port {port}; expected 0 to 65535")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError, OverflowError) as error:
        raise ConfigurationError(f"cannot listen on {host!r} port {port}: {error}") from None
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(256)
        listener.setblocking(False)
    except (OSError, OverflowError) as error:
        listener.close()
        taken = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
        why = "it is already in use" if taken else str(error)
        raise ConfigurationError(f"cannot listen on {host} port {port}: {why}") from None
    return listener


class Listeners:
    """The bound sockets of a server and the URLs they have.

    Raises:
        ConfigurationError: see `bind`.
    """

    def __init__(self, address: Address) -> None:
        self._host = address.host
        self._authorities: dict[socket.socket, str] = {}
        self.plain = bind(address.host, address.port)
        self.tls: socket.socket | None = None
        if address.tls_port is not None:
            try:
                self.tls = bind(address.host, address.tls_port)
            except ConfigurationError:
                self.plain.close()
                raise

    def authority(self, listener: socket.socket) -> str:
        """`host:port` under which clients on this machine reach a listener."""
        if listener not in self._authorities:
            host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self._host, self._host)  # noqa: S104
            port = listener.getsockname()[1]
            self._authorities[listener] = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        return self._authorities[listener]

    def close(self) -> None:
        """Stop listening."""
        self.plain.close()
        if self.tls:
            self.tls.close()


class Serving:
    """A world behind its listeners.

    Build it on any thread, then run `run()` on an event loop; `on_ready` is called once both ports answer.
    """

    def __init__(self, world: World, address: Address, tokens: TokenBehaviour | None = None) -> None:
        self.world = world
        self._tokens = tokens or TokenBehaviour(realm=world.issuer.realm)
        self.listeners = Listeners(address)
        for listener in filter(None, (self.listeners.plain, self.listeners.tls)):
            self.listeners.authority(listener)
        self.instance = secrets.token_hex(4)
        self._host = address.host
        self.certificates: Certificates | None = None
        if self.listeners.tls:
            try:
                self.certificates = Certificates(self._host)
            except BaseException:
                self.listeners.close()
                raise

    @property
    def urls(self) -> dict[str, str | None]:
        """The URLs of the ready object."""
        plain = self.listeners.authority(self.listeners.plain)
        tls = self.listeners.authority(self.listeners.tls) if self.listeners.tls else None
        realm = f"/realms/{self.world.issuer.realm}/protocol/openid-connect/token"
        return {
            "http_url": f"http://{plain}",
            "https_url": tls and f"https://{tls}",
            "ws_url": f"ws://{plain}",
            "wss_url": tls and f"wss://{tls}",
            "token_url": f"https://{tls}{realm}" if tls else f"http://{plain}{realm}",
            "ca_file": str(self.certificates.ca_file) if self.certificates else None,
        }

    def env(self, client_id: str, client_secret: str) -> dict[str, str]:
        """What the official SDK and the usual transports read from the environment."""
        urls = self.urls
        env = {
            "UHLIVE_AUTH_REALM": self.world.issuer.realm,
            "UHLIVE_API_URL": str(urls["wss_url"] or urls["ws_url"]),
            "UHLIVE_API_CLIENT": client_id,
            "UHLIVE_API_SECRET": client_secret,
        }
        # S: the SDK puts https:// before it. Without TLS that must fail here, on the plain port: with no value
        # at all, the SDK would take our credentials to the real service.
        env["UHLIVE_AUTH_SERVER"] = self.listeners.authority(self.listeners.tls or self.listeners.plain)
        if self.certificates:
            names = ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "WEBSOCKET_CLIENT_CA_BUNDLE")
            env |= dict.fromkeys(names, str(self.certificates.ca_file))
            env["NODE_EXTRA_CA_CERTS"] = str(self.certificates.root_file)
        return env

    def ready(self, env: dict[str, str]) -> dict[str, object]:
        """The ready object."""
        from .. import __version__

        return {
            "ready": True,
            "pid": os.getpid(),
            "version": __version__,
            "instance": self.instance,
            **self.urls,
            "env": env,
        }

    async def run(self, stop: asyncio.Event, on_ready: Callable[[], None], control: BaseRoute) -> None:
        """Serve until `stop` is set, then close every socket and every listener."""
        endpoint = TokenEndpoint(self.world.issuer, self.world.find_account, self._tokens)
        app = build_app(self.world, endpoint, control)
        servers = [_server(self.world, app, self.listeners.plain, None)]
        if self.listeners.tls and self.certificates:
            servers.append(_server(self.world, app, self.listeners.tls, self.certificates.ssl_context()))
        try:
            await asyncio.gather(
                self._announce(servers, stop, on_ready), *(server.run_until_stopped() for server in servers)
            )
        finally:
            self.close()

    async def _announce(self, servers: list[_Server], stop: asyncio.Event, on_ready: Callable[[], None]) -> None:
        try:
            await asyncio.gather(*(server.listening.wait() for server in servers))
            on_ready()
            # The first token would otherwise wait for the realm's key to be drawn, and the loop with it.
            await asyncio.to_thread(lambda: self.world.issuer.key.key)
            await stop.wait()
        finally:
            for server in servers:
                server.should_exit = True

    def close(self) -> None:
        """Stop listening and remove the certificates."""
        self.listeners.close()
        if self.certificates:
            self.certificates.close()


def _server(world: World, app: ASGIApp, listener: socket.socket, tls: ssl.SSLContext | None) -> _Server:
    config = uvicorn.Config(
        app,
        http="h11",
        # uvicorn only ever calls it, so any callable that builds a protocol will do.
        ws=cast("type[asyncio.Protocol]", functools.partial(Connection, world)),
        lifespan="off",
        log_config=None,
        access_log=False,  # request lines of the socket carry tokens
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE_S,
        ssl_context_factory=(lambda *_: tls) if tls else None,
    )
    return _Server(config, listener)


class _Server(uvicorn.Server):
    """A uvicorn server on one bound socket that leaves signals alone and tells when it listens."""

    def __init__(self, config: uvicorn.Config, listener: socket.socket) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()
        self._listener = listener

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        asyncio.get_running_loop().call_later(LINGER_S, self._cut_idle)
        await super().shutdown(sockets)

    def _cut_idle(self) -> None:
        for connection in tuple(self.server_state.connections):
            if isinstance(connection, H11Protocol):
                connection.transport.abort()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    async def run_until_stopped(self) -> None:
        """Serve until `should_exit`."""
        await self.serve([self._listener])
