"""What a test does to a space while it lives."""

from __future__ import annotations

from collections.abc import Iterable

from ...errors import ConfigurationError
from ...model.fault import Fault, FaultKind, Takes
from ...model.scenario import RawEvent
from ...protocol.records import SkipReason
from ...scenarios.events import LiveEvent, Pushed
from ..making import ScenarioSource, scenarios_of
from .reach import Reach


class Acting(Reach):
    """The part of a space's handle that changes the space."""

    def advance(self, seconds: float) -> None:
        """Jump the space's clock, running everything that becomes due on the way, in order."""
        self._call(lambda: self._hosted.advance(seconds))

    def push(self, conversation: str, *events: Pushed) -> None:
        """Tell everyone who is in a conversation, in the order given, as if the service had recognised it.

        Args:
            conversation: its id.
            events: what `segment`, `entity`, `event` and their like return.

        Raises:
            ConfigurationError: nobody is in that conversation.
        """
        for pushed in events:
            if not isinstance(pushed, LiveEvent | RawEvent):
                raise ConfigurationError(
                    f"an event to push is a {type(pushed).__name__}; expected segment(...), event(...) or the like"
                )
        self._call(lambda: self._hosted.push(conversation, events))

    def drop(self, speaker: str, conversation: str | None = None) -> None:
        """Make a speaker leave: it gets `phx_close`, and everyone hears its `speaker_left`. A ghost just leaves.

        Args:
            speaker: its name; an observer's is one too.
            conversation: the id of the conversation; every one the speaker is in by default.

        Raises:
            ConfigurationError: nobody of that name is there.
        """
        self._call(lambda: self._hosted.drop(speaker, conversation))

    @property
    def scenarios(self) -> list[str]:
        """The names of the scenarios that whoever joins now may get."""
        return self._call(lambda: [scenario.name for scenario in self._hosted.space.scenarios])

    def replace_scenario(self, scenario: ScenarioSource | Iterable[ScenarioSource]) -> None:
        """Give whoever joins from now on another scenario, or the path of its document, or several.

        Who has joined keeps its script and its limits. Ghosts come with the first who joins a conversation.

        Raises:
            ScenarioError: a document cannot be used.
        """
        scenarios = scenarios_of(scenario)
        self._call(lambda: self._hosted.replace_scenarios(scenarios))

    def reset(self) -> None:
        """Make the space as new: same accounts, scenario, seed and kind of clock, and nothing has happened yet.

        Its sockets are closed; its journal, recordings and faults are gone, also for handles that exist already.
        A file that the journal is written to goes on, and its indices begin at 0 again.

        Raises:
            ConfigurationError: the space was closed.
        """
        wall = self._serving.world.wall
        self._call(lambda: self._hosted.reset(wall()))

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
        self._call(lambda: self._hosted.inject(ready))

    @property
    def faults(self) -> list[Fault]:
        """The faults that wait for their turn."""
        return self._call(lambda: list(self._hosted.space.faults))

    def clear_faults(self) -> None:
        """Forget the faults that wait for their turn."""
        self._call(lambda: self._hosted.space.faults.forget(self._hosted.clock.now(), SkipReason.CLEARED))
