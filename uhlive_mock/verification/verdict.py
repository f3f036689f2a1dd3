"""Whether a space's test may pass: everything that speaks against it, worst first."""

from __future__ import annotations

import msgspec

from .violation import Severity


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that speaks against a test.

    `rule` is what an opt-out names: the id of a violation, `unplayed_cue`, `unheard`, `unexpected_contact` or
    `defect`. `text` is what the user reads, on one line or several: what happened, the frame, the moment.
    """

    rule: str
    severity: Severity
    text: str


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """Every problem, worst first; those that were allowed are left out."""

    problems: tuple[Problem, ...] = ()

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that fail a strict test."""
        return tuple(problem for problem in self.problems if problem.severity is Severity.ERROR)

    @property
    def ok(self) -> bool:
        """Whether a strict test passes."""
        return not self.errors
