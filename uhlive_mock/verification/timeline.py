"""What was expected beside what happened, as text.

Each speaker has a table for every time it joined, on the axis of its audio. On the left stand the cues of its
script, with where they are due; on the right stands what happened, with how much audio had come by then:

        due  expected                       │      at  happened
                                            │   0.000  phx_join model=fr → ok
                                            │   0.000  … 22 chunks, 2.200 s of audio, 5 interims
      2.100  say "bonjour…"                 │   2.200  segment "bonjour…" → Alice, Olga
     12.000  fault close: 1011        never │   2.200  phx_leave

A cue stands beside what came of it; one that came to nothing says `never`, or `not yet` while its speaker stays.
Chunks of audio, interims that grow and answers that say ok are only counted. Tables follow of ghosts, of other
names that a test made speak, and of what belongs to no speaker.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

import msgspec

from ..model.audio import SAMPLE_RATE, SAMPLES_PER_MS
from ..model.fault import Fault
from ..model.scenario import RawEvent, Scenario
from ..protocol.journal import Entry, Kind
from ..protocol.plan import Axis
from ..protocol.redaction import mask_tokens
from ..protocol.space import Space
from ..protocol.speaker_audio import SpeakerAudio
from .expectations import Expected, meet, of_script, of_speaker
from .messages import JournalView, fields_of, shortened
from .timeline_rows import TimelineRow, occurrences, rows_of

MOST_LINES = 200
NARROWEST = 60

_DUE, _AT = 10, 8
_BETWEEN = " │ "
_LEAST_OF_A_TABLE = 8


def timeline(space: Space, conversation: str | None = None, width: int = 100, *, lines: int = MOST_LINES) -> str:
    """The tables of a space, or of one conversation of it.

    Args:
        width: characters a line may have, 60 at least.
        lines: about how many lines there may be; how many are left out is told.
    """
    width = max(width, NARROWEST)
    view = JournalView(space)
    head = [shortened(_plain(line), width) for line in _head(space, view, conversation)]
    tables = [table.text(width) for table in _tables(space, view, conversation) if table.rows]
    return "\n".join([*head, *_fitted(tables, lines - len(head))])


def _head(space: Space, view: JournalView, conversation: str | None) -> Iterator[str]:
    scenarios = ", ".join(scenario.name for scenario in space.scenarios) or "no scenario"
    where = "" if conversation is None else f", conversation {conversation}"
    yield f"space {space.name}: {scenarios}, seed {space.seed}{where}"
    if view.first:
        yield f"the journal has lost its first {view.first} entries"
    if not view.entries:
        yield "nothing has happened"
    if conversation is None:
        yield from space.unheard()[:_LEAST_OF_A_TABLE]


# --- tables -----------------------------------------------------------------------------------------------


Rows = list[tuple[Expected | None, TimelineRow | None]]
"""A cue and what came of it, or one of them alone."""


class Table(msgspec.Struct):
    """What was expected of a speaker beside what happened. `state` says what a cue came to."""

    title: str
    rows: Rows
    state: Callable[[Expected], str] = lambda cue: ""

    def text(self, width: int) -> list[str]:
        """The lines, each no wider than `width`."""
        if any(cue for cue, _ in self.rows):
            rest = width - _DUE - _AT - len(_BETWEEN) - 4
            left = rest * 9 // 20
            right = rest - left
            heads = [_row("due", "expected", "", left, "at", "happened", right)]
            rows = [self._two_columns(cue, row, left, right) for cue, row in self.rows]
        else:
            heads = []
            rows = [f"{row.at_s:>{_AT}.3f}  {_happened(row, width - _AT - 2)}" for _, row in self.rows if row]
        return ["", shortened(_plain(self.title), width), *(shortened(line, width) for line in heads + rows)]

    def _two_columns(self, cue: Expected | None, row: TimelineRow | None, left: int, right: int) -> str:
        due, words, state = ("", "", "")
        if cue is not None:
            words = f"{cue.cue.action.keyword} {cue.cue.action.summary}"
            due, state = _due(cue), self.state(cue)
        at, text = ("", "") if row is None else (f"{row.at_s:.3f}", _happened(row, right))
        return _row(due, words, state, left, at, text, right)


def _row(due: str, words: str, state: str, left: int, at: str, text: str, right: int) -> str:
    room = left - len(state) - 1 if state else left
    cell = f"{_quoted(_plain(words), room):<{room}}" + (f" {state}" if state else "")
    return f"{due:>{_DUE}}  {cell}{_BETWEEN}{at:>{_AT}}  {shortened(text, right)}".rstrip()


def _happened(row: TimelineRow, width: int) -> str:
    end = _plain(row.end, strip=False)
    return _quoted(_plain(row.text), max(width // 2, width - len(end))) + end


def _quoted(text: str, width: int) -> str:
    """A text that fits, with its closing quotation mark if it had one."""
    if len(text) <= width or not text.endswith('"'):
        return shortened(text, width)
    return shortened(text, width - 1) + '"'


def _tables(space: Space, view: JournalView, conversation: str | None) -> Iterator[Table]:
    own: dict[int, list[Entry]] = {}
    named: dict[tuple[str, str], list[Entry]] = {}
    rest: list[Entry] = []
    for entry in view.entries:
        where, owners = view.conversation(entry.topic), list(_owners(view, entry))
        if owners:
            for speaker in owners:
                own.setdefault(speaker.stay, []).append(entry)
        elif entry.kind is Kind.SENT and entry.speaker is not None and where is not None:
            named.setdefault((where, entry.speaker), []).append(entry)
        elif conversation in (None, where):
            rest.append(entry)
    for speaker in view.speakers.values():
        if conversation in (None, speaker.conversation):
            yield _of_speaker(space, view, speaker, own.get(speaker.stay, []))
    for (where, name), heard in named.items():
        if conversation in (None, where):
            yield _of_name(space, view, where, name, heard)
    yield Table("others, in seconds since the first entry", _of_no_speaker(view, rest))


def _owners(view: JournalView, entry: Entry) -> Iterator[SpeakerAudio]:
    """The speakers whose tables show an entry; of what is about a whole socket, those it concerns."""
    if entry.kind not in (Kind.OPENED, Kind.CLOSED):
        speaker = view.speaker(entry)
        yield from (speaker,) if speaker else ()
        return
    here = [speaker for speaker in view.speakers.values() if speaker.socket == entry.socket]
    lost = [speaker for speaker in here if speaker.left_cleanly is not True]
    yield from here[:1] if entry.kind is Kind.OPENED else lost or here[-1:]


_STATES = {None: "still there", True: "left", False: "did not leave by itself"}


def _of_speaker(space: Space, view: JournalView, speaker: SpeakerAudio, own: Sequence[Entry]) -> Table:
    cues = of_speaker(space, speaker)
    # An event that the scenario wrote itself may name any speaker, and so may stand with any.
    raw = {cue.cue.action.name for cue in cues if isinstance(cue.cue.action, RawEvent)}
    elsewhere = [
        entry
        for entry in (view.entries if raw else ())
        if entry.kind is Kind.SENT
        and entry.event in raw
        and entry.topic == speaker.topic
        and entry.index > speaker.stay
    ]
    by_index = {entry.index: entry for entry in (*own, *elsewhere)}
    happened = occurrences(view, (by_index[index] for index in sorted(by_index)))
    for each in happened:
        if each.entry.kind is Kind.CLOSED:  # has no place in any audio
            each.at_s = speaker.samples / SAMPLE_RATE
    met = meet(cues, (each.entry for each in happened))
    seen = {entry.index for entry in own}
    shown = [each for each in happened if each.entry.index in met or not seen.isdisjoint(each.indexes)]
    heard_ms = speaker.samples // SAMPLES_PER_MS
    began_s = next((each.at_s for each in happened if each.entry.index in seen), None)
    known_ms = -1 if began_s is None or not view.first else round(began_s * SAMPLE_RATE) // SAMPLES_PER_MS
    state = partial(_state, heard_ms=heard_ms, known_ms=known_ms, over=speaker.left_cleanly is not None)
    audio = f"{speaker.samples / SAMPLE_RATE:.3f} s of {speaker.options.audio_codec.value} audio"
    title = f"{speaker.conversation} · {speaker.speaker} · {audio} · {_STATES[speaker.left_cleanly]}"
    return Table(title, _beside(list(rows_of(shown, speaker.speaker, met)), cues), state)


def _of_name(space: Space, view: JournalView, where: str, name: str, heard: Sequence[Entry]) -> Table:
    """A name that sent nothing: a ghost, or one that a test made speak. Its axis is what its events say."""
    scenario = _scenario_of(space, where)
    script = scenario.speakers.get(name)
    heard_ms = max((_end_ms(entry) for entry in heard), default=0)
    ghost = script is not None and script.ghost
    cues = of_script(space, scenario, name, heard_ms) if ghost else []
    happened = occurrences(view, heard)
    met = meet(cues, (each.entry for each in happened))
    last_ms = 0
    for each in happened:
        last_ms = max(last_ms, _end_ms(each.entry))
        each.at_s = last_ms / 1000
    over = any(entry.event == "speaker_left" for entry in heard)
    title = f"{where} · {name} · {'a ghost' if ghost else 'never joined'}"
    state = partial(_state, heard_ms=heard_ms, known_ms=-1, over=over)
    return Table(title, _beside(list(rows_of(happened, name, met)), cues), state)


def _scenario_of(space: Space, where: str) -> Scenario:
    spoke = (speaker.scenario for speaker in space.hearings if speaker.conversation == where and speaker.scenario)
    return next(spoke, None) or space.scenario_for(where)


def _end_ms(entry: Entry) -> int:
    """Where an event says that its audio ends; 0 when it does not say."""
    end = fields_of(entry).get("end")
    return max(end, 0) if isinstance(end, int) else 0


def _of_no_speaker(view: JournalView, rest: Sequence[Entry]) -> Rows:
    began = view.entries[0].now if view.entries else 0.0
    by_index = {entry.index: entry for entry in rest}
    rows: Rows = []
    for row in rows_of(occurrences(view, rest), None):
        if not row.indexes:
            continue
        entry = by_index[row.indexes[0]]
        who = " in ".join(part for part in (entry.speaker, view.conversation(entry.topic)) if part)
        row.at_s = entry.now - began
        row.text = f"{who}: {row.text}" if who else row.text
        rows.append((None, row))
    return rows


# --- cues -------------------------------------------------------------------------------------------------


def _beside(lines: Sequence[TimelineRow], cues: Iterable[Expected]) -> Rows:
    """The rows with the cue that each met; cues that met nothing stand where they were due."""
    with_line: dict[int, list[Expected]] = {}
    before: dict[int, list[Expected]] = {}
    line_of = {index: number for number, line in enumerate(lines) for index in line.indexes}
    for cue in cues:
        numbers = [line_of[entry.index] for entry in cue.entries if entry.index in line_of]
        if numbers:
            with_line.setdefault(numbers[0], []).append(cue)
            continue
        due_s = float("inf") if cue.axis is Axis.LEFT else cue.due_ms / 1000
        number = next((number for number, line in enumerate(lines) if line.at_s > due_s), len(lines))
        before.setdefault(number, []).append(cue)
    rows: Rows = []
    for number, line in enumerate(lines):
        rows += [(cue, None) for cue in before.get(number, [])]
        first, *more = with_line.get(number, [None])
        rows.append((first, line))
        rows += [(cue, None) for cue in more]
    return rows + [(cue, None) for cue in before.get(len(lines), [])]


def _state(cue: Expected, heard_ms: int, known_ms: int, *, over: bool) -> str:
    """What a cue came to; empty when all of it came."""
    missing = cue.missing.total()
    reached = cue.axis is not Axis.AUDIO or cue.due_ms <= heard_ms
    if not cue.says:
        return "no interims"
    if not missing or (cue.axis is Axis.AUDIO and cue.due_ms <= known_ms):
        return ""
    if cue.entries:
        return f"{len(cue.says) - missing} of {len(cue.says)}"
    if isinstance(cue.cue.action, Fault) and reached and cue.axis is not Axis.LEFT:
        return "armed"
    return "never" if over else "not yet"


_AXES = {Axis.JOINED: "join", Axis.FIRST_AUDIO: "first"}


def _due(cue: Expected) -> str:
    if cue.axis is Axis.LEFT:
        return "leave"
    seconds = f"{cue.due_ms / 1000:.3f}"
    if cue.axis is Axis.AUDIO:
        return seconds
    return f"{_AXES[cue.axis]}+{seconds}" if cue.due_ms else _AXES[cue.axis]


# --- layout -----------------------------------------------------------------------------------------------


def _fitted(tables: Sequence[list[str]], room: int) -> Iterator[str]:
    """The tables in so many lines: long ones lose some of their middle; if that is not enough, the last go."""
    most = max(1, room // (_LEAST_OF_A_TABLE + 2))
    shown, hidden = tables[:most], tables[most:]
    share = _share([len(table) for table in shown], room)
    for table in shown:
        yield from _cut(table, share)
    if hidden:
        yield f"… {len(hidden)} more tables, {sum(map(len, hidden))} lines, left out"


def _share(lengths: Sequence[int], room: int) -> int:
    """The longest that tables may be to fit together."""
    if sum(lengths) <= room:
        return max(lengths, default=0)
    left, among = room, len(lengths)
    for length in sorted(lengths):
        if length * among > left:
            return max(_LEAST_OF_A_TABLE, left // among)
        left -= length
        among -= 1
    return max(lengths)


def _cut(table: list[str], most: int) -> list[str]:
    if len(table) <= most:
        return table
    head = most * 2 // 3
    tail = most - head - 1
    return [*table[:head], f"    … {len(table) - head - tail} lines left out", *table[len(table) - tail :]]


def _plain(text: str, *, strip: bool = True) -> str:
    """A text on one line, without secrets and without what a terminal would obey."""
    words = " ".join(text.split()) if strip else text
    return "".join(char if char.isprintable() else "·" for char in mask_tokens(words))
