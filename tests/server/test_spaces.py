"""The registry of spaces: who is living, whose a caller is, and what went wrong in the server itself."""

from __future__ import annotations

import asyncio

import pytest
import requests
import websocket as ws

from uhlive_mock import (
    scenario,
)
from uhlive_mock.protocol.journal import Kind
from uhlive_mock.server.spaces import InternalErrors

SILENCE = scenario("silence").build()


def ask_for_token(space, **changes) -> requests.Response:
    form = {
        "grant_type": "client_credentials",
        "client_id": space.client_id,
        "client_secret": space.client_secret,
    }
    url = space.token_url.replace(
        f"https://{space.env['UHLIVE_AUTH_SERVER']}", space.ws_url.replace("ws:", "http:")
    )
    return requests.post(url, data=form | changes, timeout=5)


def test_a_space_closed_twice_does_not_end_another_of_its_client(server):
    first = server.space(client_id="acme-again", client_secret="s")
    first.close()
    with server.space(client_id="acme-again", client_secret="s") as second:
        first.close()
        assert ask_for_token(second).status_code == 200
        assert [stray for stray in server.refusals if stray.client_id == "acme-again"] == []


def test_requests_for_tokens_are_in_the_journal_of_their_space_without_secrets(server):
    with server.space() as space, server.space() as other:
        ask_for_token(space)
        ask_for_token(space, client_secret="wrong-secret")
        ask_for_token(space, grant_type="my-grant-secret")
        space.inject("token_status", 503)
        ask_for_token(space)
        entries = [entry for entry in space.journal.entries() if entry.kind is Kind.LOGIN]
        assert [entry.note for entry in entries] == [
            "client_credentials was granted",
            "client_credentials was refused with 401: unauthorized_client",
            "a grant that is not served was refused with 400: unsupported_grant_type",
            "client_credentials was refused with 503: HTTP 503",
        ]
        assert entries[0].payload == {"grant_type": "client_credentials", "status": 200, "error": None}
        assert entries[1].payload["error"] == "unauthorized_client"
        text = space.journal.to_jsonl()
        assert other.journal.entries() == []
    for secret in (space.client_secret, "wrong-secret", "my-grant-secret", "eyJ"):
        assert secret not in text


@pytest.fixture
def broken(server, monkeypatch):
    """The server, without its defects so far, and with those of a test only."""
    monkeypatch.setattr(server._serving.spaces, "errors", InternalErrors())
    return server


def test_an_exception_in_a_route_is_kept_and_told_to_its_space(broken, monkeypatch, caplog):
    space, other = broken.space(), broken.space()

    def fail(*_) -> None:
        raise RuntimeError("boom " + space.issue_token())

    monkeypatch.setattr("uhlive_mock.auth.endpoint.TokenEndpoint.respond", fail)
    assert ask_for_token(space).status_code == 500
    (trace,) = broken.defects
    assert "RuntimeError: boom ***" in trace
    assert "eyJ" not in caplog.text
    assert [entry.kind for entry in space.journal.entries()] == [Kind.DEFECT]
    assert other.journal.entries() == []


def test_an_exception_in_a_callback_of_the_loop_is_kept(broken):
    def fail() -> None:
        raise RuntimeError("in a callback")

    broken.call(lambda: asyncio.get_running_loop().call_soon(fail))
    (trace,) = broken.call(lambda: list(broken._serving.spaces.errors))
    assert "RuntimeError: in a callback" in trace


def test_an_exception_in_a_socket_is_told_to_its_space_only(broken, dial, monkeypatch):
    space = broken.space(scenario=SILENCE)
    alice = dial(space)
    monkeypatch.setattr("uhlive_mock.protocol.socket.Socket.bytes_arrived", lambda *_: 1 / 0)
    alice.heartbeat()
    with pytest.raises((ws.WebSocketException, ConnectionError)):
        alice.hear()
    assert Kind.DEFECT in [entry.kind for entry in space.journal.entries()]
    assert "ZeroDivisionError" in broken.defects[0]
