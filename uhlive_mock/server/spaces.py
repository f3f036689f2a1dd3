"""All living spaces of one server, and how a caller finds its own.

A space is found by what unmodified clients already send: the client id of the token request, which becomes
the token's `azp`, which is the identifier in the topic. A client that belongs to no living space is refused, so a
straggler from a finished test reaches no other test.

**Unknown clients** belong to no living space: stragglers from one that has ended, and clients that never had one.
They are answered as the service answers any client it does not know, and written down here: never in the journal of
a space that has nothing to do with them. Which clients ended spaces had, and who came, is kept up to a bound.

What went wrong in the server itself is kept too: tracebacks of exceptions that no client and no test caused. Those
of a socket end that socket and are in its space's journal. The rest come here: from HTTP routes, and from callbacks
of the event loop, where they would not be seen otherwise.

Everything here runs on the server's event loop.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from ..auth.endpoint import TokenRequest, TokenResponse, claimed_client, claimed_grant
from ..auth.tokens import Reason, SigningKey, TokenIssuer, TokenRefused
from ..errors import ConfigurationError
from ..model.account import Account
from ..model.fault import Fault, Stage
from ..model.settings import SpaceSettings
from ..protocol.admission import NotAdmitted
from ..protocol.clock import Clock
from ..protocol.records import Defect, EndedBy, Login, Refused
from ..protocol.redaction import MASK, Redactor, mask_tokens
from ..protocol.space import Space
from ..verification.judge import JournalReader

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


REQUIRED_ROLES = frozenset({"read", "write"})

MOST_ERRORS = 100
"""How many internal errors are kept; the oldest go."""

LONGEST_TRACE = 20_000
"""Characters of one."""

logger = logging.getLogger("uhlive_mock")


def trace_of(error: BaseException) -> str:
    """The traceback of an exception, without tokens; the end of one that is too long."""
    return mask_tokens("".join(traceback.format_exception(error))[-LONGEST_TRACE:])


class InternalErrors:
    """The tracebacks so far."""

    def __init__(self) -> None:
        self._traces: deque[str] = deque(maxlen=MOST_ERRORS)

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._traces))

    def add(self, trace: str) -> None:
        """Keep one."""
        self._traces.append(trace)


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """The account that a token belongs to, and its space."""

    space: Space
    account: Account


class Spaces:
    """The living spaces and the realm's key.

    Args:
        refused_status: of a client's request for a socket that belongs to no living space.
        wall: Unix seconds.
        real: seconds of real time, from any start.
    """

    def __init__(
        self,
        *,
        realm: str = "uhlive",
        refused_status: int = 403,
        wall: Callable[[], float] = time.time,
        real: Callable[[], float] = time.monotonic,
    ) -> None:
        self.wall = wall
        self._real = real
        self.refused_status = refused_status
        # Token ids are unique, not secret, and no test depends on them.
        self.issuer = TokenIssuer(random.Random(), realm=realm, key=SigningKey())  # noqa: S311
        self.errors = InternalErrors()
        self.unknown = UnknownClients(wall)
        self._by_client: dict[str, Space] = {}
        self._sockets = 0

    # --- spaces ---

    def open(self, settings: SpaceSettings) -> Space:
        """A new space.

        Raises:
            ConfigurationError: one of its client ids belongs to a living space.
        """
        for account in settings.accounts:
            if account.client_id in self._by_client:
                raise ConfigurationError(f"client {account.client_id!r} already belongs to another space")
        clock = Clock(settings.clock, rate=settings.rate, real=self._real, wall=self.wall)
        space = Space(settings, clock)
        self._host(space)
        for client_id in space.accounts:
            self.unknown.lives(client_id)
        return space

    def reset(self, space: Space) -> None:
        """Put a fresh space in the place of one.

        Raises:
            ConfigurationError: the space has ended.
        """
        self._host(space.latest.reset())

    def close(self, space: Space) -> None:
        """End a space: its sockets are closed and its accounts unknown from now on. May be called again."""
        space = space.latest
        if space.over:
            return
        for client_id in space.accounts:
            self._by_client.pop(client_id, None)
        space.end()
        self.unknown.ended(space)

    def stopped(self) -> None:
        """The server serves no more: every client that is still connected is not."""
        for space in self.living():
            for socket in tuple(space.sockets):
                socket.finish(space.clock.now(), EndedBy.SERVER_STOPPED)
            space.sockets.clear()

    def living(self) -> list[Space]:
        """The spaces that have not ended, in the order they were opened."""
        return list(dict.fromkeys(self._by_client.values()))

    def _host(self, space: Space) -> None:
        self._by_client.update(dict.fromkeys(space.accounts, space))
        # From the beginning, so that a long journal drops nothing that was not read for the verdict.
        JournalReader.of(space)

    # --- callers ---

    def find_account(self, client_id: str) -> Account | None:
        """The account of a client id in any living space."""
        space = self._by_client.get(client_id)
        return space.accounts[client_id] if space else None

    def now_for(self, client_id: str) -> float:
        """The time of the space a client id belongs to; Unix time when it belongs to none."""
        space = self._by_client.get(client_id)
        return space.clock.now() if space else self.wall()

    def admit(self, token: str) -> Caller:
        """The account that a token belongs to, if it is good on the clock of its space.

        Raises:
            NotAdmitted: it proves nothing, has expired, lacks a role, or no living space has its account.
        """
        try:
            claims = self.issuer.read(token)
        except TokenRefused as refused:
            raise self._refused(str(refused)) from None
        space = self._by_client.get(claims.azp)
        if space is None:
            raise self._refused(self._unknown(claims.azp, Tried.SOCKET).why)
        if claims.expired(space.clock.now()):
            raise self._refused(str(TokenRefused(Reason.EXPIRED)), space)
        if space.behaviour.require_roles and REQUIRED_ROLES - set(claims.roles("stream-h2h")):
            raise self._refused("the token lacks the stream-h2h roles read and write", space)
        return Caller(space=space, account=space.accounts[claims.azp])

    def token_answered(self, request: TokenRequest, answer: TokenResponse) -> None:
        """Write down a request for a token: in the journal of the space it concerns, or as an unknown client's."""
        client_id = claimed_client(request)
        if client_id is None:
            return
        space = self._by_client.get(client_id)
        if space is None:
            why = self._unknown(client_id, Tried.TOKEN).why
            logger.warning("a request for a token was refused: %s", why)
            return
        grant = claimed_grant(request)
        error = None if answer.status == 200 else answer.body.get("error")
        space.journal.note(
            Login(grant=grant, status=answer.status, error=None if error is None else str(error)),
            space.clock.now(),
            payload={"grant_type": grant, "status": answer.status, "error": error},
        )

    def frame_came(self, client_id: str, space: Space) -> None:
        """A client sent something on a socket of a space that has ended, or was reset since."""
        straggler = self.unknown.sent(client_id, space)
        if straggler.count == 1:
            logger.warning("a frame was ignored: %s", straggler.why)

    def report_error(self, error: BaseException, client_id: str | None = None, space: Space | None = None) -> None:
        """Something went wrong in the server; in the journal too of the space it concerns, if that is known."""
        trace = trace_of(error)
        logger.error("a defect of uhlive-mock; please report it\n%s", trace)
        self.errors.add(trace)
        space = space or self._by_client.get(client_id or "")
        if space:
            space.journal.note(Defect(trace=trace), space.clock.now())

    def loop_failed(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """The exception handler of the event loop."""
        error, protocol = context.get("exception"), context.get("protocol")
        if isinstance(error, Exception):
            self.report_error(error, space=getattr(protocol, "space", None))
        else:
            loop.default_exception_handler(context)

    def _unknown(self, client_id: str, tried: Tried) -> UnknownClient:
        accounts = [account for space in self.living() for account in space.accounts.values()]
        return self.unknown.came(client_id, tried, accounts)

    def _refused(self, why: str, space: Space | None = None) -> NotAdmitted:
        """Write a refusal down: in the journal of the space it concerns, else in the log."""
        if space is None:
            logger.warning("a request for a socket was refused: %s", why)
            return NotAdmitted(why, self.refused_status)
        space.journal.note(Refused(why=why), space.clock.now())
        return NotAdmitted(why, space.behaviour.refused_status)

    # --- sockets ---

    def number(self) -> int:
        """A number for the next socket, counting from 1."""
        self._sockets += 1
        return self._sockets

    def token_fault(self, client_id: str | None) -> Fault | None:
        """The fault that the next token request of a client meets, if any."""
        space = self._by_client.get(client_id or "")
        return space.faults.take(Stage.TOKEN, space.clock.now()) if space else None

    def real_delay(self, client_id: str | None, delay_ms: int) -> float:
        """Real seconds that a delay takes on the clock of a client's space; unmoved by a clock that stands."""
        space = self._by_client.get(client_id or "")
        return delay_ms / 1000 / (space.clock.rate if space and space.clock.rate else 1.0)
