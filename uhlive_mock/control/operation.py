"""One operation of the control API: what it reads, what it does, what it answers.

An operation is a value, and `table.OPERATIONS` lists them all. The routes and the OpenAPI document are both made
from that table, so they cannot disagree. Every operation runs on the server's event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Generic, TypeVar

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from ..server.handles import SpaceHandle
from ..server.realm import CONCERNS
from ..server.world import HostedSpace
from .host import Host
from .reading import JSON, NO_BODY, Body, read_query
from .refusals import Refused

Q = TypeVar("Q", bound=msgspec.Struct)
B = TypeVar("B")

BODY_TIMEOUT_S = 10.0
"""How long a body may take to arrive; more is answered 408."""

_PATIENCE = 16 * 1024 * 1024
"""How many bytes too many are read and thrown away."""

_MUCH = 65_536
"""A body of more bytes is read on a thread of its own."""


class NoQuery(msgspec.Struct, frozen=True):
    """The query of an operation that has none."""


class Asked(msgspec.Struct, Generic[Q, B], frozen=True, kw_only=True):
    """One request for an operation, read.

    `names` are the parts of the path that the operation leaves open, `accept` is what the caller wants to read.
    """

    host: Host
    names: dict[str, str]
    query: Q
    body: B
    request: Request

    @property
    def hosted(self) -> HostedSpace:
        """The space that the path names.

        Raises:
            Refused: 404, there is none.
        """
        space = self.request.scope[CONCERNS] = self.names["space"]
        return self.host.find(space)

    @property
    def space(self) -> SpaceHandle:
        """The handle of that space.

        Raises:
            Refused: 404, there is none.
        """
        return self.host.hold(self.hosted)

    def wants(self, media: str) -> bool:
        """Whether the caller asks for a media type by its name."""
        accepted = ",".join(self.request.headers.getlist("accept")).lower().split(",")
        return media in (part.partition(";")[0].strip() for part in accepted)


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """An answer that is no JSON, or has headers."""

    content: bytes
    media: str = JSON
    status: HTTPStatus = HTTPStatus.OK
    headers: dict[str, str] = {}


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """What a method does at a path.

    Args:
        path: names in braces are parts that the caller fills in.
        status: of a good answer.
        answers: what is in each media type of a good answer; a struct is JSON, a text describes anything else.
        query: its fields are the parameters.
        makes: the name that a good answer gives to what it made, for other paths.
        refuses: what else may go wrong than bad input, by status.
        respond: answers a request, given the names of its path.
    """

    method: str
    path: str
    summary: str
    status: HTTPStatus
    answers: dict[str, type[msgspec.Struct] | str]
    query: type[msgspec.Struct]
    body: Body[object]
    makes: str | None
    refuses: dict[HTTPStatus, str]
    respond: Callable[[Host, Request, dict[str, str]], Awaitable[Response]]


def operation(
    method: str,
    path: str,
    summary: str,
    work: Callable[[Asked[Q, B]], Awaitable[msgspec.Struct | Reply | None]],
    *,
    query: type[Q] = NoQuery,  # type: ignore[assignment]
    body: Body[B] = NO_BODY,  # type: ignore[assignment]
    answers: type[msgspec.Struct] | dict[str, type[msgspec.Struct] | str] | None = None,
    status: HTTPStatus = HTTPStatus.OK,
    makes: str | None = None,
    refuses: dict[HTTPStatus, str] | None = None,
) -> Operation:
    """An operation that reads `query` and `body` for `work`."""

    async def respond(host: Host, request: Request, names: dict[str, str]) -> Response:
        asked = Asked(
            host=host,
            names=names,
            query=read_query(request.scope["query_string"], query),
            body=await _read(request, body),
            request=request,
        )
        done = await work(asked)
        if done is None:
            return Response(status_code=HTTPStatus.NO_CONTENT)
        if not isinstance(done, Reply):
            done = Reply(content=msgspec.json.encode(done), status=status)
        return Response(done.content, done.status, done.headers, done.media)

    if answers is None:
        status, answers = HTTPStatus.NO_CONTENT, {}
    return Operation(
        method=method,
        path=path,
        summary=summary,
        status=status,
        answers=answers if isinstance(answers, dict) else {JSON: answers},
        query=query,
        body=body,  # type: ignore[arg-type]  # only its kinds and its size are looked at
        makes=makes,
        refuses=refuses or {},
        respond=respond,
    )


async def _read(request: Request, body: Body[B]) -> B:
    """What the body of a request says.

    Raises:
        Refused: 408 it does not arrive, 413 it is too large, 415 it is of no known type, or what its reader says.
    """
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            content = await _receive(request, body.largest)
    except TimeoutError:
        late = f"the body did not arrive within {BODY_TIMEOUT_S:g} s"
        raise Refused(HTTPStatus.REQUEST_TIMEOUT, late, headers={"Connection": "close"}) from None
    except ClientDisconnect:
        raise Refused(HTTPStatus.BAD_REQUEST, "the caller went away before its body was complete") from None
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not content and not body.optional:
        raise Refused(HTTPStatus.BAD_REQUEST, "the body is empty", expected=" or ".join(body.kinds))
    if content and body.kinds and media not in body.kinds:
        raise Refused(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "the body is of no type that this operation reads",
            found=media or None,
            expected="Content-Type: " + " or ".join(body.kinds),
        )
    if len(content) > _MUCH:
        return await asyncio.to_thread(body.read, media, content)
    return body.read(media, content)


async def _receive(request: Request, largest: int) -> bytes:
    """The body. One that is too large is read on for a while, or its sender might never see the answer."""
    announced = request.headers.get("content-length", "")
    size, content = 0, bytearray()
    if not (announced.isdecimal() and int(announced[:20]) > largest + _PATIENCE):
        async for chunk in request.stream():
            size += len(chunk)
            if size > largest + _PATIENCE:
                break
            if size <= largest:
                content += chunk
        if size <= largest:
            return bytes(content)
    too_large = f"the body is larger than {largest} bytes"
    raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, too_large, headers={"Connection": "close"})
