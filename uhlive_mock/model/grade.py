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
