"""The linter: what a client did wrong, told from the journal alone.

    feed(entry)       the next entry of the journal, none left out
    violations()      what was wrong so far, in the order of the first time
    still_joined()    who has not left yet, which is wrong if nothing is to come

It is pure and changes nothing: what Phoenix tolerates stays tolerated. `seats` has what it remembers, `rules` what
there is to break. The same rule broken again by the same speaker on the same socket is one violation; how severe it
is depends on what the socket has shown of its client so far (`dialect`).

**Nobody is blamed for what the service did.** After a fault of the events, channel or socket stage has struck a
socket, that socket's end is its own affair. So is the end of a stay that the service ended: by a rule, `phx_close`,
`phx_error`, a close frame or a reset. Who is made to leave may join again.

**Nobody is blamed for what was on its way.** Audio and pushes to a stay that the service has just ended may have
been sent before the client could know. For `RACE_S` seconds of real time they are let pass; for good on a socket
that was throttled, or paused by a fault, for there they may have waited any time. A join that was refused is no
such case: official clients send nothing before the ok.

**What cannot be seen is not told.** Whether a client has read its `speaker_left` is its own secret. Only one that
the server could not send any more, the close having been read first, proves that the client did not wait.
"""

from __future__ import annotations

from collections.abc import Callable, Container

import msgspec

from ..model.fault import FaultKind, Stage
from ..protocol.journal import Entry, Kind
from ..protocol.pacing import LEAD_S
from ..protocol.records import Closed, EndedBy, LimitRule, Opened, RuleBroken, Struck
from ..protocol.space import TOPIC_PREFIX
from .messages import frame_text, in_json
from .rules import RULES, Traits, Violation, dialect_of
from .seats import NOT_JOINED, Line, Seat, State

RACE_S = 2.0
"""Real seconds for which a client may not have read that its stay is over."""

_AUDIO = "audio_chunk"
OF_LIMITS = {
    LimitRule.GAP: "gap",
    LimitRule.THROTTLE: "throttle",
    LimitRule.CHUNK: "chunk_size",
    LimitRule.IDLE: "missing_heartbeat",
}
"""What breaks a rule of `model.limits`, by the name its journal entries have."""

_BY_THE_CLIENT = frozenset({EndedBy.CLIENT, EndedBy.LOST})
_WITH_THE_SPACE = frozenset({EndedBy.SPACE_CLOSED, EndedBy.SPACE_RESET, EndedBy.SERVER_STOPPED})
_HELD_BY = frozenset({FaultKind.STOP_READING, FaultKind.STOP_WRITING, FaultKind.JOIN_DELAY})
_UNDOES_A_JOIN = frozenset({FaultKind.JOIN_ERROR, FaultKind.JOIN_SILENCE})


class _Broken(msgspec.Struct):
    """A violation whose severity is not decided yet."""

    rule: str
    detail: str
    traits: Traits
    entry: Entry
    frame: str
    socket: int
    speaker: str | None
    topic: str | None
    at_s: float | None
    times: int = 1

    def violation(self) -> Violation:
        rule = RULES[self.rule]
        return Violation(
            rule=self.rule,
            sentence=rule.sentence.removesuffix(".") + (f": {self.detail}" if self.detail else ""),
            severity=rule.severity_for(dialect_of(self.traits)),
            grade=rule.grade,  # type: ignore[arg-type]  # each of RULES has one
            evidence=rule.evidence,
            entry=self.entry.index,
            frame=self.frame,
            socket=self.socket,
            speaker=self.speaker,
            topic=self.topic,
            at_s=self.at_s,
            times=self.times,
        )


class Linter:
    """The linter of one space. See the module's docstring.

    Args:
        identifiers: whose conversations there are; None accepts any.
        paced: time passes by itself, so that audio can be too early.
    """

    def __init__(self, *, identifiers: Container[str] | None = None, paced: bool = False) -> None:
        self._identifiers = identifiers
        self._paced = paced
        self._lines: dict[int, Line] = {}
        self._broken: dict[tuple[str, int, str | None], _Broken] = {}
        self._cut_off: list[_Broken] = []
        self._takes: dict[Kind, Callable[[Line, Entry], None]] = {
            Kind.RECEIVED: self._received,
            Kind.SENT: self._sent,
            Kind.OPENED: self._opened,
            Kind.MALFORMED: self._malformed,
            Kind.RULE: self._rule,
            Kind.FAULT: self._fault,
            Kind.CLOSED: self._closed,
        }

    def feed(self, entry: Entry) -> None:
        """Take the next entry."""
        take = self._takes.get(entry.kind)
        if take and entry.socket:
            line = self._lines.get(entry.socket)
            if line is None:
                line = self._lines[entry.socket] = Line()
            take(line, entry)

    def violations(self) -> list[Violation]:
        """Everything wrong so far, in the order of the first time."""
        return [broken.violation() for broken in self._broken.values()]

    def still_joined(self) -> list[Violation]:
        """A violation for each speaker who has not left, or had not when the space ended."""
        here = [
            self._made("close_without_leave", line, seat.latest, seat, at_s=seat.at_s(), detail="it is still there")
            for line in self._lines.values()
            if not line.excused
            for seat in line.seats.values()
            if seat.is_here and seat.latest
        ]
        return [broken.violation() for broken in [*self._cut_off, *here]]

    # --- what the client sent ---

    def _received(self, line: Line, entry: Entry) -> None:
        line.traits.see(entry)
        topic, event = entry.topic, entry.event
        seat = line.seats.get(topic) if isinstance(topic, str) else None
        line.latest = entry, seat, seat.at_s() if seat else None
        if topic == "phoenix" and event == "heartbeat":
            if line.heartbeats.used(entry.ref):
                self._tell("reference_reuse", line, entry, detail=in_json(entry.ref))
        elif entry.binary and _lies(line, entry):
            self._tell("bad_frame", line, entry, seat, detail="the sizes in its header are wrong")
        elif not isinstance(topic, str) or not self._is_topic(topic):
            self._tell("bad_topic", line, entry)
        elif event == "phx_join":
            self._join(line, entry, topic, seat)
        elif seat is None or seat.state is not State.JOINED:
            self._not_joined(line, entry, seat)
        else:
            self._to_seat(line, entry, seat)

    def _is_topic(self, topic: str) -> bool:
        identifier, at, conversation = topic.removeprefix(TOPIC_PREFIX).partition("@")
        if not topic.startswith(TOPIC_PREFIX):
            return False
        return self._identifiers is None or bool(at and conversation and identifier in self._identifiers)

    def _join(self, line: Line, entry: Entry, topic: str, seat: Seat | None) -> None:
        if seat and seat.state is State.JOINED:
            self._tell("double_join", line, entry, seat)
        joined = line.seats[topic] = Seat(entry, seat)
        joined.refs.used(entry.ref)
        if seat:
            joined.closes_owed = seat.closes_owed + (seat.state is State.JOINED)
            seat.before = None

    def _not_joined(self, line: Line, entry: Entry, seat: Seat | None) -> None:
        if entry.event == "phx_leave":
            return
        detail = ""
        if seat and seat.state is State.ENDED:
            late_s = entry.wall - seat.ended_at
            if line.held or late_s <= RACE_S:
                return
            detail = f"the service had ended the stay {late_s:.1f} s before"
        elif seat and seat.state is State.REFUSED:
            detail = "the join was refused"
        of_audio, of_others = NOT_JOINED[seat.state if seat else State.NEVER]
        self._tell(of_audio if entry.event == _AUDIO else of_others, line, entry, seat, detail=detail)

    def _to_seat(self, line: Line, entry: Entry, seat: Seat) -> None:
        seat.latest = entry
        if seat.refs.used(entry.ref):
            self._tell("reference_reuse", line, entry, seat, detail=in_json(entry.ref))
        own, given = seat.join_ref, entry.join_ref
        if type(given) is not type(own) or given != own:
            detail = f"{in_json(given)}; it joined with {in_json(own)}"
            self._tell("wrong_join_ref", line, entry, seat, detail=detail)
            if given is not None and own is not None:
                return  # no release of Phoenix takes it for the joined one's
        if entry.event == "phx_leave":
            seat.state = State.LEFT
        elif entry.event == _AUDIO and entry.audio_bytes is not None and not seat.observes:
            self._audio(line, entry, seat, entry.audio_bytes)

    def _audio(self, line: Line, entry: Entry, seat: Seat, size: int) -> None:
        at_s, early_s = seat.heard(size, entry.now)
        line.latest = entry, seat, at_s
        if size % seat.width:
            self._tell("odd_samples", line, entry, seat, at_s=at_s, detail=f"{size} bytes")
        if self._paced and early_s > LEAD_S:
            self._tell("faster_than_real_time", line, entry, seat, at_s=at_s, detail=f"{early_s:.1f} s ahead")

    def _malformed(self, line: Line, entry: Entry) -> None:
        self._tell("bad_frame", line, entry, detail=entry.note or "")

    # --- what the service did ---

    def _opened(self, line: Line, entry: Entry) -> None:
        line.traits.framing = entry.value.framing if isinstance(entry.value, Opened) else None

    def _sent(self, line: Line, entry: Entry) -> None:
        line.sent += 1
        seat = line.seats.get(entry.topic) if isinstance(entry.topic, str) else None
        if seat is None:
            return
        match entry.event:
            case "phx_reply" if seat.state is State.ASKED:
                # Answers come in the order of the requests, so this is the join's.
                ok = isinstance(entry.payload, dict) and entry.payload.get("status") == "ok"
                seat.state = State.JOINED if ok else State.REFUSED
                seat.before = None
            case "phx_close" if seat.closes_owed:
                seat.closes_owed -= 1
            case "phx_close" | "phx_error" if seat.state is State.JOINED:
                seat.state, seat.ended_at = State.ENDED, entry.wall
            case "speaker_left" if seat.state is State.LEFT and entry.speaker == seat.speaker:
                seat.left_nth = seat.left_nth or line.sent

    def _rule(self, line: Line, entry: Entry) -> None:
        broken = entry.value
        if not isinstance(broken, RuleBroken):
            return
        rule = OF_LIMITS[broken.rule]
        if broken.rule is LimitRule.GAP:
            seat = line.seats.get(entry.topic) if isinstance(entry.topic, str) else None
            self._tell(rule, line, entry, seat, detail=broken.detail)
        else:
            line.held |= broken.rule is LimitRule.THROTTLE
            shown, seat, at_s = line.latest or (entry, None, None)
            self._tell(rule, line, shown, seat, at_s=at_s, detail=broken.detail)

    def _fault(self, line: Line, entry: Entry) -> None:
        if not isinstance(entry.value, Struck):
            return
        kind = entry.value.fault.kind
        line.held |= kind in _HELD_BY
        line.excused |= kind.stage in (Stage.EVENTS, Stage.CHANNEL, Stage.SOCKET)
        if kind in _UNDOES_A_JOIN and line.latest:
            # The join never reached the service: who had joined before still has.
            topic = line.latest[0].topic
            seat = line.seats.get(topic) if isinstance(topic, str) else None
            if seat and seat.state is State.ASKED and isinstance(topic, str):
                line.seats[topic] = seat.before or Seat()

    def _closed(self, line: Line, entry: Entry) -> None:
        del self._lines[entry.socket]
        closed = entry.value if isinstance(entry.value, Closed) else Closed()
        if isinstance(closed.cause, RuleBroken) and closed.cause.rule is LimitRule.IDLE and not line.excused:
            self._tell("missing_heartbeat", line, entry, line.only, detail=closed.cause.detail)
        if line.excused or closed.by not in _BY_THE_CLIENT | _WITH_THE_SPACE:
            return
        note = str(closed)
        for seat in line.seats.values():
            if seat.is_here and closed.by in _WITH_THE_SPACE:
                shown = seat.latest or entry
                made = self._made("close_without_leave", line, shown, seat, at_s=seat.at_s(), detail=note)
                self._cut_off.append(made)
            elif seat.is_here:
                self._tell("close_without_leave", line, entry, seat, detail=note)
            elif closed.by in _BY_THE_CLIENT and seat.waits(line.sent - closed.unsent):
                self._tell("leave_without_waiting", line, entry, seat, detail=note)

    # --- writing down ---

    def _tell(
        self,
        rule: str,
        line: Line,
        entry: Entry,
        seat: Seat | None = None,
        *,
        at_s: float | None = None,
        detail: str = "",
    ) -> None:
        speaker = entry.speaker or (seat.speaker if seat else None)
        key = rule, entry.socket, speaker
        broken = self._broken.get(key)
        if broken:
            broken.times += 1
            return
        where_s = seat.at_s() if seat and at_s is None else at_s
        made = self._made(rule, line, entry, seat, at_s=where_s, detail=detail)
        made.speaker = speaker
        self._broken[key] = made

    @staticmethod
    def _made(
        rule: str, line: Line, entry: Entry, seat: Seat | None, *, at_s: float | None, detail: str
    ) -> _Broken:
        topic = entry.topic if isinstance(entry.topic, str) else None
        joined = seat.latest.topic if seat and seat.latest else None
        return _Broken(
            rule=rule,
            detail=detail,
            traits=line.traits,
            entry=entry,
            frame=frame_text(entry, line.traits.framing),
            socket=entry.socket,
            speaker=seat.speaker if seat else entry.speaker,
            topic=topic if topic is not None or not isinstance(joined, str) else joined,
            at_s=at_s,
        )


def _lies(line: Line, entry: Entry) -> bool:
    """Whether a binary push reads well once the borders of its fields are forgotten, and not before."""
    if entry.event == _AUDIO and entry.topic in line.seats:
        return False
    whole = f"{entry.join_ref}{entry.ref}{entry.topic}{entry.event}"
    for topic in line.seats:
        _, found, rest = whole.partition(topic)
        if found and (rest.startswith(_AUDIO) or _AUDIO.startswith(rest)):
            return True
    return False
