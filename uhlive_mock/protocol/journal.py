"""What happened, in order: every message both ways, and what the server noticed.

Append-only and bounded: past `capacity` entries the oldest go and `dropped` counts them. Audio is counted,
never kept. Tokens and secrets never get here: an entry names topics, events, refs and payloads of the
channel protocol, and neither URLs nor forms.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from enum import StrEnum

import msgspec


class Kind(StrEnum):
    """What an entry records."""

    RECEIVED = "received"
    SENT = "sent"
    OPENED = "opened"
    CLOSED = "closed"
    REFUSED = "refused"
    UNPLAYED = "unplayed"
    RULE = "rule"
    FAULT = "fault"
    FAULT_SKIPPED = "fault_skipped"


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that happened.

    `wall` is Unix time and `now` the space's clock, both in seconds; `socket` numbers the connection.
    `audio_bytes` is the size of an audio chunk as the client encoded it.
    """

    index: int
    wall: float
    now: float
    kind: Kind
    socket: int = 0
    speaker: str | None = None
    topic: object = None
    event: object = None
    join_ref: object = None
    ref: object = None
    payload: object = None
    audio_bytes: int | None = None
    note: str | None = None


class Journal:
    """The record of a space. Read it by iterating, or with `messages`."""

    def __init__(self, wall: Callable[[], float], *, capacity: int = 100_000) -> None:
        self._wall = wall
        self._entries: deque[Entry] = deque(maxlen=capacity)
        self._count = 0
        self._listeners: list[Callable[[Entry], None]] = []

    @property
    def dropped(self) -> int:
        """How many of the oldest entries are gone."""
        return self._count - len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(tuple(self._entries))

    def __len__(self) -> int:
        return len(self._entries)

    def listen(self, listener: Callable[[Entry], None]) -> Callable[[], None]:
        """Call `listener` with every entry from now on. Returns what ends it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def record(
        self,
        kind: Kind,
        now: float,
        *,
        socket: int = 0,
        speaker: str | None = None,
        topic: object = None,
        event: object = None,
        join_ref: object = None,
        ref: object = None,
        payload: object = None,
        audio_bytes: int | None = None,
        note: str | None = None,
    ) -> None:
        """Append an entry that happened at `now` on the space's clock."""
        entry = Entry(
            index=self._count,
            wall=self._wall(),
            now=now,
            kind=kind,
            socket=socket,
            speaker=speaker,
            topic=topic,
            event=event,
            join_ref=join_ref,
            ref=ref,
            payload=payload,
            audio_bytes=audio_bytes,
            note=note,
        )
        self._count += 1
        self._entries.append(entry)
        for listener in tuple(self._listeners):
            listener(entry)

    def messages(
        self, *, event: str | None = None, speaker: str | None = None, kind: Kind | None = None
    ) -> list[Entry]:
        """The messages both ways, or those of a `kind`, that match every filter given."""
        kinds = (Kind.RECEIVED, Kind.SENT) if kind is None else (kind,)
        return [
            entry
            for entry in self
            if entry.kind in kinds
            and (event is None or entry.event == event)
            and (speaker is None or entry.speaker == speaker)
        ]

    def unplayed(self) -> list[str]:
        """One sentence for each cue that the audio received by its speaker's leave never reached."""
        return [entry.note or "" for entry in self if entry.kind is Kind.UNPLAYED]
