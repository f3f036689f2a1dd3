"""Sizes and data rates as people write them, `64 kB`, `20 kB/s`, and the whole bytes they mean."""

from __future__ import annotations

import re
from fractions import Fraction

from ..errors import ScenarioError
from .wording import excerpt

BYTES_PER_UNIT = {"MiB": 1024**2, "MB": 1000**2, "KiB": 1024, "kB": 1000, "B": 1}
_SIZE = re.compile(rf"([0-9]{{1,12}}(?:\.[0-9]{{1,9}})?) ?({'|'.join(BYTES_PER_UNIT)})")
_BARE = re.compile(r"[0-9]{1,12}")


def parse_size(text: str) -> int:
    """The bytes of `64 kB`, `64 KiB`, `1.5 MB`; a bare number counts bytes; 1 kB is 1000 bytes.

    Raises:
        ScenarioError: for anything else, and for what is not a whole number of bytes.
    """
    return int(text) if _BARE.fullmatch(text) else _bytes(text, text, "a size such as 64 kB, 64 KiB or 64000")


def parse_rate(text: str) -> int:
    """The bytes a second of `20 kB/s`; a bare number is refused, as nothing says of what.

    Raises:
        ScenarioError: for anything else, and for what is not a whole number of bytes a second.
    """
    size = text.removesuffix("/s") if text.endswith("/s") else ""
    return _bytes(size, text, "a data rate such as 20 kB/s or 20 KiB/s")


def format_size(size: int) -> str:
    """The shortest size that `parse_size` reads as `size`, in a unit of which it is a whole number."""
    written = (f"{size // unit} {name}" for name, unit in BYTES_PER_UNIT.items() if size % unit == 0)
    return min(written, key=len)


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
