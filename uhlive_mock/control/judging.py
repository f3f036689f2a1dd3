"""Operations that judge a space: what a test claims, what speaks against it, what happened when."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from ..verification.rules import Problem, Violation
from .journal import LONGEST_WAIT_S
from .operation import Asked, B, NoQuery, Operation, Q, Reply, operation
from .reading import json_body
from .refusals import Refused
from .waiting import wait_until

LARGEST_WAV = 64 * 1024 * 1024
"""Bytes of a body with a WAV file in base64: that of 50 minutes."""

_BASE64 = "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"
_BETWEEN_LOOKS_S = 0.02
_TEXT = "text/plain"
_UNUSABLE = HTTPStatus.UNPROCESSABLE_ENTITY

_Timeout = Annotated[
    float, Meta(ge=0, le=LONGEST_WAIT_S, description="Seconds of real time in which it may still come true.")
]


class SentClaim(msgspec.Struct, frozen=True, kw_only=True):
    """The client sent such a message, at least once or exactly `times`; its payload has at least `payload`."""

    event: str
    speaker: str | None = None
    conversation: str | None = None
    payload: object = None
    times: Annotated[int, Meta(ge=1)] | None = None
    timeout: _Timeout = 0.0


class NotSentClaim(msgspec.Struct, frozen=True, kw_only=True):
    """The client has sent no such message so far."""

    event: str
    speaker: str | None = None
    conversation: str | None = None
    payload: object = None


class TranscriptClaim(msgspec.Struct, frozen=True, kw_only=True):
    """The server delivered exactly this transcript; null for whatever kind, speaker, or receiver."""

    text: str
    speaker: str | None = None
    conversation: str | None = None
    to: str | None = None
    kind: Literal["segment", "interim", "normalized"] | None = "segment"
    timeout: _Timeout = 0.0


class AudioClaim(msgspec.Struct, frozen=True, kw_only=True):
    """The audio of a speaker's latest stay is that of a WAV file, or of bare 16-bit samples, in base64.

    Samples may be off by `tolerance`, of 32768.
    """

    wav: Annotated[bytes, Meta(extra_json_schema={"pattern": _BASE64})]
    speaker: str
    conversation: str | None = None
    tolerance: Annotated[int, Meta(ge=0, le=65_536)] = 0


class Holds(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a claim holds; the message says what came nearest when it does not."""

    holds: bool
    message: str


class Allowance(msgspec.Struct, frozen=True, kw_only=True):
    """The rules that may be broken from now on."""

    rules: list[str]


class VerdictQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which verdict."""

    at_end: Annotated[bool, Meta(description="Whether nothing more is to come.")] = False


class TimelineQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Of what."""

    conversation: Annotated[str, Meta(description="The only conversation to show.")] | UnsetType = UNSET


class ViolationList(msgspec.Struct, frozen=True, kw_only=True):
    """What the client did wrong so far."""

    violations: list[Violation]


class VerdictFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a strict test passes, and everything that speaks against it, worst first."""

    ok: bool
    problems: list[Problem]


async def _claim(asked: Asked[Q, B], claim: Callable[[], object], timeout: float = 0.0) -> Holds:
    """Whether a claim, which raises when it does not hold, holds now or within `timeout` seconds."""

    def why_not() -> str | None:
        try:
            claim()
        except AssertionError as error:
            return str(error)
        return None

    def look() -> bool | None:
        return True if why_not() is None else None

    if timeout:
        await wait_until(look, asked, timeout=timeout, pause=_BETWEEN_LOOKS_S)
    message = why_not()
    return Holds(holds=message is None, message=message or "")


async def _sent(asked: Asked[NoQuery, SentClaim]) -> Holds:
    body, space = asked.body, asked.space

    def claim() -> object:
        return space.assert_sent(
            body.event,
            speaker=body.speaker,
            conversation=body.conversation,
            payload=body.payload,
            times=body.times,
        )

    return await _claim(asked, claim, body.timeout)


async def _not_sent(asked: Asked[NoQuery, NotSentClaim]) -> Holds:
    body, space = asked.body, asked.space

    def claim() -> None:
        space.assert_not_sent(
            body.event, speaker=body.speaker, conversation=body.conversation, payload=body.payload
        )

    return await _claim(asked, claim)


async def _transcript(asked: Asked[NoQuery, TranscriptClaim]) -> Holds:
    body, space = asked.body, asked.space

    def claim() -> object:
        return space.assert_transcript_delivered(
            body.text, speaker=body.speaker, conversation=body.conversation, to=body.to, kind=body.kind
        )

    return await _claim(asked, claim, body.timeout)


async def _audio(asked: Asked[NoQuery, AudioClaim]) -> Holds:
    body, space = asked.body, asked.space

    def compare() -> Holds:
        try:
            space.assert_audio_equals(
                body.wav, speaker=body.speaker, conversation=body.conversation, tolerance=body.tolerance
            )
        except AssertionError as error:
            return Holds(holds=False, message=str(error))
        return Holds(holds=True, message="")

    return await asyncio.to_thread(compare)


async def _violations(asked: Asked[NoQuery, None]) -> ViolationList:
    space = asked.space
    await asyncio.to_thread(space.settle)
    return ViolationList(violations=list(space.violations))


async def _verdict(asked: Asked[VerdictQuery, None]) -> VerdictFacts:
    space = asked.space
    await asyncio.to_thread(space.settle)
    verdict = space.verdict(at_end=asked.query.at_end)
    return VerdictFacts(ok=verdict.ok, problems=list(verdict.problems))


async def _timeline(asked: Asked[TimelineQuery, None]) -> Reply:
    chosen = asked.query.conversation
    text = asked.space.timeline(None if isinstance(chosen, UnsetType) else chosen)
    return Reply(content=text.encode(), media=f"{_TEXT}; charset=utf-8")


async def _allow(asked: Asked[NoQuery, Allowance]) -> None:
    asked.space.allow(*asked.body.rules)


async def _expect_nothing(asked: Asked[NoQuery, None]) -> None:
    try:
        asked.space.expect_nothing()
    except AssertionError as error:
        raise Refused(HTTPStatus.CONFLICT, str(error)) from None


_SPACE = "/_mock/spaces/{space}"
_UNREADABLE = {_UNUSABLE: "The claim cannot be looked at, such as one about a sound that is no WAV file."}

OPERATIONS: tuple[Operation, ...] = (
    operation(
        "GET", f"{_SPACE}/violations", "What the client did wrong so far.", _violations, answers=ViolationList
    ),
    operation(
        "GET",
        f"{_SPACE}/verdict",
        "Whether a strict test passes, and everything that speaks against it.",
        _verdict,
        query=VerdictQuery,
        answers=VerdictFacts,
    ),
    operation(
        "GET",
        f"{_SPACE}/timeline",
        "What was expected beside what happened, on the audio axis of each speaker.",
        _timeline,
        query=TimelineQuery,
        answers={_TEXT: "Two columns of text."},
    ),
    operation(
        "POST", f"{_SPACE}/assert/sent", "The client sent it.", _sent, body=json_body(SentClaim), answers=Holds
    ),
    operation(
        "POST",
        f"{_SPACE}/assert/not_sent",
        "The client did not send it.",
        _not_sent,
        body=json_body(NotSentClaim),
        answers=Holds,
    ),
    operation(
        "POST",
        f"{_SPACE}/assert/transcript_delivered",
        "The server delivered exactly this transcript.",
        _transcript,
        body=json_body(TranscriptClaim),
        answers=Holds,
    ),
    operation(
        "POST",
        f"{_SPACE}/assert/audio_equals",
        "A speaker's audio is that of a WAV file.",
        _audio,
        body=json_body(AudioClaim, largest=LARGEST_WAV),
        answers=Holds,
        refuses=_UNREADABLE,
    ),
    operation(
        "POST",
        f"{_SPACE}/allow",
        "Leave the violations of some rules out of the verdict.",
        _allow,
        body=json_body(Allowance),
        refuses={_UNUSABLE: "There is no such rule."},
    ),
    operation(
        "POST",
        f"{_SPACE}/expect_nothing",
        "The client is to leave the service alone: no token, no socket, no message, from now on either.",
        _expect_nothing,
        refuses={HTTPStatus.CONFLICT: "It did not so far."},
    ),
)
