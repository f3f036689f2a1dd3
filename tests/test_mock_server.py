"""The server and its spaces as a test holds them."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator

import pytest
import requests
import websocket as ws

from uhlive_mock import Account, Behaviour, ConfigurationError, MockServer, User, scenario
from uhlive_mock.auth.endpoint import TokenBehaviour
from uhlive_mock.protocol.journal import Kind


@pytest.fixture(scope="module")
def server() -> Iterator[MockServer]:
    with MockServer() as server:
        yield server


def socket_url(space, token=None) -> str:
    return f"{space.ws_url}/socket/websocket?jwt={token or space.issue_token()}&vsn=2.0.0"


def join(space, socket, conversation="conv1", speaker="Alice") -> None:
    topic = f"conversation:{space.client_id}@{conversation}"
    socket.send(json.dumps(["1", "1", topic, "phx_join", {"speaker": speaker}]))
    assert json.loads(socket.recv())[4]["status"] == "ok"


# --- the server ---


def test_what_happened_can_be_asked_after_the_server_stopped():
    with MockServer() as server:
        space = server.space()
        socket = ws.create_connection(socket_url(space))
        join(space, socket)
        socket.close()
    assert space.journal.messages(event="phx_join")
    assert space.conversation("conv1").speaker("Alice").left_cleanly is False
    assert space.env["UHLIVE_API_CLIENT"] == space.client_id
    space.close()
    server.stop()


def test_a_server_that_was_stopped_does_not_pretend_to_start_again():
    server = MockServer().start()
    server.stop()
    with pytest.raises(ConfigurationError, match="does not start again"):
        server.start()


def test_a_server_that_was_never_started_says_so_and_frees_its_ports():
    server = MockServer()
    with pytest.raises(ConfigurationError, match="not running"):
        server.space()
    server.stop()


def test_the_realm_is_what_its_behaviour_says():
    tokens = TokenBehaviour(realm="staging", lifespan_s=60)
    user = User(username="Bob", password="secret")
    with MockServer(tokens=tokens) as server:
        space = server.space(accounts=[Account(client_id="acme", public=True, users=(user,))])
        form = {"grant_type": "password", "client_id": "acme", "username": "Bob", "password": "secret"}
        answer = requests.post(space.token_url, data=form, verify=space.ca_file)
    assert "/realms/staging/" in space.token_url
    assert space.env["UHLIVE_AUTH_REALM"] == "staging"
    assert answer.json()["expires_in"] == 60


def test_without_tls_the_sdk_finds_no_way_to_the_real_service():
    with MockServer(tls_port=None) as server:
        auth_server = server.space().env["UHLIVE_AUTH_SERVER"]
        assert auth_server == str(server.urls["http_url"]).removeprefix("http://")


# --- spaces ---


def test_a_space_without_accounts_is_refused(server):
    with pytest.raises(ConfigurationError, match="no account"):
        server.space(accounts=[])


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"clock": "sundial"}, "clock is 'sundial'; expected real or audio or manual"),
        ({"vocabulary": "latin"}, "vocabulary is 'latin'; expected legacy or universal"),
        ({"rate": -1}, "the clock's rate is -1"),
    ],
)
def test_a_bad_option_of_a_space_is_refused(server, option, message):
    with pytest.raises(ConfigurationError, match=message):
        server.space(**option)


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf")])
def test_a_clock_moves_forward_by_a_number_of_seconds(server, seconds):
    with server.space(clock="manual") as space, pytest.raises(ConfigurationError, match="advance takes"):
        space.advance(seconds)


def test_closing_a_space_closes_its_sockets_and_no_others(server):
    gone, stays = server.space(), server.space()
    sockets = [ws.create_connection(socket_url(space), timeout=5) for space in (gone, stays)]
    for space, socket in zip((gone, stays), sockets, strict=True):
        join(space, socket)
    gone.close()
    gone.close()
    _, data = sockets[0].recv_data(control_frame=True)
    assert struct.unpack("!H", data[:2]) == (1012,)
    sockets[1].send(json.dumps([None, "9", "phoenix", "heartbeat", {}]))
    assert json.loads(sockets[1].recv())[1] == "9"
    for socket in sockets:
        socket.shutdown()
    stays.close()


def test_a_refused_token_is_written_down_in_its_space_with_the_reason(server):
    with server.space(behaviour=Behaviour(refused_status=401)) as space:
        token = space.issue_token(expires_in=0)
        with pytest.raises(ws.WebSocketBadStatusException, match="401"):
            ws.create_connection(socket_url(space, token))
        (entry,) = [entry for entry in space.journal.entries() if entry.kind is Kind.REFUSED]
    assert entry.note == "the token was refused: it has expired"


def test_a_token_of_nobody_is_told_in_the_log_without_the_token(server, caplog):
    with server.space() as space, pytest.raises(ws.WebSocketBadStatusException):
        ws.create_connection(socket_url(space, "garbage"))
    assert "a request for a socket was refused" in caplog.text
    assert "garbage" not in caplog.text


def test_names_that_the_program_and_the_scenario_write_differently_are_told(server):
    call = scenario("call", match="support-*").speaker("alice").say("hello", at=0).build()
    other = scenario("other").speaker("Bob").say("hello", at=0).build()
    with server.space(scenario=[call, other]) as space:
        socket = ws.create_connection(socket_url(space))
        join(space, socket, "sales-1")
        socket.close()
        assert space.unheard == [
            "scenario 'call' spoke in no conversation: it is for 'support-*'; joined: 'sales-1'",
            "speaker 'Bob' of scenario 'other' never joined; joined: 'Alice'",
        ]


def test_utterance_ids_do_not_depend_on_who_joins_first(server):
    call = scenario("call")
    for name in ("Alice", "Bob"):
        call = call.speaker(name).segment("hello", at=0.1, until=0.5)
    seen = []
    for order in (("Alice", "Bob"), ("Bob", "Alice")):
        with server.space(scenario=call.build(), clock="audio") as space:
            ids = {}
            sockets = {name: ws.create_connection(socket_url(space)) for name in order}
            for name, socket in sockets.items():
                join(space, socket, speaker=name)
            for name, socket in sockets.items():
                topic = f"conversation:{space.client_id}@conv1".encode()
                head = bytes([0, 1, 1, len(topic), 11]) + b"12" + topic + b"audio_chunk"
                socket.send_binary(head + bytes(16_000))
                space.journal.wait_for(event="audio_segment_decoded", speaker=name)
            for entry in space.journal.messages(event="audio_segment_decoded"):
                ids[entry.speaker] = entry.payload["id"]
            for socket in sockets.values():
                socket.close()
        seen.append(ids)
    assert seen[0] == seen[1]
    assert len(set(seen[0].values())) == 2


# --- settings ---


@pytest.mark.parametrize(
    "field",
    [{"duplicate_speaker": "rejekt"}, {"max_topics": "x"}, {"phoenix": "1.7.0"}, {"refused_status": 500}],
)
def test_a_behaviour_that_does_not_exist_is_refused_when_made(field):
    with pytest.raises(ConfigurationError, match=f"Behaviour.{next(iter(field))} is"):
        Behaviour(**field)


def test_an_account_in_no_vocabulary_is_refused_when_made():
    with pytest.raises(ConfigurationError, match="expected legacy or universal"):
        Account(client_id="acme", client_secret="s", vocabulary="latin")
