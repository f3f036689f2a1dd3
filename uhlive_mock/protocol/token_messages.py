"""What goes into the token endpoint and what comes out: requests, answers, errors and settings."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Literal

import msgspec

from ..errors import ConfigurationError
from ..model.grade import Grade, rule

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


class TokenRequest(msgspec.Struct, frozen=True, kw_only=True):
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

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self.__rich_repr__())
        return f"{type(self).__name__}({fields})"


class TokenResponse(msgspec.Struct, frozen=True, kw_only=True):
    """An answer: the keys of `body` are in the order Keycloak writes them."""

    status: int
    body: dict[str, object]
    headers: tuple[tuple[str, str], ...] = ()

    def __rich_repr__(self) -> list[tuple[str, object]]:
        return [("status", self.status), ("body", tuple(self.body))]

    def __repr__(self) -> str:
        return f"{type(self).__name__}(status={self.status!r}, body={tuple(self.body)!r})"


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
