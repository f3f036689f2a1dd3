"""What happened, in order: every message both ways, and what the server noticed.

Append-only and bounded: past `capacity` entries the oldest go, `dropped` counts them, and the export says so in
its first line. Audio is counted, never kept.

Tokens and secrets are taken out on the way in, and large payloads are cut (`redaction`); URLs and forms never
get here. Only what a client sent is looked at. What the server sends is its own, but for the refs, topics and
names it repeats; so it is left alone until a client has put a token, or something large, into one of those.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator
from itertools import islice, takewhile
from math import inf
from typing import Protocol

import msgspec

from .records import Kind as Kind, RuleBroken, Truncated, Value, redacted
from .redaction import MAX_CHARS, Redactor


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that happened.

    `wall` is Unix time and `now` the space's clock, both in seconds; `socket` numbers the connection.
    `audio_bytes` is the size of an audio chunk as the client encoded it; `binary` tells a binary push. `cut` is
    true when part of a large message was left out. `value` says what happened where that is no message (`records`).

    `stay` is the index of the `phx_join` of the participation that the entry is about, and `at_s` how many seconds
    of that speaker's audio had come before; both are None where there is none. An event is about the speaker it
    names. `to` is the name under which the receiver of a message had joined.

    One of kind `malformed` is a frame that is no message, with what is readable of it as its payload. One of kind
    `truncated` opens an export whose first entries are missing, up to its own index.
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
    value: Value | None = None
    cut: bool = False
    binary: bool = False
    stay: int | None = None
    at_s: float | None = None
    to: str | None = None

    @property
    def note(self) -> str | None:
        """The value as a sentence, for people to read."""
        return None if self.value is None else str(self.value)

    @property
    def rule(self) -> str:
        """The rule that an entry of kind `rule` is about, such as `gap`: what `uhlive-mock explain` takes."""
        return self.value.rule if isinstance(self.value, RuleBroken) else ""


class Participation:
    """One participant on one topic, from its `phx_join` on, as entries refer to it.

    Args:
        stay: the index of its `phx_join`.
        speaker: the name it joined under.
        at_s: seconds of its audio so far; None for an observer.
    """

    __slots__ = ("at_s", "speaker", "stay")

    def __init__(self, stay: int, speaker: str | None, at_s: float | None = None) -> None:
        self.stay = stay
        self.speaker = speaker
        self.at_s = at_s


class Line(Entry, frozen=True, kw_only=True, omit_defaults=True):
    """An entry as JSON shows it, with the sentence of its value."""

    note: str | None = None

    @classmethod
    def of(cls, entry: Entry) -> Line:
        """The line of an entry."""
        return cls(**msgspec.structs.asdict(entry), note=None if entry.value is None else str(entry.value))


_RECEIVED, _MALFORMED = Kind.RECEIVED, Kind.MALFORMED
"""Names of their own: Python 3.11 takes a while to find a member of an enum."""

_encode = msgspec.json.Encoder().encode

_SEPARATORS = (
    ("\x85".encode(), rb"\u0085"),
    ("\u2028".encode(), rb"\u2028"),
    ("\u2029".encode(), rb"\u2029"),
)
"""What JSON may hold and `str.splitlines` splits at."""


def to_line(entry: Entry) -> bytes:
    """An entry as one line of JSON, which `msgspec.json.decode(line, type=Entry)` reads back."""
    line = _encode(entry if entry.value is None else Line.of(entry))
    for separator, escaped in _SEPARATORS:
        line = line.replace(separator, escaped)
    return line + b"\n"


class Reader(Protocol):
    """Reads a journal on its own, behind its writing."""

    def make_room(self) -> int:
        """Read some of the oldest entries not read yet; returns the index of the first that still is not."""


class Journal:
    """The record of a space. Read it by iterating, or with `messages`."""

    def __init__(
        self, wall: Callable[[], float], *, capacity: int = 100_000, secrets: Collection[str] = ()
    ) -> None:
        self._wall = wall
        self._secrets = secrets
        self._capacity = capacity
        self._entries: deque[Entry] = deque(maxlen=capacity)
        self._count = 0
        self._listeners: list[Callable[[Entry], None]] = []
        self._wary = False
        self.readers: list[Reader] = []
        """Those before whom no entry is dropped unread; see `keep_for`."""
        self._full_at = inf

    @property
    def next_index(self) -> int:
        """The index that the next entry will have."""
        return self._count

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
        listeners = self._listeners
        listeners.append(listener)
        return lambda: listeners.remove(listener)

    def keep_for(self, reader: Reader) -> None:
        """Drop nothing from now on that `reader` has not read: it is asked to read before its next entry goes."""
        self.readers.append(reader)
        self._full_at = min(self._full_at, self.dropped + self._capacity)

    def hand_over(self, successor: Journal) -> None:
        """Let a new journal have the listeners of this one, which hears of nothing any more."""
        successor._listeners, self._listeners = self._listeners, []

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
        value: Value | None = None,
        binary: bool = False,
        of: Participation | None = None,
        to: str | None = None,
    ) -> Entry:
        """Append an entry that happened at `now` on the space's clock, and about whom. Returns it."""
        cut = False
        if self._count >= self._full_at:
            self._make_room()
        if self._wary or (kind is _RECEIVED and (audio_bytes is None or of is None)) or kind is _MALFORMED:
            is_sent_by_client = kind is _RECEIVED or kind is _MALFORMED
            words = Redactor(secrets=self._secrets)
            rest = Redactor(MAX_CHARS if is_sent_by_client else inf, self._secrets)
            topic = words.clean(topic)
            event = words.clean(event)
            join_ref = words.clean(join_ref)
            ref = words.clean(ref)
            speaker = words.text(speaker) if speaker else speaker
            to = words.text(to) if to else to
            value = redacted(value, rest) if value else value
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
            value=value,
            cut=cut,
            binary=binary,
            stay=of.stay if of else None,
            at_s=of.at_s if of else None,
            to=to,
        )
        self._count += 1
        self._entries.append(entry)
        if self._listeners:
            for listener in tuple(self._listeners):
                listener(entry)
        return entry

    def note(
        self,
        value: Value,
        now: float,
        *,
        socket: int = 0,
        speaker: str | None = None,
        topic: object = None,
        event: object = None,
        payload: object = None,
        of: Participation | None = None,
    ) -> None:
        """Append what happened besides messages; see `records`."""
        self.record(
            value.kind,
            now,
            socket=socket,
            speaker=speaker,
            topic=topic,
            event=event,
            payload=payload,
            value=value,
            of=of,
        )

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

    def since(self, index: int) -> list[Entry]:
        """The entries after that index, in order. Takes as long as there are such."""
        newest = takewhile(lambda entry: entry.index > index, reversed(self._entries))
        return list(newest)[::-1]

    def oldest(self, index: int, at_most: int | None = None) -> Iterator[Entry]:
        """The entries from that index on, in order; not more than `at_most`. Write nothing meanwhile."""
        start = max(0, index - self.dropped)
        return islice(self._entries, start, None if at_most is None else start + at_most)

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
                value=Truncated(missing=self.dropped),
            )
        yield from entries

    def to_jsonl(self) -> str:
        """The export as lines of JSON, one entry each."""
        return b"".join(map(to_line, self.export())).decode()

    def _make_room(self) -> None:
        self._full_at = min(reader.make_room() for reader in self.readers) + self._capacity
