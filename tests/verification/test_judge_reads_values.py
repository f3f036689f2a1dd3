"""What is judged is the values of the journal, never their sentences: reword them all, and no verdict changes."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, strategies as st

from uhlive_mock.model.audio import Codec
from uhlive_mock.model.fault import Fault, FaultKind, Stage, Takes
from uhlive_mock.model.limits import Chunk, Gap, GapAction, Idle, Throttle, ThrottleAction
from uhlive_mock.model.scenario import At, Cue, SaySegment
from uhlive_mock.protocol import records
from uhlive_mock.protocol.journal import Kind
from uhlive_mock.protocol.records import Closed, Defect, EndedBy, LimitRule, Login, Opened, Refused, SkipReason
from uhlive_mock.verification.judge import JournalReader, judge
from uhlive_mock.verification.timeline import timeline
from uhlive_mock.verification.transcripts import Transcript, delivered
from uhlive_mock.wire.framing import Framing

REWORDED = "~ other words, with 1000: the space was reset; idle for 60 s ~"
"""Says nothing, and would mislead anyone who looks into it for a framing, a code or a reason."""


class Rewording:
    """While it is entered, every sentence of the journal has other words."""

    def __init__(self) -> None:
        self._patch = pytest.MonkeyPatch()

    def __enter__(self) -> None:
        for kind in [*records.Record.__subclasses__(), SkipReason]:
            self._patch.setattr(kind, "__str__", lambda value: REWORDED)
        self._patch.setattr(records.RuleBroken, "detail", REWORDED)

    def __exit__(self, *_: object) -> None:
        self._patch.undo()


LIMITS = {
    "gap": {"gap": Gap(after_ms=3000)},
    "gap that closes": {"gap": Gap(after_ms=3000, action=GapAction.CLOSE)},
    "throttle": {"throttle": Throttle(rate=16_000, burst=8000)},
    "throttle that closes": {"throttle": Throttle(rate=16_000, burst=8000, action=ThrottleAction.CLOSE)},
    "chunk": {"chunk": Chunk(max=4000)},
    "idle": {"idle": Idle(after_ms=4000)},
    "none": {},
}
FAULTS = [
    *(
        Fault(kind=kind)
        for kind in FaultKind
        if kind.stage in (Stage.CHANNEL, Stage.EVENTS) and kind.takes is Takes.NOTHING
    ),
    Fault(kind=FaultKind.DROP_EVENTS, probability=1e-9),
    Fault(kind=FaultKind.JOIN_ERROR, value="maintenance", speaker="Bob"),
    Fault(kind=FaultKind.JOIN_SILENCE),
    Fault(kind=FaultKind.CLOSE, value=1011),
    Fault(kind=FaultKind.RESET),
    Fault(kind=FaultKind.CUT_FRAME),
]
ENDINGS = [by for by in EndedBy if by not in (EndedBy.RULE, EndedBy.FAULT, EndedBy.FRAME)]
"""What ends a socket besides what the calls do with it."""

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("audio"), st.integers(0, 1), st.sampled_from([800, 801, 1600, 8000, 40_000])),
        st.tuples(st.just("wait"), st.just(0), st.sampled_from([0.1, 1, 3.5, 5])),
        st.tuples(st.sampled_from(["join", "leave", "push", "beat", "again"]), st.integers(0, 1), st.just(0)),
        st.tuples(st.sampled_from(["garble", "lobby", "clear"]), st.integers(0, 1), st.just(0)),
        st.tuples(st.sampled_from(["arm", "strike"]), st.integers(0, 1), st.sampled_from(FAULTS)),
        st.tuples(st.just("close"), st.integers(0, 1), st.sampled_from(ENDINGS)),
    ),
    max_size=14,
)


class Call:
    """Two sockets of a space, and what is done on them."""

    def __init__(self, room, limits: str, framing: Framing) -> None:
        script = room.script(Cue(trigger=At(position_ms=400), action=SaySegment(text="hello")), word_ms=1)
        self.place = room(scenario=script, limits=room.limits(**LIMITS[limits]))
        self.space = self.place.space
        self.reader = JournalReader.of(self.space)
        for number in (1, 2):
            self.space.journal.note(Opened(framing=framing), self.place.now, socket=number)
            self.place.connect(framing)

    def take(self, what: str, who: int, given: object) -> None:
        peer, place = self.place.peers[who], self.place
        if peer.session.ended and what != "wait":
            return
        match what:
            case "audio" if peer.framing is Framing.VSN2:
                peer.audio(data=bytes(given))
            case "wait":
                place.advance(given)
            case "join":
                peer.join(("Alice", "Bob")[who], audio_codec=(Codec.LINEAR, Codec.ULAW)[who])
            case "leave":
                peer.leave()
            case "push":
                peer.send("1", "50", place.topic, "anything")
            case "again":
                peer.send("2", "50", place.topic, "anything")
            case "beat":
                peer.send(None, "6", "phoenix", "heartbeat")
            case "garble":
                peer.send_text("nonsense")
            case "lobby":
                peer.send("1", "7", "lobby", "phx_join")
            case "arm":
                self.space.faults.arm(given)
            case "strike":
                peer.session.strike(given, place.now)
            case "clear":
                self.space.faults.forget(place.now, SkipReason.CLEARED)
            case "close":
                code = 1000 if given is EndedBy.CLIENT else None
                peer.session.closed(place.now, Closed(by=given, code=code, unsent=1))

    def judged(self) -> dict[str, object]:
        """All that is judged of it, but for the words of the sentences."""
        self.reader.catch_up()
        found = [*self.reader.violations(), *self.reader.still_joined()]
        shown = timeline(self.space, width=200).splitlines()
        return {
            "violations": [
                (each.rule, each.severity, each.entry, each.socket, each.speaker, each.topic, each.at_s, each.times)
                for each in found
            ],
            "problems": [
                (problem.rule, problem.severity)
                for at_end in (False, True)
                for nothing in (False, True)
                for problem in judge(self.space, at_end=at_end, expected_nothing=nothing).problems
            ],
            "rules": [entry.rule for entry in self.space.journal],
            "findings": len(self.space.journal.findings()),
            "delivered": delivered(self.space, Transcript(text="hello")),
            "cues": [line.partition("│")[0] for line in shown if "│" in line],
        }


def judged_twice(room, limits: str, framing: Framing, steps) -> tuple[dict[str, object], dict[str, object]]:
    """A call as it is, judged in its own words and in others; the others are there from the first entry on."""
    call = Call(room, limits, framing)
    for step in steps:
        call.take(*step)
    plain = call.judged()
    with Rewording():
        other = Call(room, limits, framing)
        for step in steps:
            other.take(*step)
        reworded = other.judged()
        assert {entry.note for entry in other.space.journal} <= {None, REWORDED}
    return plain, reworded


@given(limits=st.sampled_from(sorted(LIMITS)), framing=st.sampled_from(Framing), steps=STEPS)
def test_no_verdict_depends_on_the_words_of_a_sentence(room, limits, framing, steps):
    plain, reworded = judged_twice(room, limits, framing, steps)
    assert reworded == plain


JOIN, AUDIO, LEAVE = ("join", 0, 0), ("audio", 0, 8000), ("leave", 0, 0)
MUTE = {"close_without_leave", "unplayed_cue"}
CALLS = {
    "the client closes": ("none", [JOIN, AUDIO, ("close", 0, EndedBy.CLIENT)], {"close_without_leave"}),
    "the connection is lost": ("none", [JOIN, ("close", 0, EndedBy.LOST)], MUTE),
    "the space is reset": ("none", [JOIN, ("close", 0, EndedBy.SPACE_RESET)], MUTE),
    "the space is closed": ("none", [JOIN, ("close", 0, EndedBy.SPACE_CLOSED)], MUTE),
    "the server stops": ("none", [JOIN, ("close", 0, EndedBy.SERVER_STOPPED)], MUTE),
    "a defect ends it": ("none", [JOIN, AUDIO, ("close", 0, EndedBy.DEFECT)], set()),
    "speaker_left is unsent": (
        "none",
        [JOIN, AUDIO, LEAVE, ("close", 0, EndedBy.CLIENT)],
        {"leave_without_waiting"},
    ),
    "a fault closes it": ("none", [JOIN, AUDIO, ("strike", 0, Fault(kind=FaultKind.CLOSE, value=1011))], set()),
    "a fault cuts it short": ("none", [JOIN, ("strike", 0, Fault(kind=FaultKind.CRASH))], {"unplayed_cue"}),
    "a fault waits in vain": ("none", [JOIN, AUDIO, LEAVE, ("arm", 0, FAULTS[0])], {"unstruck_fault"}),
    "a fault is cleared": ("none", [JOIN, AUDIO, LEAVE, ("arm", 0, FAULTS[0]), ("clear", 0, 0)], set()),
    "bytes are no message": ("none", [JOIN, AUDIO, ("garble", 0, 0)], {"bad_frame"}),
    "silence": ("gap", [JOIN, AUDIO, ("wait", 0, 5)], {"gap"}),
    "a flood": ("throttle", [JOIN, ("audio", 0, 40_000), ("wait", 0, 5), LEAVE], {"throttle"}),
    "a large chunk": ("chunk", [JOIN, AUDIO, LEAVE], {"chunk_size"}),
    "nothing at all": ("idle", [JOIN, AUDIO, ("wait", 0, 5)], {"missing_heartbeat"}),
}
"""The rules of `LIMITS`, what is done, and what is wrong with it."""


@pytest.mark.parametrize("name", CALLS)
def test_what_each_way_to_go_wrong_is_called_does_not_depend_on_its_words(room, name):
    limits, steps, rules = CALLS[name]
    plain, reworded = judged_twice(room, limits, Framing.VSN2, steps)
    assert reworded == plain
    assert {rule for rule, _ in plain["problems"]} - {"unexpected_contact"} == rules


@pytest.mark.parametrize(("framing", "kind"), [(Framing.VSN1, "["), (Framing.VSN2, "{")])
def test_the_framing_that_a_frame_is_shown_in_is_that_of_the_value(room, framing, kind):
    plain, _ = judged_twice(room, "none", framing, [("push", 0, 0)])
    with Rewording():
        call = Call(room, "none", framing)
        call.take("push", 0, 0)
        call.reader.catch_up()
        [violation] = call.reader.violations()
    assert violation.frame[0] != kind
    assert [each[0] for each in plain["violations"]] == [violation.rule]


def test_defects_refusals_and_logins_are_known_by_their_values_as_well(room):
    def judged() -> dict[str, object]:
        call = Call(room, "none", Framing.VSN2)
        journal, now = call.space.journal, call.place.now
        journal.note(Login(grant="password", status=401, error="invalid_grant"), now)
        journal.note(Refused(why="no token"), now)
        journal.note(Defect(trace="Traceback\nKeyError: 'a'\n"), now)
        return call.judged()

    plain = judged()
    with Rewording():
        assert judged() == plain
    assert Counter(rule for rule, _ in plain["problems"])["defect"] == 4


def test_every_value_there_is_was_reworded():
    with Rewording():
        for value in records.Record.__subclasses__():
            assert value.__str__(None) == REWORDED
    assert {value.kind for value in records.Record.__subclasses__()} == set(Kind) - {Kind.RECEIVED, Kind.SENT}
    assert records.RuleBroken(rule=LimitRule.GAP, limit=3).detail == "no audio for 3 s"
