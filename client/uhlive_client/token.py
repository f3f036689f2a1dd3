"""The access token: what to ask, and what the answer means. Nothing here touches the network.

    request = token_request(ClientCredentials(client_id="acme", client_secret="…"))
    # POST request.body to request.url with request.headers, then
    token = token_from_response(status, body)

The endpoint is Keycloak's. S: the form fields and the address are those of the official SDK. D: a token is
good for five minutes and only opens the socket, which may outlive it. Only a user gets a refresh token.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode
from urllib.parse import quote, urlencode

import msgspec

from .errors import AuthenticationError

AUTH_SERVER = "id.uh.live"
REALM = "uhlive"


class ClientCredentials(msgspec.Struct, frozen=True, kw_only=True):
    """The grant of an account that has a client id and a secret."""

    client_id: str
    client_secret: str

    def __repr__(self) -> str:
        return f"ClientCredentials(client_id={self.client_id!r}, client_secret=…)"


class Password(msgspec.Struct, frozen=True, kw_only=True):
    """The grant of an account that has a client id, a user and a password; the secret may be empty."""

    client_id: str
    username: str
    password: str
    client_secret: str = ""

    def __repr__(self) -> str:
        return f"Password(client_id={self.client_id!r}, username={self.username!r}, password=…)"


class Refresh(msgspec.Struct, frozen=True, kw_only=True):
    """The grant of an account that was given a refresh token before; the secret may be empty."""

    client_id: str
    refresh_token: str
    client_secret: str = ""

    def __repr__(self) -> str:
        return f"Refresh(client_id={self.client_id!r}, refresh_token=…)"


Grant = ClientCredentials | Password | Refresh


class TokenRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP POST. `body` holds the secret."""

    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def __repr__(self) -> str:
        return f"TokenRequest(url={self.url!r}, headers={self.headers!r}, body=…)"


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """What opens the socket. `expires_in` is in seconds, from the answer on; `None` when not given."""

    access_token: str
    expires_in: float | None = None
    token_type: str = "Bearer"  # noqa: S105 - a scheme, not a secret
    scope: str = ""
    refresh_token: str = ""

    def __repr__(self) -> str:
        return f"Token(access_token=…, expires_in={self.expires_in!r})"


def token_request(grant: Grant, *, auth_server: str = AUTH_SERVER, realm: str = REALM) -> TokenRequest:
    """The request that asks for a token.

    Args:
        grant: the account that asks.
        auth_server: a host with an optional port, reached over HTTPS as the SDK does; or an origin with
            its scheme, such as `http://127.0.0.1:8080`, to reach a local server in clear.
        realm: the Keycloak realm.
    """
    own: dict[str, str] = {}
    match grant:
        case ClientCredentials():
            grant_type = "client_credentials"
        case Password():
            grant_type, own = "password", {"username": grant.username, "password": grant.password}
        case Refresh():
            grant_type, own = "refresh_token", {"refresh_token": grant.refresh_token}
    # S: the SDK sends the secret with a password too, empty or not.
    fields = {"client_id": grant.client_id, "grant_type": grant_type, "client_secret": grant.client_secret, **own}
    origin = auth_server if "://" in auth_server else f"https://{auth_server}"
    return TokenRequest(
        url=f"{origin.rstrip('/')}/realms/{quote(realm, safe='')}/protocol/openid-connect/token",
        headers=(("Content-Type", "application/x-www-form-urlencoded"), ("Accept", "application/json")),
        body=urlencode(fields).encode("ascii"),
    )


class _Failure(msgspec.Struct, frozen=True):
    error: str = ""
    error_description: str = ""


def token_from_response(status: int, body: bytes) -> Token:
    """The token in an answer.

    Raises:
        AuthenticationError: the answer is not a success, or holds no token.
    """
    if status != 200:
        try:
            said = msgspec.json.decode(body, type=_Failure)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            # I: a proxy on the way answers in HTML.
            said = _Failure()
        raise AuthenticationError(status, said.error, said.error_description)
    try:
        token = msgspec.json.decode(body, type=Token)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        raise AuthenticationError(status, "", "the answer holds no access_token") from None
    if not token.access_token:
        raise AuthenticationError(status, "", "the answer's access_token is empty")
    return token


class _Claims(msgspec.Struct, frozen=True):
    exp: float | None = None


def expiry(access_token: str) -> float | None:
    """When a token expires, in Unix seconds; `None` for one that does not say so in a way we can read.

    Nothing is verified: it is for the service to believe a token, and for us to know when to ask for another.
    """
    _, _, rest = access_token.partition(".")
    claims = rest.partition(".")[0]
    try:
        return msgspec.json.decode(urlsafe_b64decode(claims + "=" * (-len(claims) % 4)), type=_Claims).exp
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
