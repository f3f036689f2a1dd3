"""Faults that wait for their turn.

`arm` puts a fault in the box; whoever comes to a stage of a connection's life asks `take` whether one is
meant for it. The first that is meant, and that chance lets through, applies; a fault whose count is used up
leaves the box. What applies and what does not goes into the journal, the second with the reason.

Chance is drawn from a generator seeded by the space, once for each turn of a fault with a probability below 1.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import msgspec

from ..model.fault import Fault, FaultKind, Stage
from .journal import Journal
from .records import Skipped, SkipReason, Struck


class Armed(msgspec.Struct):
    """A fault in the box: how often it may still apply, None for always; whose cue armed it; whether it applied."""

    fault: Fault
    left: int | None
    by: str | None
    applied: bool = False


class FaultBox:
    """The armed faults of a space."""

    def __init__(self, seed: int, journal: Journal) -> None:
        self._rng = random.Random(f"{seed}/faults")  # noqa: S311
        self._journal = journal
        self._armed: list[Armed] = []

    def __iter__(self) -> Iterator[Fault]:
        return iter([armed.fault for armed in self._armed])

    def __bool__(self) -> bool:
        return bool(self._armed)

    def unstruck(self) -> list[Fault]:
        """Those that have never applied."""
        return [armed.fault for armed in self._armed if not armed.applied]

    def arm(self, fault: Fault, *, by: str | None = None) -> None:
        """Put a fault in the box, behind those already there; `by` is the speaker whose cue it is."""
        self._armed.append(Armed(fault, fault.count, by))

    def take(
        self,
        stage: Stage,
        now: float,
        *,
        speaker: str | None = None,
        event: str | None = None,
        socket: int = 0,
        spare: FaultKind | None = None,
    ) -> Fault | None:
        """The fault that applies to whoever has come to `stage`, if any; counted and written down.

        Args:
            spare: a kind that has no sense here and keeps waiting.
        """
        for armed in tuple(self._armed):
            fault = armed.fault
            if fault.kind.stage is not stage or fault.kind is spare:
                continue
            if not fault.strikes(speaker=speaker, event=event):
                continue
            if not self.chance(fault, now, speaker=speaker, socket=socket):
                continue
            armed.applied = True
            if armed.left is not None:
                armed.left -= 1
                if not armed.left:
                    self._armed.remove(armed)
            self.applied(fault, now, speaker=speaker, event=event, socket=socket)
            return fault
        return None

    def chance(self, fault: Fault, now: float, *, speaker: str | None = None, socket: int = 0) -> bool:
        """Whether chance lets a fault apply this time; written down when it does not."""
        applies = fault.probability == 1 or self._rng.random() < fault.probability
        if not applies:
            self.skip(fault, now, SkipReason.CHANCE, speaker=speaker, socket=socket)
        return applies

    def applied(
        self, fault: Fault, now: float, *, speaker: str | None = None, event: str | None = None, socket: int = 0
    ) -> None:
        """Write down that a fault applied."""
        self._journal.note(Struck(fault=fault), now, socket=socket, speaker=speaker, event=event)

    def skip(
        self, fault: Fault, now: float, why: SkipReason, *, speaker: str | None = None, socket: int = 0
    ) -> None:
        """Write down that a fault did not apply, and why."""
        self._journal.note(Skipped(fault=fault, why=why), now, socket=socket, speaker=speaker)

    def forget(self, now: float, why: SkipReason, *, by: str | None = None) -> None:
        """Empty the box, or take out what one speaker's cues put there, and write down what never applied."""
        for armed in tuple(self._armed):
            if by is not None and armed.by != by:
                continue
            self._armed.remove(armed)
            if not armed.applied:
                self.skip(armed.fault, now, why, speaker=armed.fault.speaker)
