"""The account, where the service is, and how to come back to it: as the caller says, else the environment.

The environment is read when asked, never at import. S: the first five names are those of the official SDK.

    UHLIVE_API_CLIENT  UHLIVE_API_SECRET      the account
    UHLIVE_AUTH_SERVER  UHLIVE_AUTH_REALM     where tokens come from
    UHLIVE_API_URL                            where conversations are
    UHLIVE_API_USER  UHLIVE_API_PASSWORD      for an account that has a user
    SSL_CERT_FILE  REQUESTS_CA_BUNDLE         which certificates to trust, in this order
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Self
from urllib.parse import quote, urljoin, urlsplit

import msgspec

from .errors import ConfigurationError
from .token import AUTH_SERVER, REALM, ClientCredentials, Grant, Password
from .wire import Framing

if TYPE_CHECKING:
    import ssl

API_URL = "wss://api.uh.live"

LONGEST_S = 86_400.0
"""No wait is longer: a day, in seconds. Clocks of operating systems end somewhere."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The account, and where the service is. `ca_file` is a file or a folder of certificates in PEM."""

    client_id: str
    client_secret: str = ""
    user: str = ""
    password: str = ""
    auth_server: str = AUTH_SERVER
    realm: str = REALM
    url: str = API_URL
    ca_file: Path | None = None

    def __repr__(self) -> str:
        return (
            f"Settings(client_id={self.client_id!r}, client_secret=…, auth_server={self.auth_server!r}, "
            f"realm={self.realm!r}, url={self.url!r}, ca_file={self.ca_file!r})"
        )

    @classmethod
    def read(
        cls,
        *,
        client_id: str | None = None,
        client_secret: str | None = None,
        user: str | None = None,
        password: str | None = None,
        auth_server: str | None = None,
        realm: str | None = None,
        url: str | None = None,
        ca_file: str | os.PathLike[str] | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> Self:
        """The settings given, completed by those of the environment; empty counts as missing.

        Raises:
            ConfigurationError: no client id, neither secret nor user, an address that is not a
                WebSocket's, or a certificate file that is not there.
        """
        env = os.environ if environ is None else environ

        def pick(given: str | None, name: str, default: str = "") -> str:
            return given or env.get(name) or default

        found = cls(
            client_id=pick(client_id, "UHLIVE_API_CLIENT"),
            client_secret=pick(client_secret, "UHLIVE_API_SECRET"),
            user=pick(user, "UHLIVE_API_USER"),
            password=pick(password, "UHLIVE_API_PASSWORD"),
            auth_server=pick(auth_server, "UHLIVE_AUTH_SERVER", AUTH_SERVER),
            realm=pick(realm, "UHLIVE_AUTH_REALM", REALM),
            url=pick(url, "UHLIVE_API_URL", API_URL),
            ca_file=_ca_file(ca_file, env),
        )
        if not found.client_id:
            raise ConfigurationError("no client id; give client_id or set UHLIVE_API_CLIENT")
        if not _is_address(found.url, ("ws", "wss")):
            raise ConfigurationError(f"the address {_shown(found.url)!r}; expected one like {API_URL}")
        auth_server = found.auth_server if "://" in found.auth_server else f"https://{found.auth_server}"
        if not _is_address(auth_server, ("http", "https")):
            shown = _shown(found.auth_server)
            raise ConfigurationError(f"the token server {shown!r}; expected one like {AUTH_SERVER}")
        return found

    @property
    def has_grant(self) -> bool:
        """Whether there is enough to ask for a token."""
        return bool(self.user or self.client_secret)

    def grant(self) -> Grant:
        """How to ask for a token: with the user's password if there is a user, else with the secret.

        Raises:
            ConfigurationError: there is neither.
        """
        if self.user:
            return Password(
                client_id=self.client_id,
                username=self.user,
                password=self.password,
                client_secret=self.client_secret,
            )
        if not self.client_secret:
            raise ConfigurationError("no client secret; give client_secret or set UHLIVE_API_SECRET")
        return ClientCredentials(client_id=self.client_id, client_secret=self.client_secret)

    def socket_url(self, access_token: str, framing: Framing) -> str:
        """The address of the socket; it holds the token, so keep it out of logs.

        S: `UHLIVE_API_URL` is a base in the sense of RFC 3986, as in the SDK: what follows its last slash
        is dropped. D: `jwt` goes with vsn 2, `token` with vsn 1.
        """
        name = "token" if framing is Framing.VSN1 else "jwt"
        return f"{urljoin(self.url, 'socket/websocket')}?{name}={quote(access_token)}&vsn={framing.vsn}"

    def ssl_context(self) -> ssl.SSLContext:
        """A context that verifies certificates and names, for the token and for the socket.

        Raises:
            ConfigurationError: `ca_file` holds no certificate.
        """
        import ssl

        is_folder = self.ca_file is not None and self.ca_file.is_dir()
        file, folder = (None, self.ca_file) if is_folder else (self.ca_file, None)
        try:
            return ssl.create_default_context(cafile=file, capath=folder)
        except (OSError, ssl.SSLError) as problem:
            raise ConfigurationError(f"{self.ca_file}: no certificates in it ({problem})") from None


class Reconnect(msgspec.Struct, frozen=True, kw_only=True):
    """What to do when the connection is lost in mid-call: open another socket and join again.

    The first attempt comes after `first_s` seconds, each other after `factor` times the delay before, never more
    than `longest_s`. `jitter` is the share of every delay that chance may take away, so that a thousand clients
    of a service that restarts do not all come back in the same moment.

    Delays grow and attempts count over all losses, until a stay has lasted: a service that lets one join and then
    drops the connection is as far away as one that refuses.

    Args:
        attempts: how many, until a stay has lasted.
        lasting_s: how long that is, in seconds.
        seed: where chance begins; the same seed makes the same delays.

    Raises:
        ConfigurationError: a number that makes no sense.
    """

    attempts: int = 5
    first_s: float = 0.5
    factor: float = 2.0
    longest_s: float = 30.0
    jitter: float = 0.5
    lasting_s: float = 5.0
    seed: int | None = None

    def __post_init__(self) -> None:
        for name, value, holds, expected in (
            ("attempts", self.attempts, self.attempts >= 1, "1 or more"),
            ("first_s", self.first_s, self.first_s >= 0, "0 or more"),
            ("factor", self.factor, self.factor >= 1, "1 or more"),
            ("longest_s", self.longest_s, self.longest_s >= 0, "0 or more"),
            ("jitter", self.jitter, 0 <= self.jitter <= 1, "0 to 1"),
            ("lasting_s", self.lasting_s, self.lasting_s >= 0, "0 or more"),
        ):
            if not holds:
                raise ConfigurationError(f"reconnect: {name} is {value}; expected {expected}")

    def delays(self) -> Iterator[float]:
        """Seconds to wait before each attempt."""
        chance = random.Random(self.seed)  # noqa: S311
        whole = self.first_s
        for _ in range(self.attempts):
            whole = min(whole, self.longest_s)
            yield whole * (1 - self.jitter * chance.random())
            whole *= self.factor


class Attempts:
    """The attempts of a call to join again, counted over all losses until a stay has lasted."""

    def __init__(self, terms: Reconnect) -> None:
        self._terms = terms
        self._begin()

    def _begin(self) -> None:
        self._delays = self._terms.delays()
        self._made = self._short = 0
        self._problem: Exception | None = None

    def stayed(self, seconds: float) -> None:
        """A stay of so many seconds was lost. One that has lasted is a new beginning."""
        if seconds >= self._terms.lasting_s:
            self._begin()
        else:
            self._short += self._made > 0

    def next_delay(self) -> float | None:
        """Seconds to wait before the next attempt; `None` when there will be none."""
        delay = next(self._delays, None)
        self._made += delay is not None
        return delay

    def failed(self, problem: Exception) -> None:
        """The last attempt did not lead to a stay."""
        self._problem = problem

    def __str__(self) -> str:
        """Why there will be no other, in a sentence."""
        failed = self._made - self._short
        sentences = []
        if self._short:
            lasting = f"no stay lasted {self._terms.lasting_s:g} s"
            sentences.append(f"Joined again {self._short} {'time' if self._short == 1 else 'times'}, and {lasting}")
        if failed:
            sentences.append(f"Joining again failed {failed} times; the last time: {self._problem}")
        return ". ".join(sentences)


def _is_address(url: str, schemes: tuple[str, ...]) -> bool:
    """Whether it has a host, a port that exists if any, and no user, whose password would be a secret in it."""
    try:
        parts = urlsplit(url)
        return bool(parts.scheme in schemes and parts.hostname and parts.port != 0 and "@" not in parts.netloc)
    except ValueError:
        return False


def _shown(address: str) -> str:
    """An address without what stands before the host."""
    before, at, host = address.rpartition("@")
    return f"{before.partition('//')[0]}//***@{host}" if at else address


def _ca_file(given: str | os.PathLike[str] | None, env: Mapping[str, str]) -> Path | None:
    named = given or env.get("SSL_CERT_FILE") or env.get("REQUESTS_CA_BUNDLE")
    if not named:
        return None
    path = Path(named)
    if not path.exists():
        raise ConfigurationError(f"{path}: no such certificate file")
    return path
