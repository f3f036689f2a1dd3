from __future__ import annotations

import base64
import random
from urllib.parse import quote_plus

import msgspec
import pytest
from hypothesis import given, strategies as st

from uhlive_mock.auth.endpoint import (
    GRANTS,
    TokenBehaviour,
    TokenEndpoint,
    TokenError,
    TokenRequest,
    TokenResponse,
    claimed_client,
)
from uhlive_mock.auth.tokens import Reason, SigningKey, TokenIssuer, TokenRefused, TokenType
from uhlive_mock.errors import ConfigurationError
from uhlive_mock.model.account import Account, User

NOW = 1_700_000_000.0
SECRET = "open sesame"
PASSWORD = "correct horse"

ALICE = User(username="Alice", password=PASSWORD)
BOB = User(username="Bob", password=PASSWORD, enabled=False)
CAROL = User(username="Carol", password=PASSWORD, fully_set_up=False)
ACCOUNTS = {
    account.client_id: account
    for account in (
        Account(client_id="acme", client_secret=SECRET, users=(ALICE, BOB, CAROL)),
        Account(client_id="asleep", client_secret=SECRET, enabled=False),
        Account(client_id="page", public=True, users=(ALICE,)),
        Account(client_id="people", client_secret=SECRET, service_account=False, users=(ALICE,)),
        Account(client_id="robot", client_secret=SECRET, direct_access_grants=False, users=(ALICE,)),
        Account(client_id="narrow", client_secret=SECRET, allowed_scopes=("profile", "email"), users=(ALICE,)),
    )
}
ISSUER = TokenIssuer(random.Random(7), key=SigningKey())

CREDENTIALS = {"client_id": "acme", "client_secret": SECRET}
SERVICE = {"grant_type": "client_credentials"} | CREDENTIALS
LOGIN = {"grant_type": "password", "username": "Alice", "password": PASSWORD} | CREDENTIALS


def endpoint(**behaviour) -> TokenEndpoint:
    return TokenEndpoint(ISSUER, ACCOUNTS.get, TokenBehaviour(**behaviour))


def ask(form, *, on: TokenEndpoint | None = None, now: float = NOW, **options) -> TokenResponse:
    pairs = tuple(form.items()) if isinstance(form, dict) else tuple(form)
    request = TokenRequest(**({"realm": "uhlive", "form": pairs} | options))
    return (on or endpoint()).respond(request, now)


def without(form: dict[str, str], *names: str) -> dict[str, str]:
    return {name: value for name, value in form.items() if name not in names}


def basic(client_id: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode()


# --- answers --------------------------------------------------------------------------------------------


def test_client_credentials_answer_like_keycloak():
    answer = ask(SERVICE, base_url="https://localhost:8443", client_address="192.0.2.7")
    assert answer.status == 200
    assert answer.headers == (("Cache-Control", "no-store"), ("Pragma", "no-cache"))
    assert list(answer.body) == [
        "access_token",
        "expires_in",
        "refresh_expires_in",
        "token_type",
        "not-before-policy",
        "scope",
    ]
    assert without(answer.body, "access_token") == {
        "expires_in": 300,
        "refresh_expires_in": 0,
        "token_type": "Bearer",
        "not-before-policy": 0,
        "scope": "profile email",
    }
    claims = ISSUER.verify(answer.body["access_token"], NOW)
    assert claims.azp == "acme"
    assert claims.iss == "https://localhost:8443/realms/uhlive"
    assert claims.exp - claims.iat == 300
    assert claims.preferred_username == "service-account-acme"


def test_a_password_login_also_gets_a_refresh_token_and_a_session():
    answer = ask(LOGIN)
    assert list(answer.body) == [
        "access_token",
        "expires_in",
        "refresh_expires_in",
        "refresh_token",
        "token_type",
        "not-before-policy",
        "session_state",
        "scope",
    ]
    assert answer.body["refresh_expires_in"] == 1800
    claims = ISSUER.verify(answer.body["access_token"], NOW)
    assert (claims.azp, claims.preferred_username) == ("acme", "Alice")
    assert claims.sid == answer.body["session_state"]


def test_a_public_client_logs_in_with_an_empty_secret_or_none():
    for form in (
        LOGIN | {"client_id": "page", "client_secret": ""},
        without(LOGIN | {"client_id": "page"}, "client_secret"),
    ):
        assert ask(form).status == 200


@pytest.mark.parametrize("form", [SERVICE, LOGIN], ids=["client_credentials", "password"])
def test_openid_adds_an_id_token(form):
    answer = ask(form | {"scope": "openid"})
    names = list(answer.body)
    assert names.index("id_token") == names.index("token_type") + 1
    assert answer.body["scope"] == "openid profile email"
    assert ISSUER.verify(answer.body["id_token"], NOW, typ=TokenType.ID).azp == "acme"


@pytest.mark.parametrize(
    ("asked", "granted"),
    [
        ("", "profile email"),
        ("  ", "profile email"),
        ("profile", "profile email"),
        ("stream-h2h", "profile email stream-h2h"),
        ("stream-h2h openid phone", "openid profile email stream-h2h phone"),
        ("roles web-origins acr basic service_account", "profile email"),
    ],
)
def test_the_granted_scope_is_the_default_and_what_was_asked_for(asked, granted):
    answer = ask(SERVICE | {"scope": asked})
    assert answer.body["scope"] == granted
    assert ISSUER.verify(answer.body["access_token"], NOW).scope == granted


def test_http_basic_authenticates_the_client():
    form = {"grant_type": "client_credentials"}
    assert ask(form, authorization=basic("acme", SECRET)).status == 200
    assert ask(form, authorization=basic("acme", quote_plus(SECRET))).status == 200
    assert ask(form, authorization=basic("acme", SECRET).replace("Basic", "bAsIc")).status == 200
    assert ask(form, authorization=basic("acme", "wrong")) == TokenError.SECRET_WRONG.answer()


def test_the_form_overrides_http_basic_field_by_field():
    wrong = basic("nobody", "wrong")
    assert ask(SERVICE, authorization=wrong).status == 200
    assert ask(SERVICE, authorization="Negotiate abc").status == 200
    half = without(SERVICE, "client_secret")
    assert ask(half, authorization=basic("nobody", SECRET)).status == 200


def test_lifespans_are_those_of_the_behaviour():
    on = endpoint(lifespan_s=7, refresh_lifespan_s=70)
    answer = ask(LOGIN, on=on)
    assert (answer.body["expires_in"], answer.body["refresh_expires_in"]) == (7, 70)
    ISSUER.verify(answer.body["access_token"], NOW + 6.9)
    with pytest.raises(TokenRefused) as caught:
        ISSUER.verify(answer.body["access_token"], NOW + 7)
    assert caught.value.reason is Reason.EXPIRED


def test_a_refresh_token_buys_new_tokens_of_the_same_session():
    first = ask(LOGIN | {"scope": "openid"}).body
    form = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]} | CREDENTIALS
    second = ask(form, now=NOW + 400)
    assert second.status == 200
    assert list(second.body) == list(first)
    assert second.body["session_state"] == first["session_state"]
    assert second.body["scope"] == first["scope"]
    assert ISSUER.verify(second.body["access_token"], NOW + 699).preferred_username == "Alice"
    third = ask(form | {"refresh_token": second.body["refresh_token"]}, now=NOW + 1900)
    assert third.status == 200


# --- refusals -------------------------------------------------------------------------------------------

REFRESH = {"grant_type": "refresh_token"} | CREDENTIALS
BOTH = "Invalid client or Invalid client credentials"
ROWS = {
    "grant_type missing": (CREDENTIALS, 400, "invalid_request", "Missing form parameter: grant_type"),
    "nothing at all": ({}, 400, "invalid_request", "Missing form parameter: grant_type"),
    "grant_type unknown": (
        SERVICE | {"grant_type": "moon"},
        400,
        "unsupported_grant_type",
        "Unsupported grant_type",
    ),
    "grant_type empty": (
        SERVICE | {"grant_type": ""},
        400,
        "unsupported_grant_type",
        "Unsupported grant_type",
    ),
    "grant of Keycloak not served": (
        SERVICE | {"grant_type": "authorization_code"},
        400,
        "unsupported_grant_type",
        "Unsupported grant_type",
    ),
    "parameter repeated": (
        [*SERVICE.items(), ("scope", "openid"), ("scope", "openid")],
        400,
        "invalid_request",
        "duplicated parameter",
    ),
    "secret repeated": (
        [*SERVICE.items(), ("client_secret", "x")],
        400,
        "invalid_request",
        "duplicated parameter",
    ),
    "client_id missing": (without(SERVICE, "client_id"), 401, "invalid_client", BOTH),
    "client unknown": (SERVICE | {"client_id": "nobody"}, 401, "invalid_client", BOTH),
    "client disabled": (SERVICE | {"client_id": "asleep"}, 401, "invalid_client", BOTH),
    "secret wrong": (SERVICE | {"client_secret": "wrong"}, 401, "unauthorized_client", BOTH),
    "secret missing": (without(SERVICE, "client_secret"), 401, "unauthorized_client", BOTH),
    "secret empty": (SERVICE | {"client_secret": ""}, 401, "unauthorized_client", BOTH),
    "secret not ASCII": (SERVICE | {"client_secret": "sésame"}, 401, "unauthorized_client", BOTH),
    "public client": (
        SERVICE | {"client_id": "page"},
        401,
        "unauthorized_client",
        "Public client not allowed to retrieve service account",
    ),
    "no service account": (
        SERVICE | {"client_id": "people"},
        401,
        "unauthorized_client",
        "Client not enabled to retrieve service account",
    ),
    "password grant disabled": (
        LOGIN | {"client_id": "robot"},
        400,
        "unauthorized_client",
        "Client not allowed for direct access grants",
    ),
    "user unknown": (LOGIN | {"username": "Dave"}, 400, "invalid_grant", "Invalid user credentials"),
    "password wrong": (LOGIN | {"password": "wrong"}, 400, "invalid_grant", "Invalid user credentials"),
    "password missing": (without(LOGIN, "password"), 400, "invalid_grant", "Invalid user credentials"),
    "username missing": (without(LOGIN, "username"), 401, "invalid_request", "Missing parameter: username"),
    "username empty": (LOGIN | {"username": ""}, 401, "invalid_request", "Missing parameter: username"),
    "user disabled": (LOGIN | {"username": "Bob"}, 400, "invalid_grant", "Account disabled"),
    "user not set up": (LOGIN | {"username": "Carol"}, 400, "invalid_grant", "Account is not fully set up"),
    "scope not allowed": (
        SERVICE | {"scope": "openid moon"},
        400,
        "invalid_scope",
        "Invalid scopes: openid moon",
    ),
    "scope with braces": (SERVICE | {"scope": "{x} {0}"}, 400, "invalid_scope", "Invalid scopes: {x} {0}"),
    "scope not the client's": (
        SERVICE | {"client_id": "narrow", "scope": "phone"},
        400,
        "invalid_scope",
        "Invalid scopes: phone",
    ),
    "refresh token missing": (REFRESH, 400, "invalid_request", "No refresh token"),
    "refresh token garbage": (
        REFRESH | {"refresh_token": "x.y.z"},
        400,
        "invalid_grant",
        "Invalid refresh token",
    ),
}


@pytest.mark.parametrize("row", ROWS)
def test_every_row_of_the_error_table(row):
    form, status, error, description = ROWS[row]
    answer = ask(form)
    assert answer.status == status
    assert list(answer.body.items()) == [("error", error), ("error_description", description)]
    assert answer.headers == (("Cache-Control", "no-store"), ("Pragma", "no-cache"))


@pytest.mark.parametrize(
    ("behaviour", "request_", "status", "body"),
    [
        ({}, {"realm": "other"}, 404, {"error": "Realm does not exist"}),
        ({}, {"method": "GET"}, 405, {"error": "HTTP 405 Method Not Allowed"}),
        ({}, {"method": "moon"}, 405, {"error": "HTTP 405 Method Not Allowed"}),
        ({}, {"content_type": "application/json"}, 415, {"error": "HTTP 415 Unsupported Media Type"}),
        ({}, {"content_type": ""}, 415, {"error": "HTTP 415 Unsupported Media Type"}),
        (
            {"require_tls": True},
            {},
            403,
            {"error": "invalid_request", "error_description": "HTTPS required"},
        ),
        (
            {"realm_enabled": False},
            {},
            403,
            {"error": "access_denied", "error_description": "Realm not enabled"},
        ),
    ],
)
def test_requests_the_realm_itself_refuses(behaviour, request_, status, body):
    answer = ask(SERVICE, on=endpoint(**behaviour), **request_)
    assert (answer.status, answer.body) == (status, body)


def test_405_says_what_is_allowed():
    assert ("Allow", "POST, OPTIONS") in ask(SERVICE, method="PUT").headers


def test_tls_satisfies_a_realm_that_requires_it():
    assert ask(SERVICE, on=endpoint(require_tls=True), secure=True).status == 200


@pytest.mark.parametrize(
    "content_type",
    ["application/x-www-form-urlencoded; charset=utf-8", " Application/X-WWW-Form-Urlencoded ;x"],
)
def test_form_types_may_have_parameters_and_capitals(content_type):
    assert ask(SERVICE, content_type=content_type).status == 200


def test_a_bad_password_is_401_on_older_keycloaks():
    on = endpoint(bad_password_status=401)
    for form in (LOGIN | {"password": "wrong"}, LOGIN | {"username": "Dave"}):
        answer = ask(form, on=on)
        assert answer.status == 401
        assert answer.body["error"] == "invalid_grant"
    assert ask(LOGIN | {"username": "Bob"}, on=on).status == 400


def test_a_refresh_token_expires():
    first = ask(LOGIN).body
    form = REFRESH | {"refresh_token": first["refresh_token"]}
    assert ask(form, now=NOW + 1799.9).status == 200
    assert ask(form, now=NOW + 1800) == TokenError.REFRESH_EXPIRED.answer()


@pytest.mark.parametrize("kind", ["access_token", "id_token"])
def test_only_a_refresh_token_refreshes(kind):
    first = ask(LOGIN | {"scope": "openid"}).body
    assert ask(REFRESH | {"refresh_token": first[kind]}) == TokenError.REFRESH_INVALID.answer()


def test_a_refresh_token_serves_only_the_client_it_was_issued_to():
    first = ask(LOGIN | {"client_id": "page"}).body
    form = REFRESH | {"refresh_token": first["refresh_token"]}
    assert ask(form) == TokenError.REFRESH_FOREIGN.answer()
    assert ask(form | {"client_id": "page"}).status == 200


def test_a_refresh_token_outlives_nobody():
    token = ISSUER.issue_refresh(ACCOUNTS["acme"], NOW, issuer="http://localhost/realms/uhlive", scope="", user=BOB)
    assert ask(REFRESH | {"refresh_token": token}) == TokenError.REFRESH_INVALID.answer()


# --- the order of checks --------------------------------------------------------------------------------


def test_the_checks_run_in_keycloaks_order():
    """One request with every fault at once; mending them one by one uncovers the next answer."""
    strict = endpoint(require_tls=True, realm_enabled=False)
    open_ = endpoint(require_tls=True)
    request = TokenRequest(
        realm="other",
        method="GET",
        content_type="text/plain",
        form=(("scope", "moon"), ("scope", "moon"), ("username", "Dave"), ("password", "wrong")),
    )

    def mend(**changes) -> None:
        nonlocal request
        request = msgspec.structs.replace(request, **changes)

    def add(*pairs: tuple[str, str]) -> None:
        mend(form=(*(pair for pair in request.form if pair[0] not in dict(pairs)), *pairs))

    def answers(error: TokenError, on: TokenEndpoint = open_, **filled) -> None:
        assert on.respond(request, NOW) == error.answer(**filled)

    answers(TokenError.HTTPS_REQUIRED, strict)
    mend(secure=True)
    answers(TokenError.REALM_UNKNOWN, strict)
    mend(realm="uhlive")
    answers(TokenError.REALM_DISABLED, strict)
    answers(TokenError.METHOD)
    mend(method="POST")
    answers(TokenError.CONTENT_TYPE)
    mend(content_type="application/x-www-form-urlencoded")
    answers(TokenError.GRANT_MISSING)
    add(("grant_type", "moon"))
    answers(TokenError.GRANT_UNKNOWN)
    add(("grant_type", "password"))
    answers(TokenError.CLIENT_UNKNOWN)
    add(("client_id", "robot"), ("client_secret", "wrong"))
    answers(TokenError.SECRET_WRONG)
    add(("client_secret", SECRET))
    answers(TokenError.REPEATED)
    add(("scope", "moon"))
    answers(TokenError.NO_DIRECT_GRANT)
    add(("client_id", "acme"))
    answers(TokenError.SCOPE, scope="moon")
    add(("scope", "openid"))
    answers(TokenError.PASSWORD_WRONG)
    add(("username", "Bob"))
    answers(TokenError.USER_DISABLED)
    add(("username", "Carol"))
    answers(TokenError.PASSWORD_WRONG)
    add(("password", PASSWORD))
    answers(TokenError.USER_INCOMPLETE)
    add(("username", "Alice"))
    assert open_.respond(request, NOW).status == 200


def test_a_repeated_grant_type_or_client_id_counts_by_its_first_value():
    pairs = [("grant_type", "moon"), *SERVICE.items()]
    assert ask(pairs) == TokenError.GRANT_UNKNOWN.answer()
    pairs = [("client_id", "nobody"), *SERVICE.items()]
    assert ask(pairs) == TokenError.CLIENT_UNKNOWN.answer()


# --- the rest -------------------------------------------------------------------------------------------


def test_the_claimed_client_is_read_before_anything_is_proven():
    def claimed(form, authorization=""):
        return claimed_client(TokenRequest(realm="x", form=tuple(form), authorization=authorization))

    assert claimed([("client_id", "acme"), ("client_id", "other")]) == "acme"
    assert claimed([], basic("acme", "wrong")) == "acme"
    assert claimed([("client_id", "acme")], basic("other", "wrong")) == "acme"
    assert claimed([]) is None


def test_neither_requests_nor_answers_show_secrets():
    request = TokenRequest(realm="uhlive", form=tuple(LOGIN.items()), authorization=basic("acme", SECRET))
    answer = endpoint().respond(request, NOW)
    shown = repr(request) + repr(answer) + str(request.__rich_repr__()) + str(answer.__rich_repr__())
    for secret in (SECRET, PASSWORD, request.authorization, answer.body["access_token"]):
        assert secret not in shown


@pytest.mark.parametrize(
    "options",
    [{"realm": ""}, {"lifespan_s": 0}, {"refresh_lifespan_s": -1}, {"bad_password_status": 500}],
)
def test_nonsense_behaviour_is_refused(options):
    with pytest.raises(ConfigurationError):
        TokenBehaviour(**options)


def test_every_setting_has_a_sentence_a_grade_and_a_source():
    for field in msgspec.inspect.type_info(TokenBehaviour).fields:
        assert isinstance(field.type, msgspec.inspect.Metadata), field.name
        assert set(field.type.extra) == {"grade", "source"}, field.name


def test_issuer_and_endpoint_must_agree_on_the_realm():
    with pytest.raises(ConfigurationError, match=r"'uhlive'.*'other'"):
        endpoint(realm="other")


any_text = st.text(max_size=30)
names = st.sampled_from(
    ["grant_type", "client_id", "client_secret", "username", "password", "scope", "refresh_token"]
)
values = st.sampled_from([*GRANTS, *ACCOUNTS, SECRET, PASSWORD, "Alice", "openid", "\ud800"]) | any_text


@given(
    realm=st.sampled_from(["uhlive", "other"]),
    method=st.sampled_from(["POST", "GET"]) | any_text,
    content_type=st.just("application/x-www-form-urlencoded") | any_text,
    form=st.lists(st.tuples(names | any_text, values), max_size=8).map(tuple),
    authorization=any_text | any_text.map(lambda text: basic(text, text)),
    base_url=any_text,
)
def test_any_request_gets_an_answer_below_500(realm, method, content_type, form, authorization, base_url):
    request = TokenRequest(
        realm=realm,
        method=method,
        content_type=content_type,
        form=form,
        authorization=authorization,
        base_url=base_url,
    )
    answer = endpoint().respond(request, NOW)
    assert 200 <= answer.status < 500
    assert answer.status != 200 or "access_token" in answer.body
    assert answer.status == 200 or "error" in answer.body
