"""What a fault refuses when it is built, and whom it is meant for."""

from __future__ import annotations

import msgspec
import pytest

from uhlive_mock.errors import ScenarioError
from uhlive_mock.model.fault import Fault, FaultKind, Stage, Takes

ACCEPTED = {
    Takes.NOTHING: [None],
    Takes.STATUS: [400, 599],
    Takes.CODE: [1000, 1011, 4999],
    Takes.TEXT: ["x"],
    Takes.DURATION: [1, 60_000],
}
REFUSED = {
    Takes.NOTHING: [0, 1, "", "x", True],
    Takes.STATUS: [None, 399, 600, "503", True],
    Takes.CODE: [None, 999, 1005, 1006, 5000, "1011", True],
    Takes.TEXT: [None, "", 1],
    Takes.DURATION: [None, 0, -1, "2s", True],
}


@pytest.mark.parametrize("kind", FaultKind)
def test_every_kind_strikes_somewhere_reads_something_and_says_what_it_does(kind):
    assert isinstance(kind.stage, Stage)
    assert isinstance(kind.takes, Takes)
    assert kind.does.endswith(".")


@pytest.mark.parametrize("kind", FaultKind)
def test_a_fault_takes_the_values_of_its_kind_and_no_other(kind):
    for value in ACCEPTED[kind.takes]:
        assert Fault(kind=kind, value=value).value == value
    for value in REFUSED[kind.takes]:
        with pytest.raises(ScenarioError, match=f"{kind} takes .*; found {value!r}"):
            Fault(kind=kind, value=value)


def test_every_stage_has_a_fault():
    assert {kind.stage for kind in FaultKind} == set(Stage)


@pytest.mark.parametrize(
    ("reach", "message"),
    [
        ({"count": 0}, "count is 0; expected 1 or more"),
        ({"probability": 0}, "probability is 0; expected more than 0, at most 1"),
        ({"probability": 1.5}, "probability is 1.5; expected more than 0, at most 1"),
        ({"probability": float("nan")}, "probability is nan; expected more than 0, at most 1"),
        ({"speaker": ""}, "speaker or event is empty; expected at least one character"),
        ({"event": ""}, "speaker or event is empty; expected at least one character"),
        ({"event": "entity_*"}, "reset is not about events; event is for faults that are"),
    ],
)
def test_a_reach_that_makes_no_sense_is_refused(reach, message):
    with pytest.raises(ScenarioError) as refused:
        Fault(kind=FaultKind.RESET, **reach)
    assert str(refused.value) == message


@pytest.mark.parametrize(
    ("fault", "meant"),
    [
        (Fault(kind=FaultKind.DROP_EVENTS), True),
        (Fault(kind=FaultKind.DROP_EVENTS, speaker="Bob"), True),
        (Fault(kind=FaultKind.DROP_EVENTS, speaker="bob"), False),
        (Fault(kind=FaultKind.DROP_EVENTS, event="entity_*"), True),
        (Fault(kind=FaultKind.DROP_EVENTS, event="entity"), False),
        (Fault(kind=FaultKind.DROP_EVENTS, speaker="Bob", event="words_*"), False),
        (Fault(kind=FaultKind.DROP_EVENTS, speaker="Alice", event="entity_*"), False),
    ],
)
def test_a_fault_is_meant_for_its_speaker_and_its_events(fault, meant):
    assert fault.strikes(speaker="Bob", event="entity_location_city_found") is meant


def test_a_fault_with_a_speaker_or_an_event_is_not_meant_for_who_has_none():
    assert Fault(kind=FaultKind.RESET).strikes()
    assert not Fault(kind=FaultKind.RESET, speaker="Bob").strikes()
    assert not Fault(kind=FaultKind.DROP_EVENTS, event="*").strikes()


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (Fault(kind=FaultKind.RESET), "reset"),
        (Fault(kind=FaultKind.CLOSE, value=1011), "close: 1011"),
        (Fault(kind=FaultKind.JOIN_ERROR, value="full"), "join_error: full"),
    ],
)
def test_a_fault_reads_as_a_document_writes_it(fault, text):
    assert str(fault) == text


def test_faults_are_frozen_and_survive_a_trip_through_json():
    fault = Fault(kind=FaultKind.DELAY_EVENTS, value=2000, count=None, event="entity_*", probability=0.5)
    assert msgspec.json.decode(msgspec.json.encode(fault), type=Fault) == fault
    with pytest.raises(AttributeError):
        fault.count = 2
