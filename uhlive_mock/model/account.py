"""Who may ask for a token: an account, which Keycloak calls a client, and the users it logs in.

D: an account is a `client_id` with a `client_secret`, or a `client_id` with a user name and a password
(SDK docs/index.md). S: the `client_id` is also the identifier in the topics and the `azp` of the tokens.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from ..errors import ConfigurationError

REALM_SCOPES = (
    "openid",
    "basic",
    "roles",
    "profile",
    "email",
    "address",
    "phone",
    "acr",
    "web-origins",
    "microprofile-jwt",
    "offline_access",
    "service_account",
    "app_metadata",
    "stream-h2h",
    "stream-h2h-v2",
    "stream-h2b",
    "activate",
    "scribr",
    "voip-callapi",
)
"""The scopes the provider's realm advertises. D: its discovery document, probed 2026-08-17."""

_SECRETS = frozenset({"client_secret", "password"})


class Vocabulary(StrEnum):
    """How typed events are named and laid out on the wire.

    S: the SDK up to 1.6.1 and the JavaScript SDK know `legacy`, the SDK since 2.0.0 `universal`.
    I: the account decides, since both SDK generations send the same URL and the same join.
    """

    LEGACY = "legacy"
    UNIVERSAL = "universal"


class Discreet(msgspec.Struct, frozen=True, kw_only=True):
    """A value whose repr never shows a secret: no more than its rich repr."""

    def __rich_repr__(self) -> list[tuple[str, object]]:
        return [(name, "***" if name in _SECRETS else getattr(self, name)) for name in self.__struct_fields__]

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self.__rich_repr__())
        return f"{type(self).__name__}({fields})"


class User(Discreet, frozen=True, kw_only=True):
    """A person who logs in through an account, with the password grant.

    `enabled=False` and `fully_set_up=False` are refused with the two answers Keycloak keeps for them.
    """

    username: str
    password: str
    enabled: bool = True
    fully_set_up: bool = True

    def __post_init__(self) -> None:
        if not self.username:
            raise ConfigurationError("the username is empty; expected a name")
        if not self.password:
            raise ConfigurationError(f"the password of {self.username!r} is empty; expected a secret")


class Account(Discreet, frozen=True, kw_only=True):
    """A client of the realm.

    Raises `ConfigurationError` for an empty id, an empty secret unless `public`, a username given twice and
    a default scope that is not allowed.
    """

    client_id: str
    client_secret: str = ""
    vocabulary: Vocabulary = Vocabulary.UNIVERSAL
    enabled: bool = True
    public: bool = False
    """A public client proves nothing about itself; its users do. S: the SDK then sends an empty secret."""
    service_account: bool = True
    """Whether the client credentials grant is open to it."""
    direct_access_grants: bool = True
    """Whether the password grant is open to it."""
    users: tuple[User, ...] = ()
    roles: tuple[str, ...] = ("read", "write")
    """S: the JavaScript examples refuse to start without both."""
    resources: tuple[str, ...] = ("stream-h2h", "stream-h2h-v2")
    """Where the token carries the roles. S: `stream-h2h`. U: whether the other is one as well."""
    default_scope: str = "profile email"
    allowed_scopes: tuple[str, ...] = REALM_SCOPES
    """I: whatever the realm advertises."""

    def __post_init__(self) -> None:
        if not isinstance(self.vocabulary, Vocabulary):
            raise ConfigurationError(
                f"the vocabulary of {self.client_id!r} is {self.vocabulary!r}; expected {' or '.join(Vocabulary)}"
            )
        if not self.client_id:
            raise ConfigurationError("the client id is empty; expected a name")
        if not (self.client_secret or self.public):
            raise ConfigurationError(
                f"the secret of {self.client_id!r} is empty; expected one, or a public account"
            )
        names = [user.username for user in self.users]
        if repeated := next((name for name in names if names.count(name) > 1), None):
            raise ConfigurationError(f"account {self.client_id!r} has user {repeated!r} twice; expected once")
        if foreign := set(self.default_scope.split()) - set(self.allowed_scopes):
            raise ConfigurationError(
                f"the default scope of {self.client_id!r} has {sorted(foreign)}, which it is not allowed"
            )

    def user(self, username: str) -> User | None:
        """The user of that name, matched exactly."""
        return next((user for user in self.users if user.username == username), None)
