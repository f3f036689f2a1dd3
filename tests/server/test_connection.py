"""One socket's bytes, over real TCP: what is refused, what is fatal, and whom it disturbs."""

from __future__ import annotations

import json
import socket
import ssl
import struct
from collections.abc import Iterator

import pytest
import websocket as ws
from websockets.sync.client import connect

from uhlive_mock import MockServer, scenario

TOPIC = "conversation:{client}@conv1"


@pytest.fixture
def space(server: MockServer) -> Iterator:
    call = scenario("short").speaker("*").say("bonjour tout le monde", at=0.1, until=0.5).build()
    with server.space(scenario=call, clock="audio") as space:
        yield space


def url(space, token=None, vsn="2.0.0") -> str:
    return f"{space.ws_url}/socket/websocket?jwt={token or space.issue_token()}&vsn={vsn}"


def join(space, socket, speaker="Alice") -> list:
    topic = TOPIC.format(client=space.client_id)
    socket.send(json.dumps(["1", "1", topic, "phx_join", {"speaker": speaker, "model": "fr"}]))
    return json.loads(socket.recv())


def audio(space, size: int) -> bytes:
    topic = TOPIC.format(client=space.client_id).encode()
    return bytes([0, 1, 1, len(topic), 11]) + b"12" + topic + b"audio_chunk" + bytes(size)


# --- the handshake ---


@pytest.mark.parametrize("vsn", ["3.0.0", "2.1.0", "2", ""])
def test_a_wrong_vsn_is_refused_with_403_before_the_upgrade(space, vsn):
    with pytest.raises(ws.WebSocketBadStatusException) as refused:
        ws.create_connection(url(space, vsn=vsn), timeout=5)
    assert refused.value.status_code == 403


@pytest.mark.parametrize("token", ["garbage", "a.b.c", "eyJhbGciOiJub25lIn0.e30."])
def test_a_token_that_proves_nothing_is_refused_with_an_empty_403(space, token):
    with pytest.raises(ws.WebSocketBadStatusException) as refused:
        ws.create_connection(url(space, token=token), timeout=5)
    assert refused.value.status_code == 403
    assert not refused.value.resp_body


def test_an_expired_token_is_refused(space):
    with pytest.raises(ws.WebSocketBadStatusException, match="403"):
        ws.create_connection(url(space, token=space.issue_token(expires_in=0)), timeout=5)


def test_a_token_of_another_server_is_refused(space):
    with MockServer() as elsewhere:
        foreign = elsewhere.space(client_id=space.client_id).issue_token()
    with pytest.raises(ws.WebSocketBadStatusException, match="403"):
        ws.create_connection(url(space, token=foreign), timeout=5)


def test_a_token_of_a_closed_space_is_refused(server):
    with server.space() as gone:
        token = gone.issue_token()
    with pytest.raises(ws.WebSocketBadStatusException, match="403"):
        ws.create_connection(url(gone, token=token), timeout=5)


def test_the_legacy_token_parameter_opens_a_socket_too(space):
    with connect(f"{space.ws_url}/socket/websocket?timeout=3&token={space.issue_token()}") as socket:
        topic = TOPIC.format(client=space.client_id)
        join = {"topic": topic, "event": "phx_join", "payload": {"speaker": "Alice"}, "ref": 1}
        socket.send(json.dumps(join))
        assert json.loads(socket.recv()) == {
            "topic": topic,
            "event": "phx_reply",
            "payload": {"status": "ok", "response": {}},
            "ref": 1,
        }


def test_an_open_socket_survives_its_token(space):
    with connect(url(space, token=space.issue_token(expires_in=10))) as socket:
        space.advance(11)
        assert join(space, socket)[4]["status"] == "ok"


def test_no_extension_and_no_subprotocol_is_negotiated(space):
    with connect(url(space), compression="deflate", subprotocols=["phoenix"]) as socket:
        assert "Sec-WebSocket-Extensions" not in socket.response.headers
        assert socket.subprotocol is None


def test_the_socket_path_without_an_upgrade_answers_400_and_says_why(server, space):
    host, port = str(server.urls["http_url"]).removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as raw:
        target = f"/socket/websocket?jwt={space.issue_token()}&vsn=2.0.0"
        raw.sendall(f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: raw.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"'connection' header must contain 'upgrade', got [\"close\"]" in answer


def test_an_upgrade_elsewhere_finds_nothing(space):
    with pytest.raises(ws.WebSocketBadStatusException, match="404"):
        ws.create_connection(f"{space.ws_url}/elsewhere?jwt={space.issue_token()}&vsn=2.0.0", timeout=5)


# --- hostile frames ---


def close_code(socket: ws.WebSocket) -> int:
    while True:
        opcode, data = socket.recv_data(control_frame=True)
        if opcode == ws.ABNF.OPCODE_CLOSE:
            assert data[2:] == b""  # Phoenix never gives a reason
            return int(struct.unpack("!H", data[:2])[0])


@pytest.mark.parametrize(
    ("opcode", "payload", "code"),
    [
        (ws.ABNF.OPCODE_TEXT, b"{", 1011),
        (ws.ABNF.OPCODE_TEXT, b"[1,2,3]", 1011),
        (ws.ABNF.OPCODE_TEXT, b"[" * 100_000, 1011),
        (ws.ABNF.OPCODE_BINARY, b"", 1011),
        (ws.ABNF.OPCODE_BINARY, b"\x01\x00\x00\x00\x00", 1011),
        (ws.ABNF.OPCODE_BINARY, b"\x00\xff\xff\xff\xffx", 1011),
        (ws.ABNF.OPCODE_TEXT, b"\xff\xfe", 1007),
        (ws.ABNF.OPCODE_CONT, b"stray", 1002),
    ],
)
def test_a_hostile_frame_closes_its_socket_and_no_other(space, opcode, payload, code):
    hostile = ws.create_connection(url(space), timeout=5, skip_utf8_validation=True)
    with connect(url(space)) as healthy:
        join(space, healthy, "Alice")
        join(space, hostile, "Mallory")
        assert json.loads(healthy.recv())[3] == "speaker_joined"
        hostile.send_frame(ws.ABNF(1, 0, 0, 0, opcode, 1, payload))
        assert close_code(hostile) == code
        name, payload = json.loads(healthy.recv())[3:]
        assert (name, payload["speaker"]) == ("speaker_left", "Mallory")
        healthy.send(json.dumps([None, "9", "phoenix", "heartbeat", {}]))
        assert json.loads(healthy.recv())[1] == "9"
    hostile.shutdown()


def test_a_frame_over_the_cap_is_closed_with_1009(space):
    socket = ws.create_connection(url(space), timeout=5)
    frame = ws.ABNF.create_frame(b"", ws.ABNF.OPCODE_BINARY).format()[:1]
    socket.sock.sendall(frame + b"\xff" + struct.pack("!Q", 10_000_001) + b"\0\0\0\0")
    assert close_code(socket) == 1009
    socket.shutdown()


def test_a_message_in_fragments_is_one_message(space):
    with connect(url(space)) as socket:
        topic = TOPIC.format(client=space.client_id)
        text = json.dumps(["1", "1", topic, "phx_join", {"speaker": "Éloïse"}], ensure_ascii=False)
        socket.send(text[i : i + 7] for i in range(0, len(text), 7))
        assert json.loads(socket.recv())[4] == {"status": "ok", "response": {}}


# --- audio and events ---


def test_events_come_with_the_audio_they_belong_to(space):
    with connect(url(space)) as socket:
        join(space, socket)
        socket.send(audio(space, 16 * 1000))
        names = [json.loads(socket.recv())[3] for _ in range(2)]
        assert names == ["audio_words_decoded", "audio_segment_decoded"]


@pytest.mark.parametrize("scheme", ["ws_url", "wss_url"])
def test_a_burst_of_frames_arrives_whole_and_in_order(space, scheme):
    """Larger than any read: over TLS, asyncio then fills a buffer in several steps."""
    base = url(space).replace(space.ws_url, getattr(space, scheme))
    trust = ssl.create_default_context(cafile=space.ca_file) if scheme == "wss_url" else None
    with connect(base, ssl=trust) as socket:
        join(space, socket)
        for size in range(2, 2002, 2):
            socket.send(audio(space, size))
        socket.send(json.dumps([None, "9", "phoenix", "heartbeat", {}]))
        while json.loads(socket.recv())[1] != "9":
            pass
    chunks = space.journal.messages(event="audio_chunk")
    assert [chunk.audio_bytes for chunk in chunks] == list(range(2, 2002, 2))


def test_a_vanished_speaker_leaves_the_others_a_speaker_left(space):
    with connect(url(space)) as stays:
        join(space, stays, "Alice")
        gone = ws.create_connection(url(space), timeout=5)
        join(space, gone, "Bob")
        gone.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        gone.shutdown()
        heard = [json.loads(stays.recv()) for _ in range(2)]
        assert [(frame[3], frame[4]["speaker"]) for frame in heard] == [
            ("speaker_joined", "Bob"),
            ("speaker_left", "Bob"),
        ]


def test_a_client_that_leaves_and_closes_at_once_does_no_harm(space):
    for _ in range(20):
        socket = ws.create_connection(url(space), timeout=5)
        topic = TOPIC.format(client=space.client_id)
        join(space, socket)
        socket.send(json.dumps(["1", "2", topic, "phx_leave", {}]))
        socket.close()
    with connect(url(space)) as socket:
        assert join(space, socket)[4]["status"] == "ok"


# --- stopping ---


def test_a_stopping_server_closes_joined_sockets_with_1012_and_others_with_1001():
    server = MockServer().start()
    space = server.space()
    joined, idle = (ws.create_connection(url(space), timeout=5) for _ in range(2))
    join(space, joined)
    server.stop()
    assert [close_code(joined), close_code(idle)] == [1012, 1001]
    joined.shutdown()
    idle.shutdown()
