"""From JSON values to values of a type, or where and why they do not fit.

    convert(value, kind)    the value of the type, or an `Invalid` that is raised

The type is walked as msgspec describes it, and the value beside it, so an error has the path, the value found there
and the type expected there as values. A type of JSON leaves few types of ours to choose from: `_TAKES` says which,
in order of preference, and `_READERS` reads each.

It is stricter than msgspec: a key that a struct does not have is refused, and an unknown word is answered with the
one that may have been meant. It is laxer where JSON Schema is: a whole number may be written `2.0`.
"""

from __future__ import annotations

import binascii
import operator
import re
from collections.abc import Callable, Hashable, Iterable, Sequence
from functools import cache
from typing import Any, TypeVar, cast

import msgspec
from msgspec import UNSET, UnsetType, inspect

from ..errors import unknown

T = TypeVar("T")

SECRETS = ("client_secret",)
"""Keys whose values no error repeats."""

LONGEST_FOUND = 200
"""Bytes of JSON that an error repeats at most."""


class Invalid(Exception):
    """A value that does not fit its type.

        Invalid
        ├── Mismatch    it is of another type, or out of bounds
        ├── Missing     it is not there
        └── Unknown     a name that is none of those known

    Args:
        problem: what is wrong, without the place.
        value: the JSON value found; UNSET for none.
        expected: what was expected instead; UNSET when the problem says it.

    `steps` are the keys and indices that lead from the whole value to this one; each level puts its own in front.
    """

    def __init__(
        self, problem: str, *, value: object = UNSET, expected: str | UnsetType = UNSET, steps: Sequence[str] = ()
    ) -> None:
        super().__init__(problem)
        self.problem = problem
        self.value = value
        self.expected = expected
        self.steps: list[str | int] = [*steps]

    @property
    def path(self) -> str:
        """Where it is, such as `events[0].text`; empty for the whole value."""
        steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in self.steps)
        return "".join(steps).removeprefix(".")

    @property
    def found(self) -> object:
        """The value found, unless it is secret or large."""
        if self.value is UNSET or any(step in SECRETS for step in self.steps):
            return UNSET
        return self.value if len(msgspec.json.encode(self.value)) <= LONGEST_FOUND else UNSET

    def sentence(self, prefix: str = "") -> str:
        """What is wrong and where; `prefix` says what has the path, such as `query parameter `."""
        return f"{prefix}{self.path or 'the body'}: {self.problem}"


class Mismatch(Invalid):
    """A value of another type than expected, or out of bounds."""

    def __init__(self, value: object, expected: str, *, steps: Sequence[str] = ()) -> None:
        super().__init__(f"expected {expected}", value=value, expected=expected, steps=steps)


class Missing(Invalid):
    """A required field that is not there."""

    def __init__(self, name: str) -> None:
        super().__init__("is missing", steps=[name])

    def sentence(self, prefix: str = "") -> str:
        return f"{prefix}{self.path} {self.problem}"


class Unknown(Invalid):
    """A name that is none of those known; `what` is what it should name."""

    def __init__(self, what: str, name: str, known: Sequence[str]) -> None:
        problem = unknown(what, name, known) if known else f"unknown {what} {name!r}; expected none"
        super().__init__(problem, value=name)

    def sentence(self, prefix: str = "") -> str:
        return super().sentence(prefix) if self.steps else self.problem


def convert(value: object, kind: type[T]) -> T:
    """The value of type `kind` that JSON values stand for.

    Raises:
        Invalid: a name is unknown, or a value is missing or not of its type.
        UhliveMockError: as the struct itself raises it when it is made.
    """
    return cast("T", _convert(value, _described(cast("Hashable", kind))))


def texts_of(kind: type[msgspec.Struct]) -> frozenset[str]:
    """The names of the fields of a struct that are text."""
    fields = cast(inspect.StructType, _described(kind)).fields
    texts = (inspect.StrType, inspect.EnumType, inspect.LiteralType)
    return frozenset(
        field.encode_name for field in fields if all(isinstance(part, texts) for part in _parts(field.type))
    )


Part = Any
"""One of msgspec's descriptions of a type, of a class that its reader knows."""


_described: Callable[[Hashable], inspect.Type] = cache(inspect.type_info)


def _convert(value: object, kind: inspect.Type) -> object:
    parts = _parts(kind)
    for candidate in _TAKES[type(value)]:
        if fitting := [part for part in parts if isinstance(part, candidate) and _may_hold(part, value)]:
            return _READERS[candidate](value, fitting)
    raise Mismatch(value, _names(parts))


def _inner(step: str | int, value: object, kind: inspect.Type) -> object:
    """A value inside another one, at a key or an index."""
    try:
        return _convert(value, kind)
    except Invalid as error:
        error.steps.insert(0, step)
        raise


def _parts(kind: inspect.Type) -> tuple[inspect.Type, ...]:
    """The types that a value may be of, without what is said about them."""
    if isinstance(kind, inspect.Metadata):
        return _parts(kind.type)
    if isinstance(kind, inspect.UnionType):
        return tuple(part for alternative in kind.types for part in _parts(alternative))
    return (kind,)


def _may_hold(part: Part, value: object) -> bool:
    """Whether a type of literals has one of the kind of a value, words or numbers; any other type is not asked."""
    return not isinstance(part, inspect.LiteralType) or isinstance(value, str) is isinstance(part.values[0], str)


def _names(parts: Sequence[Part]) -> str:
    """What JSON calls the types, such as `float | str | null`."""
    literals = {
        type(value).__name__ for part in parts if isinstance(part, inspect.LiteralType) for value in part.values
    }
    names = {_NAMES[type(part)] for part in parts if not isinstance(part, inspect.LiteralType)} | literals
    return " | ".join(name for name in dict.fromkeys(_NAMES.values()) if name in names)


# --- one type -----------------------------------------------------------------------------------------------


def _as_it_is(value: object, parts: Sequence[Part]) -> object:
    return value


def _integer(value: float, parts: Sequence[Part]) -> int:
    if value != value // 1:
        raise Mismatch(value, _names(parts))
    _check_bounds(value, parts[0], "int", int)
    return int(value)


def _number(value: float, parts: Sequence[Part]) -> float:
    try:
        number = float(value)
    except OverflowError:
        raise Mismatch(value, "float") from None
    _check_bounds(value, parts[0], "float", float)
    return number


def _text(value: str, parts: Sequence[Part]) -> str:
    _check_length(value, parts[0], "str")
    pattern = parts[0].pattern
    if pattern is not None and not re.search(pattern, value):
        raise Mismatch(value, f"str matching regex {pattern!r}")
    return value


def _word(value: float | str, parts: Sequence[Part]) -> object:
    """A member of an enumeration, or one of a type's literal words or numbers."""
    part = parts[0]
    choices = [member.value for member in part.cls] if isinstance(part, inspect.EnumType) else part.values
    if value in choices:
        return part.cls(value) if isinstance(part, inspect.EnumType) else choices[choices.index(value)]
    if not isinstance(value, str):
        raise Mismatch(value, " or ".join(map(str, choices)))
    raise Unknown("value", value, choices)


def _bytes(value: str, parts: Sequence[Part]) -> bytes:
    try:
        return binascii.a2b_base64(value, strict_mode=True)
    except ValueError:  # its binascii.Error as well
        raise Invalid("invalid base64 encoded string", value=value) from None


def _array(value: list[object], parts: Sequence[Part]) -> object:
    part = parts[0]
    _check_length(value, part, "array")
    return _ARRAYS[type(part)](_inner(at, item, part.item_type) for at, item in enumerate(value))


def _mapping(value: dict[str, object], parts: Sequence[Part]) -> dict[object, object]:
    part = parts[0]
    _check_length(value, part, "object")
    return {_inner(name, name, part.key_type): _inner(name, item, part.value_type) for name, item in value.items()}


def _struct(value: dict[str, object], parts: Sequence[Part]) -> object:
    """A struct, or that one of several which the tag names."""
    part, tag_field = parts[0], parts[0].tag_field
    if tag_field is not None:
        if tag_field not in value:
            raise Missing(tag_field)
        tags = {part.tag: part for part in parts}
        tag = value[tag_field]
        if not isinstance(tag, str):
            raise Mismatch(tag, "str", steps=[tag_field])
        if tag not in tags:
            raise Unknown(tag_field, tag, [*tags])
        part = tags[tag]
    known = {field.encode_name: field for field in part.fields}
    given = {name: item for name, item in value.items() if tag_field is None or name != tag_field}
    for name in given:
        if name not in known:
            raise Unknown("key", name, [*known, *filter(None, [tag_field])])
    fields = {known[name].name: _inner(name, item, known[name].type) for name, item in given.items()}
    for name, field in known.items():
        if field.required and name not in given:
            raise Missing(name)
    return part.cls(**fields)


def _check_bounds(value: float, part: Part, name: str, kind: type[float]) -> None:
    for bound, symbol, holds in _BOUNDS:
        limit = getattr(part, bound)
        if limit is not None and not holds(value, limit):
            raise Mismatch(value, f"{name} {symbol} {kind(limit)}")


def _check_length(value: str | list[object] | dict[str, object], part: Part, name: str) -> None:
    for limit, symbol, holds in ((part.min_length, ">=", operator.ge), (part.max_length, "<=", operator.le)):
        if limit is not None and not holds(len(value), limit):
            raise Mismatch(value, f"{name} of length {symbol} {limit}")


_BOUNDS: tuple[tuple[str, str, Callable[[float, float], bool]], ...] = (
    ("ge", ">=", operator.ge),
    ("gt", ">", operator.gt),
    ("le", "<=", operator.le),
    ("lt", "<", operator.lt),
)

_ARRAYS: dict[type[inspect.Type], Callable[[Iterable[object]], object]] = {
    inspect.ListType: list,
    inspect.VarTupleType: tuple,
    inspect.SetType: set,
    inspect.FrozenSetType: frozenset,
}

_TAKES: dict[type, list[type[inspect.Type]]] = {
    type(None): [inspect.NoneType, inspect.CustomType],
    bool: [inspect.BoolType, inspect.CustomType],
    int: [inspect.IntType, inspect.FloatType, inspect.LiteralType, inspect.CustomType],
    float: [inspect.FloatType, inspect.IntType, inspect.LiteralType, inspect.CustomType],
    str: [inspect.StrType, inspect.EnumType, inspect.LiteralType, inspect.BytesType, inspect.CustomType],
    list: [*_ARRAYS, inspect.CustomType],
    dict: [inspect.StructType, inspect.DictType, inspect.CustomType],
}
"""What a JSON value of each Python type can become, best first; the custom type is `object`, which takes any."""

_READERS: dict[type[inspect.Type], Callable[[Any, Sequence[Part]], object]] = {
    inspect.NoneType: _as_it_is,
    inspect.BoolType: _as_it_is,
    inspect.IntType: _integer,
    inspect.FloatType: _number,
    inspect.StrType: _text,
    inspect.EnumType: _word,
    inspect.LiteralType: _word,
    inspect.BytesType: _bytes,
    **dict.fromkeys(_ARRAYS, _array),
    inspect.StructType: _struct,
    inspect.DictType: _mapping,
    inspect.CustomType: _as_it_is,
}

_NAMES: dict[type[inspect.Type], str] = {
    inspect.BoolType: "bool",
    inspect.IntType: "int",
    inspect.FloatType: "float",
    inspect.StrType: "str",
    inspect.EnumType: "str",
    inspect.BytesType: "bytes",
    inspect.StructType: "object",
    inspect.DictType: "object",
    **dict.fromkeys(_ARRAYS, "array"),
    inspect.NoneType: "null",
}
"""What a type is called in errors, in the order in which several are named."""
