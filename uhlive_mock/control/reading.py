"""From what a caller sent to values: the query string and the body.

Nothing is converted between types, except that in a query string, where everything is text, what is to be a number
or a truth value is read as JSON.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Generic, TypeVar
from urllib.parse import parse_qsl

import msgspec

from .fitting import fit, refuse_name, texts_of
from .refusals import Refused

Q = TypeVar("Q", bound=msgspec.Struct)
B = TypeVar("B")

JSON = "application/json"
LARGEST = 2 * 1024 * 1024
"""Bytes of a body, unless an operation says otherwise."""

DEEPEST = 100
"""How deep the lists and objects of a body may nest."""


def read_query(query: bytes, kind: type[Q]) -> Q:
    """The parameters of a query string.

    Raises:
        Refused: 400; one is unknown, given twice, missing, or not of its type.
    """
    try:
        pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=50)
    except ValueError:
        raise Refused(HTTPStatus.BAD_REQUEST, "the query string is not percent-encoded UTF-8") from None
    known, texts = [field.name for field in msgspec.structs.fields(kind)], texts_of(kind)
    values: dict[str, object] = {}
    for name, text in pairs:
        if name not in known:
            raise refuse_name("query parameter", name, known)
        if name in values:
            raise Refused(HTTPStatus.BAD_REQUEST, f"query parameter {name!r} is given twice; expected once")
        values[name] = text if name in texts else _from_text(text)
    return fit(values, kind, "query parameter ")


def _from_text(text: str) -> object:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return text


class Body(msgspec.Struct, Generic[B], frozen=True, kw_only=True):
    """What an operation reads from a request's body.

    Args:
        kinds: the type of the value in each media type, for the document.
        read: makes the value of the media type and the bytes. Runs on a thread of its own when there is much to
            read, so it touches nothing but its arguments.
        optional: an empty body is read as an empty object.
        largest: in bytes.
    """

    kinds: dict[str, object]
    read: Callable[[str, bytes], B]
    optional: bool = False
    largest: int = LARGEST


def _nothing(media: str, content: bytes) -> None:
    if content.strip() not in (b"", b"{}", b"null"):
        raise Refused(HTTPStatus.BAD_REQUEST, "this operation takes no body", expected="no body")


NO_BODY: Body[None] = Body(kinds={}, read=_nothing, optional=True, largest=1024)
"""The body of an operation that takes none."""


def json_body(kind: type[B], *, largest: int = LARGEST) -> Body[B]:
    """A JSON object; optional when nothing in it is required."""
    assert issubclass(kind, msgspec.Struct)  # noqa: S101 - of the table, not of a caller
    return Body(
        kinds={JSON: kind},
        read=lambda _, content: fit(parse_json(content or b"{}"), kind),
        optional=not any(field.required for field in msgspec.structs.fields(kind)),
        largest=largest,
    )


def parse_json(content: bytes) -> object:
    """A JSON text as lists, mappings and so on.

    Raises:
        Refused: 400; it is no JSON, or nests too deep.
    """
    try:
        value: object = msgspec.json.decode(content)
    except RecursionError:
        value = None
        too_deep = True
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refused(HTTPStatus.BAD_REQUEST, f"the body is not JSON: {error}", expected="a JSON text") from None
    else:
        too_deep = _is_deeper(value, DEEPEST)
    if too_deep:
        raise Refused(HTTPStatus.BAD_REQUEST, f"the body nests more than {DEEPEST} deep")
    return value


def _is_deeper(value: object, levels: int) -> bool:
    """Whether lists and objects nest more than so many levels."""
    if not isinstance(value, list | dict):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_is_deeper(item, levels - 1) for item in inner)
