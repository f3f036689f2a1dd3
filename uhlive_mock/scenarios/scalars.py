"""Nodes to the values of one key: text, numbers, durations, moments, and whatever JSON can say.

Each function raises ScenarioError saying what was found and what was expected; its caller adds the place.
"""

from __future__ import annotations

from typing import Any

from ..errors import ScenarioError
from ..model.scenario import Moment
from .durations import parse_duration
from .grammar import VERSION
from .inline import parse_inline
from .nodes import Mapping, Node, Scalar, Sequence
from .wording import excerpt, unknown


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


def integer(node: Node) -> int:
    """A whole number."""
    match node:
        case Scalar(value=int(number)) if not isinstance(number, bool):
            return number
        case _:
            raise ScenarioError(f"found {describe(node)}; expected a whole number")


def confidence(node: Node) -> float:
    """A number from 0 to 1."""
    match node:
        case Scalar(value=int(number) | float(number)) if not isinstance(number, bool) and 0 <= number <= 1:
            return number
        case _:
            raise ScenarioError(f"found {describe(node)}; expected a number from 0 to 1")


def moment(node: Node) -> Moment:
    """A moment of a speaker's stay, by its name."""
    name = text(node)
    if name not in set(Moment):
        raise ScenarioError(unknown("moment", name, Moment))
    return Moment(name)


def plain(node: Node) -> object:
    """Whatever JSON can say."""
    match node:
        case Scalar():
            return node.value
        case Sequence():
            return [plain(item) for item in node.items]
        case Mapping():
            return {name: plain(value) for name, value in node.values.items()}
