"""Nobody waits for ten minutes because a generator says so."""

from __future__ import annotations

import schemathesis

LONGEST_S = 0.01


@schemathesis.hook
def before_call(context, case, kwargs) -> None:
    """Shorten the waits that the document allows."""
    if case.path.endswith("/wait"):
        case.query = {"timeout": LONGEST_S, **(case.query or {})}
    for place in (case.query, case.body):
        timeout = place.get("timeout") if isinstance(place, dict) else None
        try:
            if timeout is not None and not isinstance(timeout, bool) and LONGEST_S < float(timeout) <= 600:
                place["timeout"] = LONGEST_S
        except (TypeError, ValueError):
            pass
