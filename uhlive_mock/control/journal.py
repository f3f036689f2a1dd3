"""Operations on what happened in a space: its journal, waiting for it, claims about it, the verdict on it.

A wait ends with the first of: what it waits for, its timeout, the end of the space, the end of the server, the
caller going away. It takes no thread, so as many may wait at once as there are sockets.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType
from starlette.requests import Request

from ..protocol.journal import Entry, Kind, Line, to_line
from ..protocol.space import Space
from ..verification.messages import Sought, why_not_come
from ..verification.rules import Problem, Violation
from .operation import SPACE, Answer, Call, Refused, json_body, operation

T = TypeVar("T")

JSON_LINES = "application/jsonl"
LONGEST_WAIT_S = 600
LARGEST_WAV = 64 * 1024 * 1024
"""Bytes of a body with a WAV file in base64: that of 50 minutes."""

_BASE64 = "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"
_BETWEEN_LOOKS_S = 0.02
_TEXT = "text/plain"


# --- the journal --------------------------------------------------------------------------------------------


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """Which entries are meant."""

    event: Annotated[str, Meta(description="The event's name on the wire, such as phx_join.")] | UnsetType = UNSET
    speaker: Annotated[str, Meta(description="The speaker's name.")] | UnsetType = UNSET
    conversation: Annotated[str, Meta(description="The conversation's id.")] | UnsetType = UNSET
    kind: Annotated[Kind, Meta(description="What the entry records.")] | UnsetType = UNSET
    after: Annotated[int, Meta(ge=-1, description="Only entries with an index above this one.")] = -1


class EntriesQuery(Filter, frozen=True, kw_only=True):
    """Which entries, and how many."""

    limit: Annotated[int, Meta(ge=1, description="At most so many, the first ones.")] | UnsetType = UNSET


class WaitQuery(Filter, frozen=True, kw_only=True):
    """Which entry, and how long."""

    timeout: Annotated[
        float, Meta(ge=0, le=LONGEST_WAIT_S, description="Seconds of real time to wait at most.")
    ] = 5.0


class Entries(msgspec.Struct, frozen=True, kw_only=True):
    """Entries of the journal, and how many of the oldest are gone from it."""

    entries: list[Line]
    dropped: int


@operation(
    "GET",
    f"{SPACE}/journal",
    answers={"application/json": Entries, JSON_LINES: "One entry a line."},
)
async def show_journal(call: Call, query: EntriesQuery) -> Answer:
    """Every entry of the journal that matches the filters, in order."""
    space = call.hosted
    entries, dropped = tuple(space.journal), space.journal.dropped
    sought, after, limit = _sought(query, tuple(space.accounts)), query.after, _given(query.limit)
    as_lines = call.wants(JSON_LINES)

    def write() -> Answer:
        chosen = [
            entry
            for entry in entries
            if entry.index > after and (sought.kind is None or entry.kind is sought.kind) and sought.fits(entry)
        ][:limit]
        if as_lines:
            return Answer(content=b"".join(map(to_line, chosen)), media=JSON_LINES)
        return Answer(content=msgspec.json.encode(Entries(entries=list(map(Line.of, chosen)), dropped=dropped)))

    return await asyncio.to_thread(write)


@operation(
    "GET",
    f"{SPACE}/journal/wait",
    refuses={
        HTTPStatus.REQUEST_TIMEOUT: "None came in time.",
        HTTPStatus.SERVICE_UNAVAILABLE: "The server stops.",
    },
)
async def wait_for_entry(call: Call, query: WaitQuery) -> Line:
    """The first message, or entry of a kind, that matches the filters; waits for it if need be."""
    hosted = call.hosted
    sought = _sought(query, tuple(hosted.accounts))
    journal, looked_until = hosted.journal, query.after

    def look() -> Entry | None:
        nonlocal journal, looked_until
        if hosted.latest.journal is not journal:  # the space was reset
            journal, looked_until = hosted.latest.journal, -1
        for entry in journal.since(looked_until):
            looked_until = entry.index
            if sought.matches(entry):
                return entry
        return None

    found = await wait_until(look, call, timeout=query.timeout)
    if found is None:
        waited = f" within {query.timeout:g} s"
        raise Refused(HTTPStatus.REQUEST_TIMEOUT, why_not_come(hosted.latest, sought, waited))
    return Line.of(found)


def _sought(query: Filter, clients: tuple[str, ...]) -> Sought:
    return Sought(
        event=_given(query.event),
        speaker=_given(query.speaker),
        conversation=_given(query.conversation),
        kind=_given(query.kind),
        clients=clients,
    )


def _given(value: T | UnsetType) -> T | None:
    return None if isinstance(value, UnsetType) else value


async def wait_until(look: Callable[[], T | None], call: Call, *, timeout: float, pause: float = 0.0) -> T | None:
    """What `look` finds, now or after any entry of the journal; None when it found nothing in `timeout` seconds.

    Args:
        pause: seconds to rest after each look; for one that takes long.

    Raises:
        Refused: 404, the space ended meanwhile; 503, the server stops.
    """
    hosted, stop, request = call.hosted, call.state.stop, call.request
    news = asyncio.Event()
    stop_listening = hosted.journal.listen(lambda _: news.set())
    stop_watching = hosted.when_over(news.set)
    watches = [asyncio.ensure_future(end) for end in (stop.wait(), _until_gone(request))]
    for watch in watches:
        watch.add_done_callback(lambda _: news.set())
    try:
        async with asyncio.timeout(timeout):
            while True:
                news.clear()
                if (found := look()) is not None:
                    return found
                _refuse_if_over(hosted, stop, watches[1])
                await asyncio.sleep(pause)
                await news.wait()
    except TimeoutError:
        return None
    finally:
        stop_listening()
        stop_watching()
        for watch in watches:
            watch.cancel()


def _refuse_if_over(hosted: Space, stop: asyncio.Event, gone: asyncio.Future[bool]) -> None:
    ends = (
        (hosted.over, HTTPStatus.NOT_FOUND, f"the space {hosted.settings.account.client_id!r} ended meanwhile"),
        (stop.is_set(), HTTPStatus.SERVICE_UNAVAILABLE, "the server stops"),
        (gone.done(), HTTPStatus.BAD_REQUEST, "the caller went away"),
    )
    for is_over, status, why in ends:
        if is_over:
            raise Refused(status, why)


async def _until_gone(request: Request) -> bool:
    """Return once the caller has closed the connection; its body has been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
    return True


# --- claims -------------------------------------------------------------------------------------------------

_Timeout = Annotated[
    float, Meta(ge=0, le=LONGEST_WAIT_S, description="Seconds of real time in which it may still come true.")
]


class NotSentClaim(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The client has sent no such message so far."""

    event: str
    speaker: str | None = None
    conversation: str | None = None
    payload: object = None


class SentClaim(NotSentClaim, frozen=True, kw_only=True):
    """The client sent such a message, at least once or exactly `times`; its payload has at least `payload`."""

    times: Annotated[int, Meta(ge=1)] | None = None
    timeout: _Timeout = 0.0


class TranscriptClaim(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The server delivered exactly this transcript; null for whatever kind, speaker, or receiver."""

    text: str
    speaker: str | None = None
    conversation: str | None = None
    to: str | None = None
    kind: Literal["segment", "interim", "normalized"] | None = "segment"
    timeout: _Timeout = 0.0


class AudioClaim(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
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


@operation("POST", f"{SPACE}/assert/sent")
async def assert_sent(call: Call, body: SentClaim) -> Holds:
    """The client sent it."""
    return await _in_time(call, call.space.assert_sent, body)


@operation("POST", f"{SPACE}/assert/not_sent")
async def assert_not_sent(call: Call, body: NotSentClaim) -> Holds:
    """The client did not send it."""
    return _holds(call.space.assert_not_sent, body)


@operation("POST", f"{SPACE}/assert/transcript_delivered")
async def assert_transcript_delivered(call: Call, body: TranscriptClaim) -> Holds:
    """The server delivered exactly this transcript."""
    return await _in_time(call, call.space.assert_transcript_delivered, body)


@operation(
    "POST",
    f"{SPACE}/assert/audio_equals",
    reads=json_body(AudioClaim, largest=LARGEST_WAV),
    refuses={
        HTTPStatus.UNPROCESSABLE_ENTITY: (
            "The claim cannot be looked at, such as one about a sound that is no WAV file."
        )
    },
)
async def assert_audio_equals(call: Call, body: AudioClaim) -> Holds:
    """A speaker's audio is that of a WAV file."""
    return await asyncio.to_thread(_holds, call.space.assert_audio_equals, body)


def _holds(claim: Callable[..., object], body: msgspec.Struct) -> Holds:
    """Whether a claim, a method of the space that takes the fields of `body`, holds now."""
    fields = msgspec.structs.asdict(body)
    fields.pop("timeout", None)
    try:
        claim(**fields)
    except AssertionError as error:
        return Holds(holds=False, message=str(error))
    return Holds(holds=True, message="")


async def _in_time(call: Call, claim: Callable[..., object], body: SentClaim | TranscriptClaim) -> Holds:
    """Whether a claim holds now or within its timeout."""

    def look() -> Holds | None:
        found = _holds(claim, body)
        return found if found.holds else None

    if body.timeout:
        await wait_until(look, call, timeout=body.timeout, pause=_BETWEEN_LOOKS_S)
    return _holds(claim, body)


# --- the verdict --------------------------------------------------------------------------------------------


class Allowance(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
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


@operation("GET", f"{SPACE}/violations")
async def list_violations(call: Call) -> ViolationList:
    """What the client did wrong so far."""
    space = call.space
    await asyncio.to_thread(space.settle)
    return ViolationList(violations=list(space.violations))


@operation("GET", f"{SPACE}/verdict")
async def show_verdict(call: Call, query: VerdictQuery) -> VerdictFacts:
    """Whether a strict test passes, and everything that speaks against it."""
    space = call.space
    await asyncio.to_thread(space.settle)
    verdict = space.verdict(at_end=query.at_end)
    return VerdictFacts(ok=verdict.ok, problems=list(verdict.problems))


@operation("GET", f"{SPACE}/timeline", answers={_TEXT: "Two columns of text."})
async def show_timeline(call: Call, query: TimelineQuery) -> Answer:
    """What was expected beside what happened, on the audio axis of each speaker."""
    return Answer(content=call.space.timeline(_given(query.conversation)).encode(), media=f"{_TEXT}; charset=utf-8")


@operation("POST", f"{SPACE}/allow", refuses={HTTPStatus.UNPROCESSABLE_ENTITY: "There is no such rule."})
async def allow(call: Call, body: Allowance) -> None:
    """Leave the violations of some rules out of the verdict."""
    call.space.allow(*body.rules)


@operation("POST", f"{SPACE}/expect_nothing", refuses={HTTPStatus.CONFLICT: "It did not so far."})
async def expect_nothing(call: Call) -> None:
    """The client is to leave the service alone: no token, no socket, no message, from now on either."""
    try:
        call.space.expect_nothing()
    except AssertionError as error:
        raise Refused(HTTPStatus.CONFLICT, str(error)) from None
