"""Operations on a space's journal: what happened, and waiting for it."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Annotated, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

from ..protocol.journal import Entry, Kind, to_line
from ..verification.messages import Sought, why_not_come
from .operation import Asked, Operation, Reply, operation
from .refusals import Refused
from .waiting import wait_until

JSON_LINES = "application/jsonl"
LONGEST_WAIT_S = 600

T = TypeVar("T")


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

    entries: list[Entry]
    dropped: int


def _sought(query: Filter, clients: tuple[str, ...]) -> Sought:
    return Sought(
        event=_given(query.event),
        speaker=_given(query.speaker),
        conversation=_given(query.conversation),
        kind=_given(query.kind),
        clients=clients,
    )


async def _entries(asked: Asked[EntriesQuery, None]) -> Reply:
    hosted = asked.hosted
    journal = hosted.space.journal
    entries, dropped = tuple(journal), journal.dropped
    sought, after = _sought(asked.query, tuple(hosted.space.accounts)), asked.query.after
    limit = _given(asked.query.limit)
    as_lines = asked.wants(JSON_LINES)

    def write() -> Reply:
        chosen = [
            entry
            for entry in entries
            if entry.index > after and (sought.kind is None or entry.kind is sought.kind) and sought.fits(entry)
        ][:limit]
        if as_lines:
            return Reply(content=b"".join(map(to_line, chosen)), media=JSON_LINES)
        return Reply(content=msgspec.json.encode(Entries(entries=chosen, dropped=dropped)))

    return await asyncio.to_thread(write)


async def _wait(asked: Asked[WaitQuery, None]) -> Entry:
    hosted, query = asked.hosted, asked.query
    sought = _sought(query, tuple(hosted.space.accounts))
    journal, looked_until = hosted.space.journal, query.after

    def look() -> Entry | None:
        nonlocal journal, looked_until
        if hosted.space.journal is not journal:  # the space was reset
            journal, looked_until = hosted.space.journal, -1
        for entry in journal.since(looked_until):
            looked_until = entry.index
            if sought.matches(entry):
                return entry
        return None

    found = await wait_until(look, asked, timeout=query.timeout)
    if found is None:
        late = why_not_come(hosted.space, sought, f" within {query.timeout:g} s")
        raise Refused(HTTPStatus.REQUEST_TIMEOUT, late)
    return found


def _given(value: T | UnsetType) -> T | None:
    return None if isinstance(value, UnsetType) else value


_JOURNAL = "/_mock/spaces/{space}/journal"

OPERATIONS: tuple[Operation, ...] = (
    operation(
        "GET",
        _JOURNAL,
        "Every entry of the journal that matches the filters, in order.",
        _entries,
        query=EntriesQuery,
        answers={"application/json": Entries, JSON_LINES: "One entry a line."},
    ),
    operation(
        "GET",
        f"{_JOURNAL}/wait",
        "The first message, or entry of a kind, that matches the filters; waits for it if need be.",
        _wait,
        query=WaitQuery,
        answers=Entry,
        refuses={
            HTTPStatus.REQUEST_TIMEOUT: "None came in time.",
            HTTPStatus.SERVICE_UNAVAILABLE: "The server stops.",
        },
    ),
)
