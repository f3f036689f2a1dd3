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
from typing import ClassVar, TypeGuard

import msgspec

from ..errors import ScenarioError
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
    """Every fault there is. `STAGES` and `TAKES` say where it strikes and what value it reads."""

    TOKEN_STATUS = "token_status"  # noqa: S105
    TOKEN_ERROR = "token_error"  # noqa: S105
    TOKEN_DELAY = "token_delay"  # noqa: S105
    HANDSHAKE_STATUS = "handshake_status"
    HANDSHAKE_HANG = "handshake_hang"
    JOIN_ERROR = "join_error"
    JOIN_SILENCE = "join_silence"
    JOIN_DELAY = "join_delay"
    DELAY_EVENTS = "delay_events"
    DROP_EVENTS = "drop_events"
    DUPLICATE_EVENTS = "duplicate_events"
    REORDER_EVENTS = "reorder_events"
    RENAME_EVENTS = "rename_events"
    WRONG_VOCABULARY = "wrong_vocabulary"
    MALFORMED_JSON = "malformed_json"
    CRASH = "crash"
    CLOSE_CHANNEL = "close_channel"
    CLOSE = "close"
    RESET = "reset"
    STOP_READING = "stop_reading"
    STOP_WRITING = "stop_writing"
    MUTE_HEARTBEATS = "mute_heartbeats"
    CUT_FRAME = "cut_frame"

    @classmethod
    def named(cls, name: str) -> FaultKind:
        """The kind of that name.

        Raises:
            ScenarioError: there is none.
        """
        try:
            return cls(name)
        except ValueError:
            raise ScenarioError(f"there is no fault {name!r}; expected {', '.join(cls)}") from None

    @property
    def stage(self) -> Stage:
        """Where it strikes."""
        return _KINDS[self][0]

    @property
    def takes(self) -> Takes:
        """What value it reads."""
        return _KINDS[self][1]

    @property
    def does(self) -> str:
        """What it does, in one sentence."""
        return _KINDS[self][2]


_KINDS: dict[FaultKind, tuple[Stage, Takes, str]] = {
    FaultKind.TOKEN_STATUS: (Stage.TOKEN, Takes.STATUS, "Answer a token request with this status."),
    FaultKind.TOKEN_ERROR: (Stage.TOKEN, Takes.TEXT, "Answer a token request with 400 and this error."),
    FaultKind.TOKEN_DELAY: (Stage.TOKEN, Takes.DURATION, "Answer a token request this late."),
    FaultKind.HANDSHAKE_STATUS: (Stage.HANDSHAKE, Takes.STATUS, "Refuse a socket with this status."),
    FaultKind.HANDSHAKE_HANG: (Stage.HANDSHAKE, Takes.NOTHING, "Never answer a request for a socket."),
    FaultKind.JOIN_ERROR: (Stage.JOIN, Takes.TEXT, "Refuse a join with this reason."),
    FaultKind.JOIN_SILENCE: (Stage.JOIN, Takes.NOTHING, "Never answer a join."),
    FaultKind.JOIN_DELAY: (Stage.JOIN, Takes.DURATION, "Answer a join this late."),
    FaultKind.DELAY_EVENTS: (Stage.EVENTS, Takes.DURATION, "Send an event this late, and those behind it."),
    FaultKind.DROP_EVENTS: (Stage.EVENTS, Takes.NOTHING, "Never send an event."),
    FaultKind.DUPLICATE_EVENTS: (Stage.EVENTS, Takes.NOTHING, "Send an event twice."),
    FaultKind.REORDER_EVENTS: (Stage.EVENTS, Takes.NOTHING, "Send an event after the one behind it."),
    FaultKind.RENAME_EVENTS: (Stage.EVENTS, Takes.TEXT, "Send an event under this name."),
    FaultKind.WRONG_VOCABULARY: (Stage.EVENTS, Takes.NOTHING, "Send an event in the other vocabulary."),
    FaultKind.MALFORMED_JSON: (Stage.EVENTS, Takes.NOTHING, "Send an event cut short, which is no JSON."),
    FaultKind.CRASH: (Stage.CHANNEL, Takes.NOTHING, "Crash the channel: phx_error."),
    FaultKind.CLOSE_CHANNEL: (Stage.CHANNEL, Takes.NOTHING, "Close the channel from the server's side: phx_close."),
    FaultKind.CLOSE: (Stage.SOCKET, Takes.CODE, "Close the socket with this code."),
    FaultKind.RESET: (Stage.SOCKET, Takes.NOTHING, "Reset the TCP connection."),
    FaultKind.STOP_READING: (Stage.SOCKET, Takes.DURATION, "Read nothing for this long."),
    FaultKind.STOP_WRITING: (Stage.SOCKET, Takes.DURATION, "Write nothing for this long."),
    FaultKind.MUTE_HEARTBEATS: (Stage.SOCKET, Takes.NOTHING, "Answer neither heartbeats nor pings any more."),
    FaultKind.CUT_FRAME: (Stage.SOCKET, Takes.NOTHING, "Send half a frame and end the connection."),
}


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
