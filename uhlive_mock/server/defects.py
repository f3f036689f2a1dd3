"""What went wrong in the server itself: tracebacks of exceptions that no client and no test caused.

Those of a socket end that socket and are in its space's journal. The rest come here: from HTTP routes, and from
callbacks of the event loop, where nobody would see them otherwise. Tokens in a message become `***`.
"""

from __future__ import annotations

import traceback
from collections import deque
from collections.abc import Iterator

from ..protocol.redaction import mask_tokens

MOST_DEFECTS = 100
"""How many are kept; the oldest go."""

LONGEST = 20_000
"""Characters of one."""


def trace_of(error: BaseException) -> str:
    """The traceback of an exception, without tokens; the end of one that is too long."""
    return mask_tokens("".join(traceback.format_exception(error))[-LONGEST:])


class Defects:
    """The tracebacks so far."""

    def __init__(self) -> None:
        self._traces: deque[str] = deque(maxlen=MOST_DEFECTS)

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._traces))

    def add(self, trace: str) -> None:
        """Keep one."""
        self._traces.append(trace)
