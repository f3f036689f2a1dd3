from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import websocket as ws
from hypothesis import settings

from uhlive_mock import MockServer
from uhlive_mock.server.space_handle import SpaceHandle

pytest_plugins = ["pytester"]

# What thirty examples do not find is for a long run: `pytest --hypothesis-profile=thorough`. A machine that is busy
# is not a defect, and a test that fails fails again.
settings.register_profile("quick", max_examples=30, derandomize=True, deadline=None)
settings.register_profile("thorough", max_examples=1000, deadline=None)
settings.load_profile("quick")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as `sdk` the tests of a module that imports the official SDK, and those that run a program on it."""
    for item in items:
        if isinstance(item, pytest.Function) and (
            "sdk_vocabulary" in item.fixturenames or imports_the_sdk(item.module)
        ):
            item.add_marker("sdk")


@cache
def imports_the_sdk(module: ModuleType) -> bool:
    """Whether a module imports the SDK for all of its tests, or for one of them."""
    origins = (getattr(value, "__module__", getattr(value, "__name__", None)) for value in vars(module).values())
    return 'importorskip("uhlive.' in Path(str(module.__file__)).read_text(encoding="utf-8") or any(
        isinstance(origin, str) and origin.partition(".")[0] == "uhlive" for origin in origins
    )


@pytest.fixture(scope="session")
def server() -> Iterator[MockServer]:
    """One server for all of these tests; each has a space of its own."""
    with MockServer() as server:
        yield server


class Peer:
    """A client on a socket of its own that says and hears plain frames, and does nothing by itself."""

    def __init__(
        self, space: SpaceHandle, speaker: str, *, conversation: str, timeout: float, room: int | None
    ) -> None:
        url = f"{space.ws_url}/socket/websocket?jwt={space.issue_token()}&vsn=2.0.0"
        self.socket = ws.create_connection(
            url,
            timeout=timeout,
            skip_utf8_validation=True,
            sockopt=[(socket.SOL_SOCKET, socket.SO_RCVBUF, room)] if room else [],
        )
        self.topic = f"conversation:{space.client_id}@{conversation}"
        self._speaker = speaker
        self._audio_head = bytes([0, 1, 1, len(self.topic), 11]) + f"12{self.topic}audio_chunk".encode()

    def say(self, event: str, payload: object = None, *, ref: str = "2", topic: str | None = None) -> None:
        """Push a message."""
        self.socket.send(json.dumps(["1", ref, topic or self.topic, event, payload or {}]))

    def audio(self, audio: bytes | int) -> None:
        """Push a chunk of audio, or so many bytes of silence."""
        self.socket.send_binary(self._audio_head + (bytes(audio) if isinstance(audio, int) else audio))

    def heartbeat(self, ref: str = "beat") -> None:
        """Send a heartbeat."""
        self.socket.send(json.dumps([None, ref, "phoenix", "heartbeat", {}]))

    def hear(self) -> list[Any]:
        """The next frame."""
        frame: list[Any] = json.loads(self.socket.recv())
        return frame

    def join(self, **options: object) -> list[Any]:
        """Join, and hear the answer."""
        self.say("phx_join", {"speaker": self._speaker, **options}, ref="1")
        return self.hear()

    def hear_until(self, name: str) -> list[str]:
        """The names of the frames up to the first of that name, which is not among them."""
        names: list[str] = []
        while (frame := self.hear())[3] != name:
            names.append(frame[3])
        return names

    def hear_all(self) -> list[str]:
        """The names of the frames that the server has sent by now, for it answers in order."""
        self.heartbeat("fence")
        names: list[str] = []
        while (frame := self.hear())[1] != "fence":
            names.append(frame[3])
        return names

    def close_code(self) -> int:
        """The code of the server's close frame, which is the next but for messages; it gives no reason."""
        while True:
            opcode, data = self.socket.recv_data(control_frame=True)
            if opcode == ws.ABNF.OPCODE_CLOSE:
                assert data[2:] == b""
                return int.from_bytes(data[:2], "big")


Dial = Callable[..., Peer]


@pytest.fixture
def dial() -> Iterator[Dial]:
    """Open a socket in a space, and join a conversation unless told not to.

    `timeout` is how long to wait for a frame, `room` how many bytes the kernel keeps for a client that is slow.
    """
    peers: list[Peer] = []

    def connect(
        space: SpaceHandle,
        speaker: str = "Alice",
        *,
        conversation: str = "conv1",
        join: bool = True,
        timeout: float = 5,
        room: int | None = None,
        **options: object,
    ) -> Peer:
        peer = Peer(space, speaker, conversation=conversation, timeout=timeout, room=room)
        peers.append(peer)
        if join:
            assert peer.join(**options)[4] == {"status": "ok", "response": {}}
        return peer

    yield connect
    for peer in peers:
        peer.socket.shutdown()
