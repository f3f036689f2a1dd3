"""Operations that change a living space: time, what is said, what goes wrong."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

import msgspec
from msgspec import Meta

from ..errors import ConfigurationError
from ..model.fault import Fault, FaultKind, Takes
from ..server.handles import SpaceHandle
from .operation import Asked, NoQuery, Operation, operation
from .pushing import AnyPushed, event_of
from .reading import json_body
from .refusals import Refused

LONGEST_ADVANCE_S = 7 * 86_400
LONGEST_FAULT_S = 86_400

_UNUSABLE = HTTPStatus.UNPROCESSABLE_ENTITY


class Advance(msgspec.Struct, frozen=True, kw_only=True):
    """How far to move the clock."""

    seconds: Annotated[float, Meta(ge=0, le=LONGEST_ADVANCE_S)]


class Now(msgspec.Struct, frozen=True, kw_only=True):
    """The time of the space's clock, in Unix seconds."""

    now: float


class FaultFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A fault: what goes wrong, how often, whose and which events.

    `value` is what the kind reads: a status, a close code, a text, or a duration in seconds. `count` is null for
    a fault that always applies. `event` is a shell pattern over the names of events.
    """

    kind: FaultKind
    value: Annotated[float, Meta(ge=0, le=LONGEST_FAULT_S)] | str | None = None
    count: Annotated[int, Meta(ge=1, le=2**31)] | None = 1
    speaker: Annotated[str, Meta(min_length=1)] | None = None
    event: Annotated[str, Meta(min_length=1)] | None = None
    probability: Annotated[float, Meta(gt=0, le=1)] = 1.0


class FaultList(msgspec.Struct, frozen=True, kw_only=True):
    """The faults that wait for their turn."""

    faults: list[FaultFacts]


class Push(msgspec.Struct, frozen=True, kw_only=True):
    """Events for everyone who is in a conversation, in order."""

    conversation: str
    events: Annotated[list[AnyPushed], Meta(min_length=1, max_length=1000)]


class NewToken(msgspec.Struct, frozen=True, kw_only=True):
    """How long a token lives, in seconds of the space's clock; 0 for one that has expired."""

    expires_in: Annotated[int, Meta(ge=0, le=2**31)] = 300


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A token of the space's account."""

    access_token: str
    token_type: str
    expires_in: int


async def _advance(asked: Asked[NoQuery, Advance]) -> Now:
    hosted = asked.hosted
    asked.space.advance(asked.body.seconds)
    return Now(now=hosted.clock.now())


async def _push(asked: Asked[NoQuery, Push]) -> None:
    events = [event_of(pushed) for pushed in asked.body.events]
    try:
        asked.space.push(asked.body.conversation, *events)
    except ConfigurationError as error:
        raise Refused(HTTPStatus.CONFLICT, str(error)) from None


async def _faults(asked: Asked[NoQuery, None]) -> FaultList:
    return _waiting(asked.space)


def _waiting(space: SpaceHandle) -> FaultList:
    return FaultList(faults=[_facts(fault) for fault in space.faults])


def _facts(fault: Fault) -> FaultFacts:
    value = fault.value
    return FaultFacts(
        kind=fault.kind,
        value=value / 1000 if fault.kind.takes is Takes.DURATION and isinstance(value, int) else value,
        count=fault.count,
        speaker=fault.speaker,
        event=fault.event,
        probability=fault.probability,
    )


async def _inject(asked: Asked[NoQuery, FaultFacts]) -> FaultList:
    body = asked.body
    value = body.value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    asked.space.inject(
        body.kind, value, count=body.count, speaker=body.speaker, event=body.event, probability=body.probability
    )
    return _waiting(asked.space)


async def _clear(asked: Asked[NoQuery, None]) -> None:
    asked.space.clear_faults()


async def _token(asked: Asked[NoQuery, NewToken]) -> Token:
    expires_in = asked.body.expires_in
    return Token(
        access_token=asked.space.issue_token(expires_in=expires_in),
        token_type="Bearer",  # noqa: S106
        expires_in=expires_in,
    )


async def _reset(asked: Asked[NoQuery, None]) -> None:
    asked.space.reset()


_SPACE = "/_mock/spaces/{space}"
_FAULTS = f"{_SPACE}/faults"

OPERATIONS: tuple[Operation, ...] = (
    operation(
        "POST",
        f"{_SPACE}/advance",
        "Move the space's clock, running everything that becomes due on the way, in order.",
        _advance,
        body=json_body(Advance),
        answers=Now,
    ),
    operation(
        "POST",
        f"{_SPACE}/push",
        "Tell everyone in a conversation, as if the service had recognised it.",
        _push,
        body=json_body(Push),
        refuses={
            HTTPStatus.CONFLICT: "Nobody is in that conversation.",
            _UNUSABLE: "No scenario could say it either.",
        },
    ),
    operation("GET", _FAULTS, "The faults that wait for their turn.", _faults, answers=FaultList),
    operation(
        "POST",
        _FAULTS,
        "Let something go wrong: at once where it can, else when its turn comes. Answers with those that wait.",
        _inject,
        body=json_body(FaultFacts),
        answers=FaultList,
        refuses={_UNUSABLE: "The kind does not take that value, or its reach makes no sense."},
    ),
    operation("DELETE", _FAULTS, "Forget the faults that wait for their turn.", _clear),
    operation(
        "POST",
        f"{_SPACE}/tokens",
        "A token of the space's account, without the token endpoint.",
        _token,
        body=json_body(NewToken),
        answers=Token,
    ),
    operation("POST", f"{_SPACE}/reset", "Make the space as new, with the same account.", _reset),
)
