"""Counts the Python calls of this package that one thing costs, and the files they are in.

    python -m benchmarks.calls

A connection is driven in memory, without an event loop's noise: bytes go into `Connection.buffer_updated`, as a
transport would deliver them, and what comes out is thrown away. `sys.setprofile` sees each call of a Python
function, each step of a generator among them; those whose code lies in `uhlive_mock` are our own.

    frame     one binary audio chunk on a joined channel, real clock, no event due
    push      `push` of a segment into a conversation of one
    close     `inject("close")` into it
"""

from __future__ import annotations

import asyncio
import json
import struct
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType, SimpleNamespace

import uhlive_mock
from uhlive_mock import Fault, FaultKind, segment
from uhlive_mock.model.account import Account
from uhlive_mock.model.settings import SpaceSettings
from uhlive_mock.server.connection import Connection
from uhlive_mock.server.spaces import Spaces

PACKAGE = str(Path(uhlive_mock.__file__).parent)
TOPIC = "conversation:acme@conv1"


class Tally:
    """What was called: how many times, and where."""

    def __init__(self) -> None:
        self.calls: Counter[tuple[str, str]] = Counter()
        self.others = 0

    @property
    def own(self) -> int:
        """Calls of our own."""
        return self.calls.total()

    @property
    def files(self) -> list[str]:
        """The files of ours that were entered."""
        return sorted({file for file, _ in self.calls})

    def __str__(self) -> str:
        return f"{self.own} own calls in {len(self.files)} files, {self.others} of others"


def tally(work: Callable[[], object]) -> Tally:
    """What `work` calls."""
    found = Tally()

    def see(frame: FrameType, event: str, _: object) -> None:
        if event != "call":
            return
        code = frame.f_code
        if code.co_filename.startswith(PACKAGE):
            found.calls[code.co_filename[len(PACKAGE) + 1 :], code.co_qualname] += 1
        elif code.co_filename != __file__:
            found.others += 1

    sys.setprofile(see)
    try:
        work()
    finally:
        sys.setprofile(None)
    return found


class _Transport(asyncio.Transport):
    """A transport that keeps nothing."""

    def write(self, data: object) -> None:
        pass

    def is_closing(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def close(self) -> None:
        pass

    def abort(self) -> None:
        pass


class Client:
    """A client of one connection, in memory. Build it where an event loop runs."""

    def __init__(self) -> None:
        self.spaces = Spaces()
        settings = SpaceSettings(accounts=(Account(client_id="acme", client_secret="secret"),))  # noqa: S106
        self.space = self.spaces.open(settings)
        token = self.spaces.issuer.issue(settings.account, self.space.clock.now(), issuer="http://x/realms/uhlive")
        state = SimpleNamespace(connections=set())
        self.connection = Connection(self.spaces, config=None, server_state=state, app_state=None)
        self.connection.connection_made(_Transport())
        request = f"GET /socket/websocket?jwt={token}&vsn=2.0.0 HTTP/1.1\r\n" + "\r\n".join(
            [
                "Host: x",
                "Connection: Upgrade",
                "Upgrade: websocket",
                "Sec-WebSocket-Version: 13",
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
                "\r\n",
            ]
        )
        self.connection.data_received(request.encode())
        self.deliver(_frame(1, json.dumps(["1", "1", TOPIC, "phx_join", {"speaker": "Alice"}]).encode()))

    def deliver(self, data: bytes) -> None:
        """Bytes arrive, as a transport delivers them."""
        view = self.connection.get_buffer(-1)
        view[: len(data)] = data
        self.connection.buffer_updated(len(data))

    def chunk(self, ref: int, size: int = 1600) -> bytes:
        """The frame of an audio chunk."""
        fields = [text.encode() for text in ("1", str(ref), TOPIC, "audio_chunk")]
        return _frame(2, bytes([0, *map(len, fields)]) + b"".join(fields) + bytes(size))


def _frame(opcode: int, payload: bytes) -> bytes:
    """One masked frame from a client; the mask of zeros leaves the payload as it is."""
    size = len(payload)
    length = bytes([0x80 | size]) if size < 126 else struct.pack("!BH", 0x80 | 126, size)
    return bytes([0x80 | opcode]) + length + bytes(4) + payload


async def measure() -> dict[str, Tally]:
    """The tallies of what the module's docstring lists."""
    client = Client()
    for ref in range(2, 12):
        client.deliver(client.chunk(ref))
    chunk, now = client.chunk(12), client.space.clock.now()
    pushed = segment("bonjour", speaker="Alice")
    close = Fault(kind=FaultKind.CLOSE, value=1011)

    def do_push() -> None:
        client.space.push("conv1", [pushed], now)
        client.space.settle()

    def do_close() -> None:
        client.space.inject(close)
        client.space.settle()

    return {
        "frame": tally(lambda: client.deliver(chunk)),
        "push": tally(do_push),
        "close": tally(do_close),
    }


def main() -> None:
    """Print the tallies, with each function called."""
    for name, found in asyncio.run(measure()).items():
        print(f"{name}: {found}")
        for (file, function), times in found.calls.items():
            print(f"    {times:>3}  {file:<30} {function}")


if __name__ == "__main__":
    main()
