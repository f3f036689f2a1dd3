"""What was expected beside what happened, as text.

Each speaker's stay has a table of its own, on the axis of its audio. On the left stand the cues of its script, with
where they are due; on the right stands what happened, with how much audio had come by then:

        due  expected                       │      at  happened
                                            │   0.000  phx_join model=fr → ok
                                            │   0.000  … 22 chunks, 2.200 s of audio, 5 interims
      2.100  say "bonjour…"                 │   2.200  segment "bonjour…" → Alice, Olga
     12.000  fault close: 1011        never │   2.200  phx_leave

A cue stands beside what came of it; one that came to nothing says `never`, or `not yet` while its speaker stays.
Chunks of audio, interims that grow and answers that say ok are only counted. Tables follow of ghosts, of others
who were made to speak, and of what belongs to no speaker.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from ..model.audio import SAMPLE_RATE, SAMPLES_PER_MS
from ..model.fault import Fault
from ..model.scenario import Action, RawEvent, SayEntity, SayRelation, SayTags, Scenario
from ..protocol.journal import Entry, Kind
from ..protocol.plan import Axis
from ..protocol.redaction import mask_tokens
from ..protocol.space import Space
from ..protocol.speaker_audio import SpeakerAudio
from .expectations import Expected, came, meet, of_hearing, of_script
from .messages import shortened
from .stays import Placed, Stay, Stays
from .timeline_rows import TimelineRow, happenings, rows_of

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
    stays = Stays(space)
    head = [shortened(_plain(line), width) for line in _head(space, stays, conversation)]
    tables = [table.text(width) for table in _tables(space, stays, conversation) if table.rows]
    return "\n".join([*head, *_fitted(tables, lines - len(head))])


def _head(space: Space, stays: Stays, conversation: str | None) -> Iterator[str]:
    scenarios = ", ".join(scenario.name for scenario in space.scenarios) or "no scenario"
    where = "" if conversation is None else f", conversation {conversation}"
    yield f"space {space.name}: {scenarios}, seed {space.seed}{where}"
    if stays.first:
        yield f"the journal has lost its first {stays.first} entries"
    if not stays.entries:
        yield "nothing has happened"
    if conversation is None:
        yield from space.unheard()[:_LEAST_OF_A_TABLE]


# --- tables -----------------------------------------------------------------------------------------------


Rows = list[tuple[Expected | None, TimelineRow | None]]


class Table:
    """What was expected of a speaker beside what happened. `state` says what a cue came to."""

    def __init__(self, title: str, rows: Rows, state: Callable[[Expected], str] = lambda cue: "") -> None:
        self.title = title
        self.rows = rows
        self._state = state

    def text(self, width: int) -> list[str]:
        """The lines, each no wider than `width`."""
        if any(cue for cue, _ in self.rows):
            rest = width - _DUE - _AT - len(_BETWEEN) - 4
            left = rest * 9 // 20
            right = rest - left
            heads = [_row("due", "expected", "", left, "at", "happened", right)]
            rows = [self._two_columns(cue, line, left, right) for cue, line in self.rows]
        else:
            heads = []
            rows = [f"{line.at_s:>{_AT}.3f}  {_happened(line, width - _AT - 2)}" for _, line in self.rows if line]
        title = ["", shortened(_plain(self.title), width)]
        return [*title, *(shortened(row, width) for row in heads + rows)]

    def _two_columns(self, cue: Expected | None, line: TimelineRow | None, left: int, right: int) -> str:
        due, words, state = ("", "", "") if cue is None else (_due(cue), _words(cue), self._state(cue))
        at, text = ("", "") if line is None else (f"{line.at_s:.3f}", _happened(line, right))
        return _row(due, words, state, left, at, text, right)


def _row(due: str, words: str, state: str, left: int, at: str, text: str, right: int) -> str:
    room = left - len(state) - 1 if state else left
    cell = f"{_quoted(_plain(words), room):<{room}}" + (f" {state}" if state else "")
    return f"{due:>{_DUE}}  {cell}{_BETWEEN}{at:>{_AT}}  {shortened(text, right)}".rstrip()


def _happened(line: TimelineRow, width: int) -> str:
    end = _plain(line.end, strip=False)
    return _quoted(_plain(line.text), max(width // 2, width - len(end))) + end


def _quoted(text: str, width: int) -> str:
    """A text that fits, with its closing quotation mark if it had one."""
    if len(text) <= width or not text.endswith('"'):
        return shortened(text, width)
    return shortened(text, width - 1) + '"'


def _tables(space: Space, stays: Stays, conversation: str | None) -> Iterator[Table]:
    own: dict[int, list[Placed]] = {}
    named: dict[tuple[str, str], list[Placed]] = {}
    rest: list[Placed] = []
    for placed in stays.placed:
        where, owners = stays.conversation(placed.entry.topic), list(_owners(stays, placed))
        for stay in owners:
            own.setdefault(id(stay), []).append(_at_its_end(placed, stay))
        if owners:
            continue
        if placed.entry.kind is Kind.SENT and placed.entry.speaker is not None and where is not None:
            named.setdefault((where, placed.entry.speaker), []).append(placed)
        elif conversation in (None, where):
            rest.append(placed)
    for stay in stays.all:
        if stay.hearing and conversation in (None, stay.hearing.conversation):
            yield _of_stay(space, stays, stay, stay.hearing, own.get(id(stay), []))
    for (where, name), heard in named.items():
        if conversation in (None, where):
            yield _of_name(space, where, name, heard)
    yield Table("others, in seconds since the first entry", _of_nobody(stays, rest))


def _owners(stays: Stays, placed: Placed) -> Iterator[Stay]:
    """Whose tables show an entry; of what is about a whole socket, that of whoever is concerned."""
    entry = placed.entry
    if entry.kind not in (Kind.OPENED, Kind.CLOSED):
        if placed.stay and placed.stay.hearing:
            yield placed.stay
        return
    here = [stay for stay in stays.all if stay.socket == entry.socket and stay.hearing]
    lost = [stay for stay in here if stay.hearing and stay.hearing.left_cleanly is not True]
    yield from here[:1] if entry.kind is Kind.OPENED else lost or here[-1:]


def _at_its_end(placed: Placed, stay: Stay) -> Placed:
    """The end of a socket, which has no place in anybody's audio, where a stay's audio ended."""
    return Placed(placed.entry, stay) if placed.entry.kind is Kind.CLOSED else placed


_STATES = {None: "still there", True: "left", False: "did not leave by itself"}


def _of_stay(space: Space, stays: Stays, stay: Stay, hearing: SpeakerAudio, own: Sequence[Placed]) -> Table:
    cues = of_hearing(space, hearing)
    # An event that the scenario wrote itself names whom it likes, and so may stand with anybody.
    begins = stay.join.index if stay.join else -1
    raw = {cue.cue.action.name for cue in cues if isinstance(cue.cue.action, RawEvent)}
    strays = [
        placed
        for placed in (stays.placed if raw else ())
        if placed.entry.kind is Kind.SENT
        and placed.entry.event in raw
        and placed.entry.topic == hearing.topic
        and placed.entry.index > begins
    ]
    by_index = {placed.entry.index: placed for placed in (*own, *strays)}
    happened = happenings(by_index[index] for index in sorted(by_index))
    met = meet(cues, ((each.entry, words) for each in happened if (words := came(each.entry))))
    seen = {placed.entry.index for placed in own}
    shown = [each for each in happened if each.entry.index in met or not seen.isdisjoint(each.indexes)]
    known_ms = own[0].samples // SAMPLES_PER_MS if own and stays.first else -1

    def state(cue: Expected) -> str:
        return _state(cue, hearing.samples // SAMPLES_PER_MS, known_ms, over=hearing.left_cleanly is not None)

    audio = f"{hearing.samples / SAMPLE_RATE:.3f} s of {hearing.options.audio_codec.value} audio"
    title = f"{hearing.conversation} · {hearing.speaker} · {audio} · {_STATES[hearing.left_cleanly]}"
    return Table(title, _beside(list(rows_of(shown, hearing.speaker, met)), cues, met), state)


def _of_name(space: Space, where: str, name: str, heard: Sequence[Placed]) -> Table:
    """Somebody who sent nothing: a ghost, or whoever a test made speak. Its axis is what its events say."""
    scenario = _scenario_of(space, where)
    script = scenario.speakers.get(name)
    ends = [_end_ms(placed.entry) for placed in heard]
    heard_ms = max((end for end in ends if end is not None), default=0)
    ghost = script is not None and script.ghost
    cues = of_script(space, scenario, name, heard_ms) if ghost else []
    happened = happenings(heard)
    met = meet(cues, ((each.entry, words) for each in happened if (words := came(each.entry))))
    last_ms = 0
    for each in happened:
        end_ms = _end_ms(each.entry)
        last_ms = max(last_ms, 0 if end_ms is None else end_ms)
        each.samples = last_ms * SAMPLES_PER_MS
    over = any(placed.entry.event == "speaker_left" for placed in heard)
    title = f"{where} · {name} · {'a ghost' if ghost else 'never joined'}"
    rows = _beside(list(rows_of(happened, name, met)), cues, met)
    return Table(title, rows, lambda cue: _state(cue, heard_ms, -1, over=over))


def _scenario_of(space: Space, where: str) -> Scenario:
    for hearing in space.hearings:
        if hearing.conversation == where and hearing.scenario:
            return hearing.scenario
    return space.scenario_for(where)


def _end_ms(entry: Entry) -> int | None:
    end = entry.payload.get("end") if isinstance(entry.payload, dict) else None
    return end if isinstance(end, int) else None


def _of_nobody(stays: Stays, rest: Sequence[Placed]) -> Rows:
    began = stays.entries[0].now if stays.entries else 0.0
    rows: Rows = []
    by_index = {placed.entry.index: placed for placed in rest}
    happened = happenings(rest)
    for line in rows_of(happened, None):
        if not line.indexes:
            continue
        entry = by_index[line.indexes[0]].entry
        where = stays.conversation(entry.topic)
        who = " in ".join(part for part in (entry.speaker, where) if part)
        line.at_s = entry.now - began
        line.text = f"{who}: {line.text}" if who else line.text
        rows.append((None, line))
    return rows


# --- cues -------------------------------------------------------------------------------------------------


def _beside(lines: Sequence[TimelineRow], cues: Iterable[Expected], met: dict[int, Expected]) -> Rows:
    """The lines with the cue that each met; cues that met nothing stand where they were due."""
    with_line: dict[int, list[Expected]] = {}
    before: dict[int, list[Expected]] = {}
    line_of = {index: number for number, line in enumerate(lines) for index in line.indexes}
    for cue in cues:
        numbers = [line_of[entry.index] for entry in cue.entries if entry.index in line_of]
        if numbers:
            with_line.setdefault(numbers[0], []).append(cue)
            continue
        due_s = float("inf") if cue.axis is Axis.LEFT else cue.due_ms / 1000
        place = next((number for number, line in enumerate(lines) if line.at_s > due_s), len(lines))
        before.setdefault(place, []).append(cue)
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
    if cue.met:
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


def _words(cue: Expected) -> str:
    return _action(cue.cue.action)


def _action(action: Action) -> str:
    match action:
        case SayEntity():
            return f'entity {action.name} "{action.source}"'
        case SayRelation():
            return f"relation {action.name}"
        case SayTags():
            return f"tags {', '.join(tag.label for tag in action.tags)}"
        case RawEvent():
            return f"event {action.name}"
        case Fault():
            return f"fault {action}"
        case spoken:
            return f'{type(spoken).__name__.removeprefix("Say").lower() or "say"} "{spoken.text}"'


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
