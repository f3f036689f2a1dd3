"""Values that a scenario passes on to the client as they are: whatever JSON can say."""

from __future__ import annotations

import math

from ..errors import ScenarioError
from .wording import excerpt

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
