"""The token request and its answers."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from contextlib import suppress
from urllib.parse import parse_qsl

import pytest
from hypothesis import given, strategies as st
from uhlive_client.errors import AuthenticationError
from uhlive_client.token import (
    ClientCredentials,
    Password,
    Refresh,
    Token,
    expiry,
    token_from_response,
    token_request,
)

ACME = ClientCredentials(client_id="acme", client_secret="s3cret & co")
ALICE = Password(client_id="acme", username="alice", password="pa55 word")


def test_client_credentials_are_a_form():
    request = token_request(ACME)
    assert request.url == "https://id.uh.live/realms/uhlive/protocol/openid-connect/token"
    assert dict(request.headers)["Content-Type"] == "application/x-www-form-urlencoded"
    assert parse_qsl(request.body.decode()) == [
        ("client_id", "acme"),
        ("grant_type", "client_credentials"),
        ("client_secret", "s3cret & co"),
    ]


def test_a_password_is_sent_with_the_secret_even_if_empty():
    assert parse_qsl(token_request(ALICE).body.decode(), keep_blank_values=True) == [
        ("client_id", "acme"),
        ("grant_type", "password"),
        ("client_secret", ""),
        ("username", "alice"),
        ("password", "pa55 word"),
    ]


def test_the_sdk_asks_the_same():
    auth = pytest.importorskip("uhlive.auth")
    for ours, theirs in (
        (ACME, auth.build_authentication_request("acme", "s3cret & co")),
        (ALICE, auth.build_authentication_request("acme", "", "alice", "pa55 word")),
    ):
        request = token_request(ours, auth_server=auth.SERVER, realm=auth.REALM)
        assert (request.url, dict(parse_qsl(request.body.decode(), keep_blank_values=True))) == theirs


@pytest.mark.parametrize(
    ("server", "url"),
    [
        ("localhost:8443", "https://localhost:8443/realms/r%2F1/protocol/openid-connect/token"),
        ("http://localhost:8080/", "http://localhost:8080/realms/r%2F1/protocol/openid-connect/token"),
    ],
)
def test_the_server_may_be_another_and_may_name_its_scheme(server, url):
    assert token_request(ACME, auth_server=server, realm="r/1").url == url


def test_secrets_are_not_in_a_repr():
    token = Token(access_token="t0ken", expires_in=300)
    shown = repr([ACME, ALICE, token_request(ACME), token_request(ALICE), token])
    for secret in ("s3cret", "pa55", "t0ken"):
        assert secret not in shown
    assert "acme" in shown


def test_a_token():
    body = {
        "access_token": "t",
        "expires_in": 300,
        "refresh_expires_in": 0,
        "not-before-policy": 0,
        "scope": "a b",
    }
    assert token_from_response(200, json.dumps(body).encode()) == Token(
        access_token="t", expires_in=300, scope="a b"
    )


def test_a_refusal():
    body = b'{"error":"invalid_client","error_description":"Invalid client or Invalid client credentials"}'
    with pytest.raises(AuthenticationError) as refusal:
        token_from_response(401, body)
    assert str(refusal.value) == (
        "no token: the authentication server answered 401, "
        "invalid_client: Invalid client or Invalid client credentials"
    )


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"error":4}', b"\xff", b"[" * 100_000])
def test_a_refusal_without_words(body):
    with pytest.raises(AuthenticationError, match="answered 502, no reason given"):
        token_from_response(502, body)


@pytest.mark.parametrize("body", [b"", b"{}", b'{"access_token":""}', b'{"access_token":5}', b"null"])
def test_a_success_without_token(body):
    with pytest.raises(AuthenticationError, match="access_token"):
        token_from_response(200, body)


@given(st.integers(100, 599), st.binary())
def test_any_answer_is_a_token_or_a_refusal(status, body):
    with suppress(AuthenticationError):
        assert token_from_response(status, body).access_token


def test_a_refresh_token_is_a_grant_too():
    grant = Refresh(client_id="acme", refresh_token="r3fresh", client_secret="s3cret")
    assert parse_qsl(token_request(grant).body.decode(), keep_blank_values=True) == [
        ("client_id", "acme"),
        ("grant_type", "refresh_token"),
        ("client_secret", "s3cret"),
        ("refresh_token", "r3fresh"),
    ]
    assert "r3fresh" not in repr([grant, Token(access_token="t", refresh_token="r3fresh")])


def jwt(claims: object) -> str:
    return ".".join(["e30", urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("="), "c2ln"])


@given(st.integers(0, 2**40), st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=3))
def test_a_token_says_when_it_expires(exp, others):
    assert expiry(jwt(others | {"exp": exp})) == exp


@pytest.mark.parametrize(
    "token", ["", "opaque", "a.b.c", "é.é.é", "e30.bnVsbA.c2ln", jwt({"exp": "soon"}), jwt({})]
)
def test_a_token_need_not_say_when_it_expires(token):
    assert expiry(token) is None


@given(st.text())
def test_anything_may_be_a_token(text):
    expiry(f"a.{text}.b")
