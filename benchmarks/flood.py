"""Compares the CPU that a frame costs the mock with what it costs a bare WebSocket server.

    python -m benchmarks.flood [--rounds 5] [--frames 20000] [--sockets 8] [--other PATH_OF_ANOTHER_CHECKOUT]

Every server runs in a process of its own and reads binary audio frames of 1,600 bytes as fast as it can, sent from
prepared buffers over plain sockets. The bare one is `websockets.serve()` with a handler that parses the header of
the push; ours has everything on: journal, recording, pacing, a script that says a word every ten seconds of audio.
Rounds alternate between the servers, so that the machine's mood meets all of them; what counts is the CPU time of
the server's process for each frame, and its ratio to the bare server's in the same round.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import socket
import statistics
import struct
import subprocess
import sys
from pathlib import Path

HEADER = 5
BATCH = 50
"""Frames in one prepared buffer."""

BARE = """
import asyncio, os, sys
from websockets.asyncio.server import serve

async def handle(connection):
    seen = 0
    async for data in connection:
        if isinstance(data, bytes):
            ref = 5 + data[1]; topic = ref + data[2]; event = topic + data[3]; payload = event + data[4]
            data[5:ref].decode(), data[ref:topic].decode(), data[topic:event].decode(), data[event:payload].decode()
            data[payload:]
        elif "heartbeat" in data:
            await connection.send(data)

async def main():
    async with serve(handle, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.get_running_loop().create_future()

asyncio.run(main())
"""

OURS = """
import time
from uhlive_mock import MockServer, scenario
from uhlive_mock.model.limits import Gap, GapAction, Idle, Limits, Throttle, ThrottleAction

limits = Limits(
    throttle=Throttle(action=ThrottleAction.REPORT, rate=10**9, burst=10**9), idle=Idle(after_ms=None)
)
call = scenario("flood").speaker("*").say("bonjour", at=0.2).loop(10.0).build()
with MockServer(tls_port=None) as server:
    space = server.space(client_id="acme", client_secret="secret-of-acme", scenario=call, limits=limits)
    print(server.urls["ws_url"].rpartition(":")[2], space.issue_token(expires_in=3600), flush=True)
    time.sleep(3600)
"""


class Server:
    """A server in a process of its own."""

    def __init__(self, name: str, code: str, path: str | None = None) -> None:
        self.name = name
        env = dict(os.environ)
        if path:
            env["PYTHONPATH"] = os.pathsep.join([path, str(Path(path) / "client")])
        command = ["taskset", "-c", "0", sys.executable, "-P", "-c", code]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env)  # noqa: S603
        port, *token = (self.process.stdout.readline() if self.process.stdout else "").split()
        self.port = int(port)
        self.token = token[0] if token else ""
        self.conversations = 0

    @property
    def cpu_s(self) -> float:
        """CPU time of the process so far, user and system."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def flood(self, frames: int, sockets: int) -> float:
        """Microseconds of CPU for each frame."""
        clients = []
        for _ in range(sockets):
            self.conversations += 1
            clients.append(_Client(self.port, self.token, f"conversation:acme@flood{self.conversations}"))
        before, sent = self.cpu_s, 0
        while sent < frames:
            for client in clients:
                client.tcp.sendall(client.batch)
                sent += BATCH
        for client in clients:
            client.settle()
        used = self.cpu_s - before
        for client in clients:
            client.tcp.close()
        return 1e6 * used / sent


class _Client:
    def __init__(self, port: int, token: str, topic: str) -> None:
        self.tcp = socket.create_connection(("127.0.0.1", port))
        self.tcp.settimeout(60)
        key = base64.b64encode(os.urandom(16)).decode()
        self.tcp.sendall(
            f"GET /socket/websocket?jwt={token}&vsn=2.0.0 HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\n"
            f"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
        )
        head = b""
        while b"\r\n\r\n" not in head:
            head += self.tcp.recv(4096)
        if not head.startswith(b"HTTP/1.1 101"):
            raise SystemExit(f"the server refused a socket: {head!r}")
        self.tcp.sendall(_frame(1, json.dumps(["1", "1", topic, "phx_join", {"speaker": "Alice"}]).encode()))
        fields = [text.encode() for text in ("1", "2", topic, "audio_chunk")]
        push = _frame(2, bytes([0, *map(len, fields)]) + b"".join(fields) + bytes(1600))
        self.batch = push * BATCH

    def settle(self) -> None:
        """Wait until everything sent has been read: the answer to a heartbeat comes last."""
        self.tcp.sendall(_frame(1, json.dumps([None, "last", "phoenix", "heartbeat", {}]).encode()))
        tail = b""
        while b'"last"' not in tail:
            tail = tail[-64:] + self.tcp.recv(65_536)


def _frame(opcode: int, payload: bytes) -> bytes:
    size = len(payload)
    length = bytes([0x80 | size]) if size < 126 else struct.pack("!BH", 0x80 | 126, size)
    mask = b"\x12\x34\x56\x78"
    masked = bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))
    return bytes([0x80 | opcode]) + length + mask + masked


def main() -> None:
    """Run the rounds and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--frames", type=int, default=20_000)
    parser.add_argument("--sockets", type=int, default=8)
    parser.add_argument("--other", help="another checkout, measured in the same rounds")
    given = parser.parse_args()
    here = str(Path(__file__).parent.parent)
    servers = [Server("bare", BARE), Server("ours", OURS, here)]
    if given.other:
        servers.append(Server("other", OURS, given.other))
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    found: dict[str, list[float]] = {server.name: [] for server in servers}
    try:
        for number in range(given.rounds + 1):
            for server in servers:
                cost = server.flood(given.frames if number else given.frames // 10, given.sockets)
                if number:  # the first round warms up
                    found[server.name].append(cost)
    finally:
        for server in servers:
            server.process.kill()
    for name, costs in found.items():
        ratio = statistics.median(cost / bare for cost, bare in zip(costs, found["bare"], strict=True))
        print(f"{name:<6} {statistics.median(costs):6.1f} µs a frame, {ratio:.2f} of bare")


if __name__ == "__main__":
    main()
