"""What can go wrong on purpose, and where.

A fault has a kind, a value that the kind reads, and a reach: how often it applies, to which speaker and to
which events. Each kind belongs to one stage of a connection's life:

    token       the token endpoint's next answers
    handshake   the next requests for a socket
    join        the next joins
    events      the next events to a participant
    channel     a joined channel, now or when the next one joins
    socket      an open socket, now or when the next one joins
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import ClassVar, Self, TypeGuard

import msgspec

from ..errors import ScenarioError, unknown
from .limits import CLOSE_CODES, is_close_code


class Stage(StrEnum):
    """Where in a connection's life a fault strikes."""

    TOKEN = "token"  # noqa: S105 - a stage, no secret
    HANDSHAKE = "handshake"
    JOIN = "join"
    EVENTS = "events"
    CHANNEL = "channel"
    SOCKET = "socket"


class Takes(StrEnum):
    """What kind of value a fault kind reads."""

    NOTHING = "nothing"
    STATUS = "an HTTP status, 400 to 599"
    CODE = f"a close code, {CLOSE_CODES}"
    TEXT = "a text"
    DURATION = "a duration of more than 0 ms"


class FaultKind(StrEnum):
    """Every fault there is: its name, where it strikes, what value it reads, and what it does."""

    stage: Stage
    """Where it strikes."""
    takes: Takes
    """What value it reads."""
    does: str
    """What it does, in one sentence."""

    def __new__(cls, value: str, stage: Stage = Stage.SOCKET, takes: Takes = Takes.NOTHING, does: str = "") -> Self:
        kind = str.__new__(cls, value)
        kind._value_ = value
        kind.stage, kind.takes, kind.does = stage, takes, does
        return kind

    TOKEN_STATUS = "token_status", Stage.TOKEN, Takes.STATUS, "Answer a token request with this status."
    TOKEN_ERROR = "token_error", Stage.TOKEN, Takes.TEXT, "Answer a token request with 400 and this error."
    TOKEN_DELAY = "token_delay", Stage.TOKEN, Takes.DURATION, "Answer a token request this late."
    HANDSHAKE_STATUS = "handshake_status", Stage.HANDSHAKE, Takes.STATUS, "Refuse a socket with this status."
    HANDSHAKE_HANG = "handshake_hang", Stage.HANDSHAKE, Takes.NOTHING, "Never answer a request for a socket."
    JOIN_ERROR = "join_error", Stage.JOIN, Takes.TEXT, "Refuse a join with this reason."
    JOIN_SILENCE = "join_silence", Stage.JOIN, Takes.NOTHING, "Never answer a join."
    JOIN_DELAY = "join_delay", Stage.JOIN, Takes.DURATION, "Answer a join this late."
    DELAY_EVENTS = "delay_events", Stage.EVENTS, Takes.DURATION, "Send an event this late, and those behind it."
    DROP_EVENTS = "drop_events", Stage.EVENTS, Takes.NOTHING, "Never send an event."
    DUPLICATE_EVENTS = "duplicate_events", Stage.EVENTS, Takes.NOTHING, "Send an event twice."
    REORDER_EVENTS = "reorder_events", Stage.EVENTS, Takes.NOTHING, "Send an event after the one behind it."
    RENAME_EVENTS = "rename_events", Stage.EVENTS, Takes.TEXT, "Send an event under this name."
    WRONG_VOCABULARY = "wrong_vocabulary", Stage.EVENTS, Takes.NOTHING, "Send an event in the other vocabulary."
    MALFORMED_JSON = "malformed_json", Stage.EVENTS, Takes.NOTHING, "Send an event cut short, which is no JSON."
    CRASH = "crash", Stage.CHANNEL, Takes.NOTHING, "Crash the channel: phx_error."
    CLOSE_CHANNEL = (
        "close_channel",
        Stage.CHANNEL,
        Takes.NOTHING,
        "Close the channel from the server's side: phx_close.",
    )
    CLOSE = "close", Stage.SOCKET, Takes.CODE, "Close the socket with this code."
    RESET = "reset", Stage.SOCKET, Takes.NOTHING, "Reset the TCP connection."
    STOP_READING = "stop_reading", Stage.SOCKET, Takes.DURATION, "Read nothing for this long."
    STOP_WRITING = "stop_writing", Stage.SOCKET, Takes.DURATION, "Write nothing for this long."
    MUTE_HEARTBEATS = (
        "mute_heartbeats",
        Stage.SOCKET,
        Takes.NOTHING,
        "Answer neither heartbeats nor pings any more.",
    )
    CUT_FRAME = "cut_frame", Stage.SOCKET, Takes.NOTHING, "Send half a frame and end the connection."

    @classmethod
    def named(cls, name: str) -> FaultKind:
        """The kind of that name.

        Raises:
            ScenarioError: there is none.
        """
        try:
            return cls(name)
        except ValueError:
            raise ScenarioError(unknown("fault", name, cls)) from None


class Fault(msgspec.Struct, frozen=True, kw_only=True, tag="fault"):
    """One thing that goes wrong.

    Args:
        kind: what.
        value: what the kind reads: a status or close code (int), a text (str), a duration (int, ms) or None.
        count: how often it applies; None for always.
        speaker: whose connection; None for anyone's. A token request and a handshake have no speaker yet.
        event: a shell pattern over wire names, for faults of the events stage.
        probability: how likely it is to apply each time its turn comes; drawn from the seed.

    Raises:
        ScenarioError: the value is not what the kind reads, or the reach makes no sense.
    """

    kind: FaultKind
    value: int | str | None = None
    count: int | None = 1
    speaker: str | None = None
    event: str | None = None
    probability: float = 1.0

    def __post_init__(self) -> None:
        if not _READS[self.kind.takes](self.value):
            raise ScenarioError(f"{self.kind} takes {self.kind.takes}; found {self.value!r}")
        if self.count is not None and self.count < 1:
            raise ScenarioError(f"count is {self.count}; expected 1 or more")
        if not 0 < self.probability <= 1:
            raise ScenarioError(f"probability is {self.probability}; expected more than 0, at most 1")
        if "" in (self.speaker, self.event):
            raise ScenarioError("speaker or event is empty; expected at least one character")
        if self.event is not None and self.kind.stage is not Stage.EVENTS:
            raise ScenarioError(f"{self.kind} is not about events; event is for faults that are")

    def __str__(self) -> str:
        return self.kind.value if self.value is None else f"{self.kind}: {self.value}"

    keyword: ClassVar[str] = "fault"
    word_count: ClassVar[int] = 0
    entity_names: ClassVar[tuple[str, ...]] = ()

    @property
    def summary(self) -> str:
        """The kind and the value."""
        return str(self)

    def strikes(self, *, speaker: str | None = None, event: str | None = None) -> bool:
        """Whether the fault is meant for this speaker and this event."""
        if self.speaker is not None and self.speaker != speaker:
            return False
        return self.event is None or (event is not None and fnmatchcase(event, self.event))


def _is_int(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


_READS: dict[Takes, Callable[[object], bool]] = {
    Takes.NOTHING: lambda value: value is None,
    Takes.STATUS: lambda value: _is_int(value) and 400 <= value <= 599,
    Takes.CODE: lambda value: _is_int(value) and is_close_code(value),
    Takes.TEXT: lambda value: isinstance(value, str) and value != "",
    Takes.DURATION: lambda value: _is_int(value) and value > 0,
}
