"""The token of a call: used while it is good, replaced when it is not."""

from __future__ import annotations

import asyncio
import json
import time
from base64 import urlsafe_b64encode
from urllib.parse import parse_qs

import pytest
from uhlive_client.errors import AuthenticationError, HandshakeRefused
from uhlive_client.events import Reconnected
from uhlive_client.login import Login
from uhlive_client.settings import Reconnect, Settings

from uhlive_mock.model.account import Account, User

pytestmark = pytest.mark.asyncio

ALICE = {"conversation": "conv1", "speaker": "Alice", "timeout": 5.0}


def jwt(expires_in: float, name: str = "alice") -> str:
    claims = json.dumps({"exp": time.time() + expires_in, "sub": name}).encode()
    return f"e30.{urlsafe_b64encode(claims).decode().rstrip('=')}.c2ln"


def answer(**fields: object) -> tuple[int, bytes]:
    return 200, json.dumps(fields).encode()


def grants(service) -> list[str]:
    forms = [parse_qs(request.partition(b"\r\n\r\n")[2].decode()) for request in service.token_requests]
    return [form["grant_type"][0] for form in forms]


@pytest.fixture
def ask(service):
    """A login at the small service, whose tokens are asked for in a thread."""

    def make(token: str | None = None, **changes: object):
        login = Login(Settings.read(**service.settings | changes), token=token, timeout=5)
        return login, lambda: asyncio.to_thread(login.access_token)

    return make


async def test_a_good_token_is_asked_for_once(service, ask):
    service.token_answer = answer(access_token=jwt(300), expires_in=300)
    _, token = ask()
    assert await token() == await token()
    assert grants(service) == ["client_credentials"]


async def test_an_expired_token_is_asked_for_again(service, ask):
    service.token_answer = answer(access_token=jwt(300), expires_in=0)
    _, token = ask()
    await token(), await token()
    assert grants(service) == ["client_credentials"] * 2


async def test_a_token_without_a_date_is_kept(service, ask):
    service.token_answer = answer(access_token="opaque")
    _, token = ask()
    assert [await token(), await token()] == ["opaque", "opaque"]
    assert grants(service) == ["client_credentials"]


async def test_a_refresh_token_is_used_where_there_is_one(service, ask):
    service.token_answer = answer(access_token="first", expires_in=0, refresh_token="r3fresh")
    _, token = ask(user="alice", password="pa55")
    await token(), await token()
    assert grants(service) == ["password", "refresh_token"]
    assert b"refresh_token=r3fresh" in service.token_requests[1]


async def test_a_refresh_token_that_is_refused_is_no_matter(mock_server):
    alice = User(username="Alice", password="pa55")
    account = Account(client_id="acme", client_secret="s3cret", users=(alice,))
    with mock_server.space(accounts=[account]) as space:
        settings = Settings.read(
            client_id="acme",
            client_secret="s3cret",
            user="Alice",
            password="pa55",
            auth_server=space.token_url.partition("/realms/")[0],
            ca_file=space.ca_file,
        )
        login = Login(settings, token=None, timeout=5)
        first = login.access_token()
        login._expires = 0.0  # a while later
        second = login.access_token()
        login._expires = 0.0
        space.inject("token_error", "invalid_grant")
        third = login.access_token()
        assert len({first, second, third}) == 3
        assert [fault.kind for fault in space.faults] == []


async def test_a_token_we_were_given_is_replaced_when_it_has_expired(service, ask):
    _, token = ask(jwt(-1))
    assert await token() == "token-of-acme"
    _, token = ask(good := jwt(300))
    assert await token() == good
    assert grants(service) == ["client_credentials"]


async def test_an_expired_token_is_better_than_none(service, ask):
    old = jwt(-1)
    _, token = ask(old, client_secret="")
    assert await token() == old


async def test_who_refuses_a_second_token_refuses_us(service, ask):
    service.token_answer = (401, b'{"error":"invalid_client"}')
    _, token = ask(jwt(-1))
    with pytest.raises(AuthenticationError, match="invalid_client"):
        await token()


@pytest.mark.parametrize(("status", "asked"), [(401, 2), (403, 2), (503, 1)])
async def test_a_refused_handshake_is_worth_a_second_token(connect, service, status, asked):
    service.handshake_status = status
    with pytest.raises(HandshakeRefused, match=str(status)):
        async with connect(**service.settings, **ALICE):
            pytest.fail("joined")
    assert len(service.token_requests) == asked


async def test_a_token_that_was_given_is_not_replaced_when_it_is_refused(connect, service):
    service.handshake_status = 403
    with pytest.raises(HandshakeRefused):
        async with connect(**service.settings, **ALICE, token=jwt(300)):
            pytest.fail("joined")
    assert service.token_requests == []


async def test_an_expired_token_opens_a_call_all_the_same(connect, reach, mock_server):
    with mock_server.space() as space:
        expired = space.issue_token(expires_in=0)
        async with connect(**reach(space, token=expired)) as call:
            await call.leave()


async def test_a_call_that_outlives_its_token_joins_again_with_another(connect, reach, mock_server):
    with mock_server.space(clock="manual") as space:
        again = Reconnect(first_s=0)
        async with connect(**reach(space, reconnect=again, token=space.issue_token(expires_in=1))) as call:
            space.advance(2)
            space.inject("reset")
            assert isinstance(await anext(call), Reconnected)
            await call.leave()
