"""From JSON values to values of a type, or the reason why not.

msgspec does the work. What it lacks is done before: a key that a struct does not have is refused even where msgspec
would let it pass, an unknown word is answered with the one that may have been meant, and a whole number may be
written `2.0`, as JSON Schema has it. What msgspec says is said in our words, with the value found.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import TypeVar

import msgspec
from msgspec import UNSET, UnsetType, inspect

from ..scenarios.wording import unknown
from .refusals import Refused

T = TypeVar("T")

_PLACE = re.compile(r"(?P<problem>.*?)(?: - at `\$\.?(?P<path>.*)`)?", re.DOTALL)
_EXPECTED = re.compile(r"Expected (?P<expected>.*?)(?:, got .*)?")
_MISSING = re.compile(r"Object missing required field `(?P<field>.*)`")
_STEP = re.compile(r"\[(\d+)\]|([^.\[\]]+)")
_SECRETS = ("client_secret",)
_LONGEST_FOUND = 200


def fit(found: object, kind: type[T], prefix: str = "") -> T:
    """The value of a type that JSON values stand for.

    Args:
        prefix: what to call the values around a place, such as `query parameter `.

    Raises:
        Refused: 400; a name is unknown, or a value is missing or not of its type.
    """
    try:
        return msgspec.convert(_fitted(found, inspect.type_info(kind), "", prefix), kind)
    except msgspec.ValidationError as error:
        raise _refuse(error, found, prefix) from None


def texts_of(kind: type[msgspec.Struct]) -> frozenset[str]:
    """The names of the fields that are text."""
    described = inspect.type_info(kind)
    fields = described.fields if isinstance(described, inspect.StructType) else ()
    texts = (inspect.StrType, inspect.EnumType, inspect.LiteralType)
    return frozenset(
        field.encode_name for field in fields if all(isinstance(part, texts) for part in _parts(field.type))
    )


def refuse_name(what: str, name: str, known: Iterable[str], *, where: str = "") -> Refused:
    """The answer to a name that is none of those known; `what` it should name, and `where` it is."""
    known = list(known)
    why = unknown(what, name, known) if known else f"unknown {what} {name!r}; expected none"
    return Refused(HTTPStatus.BAD_REQUEST, f"{where}: {why}" if where else why, found=name)


# --- looking ahead ------------------------------------------------------------------------------------------


def _fitted(value: object, kind: inspect.Type, path: str, prefix: str) -> object:
    """The value with whole numbers where they belong.

    Raises:
        Refused: 400; a key or a word in it is unknown.
    """
    parts = _parts(kind)
    match value:
        case float() if value.is_integer() and _has(parts, inspect.IntType) and not _has(parts, inspect.FloatType):
            return int(value)
        case str() if not _has(parts, inspect.StrType, inspect.BytesType, inspect.CustomType, inspect.AnyType):
            words = [word for part in parts for word in _words(part)]
            if words and value not in words:
                raise refuse_name("value", value, words, where=f"{prefix}{path}")
        case list():
            for part in parts:
                if isinstance(
                    part, inspect.ListType | inspect.VarTupleType | inspect.SetType | inspect.FrozenSetType
                ):
                    return [_fitted(item, part.item_type, f"{path}[{at}]", prefix) for at, item in enumerate(value)]
        case dict():
            structs = [part for part in parts if isinstance(part, inspect.StructType)]
            if structs:
                return _fitted_struct(value, structs, path, prefix)
    return value


def _fitted_struct(
    value: dict[str, object], structs: Sequence[inspect.StructType], path: str, prefix: str
) -> dict[str, object]:
    """The fields of a struct, or of that one of several which their tag names."""
    struct, tag_field = structs[0], structs[0].tag_field
    if tag_field is not None:
        tags = {str(struct.tag): struct for struct in structs}
        tag = value.get(tag_field)
        if not isinstance(tag, str):
            return value
        if tag not in tags:
            raise refuse_name(tag_field, tag, tags, where=path)
        struct = tags[tag]
    known = {field.encode_name: field for field in struct.fields}
    for name in value:
        if name not in known and name != tag_field:
            names = [*known, *filter(None, [tag_field])]
            raise refuse_name("key", name, names, where=path)
    return {
        name: _fitted(item, known[name].type, f"{path}.{name}".lstrip("."), prefix) if name in known else item
        for name, item in value.items()
    }


def _parts(kind: inspect.Type) -> tuple[inspect.Type, ...]:
    """The types that a value may be of, without what is said about them."""
    if isinstance(kind, inspect.Metadata):
        return _parts(kind.type)
    if isinstance(kind, inspect.UnionType):
        return tuple(part for alternative in kind.types for part in _parts(alternative))
    return (kind,)


def _has(parts: Sequence[inspect.Type], *kinds: type[inspect.Type]) -> bool:
    return any(isinstance(part, kinds) for part in parts)


def _words(kind: inspect.Type) -> list[str]:
    match kind:
        case inspect.EnumType():
            return [str(member.value) for member in kind.cls]
        case inspect.LiteralType():
            return [value for value in kind.values if isinstance(value, str)]
    return []


# --- looking back -------------------------------------------------------------------------------------------


def _refuse(error: msgspec.ValidationError, found: object, prefix: str) -> Refused:
    """What msgspec says of a value, in our words, with the value."""
    match = _PLACE.fullmatch(str(error))
    problem, path = (match["problem"], match["path"] or "") if match else (str(error), "")
    if missing := _MISSING.fullmatch(problem):
        name = f"{path}.{missing['field']}".lstrip(".")
        return Refused(HTTPStatus.BAD_REQUEST, f"{prefix}{name} is missing", expected=name)
    expected = _EXPECTED.fullmatch(problem)
    wanted: str | UnsetType = expected["expected"].replace("`", "") if expected else UNSET
    place = f"{prefix}{path}" if path else prefix or "the body"
    return Refused(
        HTTPStatus.BAD_REQUEST,
        f"{place}: " + (f"expected {wanted}" if wanted else problem[:1].lower() + problem[1:]),
        found=_at(found, path),
        expected=wanted,
    )


def _at(value: object, path: str) -> object:
    """The value at a path, unless it is secret, large or nowhere."""
    for index, name in _STEP.findall(path):
        match value:
            case list() if index and int(index) < len(value):
                value = value[int(index)]
            case dict() if name in value and name not in _SECRETS:
                value = value[name]
            case _:
                return UNSET
    return value if len(msgspec.json.encode(value)) <= _LONGEST_FOUND else UNSET
