"""The linter: what a client did wrong, told from the journal alone.

    feed(entry)       the next entry of the journal, none left out
    violations()      what was wrong so far, in the order of the first time
    still_joined()    who has not left yet, which is wrong if nothing is to come

It is pure and changes nothing: what Phoenix tolerates stays tolerated. `rules` has what there is to break. The same
rule broken again by the same speaker on the same socket is one violation; how severe it is depends on what the
socket has shown of its client so far (`ClientKind`).

A topic of a socket is in one of six states, and what may be sent to it depends on that alone:

    state      how it came there                  audio                 another message
    never      nothing was joined                 audio_before_join     push_before_join
    asked      phx_join, not answered yet         audio_before_join     push_before_join
    joined     the answer was ok                  fine                  fine
    refused    the answer was an error            audio_before_join     push_before_join
    left       the client's own phx_leave         audio_after_leave     push_before_join
    ended      phx_close, phx_error, unasked      audio_after_leave     push_before_join

A leave is harmless in any state.

**A client is not blamed for what the service did.** After a fault of the events, channel or socket stage has struck
a socket, that socket's end is its own affair. So is the end of a participation that the service ended: by a rule,
`phx_close`, `phx_error`, a close frame or a reset. Who is made to leave may join again.

**A client is not blamed for what was on its way.** Audio and pushes to a topic that has `ended` may have been sent
before the client could know. For `RACE_S` seconds of real time they are let pass; for good on a socket that was
throttled, or paused by a fault, for there they may have waited any time. A join that was refused is no such case:
official clients send nothing before the ok.

**What cannot be seen is not told.** Whether a client has read its `speaker_left` is its own secret. Only one that
the server could not send any more, the close having been read first, proves that the client did not wait.

The file is long because what is remembered of a socket and of its topics (at the end) is read together with
the rules that ask it.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Container
from enum import Enum, auto

import msgspec

from ..model.audio import SAMPLE_RATE, Codec
from ..model.fault import FaultKind, Stage
from ..protocol.journal import Entry, Kind
from ..protocol.pacing import LEAD_S
from ..protocol.records import Closed, EndedBy, LimitRule, Opened, RuleBroken, Struck
from ..protocol.space import TOPIC_PREFIX
from .messages import fields_of, frame_text, in_json
from .rules import RULES, ClientTraits, Violation

RACE_S = 2.0
"""Real seconds for which a client may not have read that it is no longer on a topic."""

_AUDIO = "audio_chunk"
_NO_LEAVE = "close_without_leave"
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
    """A violation whose severity is not decided yet, nor how many times it will come."""

    first: Violation
    traits: ClientTraits
    times: int = 1

    def violation(self) -> Violation:
        severity = RULES[self.first.rule].severity_for(self.traits.kind)
        return msgspec.structs.replace(self.first, severity=severity, times=self.times)


class Linter:
    """The linter of one space. See the module's docstring.

    Args:
        identifiers: whose conversations there are; None accepts any.
        paced: time passes by itself, so that audio can be too early.
    """

    def __init__(self, *, identifiers: Container[str] | None = None, paced: bool = False) -> None:
        self._identifiers = identifiers
        self._paced = paced
        self._sockets: defaultdict[int, SocketHistory] = defaultdict(SocketHistory)
        self._broken: dict[tuple[str, int, str | None], _Broken] = {}
        self._cut_off: list[_Broken] = []
        self._takes: dict[Kind, Callable[[SocketHistory, Entry], None]] = {
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
            take(self._sockets[entry.socket], entry)

    def violations(self) -> list[Violation]:
        """Everything wrong so far, in the order of the first time."""
        return [broken.violation() for broken in self._broken.values()]

    def still_joined(self) -> list[Violation]:
        """A violation for each speaker who has not left, or had not when the space ended."""
        here = [
            _made(_NO_LEAVE, history, there.latest, there, speaker=there.speaker, detail="it is still there")
            for history in self._sockets.values()
            if not history.excused
            for there in history.topics.values()
            if there.is_here and there.latest
        ]
        return [broken.violation() for broken in [*self._cut_off, *here]]

    # --- what the client sent ---

    def _received(self, history: SocketHistory, entry: Entry) -> None:
        history.traits.see(entry)
        topic, event = entry.topic, entry.event
        on_topic = history.on(topic)
        history.latest = entry, on_topic, on_topic.at_s() if on_topic else None
        if topic == "phoenix" and event == "heartbeat":
            if history.heartbeats.used(entry.ref):
                self._tell("reference_reuse", history, entry, detail=in_json(entry.ref))
        elif entry.binary and _lies(history, entry):
            self._tell("bad_frame", history, entry, on_topic, detail="the sizes in its header are wrong")
        elif not isinstance(topic, str) or not self._is_topic(topic):
            self._tell("bad_topic", history, entry)
        elif event == "phx_join":
            self._join(history, entry, topic, on_topic)
        elif on_topic is None or on_topic.state is not State.JOINED:
            self._not_joined(history, entry, on_topic)
        else:
            self._to_joined(history, entry, on_topic)

    def _is_topic(self, topic: str) -> bool:
        identifier, at, conversation = topic.removeprefix(TOPIC_PREFIX).partition("@")
        if not topic.startswith(TOPIC_PREFIX):
            return False
        return self._identifiers is None or bool(at and conversation and identifier in self._identifiers)

    def _join(self, history: SocketHistory, entry: Entry, topic: str, on_topic: TopicHistory | None) -> None:
        if on_topic and on_topic.state is State.JOINED:
            self._tell("double_join", history, entry, on_topic)
        joined = history.topics[topic] = TopicHistory(entry, on_topic)
        joined.refs.used(entry.ref)
        if on_topic:
            joined.closes_owed = on_topic.closes_owed + (on_topic.state is State.JOINED)
            on_topic.before = None

    def _not_joined(self, history: SocketHistory, entry: Entry, on_topic: TopicHistory | None) -> None:
        if entry.event == "phx_leave":
            return
        detail = ""
        if on_topic and on_topic.state is State.ENDED:
            late_s = entry.wall - on_topic.ended_at
            if history.held or late_s <= RACE_S:
                return
            detail = f"the service had ended the stay {late_s:.1f} s before"
        elif on_topic and on_topic.state is State.REFUSED:
            detail = "the join was refused"
        of_audio, of_others = NOT_JOINED[on_topic.state if on_topic else State.NEVER]
        self._tell(of_audio if entry.event == _AUDIO else of_others, history, entry, on_topic, detail=detail)

    def _to_joined(self, history: SocketHistory, entry: Entry, on_topic: TopicHistory) -> None:
        on_topic.latest = entry
        if on_topic.refs.used(entry.ref):
            self._tell("reference_reuse", history, entry, on_topic, detail=in_json(entry.ref))
        own, given = on_topic.join_ref, entry.join_ref
        if type(given) is not type(own) or given != own:
            detail = f"{in_json(given)}; it joined with {in_json(own)}"
            self._tell("wrong_join_ref", history, entry, on_topic, detail=detail)
            if given is not None and own is not None:
                return  # no release of Phoenix takes it for the joined one's
        if entry.event == "phx_leave":
            on_topic.state = State.LEFT
        elif entry.event == _AUDIO and entry.audio_bytes is not None and not on_topic.observes:
            self._audio(history, entry, on_topic, entry.audio_bytes)

    def _audio(self, history: SocketHistory, entry: Entry, on_topic: TopicHistory, size: int) -> None:
        at_s, early_s = on_topic.heard(size, entry.now)
        history.latest = entry, on_topic, at_s
        if size % on_topic.width:
            self._tell("odd_samples", history, entry, on_topic, at_s=at_s, detail=f"{size} bytes")
        if self._paced and early_s > LEAD_S:
            detail = f"{early_s:.1f} s ahead"
            self._tell("faster_than_real_time", history, entry, on_topic, at_s=at_s, detail=detail)

    def _malformed(self, history: SocketHistory, entry: Entry) -> None:
        self._tell("bad_frame", history, entry, detail=entry.note or "")

    # --- what the service did ---

    def _opened(self, history: SocketHistory, entry: Entry) -> None:
        history.traits.framing = entry.value.framing if isinstance(entry.value, Opened) else None

    def _sent(self, history: SocketHistory, entry: Entry) -> None:
        history.sent += 1
        on_topic = history.on(entry.topic)
        if on_topic is None:
            return
        match entry.event:
            case "phx_reply" if on_topic.state is State.ASKED:
                # Answers come in the order of the requests, so this is the join's.
                on_topic.state = State.JOINED if fields_of(entry).get("status") == "ok" else State.REFUSED
                on_topic.before = None
            case "phx_close" if on_topic.closes_owed:
                on_topic.closes_owed -= 1
            case "phx_close" | "phx_error" if on_topic.state is State.JOINED:
                on_topic.state, on_topic.ended_at = State.ENDED, entry.wall
            case "speaker_left" if on_topic.state is State.LEFT and entry.speaker == on_topic.speaker:
                on_topic.left_nth = on_topic.left_nth or history.sent

    def _rule(self, history: SocketHistory, entry: Entry) -> None:
        broken = entry.value
        if not isinstance(broken, RuleBroken):
            return
        rule = OF_LIMITS[broken.rule]
        if broken.rule is LimitRule.GAP:
            on_topic = history.on(entry.topic)
            self._tell(rule, history, entry, on_topic, detail=broken.detail)
        else:
            history.held |= broken.rule is LimitRule.THROTTLE
            shown, on_topic, at_s = history.latest or (entry, None, None)
            self._tell(rule, history, shown, on_topic, at_s=at_s, detail=broken.detail)

    def _fault(self, history: SocketHistory, entry: Entry) -> None:
        if not isinstance(entry.value, Struck):
            return
        kind = entry.value.fault.kind
        history.held |= kind in _HELD_BY
        history.excused |= kind.stage in (Stage.EVENTS, Stage.CHANNEL, Stage.SOCKET)
        if kind in _UNDOES_A_JOIN and history.latest:
            # The join never reached the service: who had joined before still has.
            topic = history.latest[0].topic
            on_topic = history.on(topic)
            if on_topic and on_topic.state is State.ASKED and isinstance(topic, str):
                history.topics[topic] = on_topic.before or TopicHistory()

    def _closed(self, history: SocketHistory, entry: Entry) -> None:
        del self._sockets[entry.socket]
        closed = entry.value if isinstance(entry.value, Closed) else Closed()
        if isinstance(closed.cause, RuleBroken) and closed.cause.rule is LimitRule.IDLE and not history.excused:
            self._tell("missing_heartbeat", history, entry, history.only, detail=closed.cause.detail)
        if history.excused or closed.by not in _BY_THE_CLIENT | _WITH_THE_SPACE:
            return
        note = str(closed)
        for on_topic in history.topics.values():
            if on_topic.is_here and closed.by in _WITH_THE_SPACE:
                speaker, shown = on_topic.speaker, on_topic.latest or entry
                self._cut_off.append(_made(_NO_LEAVE, history, shown, on_topic, speaker=speaker, detail=note))
            elif on_topic.is_here:
                self._tell(_NO_LEAVE, history, entry, on_topic, detail=note)
            elif closed.by in _BY_THE_CLIENT and on_topic.waits(history.sent - closed.unsent):
                self._tell("leave_without_waiting", history, entry, on_topic, detail=note)

    # --- writing down ---

    def _tell(
        self,
        rule: str,
        history: SocketHistory,
        entry: Entry,
        on_topic: TopicHistory | None = None,
        *,
        at_s: float | None = None,
        detail: str = "",
    ) -> None:
        speaker = entry.speaker or (on_topic.speaker if on_topic else None)
        key = rule, entry.socket, speaker
        if broken := self._broken.get(key):
            broken.times += 1
            return
        self._broken[key] = _made(rule, history, entry, on_topic, speaker=speaker, at_s=at_s, detail=detail)


def _made(
    rule: str,
    history: SocketHistory,
    entry: Entry,
    on_topic: TopicHistory | None,
    *,
    speaker: str | None,
    at_s: float | None = None,
    detail: str = "",
) -> _Broken:
    broken = RULES[rule]
    latest = on_topic.latest.topic if on_topic and on_topic.latest else None
    first = Violation(
        rule=rule,
        sentence=broken.sentence.removesuffix(".") + (f": {detail}" if detail else ""),
        severity=broken.severity,
        grade=broken.grade,  # type: ignore[arg-type]  # each of RULES has one
        evidence=broken.evidence,
        entry=entry.index,
        frame=frame_text(entry, history.traits.framing),
        socket=entry.socket,
        speaker=speaker,
        topic=next((topic for topic in (entry.topic, latest) if isinstance(topic, str)), None),
        at_s=on_topic.at_s() if on_topic and at_s is None else at_s,
    )
    return _Broken(first, history.traits)


def _lies(history: SocketHistory, entry: Entry) -> bool:
    """Whether a binary push reads well once the borders of its fields are forgotten, and not before."""
    if entry.event == _AUDIO and entry.topic in history.topics:
        return False
    whole = f"{entry.join_ref}{entry.ref}{entry.topic}{entry.event}"
    for topic in history.topics:
        _, found, rest = whole.partition(topic)
        if found and (rest.startswith(_AUDIO) or _AUDIO.startswith(rest)):
            return True
    return False


REMEMBERED_REFS = 4096
"""How many refs on a topic are remembered: a counter that wraps around reuses none."""


class State(Enum):
    """Where a client stands with a topic."""

    NEVER = auto()
    ASKED = auto()
    JOINED = auto()
    REFUSED = auto()
    LEFT = auto()
    ENDED = auto()


NOT_JOINED: dict[State, tuple[str, str]] = {
    State.NEVER: ("audio_before_join", "push_before_join"),
    State.ASKED: ("audio_before_join", "push_before_join"),
    State.REFUSED: ("audio_before_join", "push_before_join"),
    State.LEFT: ("audio_after_leave", "push_before_join"),
    State.ENDED: ("audio_after_leave", "push_before_join"),
}
"""The rules that audio, and any other message, break in a state; none in the state that is missing."""


class Refs:
    """The latest refs on a topic."""

    __slots__ = ("_order", "_seen")

    def __init__(self) -> None:
        self._order: deque[str] = deque()
        self._seen: set[str] = set()

    def used(self, ref: object) -> bool:
        """Note a ref; whether it was used before. A null ref asks for no answer and may be used again."""
        if ref is None:
            return False
        key = repr(ref)
        if key in self._seen:
            return True
        self._seen.add(key)
        self._order.append(key)
        if len(self._order) > REMEMBERED_REFS:
            self._seen.remove(self._order.popleft())
        return False


class TopicHistory:
    """What a topic of a socket has shown since its last join.

    Args:
        before: what the join found there, if anything.
    """

    def __init__(self, join: Entry | None = None, before: TopicHistory | None = None) -> None:
        payload = {} if join is None else fields_of(join)
        self.state = State.NEVER if join is None else State.ASKED
        self.before = before
        self.join_ref = join.join_ref if join else None
        self.speaker = join.speaker if join else None
        self.observes = payload.get("readonly") is True
        self.width = 1 if payload.get("audio_codec") in (Codec.ALAW, Codec.ULAW) else 2
        self.refs = Refs()
        self.closes_owed = 0
        """How many phx_close are still to come for participations that this one took the place of."""
        self.ended_at = 0.0
        """When the service ended it, in Unix seconds."""
        self.left_nth: int | None = None
        """Which of the messages sent on its socket was its own speaker_left, counting from 1."""
        self.latest = join
        """The last message that the client sent there."""
        self._bytes = 0
        self._began = 0.0

    @property
    def is_here(self) -> bool:
        """Whether a speaker is on the topic."""
        return self.state is State.JOINED and not self.observes

    def waits(self, sent: int) -> bool:
        """Whether it has left and its speaker_left is not among the first `sent` messages of its socket."""
        gone = self.state is State.LEFT and not self.observes
        return gone and (self.left_nth is None or self.left_nth > sent)

    def at_s(self) -> float | None:
        """How far its audio has come, in seconds; None before any."""
        return self._bytes / (self.width * SAMPLE_RATE) if self._bytes else None

    def heard(self, size: int, now: float) -> tuple[float, float]:
        """A chunk came at `now`: where it begins in the audio, and by how much that is early, in seconds."""
        if not self._bytes:
            self._began = now
        start_s = self._bytes / (self.width * SAMPLE_RATE)
        self._bytes += size
        return start_s, start_s - (now - self._began)


class SocketHistory:
    """What a socket has shown so far."""

    def __init__(self) -> None:
        self.traits = ClientTraits()
        self.topics: dict[str, TopicHistory] = {}
        self.heartbeats = Refs()
        self.latest: tuple[Entry, TopicHistory | None, float | None] | None = None
        """What the client sent last, on which topic, and where in its audio that was."""
        self.sent = 0
        """How many messages were sent to the client."""
        self.excused = False
        """Whether a fault has struck: how the client ends is no longer held against it."""
        self.held = False
        """Whether the server has read or written late: what comes may have been sent long ago."""

    def on(self, topic: object) -> TopicHistory | None:
        """What there is since the last join of a topic; None when it was never joined."""
        return self.topics.get(topic) if isinstance(topic, str) else None

    @property
    def only(self) -> TopicHistory | None:
        """The one that is joined; None when that is none, or several."""
        joined = [each for each in self.topics.values() if each.state is State.JOINED]
        return joined[0] if len(joined) == 1 else None
