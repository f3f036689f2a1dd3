"""From a request under `/_mock/` to an operation of the table, and from what goes wrong to an answer.

Paths are matched part by part before they are decoded, so that a name may hold a slash: `%2F`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from http import HTTPStatus
from urllib.parse import unquote_to_bytes

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from ..errors import UhliveMockError
from ..server.realm import CONCERNS
from .access import Access
from .host import Host
from .openapi import openapi
from .operation import Operation
from .reading import JSON
from .refusals import Refused, unusable

PREFIX = "/_mock/"
DOCUMENT = f"{PREFIX}openapi.json"


class ControlRoute(BaseRoute):
    """Everything under `/_mock/`.

    Args:
        operations: what there is.
        version: of this package, for the document.
    """

    def __init__(self, host: Host, access: Access, operations: Sequence[Operation], *, version: str) -> None:
        self._host = host
        self._access = access
        self._operations = [(operation.path.split("/"), operation) for operation in operations]
        self._version = version

    @cached_property
    def _document(self) -> bytes:
        operations = [operation for _, operation in self._operations]
        document = openapi(operations, version=self._version, needs_token=self._access.needs_token)
        return msgspec.json.encode(document)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether a request is for the control API."""
        is_ours = scope["type"] == "http" and scope["path"].startswith(PREFIX)
        return (Match.FULL if is_ours else Match.NONE), {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        request = Request(scope, receive)
        try:
            self._access.check(request)
            response = await self._answer(request)
        except Refused as refused:
            response = _refusal(refused)
        except UhliveMockError as error:
            response = _refusal(unusable(error))
        except Exception:
            defect = Refused(HTTPStatus.INTERNAL_SERVER_ERROR, "a defect of uhlive-mock; its log says more")
            await _refusal(defect)(scope, receive, send)
            raise
        # It may hold secrets, and is never the same twice.
        response.headers["Cache-Control"] = "no-store"
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        raw_path: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
        path = raw_path.partition(b"?")[0].decode("latin-1")
        method = "GET" if request.method == "HEAD" else request.method
        here = {"GET": None} if path == DOCUMENT else self._at(path)
        if not here:
            why = f"there is nothing at {path[:200]}; {DOCUMENT} lists what there is"
            raise Refused(HTTPStatus.NOT_FOUND, why)
        if method not in here:
            allowed = ", ".join(here)
            why = f"{request.method} does nothing at {path[:200]}"
            raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, why, expected=allowed, headers={"Allow": allowed})
        found = here[method]
        if found is None:
            return Response(self._document, media_type=JSON)
        operation, names = found
        request.scope[CONCERNS] = names.get("space")
        return await operation.respond(self._host, request, names)

    def _at(self, path: str) -> dict[str, tuple[Operation, dict[str, str]] | None]:
        """The operations at a path by method, each with the names that the path gives.

        Raises:
            Refused: 400, a name is not UTF-8.
        """
        parts = path.split("/")
        found: dict[str, tuple[Operation, dict[str, str]] | None] = {}
        for pattern, operation in self._operations:
            if len(pattern) == len(parts) and all(map(_fits, pattern, parts)):
                pairs = zip(pattern, parts, strict=True)
                names = {step[1:-1]: _decode(part) for step, part in pairs if step.startswith("{")}
                found[operation.method] = (operation, names)
        return found


def _fits(step: str, part: str) -> bool:
    return part != "" if step.startswith("{") else part == step


def _decode(part: str) -> str:
    try:
        return unquote_to_bytes(part).decode()
    except UnicodeDecodeError:
        raise Refused(HTTPStatus.BAD_REQUEST, f"the path has {part!r}; expected percent-encoded UTF-8") from None


def _refusal(refused: Refused) -> Response:
    return Response(msgspec.json.encode(refused.refusal), refused.status, refused.headers, JSON)
