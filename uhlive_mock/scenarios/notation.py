"""The notations inside a scenario: durations, sizes, entities in brackets, and values that are passed on.

    250ms  1.5s  1min 30s     a duration, in integer milliseconds; a bare number counts seconds
    64 kB  64 KiB  20 kB/s    a size or a data rate, in whole bytes; 1 kB is 1000 bytes

The bracket notation of entities inside a `say` is the one that NLU training data uses:

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
import math
import re
from collections.abc import Iterable
from fractions import Fraction
from typing import NoReturn

import msgspec

from ..errors import ScenarioError, excerpt, unknown
from ..model.scenario import InlineEntity

# --- durations ---------------------------------------------------------------------------------------------

_MS_PER_UNIT = {"min": 60_000, "s": 1000, "": 1000, "ms": 1}
_PART = r"(?:[0-9]{1,9}(?:\.[0-9]{1,9})?|\.[0-9]{1,9})"
_BARE_SECONDS = re.compile(_PART)
_DURATION = re.compile(
    rf"(?=.)(?:(?P<min>{_PART}) ?min(?: (?=.)|))?(?:(?P<s>{_PART}) ?s(?: (?=.)|))?(?:(?P<ms>{_PART}) ?ms)?"
)


def parse_duration(text: str) -> int:
    """The milliseconds of `250ms`, `1.5s`, `2min`, `1min 30s`; a bare number counts seconds.

    Raises:
        ScenarioError: for anything else, and for what is not a whole number of milliseconds.
    """
    if _BARE_SECONDS.fullmatch(text):
        parts = {"": text}
    elif match := _DURATION.fullmatch(text):
        parts = {unit: part for unit, part in match.groupdict().items() if part}
    else:
        raise ScenarioError(f"found {excerpt(text)}; expected a duration such as 250ms, 1.5s or 1min 30s")
    duration = sum(Fraction(part) * _MS_PER_UNIT[unit] for unit, part in parts.items())
    if duration.denominator != 1:
        raise ScenarioError(f"found {excerpt(text)}; expected a whole number of milliseconds")
    return duration.numerator


def format_duration(duration_ms: int) -> str:
    """The shortest duration that `parse_duration` reads as `duration_ms`."""
    if 0 < duration_ms < 1000:
        return f"{duration_ms}ms"
    seconds, rest = divmod(duration_ms, 1000)
    return f"{seconds}.{rest:03d}".rstrip("0").rstrip(".") + "s"


def seconds_to_ms(name: str, seconds: float) -> int:
    """The milliseconds of a number of seconds that a caller gave as `name`.

    Raises:
        ScenarioError: for what is not a whole number of milliseconds.
    """
    duration_ms = seconds * 1000
    if not abs(duration_ms) < 1e12 or abs(duration_ms - round(duration_ms)) > 1e-3:
        raise ScenarioError(f"{name} is {seconds} s; expected a whole number of milliseconds")
    return round(duration_ms)


def optional_ms(name: str, seconds: float | None) -> int | None:
    """The same of a number of seconds that may be left out."""
    return None if seconds is None else seconds_to_ms(name, seconds)


# --- sizes -------------------------------------------------------------------------------------------------

BYTES_PER_UNIT = {"MiB": 1024**2, "MB": 1000**2, "KiB": 1024, "kB": 1000, "B": 1}
_SIZE = re.compile(rf"([0-9]{{1,12}}(?:\.[0-9]{{1,9}})?) ?({'|'.join(BYTES_PER_UNIT)})")
_BARE_BYTES = re.compile(r"[0-9]{1,12}")


def parse_size(text: str) -> int:
    """The bytes of `64 kB`, `64 KiB`, `1.5 MB`; a bare number counts bytes; 1 kB is 1000 bytes.

    Raises:
        ScenarioError: for anything else, and for what is not a whole number of bytes.
    """
    return int(text) if _BARE_BYTES.fullmatch(text) else _bytes(text, text, "a size such as 64 kB, 64 KiB or 64000")


def parse_rate(text: str) -> int:
    """The bytes a second of `20 kB/s`; a bare number is refused, as nothing says of what.

    Raises:
        ScenarioError: for anything else, and for what is not a whole number of bytes a second.
    """
    size = text.removesuffix("/s") if text.endswith("/s") else ""
    return _bytes(size, text, "a data rate such as 20 kB/s or 20 KiB/s")


def format_size(size: int) -> str:
    """The shortest size that `parse_size` reads as `size`, in a unit of which it is a whole number."""
    return min((f"{size // unit} {name}" for name, unit in BYTES_PER_UNIT.items() if size % unit == 0), key=len)


def format_rate(rate: int) -> str:
    """The shortest data rate that `parse_rate` reads as `rate`."""
    return f"{format_size(rate)}/s"


def _bytes(size: str, found: str, expected: str) -> int:
    match = _SIZE.fullmatch(size)
    if not match:
        raise ScenarioError(f"found {excerpt(found)}; expected {expected}")
    exact = Fraction(match[1]) * BYTES_PER_UNIT[match[2]]
    if exact.denominator != 1:
        raise ScenarioError(f"found {excerpt(found)}; expected a whole number of bytes")
    return exact.numerator


# --- values passed on to the client ------------------------------------------------------------------------

DEEPEST = 40
"""How deep lists and mappings may nest."""


def refuse_unsendable(value: object, depth: int = 0) -> None:
    """Refuse what cannot be sent: a number JSON readers do not agree on, half a character, any other type.

    Raises:
        ScenarioError: naming the value found.
    """
    if depth > DEEPEST:
        raise ScenarioError(f"lists and mappings nest more than {DEEPEST} deep")
    match value:
        case None | bool():
            pass
        case int():
            if not -(2**63) <= value < 2**63:
                raise ScenarioError("found a whole number of more than 64 bits; write it as text")
        case float():
            if not math.isfinite(value):
                raise ScenarioError(f"found {value}; expected a finite number")
        case str():
            if any("\ud800" <= character <= "\udfff" for character in value):
                raise ScenarioError(f"found half a surrogate pair in {excerpt(value)}; it cannot be sent")
        case list():
            for item in value:
                refuse_unsendable(item, depth + 1)
        case dict():
            for key, item in value.items():
                if not isinstance(key, str):
                    raise ScenarioError(f"found key {key!r}; expected text")
                refuse_unsendable(key)
                refuse_unsendable(item, depth + 1)
        case _:
            raise ScenarioError(f"found a {type(value).__name__}; expected text, numbers, lists and mappings")


# --- entities in brackets ----------------------------------------------------------------------------------

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
    plain = text.split()
    words = [_ESCAPED.sub(r"\\\1", word) for word in plain]
    for entity in entities:
        covered = " ".join(plain[entity.first : entity.last + 1])
        punctuation = covered[len(entity.source) :]
        is_covered = entity.source and covered.startswith(entity.source)
        if not is_covered or " " in punctuation or _has_letters(punctuation):
            raise ScenarioError(
                f"entity {entity.name!r} has source {excerpt(entity.source)} but covers {excerpt(covered)}"
            )
        words[entity.first : entity.last + 1] = _ESCAPED.sub(r"\\\1", entity.source).split(" ")
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
        at = self.position if position is None else position
        raise ScenarioError(f"column {at + 1} of the text: {problem}")

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
        described = self.position
        match self.ahead:
            case "(":
                fields = self.read_name()
            case "{":
                fields = self.read_object()
            case _:
                found = excerpt(self.notation[start : self.position])
                self.refuse(
                    f"{found} names no entity; expected (name) or {{...}} next, or '\\[' for a bracket",
                    start,
                )
        try:
            self.entities.append(_entity(fields, len(self.words), source))
        except ScenarioError as refusal:
            self.refuse(refusal.problem, described)
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

    def read_name(self) -> dict[str, object]:
        """The fields of an entity that `(name)` describes."""
        match = _NAME.match(self.notation, self.position)
        if not match:
            self.refuse("'(' is never closed; expected (name)")
        self.position = match.end()
        return {"entity": match[1]}

    def read_object(self) -> dict[str, object]:
        """The fields of an entity that a JSON object describes."""
        fields: dict[str, object]
        try:
            fields, self.position = _DECODER.raw_decode(self.notation, self.position)
        except json.JSONDecodeError as error:
            self.refuse(f"not a JSON object: {error.msg}", error.pos)
        except ScenarioError as refusal:
            self.refuse(refusal.problem)
        except (ValueError, RecursionError):
            self.refuse("not a JSON object: a number is too long, or it nests too deep")
        return fields

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


def _entity(fields: dict[str, object], first: int, source: list[str]) -> InlineEntity:
    """The entity that these fields describe, of the words `source`, of which `first` is the number of the first."""
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
    entity = InlineEntity(
        name=name,
        first=first,
        last=first + len(source) - 1,
        source=" ".join(source),
        display=display,
        value=fields.get("value"),
    )
    confidence = fields.get("confidence", entity.confidence)
    if isinstance(confidence, bool) or not isinstance(confidence, int | float):
        raise ScenarioError(f"confidence is {json.dumps(confidence)}; expected a number from 0 to 1")
    return msgspec.structs.replace(entity, confidence=confidence)


def _refuse_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields: dict[str, object] = {}
    for key, value in pairs:
        if key in fields:
            raise ScenarioError(f"key {excerpt(key)} is written twice")
        fields[key] = value
    return fields


_DECODER = json.JSONDecoder(object_pairs_hook=_refuse_duplicates)
