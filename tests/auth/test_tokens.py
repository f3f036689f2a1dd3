from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import random
from uuid import UUID

import pytest
from hypothesis import given, strategies as st
from joserfc import jwt
from joserfc.jwk import OctKey

from uhlive_mock.auth.tokens import MAX_TOKEN_CHARS, Reason, SigningKey, TokenIssuer, TokenRefused, TokenType
from uhlive_mock.model.account import Account, User

NOW = 1_700_000_000.75
ISS = "http://localhost:8080/realms/uhlive"
ACCOUNT = Account(client_id="acme", client_secret="open sesame")
ALICE = User(username="Alice", password="correct horse")

KEY = SigningKey()
FOREIGN = SigningKey()
ISSUER = TokenIssuer(random.Random(7), key=KEY)


def issue(**options) -> str:
    return ISSUER.issue(ACCOUNT, NOW, **({"issuer": ISS} | options))


def parts_of(token: str) -> tuple[dict, dict]:
    header, payload, _ = token.split(".")
    return tuple(json.loads(base64.urlsafe_b64decode(part + "==")) for part in (header, payload))


def encode(value: object) -> str:
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def reason_for(token: str, now: float = NOW, **options) -> Reason:
    with pytest.raises(TokenRefused) as caught:
        ISSUER.verify(token, now, **options)
    for part in token.split("."):
        assert len(part) < 4 or part not in str(caught.value)
    return caught.value.reason


# --- issuing --------------------------------------------------------------------------------------------


def test_a_service_account_token_carries_keycloaks_claims():
    header, claims = parts_of(issue(client_address="192.0.2.7"))
    assert header == {"typ": "JWT", "alg": "RS256", "kid": KEY.kid}
    UUID(claims.pop("jti"))
    UUID(claims.pop("sub"))
    assert claims == {
        "exp": 1_700_000_300,
        "iat": 1_700_000_000,
        "iss": ISS,
        "aud": "account",
        "typ": "Bearer",
        "azp": "acme",
        "acr": "1",
        "realm_access": {"roles": ["default-roles-uhlive", "offline_access", "uma_authorization"]},
        "resource_access": {
            "stream-h2h": {"roles": ["read", "write"]},
            "stream-h2h-v2": {"roles": ["read", "write"]},
        },
        "scope": "profile email",
        "email_verified": False,
        "clientHost": "192.0.2.7",
        "clientAddress": "192.0.2.7",
        "client_id": "acme",
        "preferred_username": "service-account-acme",
    }


def test_a_user_token_names_the_user_and_the_session_instead_of_the_service_account():
    claims = parts_of(issue(user=ALICE, session="s1"))[1]
    assert claims["preferred_username"] == "Alice"
    assert claims["sid"] == "s1"
    assert claims["azp"] == "acme"
    assert not {"clientHost", "clientAddress", "client_id"} & set(claims)


def test_roles_and_resources_are_those_of_the_account():
    account = Account(client_id="acme", public=True, roles=("read",), resources=("stream-h2h",))
    claims = ISSUER.verify(ISSUER.issue(account, NOW, issuer=ISS), NOW)
    assert claims.roles("stream-h2h") == ("read",)
    assert claims.roles("stream-h2h-v2") == ()


def test_token_ids_are_unique_and_repeat_with_the_seed():
    ids = [parts_of(issue())[1]["jti"] for _ in range(20)]
    assert len(set(ids)) == 20
    one, two = (TokenIssuer(random.Random(3), key=KEY).new_id() for _ in range(2))
    assert one == two


def test_the_subject_is_stable_and_tells_accounts_and_users_apart():
    other = Account(client_id="other", public=True)
    bob = User(username="Bob", password="1")
    subjects = {
        ISSUER.subject(ACCOUNT),
        ISSUER.subject(ACCOUNT, ALICE),
        ISSUER.subject(ACCOUNT, bob),
        ISSUER.subject(other),
        ISSUER.subject(other, ALICE),
        TokenIssuer(random.Random(0), realm="elsewhere", key=KEY).subject(ACCOUNT),
    }
    assert len(subjects) == 6
    assert TokenIssuer(random.Random(99), key=FOREIGN).subject(ACCOUNT) == ISSUER.subject(ACCOUNT)


def test_an_id_token_is_for_the_client_and_bound_to_its_access_token():
    access_token = issue()
    claims = parts_of(ISSUER.issue_id(ACCOUNT, NOW, issuer=ISS, access_token=access_token))[1]
    assert claims["typ"] == "ID"
    assert claims["aud"] == "acme"
    digest = hashlib.sha256(access_token.encode()).digest()[:16]
    assert base64.urlsafe_b64decode(claims["at_hash"] + "==") == digest


def test_the_published_key_is_what_verifies_a_token():
    from joserfc.jwk import KeySet

    published = KEY.jwks()
    assert list(published["keys"][0]) == ["kid", "kty", "alg", "use", "n", "e"]
    token = issue()
    assert jwt.decode(token, KeySet.import_key_set(published), algorithms=["RS256"]).claims["azp"] == "acme"


def test_the_public_key_is_a_pem_without_its_frame():
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    public = load_der_public_key(base64.b64decode(KEY.public_key(), validate=True))
    assert public.key_size == 2048
    assert public.public_numbers() == KEY.key.public_key.public_numbers()


def test_a_signing_key_draws_once():
    key = SigningKey()
    assert key.key is key.key


# --- reading --------------------------------------------------------------------------------------------


def test_a_fresh_token_verifies():
    claims = ISSUER.verify(issue(), NOW)
    assert (claims.azp, claims.iat, claims.exp) == ("acme", 1_700_000_000, 1_700_000_300)
    assert claims.scope == "profile email"
    assert claims.roles("stream-h2h") == ("read", "write")


@pytest.mark.parametrize("host", ["https://localhost:8443", "http://127.0.0.1:1", "https://example.org/auth"])
def test_every_listener_belongs_to_the_realm(host):
    assert ISSUER.verify(issue(issuer=ISSUER.issuer_url(host)), NOW).azp == "acme"


def test_a_token_is_good_until_just_before_exp():
    token = issue(expires_in=10)
    ISSUER.verify(token, 1_700_000_009.999)
    assert reason_for(token, 1_700_000_010) is Reason.EXPIRED
    assert reason_for(token, 1_700_000_011) is Reason.EXPIRED


@pytest.mark.parametrize("expires_in", [0, -1, -300])
def test_a_token_can_be_issued_expired(expires_in):
    assert reason_for(issue(expires_in=expires_in)) is Reason.EXPIRED


def test_an_expired_token_can_still_be_read():
    claims = ISSUER.read(issue(expires_in=-1))
    assert claims.azp == "acme"
    assert claims.expired(NOW)


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE", ""])
def test_an_unsigned_token_is_refused(alg):
    payload = issue().split(".")[1]
    header = encode({"alg": alg, "typ": "JWT"})
    assert reason_for(f"{header}.{payload}.") is Reason.MALFORMED
    assert reason_for(f"{header}.{payload}.AAAA") is Reason.ALGORITHM


@pytest.mark.parametrize("pem", [KEY.public_key().encode(), KEY.key.as_pem(private=False)])
@pytest.mark.parametrize("alg", ["HS256", "HS512"])
@pytest.mark.filterwarnings("ignore")  # joserfc warns about a PEM used as a secret, which is the attack
def test_the_public_key_is_not_a_shared_secret(alg, pem):
    claims = parts_of(issue())[1]
    try:
        secret = OctKey.import_key(pem)
    except ValueError:
        secret = OctKey.import_key(base64.urlsafe_b64encode(pem).decode())
    forged = jwt.encode({"alg": alg, "kid": KEY.kid}, claims, secret, algorithms=[alg])
    assert reason_for(forged) is Reason.ALGORITHM


def test_the_public_key_is_not_a_shared_secret_even_under_the_right_name():
    import hmac

    _, payload, _ = issue().split(".")
    header = encode({"alg": "RS256", "typ": "JWT", "kid": KEY.kid})
    digest = hmac.digest(KEY.key.as_pem(private=False), f"{header}.{payload}".encode(), "sha256")
    assert reason_for(f"{header}.{payload}.{encode(digest)}") is Reason.SIGNATURE


def test_a_foreign_key_is_refused_whatever_it_calls_itself():
    claims = parts_of(issue())[1]
    assert reason_for(FOREIGN.sign(claims)) is Reason.SIGNATURE
    disguised = jwt.encode({"alg": "RS256", "kid": KEY.kid}, claims, FOREIGN.key)
    assert reason_for(disguised) is Reason.SIGNATURE


def test_a_key_that_travels_with_the_token_is_not_believed():
    claims = parts_of(issue())[1]
    header = {"alg": "RS256", "jwk": FOREIGN.key.as_dict(private=False)}
    signed = f"{encode(header)}.{encode(claims)}"
    signature = FOREIGN.key.private_key.sign(signed.encode(), *_pkcs1())
    assert reason_for(f"{signed}.{encode(signature)}") in (Reason.SIGNATURE, Reason.MALFORMED)


def _pkcs1():
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    return padding.PKCS1v15(), hashes.SHA256()


@pytest.mark.parametrize("alg", ["RS384", "RS512", "PS256"])
def test_another_algorithm_of_the_same_key_is_refused(alg):
    token = jwt.encode({"alg": alg}, parts_of(issue())[1], KEY.key, algorithms=[alg])
    assert reason_for(token) is Reason.ALGORITHM


def test_an_edited_payload_is_refused():
    header, _, signature = (token := issue()).split(".")
    claims = parts_of(token)[1] | {"azp": "other"}
    assert reason_for(f"{header}.{encode(claims)}.{signature}") is Reason.SIGNATURE


def test_an_edited_signature_is_refused():
    header, payload, signature = issue().split(".")
    edited = ("A" if signature[0] != "A" else "B") + signature[1:]
    assert reason_for(f"{header}.{payload}.{edited}") is Reason.SIGNATURE


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"iss": "http://localhost/realms/other"}, Reason.ISSUER),
        ({"iss": "http://localhost/realms/uhlive/"}, Reason.ISSUER),
        ({"iss": "/realms/uhlive"}, Reason.ISSUER),
        ({"iss": "http://localhost/realms/notuhlive"}, Reason.ISSUER),
        ({"typ": "ID"}, Reason.TYPE),
        ({"typ": "Refresh"}, Reason.TYPE),
        ({"typ": "bearer"}, Reason.TYPE),
        ({"azp": ""}, Reason.CLAIMS),
        ({"azp": None}, Reason.CLAIMS),
        ({"azp": ["acme"]}, Reason.CLAIMS),
        ({"exp": None}, Reason.CLAIMS),
        ({"exp": "1700000300"}, Reason.CLAIMS),
        ({"exp": True}, Reason.CLAIMS),
        ({"exp": float("nan")}, Reason.CLAIMS),
        ({"exp": float("inf")}, Reason.CLAIMS),
        ({"resource_access": []}, Reason.CLAIMS),
        ({"resource_access": {"stream-h2h": {"roles": "read"}}}, Reason.CLAIMS),
    ],
)
def test_the_realms_own_signature_does_not_excuse_wrong_claims(change, reason):
    assert reason_for(KEY.sign(parts_of(issue())[1] | change)) is reason


@pytest.mark.parametrize("name", ["iss", "sub", "azp", "typ", "exp", "iat"])
def test_a_missing_claim_is_refused_by_name(name):
    claims = parts_of(issue())[1]
    del claims[name]
    with pytest.raises(TokenRefused, match=name) as caught:
        ISSUER.verify(KEY.sign(claims), NOW)
    assert caught.value.reason is Reason.CLAIMS


def test_refresh_and_id_tokens_are_not_bearers():
    refresh = ISSUER.issue_refresh(ACCOUNT, NOW, issuer=ISS, scope="", user=ALICE)
    identity = ISSUER.issue_id(ACCOUNT, NOW, issuer=ISS, access_token="x")
    assert reason_for(refresh) is Reason.TYPE
    assert reason_for(identity) is Reason.TYPE
    assert ISSUER.verify(refresh, NOW, typ=TokenType.REFRESH).azp == "acme"
    assert reason_for(issue(), typ=TokenType.REFRESH) is Reason.TYPE


NESTED = b'{"alg":"RS256","x":' + b"[" * 5000 + b"]" * 5000 + b"}"


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "...",
        "a.b.c",
        "acme",
        "Bearer a.b.c",
        "\x00.\x00.\x00",
        "é.é.é",
        "\ud800.a.a",
        f"{encode(b'null')}.e30.AAAA",
        f"{encode([])}.e30.AAAA",
        f"{encode(['alg'])}.e30.AAAA",
        f"{encode({})}.e30.AAAA",
        f"{encode({'alg': None})}.e30.AAAA",
        f"{encode({'alg': ['RS256']})}.e30.AAAA",
        f"{encode({'alg': 'RS256', 'crit': ['moon'], 'moon': 1})}.e30.AAAA",
        f"{encode({'alg': 'RS256', 'kid': 7})}.e30.AAAA",
        f"{encode(b'{' * 4000)}.e30.AAAA",
        f"{encode(NESTED)}.e30.AAAA",
        "A" * (MAX_TOKEN_CHARS + 1),
    ],
    ids=range(21),
)
def test_garbage_is_refused_as_malformed(token):
    assert reason_for(token) is Reason.MALFORMED


def test_a_payload_that_is_not_an_object_is_refused():
    for payload in (b"[]", b"null", b"7", b"\xff", b"{", b"[" * 5000 + b"]" * 5000):
        signed = f"{encode({'alg': 'RS256'})}.{encode(payload)}"
        signature = KEY.key.private_key.sign(signed.encode(), *_pkcs1())
        assert reason_for(f"{signed}.{encode(signature)}") is Reason.MALFORMED


segment = st.text("AZaz09-_=é", max_size=40)


@given(st.text(max_size=200) | st.lists(segment, min_size=2, max_size=4).map(".".join))
def test_no_text_ever_verifies(text):
    with pytest.raises(TokenRefused):
        ISSUER.verify(text, NOW)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(
    header=st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "b64", "jwk", "x5c", "zip"]), json_values),
    payload=json_values,
    signature=st.binary(max_size=256),
)
def test_nothing_shaped_like_a_token_verifies_without_the_key(header, payload, signature):
    with pytest.raises(TokenRefused):
        ISSUER.verify(f"{encode({'alg': 'RS256'} | header)}.{encode(payload)}.{encode(signature)}", NOW)


@given(position=st.integers(min_value=0), character=st.sampled_from("AZaz09-_"))
def test_changing_any_character_breaks_the_token(position, character):
    token = issue()
    position %= len(token)
    if token[position] in (character, "."):
        return
    with pytest.raises(TokenRefused):
        ISSUER.verify(token[:position] + character + token[position + 1 :], NOW)


@given(claims=st.dictionaries(st.sampled_from(["iss", "sub", "azp", "typ", "exp", "iat", "scope"]), json_values))
def test_whatever_the_key_signs_is_read_or_refused(claims):
    with contextlib.suppress(TokenRefused):
        ISSUER.verify(KEY.sign(parts_of(issue())[1] | claims), NOW)
