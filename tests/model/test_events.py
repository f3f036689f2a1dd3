"""Every kind of action and of event tells its own name and text."""

from __future__ import annotations

from typing import get_args

import pytest

from uhlive_mock.model.events import Event
from uhlive_mock.model.fault import Fault, FaultKind
from uhlive_mock.model.scenario import (
    Action,
    InlineEntity,
    RawEvent,
    Say,
    SayEntity,
    SayInterim,
    SayNormalized,
    SayRelation,
    SaySegment,
    SayTags,
    ScriptedTag,
)

CITY = InlineEntity(name="location_city", first=1, last=1, source="lyon")
ACTIONS = [
    (Say(text="à lyon", entities=(CITY,)), "say", "à lyon", '"à lyon"', ["location_city"], 2),
    (SayInterim(text="à"), "interim", "à", '"à"', [], 1),
    (SaySegment(text="à lyon"), "segment", "à lyon", '"à lyon"', [], 2),
    (SayNormalized(text="À Lyon."), "normalized", "À Lyon.", '"À Lyon."', [], 2),
    (SayEntity(name="city", source="lyon"), "entity", "lyon", 'city "lyon"', ["city"], 0),
    (SayRelation(name="trip", members=("a", "b")), "relation", "trip", "trip", ["a", "b"], 0),
    (SayTags(tags=(ScriptedTag(id="1", label="A"), ScriptedTag(id="2", label="B"))), "tags", "A, B", "A, B", [], 0),
    (RawEvent(name="custom", payload={"é": 1}), "event", 'custom {"é": 1}', "custom", [], 0),
]


@pytest.mark.parametrize(
    ("action", "keyword", "text", "summary", "names", "words"), ACTIONS, ids=[row[1] for row in ACTIONS]
)
def test_an_action_tells_its_keyword_and_what_it_says(action, keyword, text, summary, names, words):
    assert (action.keyword, action.text, action.summary) == (keyword, text, summary)
    assert list(action.entity_names) == names
    assert action.word_count == words


def test_a_fault_tells_as_much_as_it_has():
    fault = Fault(kind=FaultKind.CLOSE, value=1011)
    assert (fault.keyword, fault.summary, fault.word_count) == ("fault", "close: 1011", 0)


def test_every_action_is_told_above():
    assert {type(row[0]) for row in ACTIONS} | {Fault} == set(get_args(Action))


def test_every_event_has_a_kind_of_its_own():
    kinds = [kind.kind for kind in get_args(Event)]
    assert len(set(kinds)) == len(kinds)
    assert all(kinds)
