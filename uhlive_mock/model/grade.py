"""How well a behaviour of the real service is known, said beside the field that decides it."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Meta


class Grade(StrEnum):
    """How well a behaviour is known."""

    DOCUMENTED = "D"
    SEEN = "S"
    INFERRED = "I"
    UNKNOWN = "U"


def rule(sentence: str, grade: Grade, source: str) -> Meta:
    """What to annotate a field with: what it decides, how well that is known, and from where."""
    return Meta(description=sentence, extra={"grade": grade.value, "source": source})
