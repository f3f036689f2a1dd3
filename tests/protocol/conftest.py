"""Sockets of one space joined in memory, a plain float for the time, and strategies for scenarios."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable

import msgspec
import pytest
from hypothesis import strategies as st

from uhlive_mock.model.account import Account, Vocabulary
from uhlive_mock.model.audio import Codec
from uhlive_mock.model.behaviour import Behaviour
from uhlive_mock.model.limits import Gap, GapAction, Idle, Limits, Throttle, ThrottleAction
from uhlive_mock.model.scenario import (
    After,
    At,
    Cue,
    InlineEntity,
    Moment,
    RawEvent,
    Say,
    SayEntity,
    SayInterim,
    SayNormalized,
    SayRelation,
    SaySegment,
    SayTags,
    Scenario,
    Script,
    ScriptedTag,
    Timing,
    When,
)
from uhlive_mock.model.settings import Drive, SpaceSettings
from uhlive_mock.protocol.clock import Clock
from uhlive_mock.protocol.socket import Socket
from uhlive_mock.protocol.space import Space
from uhlive_mock.wire.framing import Framing

TOPIC = "conversation:acme@conv1"
ACCOUNTS = (
    Account(client_id="acme", client_secret="s"),
    Account(client_id="legacy", client_secret="s", vocabulary=Vocabulary.LEGACY),
)
UNLIMITED = Limits(
    throttle=Throttle(action=ThrottleAction.OFF), gap=Gap(action=GapAction.OFF), idle=Idle(after_ms=None)
)


class Peer:
    """A client's end of a socket. `hears()` drains what the server sent, decoded; a close stays a `Close`."""

    def __init__(self, room: Room, framing: Framing, client: str, number: int) -> None:
        self.room = room
        self.framing = framing
        self.woken = 0
        self.session = Socket(
            space=room.space,
            account=room.space.accounts[client],
            framing=framing,
            now=room.now,
            number=number,
            wake=self._wake,
        )
        self.unread: deque[str | bytes] = deque()
        """What was sent while the session was not reading."""
        self._join_ref: object = None
        self._ref = 1

    def _wake(self) -> None:
        self.woken += 1

    def send(self, join_ref: object, ref: object, topic: object, event: object, payload: object = None) -> None:
        payload = {} if payload is None else payload
        if self.framing is Framing.VSN2:
            self.send_text(json.dumps([join_ref, ref, topic, event, payload], ensure_ascii=False))
        else:
            fields = {"topic": topic, "event": event, "payload": payload, "ref": ref}
            self.send_text(json.dumps(fields, ensure_ascii=False))

    def send_text(self, message: str | bytes) -> None:
        """Send a message, which waits unread while the session is not reading."""
        if self.session.reading:
            self.session.bytes_arrived(self.room.now)
        self.unread.append(message)
        self.feed()

    def feed(self) -> None:
        """Let the session read what has arrived, while it reads."""
        while self.unread and self.session.reading and not self.session.ended:
            self.session.receive(self.unread.popleft(), self.room.now)

    def tick(self) -> None:
        self.session.tick(self.room.now)
        self.feed()

    def send_binary(self, join_ref: str, ref: str, topic: str, event: str, data: bytes = b"") -> None:
        fields = [part.encode() for part in (join_ref, ref, topic, event)]
        self.send_text(bytes([0, *map(len, fields)]) + b"".join(fields) + data)

    def join(
        self,
        speaker: str = "Alice",
        *,
        topic: str = TOPIC,
        join_ref: object = "1",
        ref: object = "1",
        **fields,
    ) -> Peer:
        self._join_ref = join_ref
        self.send(join_ref, ref, topic, "phx_join", {"speaker": speaker, **fields})
        return self

    def joined(self, speaker: str = "Alice", **options) -> Peer:
        """Join and forget the reply, for tests about what comes after."""
        self.join(speaker, **options)
        assert self.hears()[0][4]["status"] == "ok"
        return self

    def observing(self, **options) -> Peer:
        """Join as an observer and forget the reply."""
        return self.joined("Olga", readonly=True, **options)

    def audio(self, seconds: float = 0, *, data: bytes | None = None, topic: str = TOPIC) -> None:
        """Linear audio of that many seconds, or `data`."""
        self._ref += 1
        chunk = bytes(round(seconds * 8000) * 2) if data is None else data
        self.send_binary(str(self._join_ref), str(self._ref), topic, "audio_chunk", chunk)

    def leave(self, *, topic: str = TOPIC) -> None:
        self.send(self._join_ref, "99", topic, "phx_leave")

    def drop(self) -> None:
        """Lose the connection; what was sent before still counts."""
        while self.unread and not self.session.ended:
            self.session.receive(self.unread.popleft(), self.room.now)
        self.session.closed(self.room.now)

    def texts(self) -> list[str]:
        """What the server sent, undecoded."""
        return [effect for effect in self.session.effects() if isinstance(effect, str)]

    def hears(self) -> list:
        return [json.loads(effect) if isinstance(effect, str) else effect for effect in self.session.effects()]

    def names(self) -> list[str]:
        """The event names of what the server sent."""
        return [
            frame[3] if self.framing is Framing.VSN2 else frame["event"]
            for frame in self.hears()
            if isinstance(frame, list | dict)
        ]


class Room:
    """One space, its sockets and its time. `wait` moves the time and ticks every socket; `advance` moves it
    through every deadline on the way, as the server does. Real time is `real`, which only a test moves.
    """

    topic = TOPIC

    def __init__(
        self,
        *,
        scenario: Scenario | None = None,
        accounts: Iterable[Account] = ACCOUNTS,
        seed: int = 0,
        follow_audio: bool = False,
        now: float = 1_700_000_000.0,
        behaviour: Behaviour | None = None,
        limits: Limits = UNLIMITED,
        **changes,
    ) -> None:
        self.now = now
        self.real = 0.0
        self.peers: list[Peer] = []
        settings = SpaceSettings(
            accounts=tuple(accounts),
            scenarios=() if scenario is None else (scenario,),
            clock=Drive.AUDIO if follow_audio else Drive.REAL,
            behaviour=behaviour or Behaviour(**changes),
            limits=limits,
            seed=seed,
        )
        self.space = Space(settings, Clock(settings.clock, real=lambda: self.real, wall=lambda: 0.0))

    def connect(self, framing: Framing = Framing.VSN2, client: str = "acme") -> Peer:
        peer = Peer(self, framing, client, number=len(self.peers) + 1)
        self.peers.append(peer)
        return peer

    def wait(self, seconds: float) -> None:
        self.now += seconds
        for peer in self.peers:
            peer.tick()

    def advance(self, seconds: float) -> None:
        """Jump, stopping at each deadline on the way: the earliest first, the older socket first."""
        self.advance_to(self.now + seconds)

    def advance_to(self, target: float) -> None:
        at_once = 0
        while True:
            due = [
                (deadline, number)
                for number, peer in enumerate(self.peers)
                if (deadline := peer.session.next_deadline()) is not None and deadline <= target
            ]
            if not due:
                break
            deadline, number = min(due)
            at_once = 0 if deadline > self.now else at_once + 1
            assert at_once < 1000, f"socket {number + 1} is due at {deadline} for ever"
            self.now = max(self.now, deadline)
            self.peers[number].tick()
        self.now = max(self.now, target)

    def jump(self, seconds: float, steps: int) -> None:
        """Advance in that many steps; the last ends exactly where one step would."""
        start, target = self.now, self.now + seconds
        for step in range(1, steps + 1):
            self.advance_to(target if step == steps else start + seconds * step / steps)

    @staticmethod
    def limits(**rules) -> Limits:
        """These rules and no others."""
        return msgspec.structs.replace(UNLIMITED, **rules)

    @staticmethod
    def script(*cues: Cue, loop_ms: int | None = None, **timing) -> Scenario:
        """A scenario that gives everyone these cues."""
        return Scenario(timing=Timing(**timing), speakers={"*": Script(cues=cues, loop_ms=loop_ms)})


@pytest.fixture(scope="session")
def room() -> type[Room]:
    """Where sockets meet. Call it for a new one; keywords it does not know are fields of `Behaviour`."""
    return Room


# --- strategies: `st.from_type(Script)` and its parts ---------------------------------------------------

_NAMES = st.sampled_from(["location_city", "cardinal_number", "time_date"])
_CONFIDENCE = st.sampled_from([0, 0.5, 0.9, 1])
_WORDS = st.lists(st.sampled_from(["je", "voudrais", "été", "билет", "aujourd'hui", "x"]), min_size=1, max_size=6)
_TEXTS = _WORDS.map(" ".join)


@st.composite
def _says(draw) -> Say:
    words = draw(_WORDS)
    entities = []
    for first in range(0, len(words), 2):
        if draw(st.booleans()):
            last = draw(st.integers(first, min(first + 1, len(words) - 1)))
            source = " ".join(words[first : last + 1])
            entities.append(InlineEntity(name=draw(_NAMES), first=first, last=last, source=source))
    return Say(
        text=" ".join(words),
        normalized=draw(st.none() | _TEXTS),
        entities=tuple(entities),
        confidence=draw(st.none() | _CONFIDENCE),
    )


_ACTIONS = st.one_of(
    _says(),
    st.builds(SayInterim, text=_TEXTS),
    st.builds(SaySegment, text=_TEXTS),
    st.builds(SayNormalized, text=_TEXTS),
    st.builds(SayEntity, name=_NAMES, source=_TEXTS, confidence=_CONFIDENCE),
    st.builds(SayRelation, name=st.just("location"), members=st.tuples(_NAMES, _NAMES), confidence=_CONFIDENCE),
    st.builds(SayTags, tags=st.just((ScriptedTag(id="1", label="Request"),)), confidence=_CONFIDENCE),
    st.builds(RawEvent, name=st.just("custom"), payload=st.just({"a": [1, None]})),
)


@st.composite
def _at_cues(draw) -> Cue:
    start = draw(st.integers(0, 3000))
    until = draw(st.none() | st.integers(start + 1, start + 1500))
    return Cue(trigger=At(position_ms=start), action=draw(_ACTIONS), until_ms=until)


_AFTER_CUES = st.builds(Cue, trigger=st.builds(After, delay_ms=st.integers(0, 800)), action=_ACTIONS)
_WHEN_CUES = st.builds(Cue, trigger=st.builds(When, moment=st.sampled_from(Moment)), action=_ACTIONS)
_CUES = st.one_of(_at_cues(), _AFTER_CUES, _WHEN_CUES)
_LOOPS = st.none() | st.integers(300, 3000)

st.register_type_strategy(Say, _says())
st.register_type_strategy(Cue, _CUES)
st.register_type_strategy(Script, st.builds(Script, cues=st.lists(_CUES, max_size=4).map(tuple), loop_ms=_LOOPS))
st.register_type_strategy(
    Timing,
    st.builds(
        Timing,
        latency_ms=st.integers(0, 600),
        jitter_ms=st.sampled_from([0, 0, 1, 400]),
        interim_every_ms=st.integers(40, 500),
        word_ms=st.integers(40, 400),
    ),
)
st.register_type_strategy(Codec, st.sampled_from(Codec))
