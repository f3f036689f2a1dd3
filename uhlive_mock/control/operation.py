"""Operations: what a method does at a path, and how a request becomes a call of it.

An operation is a function with a decorator, and an operation is a value:

    @operation("POST", "/_mock/spaces/{space}/advance")
    async def advance(call: Call, body: Advance) -> Now:
        \"""Move the space's clock.\"""

The docstring's first paragraph is its summary. `query` and `body` are structs, read and validated before the
function is called; any other parameter is a part of the path. It answers with the JSON of a struct, with 204 for
None, or with an `Answer`. `app` makes the routes and the OpenAPI document from these values.

Operations run on the server's event loop, where handles do their work at once. What takes long (a scenario's text,
a WAV file, a long journal) is made on a thread of its own, from values that no longer change.

Whatever goes wrong is raised as `Refused`. A query string is text, so what is to be a number or a truth value is
read as JSON; nothing else is converted between types.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from inspect import getdoc
from typing import Any, Generic, TypeVar, get_type_hints
from urllib.parse import parse_qsl

import msgspec
from msgspec import UNSET, UnsetType
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from ..errors import unknown
from ..protocol.space import Space
from ..server.space_handle import SpaceHandle
from . import ServerState
from .validation import Invalid, Missing, Unknown, convert, texts_of

T = TypeVar("T")
S = TypeVar("S", bound=msgspec.Struct)

JSON = "application/json"

SPACE = "/_mock/spaces/{space}"
"""The path of a space, under which most operations are."""

LARGEST = 2 * 1024 * 1024
"""Bytes of a body, unless an operation says otherwise."""

DEEPEST = 100
"""How deep the lists and objects of a body may nest."""

BODY_TIMEOUT_S = 10.0
"""How long a body may take to arrive; more is answered 408."""

_EXCESS = 16 * 1024 * 1024
"""How many bytes too many are read and thrown away."""

_MUCH = 65_536
"""A body of more bytes is read on a thread of its own."""


# --- errors -------------------------------------------------------------------------------------------------


class Refusal(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why an operation was refused: one sentence, and what was found and expected where that says more."""

    error: str
    found: object = UNSET
    expected: str | UnsetType = UNSET


class Refused(Exception):
    """An operation that is answered with a refusal.

    Args:
        status: the HTTP status.
        error: what is wrong, in one sentence.
        found: the JSON value found, when it says more than the sentence.
        expected: what was expected instead.
        headers: to go with the answer.
    """

    def __init__(
        self,
        status: HTTPStatus,
        error: str,
        *,
        found: object = UNSET,
        expected: str | UnsetType = UNSET,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(error)
        self.status = status
        self.headers = headers or {}
        self.refusal = Refusal(error=error, found=found, expected=expected)


def malformed(error: Invalid, prefix: str = "") -> Refused:
    """The answer to what does not fit its type; `prefix` says what has a path, such as `query parameter `."""
    expected = error.path if isinstance(error, Missing) else error.expected
    return Refused(HTTPStatus.BAD_REQUEST, error.sentence(prefix), found=error.found, expected=expected)


# --- operations ---------------------------------------------------------------------------------------------


class NoQuery(msgspec.Struct, frozen=True):
    """The query of an operation that has none."""


class Body(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """What an operation reads from a request's body.

    Args:
        kinds: the type of the value in each media type, for the document.
        read: makes the value of the media type and the bytes. Runs on a thread of its own when there is much to
            read, so it touches nothing but its arguments.
        optional: an empty body is read as an empty object.
        largest: in bytes.
    """

    kinds: dict[str, object]
    read: Callable[[str, bytes], T]
    optional: bool = False
    largest: int = LARGEST


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """An answer that is no JSON, or has headers."""

    content: bytes
    media: str = JSON
    status: HTTPStatus = HTTPStatus.OK
    headers: dict[str, str] = {}


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One request for an operation; `names` are the parts of the path that the operation leaves open."""

    state: ServerState
    request: Request
    names: dict[str, str]

    @property
    def hosted(self) -> Space:
        """The space that the path names.

        Raises:
            Refused: 404, there is none.
        """
        return find_space(self.state, self.names["space"])

    @property
    def space(self) -> SpaceHandle:
        """The handle of that space.

        Raises:
            Refused: 404, there is none.
        """
        return self.state.hold(self.hosted)

    def wants(self, media: str) -> bool:
        """Whether the caller asks for a media type by its name."""
        accepted = ",".join(self.request.headers.getlist("accept")).lower().split(",")
        return media in (part.partition(";")[0].strip() for part in accepted)


def find_space(state: ServerState, name: str) -> Space:
    """The living space of that client id.

    Raises:
        Refused: 404, there is none.
    """
    living = {hosted.settings.account.client_id: hosted for hosted in state.spaces.living()}
    if name not in living:
        why = unknown("space", name, living) if len(living) <= 20 else f"unknown space {name!r}"
        raise Refused(HTTPStatus.NOT_FOUND, why if living else f"there is no space {name!r}, nor any other")
    return living[name]


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """What a method does at a path.

    Args:
        path: names in braces are parts that the caller fills in.
        status: of a good answer.
        answers: what is in each media type of a good answer; a struct is JSON, a text describes anything else.
        query: its fields are the parameters.
        makes: the name that a good answer gives to what it made, for other paths.
        refuses: what else may go wrong than bad input, by status.
        work: the function; `takes` are the names of its parameters.
    """

    method: str
    path: str
    summary: str
    status: HTTPStatus
    answers: dict[str, type[msgspec.Struct] | str]
    query: type[msgspec.Struct]
    body: Body[Any]
    makes: str | None
    refuses: dict[HTTPStatus, str]
    work: Callable[..., Awaitable[object]]
    takes: frozenset[str]

    async def respond(self, state: ServerState, request: Request, names: dict[str, str]) -> Response:
        """Answer a request, given the names of its path.

        Raises:
            Refused, UhliveMockError: it cannot be done.
        """
        given = {
            **names,
            "query": read_query(request.scope["query_string"], self.query),
            "body": await _read_body(request, self.body),
        }
        call = Call(state=state, request=request, names=names)
        done = await self.work(call, **{name: value for name, value in given.items() if name in self.takes})
        if done is None:
            return Response(status_code=HTTPStatus.NO_CONTENT)
        if not isinstance(done, Answer):
            done = Answer(content=msgspec.json.encode(done), status=self.status)
        return Response(done.content, done.status, done.headers, done.media)


def operation(
    method: str,
    path: str,
    *,
    reads: Body[Any] | None = None,
    answers: dict[str, type[msgspec.Struct] | str] | None = None,
    status: HTTPStatus = HTTPStatus.OK,
    makes: str | None = None,
    refuses: dict[HTTPStatus, str] | None = None,
) -> Callable[[Callable[..., Awaitable[object]]], Operation]:
    """The decorator that makes an operation of a function.

    Args:
        reads: how the body is read, where the type of the parameter `body` does not say it.
        answers: the media types of a good answer, where the function's return type does not say it.
    """

    def make(work: Callable[..., Awaitable[object]]) -> Operation:
        hints = get_type_hints(work, include_extras=True)
        done = hints.pop("return")
        kinds = answers if answers is not None else {} if done is type(None) else {JSON: done}
        return Operation(
            method=method,
            path=path,
            summary=" ".join((getdoc(work) or "").partition("\n\n")[0].split()),
            status=status if kinds else HTTPStatus.NO_CONTENT,
            answers=kinds,
            query=hints.get("query", NoQuery),
            body=reads or (json_body(hints["body"]) if "body" in hints else NO_BODY),
            makes=makes,
            refuses=refuses or {},
            work=work,
            takes=frozenset(hints),
        )

    return make


# --- what a caller sent -------------------------------------------------------------------------------------


def read_query(query: bytes, kind: type[S]) -> S:
    """The parameters of a query string.

    Raises:
        Refused: 400; one is unknown, given twice, missing, or not of its type.
    """
    try:
        pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=50)
    except ValueError:
        raise Refused(HTTPStatus.BAD_REQUEST, "the query string is not percent-encoded UTF-8") from None
    texts = texts_of(kind)
    values: dict[str, object] = {}
    for name, text in pairs:
        if name not in kind.__struct_fields__:
            raise malformed(Unknown("query parameter", name, kind.__struct_fields__))
        if name in values:
            raise Refused(HTTPStatus.BAD_REQUEST, f"query parameter {name!r} is given twice; expected once")
        values[name] = text if name in texts else _from_text(text)
    try:
        return convert(values, kind)
    except Invalid as error:
        raise malformed(error, "query parameter ") from None


def _from_text(text: str) -> object:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return text


def json_body(kind: type[S], *, largest: int = LARGEST) -> Body[S]:
    """A JSON object; optional when nothing in it is required."""

    def read(_: str, content: bytes) -> S:
        try:
            return convert(parse_json(content or b"{}"), kind)
        except Invalid as error:
            raise malformed(error) from None

    requires_something = any(field.required for field in msgspec.structs.fields(kind))
    return Body(kinds={JSON: kind}, read=read, optional=not requires_something, largest=largest)


def parse_json(content: bytes) -> object:
    """A JSON text as lists, mappings and so on.

    Raises:
        Refused: 400; it is no JSON, or nests too deep.
    """
    try:
        value: object = msgspec.json.decode(content)
        too_deep = _is_deeper(value, DEEPEST)
    except RecursionError:
        too_deep = True
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refused(HTTPStatus.BAD_REQUEST, f"the body is not JSON: {error}", expected="a JSON text") from None
    if too_deep:
        raise Refused(HTTPStatus.BAD_REQUEST, f"the body nests more than {DEEPEST} deep")
    return value


def _is_deeper(value: object, levels: int) -> bool:
    """Whether lists and objects nest more than so many levels."""
    if not isinstance(value, list | dict):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_is_deeper(item, levels - 1) for item in inner)


def _nothing(media: str, content: bytes) -> None:
    if content.strip() not in (b"", b"{}", b"null"):
        raise Refused(HTTPStatus.BAD_REQUEST, "this operation takes no body", expected="no body")


NO_BODY: Body[None] = Body(kinds={}, read=_nothing, optional=True, largest=1024)
"""The body of an operation that takes none."""


async def _read_body(request: Request, body: Body[T]) -> T:
    """What the body of a request says.

    Raises:
        Refused: 408 it does not arrive, 413 it is too large, 415 it is of no known type, or what its reader says.
    """
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            content = await _receive(request, body.largest)
    except TimeoutError:
        raise Refused(
            HTTPStatus.REQUEST_TIMEOUT,
            f"the body did not arrive within {BODY_TIMEOUT_S:g} s",
            headers={"Connection": "close"},
        ) from None
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
    if not (announced.isdecimal() and int(announced[:20]) > largest + _EXCESS):
        async for chunk in request.stream():
            size += len(chunk)
            if size > largest + _EXCESS:
                break
            if size <= largest:
                content += chunk
        if size <= largest:
            return bytes(content)
    raise Refused(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"the body is larger than {largest} bytes",
        headers={"Connection": "close"},
    )
