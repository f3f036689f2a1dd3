"""Whatever a well-behaved client does is fine, and one thing wrong in it is told by its name and nothing else."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given, strategies as st

from uhlive_mock.model.account import Account
from uhlive_mock.model.limits import Gap, GapAction, Idle, Limits, Throttle, ThrottleAction
from uhlive_mock.model.settings import SpaceSettings
from uhlive_mock.protocol.clock import Clock
from uhlive_mock.protocol.faults import FaultBox
from uhlive_mock.protocol.journal import Journal
from uhlive_mock.protocol.records import Closed, EndedBy, Opened
from uhlive_mock.protocol.socket import Socket
from uhlive_mock.protocol.space import Space
from uhlive_mock.verification.judge import JournalReader
from uhlive_mock.wire.framing import Framing

UNLIMITED = Limits(
    throttle=Throttle(action=ThrottleAction.OFF), gap=Gap(action=GapAction.OFF), idle=Idle(after_ms=None)
)
TOPICS = tuple(f"conversation:acme@{name}" for name in ("one", "two", "été"))


class Step(msgspec.Struct, frozen=True):
    """One thing a client does. What is None is as it should be."""

    does: str
    topic: str = ""
    size: int = 0
    ref: str | None = None
    join_ref: str | None = None


class Style(msgspec.Struct, frozen=True):
    """How a client writes: its framing, whether its audio is binary, whether it counts its refs for all topics."""

    framing: Framing
    binary: bool
    shared_refs: bool


STYLES = [
    Style(Framing.VSN2, binary=True, shared_refs=False),  # the Python SDK
    Style(Framing.VSN2, binary=False, shared_refs=True),  # the JavaScript SDK
    Style(Framing.VSN2, binary=True, shared_refs=True),
    Style(Framing.VSN1, binary=False, shared_refs=True),
]


class Player:
    """Plays steps on a session of a space whose journal keeps `capacity` entries. Time passes as audio does."""

    def __init__(self, style: Style, *, capacity: int = 100_000) -> None:
        self.now = 1000.0
        self.style = style
        settings = SpaceSettings(accounts=(Account(client_id="acme", client_secret="s"),), limits=UNLIMITED)
        self.space = Space(settings, Clock(real=lambda: self.now, wall=lambda: self.now))
        self.space.journal = Journal(lambda: self.now, capacity=capacity)
        self.space.faults = FaultBox(0, self.space.journal)
        self.reading = JournalReader.of(self.space)
        self.space.journal.note(Opened(framing=style.framing), self.now, socket=1)
        self.session = Socket(
            space=self.space, account=self.space.accounts["acme"], framing=style.framing, now=self.now, number=1
        )
        self.refs: dict[str, int] = {}
        self.join_refs: dict[str, str] = {}

    def play(self, steps: list[Step], after: Callable[[], object] = lambda: None) -> list[str]:
        for step in steps:
            self.take(step)
            after()
        return self.broken

    @property
    def broken(self) -> list[str]:
        self.reading.catch_up()
        return [violation.rule for violation in self.reading.violations()]

    def take(self, step: Step) -> None:
        match step.does:
            case "close":
                self.session.closed(self.now, Closed(by=EndedBy.CLIENT, code=1000, unsent=step.size))
            case "garble":
                self.session.receive("nonsense", self.now)
            case "beat":
                self.say(step, "phoenix", "heartbeat")
            case "join":
                self.say(step, step.topic, "phx_join", {"speaker": "Alice"})
            case "leave":
                self.say(step, step.topic, "phx_leave")
            case "push":
                self.say(step, step.topic, "anything")
            case "audio" if self.style.binary:
                self.say(step, step.topic, "audio_chunk", bytes(step.size))
            case "audio":
                self.say(step, step.topic, "audio_chunk", {"blob": base64.b64encode(bytes(step.size)).decode()})
        self.now += step.size / 16_000

    def say(self, step: Step, topic: str, event: str, payload: object = None) -> None:
        counter = "all" if self.style.shared_refs else topic
        self.refs[counter] = self.refs.get(counter, 0) + 1
        ref = step.ref or str(self.refs[counter])
        if event == "phx_join":
            self.join_refs[topic] = ref if self.style.shared_refs else "1"
        join_ref = step.join_ref or self.join_refs.get(topic, "1")
        if isinstance(payload, bytes):
            fields = [text.encode() for text in (join_ref, ref, topic, event)]
            self.session.receive(bytes([0, *map(len, fields)]) + b"".join(fields) + payload, self.now)
        elif self.style.framing is Framing.VSN2:
            frame = [None if topic == "phoenix" else join_ref, ref, topic, event, payload or {}]
            self.session.receive(json.dumps(frame), self.now)
        else:
            frame = {"topic": topic, "event": event, "payload": payload or {}, "ref": ref}
            self.session.receive(json.dumps(frame), self.now)


@st.composite
def calls(draw) -> list[Step]:
    """What a well-behaved client does on one socket: stays on several topics, mixed, and then a close."""
    lanes = []
    for topic in draw(st.lists(st.sampled_from(TOPICS), min_size=1, max_size=3, unique=True)):
        lane = []
        for _ in range(draw(st.integers(1, 2))):
            sizes = draw(st.lists(st.integers(1, 2000).map(lambda half: 2 * half), min_size=1, max_size=4))
            lane += [Step("join", topic), *(Step("audio", topic, size) for size in sizes), Step("leave", topic)]
        lanes.append(lane)
    steps = []
    while any(lanes):
        if draw(st.integers(0, 9)) == 0:
            steps.append(Step("beat"))
        steps.append(draw(st.sampled_from([lane for lane in lanes if lane])).pop(0))
    return [*steps, Step("close")]


def places(steps: list[Step], does: str) -> list[int]:
    return [place for place, step in enumerate(steps) if step.does == does]


Mutation = Callable[[st.DataObject, list[Step]], list[Step]]


def changing(does: str, change: Callable[[Step], list[Step]]) -> Mutation:
    """Puts something else in the place of one step."""

    def mutate(data: st.DataObject, steps: list[Step]) -> list[Step]:
        if not (found := places(steps, does)):
            return steps
        at = data.draw(st.sampled_from(found))
        return [*steps[:at], *change(steps[at]), *steps[at + 1 :]]

    return mutate


def without_the_last_leave(data: st.DataObject, steps: list[Step]) -> list[Step]:
    last = places(steps, "leave")[-1]
    return [*steps[:last], *steps[last + 1 :]]


def with_a_used_ref(data: st.DataObject, steps: list[Step]) -> list[Step]:
    """A message with the ref of the join of its stay."""
    join = data.draw(st.sampled_from(places(steps, "join")))
    own = [place for place in places(steps, "audio") if place > join and steps[place].topic == steps[join].topic]
    at = min(own)
    return [
        msgspec.structs.replace(step, ref="used") if place in (at, join) else step
        for place, step in enumerate(steps)
    ]


def before_the_first_join(step: Step) -> Mutation:
    def mutate(data: st.DataObject, steps: list[Step]) -> list[Step]:
        at = places(steps, "join")[0]
        return [*steps[:at], msgspec.structs.replace(step, topic=steps[at].topic), *steps[at:]]

    return mutate


MUTATIONS: dict[str, Mutation] = {
    "reference_reuse": with_a_used_ref,
    "push_before_join": before_the_first_join(Step("push")),
    "audio_before_join": before_the_first_join(Step("audio", size=1600)),
    "audio_after_leave": changing("leave", lambda step: [step, Step("audio", step.topic, 1600)]),
    "double_join": changing("join", lambda step: [step, step]),
    "bad_topic": changing("join", lambda step: [Step("push", "lobby"), step]),
    "bad_frame": changing("close", lambda step: [Step("garble")]),
    "odd_samples": changing("audio", lambda step: [Step("audio", step.topic, step.size + 1)]),
    "close_without_leave": without_the_last_leave,
    "leave_without_waiting": changing("close", lambda step: [Step("close", size=1000)]),
}


@pytest.mark.parametrize("style", STYLES, ids=str)
@given(steps=calls())
def test_a_well_behaved_client_breaks_no_rule(style, steps):
    player = Player(style)
    assert player.play(steps) == []
    assert player.reading.still_joined() == []


@pytest.mark.parametrize("rule", MUTATIONS)
@given(data=st.data(), style=st.sampled_from(STYLES), steps=calls())
def test_one_thing_wrong_breaks_its_rule_and_no_other(rule, data, style, steps):
    assert Player(style).play(MUTATIONS[rule](data, steps)) == [rule]


@given(data=st.data(), style=st.sampled_from([style for style in STYLES if style.framing is Framing.VSN2]))
def test_another_join_ref_breaks_its_rule_and_no_other(data, style):
    steps = changing("audio", lambda step: [msgspec.structs.replace(step, join_ref="x")])(data, data.draw(calls()))
    assert Player(style).play(steps) == ["wrong_join_ref"]


@given(data=st.data(), style=st.sampled_from(STYLES), steps=calls(), capacity=st.sampled_from([1, 2, 5, 100]))
def test_however_it_is_read_and_however_little_is_kept_the_same_is_found(data, style, steps, capacity):
    rules = data.draw(st.lists(st.sampled_from(list(MUTATIONS)), max_size=3, unique=True))
    for rule in rules:
        steps = MUTATIONS[rule](data, steps)
    at_once, as_it_goes, forgetful = Player(style), Player(style), Player(style, capacity=capacity)
    at_once.play(steps)
    as_it_goes.play(steps, after=lambda: data.draw(st.booleans()) and as_it_goes.broken)
    forgetful.play(steps)
    found = at_once.reading.violations()
    assert as_it_goes.reading.violations() == found
    assert forgetful.reading.violations() == found
