"""Whether a test may pass: what its client did wrong, what its scenario waited for in vain, and what we did wrong.

    violations           what the linter found; at the end, also each speaker who never left
    unplayed_cue         a cue that a stay ended without, or at the end has not reached; a warning where a fault
                         ended the stay
    unheard              a scenario the test was given, or a speaker of one, that never had a chance; if nobody
                         joined at all, that once
    unstruck_fault       a fault that lay in wait for nothing
    unexpected_contact   anything at all from the client, where the test expected nothing; then nothing is unheard
    defect               an exception of ours, with its traceback; never allowed away

The built-in call of a space that was given none expects nobody.

The journal is read when something is asked, never as things happen: each entry once, in order, and none missed. It
is bounded, so it also asks by itself to be read before it drops what was not; then a portion is enough, so that
recording waits no longer than that takes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Self

from ..model.behaviour import MEANINGS
from ..model.fault import FaultKind, Stage
from ..model.scenario import ANYONE
from ..protocol.channel import Channel
from ..protocol.journal import Entry, Kind
from ..protocol.plan import Axis
from ..protocol.records import Skipped, Struck
from ..protocol.space import Space
from ..scenarios import builtin_scenario
from .linter import Linter
from .messages import frame_text
from .rules import DEFECT, EVERYTHING, OTHERS, Problem, Severity, Verdict, Violation

_WORST_FIRST = tuple(Severity)


def judge(
    space: Space,
    *,
    allowed: Collection[str] = frozenset(),
    expected_nothing: bool = False,
    at_end: bool = False,
) -> Verdict:
    """Everything that speaks against the test of a space.

    Args:
        allowed: ids of rules that it may break, `*` for all.
        expected_nothing: the client was to leave the service alone.
        at_end: nothing is to come; else who has not left yet may still, and what was not heard yet may be.
    """
    reader = JournalReader.of(space)
    problems = [*_defects(reader), *_contacts(reader, expected_nothing=expected_nothing)]
    problems += map(of_violation, reader.violations() + (reader.still_joined() if at_end else []))
    problems += _unplayed(space, reader, at_end=at_end)
    if at_end and not expected_nothing:
        problems += _unheard(space)
    problems += _unstruck(space, reader, at_end=at_end)
    kept = [
        problem
        for problem in problems
        if problem.rule == DEFECT or not (problem.rule in allowed or EVERYTHING in allowed)
    ]
    return Verdict(problems=tuple(sorted(kept, key=lambda problem: _WORST_FIRST.index(problem.severity))))


def of_violation(violation: Violation) -> Problem:
    """A violation as a problem."""
    who = f"{violation.speaker}: " if violation.speaker is not None else ""
    often = f" ({violation.times} times)" if violation.times > 1 else ""
    lines = [f"{who}{violation.sentence}{often}", f"  in entry {violation.entry}: {violation.frame}"]
    if violation.at_s is not None:
        lines.append(f"  at {violation.at_s:.3f} s of {violation.speaker or 'the speaker'}'s audio")
    lines.append(f"  {MEANINGS[violation.grade][0]}: {violation.evidence}")
    return Problem(rule=violation.rule, severity=violation.severity, text="\n".join(lines))


# --- what never happened ---


def _unplayed(space: Space, reader: JournalReader, *, at_end: bool) -> Iterator[Problem]:
    for entry, struck in reader.unplayed:
        if struck:
            yield _problem("unplayed_cue", f"{entry.note}; a fault ended the stay", Severity.WARNING)
        else:
            yield _problem("unplayed_cue", entry.note or "")
    for channel in _channels(space) if at_end else ():
        for cue in channel.player.unplayed():
            # What the audio has reached is only waiting for its latency.
            if cue.axis is not Axis.AUDIO or cue.due_ms > cue.received_ms:
                yield _problem("unplayed_cue", f"{cue}; {channel.speaker} is still there")


def _channels(space: Space) -> Iterator[Channel]:
    for conversation in space.conversations.values():
        for participant in conversation.participants:
            if isinstance(participant, Channel) and not participant.options.readonly:
                yield participant


def _unheard(space: Space) -> Iterator[Problem]:
    if all(scenario is builtin_scenario() for scenario in space.scenarios):
        return
    sentences = space.unheard()
    if sentences and not space.hearings:
        names = ", ".join(repr(scenario.name) for scenario in space.scenarios)
        wanted = dict.fromkeys(
            name
            for scenario in space.scenarios
            for name, script in scenario.speakers.items()
            if name != ANYONE and not script.ghost
        )
        waited = f"; it waited for {', '.join(map(repr, wanted))}" if wanted else ""
        yield _problem("unheard", f"nobody joined, so nothing was heard of scenario {names}{waited}")
        return
    for sentence in sentences:
        yield _problem("unheard", sentence)


def _unstruck(space: Space, reader: JournalReader, *, at_end: bool) -> Iterator[Problem]:
    for entry in reader.unstruck:
        if isinstance(entry.value, Skipped):
            whose = f" {entry.speaker}" if entry.speaker is not None else ""
            text = f"fault {entry.value.fault} never struck{whose}: {entry.value.why}"
            yield _problem("unstruck_fault", text)
    for fault in space.faults.unstruck() if at_end else ():
        yield _problem("unstruck_fault", f"fault {fault} never struck: its turn never came")


# --- what should not have happened ---


def _contacts(reader: JournalReader, *, expected_nothing: bool) -> Iterator[Problem]:
    if expected_nothing and reader.first_contact:
        yield _problem("unexpected_contact", contact(reader.first_contact, reader.contacts))


def contact(first: Entry, times: int) -> str:
    """What to say of a client that was to leave the service alone."""
    often = f", the first of {times} contacts" if times > 1 else ""
    return f"the client was to leave the service alone{often}\n  in entry {first.index}: {frame_text(first)}"


def _defects(reader: JournalReader) -> Iterator[Problem]:
    for entry in reader.defects:
        text = "\n".join(f"  {line}" for line in str(entry.value).rstrip().splitlines())
        yield _problem(DEFECT, f"uhlive-mock itself failed, in entry {entry.index}; please report it\n{text}")


def _problem(rule: str, text: str, severity: Severity | None = None) -> Problem:
    return Problem(rule=rule, severity=severity or OTHERS[rule].severity, text=text)


# --- reading the journal ---


PORTION = 1000
"""How many entries are read at once to make room."""

_CONTACT = frozenset({Kind.LOGIN, Kind.OPENED, Kind.REFUSED, Kind.RECEIVED})


class JournalReader:
    """Reads the journal of one space; `of` finds the one that does."""

    def __init__(self, space: Space) -> None:
        self._journal = space.journal
        self._read = 0
        self._struck: set[int] = set()
        """Sockets where a fault struck since the client last said anything."""
        identifiers = space.accounts.keys() if space.behaviour.identifier_must_match else None
        self._linter = Linter(identifiers=identifiers, paced=space.paced)
        self.unplayed: list[tuple[Entry, bool]] = []
        """The entries of cues that were never played; whether a fault ended the participation."""
        self.unstruck: list[Entry] = []
        """Faults that did not strike, but for those that chance or the test took out."""
        self.defects: list[Entry] = []
        self.contacts = 0
        self.first_contact: Entry | None = None
        self._journal.keep_for(self)

    @classmethod
    def of(cls, space: Space) -> Self:
        """The reader of a space, up to date; it begins with the first call."""
        readers = (reader for reader in space.journal.readers if isinstance(reader, cls))
        reader = next(readers, None) or cls(space)
        reader.catch_up()
        return reader

    def make_room(self) -> int:
        """Read some of the oldest entries; the index of the first that is not read."""
        self.catch_up(PORTION)
        return self._read

    def violations(self) -> list[Violation]:
        """What the client did wrong."""
        return self._linter.violations()

    def still_joined(self) -> list[Violation]:
        """A violation for each speaker who has not left."""
        return self._linter.still_joined()

    def catch_up(self, at_most: int | None = None) -> None:
        """Read everything there is, or so many of the oldest entries."""
        for entry in self._journal.oldest(self._read, at_most):
            self._linter.feed(entry)
            self._note(entry)
            self._read = entry.index + 1

    def _note(self, entry: Entry) -> None:
        if entry.kind in _CONTACT or entry.kind is Kind.CLOSED:
            self._struck.discard(entry.socket)
        if entry.kind in _CONTACT:
            self.contacts += 1
            self.first_contact = self.first_contact or entry
        elif entry.kind is Kind.UNPLAYED:
            self.unplayed.append((entry, entry.socket in self._struck))
        elif entry.kind is Kind.DEFECT:
            self.defects.append(entry)
        elif isinstance(entry.value, Struck) and entry.value.fault.kind in _ENDS_A_PARTICIPATION:
            self._struck.add(entry.socket)
        elif isinstance(entry.value, Skipped) and not entry.value.why.expected:
            self.unstruck.append(entry)


_ENDS_A_PARTICIPATION = frozenset(
    {
        kind
        for kind in FaultKind
        if kind.stage is Stage.CHANNEL or kind in (FaultKind.CLOSE, FaultKind.RESET, FaultKind.CUT_FRAME)
    }
)
