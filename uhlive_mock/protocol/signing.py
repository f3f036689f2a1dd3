"""The realm's key: what turns claims into a token, and a token back into claims.

Only what this very key signed with RS256 comes back. `alg: none`, HS256 keyed with the public half, another
realm's RSA key and edited payloads all end in `TokenRefused`, which never quotes the token.

The first use of a key imports the cryptography stack (about 0.12 s) and draws 2048 bits (0.02 to 0.15 s);
signing then takes about 1 ms and reading 0.15 ms.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from ..errors import UhliveMockError

if TYPE_CHECKING:
    from joserfc.jwk import RSAKey

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
