"""The token endpoint: a form in, a JSON answer out.

The checks run in a fixed order and the first that fails answers, from the table `TokenError`:

    TLS -> realm -> method and content type -> grant_type -> client authentication
        -> repeated parameters -> the grant's own checks

S: the order and the wordings are Keycloak's (TokenEndpoint.java, ClientIdAndSecretAuthenticator.java,
ValidateUsername.java and the grant types). Not measured on the provider's own realm.

Three grants are served. Keycloak knows more; the others are answered as grants it does not know.

The file is long because what goes in and what comes out (requests, answers, the table of errors, settings) is here
too.
"""

from __future__ import annotations

import hmac
from base64 import b64decode
from collections.abc import Callable
from enum import Enum
from typing import Annotated, Literal
from urllib.parse import unquote_plus

import msgspec

from ..errors import ConfigurationError
from ..model.account import Account, Discreet, User
from ..model.behaviour import Grade, rule
from .tokens import Reason, TokenIssuer, TokenRefused, TokenType

GRANTS = ("client_credentials", "password", "refresh_token")
"""The grant types served."""

# S: `setIncludeInTokenScope(false)`, OIDCLoginProtocolFactory.java. These are granted without being named.
_SILENT_SCOPES = frozenset({"acr", "basic", "roles", "service_account", "web-origins"})


class RequestRefused(Exception):
    """A request that is answered with an error; the arguments are those of `TokenError.answer`."""

    def __init__(self, error: TokenError, *, status: int | None = None, scope: str = "") -> None:
        self.answer = error.answer(status=status, scope=scope)


class TokenEndpoint:
    """The realm's token endpoint.

    Args:
        issuer: signs the tokens; its realm must be the one of `behaviour`.
        find_account: the account of a client id, or None.
        behaviour: what the realm's operator decides.

    Raises:
        ConfigurationError: issuer and behaviour name two realms.
    """

    def __init__(
        self,
        issuer: TokenIssuer,
        find_account: Callable[[str], Account | None],
        behaviour: TokenBehaviour | None = None,
    ) -> None:
        self.issuer = issuer
        self.behaviour = behaviour or TokenBehaviour()
        if issuer.realm != self.behaviour.realm:
            raise ConfigurationError(
                f"the issuer's realm is {issuer.realm!r}; expected the endpoint's, {self.behaviour.realm!r}"
            )
        self._find_account = find_account
        self._grants = dict(zip(GRANTS, (self._client_credentials, self._password, self._refresh), strict=True))

    def respond(self, request: TokenRequest, now: float) -> TokenResponse:
        """The answer to a request made at `now`, in Unix seconds. Never raises for what a client sends."""
        behaviour, form = self.behaviour, _first_values(request)
        try:
            _refuse_if(
                (behaviour.require_tls and not request.secure, TokenError.HTTPS_REQUIRED),
                (request.realm != behaviour.realm, TokenError.REALM_UNKNOWN),
                (not behaviour.realm_enabled, TokenError.REALM_DISABLED),
                (request.method != "POST", TokenError.METHOD),
                (not is_form(request.content_type), TokenError.CONTENT_TYPE),
                ("grant_type" not in form, TokenError.GRANT_MISSING),
                (form.get("grant_type") not in GRANTS, TokenError.GRANT_UNKNOWN),
            )
            account = self._authenticate(request, form)
            _refuse_if((len(form) != len(request.form), TokenError.REPEATED))
            return self._grants[form["grant_type"]](account, form, request, now)
        except RequestRefused as refused:
            return refused.answer

    def _authenticate(self, request: TokenRequest, form: dict[str, str]) -> Account:
        client_id, secret = _credentials(request, form)
        account = None if client_id is None else self._find_account(client_id)
        if account is None or not account.enabled:
            raise RequestRefused(TokenError.CLIENT_UNKNOWN)
        # S: ClientIdAndSecretAuthenticator.java does not look at the secret of a public client.
        is_wrong = not account.public and not _same(secret or "", account.client_secret)
        _refuse_if((is_wrong, TokenError.SECRET_WRONG))
        return account

    # --- grants -------------------------------------------------------------------------------------------

    def _client_credentials(
        self, account: Account, form: dict[str, str], request: TokenRequest, now: float
    ) -> TokenResponse:
        _refuse_if(
            (account.public, TokenError.CLIENT_PUBLIC),
            (not account.service_account, TokenError.NO_SERVICE_ACCOUNT),
        )
        return self._tokens(account, request, now, scope=_granted_scope(account, form))

    def _password(self, account: Account, form: dict[str, str], request: TokenRequest, now: float) -> TokenResponse:
        _refuse_if((not account.direct_access_grants, TokenError.NO_DIRECT_GRANT))
        scope, name = _granted_scope(account, form), form.get("username", "")
        user = account.user(name)
        _refuse_if(
            (not name, TokenError.USERNAME_MISSING),
            (user is not None and not user.enabled, TokenError.USER_DISABLED),
        )
        if user is None or not _same(form.get("password", ""), user.password):
            raise RequestRefused(TokenError.PASSWORD_WRONG, status=self.behaviour.bad_password_status)
        _refuse_if((not user.fully_set_up, TokenError.USER_INCOMPLETE))
        return self._tokens(account, request, now, scope=scope, user=user, session=self.issuer.new_id())

    def _refresh(self, account: Account, form: dict[str, str], request: TokenRequest, now: float) -> TokenResponse:
        _refuse_if(("refresh_token" not in form, TokenError.REFRESH_MISSING))
        _granted_scope(account, form)
        try:
            claims = self.issuer.verify(form["refresh_token"], now, typ=TokenType.REFRESH)
        except TokenRefused as refused:
            expired = refused.reason is Reason.EXPIRED
            raise RequestRefused(TokenError.REFRESH_EXPIRED if expired else TokenError.REFRESH_INVALID) from None
        _refuse_if((claims.azp != account.client_id, TokenError.REFRESH_FOREIGN))
        for user in account.users:
            if user.enabled and self.issuer.subject(account, user) == claims.sub:
                return self._tokens(account, request, now, scope=claims.scope, user=user, session=claims.sid)
        raise RequestRefused(TokenError.REFRESH_INVALID)  # I: the user is gone since

    def _tokens(
        self,
        account: Account,
        request: TokenRequest,
        now: float,
        *,
        scope: str,
        user: User | None = None,
        session: str = "",
    ) -> TokenResponse:
        """The successful answer. Only a user gets a refresh token (S: KEYCLOAK-9551)."""
        issuer = self.issuer.issuer_url(request.base_url)
        lifespan, refresh_lifespan = self.behaviour.lifespan_s, self.behaviour.refresh_lifespan_s
        access_token = self.issuer.issue(
            account,
            now,
            issuer=issuer,
            scope=scope,
            user=user,
            expires_in=lifespan,
            client_address=request.client_address,
            session=session,
        )
        refresh_token = user and self.issuer.issue_refresh(
            account,
            now,
            issuer=issuer,
            scope=scope,
            user=user,
            expires_in=refresh_lifespan,
            session=session,
        )
        body = {
            "access_token": access_token,
            "expires_in": lifespan,
            "refresh_expires_in": refresh_lifespan if user else 0,
            "refresh_token": refresh_token,
            "token_type": TokenType.BEARER.value,
            "id_token": self.issuer.issue_id(
                account,
                now,
                issuer=issuer,
                access_token=access_token,
                user=user,
                expires_in=lifespan,
                session=session,
            )
            if "openid" in scope.split()
            else None,
            "not-before-policy": 0,
            "session_state": session if user else None,
            "scope": scope,
        }
        said: dict[str, object] = {name: value for name, value in body.items() if value is not None}
        return TokenResponse(status=200, body=said, headers=NEVER_CACHED)


def _refuse_if(*checks: tuple[bool, TokenError]) -> None:
    """Refuse the request with the error of the first check that says so."""
    for is_wrong, error in checks:
        if is_wrong:
            raise RequestRefused(error)


def claimed_client(request: TokenRequest) -> str | None:
    """The client id a request names, unproven; it says whose clock the request lives on."""
    return _credentials(request, _first_values(request))[0]


def claimed_grant(request: TokenRequest) -> str | None:
    """The grant type a request names, if it is one that is served: anything else may be anything."""
    grant = _first_values(request).get("grant_type")
    return grant if grant in GRANTS else None


def _first_values(request: TokenRequest) -> dict[str, str]:
    # S: Keycloak reads the first value everywhere and refuses repetitions only once the client is known.
    return dict(reversed(request.form))


def _credentials(request: TokenRequest, form: dict[str, str]) -> tuple[str | None, str | None]:
    # S: ClientIdAndSecretAuthenticator.java lets the form override the header, field by field.
    client_id, secret = _basic(request.authorization)
    return form.get("client_id", client_id), form.get("client_secret", secret)


def _basic(authorization: str) -> tuple[str | None, str | None]:
    """Id and secret of HTTP Basic, each form-encoded first as RFC 6749 2.3.1 asks."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None, None
    try:
        client_id, colon, secret = b64decode(encoded.strip(), validate=True).decode().partition(":")
    except ValueError:
        return None, None
    return (unquote_plus(client_id), unquote_plus(secret)) if colon else (None, None)


def _granted_scope(account: Account, form: dict[str, str]) -> str:
    """The `scope` of the answer: `openid` if asked for, the account's own, then what else was asked for."""
    requested = form.get("scope", "").split()
    if not set(requested) <= set(account.allowed_scopes):
        raise RequestRefused(TokenError.SCOPE, scope=form["scope"])
    names = ["openid"] if "openid" in requested else []
    names += account.default_scope.split()
    names += [name for name in requested if name not in _SILENT_SCOPES]
    return " ".join(dict.fromkeys(names))


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(errors="surrogatepass"), expected.encode(errors="surrogatepass"))


FORM_TYPE = "application/x-www-form-urlencoded"

NEVER_CACHED = (("Cache-Control", "no-store"), ("Pragma", "no-cache"))
"""The headers of every answer. S: TokenEndpoint.java."""


class TokenBehaviour(msgspec.Struct, frozen=True, kw_only=True):
    """How the realm behaves where its operator decides. Lifespans are in seconds.

    Raises `ConfigurationError` for an empty realm name, another status or a lifespan below one second.
    """

    realm: Annotated[str, rule("Name of the realm.", Grade.DOCUMENTED, "provider's token URL")] = "uhlive"
    realm_enabled: Annotated[
        bool,
        rule("A disabled realm answers 403 to every request for a token.", Grade.SEEN, "Keycloak sources"),
    ] = True
    require_tls: Annotated[
        bool,
        rule(
            "Plain HTTP is answered 403. Off, so that tests may use http://.",
            Grade.SEEN,
            "Keycloak sources",
        ),
    ] = False
    bad_password_status: Annotated[
        Literal[400, 401],
        rule(
            "Status for a wrong user or password: 401 up to Keycloak 26.5.",
            Grade.INFERRED,
            "discovery document",
        ),
    ] = 400
    lifespan_s: Annotated[
        int, rule("How long an access token is good for.", Grade.DOCUMENTED, "provider's protocol V2 page")
    ] = 300
    refresh_lifespan_s: Annotated[
        int, rule("How long a refresh token is good for.", Grade.INFERRED, "Keycloak's default")
    ] = 1800

    def __post_init__(self) -> None:
        if not self.realm:
            raise ConfigurationError("the realm's name is empty; expected a name")
        if self.bad_password_status not in (400, 401):
            raise ConfigurationError(f"bad_password_status is {self.bad_password_status}; expected 400 or 401")
        for name in ("lifespan_s", "refresh_lifespan_s"):
            if getattr(self, name) < 1:
                raise ConfigurationError(f"{name} is {getattr(self, name)}; expected 1 or more")


class TokenRequest(Discreet, frozen=True, kw_only=True):
    """A request for a token, as the HTTP layer read it.

    `form` keeps repeated parameters. `base_url` is the scheme and authority the client used. Its secrets
    stay out of its repr.
    """

    realm: str
    method: str = "POST"
    secure: bool = False
    content_type: str = FORM_TYPE
    form: tuple[tuple[str, str], ...] = ()
    authorization: str = ""
    base_url: str = "http://localhost"
    client_address: str = "127.0.0.1"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        return [
            ("realm", self.realm),
            ("method", self.method),
            ("secure", self.secure),
            ("form", tuple(name for name, _ in self.form)),
        ]


class TokenResponse(Discreet, frozen=True, kw_only=True):
    """An answer: the keys of `body` are in the order Keycloak writes them."""

    status: int
    body: dict[str, object]
    headers: tuple[tuple[str, str], ...] = ()

    def __rich_repr__(self) -> list[tuple[str, object]]:
        return [("status", self.status), ("body", tuple(self.body))]


class TokenError(Enum):
    """Every way not to get a token: status, `error`, `error_description`."""

    # S: RealmsResource.java and KeycloakErrorHandler, the shapes measured on 26.7.1 by a third party.
    REALM_UNKNOWN = (404, "Realm does not exist", "")
    PATH_UNKNOWN = (404, "HTTP 404 Not Found", "")
    METHOD = (405, "HTTP 405 Method Not Allowed", "")  # I: by analogy
    CONTENT_TYPE = (415, "HTTP 415 Unsupported Media Type", "")  # I: by analogy
    # U: what Keycloak says of a body it cannot read.
    BODY_UNREADABLE = (400, "invalid_request", "The form could not be decoded")
    BODY_LATE = (408, "HTTP 408 Request Timeout", "")
    BODY_TOO_LARGE = (413, "HTTP 413 Request Entity Too Large", "")
    # S: TokenEndpoint.java
    HTTPS_REQUIRED = (403, "invalid_request", "HTTPS required")
    REALM_DISABLED = (403, "access_denied", "Realm not enabled")
    GRANT_MISSING = (400, "invalid_request", "Missing form parameter: grant_type")
    GRANT_UNKNOWN = (400, "unsupported_grant_type", "Unsupported grant_type")
    REPEATED = (400, "invalid_request", "duplicated parameter")
    SCOPE = (400, "invalid_scope", "Invalid scopes: {scope}")
    # S: AuthenticationProcessor.java, ClientIdAndSecretAuthenticator.java. I: a missing id ends here too.
    CLIENT_UNKNOWN = (401, "invalid_client", "Invalid client or Invalid client credentials")
    SECRET_WRONG = (401, "unauthorized_client", "Invalid client or Invalid client credentials")
    # S: ClientCredentialsGrantType.java
    CLIENT_PUBLIC = (401, "unauthorized_client", "Public client not allowed to retrieve service account")
    NO_SERVICE_ACCOUNT = (401, "unauthorized_client", "Client not enabled to retrieve service account")
    # S: ResourceOwnerPasswordCredentialsGrantType.java, ValidateUsername.java
    NO_DIRECT_GRANT = (400, "unauthorized_client", "Client not allowed for direct access grants")
    USERNAME_MISSING = (401, "invalid_request", "Missing parameter: username")
    PASSWORD_WRONG = (400, "invalid_grant", "Invalid user credentials")
    USER_DISABLED = (400, "invalid_grant", "Account disabled")
    USER_INCOMPLETE = (400, "invalid_grant", "Account is not fully set up")
    # S: RefreshTokenGrantType.java, TokenManager.java
    REFRESH_MISSING = (400, "invalid_request", "No refresh token")
    REFRESH_INVALID = (400, "invalid_grant", "Invalid refresh token")
    REFRESH_EXPIRED = (400, "invalid_grant", "Token is not active")
    REFRESH_FOREIGN = (
        400,
        "invalid_grant",
        "Invalid refresh token. Token client and authorized client don't match",
    )

    def answer(self, *, status: int | None = None, scope: str = "") -> TokenResponse:
        """The answer for this error; `status` replaces the usual one, `scope` fills the description."""
        usual, error, description = self.value
        body: dict[str, object] = {"error": error}
        if description:
            body["error_description"] = description.format(scope=scope)
        headers = (("Allow", "POST, OPTIONS"),) if self is TokenError.METHOD else ()
        return TokenResponse(status=status or usual, body=body, headers=NEVER_CACHED + headers)


def is_form(content_type: str) -> bool:
    """Whether a `Content-Type` header announces a form."""
    return content_type.partition(";")[0].strip().lower() == FORM_TYPE
