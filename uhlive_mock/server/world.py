"""All living spaces of one server, and how a caller finds its own.

A space is found by what unmodified clients already send: the client id of the token request, which becomes
the token's `azp`, which is the identifier in the topic. A token whose `azp` belongs to no living space is
refused, so a straggler from a finished test reaches nobody.

Everything here runs on the server's event loop.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from typing import Protocol

import msgspec

from ..errors import ConfigurationError
from ..model.account import Account
from ..model.fault import Fault, Stage
from ..protocol.handshake import NotAdmitted
from ..protocol.journal import Kind
from ..protocol.signing import Reason, SigningKey, TokenRefused
from ..protocol.space import Space
from ..protocol.token import TokenIssuer
from .clock import Clock
from .frames import text_frame

REQUIRED_ROLES = frozenset({"read", "write"})


logger = logging.getLogger("uhlive_mock")


class Socket(Protocol):
    """A connection, as far as the world needs it."""

    def shutdown(self) -> None:
        """Close the connection, as a server that goes away does."""

    def carry_out(self) -> None:
        """Drain the session's effects and arm its timer."""

    def tick(self, now: float) -> None:
        """Run what is due at `now`."""

    def strike(self, fault: Fault, now: float) -> bool:
        """A fault from outside. False when it is meant for nobody here."""

    def next_deadline(self) -> float | None:
        """When the session next needs a tick, on the space's clock."""

    def rearm(self) -> None:
        """Set the timer anew: the clock jumped."""


class HostedSpace:
    """A space with its clock and its open sockets."""

    def __init__(self, space: Space, clock: Clock) -> None:
        self.space = space
        self.clock = clock
        self.sockets: dict[Socket, None] = {}

    @property
    def account(self) -> Account:
        """The (first) account of the space."""
        return next(iter(self.space.accounts.values()))


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a token belongs to."""

    hosted: HostedSpace
    account: Account


class World:
    """The living spaces, the realm's key, and the sockets that have something to do."""

    def __init__(
        self, *, realm: str = "uhlive", refused_status: int = 403, wall: Callable[[], float] = time.time
    ) -> None:
        self.wall = wall
        self.refused_status = refused_status
        # Token ids are unique, not secret, and no test depends on them.
        self.issuer = TokenIssuer(random.Random(), realm=realm, key=SigningKey())  # noqa: S311
        self._by_client: dict[str, HostedSpace] = {}
        self._awake: dict[Socket, None] = {}
        self._written: dict[str, bytes] = {}
        self._sockets = 0

    # --- spaces ---

    def add(self, space: Space, clock: Clock) -> HostedSpace:
        """Bring a space to life.

        Raises:
            ConfigurationError: one of its client ids belongs to a living space.
        """
        for client_id in space.accounts:
            if client_id in self._by_client:
                raise ConfigurationError(f"client {client_id!r} already belongs to another space")
        hosted = HostedSpace(space, clock)
        self._by_client.update(dict.fromkeys(space.accounts, hosted))
        return hosted

    def remove(self, hosted: HostedSpace) -> None:
        """End a space: its sockets are closed and its accounts unknown from now on. May be called again."""
        hosted.space.faults.forget(hosted.clock.now(), "its turn never came")
        for client_id in hosted.space.accounts:
            self._by_client.pop(client_id, None)
        for socket in tuple(hosted.sockets):
            socket.shutdown()

    def find_account(self, client_id: str) -> Account | None:
        """The account of a client id in any living space."""
        hosted = self._by_client.get(client_id)
        return hosted.space.accounts[client_id] if hosted else None

    def now_for(self, client_id: str) -> float:
        """The time of the space a client id belongs to; Unix time when it belongs to none."""
        hosted = self._by_client.get(client_id)
        return hosted.clock.now() if hosted else self.wall()

    def admit(self, token: str) -> Caller:
        """Whom a token belongs to, if it is good on the clock of that space.

        Raises:
            NotAdmitted: it proves nothing, has expired, lacks a role, or no living space has its account.
        """
        try:
            claims = self.issuer.read(token)
        except TokenRefused as refused:
            raise self._refused(str(refused)) from None
        hosted = self._by_client.get(claims.azp)
        if hosted is None:
            raise self._refused("the token belongs to no account of this server")
        if claims.expired(hosted.clock.now()):
            raise self._refused(str(TokenRefused(Reason.EXPIRED)), hosted)
        if hosted.space.behaviour.require_roles and REQUIRED_ROLES - set(claims.roles("stream-h2h")):
            raise self._refused("the token lacks the stream-h2h roles read and write", hosted)
        return Caller(hosted=hosted, account=hosted.space.accounts[claims.azp])

    def _refused(self, why: str, hosted: HostedSpace | None = None) -> NotAdmitted:
        """Write a refusal down: in the journal of the space it concerns, else in the log."""
        if hosted is None:
            logger.warning("a request for a socket was refused: %s", why)
            return NotAdmitted(why, self.refused_status)
        hosted.space.journal.record(Kind.REFUSED, hosted.clock.now(), note=why)
        return NotAdmitted(why, hosted.space.behaviour.refused_status)

    # --- sockets ---

    def number(self) -> int:
        """A number for the next socket, counting from 1."""
        self._sockets += 1
        return self._sockets

    def wake(self, socket: Socket) -> None:
        """Note that a socket has effects to carry out."""
        self._awake[socket] = None

    def settle(self) -> None:
        """Carry out every effect of every socket; the end of each callback."""
        while self._awake:
            socket = next(iter(self._awake))
            del self._awake[socket]
            socket.carry_out()
        self._written.clear()

    def frame(self, text: str) -> bytes:
        """The frame of a text. One object for all who get the text now, however long each keeps it queued."""
        frame = self._written.get(text)
        if frame is None:
            frame = self._written[text] = text_frame(text)
        return frame

    def inject(self, hosted: HostedSpace, fault: Fault) -> None:
        """Let something go wrong in a space: at once where it can, else when its turn comes.

        What strikes sockets strikes as many as it counts, in the order they were opened; what is left of the
        count waits for those to come.
        """
        now = hosted.clock.now()
        left = fault.count
        if fault.kind.stage in (Stage.CHANNEL, Stage.SOCKET):
            for socket in tuple(hosted.sockets):
                if left != 0 and socket.strike(fault, now) and left is not None:
                    left -= 1
        if left != 0:
            hosted.space.faults.arm(msgspec.structs.replace(fault, count=left))
        self.settle()

    def token_fault(self, client_id: str | None) -> Fault | None:
        """The fault that the next token request of a client meets, if any."""
        hosted = self._by_client.get(client_id or "")
        return hosted.space.faults.take(Stage.TOKEN, hosted.clock.now()) if hosted else None

    def real_delay(self, client_id: str | None, delay_ms: int) -> float:
        """Real seconds that a delay takes on the clock of a client's space; unmoved by a clock that stands."""
        hosted = self._by_client.get(client_id or "")
        return delay_ms / 1000 / (hosted.clock.rate if hosted and hosted.clock.rate else 1.0)

    def advance(self, hosted: HostedSpace, seconds: float) -> None:
        """Jump a space's clock, stopping at each deadline on the way, in order."""
        if not 0 <= seconds < float("inf"):
            raise ConfigurationError(f"advance takes a number of seconds, 0 or more; found {seconds}")
        target = hosted.clock.now() + seconds
        while True:
            due = [
                (deadline, socket)
                for socket in hosted.sockets
                if (deadline := socket.next_deadline()) is not None and deadline <= target
            ]
            if not due:
                break
            deadline, socket = min(due, key=lambda pair: pair[0])
            hosted.clock.advance(max(0.0, deadline - hosted.clock.now()))
            socket.tick(max(deadline, hosted.clock.now()))
            self.settle()
        hosted.clock.advance(max(0.0, target - hosted.clock.now()))
        self.settle()
        for socket in hosted.sockets:
            socket.rearm()
