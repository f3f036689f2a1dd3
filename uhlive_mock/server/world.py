"""All living spaces of one server, and how a caller finds its own.

A space is found by what unmodified clients already send: the client id of the token request, which becomes
the token's `azp`, which is the identifier in the topic. Whoever belongs to no living space is refused, so a
straggler from a finished test reaches nobody; `Strays` remembers where it came from.

Everything here runs on the server's event loop.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from typing import Any

import msgspec

from ..auth.endpoint import TokenRequest, TokenResponse, claimed_client, claimed_grant
from ..auth.tokens import Reason, SigningKey, TokenIssuer, TokenRefused
from ..errors import ConfigurationError
from ..model.account import Account
from ..model.fault import Fault, Stage
from ..protocol.admission import NotAdmitted
from ..protocol.records import Defect, EndedBy, Login, Refused
from ..protocol.space import Space
from .clock import Clock
from .defects import Defects, trace_of
from .hosted import HostedSpace as HostedSpace
from .hosted import Life, Socket
from .strays import Stray, Strays, Tried
from .websocket import text_frame

REQUIRED_ROLES = frozenset({"read", "write"})


logger = logging.getLogger("uhlive_mock")


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a token belongs to."""

    life: Life
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
        self.defects = Defects()
        self.strays = Strays(wall)
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
        hosted = HostedSpace(space, clock, self.settle)
        self._by_client.update(dict.fromkeys(space.accounts, hosted))
        for client_id in space.accounts:
            self.strays.lives(client_id)
        return hosted

    def remove(self, hosted: HostedSpace) -> None:
        """End a space: its sockets are closed and its accounts unknown from now on. May be called again."""
        if hosted.over:
            return
        for client_id in hosted.space.accounts:
            self._by_client.pop(client_id, None)
        hosted.end(self.wall())
        self.strays.ended(hosted.life)

    def stopped(self) -> None:
        """The server serves no more: whoever is still connected is not."""
        for hosted in self.living():
            for socket in tuple(hosted.sockets):
                socket.finish(hosted.clock.now(), EndedBy.SERVER_STOPPED)
            hosted.sockets.clear()

    def living(self) -> list[HostedSpace]:
        """The spaces that have not ended, in the order they were added."""
        return list(dict.fromkeys(self._by_client.values()))

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
            raise self._refused(self._stray(claims.azp, Tried.SOCKET).why)
        if claims.expired(hosted.clock.now()):
            raise self._refused(str(TokenRefused(Reason.EXPIRED)), hosted)
        if hosted.space.behaviour.require_roles and REQUIRED_ROLES - set(claims.roles("stream-h2h")):
            raise self._refused("the token lacks the stream-h2h roles read and write", hosted)
        return Caller(life=hosted.life, account=hosted.space.accounts[claims.azp])

    def token_answered(self, request: TokenRequest, answer: TokenResponse) -> None:
        """Write down a request for a token: in the journal of the space it concerns, or as a stray's."""
        client_id = claimed_client(request)
        if client_id is None:
            return
        hosted = self._by_client.get(client_id)
        if hosted is None:
            why = self._stray(client_id, Tried.TOKEN).why
            logger.warning("a request for a token was refused: %s", why)
            return
        grant = claimed_grant(request)
        error = None if answer.status == 200 else answer.body.get("error")
        hosted.space.journal.note(
            Login(grant=grant, status=answer.status, error=None if error is None else str(error)),
            hosted.clock.now(),
            payload={"grant_type": grant, "status": answer.status, "error": error},
        )

    def frame_came(self, client_id: str, life: Life) -> None:
        """A client sent something on a socket of a life that is over."""
        stray = self.strays.sent(client_id, life)
        if stray.count == 1:
            logger.warning("a frame was ignored: %s", stray.why)

    def defect(self, error: BaseException, client_id: str | None = None, life: Life | None = None) -> None:
        """Something went wrong in the server; in the journal too of the space it concerns, if that is known."""
        trace = trace_of(error)
        logger.error("a defect of uhlive-mock; please report it\n%s", trace)
        self.defects.add(trace)
        hosted = self._by_client.get(client_id or "")
        life = life or (hosted.life if hosted else None)
        if life:
            life.space.journal.note(Defect(trace=trace), life.clock.now())

    def loop_failed(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """The exception handler of the event loop."""
        error, protocol = context.get("exception"), context.get("protocol")
        if isinstance(error, Exception):
            self.defect(error, life=getattr(protocol, "life", None))
        else:
            loop.default_exception_handler(context)

    def _stray(self, client_id: str, tried: Tried) -> Stray:
        accounts = [account for hosted in self.living() for account in hosted.space.accounts.values()]
        return self.strays.came(client_id, tried, accounts)

    def _refused(self, why: str, hosted: HostedSpace | None = None) -> NotAdmitted:
        """Write a refusal down: in the journal of the space it concerns, else in the log."""
        if hosted is None:
            logger.warning("a request for a socket was refused: %s", why)
            return NotAdmitted(why, self.refused_status)
        hosted.space.journal.note(Refused(why=why), hosted.clock.now())
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

    def token_fault(self, client_id: str | None) -> Fault | None:
        """The fault that the next token request of a client meets, if any."""
        hosted = self._by_client.get(client_id or "")
        return hosted.space.faults.take(Stage.TOKEN, hosted.clock.now()) if hosted else None

    def real_delay(self, client_id: str | None, delay_ms: int) -> float:
        """Real seconds that a delay takes on the clock of a client's space; unmoved by a clock that stands."""
        hosted = self._by_client.get(client_id or "")
        return delay_ms / 1000 / (hosted.clock.rate if hosted and hosted.clock.rate else 1.0)
