"""The words that scenario errors share: what was found, what was expected, what may have been meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

LONGEST_EXCERPT = 40
"""How many characters of the document a message quotes at most."""


def excerpt(text: str) -> str:
    """`text` quoted as Python would, cut when it is long."""
    return repr(text if len(text) <= LONGEST_EXCERPT else text[: LONGEST_EXCERPT - 1] + "…")


def either(names: Iterable[str]) -> str:
    """`'at', 'after' or 'when'`."""
    quoted = [repr(name) for name in names]
    return " or ".join([", ".join(quoted[:-1]), quoted[-1]] if len(quoted) > 1 else quoted)


def unknown(kind: str, found: str, known: Iterable[str]) -> str:
    """`unknown key 'sey'; did you mean 'say'?`, or the names there are when none is close."""
    known = [str(name) for name in known]  # an enum's members are text, but their repr is not
    close = get_close_matches(found.lower(), known, n=1)
    remedy = f"did you mean {close[0]!r}?" if close else f"expected {either(known)}"
    return f"unknown {kind} {excerpt(found)}; {remedy}"
