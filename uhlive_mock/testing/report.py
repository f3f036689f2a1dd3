"""The words in which a test's verdict is told."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..verification.rules import Problem

MOST_PROBLEMS = 10
"""How many problems of one test are told in full."""

MOST_LINES = 80
"""How many lines of a timeline a report shows; the kept file has all of them."""

MOST_NOTES = 30
"""How many notes the summary of a run shows."""


def told(problems: Sequence[Problem]) -> str:
    """Every problem, and after the last one of a rule how to allow it."""
    found = "a problem" if len(problems) == 1 else f"{len(problems)} problems"
    shown = problems[:MOST_PROBLEMS]
    last = {problem.rule: problem for problem in shown}
    parts = [f"uhlive-mock found {found}: {', '.join(last)}"]
    for problem in shown:
        text = str(problem) if problem is last[problem.rule] else f"{problem.rule}: {problem.text}"
        parts.append(textwrap.indent(text, "  "))
    if left := len(problems[MOST_PROBLEMS:]):
        parts.append(f"  and {left} more")
    return "\n\n".join(parts)


def first_line(problem: Problem) -> str:
    """A problem in one line."""
    return f"{problem.rule}: {problem.text.partition(chr(10))[0]}"


def shortened(timeline: str) -> str:
    """A timeline as long as a report can bear: its beginning, and more of its end."""
    lines = timeline.splitlines()
    if len(lines) <= MOST_LINES:
        return timeline
    head, tail = MOST_LINES // 4, MOST_LINES - MOST_LINES // 4
    left_out = f"... {len(lines) - head - tail} lines are left out ..."
    return "\n".join([*lines[:head], left_out, *lines[-tail:]])


def summary(notes: Iterable[str]) -> list[str]:
    """The lines of a run's summary: each note once, with how often it came, and no more than anyone reads."""
    times: dict[str, int] = {}
    for note in notes:
        times[note] = times.get(note, 0) + 1
    lines = [note + (f" ({count} times)" if count > 1 else "") for note, count in times.items()]
    left = len(lines) - MOST_NOTES
    return [*lines[:MOST_NOTES], f"... and {left} more"] if left > 0 else lines
