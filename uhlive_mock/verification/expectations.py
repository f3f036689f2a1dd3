"""What a script should have made a speaker say, and which of it came.

A script is planned once more, as it was when its speaker joined, and what was sent meets what was planned, each
once and in order. A fault among the cues is met by its striking, or by its being let off.

They are compared by what an event says, its kind and its words, whatever vocabulary it is sent in.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator

import msgspec

from ..model.account import Vocabulary
from ..model.audio import SAMPLES_PER_MS
from ..model.events import Event, Interim, Normalized, Segment
from ..model.fault import Fault
from ..model.scenario import Cue, Say, Scenario, Script
from ..protocol.journal import Entry, Kind
from ..protocol.plan import Axis, Planner, place
from ..protocol.recognizer import SpeakerProfile
from ..protocol.records import Skipped, Struck
from ..protocol.space import Space
from ..protocol.speaker_audio import SpeakerAudio
from ..wire import vocabulary
from ..wire.vocabulary import EVENTS, Setting, render

SPEECH = {form.name: kind.kind for kind in (Interim, Segment, Normalized) for form in EVENTS[kind][:2]}
"""The kind of transcript that each event carries, by its name on the wire."""

_NOWHERE = Setting(topic="", client_id="", campaign_id="")


class EventSummary(msgspec.Struct, frozen=True):
    """What an event says: its kind, and its words, or the name of what it found with them."""

    kind: str
    text: str = ""

    def __str__(self) -> str:
        if self.kind in _QUOTED:
            return f'{self.kind} "{self.text}"'
        return f"{self.kind} {self.text}".rstrip()


_QUOTED = frozenset(SPEECH.values())


def summarize(event: object, payload: object) -> EventSummary:
    """What an event of that name and payload says."""
    return EventSummary(*vocabulary.summarize(event, payload))


def summarize_event(event: Event) -> EventSummary:
    """What an event will say once it is sent."""
    return summarize(*render(Vocabulary.UNIVERSAL, event, _NOWHERE))


MOST_TURNS = 100
"""So many turns of a script that loops are looked at."""


class Expected(msgspec.Struct, eq=False, kw_only=True):
    """One cue in one turn of its script. `due_ms` is where on its axis the last of its events is due."""

    cue: Cue
    index: int
    speaker: str
    turn: int
    axis: Axis
    due_ms: int
    says: list[EventSummary] = []
    """What is to come of it; interims that grow are not waited for."""
    missing: Counter[EventSummary] = msgspec.field(default_factory=Counter)
    """What has not come yet."""
    entries: list[Entry] = []
    """What has."""

    def __str__(self) -> str:
        line = f"line {self.cue.line}" if self.cue.line else ""
        which = ", ".join(filter(None, (line, f"turn {self.turn + 1}" if self.turn else "")))
        return f"cue {self.index} of {self.speaker}" + (f" ({which})" if which else "")

    @property
    def due(self) -> str:
        """When it is due, in words."""
        seconds = f"{self.due_ms / 1000:.3f} s"
        if self.axis is Axis.AUDIO:
            return f"at {seconds} of audio"
        if self.axis is Axis.LEFT:
            return "at the leave"
        moment = {Axis.JOINED: "the join", Axis.FIRST_AUDIO: "the first audio"}[self.axis]
        return f"{seconds} after {moment}" if self.due_ms else f"at {moment}"


def of_speaker(space: Space, audio: SpeakerAudio) -> list[Expected]:
    """What a speaker's script has planned, in the order it is due; of one that loops, as far as was heard."""
    options = audio.options
    profile = SpeakerProfile(
        speaker=options.speaker,
        model=options.model,
        country=options.country,
        interim_results=options.interim_results,
        rescoring=options.rescoring,
        origin_ms=options.origin,
    )
    scenario = scenario_of(space, audio)
    return _plan(space, scenario, scenario.script_for(options.speaker), profile, audio.samples // SAMPLES_PER_MS)


def scenario_of(space: Space, audio: SpeakerAudio) -> Scenario:
    """The scenario that speaks, or spoke, where a speaker was."""
    return audio.scenario or space.scenario_for(audio.conversation)


def of_script(space: Space, scenario: Scenario, name: str, heard_ms: int = 0) -> list[Expected]:
    """What the script of a name that never joined has planned, ghosts included; of one that loops, until there."""
    script, profile = scenario.speakers[name], SpeakerProfile(speaker=name, model="fr", country="fr")
    return _plan(space, scenario, script, profile, heard_ms)


def meet(cues: Iterable[Expected], entries: Iterable[Entry]) -> dict[int, Expected]:
    """Let what entries say that came meet what was planned. Returns the cue that each met, by its index."""
    waiting: defaultdict[EventSummary, deque[Expected]] = defaultdict(deque)
    for cue in cues:
        for words in cue.says:
            waiting[words].append(cue)
    met = {}
    for entry in entries:
        came = _came(entry)
        if came and waiting[came]:
            cue = waiting[came].popleft()
            cue.entries.append(entry)
            cue.missing[came] -= 1
            met[entry.index] = cue
    return met


def _came(entry: Entry) -> EventSummary | None:
    """What an entry can meet: what an event says, or a fault that struck or was let off; else None."""
    match entry.kind:
        case Kind.SENT if isinstance(entry.event, str) and not entry.event.startswith("phx_"):
            return summarize(entry.event, entry.payload)
        case Kind.FAULT | Kind.FAULT_SKIPPED if isinstance(entry.value, Struck | Skipped):
            return EventSummary("fault", str(entry.value.fault))
        case _:
            return None


def _plan(
    space: Space, scenario: Scenario, script: Script, profile: SpeakerProfile, heard_ms: int
) -> list[Expected]:
    planner = Planner(script, profile, scenario.timing, space.seed_of(scenario))
    cues: list[Expected] = []
    for turn in range(MOST_TURNS):
        start_ms = planner.next_turn_ms
        if start_ms is None:
            break
        cues += _turn(planner, script, scenario, profile.speaker, turn, start_ms)
        if start_ms > heard_ms:
            break
    cues.sort(key=lambda cue: (cue.axis is Axis.LEFT, cue.due_ms))
    if script.loop_ms is None:
        return cues
    ahead = [cue for cue in cues if cue.axis is Axis.AUDIO and cue.due_ms > heard_ms]
    return [cue for cue in cues if cue not in ahead[1:]]


def _turn(
    planner: Planner, script: Script, scenario: Scenario, speaker: str, turn: int, start_ms: int
) -> Iterator[Expected]:
    cues = {
        placed.index: Expected(
            cue=placed.cue,
            index=placed.index,
            speaker=speaker,
            turn=turn,
            axis=placed.axis,
            due_ms=placed.end_ms + start_ms,
        )
        for placed in place(script, scenario.timing)
        if not turn or placed.axis is Axis.AUDIO
    }
    for each in planner.turn():
        cue, event = cues[each.cue], each.event
        if isinstance(event, Interim) and isinstance(cue.cue.action, Say):
            continue
        words = EventSummary("fault", str(event)) if isinstance(event, Fault) else summarize_event(event)
        cue.says.append(words)
        cue.missing[words] += 1
    yield from cues.values()
