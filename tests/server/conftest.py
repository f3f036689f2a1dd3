from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest
import requests
import websocket as ws

from uhlive_mock import MockServer
from uhlive_mock.server.space_handle import SpaceHandle


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


class Control:
    """A caller of the control API that insists on a status, and on JSON."""

    def __init__(self, url: str, **headers: str) -> None:
        self.url = url
        self.session = requests.Session()
        self.session.headers.update(headers)

    def __call__(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        status: int = 200,
        headers: dict[str, str] | None = None,
        **query: object,
    ) -> Any:
        """Call `/_mock/` and `path`; the JSON that came, or the bytes of anything else."""
        url = f"{self.url}/_mock/{path}"
        answer = self.session.request(method, url, json=body, params=query, headers=headers, timeout=10)
        assert answer.status_code == status, answer.text
        is_json = answer.headers.get("content-type") == "application/json"
        return answer.json() if is_json else answer.content

    def refused(self, status: int, method: str, path: str, body: object = None, **query: object) -> str:
        """Call what is refused with a status; why."""
        error: str = self(method, path, body, status=status, **query)["error"]
        return error

    def space(self, **options: object) -> str:
        """A new space; its path."""
        return f"spaces/{quote(self('POST', 'spaces', options, status=201)['space'], safe='')}"


@pytest.fixture(scope="session")
def control(server: MockServer) -> Iterator[Control]:
    """The control API of the server."""
    control = Control(str(server.urls["http_url"]))
    with control.session:
        yield control


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
