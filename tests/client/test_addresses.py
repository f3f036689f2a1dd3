"""Addresses that cannot be used are told, and never with the secrets in them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from uhlive_client import ConfigurationError, HandshakeRefused, Settings, aio, blocking

WHO = {"client_id": "acme", "client_secret": "acme-secret"}


class Elsewhere(BaseHTTPRequestHandler):
    """Sends everybody to the same address over https."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(301)
        self.send_header("Location", f"https://{self.headers['Host']}{self.path}")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def redirecting() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Elsewhere) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"ws://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def joining(url: str) -> dict[str, str]:
    return {**WHO, "url": url, "token": "SECRETTOKEN", "conversation": "conv1", "speaker": "Alice"}


def test_a_redirect_does_not_tell_the_token(redirecting):
    def knock() -> None:
        with blocking.connect(**joining(redirecting)):
            pass

    async def knock_too() -> None:
        async with aio.connect(**joining(redirecting)):
            pass

    for attempt in (knock, lambda: asyncio.run(knock_too())):
        with pytest.raises(HandshakeRefused) as refused:
            attempt()
        assert "redirects" in str(refused.value)
        assert "SECRETTOKEN" not in repr(refused.value)


@pytest.mark.parametrize(
    "url", ["wss://[bad", "wss://127.0.0.1:99999", "wss://127.0.0.1:abc", "https://h", "wss://", "h"]
)
def test_what_is_no_address_is_refused_at_once(url):
    with pytest.raises(ConfigurationError, match="expected one like wss://"):
        Settings.read(**WHO, url=url)


@pytest.mark.parametrize("server", ["[bad", "h:abc", "file:///etc/passwd", "http://", "h:99999"])
def test_nor_is_such_a_token_server(server):
    with pytest.raises(ConfigurationError, match="the token server"):
        Settings.read(**WHO, auth_server=server)


@pytest.mark.parametrize("place", [{"url": "wss://bob:hunter2@h"}, {"auth_server": "https://bob:hunter2@h"}])
def test_a_password_in_an_address_is_refused_and_not_told(place):
    with pytest.raises(ConfigurationError) as refused:
        Settings.read(**WHO, **place)
    assert "***@h" in str(refused.value)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("seconds", [float("inf"), 1e12, 0.0, float("nan")])
def test_no_wait_is_endless(seconds):
    with pytest.raises(ConfigurationError, match="timeout is"):
        blocking.connect(conversation="conv1", speaker="Alice", timeout=seconds, **WHO)
