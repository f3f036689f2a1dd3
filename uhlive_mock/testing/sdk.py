"""The installed official SDK, pointed at a space for the length of a test.

A program finds its servers in three ways, and a test must turn all of them, in this process, and back:

    the environment      what programs read themselves, and processes that the test starts
    the SDK's globals    S: when its modules are imported, either generation reads `UHLIVE_AUTH_SERVER`,
                         `UHLIVE_AUTH_REALM` and `UHLIVE_API_URL`, and keeps them as SERVER and REALM
    their copies         `from uhlive.auth import SERVER` in the tested program

and trusts them through its transport. Found by running them: requests, websocket-client, websockets, httpx and
urllib look at the environment for each connection; aiohttp makes its TLS context when it is imported.

The SDK's modules are imported before anything is changed, so that what they keep is never the mock's.
"""

from __future__ import annotations

import os
import ssl
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType
from typing import TYPE_CHECKING

from ..errors import ConfigurationError

if TYPE_CHECKING:
    import pytest

    from ..server.space_handle import SpaceHandle

_GLOBALS = {
    ("uhlive.auth", "SERVER"): "UHLIVE_AUTH_SERVER",
    ("uhlive.auth", "REALM"): "UHLIVE_AUTH_REALM",
    ("uhlive.stream.conversation", "SERVER"): "UHLIVE_API_URL",
    ("uhlive.stream.recognition", "SERVER"): "UHLIVE_API_URL",
}
"""What the SDK keeps, and the variable it was read from."""

_AIOHTTP = ("aiohttp.connector", "_SSL_CONTEXT_VERIFIED")


class Sdk:
    """The official SDK in this process, and the space it talks to."""

    def __init__(self, space: SpaceHandle, env: dict[str, str]) -> None:
        self.space = space
        self.env = env
        """The environment variables that were set, for processes that a test starts."""

    @property
    def version(self) -> str:
        """The installed release, such as `2.1.0`."""
        return version("uhlive")

    @property
    def generation(self) -> int:
        """The first number of its version: 1 has the legacy vocabulary, 2 the universal one."""
        return int(self.version.partition(".")[0])

    @property
    def client_id(self) -> str:
        """The client id of the space's account."""
        return self.space.client_id

    @property
    def client_secret(self) -> str:
        """Its secret."""
        return self.space.client_secret

    @property
    def token_url(self) -> str:
        """Where the SDK asks for tokens."""
        return str(import_module("uhlive.auth").build_authentication_request(self.client_id, "")[0])

    def token(self, *, expires_in: int = 300) -> str:
        """A token without a request for it; `expires_in` in seconds, 0 for an expired one."""
        return self.space.issue_token(expires_in=expires_in)

    def conversation_url(self, token: str | None = None) -> str:
        """Where the SDK opens its socket, with a token of the space's account unless one is given."""
        conversation = import_module("uhlive.stream.conversation")
        return str(conversation.build_conversation_url(self.token() if token is None else token))


def vocabulary() -> str:
    """How the installed SDK wants events named: `legacy` before 2.0.0, `universal` since.

    Raises:
        ConfigurationError: there is no SDK, or none that we know.
    """
    return "universal" if hasattr(_modules()["uhlive.stream.conversation"], "EntityRecognized") else "legacy"


@contextmanager
def pointed_at(space: SpaceHandle) -> Iterator[Sdk]:
    """Point the SDK at `space`, and back to where it was pointed before.

    Raises:
        ConfigurationError: there is no SDK, the server has no TLS, or the SDK does not follow.
    """
    if space.wss_url is None or space.ca_file is None:
        raise ConfigurationError(
            "the SDK asks for its token over https, and this server has no TLS port; expected tls_port=0 or another"
        )
    modules = _modules()
    env = {**space.env, **without_proxy(os.environ)}
    imported_late = _AIOHTTP[0] not in sys.modules
    import pytest  # the command line has this module too, and may have no pytest

    try:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in env.items():
                patch.setenv(name, value)
            kept = {(module, name): getattr(modules[module], name) for module, name in _GLOBALS}
            for module, name, new in _copies({id(kept[each]): env[_GLOBALS[each]] for each in kept}):
                patch.setattr(module, name, new)
            if not imported_late:
                _trust(patch, space.ca_file)
            sdk = Sdk(space, env)
            _verify(sdk)
            yield sdk
    finally:
        connector = sys.modules.get(_AIOHTTP[0])
        if imported_late and connector is not None and hasattr(connector, _AIOHTTP[1]):
            # It was imported with the test's environment; what it trusts ends with the test.
            setattr(connector, _AIOHTTP[1], _context())


def _modules() -> dict[str, ModuleType]:
    try:
        return {module: import_module(module) for module, _ in _GLOBALS}
    except ModuleNotFoundError as missing:
        if missing.name == "uhlive":
            raise ConfigurationError("the official SDK is not installed; pip install uhlive") from None
        raise ConfigurationError(f"this is no SDK we know, uhlive {_installed()}: {missing}") from None


def _installed() -> str:
    try:
        return version("uhlive")
    except PackageNotFoundError:
        return "of unknown version"


def _copies(news: dict[int, str]) -> list[tuple[ModuleType, str, str]]:
    """Every module global that is the very object the SDK keeps, under the name it has there, with its new value.

    Args:
        news: the new value of each object by the object's identity.
    """
    names = {name for _, name in _GLOBALS}
    found = []
    for module in tuple(sys.modules.values()):
        if issubclass(type(module), ModuleType):  # some only say so
            there = object.__getattribute__(module, "__dict__")  # wakes no module that loads when it is looked at
            found += [(module, name, news[id(there[name])]) for name in names if id(there.get(name)) in news]
    return found


def _trust(patch: pytest.MonkeyPatch, ca_file: str) -> None:
    connector = sys.modules[_AIOHTTP[0]]
    if hasattr(connector, _AIOHTTP[1]):
        patch.setattr(connector, _AIOHTTP[1], _trusting(ca_file))


@lru_cache(maxsize=1)
def _trusting(ca_file: str) -> ssl.SSLContext:
    """A context as aiohttp makes it; reading the certificates takes a while, so all tests share one."""
    return _context(ca_file)


def _context(ca_file: str | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca_file)
    context.set_alpn_protocols(("http/1.1",))
    return context


def _verify(sdk: Sdk) -> None:
    """Ask the SDK where it would go."""
    for what, found, expected in (
        ("ask for its token at", sdk.token_url, sdk.space.token_url),
        ("open its socket at", sdk.conversation_url("token").partition("?")[0], f"{sdk.space.wss_url}/"),
    ):
        if not found.startswith(expected):
            raise ConfigurationError(
                f"uhlive {_installed()} was pointed at the mock but would {what} {found}; expected {expected}"
            )


def without_proxy(environ: Mapping[str, str]) -> dict[str, str]:
    """Keeps a proxy that an environment names from being asked for the loopback."""
    known = environ.get("NO_PROXY") or environ.get("no_proxy") or ""
    hosts = dict.fromkeys([*filter(None, known.split(",")), "127.0.0.1", "localhost", "::1"])
    return dict.fromkeys(("NO_PROXY", "no_proxy"), ",".join(hosts))
