"""Clients that belong to no living space: stragglers from one that has ended, and clients that never had one.

They are answered as the service answers any client it does not know, and written down here: never in the journal of
a space that has nothing to do with them. Which clients ended spaces had, and who came, is kept up to a bound.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from ..model.account import Account
from ..protocol.redaction import MASK, Redactor, mask_tokens
from ..protocol.space import Space

MOST_ENDED = 10_000
"""Client ids of ended spaces that are remembered."""

MOST_UNKNOWN = 1_000
"""Unknown clients that are remembered."""

_LONGEST_ID = 200

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


class Tried(StrEnum):
    """What a client tried that belongs to no living space."""

    TOKEN = "asked for a token"  # noqa: S105
    SOCKET = "asked for a socket"
    FRAME = "sent a frame"


class UnknownClient(msgspec.Struct, frozen=True, kw_only=True):
    """A client that tried something `count` times and belonged to no living space.

    `space` is the name of the space it had belonged to, and `after_s` how many seconds that had been over the
    last time; both are None for a client that never had one.
    """

    client_id: str
    tried: Tried
    space: str | None = None
    after_s: float | None = None
    count: int = 1

    @property
    def why(self) -> str:
        """Why it is refused."""
        if self.space is None:
            return f"client {self.client_id!r} belongs to no space of this server"
        return f"{self.client_id} belonged to {self.space!r}, which ended {self.after_s:.1f} s ago"

    def __str__(self) -> str:
        often = f" {self.count} times" if self.count > 1 else ""
        if self.space is None:
            return f"{self.client_id!r} {self.tried}{often}; it belongs to no space of this server"
        owner = f"it belonged to {self.space!r}, which had ended {self.after_s:.1f} s before"
        return f"{self.client_id} {self.tried}{often}; {owner}"


class UnknownClients:
    """The record of them.

    Args:
        wall: Unix seconds.
    """

    def __init__(self, wall: Callable[[], float]) -> None:
        self._wall = wall
        self._ended: dict[str, tuple[str, float]] = {}
        self._known: dict[tuple[str, str | None, Tried], UnknownClient] = {}

    def __iter__(self) -> Iterator[UnknownClient]:
        return iter(tuple(self._known.values()))

    def ended(self, space: Space) -> None:
        """A space has ended."""
        for client_id in space.accounts:
            self._ended[client_id] = space.name, space.ended_at or 0.0
        _forget_oldest(self._ended, MOST_ENDED)

    def lives(self, client_id: str) -> None:
        """A client id belongs to a living space, again perhaps."""
        self._ended.pop(client_id, None)

    def came(self, client_id: str, tried: Tried, accounts: Iterable[Account]) -> UnknownClient:
        """A client of no living space came; `accounts` are those that live, whose secrets it may have mistaken."""
        if client_id in self._ended:
            return self._note(client_id, tried, *self._ended[client_id])
        secrets = {account.client_secret for account in accounts}
        shown = MASK if client_id in secrets else Redactor(_LONGEST_ID).text(mask_tokens(client_id))
        return self._note(shown, tried)

    def sent(self, client_id: str, space: Space) -> UnknownClient:
        """A client sent something on a socket of a space that has ended, or was reset since."""
        return self._note(client_id, Tried.FRAME, space.name, space.ended_at or 0.0)

    def _note(self, client_id: str, tried: Tried, space: str | None = None, ended_at: float = 0.0) -> UnknownClient:
        after_s = None if space is None else max(0.0, self._wall() - ended_at)
        unknown = UnknownClient(client_id=client_id, tried=tried, space=space, after_s=after_s)
        known = self._known.get((client_id, space, tried))
        if known:
            unknown = replace(unknown, count=known.count + 1)
        self._known[client_id, space, tried] = unknown
        _forget_oldest(self._known, MOST_UNKNOWN)
        return unknown


def _forget_oldest(remembered: dict[_Key, _Value], most: int) -> None:
    while len(remembered) > most:
        del remembered[next(iter(remembered))]
