"""The rows of a timeline: what happened to one speaker.

An event that several participants got is one row, with their names. What comes in numbers and says little is only
counted: chunks of audio, interims that grow, heartbeats, answers that say ok. A pause of the space's clock that no
audio filled is a row of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Iterator

import msgspec

from ..model.audio import SAMPLE_RATE
from ..protocol.admission import JoinOptions
from ..protocol.journal import Entry, Kind
from ..protocol.records import Defect
from .expectations import SPEECH, summarize
from .messages import JournalView, brief, fields_of, shortened

PAUSE_S = 0.5
"""A shorter pause is not told."""

_NAMES, _NAME = 2, 12
"""How many listeners are named, and how long their names may be."""


class Occurrence:
    """One thing that happened; an event, however many got it. `sound_s` is how much audio it brought."""

    def __init__(self, view: JournalView, entry: Entry) -> None:
        speaker = view.speaker(entry)
        width = speaker.options.audio_codec.sample_width if speaker else 1
        self.entry = entry
        self.at_s = entry.at_s or 0.0
        self.sound_s = (entry.audio_bytes or 0) // width / SAMPLE_RATE
        self.indexes: list[int] = []
        self.sockets: set[int] = set()
        self.listeners: list[str] = []
        self.also(entry)

    def also(self, entry: Entry) -> None:
        """Another participant got it too."""
        self.indexes.append(entry.index)
        self.sockets.add(entry.socket)
        if entry.to is not None and not _of_phoenix(entry):
            self.listeners.append(entry.to)


class TimelineRow:
    """One row of what happened, which may be cut before its `end`; `indexes` are the entries it stands for."""

    def __init__(self, at_s: float, text: str, indexes: Iterable[int], end: str = "") -> None:
        self.at_s = at_s
        self.text = text
        self.end = end
        self.indexes = tuple(indexes)


def occurrences(view: JournalView, entries: Iterable[Entry]) -> list[Occurrence]:
    """The occurrences of these entries, in order; unplayed cues are none."""
    found: list[Occurrence] = []
    latest: dict[tuple[object, ...], Occurrence] = {}
    for entry in (each for each in entries if each.kind is not Kind.UNPLAYED):
        if entry.kind is Kind.SENT and not _of_phoenix(entry):
            summary = summarize(entry.event, entry.payload)
            key = (entry.topic, entry.speaker, summary, _number(fields_of(entry).get("start")))
            known = latest.get(key)
            if known and entry.socket not in known.sockets and entry.now == known.entry.now:
                known.also(entry)
                continue
            latest[key] = occurrence = Occurrence(view, entry)
        else:
            occurrence = Occurrence(view, entry)
        found.append(occurrence)
    return found


def rows_of(
    happened: Iterable[Occurrence], speaker: str | None, loud: Container[int] = ()
) -> Iterator[TimelineRow]:
    """The rows of a speaker's occurrences; those with an entry in `loud` are not merely counted."""
    run = _Run()
    asked: object = None
    join: TimelineRow | None = None
    last_s: float | None = None
    for each in happened:
        entry = each.entry
        pause_s = 0.0 if last_s is None else entry.now - last_s - each.sound_s
        last_s = entry.now
        if pause_s >= PAUSE_S:
            yield from run.end()
            yield TimelineRow(each.at_s, f"({pause_s:.3f} s pass)", ())
        if join and _says_ok(entry) and entry.ref == asked:
            join.end, join = " → ok", None
        elif entry.index in loud or not run.takes(each):
            yield from run.end()
            row = TimelineRow(each.at_s, _text(entry), each.indexes, _to(each.listeners, speaker))
            if entry.kind is Kind.RECEIVED and entry.event == "phx_join":
                join, asked = row, entry.ref
            yield row
    yield from run.end()


class _Run:
    """Things that are only counted, one behind the other."""

    def __init__(self) -> None:
        self._counted: list[tuple[str, Occurrence]] = []

    def takes(self, each: Occurrence) -> bool:
        """Count it, if it is one of those."""
        what = _counted(each.entry)
        if what:
            self._counted.append((what, each))
        return what is not None

    def end(self) -> Iterator[TimelineRow]:
        """The row of what was counted, if anything was."""
        if not self._counted:
            return
        counts = Counter(what for what, _ in self._counted)
        parts = [f"{number} {what}{'s' if number > 1 else ''}" for what, number in counts.items()]
        if sound_s := sum(each.sound_s for _, each in self._counted):
            parts.insert(1, f"{sound_s:.3f} s" + (" of audio" if len(parts) == 1 else ""))
        indexes = (index for _, each in self._counted for index in each.indexes)
        yield TimelineRow(self._counted[0][1].at_s, f"… {', '.join(parts)}", indexes)
        self._counted = []


def _counted(entry: Entry) -> str | None:
    """What an entry counts as; empty when it is not even counted, None when it has a row of its own."""
    match entry.kind:
        case Kind.RECEIVED if entry.audio_bytes is not None:
            return "chunk"
        case Kind.RECEIVED if entry.event == "heartbeat" and entry.topic == "phoenix":
            return "heartbeat"
        case Kind.SENT if isinstance(entry.event, str) and SPEECH.get(entry.event) == "interim":
            return "interim"
        case Kind.SENT if _says_ok(entry):
            return ""
        case _:
            return None


def _of_phoenix(entry: Entry) -> bool:
    return isinstance(entry.event, str) and entry.event.startswith("phx_")


def _says_ok(entry: Entry) -> bool:
    return entry.kind is Kind.SENT and entry.event == "phx_reply" and fields_of(entry).get("status") == "ok"


def _number(value: object) -> object:
    return value if isinstance(value, int | float) else None


# --- words ------------------------------------------------------------------------------------------------


def _text(entry: Entry) -> str:
    """What happened, in a few words."""
    match entry.kind:
        case Kind.RECEIVED:
            return _received(entry)
        case Kind.SENT if _of_phoenix(entry):
            return _answer(entry)
        case Kind.SENT:
            return str(summarize(entry.event, entry.payload))
        case Kind.OPENED | Kind.CLOSED:
            return f"socket {entry.socket}: {entry.note or entry.kind.value}"
        case Kind.DEFECT:
            trace = entry.value.trace if isinstance(entry.value, Defect) else ""
            return f"defect of the server: {(trace.strip().splitlines() or [''])[-1]}"
        case _:
            about = f" ({entry.event})" if entry.event else ""
            return f"{entry.kind.value.replace('_', ' ')} {entry.note or ''}{about}".rstrip()


_DEFAULTS = {**msgspec.structs.asdict(JoinOptions(speaker="")), "model": None}


def _received(entry: Entry) -> str:
    """The event, and its payload but for the speaker's name and what is as always."""
    usual = _DEFAULTS if entry.event == "phx_join" else {}
    words = [
        f"{key}={value if isinstance(value, str) else brief(value, key)}"
        for key, value in fields_of(entry).items()
        if key != "speaker" and value != usual.get(key, entry)
    ]
    return " ".join([str(entry.event), *words])


def _answer(entry: Entry) -> str:
    if entry.event != "phx_reply":
        return str(entry.event)
    response = fields_of(entry).get("response")
    reason = response.get("reason") if isinstance(response, dict) else None
    return f"→ {fields_of(entry).get('status')}" + (f": {reason}" if reason else "")


def _to(listeners: list[str], speaker: str | None) -> str:
    if not listeners or listeners == [speaker]:
        return ""
    names = [shortened(name, _NAME) for name in listeners[:_NAMES]]
    more = f" +{len(listeners) - _NAMES}" if len(listeners) > _NAMES else ""
    return f" → {', '.join(names)}{more}"
