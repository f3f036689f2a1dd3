"""The connection of a call, on both shells: kept alive, given up when it is dead, never in the way of going."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from uhlive_client.errors import ConfigurationError, ConnectionLost, HandshakeRefused, UsageError
from uhlive_client.events import Closed, Reply, Segment, SpeakerLeft
from uhlive_client.settings import Settings
from uhlive_client.transport import Connector
from uhlive_client.wire import Framing

from uhlive_mock import scenario
from uhlive_mock.model.limits import Idle, Limits, Throttle

pytestmark = [pytest.mark.asyncio, pytest.mark.usefixtures("no_task_survives")]

ALICE = {"conversation": "conv1", "speaker": "Alice", "timeout": 5.0}
CHUNK = bytes(160)
HELLO = scenario("hello", latency_ms=0).speaker("*").segment("oui", at=0, until=0.05).build()


# --- keeping it alive -------------------------------------------------------------------------------------


@pytest.mark.parametrize("alive", [{"ping_interval": 0.05}, {"ping_interval": None, "heartbeat": 0.05}], ids=str)
async def test_an_observer_keeps_its_socket_alive(connect, reach, mock_server, alive):
    with mock_server.space(scenario=HELLO, limits=Limits(idle=Idle(after_ms=200))) as space:
        async with connect(**reach(space, speaker="Bob", readonly=True, **alive)) as observer:
            heard = asyncio.ensure_future(anext(observer))
            async with connect(**reach(space, ping_interval=0.05)) as alice:
                await alice.stream([CHUNK] * 50)  # half a second, more than twice what the service waits
                await alice.leave()
            assert (await heard).speaker == "Alice"
            await observer.leave()


async def test_without_pings_the_service_closes_an_idle_socket(connect, reach, mock_server):
    with mock_server.space(limits=Limits(idle=Idle(after_ms=100))) as space:
        async with connect(**reach(space, readonly=True, ping_interval=None)) as observer:
            with pytest.raises(ConnectionLost, match="code 1000"):
                await anext(observer)


async def test_pings_go_out_though_nobody_iterates(connect, reach, mock_server):
    with mock_server.space(limits=Limits(idle=Idle(after_ms=500))) as space:
        async with connect(**reach(space, readonly=True, ping_interval=0.05)) as observer:
            # The mock's own clock says when twice the time has passed, so this sleeps for nothing else.
            await asyncio.sleep(1.2)
            await observer.leave()
            assert [type(event) async for event in observer] == [Reply, Closed]


async def test_heartbeats_are_answered_and_their_answers_are_no_events(connect, reach, mock_server):
    with mock_server.space(scenario=HELLO) as space:
        async with connect(**reach(space, heartbeat=0.02)) as call:
            call.play([CHUNK] * 20)
            events = [type(event) async for event in call]
        assert events == [Segment, Reply, Closed, SpeakerLeft]
        assert len(space.journal.messages(event="heartbeat")) >= 3


async def test_a_service_that_throttles_us_is_not_taken_for_dead(connect, reach, mock_server):
    """It reads nothing but our sound for half a second, and no ping in all that time."""
    slow = Limits(throttle=Throttle(rate=32_000, burst=1000))
    with mock_server.space(scenario=HELLO, limits=slow) as space:
        async with connect(**reach(space, timeout=0.3, ping_interval=0.02)) as call:
            call.play([bytes(1600)] * 10, rate=float("inf"))
            events = [type(event) async for event in call]
        assert events == [Segment, Reply, Closed, SpeakerLeft]


# --- giving it up -----------------------------------------------------------------------------------------


@asynccontextmanager
async def deaf(service):
    """A service that joins us and then reads nothing more."""

    async def stop_reading(peer):
        await peer.accept()
        peer.socket.transport.pause_reading()

    service.script = stop_reading
    try:
        yield
    finally:
        for peer in service.peers:
            peer.socket.transport.abort()


async def test_who_does_not_read_gives_no_sign_of_life(connect, service):
    async with deaf(service):
        async with connect(**service.settings, **ALICE | {"timeout": 0.2, "ping_interval": 0.05}) as call:
            with pytest.raises(ConnectionLost, match=r"no answer to a ping within 0\.2 s"):
                await anext(call)


async def test_leaving_the_context_takes_no_longer_than_the_timeout(connect, service):
    async with deaf(service):
        async with connect(**service.settings, **ALICE | {"timeout": 0.5}) as call:
            call.play([bytes(64_000)] * 1000, rate=float("inf"))
            began = time.monotonic()
        assert time.monotonic() - began < 4000 / 100  # the sound would take 4000 s


async def test_an_observer_is_not_kept_by_a_service_that_says_nothing(connect, service):
    async def mute(peer):
        await peer.accept()
        await peer.listen()

    service.script = mute
    async with connect(**service.settings, **ALICE | {"timeout": 0.3}, readonly=True, token="ours") as call:
        await call.leave()
        assert [event async for event in call] == []


async def test_an_observer_who_left_does_not_mind_a_closed_socket(connect, service):
    async def curt(peer):
        await peer.accept()
        await peer.listen()
        await peer.socket.close(1011)

    service.script = curt
    async with connect(**service.settings, **ALICE, readonly=True) as call:
        await call.leave()
        assert [event async for event in call] == []


async def test_what_cannot_be_sent_is_a_lost_connection(service):
    connector = Connector(
        settings=Settings.read(**service.settings), framing=Framing.VSN2, timeout=0.3, ping_interval=None
    )

    async def pause(peer):
        peer.socket.transport.pause_reading()

    async def fill() -> None:
        socket = await connector.open("ours")
        try:
            for _ in range(1000):
                await socket.send(bytes(64_000), 0.2)
        finally:
            await socket.close()

    service.script = pause
    try:
        with pytest.raises(ConnectionLost, match=r"nothing could be sent for 0\.2 s"):
            await fill()
    finally:
        for peer in service.peers:
            peer.socket.transport.abort()


# --- using it from several places -------------------------------------------------------------------------


async def test_leaving_waits_for_the_last_word_and_keeps_it_for_the_iteration(connect, service):
    async with connect(**service.settings, **ALICE) as call:
        await call.leave()
        assert call.conversation.over
        assert [type(event) async for event in call] == [Reply, Closed, Segment, SpeakerLeft]


async def test_leaving_while_somebody_iterates(connect, service):
    async with connect(**service.settings, **ALICE) as call:

        async def listen():
            return [type(event) async for event in call]

        listening = asyncio.ensure_future(listen())
        await call.leave()
        assert await listening == [Reply, Closed, Segment, SpeakerLeft]


async def test_many_send_while_one_listens(connect, reach, mock_server):
    call = scenario("many", latency_ms=0).speaker("*").loop(0.1).event("tick", {}, at=0.01).build()
    with mock_server.space(scenario=call, clock="audio") as space:
        async with connect(**reach(space)) as alice:

            async def listen():
                return [event async for event in alice]

            async def speak():
                for _ in range(50):
                    await alice.send(CHUNK)

            listening = asyncio.ensure_future(listen())
            await asyncio.gather(*(speak() for _ in range(4)))
            await alice.leave()
            events = await listening
        assert len([event for event in events if getattr(event, "name", "") == "tick"]) == 20
        assert len(space.conversation("conv1").speaker("Alice").audio) == 200 * 160
        refs = [int(entry.ref) for entry in space.journal.messages(event="audio_chunk")]
        assert refs == sorted(refs)


async def test_a_chunk_that_is_too_large_is_refused_before_it_is_sent(connect, service):
    async with connect(**service.settings, **ALICE) as call:
        for verb in (call.send, lambda chunk: call.stream([chunk])):
            with pytest.raises(UsageError, match="64001 bytes; expected at most 64000"):
                await verb(bytes(64_001))
        await call.leave()
    assert service.peer.audio == b""


@pytest.mark.parametrize("name", ["timeout", "ping_interval", "heartbeat"])
async def test_a_time_that_is_none(connect, service, name):
    with pytest.raises(ConfigurationError, match=f"{name} is 0; expected more than 0"):
        async with connect(**service.settings, **ALICE | {name: 0}):
            pytest.fail("joined")


# --- an address that leads elsewhere ----------------------------------------------------------------------


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


async def test_a_redirect_does_not_tell_the_token(connect, redirecting):
    account = {"client_id": "acme", "client_secret": "acme-secret", "token": "SECRETTOKEN"}
    with pytest.raises(HandshakeRefused) as refused:
        async with connect(url=redirecting, conversation="conv1", speaker="Alice", **account):
            pytest.fail("joined")
    assert "redirects" in str(refused.value)
    assert "SECRETTOKEN" not in repr(refused.value)


@pytest.mark.parametrize("seconds", [float("inf"), 1e12, 0.0, float("nan")])
async def test_no_wait_is_endless(connect, seconds):
    with pytest.raises(ConfigurationError, match="timeout is"):
        async with connect(
            conversation="conv1", speaker="Alice", timeout=seconds, client_id="acme", client_secret="acme-secret"
        ):
            pytest.fail("joined")
