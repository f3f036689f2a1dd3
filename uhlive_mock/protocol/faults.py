"""Faults: where each one strikes, and what it does there.

    stage       who asks                                        what happens
    token       the token endpoint                              another answer, or a late one
    handshake   the connection, at the upgrade                  another status, or no answer
    join        the socket, at a phx_join                       an error, no answer, or a late one
    events      the conversation, for each receiver             `send_event`, below
    channel     at once, or the socket after the next join      `Channel.crash`, `Channel.close`
    socket      at once, or the socket after the next join      `strike_socket`, below

Three verbs move a fault. `arm` lets it wait for its turn; `take` asks, at a stage, for the one whose turn it is;
`forget` takes faults out whose turn never came. The first that is meant, and that chance lets through, applies; a
fault whose count is used up waits no more. What applies and what does not goes into the journal, the second with
the reason.

Chance is drawn from a generator seeded by the space, once for each turn of a fault with a probability below 1.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import msgspec

from ..model.fault import Fault, FaultKind, Stage
from ..wire.framing import Message, encode
from .flow_control import FlowControl
from .journal import Journal, Participation
from .outbox import Close, CutFrame, Letter, Outbox, Reset
from .records import Closed, EndedBy, Skipped, SkipReason, Struck


class Armed(msgspec.Struct):
    """A fault that waits: how often it may still apply, None for always; whose cue armed it; whether it applied."""

    fault: Fault
    left: int | None
    by: str | None
    applied: bool = False


class FaultBox:
    """The faults of a space that wait for their turn."""

    def __init__(self, seed: int, journal: Journal) -> None:
        self._rng = random.Random(f"{seed}/faults")  # noqa: S311
        self._journal = journal
        self.armed: list[Armed] = []
        """Those that wait, in the order they were armed."""

    def __iter__(self) -> Iterator[Fault]:
        return iter([armed.fault for armed in self.armed])

    def __bool__(self) -> bool:
        return bool(self.armed)

    def unstruck(self) -> list[Fault]:
        """Those that have never applied."""
        return [armed.fault for armed in self.armed if not armed.applied]

    def arm(self, fault: Fault, *, by: str | None = None) -> None:
        """Let a fault wait behind those already there; `by` is the speaker whose cue it is."""
        self.armed.append(Armed(fault, fault.count, by))

    def take(
        self,
        stage: Stage,
        now: float,
        *,
        speaker: str | None = None,
        event: str | None = None,
        socket: int = 0,
        spare: FaultKind | None = None,
        of: Participation | None = None,
    ) -> Fault | None:
        """The fault that applies at `stage` now, if any; counted and written down.

        Args:
            of: the participant that meets it.
            spare: a kind that has no sense here and keeps waiting.
        """
        for armed in tuple(self.armed):
            fault = armed.fault
            if fault.kind.stage is not stage or fault.kind is spare:
                continue
            if not fault.strikes(speaker=speaker, event=event):
                continue
            if not self.chance(fault, now, speaker=speaker, socket=socket, of=of):
                continue
            armed.applied = True
            if armed.left is not None:
                armed.left -= 1
                if not armed.left:
                    self.armed.remove(armed)
            self.applied(fault, now, speaker=speaker, event=event, socket=socket, of=of)
            return fault
        return None

    def chance(
        self,
        fault: Fault,
        now: float,
        *,
        speaker: str | None = None,
        socket: int = 0,
        of: Participation | None = None,
    ) -> bool:
        """Whether chance lets a fault apply this time; written down when it does not."""
        applies = fault.probability == 1 or self._rng.random() < fault.probability
        if not applies:
            self.skip(fault, now, SkipReason.CHANCE, speaker=speaker, socket=socket, of=of)
        return applies

    def applied(
        self,
        fault: Fault,
        now: float,
        *,
        speaker: str | None = None,
        event: str | None = None,
        socket: int = 0,
        of: Participation | None = None,
    ) -> None:
        """Write down that a fault applied."""
        self._journal.note(Struck(fault=fault), now, socket=socket, speaker=speaker, event=event, of=of)

    def skip(
        self,
        fault: Fault,
        now: float,
        why: SkipReason,
        *,
        speaker: str | None = None,
        socket: int = 0,
        of: Participation | None = None,
    ) -> None:
        """Write down that a fault did not apply, and why."""
        self._journal.note(Skipped(fault=fault, why=why), now, socket=socket, speaker=speaker, of=of)

    def forget(self, now: float, why: SkipReason, *, by: str | None = None) -> None:
        """Take out every fault, or those that one speaker's cues armed, and write down what never applied."""
        for armed in tuple(self.armed):
            if by is not None and armed.by != by:
                continue
            self.armed.remove(armed)
            if not armed.applied:
                self.skip(armed.fault, now, why, speaker=armed.fault.speaker)


def send_event(
    faults: FaultBox,
    outbox: Outbox,
    flow: FlowControl,
    letter: Letter,
    now: float,
    *,
    other: Callable[[], Message],
    last: bool = False,
) -> None:
    """Send an event, unless a fault changes what becomes of it.

    Args:
        other: makes the event's message in the other vocabulary.
        last: whether there may be no event behind it to be swapped with.
    """
    if not outbox.is_open:
        return
    message = letter.message
    # One event waits for its swap already, or none may come behind: this is no event to hold back.
    spare = FaultKind.REORDER_EVENTS if last or outbox.swapped else None
    to = letter.to.speaker if letter.to else None
    fault = faults.take(
        Stage.EVENTS,
        now,
        speaker=to,
        event=str(message.event),
        socket=outbox.socket,
        spare=spare,
        of=letter.to,
    )
    match fault:
        case None:
            outbox.send(now, letter)
        case Fault(kind=FaultKind.DROP_EVENTS):
            if last:
                outbox.send(now)
        case Fault(kind=FaultKind.DUPLICATE_EVENTS):
            outbox.send(now, letter, letter)
        case Fault(kind=FaultKind.DELAY_EVENTS, value=int(delay_ms)):
            outbox.send(now, letter, until=flow.until(now, delay_ms / 1000))
        case Fault(kind=FaultKind.REORDER_EVENTS):
            outbox.swapped = letter
        case Fault(kind=FaultKind.RENAME_EVENTS, value=name):
            renamed = Message(message.join_ref, message.ref, message.topic, name, message.payload)
            outbox.send(now, _changed(letter, outbox, renamed))
        case Fault(kind=FaultKind.WRONG_VOCABULARY):
            outbox.send(now, _changed(letter, outbox, other()))
        case _:  # malformed_json
            outbox.send(now, msgspec.structs.replace(letter, text=letter.text[: len(letter.text) // 2]))


def strike_socket(fault: Fault, outbox: Outbox, flow: FlowControl, now: float) -> None:
    """Let a fault of the socket stage happen."""
    struck = Struck(fault=fault)
    match fault:
        case Fault(kind=FaultKind.CLOSE, value=int(code)):
            outbox.end(Close(code), now, Closed(by=EndedBy.FAULT, code=code, cause=struck))
        case Fault(kind=FaultKind.RESET):
            outbox.end(Reset(), now, Closed(by=EndedBy.FAULT, cause=struck))
        case Fault(kind=FaultKind.CUT_FRAME):
            outbox.end(CutFrame(), now, Closed(by=EndedBy.FAULT, cause=struck))
        case Fault(kind=FaultKind.STOP_READING, value=int(pause_ms)):
            flow.pause(flow.until(now, pause_ms / 1000))
        case Fault(kind=FaultKind.STOP_WRITING, value=int(pause_ms)):
            outbox.stop_sending(flow.until(now, pause_ms / 1000))
        case Fault(kind=FaultKind.MUTE_HEARTBEATS):
            outbox.muted = True
        case _:
            pass
    outbox.wake()


def _changed(letter: Letter, outbox: Outbox, message: Message) -> Letter:
    return msgspec.structs.replace(letter, text=encode(outbox.framing, message), message=message)
