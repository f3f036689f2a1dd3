"""The doors of a server: a plain port and a TLS port, with one application and one socket protocol behind them.

TLS for the loopback: a private authority, one certificate, and a trust store clients can be given.

The official SDK hard-codes `https://` for the token, so a client must be made to trust us, and to trust as before
the rest of the world. Three files, in a directory only we can read, say so:

    ca_file      every authority this machine trusts, and ours: for variables that *replace* a trust store
                 (SSL_CERT_FILE, REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE, WEBSOCKET_CLIENT_CA_BUNDLE)
    root_file    ours alone: for what *adds* to a trust store (NODE_EXTRA_CA_CERTS, `curl --cacert`)
    chain_file   the server's key and certificate

Measured on a small machine: importing the cryptography stack 0.1 s, once a program (the tokens share it);
making authority, certificate and files 17 ms; a server context 3 ms. Loading the 250 kB `ca_file` costs a
client 60 ms, `root_file` next to nothing.

Bind first, then announce: a port that is taken is reported before anything else happens. uvicorn runs each
listener; its signal handling is switched off, since the owner of the process decides when to stop.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import functools
import os
import re
import secrets
import socket
import ssl
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import cast

import uvicorn
from starlette.routing import BaseRoute
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from ..auth.endpoint import TokenBehaviour, TokenEndpoint
from ..errors import ConfigurationError
from .connection import Connection
from .files import JournalFile
from .http import build_app
from .spaces import Spaces

LOOPBACK = ("localhost", "127.0.0.1", "::1")
"""What every certificate names, the addresses as IP entries. S: found by running the clients, which check both."""

_TRUST_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "WEBSOCKET_CLIENT_CA_BUNDLE")
_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


class Certificates(contextlib.AbstractContextManager["Certificates"]):
    """A private authority and a certificate it signed. A context manager; `close()` removes the files.

    Args:
        hosts: names or addresses to certify besides the loopback's; empty ones are passed over.
        environ: where to look for trust stores already chosen; the process's own environment by default.

    Raises:
        ConfigurationError: a host is neither a name nor an address.
    """

    def __init__(self, *hosts: str, environ: Mapping[str, str] | None = None) -> None:
        import trustme

        authority = trustme.CA(organization_name="uhlive-mock")
        names = dict.fromkeys(filter(None, (*LOOPBACK, *hosts)))
        try:
            leaf = authority.issue_cert(*names, organization_name="uhlive-mock")
        except ValueError as error:
            raise ConfigurationError(
                f"cannot certify {', '.join(map(repr, hosts))}: {error}; expected host names or addresses"
            ) from None
        self._directory = tempfile.TemporaryDirectory(prefix="uhlive-mock-", ignore_cleanup_errors=True)
        directory = Path(self._directory.name)
        root = authority.cert_pem.bytes()
        self.ca_file = directory / "ca-bundle.pem"
        self.root_file = directory / "ca.pem"
        self.chain_file = directory / "server.pem"
        self.root_file.write_bytes(root)
        self.ca_file.write_bytes(_bundle(root, os.environ if environ is None else environ))
        self.chain_file.touch(mode=0o600)
        self.chain_file.write_bytes(leaf.private_key_and_cert_chain_pem.bytes())

    def ssl_context(self) -> ssl.SSLContext:
        """A fresh server context with the certificate loaded, for HTTP/1.1 and nothing newer."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.chain_file)
        context.set_alpn_protocols(["http/1.1"])
        # A client that reads in one thread and writes in another (websockets.sync does) can hang for good while it
        # reads a ticket: seen once in 1000 connections and less, CPython 3.11. Nobody resumes a session here.
        context.num_tickets = 0
        return context

    def close(self) -> None:
        """Remove the files. May be called again."""
        self._directory.cleanup()

    def __exit__(self, *_: object) -> None:
        self.close()


def _bundle(root: bytes, environ: Mapping[str, str]) -> bytes:
    """Every certificate of every trust store in use, each once, and ours first."""
    found = [match for store in _trust_stores(environ) for match in _CERTIFICATE.findall(store)]
    return b"\n".join(dict.fromkeys([root.strip(), *found])) + b"\n"


def _trust_stores(environ: Mapping[str, str]) -> Iterator[bytes]:
    """The contents of the stores already chosen, OpenSSL's own and certifi's, which `requests` uses."""
    import certifi

    paths = [environ.get(name) for name in _TRUST_VARIABLES]
    paths += [ssl.get_default_verify_paths().openssl_cafile, certifi.where()]
    for path in dict.fromkeys(paths):
        # A store that is gone or is a directory is left out, as OpenSSL leaves it out.
        if path and os.path.isfile(path) and os.access(path, os.R_OK):
            yield Path(path).read_bytes()


GRACE_S = 2
"""How long requests and sockets may take to end when the server stops."""

LINGER_S = 0.5
"""How long a client may take to close a kept-alive connection before it is cut; an idle TLS one never does."""


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
        is_taken = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
        why = "it is already in use" if is_taken else str(error)
        raise ConfigurationError(f"cannot listen on {host} port {port}: {why}") from None
    return listener


def _authority(host: str, listener: socket.socket) -> str:
    """`host:port` under which clients on this machine reach a listener."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    return f"{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"


class Serving:
    """Spaces behind their listeners.

    Build it on any thread, then run `run()` on an event loop; `on_ready` is called once both ports answer.

    Args:
        host: where to listen.
        port: the plain port; 0 picks a free one.
        tls_port: the TLS port; 0 picks a free one, None listens without TLS.

    Raises:
        ConfigurationError: see `bind`.
    """

    def __init__(
        self, spaces: Spaces, tokens: TokenBehaviour, *, host: str, port: int, tls_port: int | None
    ) -> None:
        self.spaces = spaces
        self._tokens = tokens
        self.instance = secrets.token_hex(4)
        self.files: list[JournalFile] = []
        """What is to be closed when nothing can be written any more."""
        with contextlib.ExitStack() as opened:
            self._plain = opened.enter_context(bind(host, port))
            self._tls = None if tls_port is None else opened.enter_context(bind(host, tls_port))
            self._certificates = opened.enter_context(Certificates(host)) if self._tls else None
            self._opened = opened.pop_all()
        plain = _authority(host, self._plain)
        tls = _authority(host, self._tls) if self._tls else None
        self._token_authority = tls or plain
        realm = f"/realms/{spaces.issuer.realm}/protocol/openid-connect/token"
        self.urls: dict[str, str | None] = {
            "http_url": f"http://{plain}",
            "https_url": tls and f"https://{tls}",
            "ws_url": f"ws://{plain}",
            "wss_url": tls and f"wss://{tls}",
            "token_url": f"https://{tls}{realm}" if tls else f"http://{plain}{realm}",
            "ca_file": str(self._certificates.ca_file) if self._certificates else None,
        }
        """The URLs of the ready object."""

    def env(self, client_id: str, client_secret: str) -> dict[str, str]:
        """What the official SDK and the usual transports read from the environment."""
        env = {
            "UHLIVE_AUTH_REALM": self.spaces.issuer.realm,
            "UHLIVE_API_URL": str(self.urls["wss_url"] or self.urls["ws_url"]),
            "UHLIVE_API_CLIENT": client_id,
            "UHLIVE_API_SECRET": client_secret,
            # S: the SDK puts https:// before it. Without TLS that must fail here, on the plain port: with no value
            # at all, the SDK would take our credentials to the real service.
            "UHLIVE_AUTH_SERVER": self._token_authority,
        }
        if self._certificates:
            env |= {
                "REQUESTS_CA_BUNDLE": str(self._certificates.ca_file),
                "SSL_CERT_FILE": str(self._certificates.ca_file),
                "WEBSOCKET_CLIENT_CA_BUNDLE": str(self._certificates.ca_file),
                "NODE_EXTRA_CA_CERTS": str(self._certificates.root_file),
            }
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
        endpoint = TokenEndpoint(self.spaces.issuer, self.spaces.find_account, self._tokens)
        app = build_app(self.spaces, endpoint, control)
        servers = [_Server(self.spaces, app, self._plain)]
        if self._tls and self._certificates:
            servers.append(_Server(self.spaces, app, self._tls, self._certificates.ssl_context()))
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
            await asyncio.to_thread(lambda: self.spaces.issuer.key.key)
            await stop.wait()
        finally:
            for server in servers:
                server.should_exit = True

    def close(self) -> None:
        """Stop listening and remove the certificates."""
        self._opened.close()


class _Server(uvicorn.Server):
    """A uvicorn server on one bound socket that leaves signals alone and tells when it listens."""

    def __init__(
        self, spaces: Spaces, app: ASGIApp, listener: socket.socket, tls: ssl.SSLContext | None = None
    ) -> None:
        config = uvicorn.Config(
            app,
            http="h11",
            # uvicorn only ever calls it, so any callable that builds a protocol will do.
            ws=cast("type[asyncio.Protocol]", functools.partial(Connection, spaces)),
            lifespan="off",
            log_config=None,
            access_log=False,  # request lines of the socket carry tokens
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=GRACE_S,
            ssl_context_factory=(lambda *_: tls) if tls else None,
        )
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
