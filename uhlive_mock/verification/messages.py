"""Questions about messages: which match what is wanted, and what to say when they do not.

A mapping is held by one that has at least its keys, at every level; a list by one of the same length, item by
item. Everything else is compared with `==`, by what is wanted, so that an object may say for itself what it equals.

A miss is near when little differs: one for the speaker, one for the conversation, one for each place in the
payload. Messages of the wanted event are compared only with each other; when there are none, the nearest names of
events are offered instead. Misses that differ in the same way are told once.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import inf

import msgspec

from ..protocol.journal import Entry, Kind
from ..protocol.redaction import MASK, Redactor
from ..protocol.space import TOPIC_PREFIX, Space
from ..protocol.speaker_audio import SpeakerAudio
from ..wire.framing import Framing

_LONGEST = 80


def differences(wanted: object, found: object, path: str = "payload") -> Iterator[str]:
    """A line for each place where `found` does not hold what is wanted, in the order of `wanted`."""
    if wanted == found:
        return
    if isinstance(wanted, Mapping) and isinstance(found, Mapping):
        for key, value in wanted.items():
            if key in found:
                yield from differences(value, found[key], f"{path}.{key}")
            else:
                keys = ", ".join(map(str, found)) or "no keys"
                yield f"{path}.{key}: expected {brief(value, key)}, found only {shortened(keys, _LONGEST)}"
    elif isinstance(wanted, list | tuple) and isinstance(found, list | tuple) and len(wanted) == len(found):
        for place, (value, other) in enumerate(zip(wanted, found, strict=True)):
            yield from differences(value, other, f"{path}[{place}]")
    else:
        key = path.rpartition(".")[2]
        why = "; the journal keeps no secrets" if found == MASK else ""
        yield f"{path}: expected {brief(wanted, key)}, found {brief(found, key)}{why}"


def leaves(wanted: object) -> int:
    """How many places of `wanted` can differ."""
    match wanted:
        case Mapping():
            return max(1, sum(map(leaves, wanted.values())))
        case list() | tuple():
            return max(1, sum(map(leaves, wanted)))
        case _:
            return 1


def brief(value: object, key: object = "payload") -> str:
    """A value on one short line, without secrets; `key` is what it is the value of."""
    clean = Redactor(inf).clean({key: value})
    return shortened(repr(next(iter(clean.values())) if isinstance(clean, dict) else clean), _LONGEST)


def shortened(text: str, longest: int) -> str:
    """The text, with `…` for its end where it is too long."""
    return text if len(text) <= longest else text[: max(0, longest - 1)] + "…"


WIDTH = 160
"""Characters of a line; what is longer is cut."""


def frame_text(entry: Entry, framing: str | None = None) -> str:
    """A message in the framing of its socket, vsn2 unless told; any other entry as what it notes."""
    if entry.kind is Kind.MALFORMED and entry.payload is not None:
        return _line(entry.payload if isinstance(entry.payload, str) else in_json(entry.payload))
    if entry.kind not in (Kind.RECEIVED, Kind.SENT):
        return _line(entry.note or entry.kind.value)
    if entry.audio_bytes is None or isinstance(entry.payload, dict):
        payload = in_json(entry.payload)
    else:
        payload = f"<{entry.audio_bytes} bytes of audio>"
    if framing == Framing.VSN1:
        named = {"topic": entry.topic, "event": entry.event, "ref": entry.ref}
        return _line(f'{in_json(named)[:-1]},"payload":{payload}}}')
    return _line(f"{in_json([entry.join_ref, entry.ref, entry.topic, entry.event])[:-1]},{payload}]")


def fields_of(entry: Entry) -> dict[str, object]:
    """The fields of a message's payload; none of one that is no mapping."""
    return entry.payload if isinstance(entry.payload, dict) else {}


def in_json(value: object) -> str:
    """A JSON value as text."""
    return msgspec.json.encode(value).decode()


def _line(text: str) -> str:
    return shortened(" ".join(text.splitlines()), WIDTH)


# --- a journal as one asks it ---


class JournalView:
    """The entries that the journal of a space has now, with the audio of their speakers.

    `opened` says when each socket did, or was first heard of; `first` is the index of the oldest entry there is.
    """

    def __init__(self, space: Space) -> None:
        self.entries: tuple[Entry, ...] = tuple(space.journal)
        self.first = self.entries[0].index if self.entries else 0
        self.speakers: dict[int, SpeakerAudio] = {speaker.stay: speaker for speaker in space.hearings}
        """By the index of their `phx_join`, in the order of their joins."""
        self.opened: dict[int, float] = {}
        for entry in self.entries:
            if entry.socket:
                self.opened.setdefault(entry.socket, entry.now)
        self._clients = tuple(space.accounts)

    def conversation(self, topic: object) -> str | None:
        """The id of the conversation of a topic; None of what is no conversation's."""
        return conversation_of(topic, self._clients)

    def speaker(self, entry: Entry) -> SpeakerAudio | None:
        """The audio of the speaker that an entry is about; None where it is about none."""
        return None if entry.stay is None else self.speakers.get(entry.stay)

    def moment(self, entry: Entry) -> str:
        """When an entry happened: since its socket opened, and in its speaker's audio."""
        opened, speaker = self.opened.get(entry.socket), self.speaker(entry)
        parts = [] if opened is None else [f"socket {entry.socket} at {entry.now - opened:.3f} s"]
        if speaker and entry.at_s is not None:
            parts.append(f"{speaker.speaker}'s audio at {entry.at_s:.3f} s")
        return f"#{entry.index}" + (f" ({', '.join(parts)})" if parts else "")


def conversation_of(topic: object, clients: Iterable[str]) -> str | None:
    """The id of the conversation of a topic, for a space of these clients; None of what is no conversation's."""
    if not isinstance(topic, str) or not topic.startswith(TOPIC_PREFIX):
        return None
    named = topic.removeprefix(TOPIC_PREFIX)
    for client_id in clients:
        if named.startswith(f"{client_id}@"):
            return named.removeprefix(f"{client_id}@")
    return named.partition("@")[2] or named


# --- messages that are asked for ---


NEAREST = 3
"""How many misses are shown."""

_MESSAGES = (Kind.RECEIVED, Kind.SENT)


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Whose message is asked for, and where; None asks for nothing.

    `clients` are the client ids of the space, for its topics.
    """

    speaker: str | None = None
    conversation: str | None = None
    clients: tuple[str, ...] = ()

    @property
    def whose(self) -> str:
        """That in words, such as ` of Alice in conv1`."""
        of = "" if self.speaker is None else f" of {self.speaker}"
        return of if self.conversation is None else f"{of} in {self.conversation}"

    def elsewhere(self, entry: Entry) -> Iterator[str]:
        """A line for each of the two that an entry has otherwise."""
        if self.speaker not in (None, entry.speaker):
            yield f"speaker: expected {self.speaker!r}, found {entry.speaker!r}"
        if self.conversation is not None:
            found = conversation_of(entry.topic, self.clients)
            if found != self.conversation:
                yield f"conversation: expected {self.conversation!r}, found {found!r}"


class Sought(Wanted, frozen=True, kw_only=True):
    """What message is asked for; None asks for nothing."""

    event: str | None = None
    payload: object = None
    kind: Kind | None = None

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kinds of entries that are looked at."""
        return _MESSAGES if self.kind is None else (self.kind,)

    def matches(self, entry: Entry) -> bool:
        """Whether an entry is a message that has everything asked for."""
        return entry.kind in self.kinds and self.fits(entry)

    def fits(self, entry: Entry) -> bool:
        """Whether an entry has everything asked for but the kind."""
        return (
            (self.event is None or entry.event == self.event)
            and next(self.elsewhere(entry), None) is None
            and (self.payload is None or next(differences(self.payload, entry.payload), None) is None)
        )

    def matching(self, entries: Iterable[Entry]) -> list[Entry]:
        """The entries that match, in order."""
        return [entry for entry in entries if self.matches(entry)]

    def differences(self, entry: Entry) -> list[str]:
        """What an entry has otherwise, a line each; its kind and its event are not looked at."""
        lines = list(self.elsewhere(entry))
        if self.payload is not None:
            if entry.audio_bytes is not None and entry.payload is None:
                lines.append(f"payload: expected {brief(self.payload)}, found {entry.audio_bytes} bytes of audio")
            else:
                lines += differences(self.payload, entry.payload)
            if entry.cut:
                lines.append("(the journal keeps only a part of this message)")
        return lines

    def distance(self, entry: Entry) -> int:
        """How much of an entry is not as wanted."""
        no_payload = self.payload is not None and not isinstance(entry.payload, type(self.payload))
        return len(self.differences(entry)) + (leaves(self.payload) if no_payload else 0)

    def __str__(self) -> str:
        payload = "" if self.payload is None else f" with {brief(self.payload)}"
        return f"{self.event or 'message'}{self.whose}{payload}"


def nearest(sought: Sought, entries: Iterable[Entry]) -> list[tuple[Entry, int]]:
    """The misses that differ least, nearest first, the earlier first among equals, each with how many are like it.

    Only entries of the wanted event and kind are misses.
    """
    like: dict[tuple[str, ...], list[Entry]] = {}
    for entry in entries:
        if entry.kind in sought.kinds and sought.event in (None, entry.event):
            like.setdefault(tuple(sought.differences(entry)), []).append(entry)
    like.pop((), None)
    ranked = sorted(like.values(), key=lambda alike: sought.distance(alike[0]))
    return [(alike[0], len(alike)) for alike in ranked]


# --- what to say ---


def why_not_sent(space: Space, sought: Sought, *, times: int | None = None, waited: str = "") -> str:
    """What to say when the client sent too few such messages, or, with `times`, too many."""
    view = JournalView(space)
    found = sought.matching(view.entries)
    expected = "" if times is None else f"; expected {_times(times)}"
    if not found:
        return _lines(f"the client never sent {sought}{waited}{expected}", _misses(view, sought, "it sent"))
    head = f"the client sent {sought} {_times(len(found))}{waited}{expected}"
    if times is not None and len(found) < times and nearest(sought, view.entries):
        return _lines(head, _misses(view, sought, "it sent"))
    return _lines(head, _listed(view, found))


def why_sent(space: Space, sought: Sought) -> str:
    """What to say when the client sent what it should not."""
    view = JournalView(space)
    found = sought.matching(view.entries)
    return _lines(f"the client sent {sought} {_times(len(found))}; expected never", _listed(view, found))


def why_not_come(space: Space, sought: Sought, waited: str) -> str:
    """What to say when a message never came; `waited` says how long one waited, or why no longer."""
    given = {
        "event": sought.event,
        "speaker": sought.speaker,
        "conversation": sought.conversation,
        "kind": sought.kind,
        "payload": None if sought.payload is None else brief(sought.payload),
    }
    asked = ", ".join(f"{name}={value}" for name, value in given.items() if value is not None)
    what = "message" if sought.kind in (None, *_MESSAGES) else "entry"
    head = f"no {what} with {asked or 'any content'} came{waited}"
    return _lines(head, _misses(JournalView(space), sought, "came so far"))


def _lines(head: str, rest: Iterable[str]) -> str:
    return "\n  ".join([head, *rest])


def _times(number: int) -> str:
    return {1: "once", 2: "twice"}.get(number, f"{number} times")


def _misses(view: JournalView, sought: Sought, where: str) -> Iterator[str]:
    of_kind = [entry for entry in view.entries if entry.kind in sought.kinds]
    if misses := nearest(sought, of_kind):
        yield "the nearest:"
        for entry, alike in misses[:NEAREST]:
            more = f" and {alike - 1} more like it" if alike > 1 else ""
            yield f"  {_entry(view, entry)}{more}"
            yield from (f"    {line}" for line in sought.differences(entry))
    elif sought.event is None or not any(entry.event == sought.event for entry in of_kind):
        names = Counter(str(entry.event or entry.kind) for entry in of_kind)
        close = difflib.get_close_matches(sought.event or "", names, n=1)
        meant = f"; did you mean {close[0]!r}?" if close else ""
        listed = ", ".join(f"{shortened(name, 60)} ({number})" for name, number in names.most_common(8))
        more = f" and {len(names) - 8} other events" if len(names) > 8 else ""
        yield f"{where}: {listed or 'nothing at all'}{more}{meant}"
    yield from lost(view)


def _listed(view: JournalView, found: Sequence[Entry]) -> Iterator[str]:
    for entry in found[:NEAREST]:
        payload = "" if entry.payload in (None, {}) else f" with {brief(entry.payload)}"
        yield f"  {_entry(view, entry)}{payload}"
    if len(found) > NEAREST:
        yield f"  … and {len(found) - NEAREST} more, the last {_entry(view, found[-1])}"
    yield from lost(view)


def lost(view: JournalView) -> Iterator[str]:
    """A line that says how much the journal no longer knows, if it has forgotten anything."""
    if view.first:
        yield f"(the journal has lost its first {view.first} entries)"


def _entry(view: JournalView, entry: Entry) -> str:
    name = entry.event if isinstance(entry.event, str) else entry.note or entry.kind.value
    return f"{view.moment(entry)}: {shortened(name, 60)}"
