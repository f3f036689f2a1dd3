"""Whether a test may pass: what its client did wrong, what its scenario waited for in vain, and what we did wrong.

    violations           what the linter found; at the end, also whoever never left
    unplayed_cue         a cue that a stay ended without, or at the end has not reached; a warning where a fault
                         ended the stay
    unheard              a scenario the test was given, or a speaker of one, that never had a chance; if nobody
                         joined at all, that once
    unstruck_fault       a fault that lay in wait for nothing
    unexpected_contact   anything at all from the client, where the test expected nothing; then nothing is unheard
    defect               an exception of ours, with its traceback; never allowed away

The built-in call of a space that was given none expects nobody.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

import msgspec

from ..model.grade import MEANINGS
from ..model.scenario import ANYONE
from ..protocol.channel import Channel
from ..protocol.journal import Entry
from ..protocol.plan import Axis
from ..protocol.records import Skipped
from ..protocol.space import Space
from ..scenarios import builtin_scenario
from .messages import frame_text
from .reading import Reading
from .rules import DEFECT, EVERYTHING, OTHERS, Problem, Severity, Verdict, Violation


class Terms(msgspec.Struct):
    """What a test has said of how its client is to be judged."""

    allowed: frozenset[str] = frozenset()
    expects_nothing: bool = False


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
    reading = Reading.of(space)
    problems = [*_defects(reading), *_contacts(reading, expected_nothing=expected_nothing)]
    violations = reading.violations() + (reading.still_joined() if at_end else [])
    problems += map(of_violation, violations)
    problems += _unplayed(space, reading, at_end=at_end)
    if at_end and not expected_nothing:
        problems += _unheard(space)
    problems += _unstruck(space, reading, at_end=at_end)
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


def _unplayed(space: Space, reading: Reading, *, at_end: bool) -> Iterator[Problem]:
    for unplayed in reading.unplayed:
        if unplayed.struck:
            yield _problem("unplayed_cue", f"{unplayed.entry.note}; a fault ended the stay", Severity.WARNING)
        else:
            yield _problem("unplayed_cue", unplayed.entry.note or "")
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


def _unstruck(space: Space, reading: Reading, *, at_end: bool) -> Iterator[Problem]:
    for entry in reading.unstruck:
        if isinstance(entry.value, Skipped):
            fault, why = entry.value.fault, entry.value.why
            yield _problem("unstruck_fault", f"fault {fault} never struck{_whose(entry)}: {why}")
    for fault in space.faults.unstruck() if at_end else ():
        yield _problem("unstruck_fault", f"fault {fault} never struck: its turn never came")


def _whose(entry: Entry) -> str:
    return f" {entry.speaker}" if entry.speaker is not None else ""


# --- what should not have happened ---


def _contacts(reading: Reading, *, expected_nothing: bool) -> Iterator[Problem]:
    if expected_nothing and reading.first_contact:
        yield _problem("unexpected_contact", contact(reading.first_contact, reading.contacts))


def contact(first: Entry, times: int) -> str:
    """What to say of a client that was to leave the service alone."""
    often = f", the first of {times} contacts" if times > 1 else ""
    return f"the client was to leave the service alone{often}\n  in entry {first.index}: {frame_text(first)}"


def _defects(reading: Reading) -> Iterator[Problem]:
    for entry in reading.defects:
        lines = (entry.note or "").rstrip().splitlines()
        said = "\n".join(f"  {line}" for line in lines)
        yield _problem(DEFECT, f"uhlive-mock itself failed, in entry {entry.index}; please report it\n{said}")


def _problem(rule: str, text: str, severity: Severity | None = None) -> Problem:
    return Problem(rule=rule, severity=severity or OTHERS[rule].severity, text=text)
