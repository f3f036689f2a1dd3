"""A service small enough to read, for the tests of the client: a token endpoint and a scripted socket.

Both in TLS, under an authority of the test's own. It shares no code with either package, so that the client's
codec has a witness. And `connect`, which is that of each shell in turn.
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from http import HTTPStatus
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
import soundfile as sf
import trustme
from uhlive_client import aio, blocking
from websockets.asyncio.server import Request, Response, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from uhlive_mock import MockServer

TOPIC = "conversation:acme@conv1"
TOKEN_BODY = {"access_token": "token-of-acme", "expires_in": 300, "token_type": "Bearer", "scope": ""}


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch):
    for name in (
        "UHLIVE_API_CLIENT",
        "UHLIVE_API_SECRET",
        "UHLIVE_API_USER",
        "UHLIVE_API_PASSWORD",
        "UHLIVE_API_URL",
        "UHLIVE_AUTH_SERVER",
        "UHLIVE_AUTH_REALM",
        "SSL_CERT_FILE",
        "REQUESTS_CA_BUNDLE",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("no_proxy", "*")


class Peer:
    """The service's end of one socket, speaking vsn2."""

    def __init__(self, socket: ServerConnection) -> None:
        self.socket = socket
        self.path = socket.request.path
        self.audio = b""
        self.chunks = 0

    async def read(self) -> tuple[str, str]:
        """The ref and the event of the next message; audio is kept."""
        frame = await self.socket.recv()
        if isinstance(frame, str):
            _, ref, _, event, _ = json.loads(frame)
            return ref, event
        kind, join_len, ref_len, topic_len, event_len = frame[:5]
        assert kind == 0
        ref = frame[5 + join_len : 5 + join_len + ref_len].decode()
        start = 5 + join_len + ref_len + topic_len
        self.audio += frame[start + event_len :]
        self.chunks += 1
        return ref, frame[start : start + event_len].decode()

    async def say(self, event: str, payload: object, *, refs: tuple[str | None, str | None] = (None, None)) -> None:
        await self.socket.send(json.dumps([*refs, TOPIC, event, payload]))

    async def reply(self, ref: str, status: str = "ok", response: object = None) -> None:
        await self.say("phx_reply", {"status": status, "response": response or {}}, refs=("1", ref))

    async def accept(self) -> None:
        ref, event = await self.read()
        assert event == "phx_join"
        await self.reply(ref)

    async def listen(self) -> str:
        """Take audio until the leave; the leave's ref."""
        while True:
            ref, event = await self.read()
            if event == "phx_leave":
                return ref

    async def bye(self, ref: str) -> None:
        """The end of a stay in the order of a stock Phoenix server."""
        await self.reply(ref)
        await self.say("phx_close", {}, refs=("1", "1"))
        await self.segment("bonjour")
        await self.say("speaker_left", {"speaker": "Alice", "timestamp": 1})

    async def segment(self, text: str, speaker: str = "Alice") -> None:
        await self.say("audio_segment_decoded", {"speaker": speaker, "value": text, "start": 0, "end": 330})


async def polite(peer: Peer) -> None:
    """Accept, listen, say goodbye, and let the client close."""
    await peer.accept()
    await peer.bye(await peer.listen())


class FakeService:
    """What a test sets before connecting, and what it finds afterwards."""

    def __init__(self) -> None:
        self.script: Callable[[Peer], Awaitable[None]] = polite
        self.token_answer: tuple[int, bytes] = (200, json.dumps(TOKEN_BODY).encode())
        self.handshake_status: int | None = None
        self.token_requests: list[bytes] = []
        self.peers: list[Peer] = []
        self.settings: dict[str, object] = {}

    @property
    def peer(self) -> Peer:
        (peer,) = self.peers
        return peer

    async def converse(self, socket: ServerConnection) -> None:
        peer = Peer(socket)
        self.peers.append(peer)
        try:
            await self.script(peer)
            await socket.wait_closed()
        except ConnectionClosed:
            pass

    def check_handshake(self, socket: ServerConnection, request: Request) -> Response | None:
        if self.handshake_status is None:
            return None
        return socket.respond(HTTPStatus(self.handshake_status), "")

    async def give_token(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: *(\d+)", head)
        self.token_requests.append(head + await reader.readexactly(int(length[1]) if length else 0))
        status, body = self.token_answer
        writer.write(
            b"HTTP/1.1 %d X\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % (status, len(body)) + body
        )
        await writer.drain()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority, tmp_path) -> Path:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return path


@pytest_asyncio.fixture
async def service(authority, ca_file) -> AsyncIterator[FakeService]:
    """A running service. `connect(**service.settings, ...)` reaches it; the account is acme's."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    fake = FakeService()
    async with AsyncExitStack() as stack:
        tokens = await stack.enter_async_context(
            await asyncio.start_server(fake.give_token, "127.0.0.1", 0, ssl=tls)
        )
        sockets = await stack.enter_async_context(
            serve(
                fake.converse,
                "127.0.0.1",
                0,
                ssl=tls,
                compression=None,
                process_request=fake.check_handshake,
            )
        )
        token_port = tokens.sockets[0].getsockname()[1]
        socket_port = sockets.sockets[0].getsockname()[1]
        fake.settings = {
            "client_id": "acme",
            "client_secret": "s3cret",
            "auth_server": f"127.0.0.1:{token_port}",
            "url": f"wss://127.0.0.1:{socket_port}",
            "ca_file": ca_file,
        }
        yield fake


@pytest.fixture
def tone(tmp_path) -> Callable[..., Path]:
    """A function that writes a sound file: a sine, in as many channels as asked."""

    def write(seconds=0.2, *, rate=8000, channels=1, hz=440.0, suffix=".wav", subtype="PCM_16") -> Path:
        t = np.arange(round(seconds * rate)) / rate
        one = 0.5 * np.sin(2 * np.pi * hz * t)
        path = tmp_path / f"tone-{rate}-{channels}-{len(t)}{suffix}"
        sf.write(path, np.column_stack([one] * channels), rate, subtype=subtype)
        return path

    return write


# --- both shells ------------------------------------------------------------------------------------------


class Threaded:
    """A call of the blocking shell, for a test that is a coroutine: what would block runs in a thread."""

    def __init__(self, call: blocking.Call) -> None:
        self._call = call
        self.play = call.play

    @property
    def pacing(self):
        return self._call.pacing

    @property
    def conversation(self):
        return self._call.conversation

    async def send(self, chunk):
        await asyncio.to_thread(self._call.send, chunk)

    async def stream(self, chunks, **options):
        return await asyncio.to_thread(self._call.stream, chunks, **options)

    async def stream_and_leave(self, chunks, **options):
        return await asyncio.to_thread(self._call.stream_and_leave, chunks, **options)

    async def leave(self):
        await asyncio.to_thread(self._call.leave)

    def __aiter__(self):
        return self

    async def __anext__(self):
        event = await asyncio.to_thread(next, self._call, None)
        if event is None:
            raise StopAsyncIteration
        return event


@asynccontextmanager
async def threaded(**options) -> AsyncIterator[Threaded]:
    connecting = blocking.connect(**options)
    call = await asyncio.to_thread(connecting.__enter__)
    try:
        yield Threaded(call)
    finally:
        await asyncio.to_thread(connecting.__exit__, None, None, None)


@pytest.fixture(params=["aio", "blocking"])
def connect(request):
    """The `connect` of one shell; both are used alike."""
    return {"aio": aio.connect, "blocking": threaded}[request.param]


def converse_with_aio(settings, chunks):
    async def converse():
        async with aio.connect(**settings) as call:
            for chunk in chunks:
                await call.send(chunk)
            await call.leave()
            return [event async for event in call]

    return asyncio.run(converse())


def converse_with_blocking(settings, chunks):
    with blocking.connect(**settings) as call:
        for chunk in chunks:
            call.send(chunk)
        call.leave()
        return list(call)


@pytest.fixture(params=[converse_with_aio, converse_with_blocking], ids=["aio", "blocking"])
def converse(request):
    """Send chunks as one speaker, leave, and return every event: with one shell, and no asyncio to be seen."""
    return request.param


@pytest.fixture(scope="session")
def mock_server():
    """The mock, for tests that want a service with scenarios, rules and faults."""
    with MockServer() as server:
        yield server


@pytest.fixture(scope="session")
def reach():
    """What `connect` needs to know to reach a space of the mock as one of its speakers.

    It has a token already, unless the test is about asking for one.
    """

    def settings(space, *, speaker="Alice", tls=False, asks=False, **options):
        return {
            **({} if asks else {"token": space.issue_token()}),
            "client_id": space.client_id,
            "client_secret": space.client_secret,
            "auth_server": space.token_url.partition("/realms/")[0],
            "url": space.wss_url if tls else space.ws_url,
            "ca_file": space.ca_file,
            "conversation": "conv1",
            "speaker": speaker,
            "timeout": 5.0,
            **options,
        }

    return settings


def ours(thread: threading.Thread) -> bool:
    """Whether a thread is neither the event loop's, which keeps those of its pool, nor the mock's."""
    return not thread.name.startswith(("asyncio_", "uhlive-mock", "AnyIO"))


@pytest.fixture
def nothing_survives():
    """No thread of a call outlives the test that made it."""
    before = set(threading.enumerate())
    yield
    assert [thread for thread in threading.enumerate() if ours(thread) and thread not in before] == []


@pytest_asyncio.fixture
async def no_task_survives(nothing_survives):
    """Nor does a task."""
    before = asyncio.all_tasks()
    yield
    assert asyncio.all_tasks() - before <= {asyncio.current_task()}
