"""What every part of a space's handle reaches the space through."""

from __future__ import annotations

from collections.abc import Callable

from ..files import JournalFile
from ..listeners import Serving
from ..world import HostedSpace
from .call import Call


class Reach:
    """A hosted space, its server, and the way to the server's loop."""

    def __init__(
        self, call: Call, keep: Callable[[JournalFile], None], serving: Serving, hosted: HostedSpace
    ) -> None:
        self._call = call
        self._keep = keep
        self._serving = serving
        self._hosted = hosted
