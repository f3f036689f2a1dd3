"""A space that a server hosts: its lives, one after the other, and what is done to the one it has.

A life is a space with its clock and its open sockets. A reset ends it and begins another; nothing is cleared,
for sockets that go on a while belong to the life they were opened in, and so does what they still do.

Everything here runs on the server's event loop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

import msgspec

from ..errors import ConfigurationError
from ..model.account import Account
from ..model.fault import Fault, Stage
from ..model.scenario import Scenario
from ..protocol.live import drop, push
from ..protocol.records import EndedBy, SkipReason
from ..protocol.space import Space
from ..scenarios.events import Pushed
from ..verification.judge import Terms
from ..verification.reading import Reading
from .clock import Clock


class Socket(Protocol):
    """A connection, as far as its space needs it."""

    def shutdown(self) -> None:
        """Close the connection, as a server that goes away does."""

    def finish(self, now: float, by: EndedBy) -> None:
        """The space is over, and so is the session."""

    def carry_out(self) -> None:
        """Drain the session's effects and arm its timer."""

    def tick(self, now: float) -> None:
        """Run what is due at `now`."""

    def in_flight(self) -> bool:
        """Whether the client has sent what is not read yet, or the connection is about to end."""

    def strike(self, fault: Fault, now: float) -> bool:
        """A fault from outside. False when it is meant for nobody here."""

    def next_deadline(self) -> float | None:
        """When the session next needs a tick, on the space's clock."""

    def rearm(self) -> None:
        """Set the timer anew: the clock jumped."""


class Life:
    """A space from its making, or its last reset, to its end."""

    def __init__(self, space: Space, clock: Clock) -> None:
        self.space = space
        self.clock = clock
        self.sockets: dict[Socket, None] = {}
        self.ended_at: float | None = None
        """When it ended, in Unix seconds."""
        # From the beginning, so that a long journal drops nothing that was not read for the verdict.
        Reading.of(space)

    def end(self, wall: float, by: EndedBy) -> None:
        """Close every socket and forget what waits for its turn."""
        self.ended_at = wall
        now = self.clock.now()
        for socket in tuple(self.sockets):
            socket.shutdown()
        for socket in tuple(self.sockets):
            socket.finish(now, by)
        self.sockets.clear()
        self.space.faults.forget(now, SkipReason.NO_TURN)


class HostedSpace:
    """A space of a server.

    Args:
        settle: carries out what sockets have to do, at the end of whatever happens to them.
    """

    def __init__(self, space: Space, clock: Clock, settle: Callable[[], None] = lambda: None) -> None:
        self.life = Life(space, clock)
        self.terms = Terms()
        """How its client is judged, whatever its life."""
        self._settle = settle
        self._watchers: list[Callable[[], None]] = []

    @property
    def space(self) -> Space:
        """The space as it is, new after a reset."""
        return self.life.space

    @property
    def clock(self) -> Clock:
        """Its clock."""
        return self.life.clock

    @property
    def sockets(self) -> dict[Socket, None]:
        """Its open sockets, in the order they were opened."""
        return self.life.sockets

    @property
    def account(self) -> Account:
        """The (first) account of the space."""
        return next(iter(self.space.accounts.values()))

    @property
    def over(self) -> bool:
        """Whether the space was ended."""
        return self.life.ended_at is not None

    def when_over(self, watcher: Callable[[], None]) -> Callable[[], None]:
        """Call `watcher` when the space ends. Returns what takes that back."""
        self._watchers.append(watcher)
        return lambda: self._watchers.remove(watcher)

    def end(self, wall: float) -> None:
        """End the space, at `wall` in Unix seconds."""
        self.life.end(wall, EndedBy.SPACE_CLOSED)
        self._settle()
        for watcher in tuple(self._watchers):
            watcher()

    def reset(self, wall: float) -> None:
        """Begin anew, as the space was made; its clock shows real time again.

        Raises:
            ConfigurationError: the space has ended.
        """
        old = self.life
        if self.over:
            raise ConfigurationError(f"the space {old.space.name!r} has ended; a reset needs one that lives")
        old.end(wall, EndedBy.SPACE_RESET)
        self.life = Life(old.space.anew(), old.clock.anew())
        self._settle()

    def push(self, conversation: str, events: Iterable[Pushed]) -> None:
        """Tell everyone in the live conversation of that id or topic.

        Raises:
            ConfigurationError: nobody is in it.
        """
        push(self.space, conversation, events, self.clock.now())
        self._settle()

    def drop(self, speaker: str, conversation: str | None = None) -> None:
        """Make a speaker leave that conversation, or every one it is in.

        Raises:
            ConfigurationError: nobody of that name is there.
        """
        drop(self.space, speaker, self.clock.now(), conversation)
        self._settle()

    def replace_scenarios(self, scenarios: Iterable[Scenario]) -> None:
        """Give whoever joins from now on the script of one of these."""
        self.space.scenarios = tuple(scenarios)

    def inject(self, fault: Fault) -> None:
        """Let something go wrong: at once where it can, else when its turn comes.

        What strikes sockets strikes as many as it counts, in the order they were opened; what is left of the
        count waits for those to come.
        """
        now = self.clock.now()
        left = fault.count
        if fault.kind.stage in (Stage.CHANNEL, Stage.SOCKET):
            for socket in tuple(self.sockets):
                if left != 0 and socket.strike(fault, now) and left is not None:
                    left -= 1
        if left != 0:
            self.space.faults.arm(msgspec.structs.replace(fault, count=left))
        self._settle()

    def advance(self, seconds: float) -> None:
        """Jump the clock, stopping at each deadline on the way, in order.

        Raises:
            ConfigurationError: `seconds` is negative or not finite.
        """
        if not isinstance(seconds, int | float) or not 0 <= seconds < float("inf"):
            raise ConfigurationError(f"advance takes a number of seconds, 0 or more; found {seconds!r}")
        clock = self.clock
        target = clock.now() + seconds
        while True:
            due = [
                (deadline, socket)
                for socket in self.sockets
                if (deadline := socket.next_deadline()) is not None and deadline <= target
            ]
            if not due:
                break
            deadline, socket = min(due, key=lambda pair: pair[0])
            clock.advance(max(0.0, deadline - clock.now()))
            socket.tick(max(deadline, clock.now()))
            self._settle()
        clock.advance(max(0.0, target - clock.now()))
        self._settle()
        for socket in self.sockets:
            socket.rearm()
