"""How a handle reaches the server's event loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

T = TypeVar("T")


class Call(Protocol):
    """Runs work on the server's loop and returns what it returns."""

    def __call__(self, work: Callable[[], T]) -> T: ...
