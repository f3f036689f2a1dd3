"""Durations as people write them, `250ms`, `1.5s`, `1min 30s`, and the integer milliseconds they mean."""

from __future__ import annotations

import re
from fractions import Fraction

from ..errors import ScenarioError
from .wording import excerpt

_MS_PER_UNIT = {"min": 60_000, "s": 1000, "": 1000, "ms": 1}
_PART = r"(?:[0-9]{1,9}(?:\.[0-9]{1,9})?|\.[0-9]{1,9})"
_BARE = re.compile(_PART)
_UNITS = re.compile(
    rf"(?=.)(?:(?P<min>{_PART}) ?min(?: (?=.)|))?(?:(?P<s>{_PART}) ?s(?: (?=.)|))?(?:(?P<ms>{_PART}) ?ms)?"
)


def parse_duration(text: str) -> int:
    """The milliseconds of `250ms`, `1.5s`, `2min`, `1min 30s`; a bare number counts seconds.

    Raises:
        ScenarioError: for anything else, and for what is not a whole number of milliseconds.
    """
    if _BARE.fullmatch(text):
        parts = {"": text}
    elif match := _UNITS.fullmatch(text):
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
