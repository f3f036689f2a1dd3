"""The bracket notation of entities inside a `say`, as NLU training data writes them.

    [deux]{"entity": "cardinal_number", "value": 2, "display": "2"} billets pour [Lyon](location_city).

Rules, for a text read as words between white space:

- `[words](name)` names the entity that the words are; `[words]{...}` describes it with a JSON object, whose
  `entity` is the name and whose `value`, `display` and `confidence` are optional.
- A bracket opens at the start of a word. What touches its end is punctuation: part of the transcript's last
  word, not of the entity.
- Brackets do not nest. `\\[`, `\\]` and `\\\\` are the characters themselves.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import NoReturn

from msgspec import structs

from ..errors import ScenarioError
from ..model.scenario import InlineEntity
from .values import refuse_unsendable
from .wording import excerpt, unknown

_SPECIAL = "[]\\"
_ESCAPED = re.compile(r"([\[\]\\])")
_NAME = re.compile(r"\(([^()]*)\)")
_KEYS = ("entity", "value", "display", "confidence")


def parse_inline(notation: str) -> tuple[str, tuple[InlineEntity, ...]]:
    """The plain text of a notation, its words separated by one space, and the entities in it.

    Raises:
        ScenarioError: when the notation breaks a rule; the message names the column in the text, from 1.
    """
    reading = _Reading(notation)
    while reading.skip_space():
        reading.read_entity() if reading.ahead == "[" else reading.read_word()
    return " ".join(reading.words), tuple(reading.entities)


def format_inline(text: str, entities: Iterable[InlineEntity]) -> str:
    """The notation that `parse_inline` reads as `text` and `entities`.

    Raises:
        ScenarioError: when the source of an entity is not the words it covers, give or take the punctuation
            after them; the notation cannot say so.
    """
    words = [_ESCAPED.sub(r"\\\1", word) for word in text.split()]
    plain = text.split()
    for entity in entities:
        covered = " ".join(plain[entity.first : entity.last + 1])
        punctuation = covered[len(entity.source) :]
        if not _is_covered(entity.source, covered):
            raise ScenarioError(
                f"entity {entity.name!r} has source {excerpt(entity.source)} but covers {excerpt(covered)}"
            )
        inside = _ESCAPED.sub(r"\\\1", entity.source).split(" ")
        words[entity.first : entity.last + 1] = inside
        words[entity.first] = "[" + words[entity.first]
        words[entity.last] += "]" + _annotation(entity) + _ESCAPED.sub(r"\\\1", punctuation)
    return " ".join(words)


def _annotation(entity: InlineEntity) -> str:
    plain = InlineEntity(name=entity.name, first=entity.first, last=entity.last, source=entity.source)
    if entity == plain:
        return f"({entity.name})"
    fields: dict[str, object] = {"entity": entity.name}
    if entity.value is not None:
        fields["value"] = entity.value
    if entity.display is not None:
        fields["display"] = entity.display
    if entity.confidence != plain.confidence:
        fields["confidence"] = entity.confidence
    return json.dumps(fields, ensure_ascii=False)


def _is_covered(source: str, covered: str) -> bool:
    rest = covered[len(source) :]
    return bool(source) and covered.startswith(source) and " " not in rest and not _has_letters(rest)


def _has_letters(text: str) -> bool:
    return any(character.isalnum() for character in text)


class _Reading:
    """A position in a notation, and what was read before it."""

    def __init__(self, notation: str) -> None:
        self.notation = notation
        self.position = 0
        self.words: list[str] = []
        self.entities: list[InlineEntity] = []

    @property
    def ahead(self) -> str:
        return self.notation[self.position : self.position + 1]

    def skip_space(self) -> bool:
        """Move to the next word; whether there is one."""
        while self.ahead.isspace():
            self.position += 1
        return bool(self.ahead)

    def refuse(self, problem: str, position: int | None = None) -> NoReturn:
        column = (self.position if position is None else position) + 1
        raise ScenarioError(f"column {column} of the text: {problem}")

    def character(self) -> str:
        """Read one character, resolving its escape."""
        if self.ahead == "\\" and self.notation[self.position + 1 : self.position + 2] in tuple(_SPECIAL):
            self.position += 1
        character = self.ahead
        self.position += 1
        return character

    def read_word(self) -> None:
        start = self.position
        word = ""
        while self.ahead and not self.ahead.isspace():
            if self.ahead == "[":
                touching = excerpt(self.notation[start : self.position])
                self.refuse(f"{touching} touches '['; expected a space, or '\\[' for a bracket")
            word += self.character()
        self.words.append(word)

    def read_entity(self) -> None:
        start = self.position
        source = self.read_bracket()
        if not source:
            self.refuse("the brackets are empty; expected the words of the entity", start)
        match self.ahead:
            case "(":
                entity = self.read_name()
            case "{":
                entity = self.read_object()
            case _:
                found = excerpt(self.notation[start : self.position])
                self.refuse(
                    f"{found} names no entity; expected (name) or {{...}} next, or '\\[' for a bracket",
                    start,
                )
        first = len(self.words)
        self.entities.append(
            structs.replace(entity, first=first, last=first + len(source) - 1, source=" ".join(source))
        )
        source[-1] += self.read_punctuation()
        self.words += source

    def read_bracket(self) -> list[str]:
        """The words between `[` and `]`."""
        start = self.position
        inside = ""
        self.position += 1
        while self.ahead != "]":
            if not self.ahead:
                self.refuse("'[' is never closed; expected ']', or '\\[' for a bracket", start)
            if self.ahead == "[":
                self.refuse("'[' inside brackets; expected ']' first, or '\\[' for a bracket")
            inside += self.character()
        self.position += 1
        return inside.split()

    def read_name(self) -> InlineEntity:
        """The entity that `(name)` describes, not yet placed."""
        start = self.position
        match = _NAME.match(self.notation, start)
        if not match:
            self.refuse("'(' is never closed; expected (name)")
        self.position = match.end()
        return self.entity_at(start, {"entity": match[1]})

    def read_object(self) -> InlineEntity:
        """The entity that a JSON object describes, not yet placed."""
        start = self.position
        try:
            fields, self.position = _DECODER.raw_decode(self.notation, start)
        except json.JSONDecodeError as error:
            self.refuse(f"not a JSON object: {error.msg}", error.pos)
        except ScenarioError as refusal:
            self.refuse(refusal.problem, start)
        except (ValueError, RecursionError):
            self.refuse("not a JSON object: a number is too long, or it nests too deep", start)
        return self.entity_at(start, fields)

    def entity_at(self, start: int, fields: dict[str, object]) -> InlineEntity:
        try:
            return _entity(fields)
        except ScenarioError as refusal:
            self.refuse(refusal.problem, start)

    def read_punctuation(self) -> str:
        start = self.position
        punctuation = ""
        while self.ahead and not self.ahead.isspace():
            if self.ahead == "[":
                self.refuse("two entities touch; expected a space between them")
            punctuation += self.character()
        if _has_letters(punctuation):
            self.refuse(
                f"{excerpt(punctuation)} touches the entity before it; expected a space",
                start,
            )
        return punctuation


def _entity(fields: dict[str, object]) -> InlineEntity:
    """The entity of checked fields, its words still to be placed."""
    for key in fields:
        if key not in _KEYS:
            raise ScenarioError(unknown("key", key, _KEYS))
    name, display = fields.get("entity"), fields.get("display")
    if not isinstance(name, str):
        raise ScenarioError('the JSON object names no entity; expected "entity": "name"')
    if not isinstance(display, str | None):
        raise ScenarioError(f"display is {json.dumps(display)}; expected text")
    refuse_unsendable(display)
    refuse_unsendable(fields.get("value"))
    entity = InlineEntity(name=name, first=0, last=0, source="", display=display, value=fields.get("value"))
    confidence = fields.get("confidence", entity.confidence)
    if isinstance(confidence, bool) or not isinstance(confidence, int | float):
        raise ScenarioError(f"confidence is {json.dumps(confidence)}; expected a number from 0 to 1")
    return structs.replace(entity, confidence=confidence)


def _refuse_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields: dict[str, object] = {}
    for key, value in pairs:
        if key in fields:
            raise ScenarioError(f"key {excerpt(key)} is written twice")
        fields[key] = value
    return fields


_DECODER = json.JSONDecoder(object_pairs_hook=_refuse_duplicates)
