"""Nodes to the values of one key: text, numbers, durations, sizes, choices, and whatever JSON can say.

Each function raises ScenarioError saying what was found and what was expected; its caller adds the place.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from functools import partial
from typing import Any

import msgspec

from ..errors import ScenarioError, excerpt, unknown
from ..model.limits import CLOSE_CODES, is_close_code
from .grammar import CHOICES, OFF, VERSION, Choice, Kind
from .notation import parse_duration, parse_inline, parse_rate, parse_size


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


def version(node: Node) -> int:
    """The version of the format."""
    if not isinstance(node, Scalar) or node.value is True or node.value != VERSION:
        raise ScenarioError(f"found {describe(node)}; expected version {VERSION}")
    return VERSION


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


def phrase(node: Node) -> str:
    """Text whose words are separated by one space."""
    words = text(node).split()
    if not words:
        raise ScenarioError("found only white space; expected at least one word")
    return " ".join(words)


def notation(node: Node) -> dict[str, Any]:
    """The text and the inline entities of a `say`."""
    plain, entities = parse_inline(text(node))
    return {"text": plain, "entities": entities}


def duration(node: Node) -> int:
    """Milliseconds."""
    if not isinstance(node, Scalar) or node.value is None:
        raise ScenarioError(f"found {describe(node)}; expected a duration such as 250ms, 1.5s or 1min 30s")
    return parse_duration(node.text)


def duration_or_off(node: Node) -> int | None:
    """Milliseconds, or None for `off`."""
    return None if is_off(node) else duration(node)


def is_off(node: Node) -> bool:
    """Whether the node is `off`, which is text in YAML 1.2."""
    return isinstance(node, Scalar) and node.value == OFF


def size(node: Node) -> int:
    """Bytes."""
    if not isinstance(node, Scalar) or node.value is None:
        raise ScenarioError(f"found {describe(node)}; expected a size such as 64 kB, 64 KiB or 64000")
    return parse_size(node.text)


def rate(node: Node) -> int:
    """Bytes a second."""
    if not isinstance(node, Scalar) or node.value is None:
        raise ScenarioError(f"found {describe(node)}; expected a data rate such as 20 kB/s or 20 KiB/s")
    return parse_rate(node.text)


def boolean(node: Node) -> bool:
    """True or false."""
    if not isinstance(node, Scalar) or not isinstance(node.value, bool):
        raise ScenarioError(f"found {describe(node)}; expected true or false")
    return node.value


def true(node: Node) -> None:
    """What a fault that takes nothing has for a value: true, which says nothing more."""
    if not isinstance(node, Scalar) or node.value is not True:
        raise ScenarioError(f"found {describe(node)}; expected true")


def integer(node: Node) -> int:
    """A whole number."""
    return _whole(node, "a whole number", lambda number: True)


def close_code(node: Node) -> int:
    """A close code that may be sent."""
    return _whole(node, f"a close code, {CLOSE_CODES}", is_close_code)


def status(node: Node) -> int:
    """An HTTP status that refuses."""
    return _whole(node, "an HTTP status, 400 to 599", lambda number: 400 <= number <= 599)


def count(node: Node) -> int | None:
    """How often, or None for `all`, which is always."""
    if isinstance(node, Scalar) and node.value == "all":
        return None
    return _whole(node, "a whole number from 1, or all", lambda number: number >= 1)


def _whole(node: Node, expected: str, fits: Callable[[int], bool]) -> int:
    match node:
        case Scalar(value=int(number)) if not isinstance(number, bool) and fits(number):
            return number
        case _:
            raise ScenarioError(f"found {describe(node)}; expected {expected}")


def probability(node: Node) -> float:
    """A number above 0, at most 1."""
    match node:
        case Scalar(value=int(number) | float(number)) if not isinstance(number, bool) and 0 < number <= 1:
            return number
        case _:
            raise ScenarioError(f"found {describe(node)}; expected a number above 0, at most 1")


def confidence(node: Node) -> float:
    """A number from 0 to 1."""
    match node:
        case Scalar(value=int(number) | float(number)) if not isinstance(number, bool) and 0 <= number <= 1:
            return number
        case _:
            raise ScenarioError(f"found {describe(node)}; expected a number from 0 to 1")


def choice(node: Node, among: Choice) -> StrEnum:
    """One of a few words."""
    found = text(node)
    for word in among.words:
        if word == found:
            return word
    raise ScenarioError(unknown(among.noun, found, among.words))


def plain(node: Node) -> object:
    """Whatever JSON can say."""
    match node:
        case Scalar():
            return node.value
        case Sequence():
            return [plain(item) for item in node.items]
        case Mapping():
            return {name: plain(value) for name, value in node.values.items()}


READERS: dict[Kind, Callable[[Node], Any]] = {
    Kind.VERSION: version,
    Kind.TEXT: text,
    Kind.PHRASE: phrase,
    Kind.NOTATION: notation,
    Kind.NAME: text,
    Kind.DURATION: duration,
    Kind.DURATION_OR_OFF: duration_or_off,
    Kind.SIZE: size,
    Kind.RATE: rate,
    Kind.BOOLEAN: boolean,
    Kind.TRUE: true,
    Kind.CLOSE_CODE: close_code,
    Kind.STATUS: status,
    Kind.COUNT: count,
    Kind.PROBABILITY: probability,
    Kind.INTEGER: integer,
    Kind.CONFIDENCE: confidence,
    Kind.JSON: plain,
    **{kind: partial(choice, among=among) for kind, among in CHOICES.items()},
}
