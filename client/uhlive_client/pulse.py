"""Signs of life: when to ask the other side for one, and when it has given none for too long.

`now` is an argument, in seconds of any clock that does not jump.
"""

from __future__ import annotations

from collections.abc import Callable


class Pulse:
    """One way to ask, such as a ping.

    Args:
        what: what it is called in messages.
        interval: seconds from one question to the next; `None` for never.
        now: when to start to count.
    """

    def __init__(self, what: str, interval: float | None, now: float) -> None:
        self.what = what
        self._interval = interval
        self._due = now
        self._asked: float | None = None
        self._is_answered: Callable[[], bool] = _unknown
        self.postpone(now)

    def is_due(self, now: float) -> bool:
        """Whether to ask now. Never while an answer is still to come."""
        return self._interval is not None and self._asked is None and now >= self._due

    def asked(self, now: float, is_answered: Callable[[], bool] | None = None) -> None:
        """It was asked; `is_answered` tells later whether the answer has come, if nobody calls `answered`."""
        self.postpone(now)
        self._asked = now
        self._is_answered = is_answered or _unknown

    def answered(self) -> None:
        """The answer has come."""
        self._asked = None

    def postpone(self, now: float) -> None:
        """Ask no earlier than an interval from now."""
        if self._interval is not None:
            self._due = now + self._interval

    def waits_since(self) -> float | None:
        """When the question was asked whose answer has not come; `None` when there is none."""
        if self._asked is not None and self._is_answered():
            self._asked = None
        return self._asked

    def next_at(self) -> float | None:
        """When to ask next; `None` for never, or not before the answer has come."""
        return None if self._interval is None or self._asked is not None else self._due


def _unknown() -> bool:
    return False
