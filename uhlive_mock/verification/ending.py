"""Who ended a socket, and how, as the journal's entry of its end notes it."""

from __future__ import annotations

from enum import Enum, auto

from ..protocol.journal import Entry


class Ending(Enum):
    """How a socket came to its end."""

    CLIENT = auto()
    """The client closed it, or was lost."""
    IDLE = auto()
    """The idle rule closed it."""
    SPACE = auto()
    """Its space, or the server, came to an end."""
    SERVICE = auto()
    """A fault, another rule, a broken frame, or a defect of ours ended it."""

    @classmethod
    def of(cls, closed: Entry) -> Ending:
        """How the socket ended that an entry of kind `closed` is about."""
        note = closed.note or ""
        if not note or note.startswith(_BY_THE_CLIENT):
            return cls.CLIENT
        if note.startswith(_WITH_THE_SPACE):
            return cls.SPACE
        return cls.IDLE if note.partition(": ")[2].startswith("idle for ") else cls.SERVICE


_BY_THE_CLIENT = ("closed by the client", "connection lost")
_WITH_THE_SPACE = ("the space was ", "the server stopped")
