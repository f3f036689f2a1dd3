"""What happened, in order: every message both ways, and what the server noticed.

Append-only and bounded: past `capacity` entries the oldest go, `dropped` counts them, and the export says so in
its first line. Audio is counted, never kept.

Tokens and secrets are taken out on the way in, and large payloads are cut (`redaction`); URLs and forms never
get here. Only what a client sent is looked at. What the server sends is its own, but for the refs, topics and
names it repeats; so it is left alone until a client has put a token, or something large, into one of those.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator
from enum import StrEnum
from math import inf

import msgspec

from .redaction import Redactor, is_plain


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
    LOGIN = "login"
    DEFECT = "defect"
    TRUNCATED = "truncated"


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that happened.

    `wall` is Unix time and `now` the space's clock, both in seconds; `socket` numbers the connection.
    `audio_bytes` is the size of an audio chunk as the client encoded it. `cut` is true when part of a large
    message was left out. One of kind `truncated` opens an export whose first entries are missing, up to its own
    index.
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
    cut: bool = False

    @property
    def rule(self) -> str:
        """The rule that an entry of kind `rule` is about, such as `gap`: what `uhlive-mock explain` takes."""
        return (self.note or "").partition(":")[0]


_RECEIVED = Kind.RECEIVED
"""A name of its own: Python 3.11 takes a while to find a member of an enum."""

_encode = msgspec.json.Encoder().encode

_SEPARATORS = (
    ("\x85".encode(), rb"\u0085"),
    ("\u2028".encode(), rb"\u2028"),
    ("\u2029".encode(), rb"\u2029"),
)
"""What JSON may hold and `str.splitlines` splits at."""


def to_line(entry: Entry) -> bytes:
    """An entry as one line of JSON, which `msgspec.json.decode(line, type=Entry)` reads back."""
    line = _encode(entry)
    for separator, escaped in _SEPARATORS:
        line = line.replace(separator, escaped)
    return line + b"\n"


class Journal:
    """The record of a space. Read it by iterating, or with `messages`."""

    def __init__(self, wall: Callable[[], float], *, capacity: int = 100_000) -> None:
        self._wall = wall
        self._entries: deque[Entry] = deque(maxlen=capacity)
        self._count = 0
        self._listeners: list[Callable[[Entry], None]] = []
        self._wary = False

    @property
    def dropped(self) -> int:
        """How many of the oldest entries are gone."""
        return self._count - len(self._entries)

    @property
    def truncated(self) -> bool:
        """Whether the oldest entries are gone."""
        return self._count > len(self._entries)

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
        cut = False
        if self._wary or (kind is _RECEIVED and (audio_bytes is None or not is_plain(topic))):
            words, rest = Redactor(), Redactor() if kind is _RECEIVED else Redactor(inf)
            topic = words.clean(topic)
            event = words.clean(event)
            join_ref = words.clean(join_ref)
            ref = words.clean(ref)
            speaker = words.text(speaker) if speaker else speaker
            note = rest.text(note) if note else note
            payload = rest.clean(payload) if payload else payload
            cut = words.cut or rest.cut
            self._wary |= cut or words.masked or rest.masked
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
            cut=cut,
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

    def findings(self) -> list[str]:
        """One sentence for each rule and each speaker that broke it, in the order of the first time."""
        first: dict[tuple[str, str | None], Entry] = {}
        times: Counter[tuple[str, str | None]] = Counter()
        for entry in self:
            if entry.kind is Kind.RULE:
                broken = (entry.rule, entry.speaker)
                first.setdefault(broken, entry)
                times[broken] += 1
        return [
            (f"{entry.speaker}: " if entry.speaker is not None else "")
            + (entry.note or "")
            + (f" ({times[broken]} times)" if times[broken] > 1 else "")
            for broken, entry in first.items()
        ]

    def export(self) -> Iterator[Entry]:
        """Every entry, behind one of kind `truncated` when the oldest are gone."""
        entries = tuple(self._entries)
        if self.truncated:
            oldest = entries[0] if entries else None
            yield Entry(
                index=self.dropped - 1,
                wall=oldest.wall if oldest else self._wall(),
                now=oldest.now if oldest else 0.0,
                kind=Kind.TRUNCATED,
                note=f"the first {self.dropped} entries are missing",
            )
        yield from entries

    def to_jsonl(self) -> str:
        """The export as lines of JSON, one entry each."""
        return b"".join(map(to_line, self.export())).decode()
