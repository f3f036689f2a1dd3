"""Whether a payload holds what is wanted of it, and what differs.

A mapping is held by one that has at least its keys, at every level; a list by one of the same length, item by
item. Everything else is compared with `==`, by what is wanted, so that an object may say for itself what it equals.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import inf

from ..protocol.redaction import MASK, Redactor

_LONGEST = 80


def differences(wanted: object, found: object, path: str = "payload") -> Iterator[str]:
    """A line for each place where `found` does not hold what is wanted, in the order of `wanted`."""
    if wanted == found:
        return
    if isinstance(wanted, Mapping) and isinstance(found, Mapping):
        for key, value in wanted.items():
            if key in found:
                yield from differences(value, found[key], f"{path}.{key}")
            else:
                keys = ", ".join(map(str, found)) or "no keys"
                yield f"{path}.{key}: expected {brief(value, key)}, found only {shortened(keys, _LONGEST)}"
    elif isinstance(wanted, list | tuple) and isinstance(found, list | tuple) and len(wanted) == len(found):
        for place, (value, other) in enumerate(zip(wanted, found, strict=True)):
            yield from differences(value, other, f"{path}[{place}]")
    else:
        key = path.rpartition(".")[2]
        why = "; the journal keeps no secrets" if found == MASK else ""
        yield f"{path}: expected {brief(wanted, key)}, found {brief(found, key)}{why}"


def leaves(wanted: object) -> int:
    """How many places of `wanted` can differ."""
    match wanted:
        case Mapping():
            return max(1, sum(map(leaves, wanted.values())))
        case list() | tuple():
            return max(1, sum(map(leaves, wanted)))
        case _:
            return 1


def brief(value: object, key: object = "payload") -> str:
    """A value on one short line, without secrets; `key` is what it is the value of."""
    clean = Redactor(inf).clean({key: value})
    return shortened(repr(next(iter(clean.values())) if isinstance(clean, dict) else clean), _LONGEST)


def shortened(text: str, longest: int) -> str:
    """The text, with `…` for its end where it is too long."""
    return text if len(text) <= longest else text[: max(0, longest - 1)] + "…"
