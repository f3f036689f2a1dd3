"""Tokens: what the realm signs, and what it accepts back.

Theory of operation
-------------------
A `TokenIssuer` signs three kinds of token with the realm's key, told apart by their `typ` claim: `Bearer`
opens a socket, `Refresh` buys the next `Bearer`, `ID` says who logged in. Only `Bearer` is ever a bearer.

Coming back, a token is **read** (shape, algorithm, signature, claims, issuer, type, in that order) and then
held against a clock. The two are separate because the clock to use is that of the space the token belongs
to, and its `azp` claim is what says which space that is:

    claims = issuer.read(token)          # whose is it?
    claims = issuer.verify(token, now)   # and is it still good on that clock?

The one rule about time: a token is good while `now < exp`.

S: the claims are those of decoded Keycloak tokens, as the JavaScript examples expect them.
I: the refresh token is signed like the others here (Keycloak uses HS512); clients treat it as opaque.

The realm's key: what turns claims into a token, and a token back into claims.

Only what this very key signed with RS256 comes back. `alg: none`, HS256 keyed with the public half, another
realm's RSA key and edited payloads all end in `TokenRefused`, which never quotes the token.

The first use of a key imports the cryptography stack (about 0.12 s) and draws 2048 bits (0.02 to 0.15 s);
signing then takes about 1 ms and reading 0.15 ms.
"""

from __future__ import annotations

import hashlib
import random
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from enum import StrEnum
from typing import TYPE_CHECKING
from uuid import NAMESPACE_URL, UUID, uuid5

import msgspec

from ..errors import UhliveMockError
from ..model.account import Account, User

if TYPE_CHECKING:
    from joserfc.jwk import RSAKey


class TokenType(StrEnum):
    """The `typ` claim."""

    BEARER = "Bearer"
    REFRESH = "Refresh"
    ID = "ID"


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """The roles a token carries for one resource."""

    roles: tuple[str, ...] = ()


class Claims(msgspec.Struct, frozen=True, kw_only=True):
    """What a token says. `exp` and `iat` are Unix seconds; `azp` is the client id it was issued to."""

    iss: str
    sub: str
    azp: str
    typ: str
    exp: int
    iat: int
    jti: str = ""
    scope: str = ""
    sid: str = ""
    preferred_username: str = ""
    resource_access: dict[str, Access] = msgspec.field(default_factory=dict)

    def roles(self, resource: str) -> tuple[str, ...]:
        """The roles for a resource such as `stream-h2h`; none when the token does not name it."""
        return self.resource_access.get(resource, Access()).roles

    def expired(self, now: float) -> bool:
        """Whether `now`, in Unix seconds, is at or past `exp`."""
        return now >= self.exp


class TokenIssuer:
    """Signs the realm's tokens and reads them back.

    Args:
        rng: where token ids come from. They are unique, not secret.
        realm: the realm's name.
        key: the realm's key; by default one of its own.
    """

    def __init__(self, rng: random.Random, *, realm: str = "uhlive", key: SigningKey | None = None) -> None:
        self.realm = realm
        self.key = key or SigningKey()
        self._rng = rng

    def issuer_url(self, base_url: str) -> str:
        """The `iss` of tokens asked for at `base_url`, such as `https://localhost:8443`."""
        return f"{base_url.rstrip('/')}/realms/{self.realm}"

    def new_id(self) -> str:
        """A fresh UUID, for a token or for a login session."""
        return str(UUID(int=self._rng.getrandbits(128), version=4))

    def subject(self, account: Account, user: User | None = None) -> str:
        """The `sub` of an account's service account, or of one of its users: always the same UUID."""
        namespace = uuid5(uuid5(NAMESPACE_URL, f"uhlive-mock:{self.realm}"), account.client_id)
        return str(uuid5(namespace, f"user:{user.username}" if user else "service-account"))

    # --- issuing ------------------------------------------------------------------------------------------

    def issue(
        self,
        account: Account,
        now: float,
        *,
        issuer: str,
        scope: str | None = None,
        user: User | None = None,
        expires_in: int = 300,
        client_address: str = "127.0.0.1",
        session: str = "",
    ) -> str:
        """An access token.

        Args:
            account: whom it is for; its `client_id` becomes `azp`.
            now: Unix seconds.
            issuer: the `iss`, as `issuer_url` makes it.
            scope: by default the account's own.
            user: who logged in; without one the token is the service account's.
            expires_in: seconds it is good for. Zero or less gives a token that has expired already.
            client_address: what `clientHost` and `clientAddress` say.
            session: the login session's id, for a user.
        """
        # S: mappers of the service account only, ClientCredentialsGrantType.java.
        of_service_account = {
            "clientHost": client_address,
            "clientAddress": client_address,
            "client_id": account.client_id,
        }
        claims = {
            "aud": "account",  # U: the provider's own audience is not public
            "acr": "1",
            "realm_access": {
                "roles": [f"default-roles-{self.realm}", "offline_access", "uma_authorization"],
            },
            "resource_access": {name: {"roles": list(account.roles)} for name in account.resources},
            "scope": account.default_scope if scope is None else scope,
            "email_verified": False,
            **({} if user else of_service_account),
            "preferred_username": _username(account, user),
        }
        return self._sign(
            TokenType.BEARER, account, now, claims, issuer=issuer, user=user, expires_in=expires_in, session=session
        )

    def issue_refresh(
        self,
        account: Account,
        now: float,
        *,
        issuer: str,
        scope: str,
        user: User,
        expires_in: int = 1800,
        session: str = "",
    ) -> str:
        """A refresh token; the arguments are those of `issue`."""
        claims: dict[str, object] = {"aud": issuer, "scope": scope}
        return self._sign(
            TokenType.REFRESH,
            account,
            now,
            claims,
            issuer=issuer,
            user=user,
            expires_in=expires_in,
            session=session,
        )

    def issue_id(
        self,
        account: Account,
        now: float,
        *,
        issuer: str,
        access_token: str,
        user: User | None = None,
        expires_in: int = 300,
        session: str = "",
    ) -> str:
        """An ID token that goes with `access_token`; the other arguments are those of `issue`."""
        digest = hashlib.sha256(access_token.encode()).digest()
        claims = {
            "aud": account.client_id,
            "at_hash": urlsafe_b64encode(digest[:16]).rstrip(b"=").decode(),  # OpenID Connect Core 3.1.3.6
            "acr": "1",
            "email_verified": False,
            "preferred_username": _username(account, user),
        }
        return self._sign(
            TokenType.ID, account, now, claims, issuer=issuer, user=user, expires_in=expires_in, session=session
        )

    def _sign(
        self,
        typ: TokenType,
        account: Account,
        now: float,
        claims: dict[str, object],
        *,
        issuer: str,
        user: User | None,
        expires_in: int,
        session: str,
    ) -> str:
        """A token with the claims that all types have, and its own."""
        common = {
            "exp": int(now) + expires_in,
            "iat": int(now),
            "jti": self.new_id(),
            "iss": issuer,
            "sub": self.subject(account, user),
            "typ": typ.value,
            "azp": account.client_id,
        }
        return self.key.sign(common | claims | ({"sid": session} if session else {}))

    # --- reading ------------------------------------------------------------------------------------------

    def read(self, token: str, *, typ: TokenType = TokenType.BEARER) -> Claims:
        """What a token of this realm says, expired or not.

        The issuer's host is free: the plain and the TLS listener are two hosts of one realm.

        Raises `TokenRefused`.
        """
        try:
            claims = msgspec.convert(self.key.unsign(token), Claims)
        except msgspec.ValidationError as error:
            raise TokenRefused(Reason.CLAIMS, str(error)) from None
        is_ours = claims.iss.startswith(("http://", "https://")) and claims.iss.endswith(f"/realms/{self.realm}")
        checks = (
            (not is_ours, Reason.ISSUER, ""),
            (claims.typ != typ, Reason.TYPE, f"expected {typ}"),
            (not claims.azp, Reason.CLAIMS, "azp is empty"),
        )
        for is_wrong, reason, detail in checks:
            if is_wrong:
                raise TokenRefused(reason, detail)
        return claims

    def verify(self, token: str, now: float, *, typ: TokenType = TokenType.BEARER) -> Claims:
        """What a token of this realm says, if it is still good at `now`, in Unix seconds.

        Raises `TokenRefused`.
        """
        claims = self.read(token, typ=typ)
        if claims.expired(now):
            raise TokenRefused(Reason.EXPIRED)
        return claims


def _username(account: Account, user: User | None) -> str:
    return user.username if user else f"service-account-{account.client_id}"


ALGORITHM = "RS256"
"""The only algorithm issued or accepted; that makes `none` and HS256 harmless. S: decoded tokens."""

MAX_TOKEN_CHARS = 16_384
"""Longer texts are refused unread."""

_COMPACT_FORM = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


class Reason(StrEnum):
    """Why a token was refused, in the order the checks are made."""

    MALFORMED = "it is not a signed JSON Web Token"
    ALGORITHM = f"it is not signed with {ALGORITHM}"
    SIGNATURE = "the realm's key did not sign it"
    CLAIMS = "a claim is missing or has the wrong type"
    ISSUER = "another realm issued it"
    TYPE = "it is a token of another type"
    EXPIRED = "it has expired"


class TokenRefused(UhliveMockError):
    """A token that proves nothing. `reason` says why; the message never quotes the token."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(f"the token was refused: {reason}" + (f" ({detail})" if detail else ""))


class SigningKey:
    """The realm's RSA key of 2048 bits, drawn on first use and never written anywhere."""

    def __init__(self) -> None:
        self._drawn: dict[str, RSAKey] = {}

    @property
    def key(self) -> RSAKey:
        """The key itself, for `joserfc`. Ask for it early, off the event loop, to pay for it early."""
        if not self._drawn:
            from joserfc.jwk import RSAKey

            # Two threads may both draw; setdefault is atomic, so both go on with the same one.
            self._drawn.setdefault("key", RSAKey.generate_key(2048, auto_kid=True))
        return self._drawn["key"]

    @property
    def kid(self) -> str:
        """The key's id, its thumbprint by RFC 7638."""
        return str(self.key.kid)

    def sign(self, claims: dict[str, object]) -> str:
        """A compact signed token with these claims, whatever they are."""
        from joserfc import jwt

        return jwt.encode({"alg": ALGORITHM, "typ": "JWT", "kid": self.kid}, claims, self.key)

    def unsign(self, token: str) -> object:
        """The claims of a token this key signed.

        Raises `TokenRefused` for everything else.
        """
        if len(token) > MAX_TOKEN_CHARS or not _COMPACT_FORM.fullmatch(token):
            raise TokenRefused(Reason.MALFORMED)
        if _algorithm_of(token) != ALGORITHM:
            raise TokenRefused(Reason.ALGORITHM)
        from joserfc import jwt
        from joserfc.errors import BadSignatureError, JoseError

        try:
            return jwt.decode(token, self.key, algorithms=[ALGORITHM]).claims
        except BadSignatureError:
            raise TokenRefused(Reason.SIGNATURE) from None
        except (JoseError, ValueError, TypeError, RecursionError):
            raise TokenRefused(Reason.MALFORMED) from None

    def jwks(self) -> dict[str, object]:
        """The JSON Web Key Set with the public half, as the `certs` resource serves it."""
        public = self.key.as_dict(private=False)
        return {
            "keys": [
                {
                    "kid": self.kid,
                    "kty": "RSA",
                    "alg": ALGORITHM,
                    "use": "sig",
                    "n": public["n"],
                    "e": public["e"],
                }
            ]
        }

    def public_key(self) -> str:
        """The public half as Keycloak's realm resource shows it: a PEM without its first and last lines."""
        return "".join(self.key.as_pem(private=False).decode().splitlines()[1:-1])


class _Header(msgspec.Struct):
    alg: str


def _algorithm_of(token: str) -> str:
    encoded = token.partition(".")[0]
    try:
        return msgspec.json.decode(urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)), type=_Header).alg
    except (ValueError, RecursionError):
        raise TokenRefused(Reason.MALFORMED) from None
