"""Whether the server delivered a transcript, what came closest, and why it may be missing.

A miss is near when its words are alike, and nearer still when it differs in nothing else. Why one is missing is
asked of the script that should have said it: what no audio has reached, what still waits, what a fault struck.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from functools import cache, partial

import msgspec

from ..model.audio import SAMPLE_RATE
from ..model.fault import Stage
from ..model.scenario import ANYONE, Scenario
from ..protocol.journal import Entry, Kind
from ..protocol.plan import Axis
from ..protocol.records import Struck
from ..protocol.redaction import mask_tokens
from ..protocol.space import Space
from ..protocol.speaker_audio import SpeakerAudio
from .expectations import SPEECH, Expected, meet, of_script, of_speaker, scenario_of, summarize
from .messages import NEAREST, JournalView, Wanted, lost, shortened

KINDS = tuple(dict.fromkeys(SPEECH.values()))
"""The kinds of transcripts."""

_LIKELY = 0.6
"""Words less alike than this are no near miss."""

_LITTLE = 0.7
"""When more than this of a text differs, a mark under it would mark nearly all."""

_WIDEST = 80


class Transcript(Wanted, frozen=True, kw_only=True):
    """A transcript that is asked for: its exact words, and optionally the speaker, the conversation,
    the receiver and the kind."""

    text: str
    to: str | None = None
    kind: str | None = "segment"

    def matches(self, entry: Entry) -> bool:
        """Whether an entry is such a delivery."""
        return _is_transcript(entry) and _text(entry) == self.text and not self.differences(entry)

    def differences(self, entry: Entry) -> list[str]:
        """What a delivered transcript has otherwise than in its words, a line each."""
        kind = summarize(entry.event, entry.payload).kind
        lines = list(self.elsewhere(entry))
        if self.kind not in (None, kind):
            lines.insert(0, f"kind: expected {self.kind}, found {kind} ({entry.event})")
        if self.to not in (None, entry.to):
            lines.append(f"to: expected {self.to!r}, found {entry.to!r}")
        return lines

    def __str__(self) -> str:
        return f"{self.kind or 'transcript'} {_quoted(self.text)}{self.whose}"


def delivered(space: Space, sought: Transcript) -> Entry | None:
    """The first such delivery."""
    return next((entry for entry in space.journal if sought.matches(entry)), None)


def why_not_delivered(space: Space, sought: Transcript, waited: str = "") -> str:
    """What to say when there was none."""
    view = JournalView(space)
    to = "" if sought.to is None else f" to {sought.to}"
    lines = [f"no {sought} was delivered{to}{waited}"]
    if misses := nearest(view, sought):
        lines.append("the nearest:")
        for entry in misses[:NEAREST]:
            lines.append(f"  {view.moment(entry)}: {summarize(entry.event, entry.payload).kind} of {entry.speaker}")
            lines += [f"    {line}" for line in sought.differences(entry)]
            lines += [f"    {line}" for line in _marked(sought.text, _text(entry))]
    elif not any(map(_is_transcript, view.entries)):
        lines.append("no transcript was delivered at all")
    if reasons := list(_reasons(space, view, sought)):
        lines.append("why it may be missing:")
        lines += [f"  {reason}" for reason in reasons]
    lines += lost(view)
    return "\n  ".join(lines)


def nearest(view: JournalView, sought: Transcript) -> list[Entry]:
    """The deliveries that are most alike, nearest first; of deliveries that say the same, the first.

    A delivery of another kind, unless it says just that, is for when there are no others.
    """
    unlike: dict[tuple[object, ...], tuple[tuple[bool, float], Entry]] = {}
    alike = cache(partial(_alike, sought.text))
    for entry in filter(_is_transcript, view.entries):
        text = _text(entry)
        lines = sought.differences(entry)
        if alike(text) < _LIKELY or (text == sought.text and not lines):
            continue
        other = text != sought.text and not _fits(summarize(entry.event, entry.payload).kind, sought)
        unlike.setdefault((text, *lines), ((other, len(lines) + 10 * (1 - alike(text))), entry))
    ranked = sorted(unlike.values(), key=lambda each: each[0])
    return [entry for (other, _), entry in ranked if other == ranked[0][0][0]]


def _alike(wanted: str, found: str) -> float:
    if wanted == found:
        return 1.0
    matcher = difflib.SequenceMatcher(None, wanted, found, autojunk=False)
    return matcher.ratio() if matcher.real_quick_ratio() >= _LIKELY and matcher.quick_ratio() >= _LIKELY else 0.0


def _is_transcript(entry: Entry) -> bool:
    return entry.kind is Kind.SENT and isinstance(entry.event, str) and entry.event in SPEECH


def _text(entry: Entry) -> str:
    return summarize(entry.event, entry.payload).text


def _quoted(text: str) -> str:
    return f'"{shortened(mask_tokens(text), _WIDEST)}"'


def _marked(wanted: str, found: str) -> list[str]:
    """Both texts, with a mark under where they differ; of long ones, what is around that."""
    if wanted == found:
        return []
    wanted, found = mask_tokens(wanted), mask_tokens(found)
    start, shortest = 0, min(len(wanted), len(found))
    while start < shortest and wanted[start] == found[start]:
        start += 1
    end = 0
    while end < shortest - start and wanted[-1 - end] == found[-1 - end]:
        end += 1
    width = max(1, len(found) - end - start)
    skipped = start - 30 if max(len(wanted), len(found)) > _WIDEST and start > 40 else 0
    lead = "…" if skipped else ""
    shown = [shortened(text[skipped:], _WIDEST) for text in (wanted, found)]
    lines = [f"expected  {lead}{shown[0]}", f"found     {lead}{shown[1]}"]
    if width <= len(found) * _LITTLE:
        mark = " " * (len(lead) + start - skipped) + "^" * width
        lines.append(f"          {mark[: _WIDEST + len(lead)]}")
    return lines


# --- why it is missing ---


def _reasons(space: Space, view: JournalView, sought: Transcript) -> Iterator[str]:
    speakers = [
        speaker
        for speaker in space.hearings
        if sought.speaker in (None, speaker.speaker) and sought.conversation in (None, speaker.conversation)
    ]
    if not speakers:
        where = "" if sought.conversation is None else f" in {sought.conversation}"
        joined = ", ".join(dict.fromkeys(f"{each.speaker} in {each.conversation}" for each in space.hearings))
        never = f"{sought.speaker} never" if sought.speaker else "nobody"
        yield f"{never} joined{where}; joined: {joined or 'nobody'}"
    scripted = False
    for speaker in speakers:
        cues = of_speaker(space, speaker)
        meet(cues, (entry for entry in view.entries if entry.stay == speaker.stay))
        for cue in cues:
            says = [words for words in cue.says if words.text == sought.text and _fits(words.kind, sought)]
            scripted |= bool(says)
            if any(cue.missing[words] for words in says):
                yield _unmet(space, speaker, cue)
    scenarios = {id(each): each for each in (scenario_of(space, speaker) for speaker in speakers)}
    absent = list(_absent(space, list(scenarios.values()) or list(space.scenarios), sought))
    for cue, why in absent:
        if any(words.text == sought.text and _fits(words.kind, sought) for words in cue.says):
            scripted = True
            yield f"{cue} says it {cue.due}; {why}"
    if not scripted:
        names = ", ".join(scenario.name for scenario in scenarios.values() or space.scenarios)
        present = (cue for speaker in speakers for cue in of_speaker(space, speaker))
        yield _unscripted(names, [*present, *(cue for cue, _ in absent)], sought)
        yield from space.unheard()
    yield from _struck(view, sought)
    yield from _unheard(view, sought)


def _absent(space: Space, scenarios: Iterable[Scenario], sought: Transcript) -> Iterator[tuple[Expected, str]]:
    """The cues of the names that never joined, and why they came to nothing."""
    joined = {speaker.speaker for speaker in space.hearings}
    for scenario in scenarios:
        for name, script in scenario.speakers.items():
            if name not in (ANYONE, *joined) and sought.speaker in (None, name):
                why = f"{name} is a ghost" if script.ghost else f"{name} never joined"
                for cue in of_script(space, scenario, name):
                    yield cue, why


def _unheard(view: JournalView, sought: Transcript) -> Iterator[str]:
    """Why the one it was for did not hear what others did."""
    anyone = msgspec.structs.replace(sought, to=None)
    said_at = [entry.index for entry in view.entries if anyone.matches(entry)]
    if sought.to is None or not said_at:
        return
    joins = sorted(
        {stay for stay, speaker in view.speakers.items() if speaker.speaker == sought.to}
        | {entry.index for entry in view.entries if entry.stay == entry.index and entry.speaker == sought.to}
    )
    if not joins:
        yield f"{sought.to} never joined"
    elif joins[0] > said_at[0]:
        yield f"{sought.to} joined (#{joins[0]}) after it was delivered (#{said_at[0]})"


def _fits(kind: str, sought: Transcript) -> bool:
    return kind in KINDS if sought.kind is None else kind == sought.kind


def _unmet(space: Space, speaker: SpeakerAudio, cue: Expected) -> str:
    heard_s = speaker.samples / SAMPLE_RATE
    over = speaker.left_cleanly is not None
    says = f"{cue} says it {cue.due}"
    if cue.axis is Axis.AUDIO and cue.due_ms / 1000 > heard_s:
        return f"{says}; {speaker.speaker} {'sent' if over else 'has sent'} {heard_s:.3f} s"
    if over and cue.axis is Axis.AUDIO:
        return f"{says}, which was reached"
    if over:
        return f"{says}, and {speaker.speaker} has left"
    if cue.axis is Axis.LEFT:
        return f"{says}, and {speaker.speaker} has not left"
    latency_ms = scenario_of(space, speaker).timing.latency_ms
    brings = "time" if space.paced else "advance()"
    more = "more audio, " if space.follow_audio and cue.axis is Axis.AUDIO else ""
    return f"{says}, plus {latency_ms} ms of latency; {more}{brings} or a leave brings it"


def _unscripted(names: str, cues: list[Expected], sought: Transcript) -> str:
    ranked = sorted(
        (
            (_alike(sought.text, words.text), cue, words)
            for cue in cues
            for words in cue.says
            if words.kind in KINDS
        ),
        key=lambda each: -each[0],
    )
    if not ranked or not ranked[0][0]:
        return f"no cue of {names} says it"
    _, cue, words = ranked[0]
    return f"no cue of {names} says it; the nearest is {cue}: {words.kind} {_quoted(words.text)}"


def _struck(view: JournalView, sought: Transcript) -> Iterator[str]:
    struck = [
        entry
        for entry in view.entries
        if entry.kind is Kind.FAULT
        and isinstance(entry.value, Struck)
        and entry.value.fault.kind.stage is Stage.EVENTS
        and isinstance(entry.event, str)
        and entry.event in SPEECH
        and _fits(SPEECH[entry.event], sought)
        and sought.to in (None, entry.speaker)
    ]
    for entry in struck[:NEAREST]:
        yield f"fault {entry.note} struck {entry.event} on its way to {entry.speaker} (#{entry.index})"
    if len(struck) > NEAREST:
        yield f"and {len(struck) - NEAREST} more faults struck"
