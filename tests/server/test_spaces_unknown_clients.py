"""Isolation: spaces do not see each other, and whoever outlives its own reaches nobody's and is named."""

from __future__ import annotations

import json
import re
import socket as sockets
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
import websocket as ws

from uhlive_mock import MockServer, event, scenario
from uhlive_mock.protocol.journal import Kind
from uhlive_mock.server import spaces
from uhlive_mock.server.spaces import Tried

SILENCE = scenario("silence").build()


@pytest.fixture
def server() -> Iterator[MockServer]:
    """A server where nobody has come yet, and where nobody comes from another test."""
    with MockServer() as server:
        yield server


def ask_for_token(server, client_id: str, secret: str = "secret") -> requests.Response:
    url = f"{server.urls['http_url']}/realms/uhlive/protocol/openid-connect/token"
    form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
    return requests.post(url, data=form, timeout=5)


def knock(server, token: str) -> int:
    """Ask for a socket, and be refused."""
    with pytest.raises(ws.WebSocketBadStatusException) as refused:
        ws.create_connection(f"{server.urls['ws_url']}/socket/websocket?jwt={token}&vsn=2.0.0", timeout=5)
    return refused.value.status_code


# --- 200 spaces ---


def test_two_hundred_spaces_do_not_see_each_other(server, dial):
    spaces = [server.space(scenario=SILENCE, clock="audio", name=f"test {number}") for number in range(200)]
    peers = [dial(space, f"Speaker {number}") for number, space in enumerate(spaces)]
    with ThreadPoolExecutor(4) as pool:

        def live(number: int) -> None:
            peers[number].audio(2 * number)
            spaces[number].push("conv1", event("mine", number))

        list(pool.map(live, range(200)))
    for number, (space, peer) in enumerate(zip(spaces, peers, strict=True)):
        assert peer.hear()[3:] == ["mine", number]
        assert peer.hear_all() == []
        (speaker,) = space.speakers
        assert (speaker.name, len(speaker.audio)) == (f"Speaker {number}", 2 * number)
        assert [entry.payload for entry in space.journal.messages(event="mine")] == [number]
        assert {entry.speaker for entry in space.journal.messages(event="audio_chunk")} == {speaker.name}
    for space in spaces[::2]:
        space.close()
    for number, (space, peer) in enumerate(zip(spaces, peers, strict=True)):
        if number % 2:
            assert peer.hear_all() == []
            assert len(space.journal.messages(event="phx_join")) == 1
        else:
            assert peer.close_code() == 1012
    assert server.refusals == []


# --- stragglers ---


def test_a_straggler_is_refused_at_every_door_and_named(server, dial, caplog):
    gone, lives = server.space(scenario=SILENCE, name="tests/test_x.py::test_a"), server.space(scenario=SILENCE)
    peer, token = dial(gone), gone.issue_token()
    began = time.monotonic()
    gone.close()
    assert ask_for_token(server, gone.client_id, gone.client_secret).status_code == 401
    assert knock(server, token) == 403
    assert knock(server, token) == 403
    peer.audio(100), peer.heartbeat()
    assert peer.close_code() == 1012
    while len(server.stragglers) < 3 or server.stragglers[-1].count < 2:
        pass
    assert [(each.tried, each.count) for each in server.stragglers] == [
        (Tried.TOKEN, 1),
        (Tried.SOCKET, 2),
        (Tried.FRAME, 2),
    ]
    for each in server.stragglers:
        assert (each.client_id, each.space) == (gone.client_id, "tests/test_x.py::test_a")
        assert 0 <= each.after_s <= time.monotonic() - began
    owner = "belonged to 'tests/test_x.py::test_a', which"
    assert re.match(
        rf"{gone.client_id} asked for a socket 2 times; it {owner} had ended \d+\.\d s before",
        str(server.stragglers[1]),
    )
    assert re.search(rf"{gone.client_id} {owner} ended \d+\.\d s ago", caplog.text)
    assert gone.client_secret not in caplog.text
    assert token not in caplog.text
    assert lives.journal.entries() == []
    assert gone.journal.entries()[-1].kind is Kind.CLOSED


def test_an_ended_client_is_answered_like_one_that_never_was(server):
    with server.space() as gone:
        pass
    answers = [ask_for_token(server, client_id) for client_id in (gone.client_id, "never-was")]
    assert answers[0].status_code == answers[1].status_code == 401
    assert answers[0].content == answers[1].content
    assert answers[0].json()["error"] == "invalid_client"
    without_date = [{name: value for name, value in each.headers.items() if name != "date"} for each in answers]
    assert without_date[0] == without_date[1]
    assert [(stray.client_id, stray.space) for stray in server.refusals] == [
        (gone.client_id, gone.client_id),
        ("never-was", None),
    ]
    assert str(server.refusals[1]) == "'never-was' asked for a token; it belongs to no space of this server"


def test_a_frame_on_a_socket_from_before_a_reset_is_a_stragglers(server, dial):
    space = server.space(scenario=SILENCE, name="reset")
    old = dial(space, "Old")
    space.reset()
    old.audio(100)
    assert old.close_code() == 1012
    while not server.stragglers:
        pass
    assert [(stray.tried, stray.space) for stray in server.stragglers] == [(Tried.FRAME, "reset")]
    assert space.journal.entries() == []


def test_a_client_that_lives_again_is_no_straggler(server):
    server.space(client_id="acme", client_secret="secret").close()
    with server.space(client_id="acme", client_secret="secret"):
        assert ask_for_token(server, "acme").status_code == 200
    assert server.refusals == []


def test_a_secret_that_stands_where_the_client_id_should_is_not_shown(server, caplog):
    space = server.space()
    ask_for_token(server, space.client_secret, space.client_id)
    ask_for_token(server, space.issue_token())
    ask_for_token(server, "x" * 10_000)
    masked, cut = server.refusals
    assert (masked.client_id, masked.count) == ("***", 2)
    assert len(cut.client_id) < 300
    assert space.client_secret not in caplog.text
    assert "eyJ" not in caplog.text


def test_what_is_remembered_has_a_bound(server, monkeypatch):
    monkeypatch.setattr(spaces, "MOST_UNKNOWN", 3)
    monkeypatch.setattr(spaces, "MOST_ENDED", 1)
    first, second = server.space(), server.space()
    first.close(), second.close()
    for client_id in (first.client_id, second.client_id, "a", "b"):
        ask_for_token(server, client_id)
    assert [(stray.client_id, stray.space) for stray in server.refusals] == [
        (second.client_id, second.client_id),
        ("a", None),
        ("b", None),
    ]


def test_a_request_that_names_no_client_is_nobodys(server):
    url = f"{server.urls['http_url']}/realms/uhlive/protocol/openid-connect/token"
    assert requests.post(url, data={"grant_type": "client_credentials"}, timeout=5).status_code == 401
    host, port = str(server.urls["http_url"]).removeprefix("http://").split(":")
    with sockets.create_connection((host, int(port)), timeout=5) as raw:
        raw.sendall(b"GET /socket/websocket?jwt=x&vsn=2.0.0 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert raw.recv(4096).startswith(b"HTTP/1.1 403")
    assert json.dumps([str(stray) for stray in server.refusals]) == "[]"
