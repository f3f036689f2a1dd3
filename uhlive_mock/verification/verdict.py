"""Whether a space's test may pass: everything that speaks against it, worst first."""

from __future__ import annotations

import msgspec

from .rules import opt_out
from .violation import Severity


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that speaks against a test.

    `rule` is what an opt-out names: an id of `rules.RULES` or `rules.OTHERS`. `text` is what the user reads, on one
    line or several: who, what happened, the frame, the moment, from where we know. As text of its own, a problem
    also says its rule and how to opt out.
    """

    rule: str
    severity: Severity
    text: str

    def __str__(self) -> str:
        where = [f"  to allow it {place}: {what}" for place, what in opt_out(self.rule).items()]
        return "\n".join([f"{self.rule}: {self.text}", *where])


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
