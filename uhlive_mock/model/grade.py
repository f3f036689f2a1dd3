"""How well a behaviour of the real service is known, said beside the field that decides it."""

from __future__ import annotations

from enum import StrEnum
from functools import cache
from typing import get_type_hints

import msgspec
from msgspec import Meta

from ..errors import ConfigurationError


class Grade(StrEnum):
    """How well a behaviour is known."""

    DOCUMENTED = "D"
    SEEN = "S"
    INFERRED = "I"
    UNKNOWN = "U"


MEANINGS: dict[Grade, tuple[str, str]] = {
    Grade.DOCUMENTED: ("documented", "the provider's own pages say so"),
    Grade.SEEN: ("seen", "an official SDK or the server's own software shows it"),
    Grade.INFERRED: ("inferred", "it follows from something known"),
    Grade.UNKNOWN: ("unknown", "nothing certain is published; the default is our choice"),
}
"""Each grade spelled out, and what it means."""


def rule(sentence: str, grade: Grade, source: str) -> Meta:
    """What to annotate a field with: what it decides, how well that is known, and from where."""
    return Meta(description=sentence, extra={"grade": grade.value, "source": source})


def check_fields(value: msgspec.Struct) -> None:
    """Refuse a field whose value is not of its type.

    Raises:
        ConfigurationError: one is not; says which, what was found and what was expected.
    """
    for name, hint in _hints(type(value)).items():
        found = getattr(value, name)
        try:
            msgspec.convert(found, hint, strict=True)
        except msgspec.ValidationError as error:
            raise ConfigurationError(f"{type(value).__name__}.{name} is {found!r}: {error}") from None


@cache
def _hints(kind: type[msgspec.Struct]) -> dict[str, object]:
    return get_type_hints(kind, include_extras=True)
