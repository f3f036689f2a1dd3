"""Violations and verdicts of a running server, from real sockets and as a test asks for them."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Iterator

import pytest
import requests
import websocket as ws

from uhlive_mock import ConfigurationError, MockServer, scenario
from uhlive_mock.protocol.journal import Kind
from uhlive_mock.server.space_handle import SpaceHandle
from uhlive_mock.verification.rules import RULES, Severity


@pytest.fixture(scope="module")
def server() -> Iterator[MockServer]:
    with MockServer() as server:
        yield server


@pytest.fixture
def space(server) -> Iterator[SpaceHandle]:
    with server.space(clock="audio") as space:
        yield space


class Client:
    """A socket that joins by itself, and says what it is told."""

    def __init__(self, space: SpaceHandle) -> None:
        url = f"{space.ws_url}/socket/websocket?jwt={space.issue_token()}&vsn=2.0.0"
        self.socket = ws.create_connection(url, timeout=5)
        self.topic = f"conversation:{space.client_id}@conv1"
        self.say("1", "phx_join", {"speaker": "Alice"})
        assert self.hear()[4]["status"] == "ok"

    def say(self, ref: str, event: str, payload: object = None) -> None:
        self.socket.send(json.dumps(["1", ref, self.topic, event, payload or {}]))

    def hear(self) -> list:
        return json.loads(self.socket.recv())

    def leave(self) -> None:
        self.say("99", "phx_leave")
        while self.hear()[3] != "speaker_left":
            pass

    def gone(self) -> None:
        """Until the server has ended the connection."""
        self.socket.settimeout(5)
        try:
            while self.socket.sock.recv(4096):
                pass
        except OSError:
            pass
        self.socket.shutdown()


@pytest.fixture
def client(space) -> Iterator[Client]:
    client = Client(space)
    yield client
    client.socket.shutdown()


def masked(opcode: int, payload: bytes) -> bytes:
    """A frame of a client, masked with zeros."""
    return bytes([0x80 | opcode, 0x80 | len(payload)]) + bytes(4) + payload


def broken(space: SpaceHandle) -> list[str]:
    space.settle()
    return [violation.rule for violation in space.violations]


# --- how sockets end ---


def test_a_client_that_waits_for_its_speaker_left_and_closes_is_fine(space, client):
    client.leave()
    client.socket.close()
    assert broken(space) == []
    assert space.verdict(at_end=True).ok


def test_a_leave_and_a_close_in_one_write_prove_that_nobody_waited(space, client):
    leave = json.dumps(["1", "2", client.topic, "phx_leave", {}]).encode()
    client.socket.sock.sendall(masked(1, leave) + masked(8, struct.pack("!H", 1000)))
    client.gone()
    assert broken(space) == ["leave_without_waiting"]
    [closed] = [entry for entry in space.journal.entries() if entry.kind is Kind.CLOSED]
    assert closed.value.unsent == 3


def test_a_connection_that_is_lost_left_nobody(space, client):
    client.socket.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.socket.shutdown()
    space.journal.wait_for(kind=Kind.CLOSED)
    [violation] = space.violations
    assert (violation.rule, violation.speaker, violation.frame) == (
        "close_without_leave",
        "Alice",
        "connection lost",
    )


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (masked(1, b"nonsense"), 1011),
        (masked(1, b"\xff\xfe"), 1007),
        (masked(11, b""), 1002),
        (bytes([0x81, 0xFF]) + (20_000_000).to_bytes(8, "big") + bytes(4), 1009),
    ],
)
def test_what_is_no_message_is_a_bad_frame_and_no_close_without_a_leave(space, client, frame, code):
    client.socket.sock.sendall(frame)
    client.gone()
    closed = space.journal.wait_for(kind=Kind.CLOSED)
    assert closed.note.startswith(f"closed with {code}: ")
    assert broken(space) == ["bad_frame"]


def test_who_is_still_there_when_the_space_is_closed_had_not_left(server):
    with server.space(clock="audio") as space:
        alice = Client(space)
        assert space.verdict().ok
    [problem] = space.verdict(at_end=True).problems
    assert problem.rule == "close_without_leave"
    assert space.violations == []
    alice.socket.shutdown()


def test_nobody_is_blamed_for_the_end_of_a_server():
    with MockServer(tls_port=None) as server:
        space = server.space(clock="audio")
        alice = Client(space)
    alice.socket.shutdown()
    assert space.violations == []


def test_a_reset_forgets_what_was_wrong_and_keeps_what_is_allowed(space):
    alice = Client(space)
    alice.say("1", "phx_leave")
    alice.hear()
    assert broken(space) == ["reference_reuse"]
    space.allow("double_join")
    space.reset()
    assert space.violations == []
    alice.socket.shutdown()
    bob = Client(space)
    bob.say("2", "phx_join", {"speaker": "Alice"})
    bob.hear()
    assert broken(space) == ["double_join"]
    assert space.verdict().ok
    bob.socket.shutdown()


# --- allowing, expecting nothing ---


def test_what_is_allowed_is_left_out_of_the_verdict_but_not_of_the_violations(space, client):
    client.say("1", "phx_leave")
    client.hear()
    assert [problem.rule for problem in space.verdict().errors] == ["reference_reuse"]
    space.allow("gap", "reference_reuse")
    assert space.verdict().ok
    assert broken(space) == ["reference_reuse"]
    with pytest.raises(ConfigurationError, match=r"no rule 'dobule_join' to allow; did you mean 'double_join'\?"):
        space.allow("dobule_join")


def test_a_client_that_leaves_the_service_alone_is_as_expected(server):
    call = scenario("call").speaker("Alice").say("hello", at=1).build()
    with server.space(scenario=call) as space:
        space.expect_nothing()
        assert space.verdict(at_end=True).problems == ()


def test_a_client_that_contacts_the_service_against_expectation_fails_at_once_or_later(server):
    with server.space() as space:
        space.expect_nothing()
        form = {"grant_type": "client_credentials", "client_id": space.client_id, "client_secret": "wrong"}
        requests.post(space.token_url, data=form, verify=space.ca_file, timeout=5)
        [problem] = space.verdict().problems
        assert problem.rule == "unexpected_contact"
        with pytest.raises(AssertionError, match="the client was to leave the service alone"):
            space.expect_nothing()


def test_nothing_is_unheard_of_the_builtin_call_and_everything_of_ones_own(server):
    call = scenario("call").speaker("Alice").say("hello", at=1).build()
    with server.space() as builtin, server.space(scenario=call) as own:
        assert builtin.verdict(at_end=True).ok
        assert [problem.rule for problem in own.verdict(at_end=True).problems] == ["unheard"]


# --- time ---


def test_a_gap_in_a_jump_is_told_and_the_socket_may_then_just_close(server):
    with server.space(clock="manual") as space:
        alice = Client(space)
        space.advance(6)
        assert [alice.hear()[3], alice.hear()[3]] == ["phx_close", "speaker_left"]
        alice.socket.close()
        assert broken(space) == ["gap"]
        assert RULES["gap"].severity is Severity.ERROR
