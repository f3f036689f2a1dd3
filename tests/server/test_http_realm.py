from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest
from hypothesis import given, strategies as st
from joserfc import jwt
from joserfc.jwk import KeySet
from starlette.applications import Starlette

from uhlive_mock.auth.endpoint import TokenBehaviour, TokenEndpoint
from uhlive_mock.auth.tokens import SigningKey, TokenIssuer
from uhlive_mock.model.account import REALM_SCOPES, Account, User
from uhlive_mock.server.http import MAX_BODY, realm_routes

NOW = 1_700_000_000.0
SECRET = "open sesame"
TOKEN = "/realms/uhlive/protocol/openid-connect/token"
CERTS = "/realms/uhlive/protocol/openid-connect/certs"
DISCOVERY = "/realms/uhlive/.well-known/openid-configuration"
REALM = "/realms/uhlive"
FORM = ("content-type", "application/x-www-form-urlencoded")
SERVICE = {"grant_type": "client_credentials", "client_id": "acme", "client_secret": SECRET}

ACCOUNT = Account(client_id="acme", client_secret=SECRET, users=(User(username="Alice", password="1"),))
ISSUER = TokenIssuer(random.Random(7), key=SigningKey())


def app_for(*, clock=lambda: NOW, behaviour: TokenBehaviour | None = None, **options) -> Starlette:
    endpoint = TokenEndpoint(ISSUER, {"acme": ACCOUNT}.get, behaviour)
    return Starlette(routes=realm_routes(endpoint, clock, **options))


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        assert self.headers["content-type"] == "application/json"
        return json.loads(self.body)


def call(
    app: Starlette,
    method: str = "GET",
    path: str = REALM,
    *headers: tuple[str, str],
    body: bytes = b"",
    chunks: Iterable[dict] | None = None,
    scheme: str = "http",
    query: bytes = b"",
) -> Answer:
    """One request, straight into the application. `chunks` are the messages it receives, then silence."""
    received = iter([{"type": "http.request", "body": body}] if chunks is None else chunks)
    sent: list[dict] = []

    async def receive() -> dict:
        for message in received:
            return message
        return await asyncio.get_running_loop().create_future()

    async def send(message: dict) -> None:
        sent.append(message)

    fields = [("host", "localhost:8080"), *headers]
    if any(name == "host" for name, _ in headers):
        fields = list(headers)
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": scheme,
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query,
        "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields],
        "client": ("192.0.2.7", 4711),
        "server": ("127.0.0.1", 8080),
    }
    asyncio.run(app(scope, receive, send))
    start, *rest = sent
    return Answer(
        status=start["status"],
        headers={name.decode("latin-1").lower(): value.decode("latin-1") for name, value in start["headers"]},
        body=b"".join(message.get("body", b"") for message in rest),
    )


def post(form: dict[str, str] | bytes, *headers: tuple[str, str], **options) -> Answer:
    body = form if isinstance(form, bytes) else urlencode(form).encode()
    app = options.pop("app", None) or app_for()
    return call(app, "POST", options.pop("path", TOKEN), FORM, *headers, body=body, **options)


# --- the token endpoint ---


def test_a_form_is_answered_with_a_token():
    answer = post(SERVICE)
    assert answer.status == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["pragma"] == "no-cache"
    body = answer.json()
    assert next(iter(body)) == "access_token"
    claims = ISSUER.verify(body["access_token"], NOW)
    assert claims.azp == "acme"
    assert claims.iss == "http://localhost:8080/realms/uhlive"


def test_the_issuer_is_the_host_the_client_used():
    answer = post(SERVICE, ("host", "mock.example:8443"), scheme="https")
    claims = ISSUER.verify(answer.json()["access_token"], NOW)
    assert claims.iss == "https://mock.example:8443/realms/uhlive"


def test_the_token_says_where_the_client_is():
    payload = post(SERVICE).json()["access_token"]
    claims = jwt.decode(payload, ISSUER.key.key, algorithms=["RS256"]).claims
    assert claims["clientAddress"] == "192.0.2.7"


def test_http_basic_is_read_from_the_header():
    answer = post({"grant_type": "client_credentials"}, ("authorization", "Basic YWNtZTpvcGVuIHNlc2FtZQ=="))
    assert answer.status == 200


def test_a_body_may_come_in_pieces():
    body = urlencode(SERVICE).encode()
    chunks = [{"type": "http.request", "body": body[i : i + 7], "more_body": True} for i in range(0, len(body), 7)]
    assert post(b"", chunks=[*chunks, {"type": "http.request"}]).status == 200


def test_repeated_fields_reach_the_endpoint():
    body = urlencode([*SERVICE.items(), ("scope", "a"), ("scope", "b")]).encode()
    assert post(body).json() == {"error": "invalid_request", "error_description": "duplicated parameter"}


def test_empty_fields_are_kept():
    assert post(SERVICE | {"grant_type": ""}).json()["error"] == "unsupported_grant_type"


def test_errors_are_json_with_keycloaks_headers():
    answer = post(SERVICE | {"client_secret": "wrong"})
    assert answer.status == 401
    assert answer.headers["cache-control"] == "no-store"
    assert list(answer.json()) == ["error", "error_description"]


def test_the_realm_may_require_tls():
    app = app_for(behaviour=TokenBehaviour(require_tls=True))
    assert post(SERVICE, app=app).status == 403
    assert post(SERVICE, app=app, scheme="https").status == 200


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "QUERY", "DISPATCH", "moon"])
def test_only_post_gets_a_token(method):
    answer = call(app_for(), method, TOKEN)
    assert answer.status == 405
    assert answer.headers["allow"] == "POST, OPTIONS"
    assert answer.json() == {"error": "HTTP 405 Method Not Allowed"}


@pytest.mark.parametrize("content_type", ["application/json", "multipart/form-data; boundary=x", "", "\xff"])
def test_only_a_form_gets_a_token(content_type):
    answer = call(app_for(), "POST", TOKEN, ("content-type", content_type), body=b'{"grant_type":"password"}')
    assert answer.status == 415
    assert answer.json() == {"error": "HTTP 415 Unsupported Media Type"}


@pytest.mark.parametrize(
    "body",
    [b"\xff\xfe", b"grant_type=%ff", b"%ff=1", b"a=%ed%a0%80", b"&".join([b"a=1"] * 1001)],
)
def test_a_form_that_cannot_be_decoded_is_400(body):
    answer = post(body)
    assert answer.status == 400
    assert answer.json()["error"] == "invalid_request"


@pytest.mark.parametrize("body", [b"", b"&&&", b"===", b"%", b"%zz", b"{}", b"\x00", b"a" * MAX_BODY])
def test_an_odd_form_is_a_form_without_a_grant(body):
    assert post(body).json()["error_description"] == "Missing form parameter: grant_type"


def test_a_huge_body_is_refused_as_soon_as_it_is_too_large():
    piece = {"type": "http.request", "body": b"a" * 1024, "more_body": True}
    answer = post(b"", chunks=[piece] * 65)  # silence after that, and yet no hanging
    assert answer.status == 413
    assert "error" in answer.json()


@pytest.mark.parametrize("length", ["65537", "9" * 5000])
def test_a_huge_body_is_refused_when_announced(length):
    assert post(b"", ("content-length", length), chunks=[]).status == 413


@pytest.mark.parametrize("length", ["moon", "-1", "", "\xb2"])
def test_a_nonsense_length_is_no_concern_of_ours(length):
    assert post(SERVICE, ("content-length", length)).status == 200


def test_a_body_that_never_comes_is_given_up():
    app = app_for(body_timeout_s=0.01)
    answer = post(b"", app=app, chunks=[{"type": "http.request", "body": b"grant", "more_body": True}])
    assert answer.status == 408


def test_a_client_that_hangs_up_breaks_nothing():
    assert post(b"", chunks=[{"type": "http.disconnect"}]).status == 400


# --- clocks ---


def test_tokens_are_issued_on_the_clock():
    answer = post(SERVICE, app=app_for(clock=lambda: 5000.0))
    assert ISSUER.read(answer.json()["access_token"]).iat == 5000


def test_tokens_are_issued_on_the_clock_of_the_clients_space():
    asked = []

    def client_clock(client_id: str) -> float:
        asked.append(client_id)
        return 9000.0

    app = app_for(client_clock=client_clock)
    assert ISSUER.read(post(SERVICE, app=app).json()["access_token"]).iat == 9000
    assert post({"grant_type": "password"}, app=app).status == 401
    assert asked == ["acme"]


# --- documents ---


def test_certs_verify_the_tokens():
    keys = KeySet.import_key_set(call(app_for(), "GET", CERTS).json())
    token = post(SERVICE).json()["access_token"]
    assert jwt.decode(token, keys, algorithms=["RS256"]).claims["azp"] == "acme"


def test_certs_hold_nothing_private():
    (key,) = call(app_for(), "GET", CERTS).json()["keys"]
    assert set(key) == {"kid", "kty", "alg", "use", "n", "e"}


def test_discovery_advertises_what_is_served():
    document = call(app_for(), "GET", DISCOVERY, ("host", "mock.example"), scheme="https").json()
    base = "https://mock.example/realms/uhlive"
    assert document["issuer"] == base
    assert document["token_endpoint"] == f"{base}/protocol/openid-connect/token"
    assert document["jwks_uri"] == f"{base}/protocol/openid-connect/certs"
    assert document["grant_types_supported"] == ["client_credentials", "password", "refresh_token"]
    assert document["scopes_supported"] == list(REALM_SCOPES)


def test_what_discovery_points_to_exists():
    document = call(app_for(), "GET", DISCOVERY).json()
    assert call(app_for(), "GET", document["jwks_uri"].removeprefix("http://localhost:8080")).status == 200
    path = document["token_endpoint"].removeprefix("http://localhost:8080")
    answer = post(SERVICE, path=path)
    assert ISSUER.verify(answer.json()["access_token"], NOW).iss == document["issuer"]


@pytest.mark.parametrize("path", [REALM, f"{REALM}/"])
def test_the_realm_describes_itself(path):
    document = call(app_for(), "GET", path).json()
    assert document == {
        "realm": "uhlive",
        "public_key": ISSUER.key.public_key(),
        "token-service": "http://localhost:8080/realms/uhlive/protocol/openid-connect",
        "account-service": "http://localhost:8080/realms/uhlive/account",
        "tokens-not-before": 0,
    }


@pytest.mark.parametrize("path", [REALM, CERTS, DISCOVERY])
def test_documents_are_only_read(path):
    assert call(app_for(), "HEAD", path).status == 200
    answer = call(app_for(), "POST", path)
    assert answer.status == 405
    assert answer.headers["allow"] == "GET, HEAD, OPTIONS"
    assert answer.json() == {"error": "HTTP 405 Method Not Allowed"}


@pytest.mark.parametrize(
    "path",
    [
        "/realms/uhlive/moon",
        f"{TOKEN}/introspect",
        f"{TOKEN}/",
        "/realms/uhlive//",
        "/realms/uhlive/PROTOCOL",
    ],
)
def test_an_unknown_path_under_the_realm(path):
    answer = call(app_for(), "GET", path)
    assert answer.status == 404
    assert answer.json() == {"error": "HTTP 404 Not Found"}


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
@pytest.mark.parametrize("rest", ["", "/moon", "/protocol/openid-connect/token", "/protocol/openid-connect/certs"])
def test_an_unknown_realm(method, rest):
    answer = call(app_for(), method, f"/realms/other{rest}", FORM)
    assert answer.status == 404
    assert answer.json() == {"error": "Realm does not exist"}


# --- pages ---

PAGE = ("origin", "http://page.example:3000")


@pytest.mark.parametrize(
    ("path", "methods"),
    [(TOKEN, "POST, OPTIONS"), (CERTS, "GET, HEAD, OPTIONS"), (REALM, "GET, HEAD, OPTIONS")],
)
def test_a_preflight_is_let_in(path, methods):
    answer = call(
        app_for(),
        "OPTIONS",
        path,
        PAGE,
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "authorization,x-moon"),
    )
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == PAGE[1]
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert answer.headers["access-control-allow-methods"] == methods
    assert "Authorization" in answer.headers["access-control-allow-headers"]
    assert answer.headers["access-control-max-age"] == "3600"


def test_options_outside_a_browser_is_200_too():
    answer = call(app_for(), "OPTIONS", TOKEN)
    assert answer.status == 200
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("POST", TOKEN, 415), ("GET", TOKEN, 405), ("GET", CERTS, 200), ("GET", "/realms/other", 404)],
)
def test_pages_can_read_every_answer(method, path, status):
    answer = call(app_for(), method, path, PAGE)
    assert answer.status == status
    assert answer.headers["access-control-allow-origin"] == PAGE[1]
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert answer.headers["access-control-expose-headers"] == "Access-Control-Allow-Methods"
    assert answer.headers["vary"] == "Origin"


# --- whatever comes ---


def test_nothing_is_logged(caplog):
    caplog.set_level(logging.DEBUG)
    token = post(SERVICE).json()["access_token"]
    post(SERVICE | {"client_secret": "wrong"})
    assert SECRET not in caplog.text
    assert token not in caplog.text
    assert not [record for record in caplog.records if record.name != "asyncio"]


latin = st.text(st.characters(max_codepoint=255), max_size=20)
header_values = latin | st.sampled_from(
    ["", "[", "::1", "a:b:c", "localhost:99999999", "null", "Basic =", "Bearer x"]
)
app = app_for()


@given(
    method=st.sampled_from(["GET", "POST", "OPTIONS", "HEAD"]) | st.text("AZaz-", min_size=1, max_size=9),
    path=st.sampled_from([TOKEN, CERTS, DISCOVERY, REALM, "/realms/other"])
    | st.text(max_size=20).map(lambda text: f"{REALM}/{text}"),
    headers=st.lists(
        st.tuples(
            st.sampled_from(
                ["content-type", "content-length", "authorization", "origin", "host", "transfer-encoding"]
            ),
            header_values | st.just(FORM[1]),
        ),
        max_size=6,
    ),
    body=st.binary(max_size=300)
    | st.dictionaries(st.sampled_from([*SERVICE, "scope", "username", "password"]), st.text(max_size=9)).map(
        lambda form: urlencode(SERVICE | form).encode()
    ),
    query=st.binary(max_size=10),
)
def test_nothing_makes_the_realm_fail(method, path, headers, body, query):
    answer = call(app, method, path, *headers, body=body, query=query)
    assert 200 <= answer.status < 500
    assert isinstance(answer.json(), dict) if answer.body else method == "OPTIONS"
