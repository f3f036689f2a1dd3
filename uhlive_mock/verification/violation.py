"""What a client did wrong, as a value."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from ..model.grade import Grade


class Severity(StrEnum):
    """How bad: an error fails a strict test, a warning is only told."""

    ERROR = "error"
    WARNING = "warning"


class Violation(msgspec.Struct, frozen=True, kw_only=True):
    """One rule that a client broke, and where it did so first.

    `rule` is its id, such as `push_before_join`; `sentence` says what the client did, `evidence` from where we
    know that it should not, with its `grade`. `entry` is the index of the journal entry that shows it and `frame`
    that message as text. `at_s` is the speaker's position on its audio axis then, in seconds; None before any
    audio. `times` counts the same speaker's breaking it again.
    """

    rule: str
    sentence: str
    severity: Severity
    grade: Grade
    evidence: str
    entry: int
    frame: str
    socket: int
    speaker: str | None = None
    topic: str | None = None
    at_s: float | None = None
    times: int = 1
