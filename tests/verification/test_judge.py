"""The verdict: what speaks against a test, worst first, and in words one can act on."""

from __future__ import annotations

import json

import pytest

from uhlive_mock.model.account import Account
from uhlive_mock.model.fault import Fault, FaultKind
from uhlive_mock.model.scenario import At, Cue, Match, RawEvent, Scenario, Script
from uhlive_mock.model.settings import Drive, SpaceSettings
from uhlive_mock.protocol.clock import Clock
from uhlive_mock.protocol.journal import Kind
from uhlive_mock.protocol.records import Closed, Defect, EndedBy, SkipReason
from uhlive_mock.protocol.socket import Socket
from uhlive_mock.protocol.space import Space
from uhlive_mock.scenarios import builtin_scenario
from uhlive_mock.verification.judge import judge
from uhlive_mock.verification.rules import RULES, Severity, Verdict
from uhlive_mock.wire.framing import Framing

TOPIC = "conversation:acme@conv1"


def cue(position_ms: int) -> Cue:
    return Cue(trigger=At(position_ms=position_ms), action=RawEvent(name="hello", payload={}))


def call(name: str = "call", match: str = "*", **speakers: Script) -> Scenario:
    return Scenario(name=name, match=Match(conversation=match), speakers=speakers)


ONE_CUE = call(Alice=Script(cues=(cue(1000),)))


class Place:
    """A space in memory, driven by audio."""

    def __init__(self, *scenarios: Scenario) -> None:
        accounts = (Account(client_id="acme", client_secret="s"),)
        settings = SpaceSettings(accounts=accounts, scenarios=scenarios, clock=Drive.AUDIO)
        self.space = Space(settings, Clock(settings.clock, real=lambda: 0.0, wall=lambda: 0.0))
        self.sockets = 0

    def join(self, speaker: str = "Alice") -> Socket:
        self.sockets += 1
        session = Socket(
            space=self.space,
            account=self.space.accounts["acme"],
            framing=Framing.VSN2,
            now=0.0,
            number=self.sockets,
        )
        say(session, "1", "phx_join", {"speaker": speaker})
        return session

    def verdict(self, **options) -> Verdict:
        return judge(self.space, **options)

    def told(self, **options) -> list[tuple[str, str]]:
        """The rule of each problem, and its first line."""
        return [(problem.rule, problem.text.splitlines()[0]) for problem in self.verdict(**options).problems]


def say(session: Socket, ref: str, event: str, payload: object = None) -> None:
    session.receive(json.dumps(["1", ref, TOPIC, event, payload or {}]), 0.0)


def audio(session: Socket, ref: str, size: int) -> None:
    fields = [text.encode() for text in ("1", ref, TOPIC, "audio_chunk")]
    session.receive(bytes([0, *map(len, fields)]) + b"".join(fields) + bytes(size), 0.0)


def leave(session: Socket) -> None:
    say(session, "99", "phx_leave")
    session.closed(0.0, Closed(by=EndedBy.CLIENT, code=1000))


# --- scenarios ---


def test_a_call_in_which_everything_was_heard_is_fine():
    place = Place(ONE_CUE)
    alice = place.join()
    audio(alice, "2", 16_000)
    leave(alice)
    assert place.verdict(at_end=True) == Verdict()
    assert place.verdict().ok


def test_a_cue_that_a_stay_ended_without_is_an_error_at_once():
    place = Place(ONE_CUE)
    leave(place.join())
    assert place.told() == [
        ("unplayed_cue", "cue 0 of Alice was never played: it needs 1 s of audio, 0 s of audio arrived")
    ]
    assert not place.verdict().ok


def test_a_cue_that_a_speaker_who_is_still_there_has_not_reached_counts_at_the_end():
    place = Place(ONE_CUE)
    audio(place.join(), "2", 8000)
    assert place.told() == []
    assert place.told(at_end=True) == [
        ("close_without_leave", "Alice: " + RULES["close_without_leave"].sentence[:-1] + ": it is still there"),
        (
            "unplayed_cue",
            "cue 0 of Alice was never played: it needs 1 s of audio, 0.5 s of audio arrived; Alice is still there",
        ),
    ]


def test_a_cue_behind_a_fault_that_ended_the_stay_is_only_a_warning():
    place = Place(ONE_CUE)
    place.join().strike(Fault(kind=FaultKind.CRASH), 0.0)
    [problem] = place.verdict(at_end=True).problems
    assert (problem.rule, problem.severity) == ("unplayed_cue", Severity.WARNING)
    assert problem.text.endswith("a fault ended the stay")
    assert place.verdict().ok


def test_when_nobody_joined_that_is_one_problem():
    place = Place(call(Alice=Script(), Bob=Script()), call("other", "support-*"))
    assert place.told() == []
    assert place.told(at_end=True) == [
        (
            "unheard",
            "nobody joined, so nothing was heard of scenario 'call', 'other'; it waited for 'Alice', 'Bob'",
        )
    ]


def test_a_speaker_that_never_joined_is_told_once_somebody_has():
    place = Place(call(Alice=Script(), Bob=Script()))
    leave(place.join())
    assert place.told(at_end=True) == [
        ("unheard", "speaker 'Bob' of scenario 'call' never joined; joined: 'Alice'")
    ]


def test_the_builtin_call_waits_for_nobody():
    assert Place(builtin_scenario()).verdict(at_end=True) == Verdict()


# --- faults and defects ---


def test_a_fault_that_never_struck_is_a_warning():
    place = Place()
    place.space.faults.arm(Fault(kind=FaultKind.JOIN_ERROR, value="maintenance"))
    assert place.told() == []
    assert place.told(at_end=True) == [
        ("unstruck_fault", "fault join_error: maintenance never struck: its turn never came")
    ]
    place.space.faults.forget(0.0, SkipReason.NO_TURN)
    assert place.told() == place.told(at_end=True)
    assert place.verdict(at_end=True).ok


def test_a_fault_that_chance_or_the_test_took_out_is_no_problem():
    place = Place()
    place.space.faults.arm(Fault(kind=FaultKind.JOIN_SILENCE, probability=1e-9))
    leave(place.join())
    place.space.faults.forget(0.0, SkipReason.CLEARED)
    assert place.space.journal.messages(kind=Kind.FAULT_SKIPPED)
    assert place.verdict(at_end=True) == Verdict()


def test_a_defect_of_ours_comes_first_with_its_traceback_and_cannot_be_allowed():
    place = Place(ONE_CUE)
    leave(place.join())
    place.space.journal.note(Defect(trace="Traceback\n  somewhere\nKeyError: 'a'\n"), 0.0)
    [defect, _] = place.verdict().problems
    assert defect.text.splitlines()[1:] == ["  Traceback", "    somewhere", "  KeyError: 'a'"]
    assert [problem.rule for problem in place.verdict(allowed={"*", "defect"}).problems] == ["defect"]
    assert "uhlive_mock.allow" not in str(defect)


# --- expecting nothing, allowing ---


@pytest.mark.parametrize("kind", [Kind.LOGIN, Kind.OPENED, Kind.REFUSED, Kind.RECEIVED])
def test_any_contact_is_too_much_for_a_test_that_expects_nothing(kind):
    place = Place(ONE_CUE)
    assert place.verdict(expected_nothing=True, at_end=True) == Verdict()
    place.space.journal.record(kind, 0.0, topic=TOPIC, event="anything")
    assert place.told(expected_nothing=True) == [
        ("unexpected_contact", "the client was to leave the service alone")
    ]


def test_what_is_denied_is_an_error_unless_it_is_allowed_by_name():
    place = Place()
    place.space.faults.arm(Fault(kind=FaultKind.JOIN_ERROR, value="maintenance", speaker="Bob"))
    for denied, allowed, severities in (
        (set(), set(), [Severity.WARNING]),
        ({"unstruck_fault"}, set(), [Severity.ERROR]),
        ({"*"}, set(), [Severity.ERROR]),
        ({"gap"}, set(), [Severity.WARNING]),
        ({"*"}, {"unstruck_fault"}, []),
        ({"unstruck_fault"}, {"*"}, [Severity.ERROR]),
    ):
        problems = place.verdict(denied=denied, allowed=allowed, at_end=True).problems
        assert [each.severity for each in problems if each.rule == "unstruck_fault"] == severities


def test_what_is_allowed_is_left_out_one_by_one_or_all():
    place = Place(ONE_CUE)
    alice = place.join()
    audio(alice, "2", 801)
    leave(alice)
    assert [rule for rule, _ in place.told()] == ["odd_samples", "unplayed_cue"]
    assert [rule for rule, _ in place.told(allowed={"odd_samples"})] == ["unplayed_cue"]
    assert place.verdict(allowed={"*"}) == Verdict()


def test_errors_come_before_warnings():
    place = Place()
    place.space.faults.arm(Fault(kind=FaultKind.JOIN_ERROR, value="maintenance", speaker="Bob"))
    place.join()
    severities = [problem.severity for problem in place.verdict(at_end=True).problems]
    assert severities == [Severity.ERROR, Severity.WARNING]


# --- words ---


def test_a_violation_says_who_what_which_frame_when_from_where_we_know_and_how_to_allow_it():
    place = Place()
    alice = place.join()
    audio(alice, "2", 1600)
    audio(alice, "3", 801)
    audio(alice, "4", 801)
    [problem] = place.verdict().problems
    assert str(problem) == (
        "odd_samples: Alice: A chunk of 16-bit audio ended in the middle of a sample: 801 bytes (2 times)\n"
        f'  in entry 3: ["1","3","{TOPIC}","audio_chunk",<801 bytes of audio>]\n'
        "  at 0.100 s of Alice's audio\n"
        "  documented: getting-started page: 16-bit samples\n"
        '  to allow it in the test: uhlive_mock.allow("odd_samples")\n'
        '  to allow it on the test: @pytest.mark.uhlive_mock(allow=["odd_samples"]), or strict=False for all\n'
        "  to allow it in pytest.ini: uhlive_mock_allow = odd_samples"
    )
