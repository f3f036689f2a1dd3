"""One space's journal as read so far, for whoever judges: each entry once, in order, and none missed.

It reads when it is asked something, never as things happen. The journal is bounded, so it also asks by itself to be
read before it drops what was not; then a portion is enough, so that nobody waits long.
"""

from __future__ import annotations

from typing import Self

import msgspec

from ..model.fault import FaultKind, Stage
from ..protocol.journal import Entry, Kind
from ..protocol.records import Skipped, Struck
from ..protocol.space import Space
from .linter import Linter
from .rules import Violation

PORTION = 1000
"""How many entries are read at once to make room."""

_CONTACT = frozenset({Kind.LOGIN, Kind.OPENED, Kind.REFUSED, Kind.RECEIVED})


class Unplayed(msgspec.Struct, frozen=True):
    """A cue that was never played, in one stay; whether a fault ended that stay."""

    entry: Entry
    struck: bool


class Reading:
    """See the module's docstring. `of` finds the one of a space."""

    def __init__(self, space: Space) -> None:
        self._journal = space.journal
        self._read = 0
        self._struck: set[int] = set()
        """Sockets where a fault struck since the client last said anything."""
        identifiers = space.accounts.keys() if space.behaviour.identifier_must_match else None
        self._linter = Linter(identifiers=identifiers, paced=space.paced)
        self.unplayed: list[Unplayed] = []
        self.unstruck: list[Entry] = []
        """Faults that did not strike, but for those that chance or the test took out."""
        self.defects: list[Entry] = []
        self.contacts = 0
        self.first_contact: Entry | None = None
        self._journal.keep_for(self)

    @classmethod
    def of(cls, space: Space) -> Self:
        """The reading of a space, up to date; it begins with the first call."""
        reading = next((reader for reader in space.journal.readers if isinstance(reader, cls)), None)
        if reading is None:
            reading = cls(space)
        reading.catch_up()
        return reading

    def catch_up(self) -> None:
        """Read everything there is."""
        self._take()

    def make_room(self) -> int:
        """Read some of the oldest entries; the index of the first that is not read."""
        self._take(PORTION)
        return self._read

    def violations(self) -> list[Violation]:
        """What the client did wrong."""
        return self._linter.violations()

    def still_joined(self) -> list[Violation]:
        """Who has not left."""
        return self._linter.still_joined()

    def _take(self, at_most: int | None = None) -> None:
        for entry in self._journal.oldest(self._read, at_most):
            self._linter.feed(entry)
            self._note(entry)
            self._read = entry.index + 1

    def _note(self, entry: Entry) -> None:
        kind = entry.kind
        if kind in _CONTACT:
            self._struck.discard(entry.socket)
            self.contacts += 1
            self.first_contact = self.first_contact or entry
        elif kind is Kind.UNPLAYED:
            self.unplayed.append(Unplayed(entry, entry.socket in self._struck))
        elif kind is Kind.FAULT:
            if isinstance(entry.value, Struck) and entry.value.fault.kind in _ENDS_A_STAY:
                self._struck.add(entry.socket)
        elif kind is Kind.FAULT_SKIPPED:
            if isinstance(entry.value, Skipped) and not entry.value.why.expected:
                self.unstruck.append(entry)
        elif kind is Kind.DEFECT:
            self.defects.append(entry)
        elif kind is Kind.CLOSED:
            self._struck.discard(entry.socket)


_ENDS_A_STAY = frozenset(
    {
        kind
        for kind in FaultKind
        if kind.stage is Stage.CHANNEL or kind in (FaultKind.CLOSE, FaultKind.RESET, FaultKind.CUT_FRAME)
    }
)
