"""The values of a scenario document: the tree it is read into, and a form for each kind of value.

A `Form` says in one row how a value is read from its node, how it is written on one line, and what the JSON Schema
says of it. `read` raises ScenarioError saying what was found and what was expected; its caller adds the place.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Any

import msgspec

from ..errors import ScenarioError, excerpt, unknown
from ..model.limits import CLOSE_CODES, is_close_code
from ..model.scenario import NAME as NAME_PATTERN, WORDS as WORDS_PATTERN
from .notation import (
    BYTES_PER_UNIT,
    format_duration,
    format_rate,
    format_size,
    parse_duration,
    parse_inline,
    parse_rate,
    parse_size,
    refuse_unsendable,
)

Schema = dict[str, Any]

OFF = "off"
"""What switches a limit off, in the place of its mapping."""

VERSION_NUMBER = 1
"""The version of the format described here."""

# --- the tree of a document -------------------------------------------------------------------------------


class Place(msgspec.Struct, frozen=True):
    """Where a value is: its line, and the step from the value around it."""

    line: int
    parent: Place | None = None
    step: str = ""

    @property
    def path(self) -> str:
        """Such as `speakers.*[1].at`."""
        steps: list[str] = []
        place: Place | None = self
        while place:
            steps.append(place.step)
            place = place.parent
        return "".join(reversed(steps)).removeprefix(".")

    def key(self, name: str, line: int) -> Place:
        """The place of a mapping's value."""
        return Place(line, self, f".{name}")

    def item(self, index: int, line: int) -> Place:
        """The place of a list's item."""
        return Place(line, self, f"[{index}]")


class Scalar(msgspec.Struct, frozen=True, kw_only=True):
    """A value without parts. `value` is what it means: text, a number, true, false or None."""

    place: Place
    text: str
    value: str | int | float | bool | None
    size: int = 1


class Sequence(msgspec.Struct, frozen=True, kw_only=True):
    """A list."""

    place: Place
    items: tuple[Node, ...]
    size: int


class Mapping(msgspec.Struct, frozen=True, kw_only=True):
    """Values by key, in the document's order, with the line of each key."""

    place: Place
    values: dict[str, Node]
    lines: dict[str, int]
    size: int


Node = Scalar | Sequence | Mapping


def describe(node: Node) -> str:
    """What was found, for a message: `a list`, `the number 12`, `nothing`."""
    match node:
        case Sequence():
            return "a list"
        case Mapping():
            return "a mapping"
        case Scalar(value=None):
            return "nothing"
        case Scalar(value=str(words)):
            return f"the text {excerpt(words)}"
        case Scalar(value=bool()):
            return node.text
        case Scalar():
            return f"the number {excerpt(node.text)[1:-1]}"


_CORE_SCHEMA: tuple[tuple[re.Pattern[str], Any], ...] = (
    (re.compile(r"|~|null|Null|NULL"), lambda text: None),
    (re.compile(r"true|True|TRUE"), lambda text: True),
    (re.compile(r"false|False|FALSE"), lambda text: False),
    (re.compile(r"[-+]?[0-9]+"), int),
    (re.compile(r"0o[0-7]+"), lambda text: int(text[2:], 8)),
    (re.compile(r"0x[0-9a-fA-F]+"), lambda text: int(text[2:], 16)),
    (re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"), float),
    (re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"), lambda text: float(text.replace(".", ""))),
)
"""YAML 1.2, section 10.3.2: what a plain scalar means; anything else is text."""


def resolve(text: str) -> str | int | float | bool | None:
    """What a plain scalar means.

    Raises:
        ValueError: for a number of thousands of digits.
    """
    for pattern, meaning in _CORE_SCHEMA:
        if pattern.fullmatch(text):
            return meaning(text)  # type: ignore[no-any-return]
    return text


# --- reading ----------------------------------------------------------------------------------------------


def is_off(node: Node) -> bool:
    """Whether the node is `off`, which is text in YAML 1.2."""
    return isinstance(node, Scalar) and node.value == OFF


def text(node: Node) -> str:
    """Text of one character or more. Numbers are not text unless quoted."""
    match node:
        case Scalar(value=str(words)) if words:
            return words
        case Scalar(value=str()):
            raise ScenarioError("found an empty text; expected at least one character")
        case Scalar(value=bool() | int() | float()):
            raise ScenarioError(f'found {describe(node)}; expected text, as in "{excerpt(node.text)[1:-1]}"')
        case _:
            raise ScenarioError(f"found {describe(node)}; expected text")


def _phrase(node: Node) -> str:
    """Text whose words are separated by one space."""
    words = text(node).split()
    if not words:
        raise ScenarioError("found only white space; expected at least one word")
    return " ".join(words)


def _notation(node: Node) -> dict[str, Any]:
    """The text and the inline entities of a `say`."""
    plain, entities = parse_inline(text(node))
    return {"text": plain, "entities": entities}


def _parsed(parse: Callable[[str], int], expected: str) -> Callable[[Node], int]:
    """Reads what `parse` makes of a value's text; its messages say `expected` too."""

    def read(node: Node) -> int:
        if not isinstance(node, Scalar) or node.value is None:
            raise ScenarioError(f"found {describe(node)}; expected {expected}")
        return parse(node.text)

    return read


def _scalar(fits: Callable[[Any], bool], expected: str, *kinds: type) -> Callable[[Node], Any]:
    """Reads a value that fits, of one of the `kinds`; true is not 1."""

    def read(node: Node) -> object:
        if not isinstance(node, Scalar) or type(node.value) not in kinds or not fits(node.value):
            raise ScenarioError(f"found {describe(node)}; expected {expected}")
        return node.value

    return read


def _or_none(word: str, otherwise: Callable[[Node], Any]) -> Callable[[Node], Any]:
    """Reads None for a word."""
    return lambda node: None if isinstance(node, Scalar) and node.value == word else otherwise(node)


def _true(node: Node) -> None:
    """Only true, which means nothing more."""
    _scalar(bool, "true", bool)(node)


def plain(node: Node) -> object:
    """Whatever JSON can say."""
    match node:
        case Scalar():
            return node.value
        case Sequence():
            return [plain(item) for item in node.items]
        case Mapping():
            return {name: plain(value) for name, value in node.values.items()}


# --- writing ----------------------------------------------------------------------------------------------

_PLAIN = re.compile(r"[^\W\d_](?:[\w .,;'’!?+/()%€$£°«»…-]*[\w.!?)%€$£°»…])?")
_PLAIN_IN_FLOW = re.compile(r"[^\W\d_](?:[\w .'’!+/-]*[\w.!])?")
_BOOLEAN_ELSEWHERE = re.compile("y|n|yes|no|on|off", re.IGNORECASE)
UNPRINTABLE = re.compile("[^ -~\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")


def is_plain(text: str) -> bool:
    """Whether a text on its key's line reads back as itself without quotes, but for words with a meaning."""
    return bool(_PLAIN.fullmatch(text))


def write_text(text: str, *, in_flow: bool = False) -> str:
    """Text on one line, in quotes unless it can do without in every YAML."""
    plain = (_PLAIN_IN_FLOW if in_flow else _PLAIN).fullmatch(text)
    if plain and isinstance(resolve(text), str) and not _BOOLEAN_ELSEWHERE.fullmatch(text):
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    return UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", quoted)


def write_json(value: object) -> str:
    """Any JSON value on one line."""
    refuse_unsendable(value)
    match value:
        case dict():
            pairs = (f"{write_text(key, in_flow=True)}: {write_json(item)}" for key, item in value.items())
            return "{" + ", ".join(pairs) + "}"
        case list():
            return "[" + ", ".join(map(write_json, value)) + "]"
        case str():
            return write_text(value, in_flow=True)
        case _:
            return json.dumps(value)


def quote_written(text: str) -> str:
    """A value already written, in quotes when an older YAML would read `off` as false."""
    return json.dumps(text) if _BOOLEAN_ELSEWHERE.fullmatch(text) else text


# --- the forms --------------------------------------------------------------------------------------------


class Form(msgspec.Struct, frozen=True, eq=False):
    """A kind of value: how it is read, what the JSON Schema says of it, how it is written on one line."""

    read: Callable[[Node], Any]
    schema: Schema
    write: Callable[[Any], str] = write_json


def choice(noun: str, words: Iterable[StrEnum]) -> Form:
    """One of a few words, which messages call a `noun`."""
    by_text = {word.value: word for word in words}

    def read(node: Node) -> StrEnum:
        found = text(node)
        if found not in by_text:
            raise ScenarioError(unknown(noun, found, by_text))
        return by_text[found]

    return Form(read, {"enum": list(by_text)}, lambda word: str(word.value))


_PARTS = r"^(?=.)(\d*\.?\d+ ?min ?)?(\d*\.?\d+ ?s ?)?(\d*\.?\d+ ?ms)?$"
_BYTES = rf"^\d+(\.\d+)? ?({'|'.join(BYTES_PER_UNIT)})"
_CLOSE_CODES = ((1000, 1003), (1007, 1014), (3000, 4999))

VERSION = Form(
    _scalar(lambda number: number == VERSION_NUMBER, f"version {VERSION_NUMBER}", int, float),
    {"const": VERSION_NUMBER},
)
TEXT = Form(text, {"type": "string", "minLength": 1}, lambda words: write_text(words, in_flow=True))
PHRASE = Form(_phrase, {"type": "string", "pattern": WORDS_PATTERN})
NOTATION = Form(_notation, PHRASE.schema)
NAME = Form(text, {"type": "string", "pattern": NAME_PATTERN})
DURATION = Form(
    _parsed(parse_duration, "a duration such as 250ms, 1.5s or 1min 30s"),
    {
        "oneOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": rf"{_PARTS}|^\d*\.?\d+$"}],
        "examples": ["250ms", "1.5s", "1min 30s", 2],
    },
    format_duration,
)
DURATION_OR_OFF = Form(
    _or_none(OFF, DURATION.read),
    {"anyOf": [{"const": OFF}, DURATION.schema]},
    lambda ms: OFF if ms is None else format_duration(ms),
)
SIZE = Form(
    _parsed(parse_size, "a size such as 64 kB, 64 KiB or 64000"),
    {
        "oneOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": rf"{_BYTES}$|^\d+$"}],
        "examples": ["64 kB", "64 KiB", 64000],
    },
    format_size,
)
RATE = Form(
    _parsed(parse_rate, "a data rate such as 20 kB/s or 20 KiB/s"),
    {"type": "string", "pattern": f"{_BYTES}/s$", "examples": ["20 kB/s"]},
    format_rate,
)
BOOLEAN = Form(_scalar(lambda value: True, "true or false", bool), {"type": "boolean"})
TRUE = Form(_true, {"const": True}, lambda nothing: "true")
INTEGER = Form(_scalar(lambda number: True, "a whole number", int), {"type": "integer"})
CLOSE_CODE = Form(
    _scalar(is_close_code, f"a close code, {CLOSE_CODES}", int),
    {"type": "integer", "anyOf": [{"minimum": low, "maximum": high} for low, high in _CLOSE_CODES]},
)
STATUS = Form(
    _scalar(lambda number: 400 <= number <= 599, "an HTTP status, 400 to 599", int),
    {"type": "integer", "minimum": 400, "maximum": 599},
)
COUNT = Form(
    _or_none("all", _scalar(lambda number: number >= 1, "a whole number from 1, or all", int)),
    {"oneOf": [{"type": "integer", "minimum": 1}, {"const": "all"}]},
    lambda count: "all" if count is None else str(count),
)
PROBABILITY = Form(
    _scalar(lambda number: 0 < number <= 1, "a number above 0, at most 1", int, float),
    {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
)
CONFIDENCE = Form(
    _scalar(lambda number: 0 <= number <= 1, "a number from 0 to 1", int, float),
    {"type": "number", "minimum": 0, "maximum": 1},
)
JSON = Form(plain, {})
