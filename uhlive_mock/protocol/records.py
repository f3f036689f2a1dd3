"""What the journal notes besides messages, as values.

Each kind of entry has a type here whose fields say what happened; `str()` of a value is the sentence that people
read. Whoever judges or asks looks at the fields, never at the sentence.

    opened         Opened          a socket, and its framing
    closed         Closed          who ended a socket, with which close code, and why
    refused        Refused         a request for a socket
    login          Login           a request for a token
    rule           RuleBroken      a limit that the client did not keep
    fault          Struck          a fault that applied
    fault_skipped  Skipped         a fault that did not, and why
    unplayed       Unplayed        a cue that the audio never reached
    malformed      Malformed       bytes that are no message
    defect         Defect          an exception of ours
    truncated      Truncated       entries that are gone
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

import msgspec

from ..model.fault import Fault
from ..wire.framing import Framing
from .plan import Axis
from .redaction import Redactor


class Kind(StrEnum):
    """What an entry records."""

    RECEIVED = "received"
    SENT = "sent"
    OPENED = "opened"
    CLOSED = "closed"
    REFUSED = "refused"
    UNPLAYED = "unplayed"
    RULE = "rule"
    FAULT = "fault"
    FAULT_SKIPPED = "fault_skipped"
    MALFORMED = "malformed"
    LOGIN = "login"
    DEFECT = "defect"
    TRUNCATED = "truncated"


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type"):
    """What every value has: the kind of the entry that carries it."""

    kind: ClassVar[Kind]


class Opened(Record, frozen=True, kw_only=True, tag="opened"):
    """A socket opened."""

    kind: ClassVar[Kind] = Kind.OPENED
    framing: Framing

    def __str__(self) -> str:
        return f"{self.framing} socket opened"


class Refused(Record, frozen=True, kw_only=True, tag="refused"):
    """A request got no socket. `why` never quotes the token."""

    kind: ClassVar[Kind] = Kind.REFUSED
    why: str

    def __str__(self) -> str:
        return self.why


class Login(Record, frozen=True, kw_only=True, tag="login"):
    """A request for a token: its grant, None for one that is not served, and how it was answered."""

    kind: ClassVar[Kind] = Kind.LOGIN
    grant: str | None
    status: int
    error: str | None = None

    def __str__(self) -> str:
        how = f"was refused with {self.status}: {self.error}" if self.error else "was granted"
        return f"{self.grant or 'a grant that is not served'} {how}"


class LimitRule(StrEnum):
    """The rules of `model.limits`, by the names that users type."""

    THROTTLE = "throttle"
    GAP = "gap"
    IDLE = "idle"
    CHUNK = "chunk"


class RuleBroken(Record, frozen=True, kw_only=True, omit_defaults=True, tag="rule_broken"):
    """A limit that the client did not keep.

    `limit` is what is allowed: bytes of a chunk, seconds of silence; `found` the bytes of a larger chunk.
    """

    kind: ClassVar[Kind] = Kind.RULE
    rule: LimitRule
    limit: float = 0.0
    found: float = 0.0

    @property
    def detail(self) -> str:
        """What was found and what is allowed."""
        match self.rule:
            case LimitRule.THROTTLE:
                return "audio comes faster than the limit"
            case LimitRule.GAP:
                return f"no audio for {self.limit:g} s"
            case LimitRule.IDLE:
                return f"idle for {self.limit:g} s"
            case LimitRule.CHUNK:
                return f"{self.found:.0f} bytes of audio in one chunk; at most {self.limit:.0f} are allowed"

    def __str__(self) -> str:
        return self.detail if self.rule is LimitRule.IDLE else f"{self.rule}: {self.detail}"


class Struck(Record, frozen=True, kw_only=True, tag="struck"):
    """A fault applied."""

    kind: ClassVar[Kind] = Kind.FAULT
    fault: Fault

    def __str__(self) -> str:
        return str(self.fault)


class SkipReason(StrEnum):
    """Why a fault did not apply."""

    CHANCE = "chance let it pass"
    CLEARED = "cleared"
    NOBODY_LEFT = "nobody was left"
    CHANNEL_GONE = "its channel was gone"
    SOCKET_GONE = "its socket was gone"
    NO_EVENT = "no event came before its speaker left"
    NO_TURN = "its turn never came"

    @property
    def expected(self) -> bool:
        """Whether chance or the test itself took the fault out, so that it need surprise no one."""
        return self in (SkipReason.CHANCE, SkipReason.CLEARED)


class Skipped(Record, frozen=True, kw_only=True, tag="skipped"):
    """A fault did not apply."""

    kind: ClassVar[Kind] = Kind.FAULT_SKIPPED
    fault: Fault
    why: SkipReason

    def __str__(self) -> str:
        return f"{self.fault}: {self.why}"


class Unplayed(Record, frozen=True, kw_only=True, omit_defaults=True, tag="unplayed"):
    """A cue that the received audio never reached, or reached in part.

    `index` is its place in the script and `line` that in the document, 0 without one; `played` of its `planned`
    events were sent.
    """

    kind: ClassVar[Kind] = Kind.UNPLAYED
    speaker: str
    index: int
    line: int = 0
    axis: Axis
    due_ms: int
    received_ms: int
    played: int
    planned: int

    def __str__(self) -> str:
        how = "was never played" if not self.played else f"was cut after {self.played} of {self.planned} events"
        at = f"line {self.line}: " if self.line else ""
        received = f"{self.received_ms / 1000:g} s of audio arrived"
        if self.axis is Axis.AUDIO:
            why = f"it needs {self.due_ms / 1000:g} s of audio, {received}"
        else:
            why = f"it is due {self.due_ms / 1000:g} s after {self.axis}; {received}"
        return f"{at}cue {self.index} of {self.speaker} {how}: {why}"


class Malformed(Record, frozen=True, kw_only=True, tag="malformed"):
    """Bytes that are no message: what was found and what was expected."""

    kind: ClassVar[Kind] = Kind.MALFORMED
    why: str

    def __str__(self) -> str:
        return self.why


class Defect(Record, frozen=True, kw_only=True, tag="defect"):
    """An exception of ours, as its traceback."""

    kind: ClassVar[Kind] = Kind.DEFECT
    trace: str

    def __str__(self) -> str:
        return self.trace


class Truncated(Record, frozen=True, kw_only=True, tag="truncated"):
    """The oldest entries are gone."""

    kind: ClassVar[Kind] = Kind.TRUNCATED
    missing: int

    def __str__(self) -> str:
        return f"the first {self.missing} entries are missing"


class EndedBy(StrEnum):
    """Who ended a socket."""

    CLIENT = "client"
    """The client closed it."""
    LOST = "lost"
    """The connection was lost, or the client ended it without a close frame."""
    RULE = "rule"
    """A limit that the client did not keep."""
    FAULT = "fault"
    FRAME = "frame"
    """Bytes of the client that are no message."""
    DEFECT = "defect"
    """An exception of ours."""
    SPACE_CLOSED = "space_closed"
    SPACE_RESET = "space_reset"
    SERVER_STOPPED = "server_stopped"


_ENDINGS = {
    EndedBy.LOST: "connection lost",
    EndedBy.DEFECT: "a defect of uhlive-mock",
    EndedBy.SPACE_CLOSED: "the space was closed",
    EndedBy.SPACE_RESET: "the space was reset",
    EndedBy.SERVER_STOPPED: "the server stopped",
}


class Closed(Record, frozen=True, kw_only=True, omit_defaults=True, tag="closed"):
    """A socket ended.

    `code` is the close code that its ender sent, None without one. `cause` is the rule, the fault or the bytes
    that ended it. `unsent` of the last messages to the client could not be sent any more.
    """

    kind: ClassVar[Kind] = Kind.CLOSED
    by: EndedBy = EndedBy.LOST
    code: int | None = None
    cause: RuleBroken | Struck | Malformed | None = None
    unsent: int = 0

    def __str__(self) -> str:
        if self.by is EndedBy.CLIENT:
            return f"closed by the client with {self.code}"
        why = _ENDINGS[self.by] if self.cause is None else str(self.cause)
        return why if self.code is None else f"closed with {self.code}: {why}"


Value = (
    Opened | Closed | Refused | Login | RuleBroken | Struck | Skipped | Unplayed | Malformed | Defect | Truncated
)
"""What an entry that is no message says."""


def redacted(value: Value, redactor: Redactor) -> Value:
    """The value with every text in it as it may be written down."""
    return msgspec.structs.replace(value, **_redacted_fields(value, redactor))


def _redacted_fields(value: msgspec.Struct, redactor: Redactor) -> dict[str, object]:
    changes: dict[str, object] = {}
    for name in value.__struct_fields__:
        field = getattr(value, name)
        if type(field) is str:
            changes[name] = redactor.text(field)
        elif isinstance(field, msgspec.Struct):
            changes[name] = msgspec.structs.replace(field, **_redacted_fields(field, redactor))
    return changes
