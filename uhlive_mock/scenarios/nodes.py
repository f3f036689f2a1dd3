"""YAML text to a tree of nodes that know their place.

A scenario is data: no tags, no constructors, no merge keys. The tree is built from the events of the
parser rather than by a YAML loader, so that three rules hold before anything is built:

- a document is at most `LARGEST` characters, `MOST_VALUES` values and `notation.DEEPEST` levels; an alias
  counts as all that it stands for, so no anchor can swell the tree;
- plain scalars mean what the core schema of YAML 1.2 says, so `on` and `yes` are text;
- every value knows its line and its path, and every key its line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

from ..errors import ScenarioError, excerpt
from .notation import DEEPEST, refuse_unsendable
from .values import Mapping, Node, Place, Scalar, Sequence, resolve

LARGEST = 1024 * 1024
MOST_VALUES = 50_000

_LINE_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
_STARRED_KEY = 'found a key that starts with *; expected quotes around it, as in "*":'
_QUOTING = "text with [, {, ' #' or ': ' goes between single quotes, or on its own lines after '>-'"


def read_nodes(text: str, source: str) -> tuple[Node, list[ScenarioError]]:
    """The tree of a document, and the problems that do not keep it from being read: keys written twice.

    Annotated texts may lack their quotes.

    Raises:
        ScenarioError: when the text is not one YAML document within the limits.
    """
    try:
        return _compose(text, source)
    except ScenarioError:
        quoted = quote_annotated(text)
        if quoted == text:
            raise
    return _compose(quoted, source)


def _compose(text: str, source: str) -> tuple[Node, list[ScenarioError]]:
    if len(text) > LARGEST:
        raise ScenarioError(f"found {len(text)} characters; expected at most {LARGEST}", source=source)
    composer = _Composer(text, source)
    return composer.document(), composer.problems


class _Composer:
    """The parser's events, one ahead, and the anchors met so far."""

    def __init__(self, text: str, source: str) -> None:
        self.text = text
        self.source = source
        self.problems: list[ScenarioError] = []
        self._events: Iterator[Event] = YAML(typ="safe", pure=True).parse(text)
        self._anchors: dict[str, Node] = {}
        self._line = 1
        self._values = 0

    def refuse(self, problem: str, place: Place) -> ScenarioError:
        return ScenarioError(problem, source=self.source, line=place.line, path=place.path)

    def document(self) -> Node:
        top = Place(1)
        self._next()
        if not isinstance(self._next(), DocumentStartEvent):
            raise self.refuse("the document is empty; expected version: 1 and speakers", top)
        root = self._node(self._next(), top, 0)
        self._next()
        if isinstance(self._next(), DocumentStartEvent):
            raise self.refuse("a second document starts here; expected one", Place(self._line))
        return root

    def _next(self) -> Event:
        try:
            event = next(self._events)
        except ReaderError as error:
            line = 1 + len(_LINE_BREAK.findall(self.text, 0, error.position))
            problem = f"found the character U+{error.character:04X}; YAML allows it only escaped"
            raise self.refuse(problem, Place(line)) from None
        except MarkedYAMLError as error:
            raise self._syntax_error(error) from None
        except (YAMLError, ValueError, OverflowError, RecursionError) as error:
            # ruamel.yaml lets these through for escapes that are not characters.
            raise self.refuse(f"not valid YAML: {error}", Place(self._line)) from None
        self._line = event.start_mark.line + 1
        return event

    def _syntax_error(self, error: MarkedYAMLError) -> ScenarioError:
        line = error.problem_mark.line + 1 if error.problem_mark else self._line
        problem = f"not valid YAML: {error.problem}"
        if error.context and error.context_mark and error.context_mark.line + 1 != line:
            problem += f" {error.context} that starts on line {error.context_mark.line + 1}"
        lines = _LINE_BREAK.split(self.text)
        if line <= len(lines) and re.search(r"\](?:\(|\{)|: .*: ", lines[line - 1]):
            problem += f"; {_QUOTING}"
        return self.refuse(problem, Place(line))

    def _node(self, event: Event, place: Place, depth: int) -> Node:
        """The node that starts with `event`, at `place`."""
        self._count(1, place)
        if isinstance(event, AliasEvent):
            return self._alias(event.anchor, place)
        self._refuse_tag(event, place)
        if depth > DEEPEST:
            raise self.refuse(f"lists and mappings nest more than {DEEPEST} deep", place)
        node: Node
        if isinstance(event, ScalarEvent):
            node = self._scalar(event, place)
        elif isinstance(event, SequenceStartEvent):
            node = self._sequence(place, depth)
        else:
            node = self._mapping(place, depth)
        if anchor := getattr(event, "anchor", None):
            self._anchors[anchor] = node
        return node

    def _refuse_tag(self, event: Event, place: Place) -> None:
        if tag := getattr(event, "tag", None):
            raise self.refuse(f"found the tag {excerpt(str(tag))}; a scenario has no tags", place)

    def _count(self, values: int, place: Place) -> None:
        self._values += values
        if self._values > MOST_VALUES:
            raise self.refuse(f"the document has more than {MOST_VALUES} values", place)

    def _alias(self, anchor: str, place: Place) -> Node:
        node = self._anchors.get(anchor)
        if node is None:
            unknown = f"found the alias {excerpt('*' + anchor)}; expected an anchor before it, or quotes"
            raise self.refuse(_STARRED_KEY if anchor.endswith(":") else unknown, place)
        self._count(node.size, place)
        return msgspec.structs.replace(node, place=place)

    def _scalar(self, event: ScalarEvent, place: Place) -> Scalar:
        try:
            value = resolve(event.value) if event.implicit[0] else event.value
            refuse_unsendable(value)
        except ScenarioError as refusal:
            raise self.refuse(refusal.problem, place) from None
        except ValueError:
            raise self.refuse("found a whole number of more than 64 bits; write it as text", place) from None
        return Scalar(place=place, text=event.value, value=value)

    def _sequence(self, place: Place, depth: int) -> Sequence:
        items: list[Node] = []
        while not isinstance(event := self._next(), SequenceEndEvent):
            items.append(self._node(event, place.item(len(items), self._line), depth + 1))
        return Sequence(place=place, items=tuple(items), size=1 + sum(item.size for item in items))

    def _mapping(self, place: Place, depth: int) -> Mapping:
        values: dict[str, Node] = {}
        lines: dict[str, int] = {}
        while not isinstance(event := self._next(), MappingEndEvent):
            line = self._line
            key = self._key(event, place)
            event = self._next()
            # The place of an empty value would be that of whatever follows it.
            empty = isinstance(event, ScalarEvent) and not event.value
            value = self._node(event, place.key(key, line if empty else self._line), depth + 1)
            if key in values:
                problem = f"key {excerpt(key)} is written twice, on lines {lines[key]} and {line}"
                self.problems.append(self.refuse(problem, Place(line, place)))
            else:
                values[key], lines[key] = value, line
        return Mapping(place=place, values=values, lines=lines, size=1 + sum(v.size for v in values.values()))

    def _key(self, event: Event, place: Place) -> str:
        """The text of a key, whatever a plain scalar of that text would mean."""
        here = Place(self._line, place)
        if isinstance(event, AliasEvent):
            raise self.refuse(_STARRED_KEY, here)
        if not isinstance(event, ScalarEvent):
            raise self.refuse("found a list or a mapping as a key; expected text", here)
        self._refuse_tag(event, here)
        try:
            refuse_unsendable(event.value)
        except ScenarioError as refusal:
            raise self.refuse(refusal.problem, here) from None
        return str(event.value)


# --- annotated texts without quotes -----------------------------------------------------------------------

_KEY = re.compile(r" *(?:- +)?say: +")
_NEVER_FIRST = tuple("'\"|>&*!%@`[]{}#,")
"""What a plain scalar does not start with."""


def quote_annotated(text: str) -> str:
    """The document with its unquoted annotated lines quoted.

        say: deux billets pour [deux]{"entity": "cardinal_number", "value": 2}

    is not YAML, since a plain scalar must not contain a colon and a space. When a document cannot be read, the
    texts of such lines are put between quotes and it is read again: a valid document keeps its meaning, and every
    line its number. Each line is looked at a bounded number of times, however long it is.
    """
    return "\n".join(map(_quoted, text.split("\n")))


def _quoted(line: str) -> str:
    key = _KEY.match(line)
    if not key or line.startswith(_NEVER_FIRST, key.end()):
        return line
    annotation = line.find("]{", key.end())
    if annotation < 0 or ": " not in line[annotation:]:
        return line
    last_bracket = max(line.rfind(bracket) for bracket in "])}")
    comment = line.find(" #", last_bracket)
    end = len(line) if comment < 0 else comment
    words = line[key.end() : end].rstrip()
    return f"{key[0]}'{words.replace(chr(39), chr(39) * 2)}'{line[key.end() + len(words) :]}"
