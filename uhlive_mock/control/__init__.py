"""The control API: a server's spaces over HTTP, under `/_mock/`, for tests in any language.

What the Python handles offer, here is an operation each, by a method and a path:

    operation        what an operation is, and how a request becomes a call of one
    validation       JSON values → values of a type, or where and why not
    spaces, conversations, journal    the operations
    app              who may call, the routes, the OpenAPI document

All of them are imported on the first request, so that a server whose control API is not used does not pay for it.

Why no web framework does this
------------------------------
Litestar 2.25 and FastAPI 0.165 were tried as they come, with eleven of the thirty operations, mounted and imported
on their first request. Medians of five interleaved runs on CPython 3.11:

                                   here      Litestar       FastAPI
    CPU of the first request       67 ms     784 ms         1084 ms
    memory once the document       1.3 MB    8.5 MB         18.9 MB
      has been asked for
    installed                      94 MB     118 MB         103 MB
    packages more                  0         11             7
    schemathesis                   passes    8 failures     7 failures

Neither can say what was found, what was expected and what was meant. Litestar has only the text of msgspec's
errors (`Invalid enum value 'auido'`), takes `"7"` for 7, and lets unknown keys and parameters pass. FastAPI has
the values, but every type of ours would be written a second time for pydantic, and each of its kinds of error put
into other words. In neither can a name in a path hold a slash (`%2F`), and both leave HEAD, doubled parameters
and a wrong content type to us; Litestar answers deep JSON with 500. What they would do is to match thirty paths
and to list schemas, which msgspec makes: less code here than setting the rest straight.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from ..errors import ConfigurationError
from ..protocol.space import Space
from ..server.space_handle import SpaceHandle
from ..server.spaces import Spaces

if TYPE_CHECKING:
    from .app import ControlApp

__all__ = ["ControlRoute", "ServerState", "check_token"]

PREFIX = "/_mock/"
_SENDABLE = re.compile(r"[!-~]+")


class ServerState(msgspec.Struct, frozen=True, kw_only=True):
    """What operations work on.

    Args:
        ready: the ready object.
        open_space: makes a space and brings it to life; see `MockServer.space`.
        hold: the handle of a living space.
        stop: set when the server stops, which ends every wait.
    """

    spaces: Spaces
    ready: Callable[[], dict[str, object]]
    open_space: Callable[..., SpaceHandle]
    hold: Callable[[Space], SpaceHandle]
    stop: asyncio.Event


class ControlRoute(BaseRoute):
    """Everything under `/_mock/`.

    Args:
        token: what callers must send; None lets in callers on this machine.

    Raises:
        ConfigurationError: the token is empty or cannot be sent in a header.
    """

    def __init__(self, state: ServerState, token: str | None) -> None:
        if token is not None and not _SENDABLE.fullmatch(token):
            raise ConfigurationError(
                "the control token cannot be sent in a header; expected visible ASCII without spaces"
            )
        self._state = state
        self._token = token
        self._app: ControlApp | None = None

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether a request is for the control API."""
        is_ours = scope["type"] == "http" and scope["path"].startswith(PREFIX)
        return (Match.FULL if is_ours else Match.NONE), {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; the first one imports what answers it, on a thread of its own."""
        if self._app is None:
            self._app = await asyncio.to_thread(self._load)
        await self._app(scope, receive, send)

    def _load(self) -> ControlApp:
        from .app import ControlApp

        return ControlApp(self._state, self._token)
