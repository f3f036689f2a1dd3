"""What a test does to a space while it lives."""

from __future__ import annotations

from ...model.fault import Fault, FaultKind, Takes
from .reach import Reach


class Acting(Reach):
    """The part of a space's handle that changes the space."""

    def advance(self, seconds: float) -> None:
        """Jump the space's clock, running everything that becomes due on the way, in order."""
        self._call(lambda: self._serving.world.advance(self._hosted, seconds))

    def inject(
        self,
        fault: Fault | FaultKind | str,
        value: float | str | None = None,
        *,
        count: int | None = 1,
        speaker: str | None = None,
        event: str | None = None,
        probability: float = 1.0,
    ) -> None:
        """Let something go wrong: at once where it can, else when its turn comes.

        Args:
            fault: a fault, or the name of its kind, such as `close` or `delay_events`.
            value: what the kind reads: a status, a close code, a text, or a duration in seconds.
            count: how often it applies; None for always.
            speaker: whose connection; anyone's by default.
            event: a shell pattern over the names of events.
            probability: how likely it is to apply each time its turn comes.

        Raises:
            ScenarioError: there is no such kind, or it does not take that value.
        """
        if not isinstance(fault, Fault):
            kind = FaultKind.named(fault)
            if kind.takes is Takes.DURATION and isinstance(value, int | float):
                value = round(value * 1000)
            fault = Fault(
                kind=kind,
                value=value,  # type: ignore[arg-type]  # the fault refuses what is none of its values
                count=count,
                speaker=speaker,
                event=event,
                probability=probability,
            )
        ready = fault
        self._call(lambda: self._serving.world.inject(self._hosted, ready))

    @property
    def faults(self) -> list[Fault]:
        """The faults that wait for their turn."""
        return self._call(lambda: list(self._hosted.space.faults))

    def clear_faults(self) -> None:
        """Forget the faults that wait for their turn."""
        self._call(lambda: self._hosted.space.faults.forget(self._hosted.clock.now(), "cleared"))
