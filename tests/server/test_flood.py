"""A server as a program of its own, under two hundred sockets of which half never read."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import requests
import websocket as ws
from websockets.asyncio.client import ClientConnection, connect

from uhlive_mock import scenario
from uhlive_mock.scenarios.format import format_scenario
from uhlive_mock.server.connection import MAX_BACKLOG

STUCK, LISTENERS, CALLERS = 100, 10, 90
PAGE = "x" * 65_536
"""What is broadcast to everyone in the hall, once a round."""
ROUNDS = MAX_BACKLOG // len(PAGE)
CHUNK = bytes(1600)
"""0.1 s of audio: what makes one event for whoever sends it."""


class Program(NamedTuple):
    """A running `uhlive-mock serve`."""

    pid: int
    ready: dict[str, Any]

    def memory(self, field: str = "VmRSS") -> int:
        """Bytes of memory in use, or at most in use so far for `VmHWM`."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(f"{field}:"):
                return int(line.split()[1]) * 1024
        raise LookupError(field)


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    hall = scenario("hall", match="hall", latency_ms=1).throttle(action="off").gap(action="off")
    hall = hall.speaker("*").event("page", {"speaker": "Tina", "text": PAGE}, at=0.05).loop(0.1)
    calls = scenario("calls", latency_ms=1).throttle(action="off").gap(action="off")
    calls = calls.speaker("*").segment("oui", at=0.05, until=0.1).loop(0.1)
    files = []
    for built in (hall.build(), calls.build()):
        files.append(tmp_path / f"{built.name}.yaml")
        files[-1].write_text(format_scenario(built))
    command = [sys.executable, "-m", "uhlive_mock", "serve", *map(str, files)]
    options = ["--port", "0", "--no-tls", "--json", "--client", "acme:secret"]
    with subprocess.Popen([*command, *options], stdout=subprocess.PIPE) as served:
        try:
            assert served.stdout
            yield Program(served.pid, json.loads(served.stdout.readline()))
        finally:
            served.send_signal(signal.SIGTERM)


def joining(conversation: str, speaker: str, *, readonly: bool = False) -> tuple[str, str]:
    """A topic, and the text that joins it."""
    topic = f"conversation:acme@{conversation}"
    return topic, json.dumps(["1", "1", topic, "phx_join", {"speaker": speaker, "readonly": readonly}])


class Peer:
    """A client that reads what it gets."""

    def __init__(self, connection: ClientConnection, topic: str) -> None:
        self._connection = connection
        self._push = bytes([0, 1, 1, len(topic), 11]) + f"12{topic}audio_chunk".encode() + CHUNK

    async def speak(self) -> None:
        await self._connection.send(self._push)

    async def hear(self, event: str) -> None:
        while json.loads(await self._connection.recv())[3] != event:
            pass


class Crowd:
    """Everyone who reads: Tina, who speaks in the hall, her listeners, and callers in calls of their own."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._open = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Crowd:
        self.tina = await self._join("hall", "Tina")
        self.listeners = [await self._join("hall", f"L{n}", readonly=True) for n in range(LISTENERS)]
        self.callers = [await self._join(f"call{n}", f"C{n}") for n in range(CALLERS)]
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._open.aclose()

    async def _join(self, conversation: str, speaker: str, *, readonly: bool = False) -> Peer:
        connection = await self._open.enter_async_context(connect(self._url, compression=None, max_size=None))
        topic, join = joining(conversation, speaker, readonly=readonly)
        await connection.send(join)
        assert json.loads(await connection.recv())[4]["status"] == "ok"
        return Peer(connection, topic)

    async def round(self, number: int) -> float:
        """A page for the hall, a word for some of the callers; the seconds until all who read have theirs."""
        callers = self.callers[number % 10 :: 10]
        began = time.perf_counter()
        await asyncio.gather(*(peer.speak() for peer in (self.tina, *callers)))
        await asyncio.gather(
            *(peer.hear("page") for peer in (self.tina, *self.listeners)),
            *(peer.hear("audio_segment_decoded") for peer in callers),
        )
        return time.perf_counter() - began


def stuck_observer(url: str) -> ws.WebSocket:
    """A participant of the hall that never reads, and has the kernel keep little for it."""
    stuck = ws.create_connection(url, timeout=10, sockopt=[(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)])
    stuck.send(joining("hall", "Stuck", readonly=True)[1])
    assert json.loads(stuck.recv())[4]["status"] == "ok"
    return stuck


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_clients_that_never_read_cost_little_memory_and_nobody_elses_events(program):
    form = {"grant_type": "client_credentials", "client_id": "acme", "client_secret": "secret"}
    token = requests.post(program.ready["token_url"], data=form, timeout=10).json()["access_token"]
    url = f"{program.ready['ws_url']}/socket/websocket?jwt={token}&vsn=2.0.0"
    stuck: list[ws.WebSocket] = []

    async def flood() -> tuple[list[float], list[float], int]:
        async with Crowd(url) as crowd:
            calm = [await crowd.round(number) for number in range(20)]
            stuck.extend(stuck_observer(url) for _ in range(STUCK))
            before = program.memory()
            return calm, [await crowd.round(number) for number in range(ROUNDS)], before

    try:
        calm, flooded, before = asyncio.run(flood())
        grown = program.memory("VmHWM") - before
    finally:
        for each in stuck:
            each.shutdown()
    figures = {
        "grown_mb": round(grown / 1e6, 1),
        "calm_ms": round(1000 * statistics.median(calm), 1),
        "flooded_ms": round(1000 * statistics.median(flooded), 1),
        "worst_ms": round(1000 * max(flooded), 1),
    }
    print(figures)
    # What one of them may keep waiting is kept once for all of them, and once more by whoever writes it.
    assert grown < 16 * MAX_BACKLOG, figures
    # Ten times as many sockets to serve, and ten times slower at most, with room for a busy machine.
    assert statistics.median(flooded) < 40 * statistics.median(calm), figures
    assert max(flooded) < 400 * statistics.median(calm), figures
