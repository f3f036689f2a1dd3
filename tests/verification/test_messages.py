"""Questions about messages, and what one reads when the answer is no."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given, strategies as st

from uhlive_mock.protocol.journal import Entry, Kind
from uhlive_mock.verification.messages import (
    Sought,
    brief,
    differences,
    leaves,
    nearest,
    why_not_come,
    why_not_sent,
    why_sent,
)

PLAIN = st.none() | st.booleans() | st.integers() | st.text(max_size=4)
JSON = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
)
OBJECTS = st.dictionaries(st.text(max_size=3), JSON, max_size=4)
JWT = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"


# --- subsets ---


@st.composite
def parts(draw, whole):
    """Some of a value: keys left out, at every level."""
    if isinstance(whole, dict):
        return {key: draw(parts(value)) for key, value in whole.items() if draw(st.booleans())}
    return [draw(parts(item)) for item in whole] if isinstance(whole, list) else whole


@given(st.data(), OBJECTS)
def test_what_is_a_part_of_a_payload_matches(data, payload):
    wanted = data.draw(parts(payload))
    assert list(differences(wanted, payload)) == []


def places(value, path=()):
    """Where a value's leaves are."""
    if isinstance(value, dict | list) and value:
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(item, (*path, key))
    elif path:
        yield path


@given(st.data(), OBJECTS.filter(bool))
def test_a_part_that_differs_is_told_by_its_path(data, payload):
    path = data.draw(st.sampled_from(list(places(payload))))
    wanted = at = copy.deepcopy(payload)
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = ["something", "else"] * 2
    name = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path)
    [line] = differences(wanted, payload)
    assert line.startswith(f"payload{name}: expected ['something', 'else'")


@given(JSON, JSON)
def test_nothing_differs_in_more_places_than_there_are(wanted, found):
    assert len(list(differences(wanted, found))) <= leaves(wanted)


def test_a_wanted_value_may_say_for_itself_what_it_equals():
    assert list(differences({"at": pytest.approx(1.0)}, {"at": 1.0 + 1e-9})) == []


def test_a_missing_key_is_told_with_those_there_are():
    assert list(differences({"modle": "fr"}, {"model": "fr", "country": "fr"})) == [
        "payload.modle: expected 'fr', found only model, country"
    ]


def test_secrets_are_not_repeated():
    assert brief({"token": "abc", "x": JWT}) == "{'token': '***', 'x': '***'}"
    [line] = differences({"password": "abc"}, {"password": "***"})
    assert line == "payload.password: expected '***', found '***'; the journal keeps no secrets"


# --- nearest misses ---

SPEAKERS = st.sampled_from(["Alice", "Bob"])
ENTRIES = st.builds(
    Entry,
    index=st.just(0),
    wall=st.just(0.0),
    now=st.just(0.0),
    kind=st.just(Kind.RECEIVED),
    event=st.sampled_from(["a", "b"]),
    speaker=st.none() | SPEAKERS,
    topic=st.sampled_from(["conversation:acme@conv1", "conversation:acme@conv2", "phoenix", None, 7]),
    payload=st.none() | st.fixed_dictionaries({}, optional={key: st.integers(0, 1) for key in "xyz"}),
)
SOUGHT = st.builds(
    Sought,
    event=st.sampled_from(["a", "b"]),
    speaker=st.none() | SPEAKERS,
    conversation=st.none() | st.sampled_from(["conv1", "conv2"]),
    payload=st.none() | st.fixed_dictionaries({}, optional={key: st.integers(0, 1) for key in "xyz"}),
    clients=st.just(("acme",)),
)


@given(SOUGHT, st.lists(ENTRIES, max_size=12))
def test_misses_come_nearest_first_and_each_kind_of_miss_once(sought, entries):
    missed = [entry for entry in entries if entry.event == sought.event and not sought.matches(entry)]
    ranked = nearest(sought, entries)
    distances = [sought.distance(entry) for entry, _ in ranked]
    assert distances == sorted(distances)
    assert sum(alike for _, alike in ranked) == len(missed)
    assert len({tuple(sought.differences(entry)) for entry, _ in ranked}) == len(ranked)
    assert all(sought.differences(entry) for entry in missed)


@pytest.mark.parametrize(
    ("topic", "conversation"),
    [
        ("conversation:acme@conv1", "conv1"),
        ("conversation:me@acme@conv1", "conv1"),
        ("conversation:acme@a@b", "a@b"),
        ("conversation:other@conv1", "conv1"),
        ("conversation:conv1", "conv1"),
    ],
)
def test_a_conversation_is_known_by_its_topic(topic, conversation):
    sought = Sought(conversation=conversation, clients=("acme", "me@acme"))
    entry = Entry(index=0, wall=0.0, now=0.0, kind=Kind.RECEIVED, topic=topic)
    assert sought.matches(entry)


# --- what one reads ---


def test_a_message_never_sent_is_told_with_the_nearest(room):
    place = room(follow_audio=True)
    alice = place.connect().joined("Alice", model="en")
    alice.audio(0.5)
    alice.send("1", "7", place.topic, "phx_join", {"speaker": "Bob", "model": "fr"})
    said = why_not_sent(place.space, Sought(event="phx_join", speaker="Alice", payload={"model": "fr"}))
    assert said.splitlines() == [
        "the client never sent phx_join of Alice with {'model': 'fr'}",
        "  the nearest:",
        "    #0 (socket 1 at 0.000 s, Alice's audio at 0.000 s): phx_join",
        "      payload.model: expected 'fr', found 'en'",
        "    #3 (socket 1 at 0.000 s, Bob's audio at 0.000 s): phx_join",
        "      speaker: expected 'Alice', found 'Bob'",
    ]


def test_misses_that_are_alike_are_told_once(room):
    place = room(follow_audio=True)
    alice = place.connect().joined("Alice")
    for _ in range(30):
        alice.audio(0.1)
    said = why_not_sent(place.space, Sought(event="audio_chunk", speaker="Bob"))
    assert said.splitlines()[2:] == [
        "    #2 (socket 1 at 0.000 s, Alice's audio at 0.000 s): audio_chunk and 29 more like it",
        "      speaker: expected 'Bob', found 'Alice'",
    ]


def test_a_name_that_was_never_sent_is_told_with_those_that_were(room):
    place = room()
    place.connect().joined("Alice").audio(0.1)
    said = why_not_sent(place.space, Sought(event="phx_joi", kind=Kind.RECEIVED))
    assert said.splitlines() == [
        "the client never sent phx_joi",
        "  it sent: phx_join (1), audio_chunk (1); did you mean 'phx_join'?",
    ]
    nothing = why_not_sent(room().space, Sought(event="phx_join", kind=Kind.RECEIVED))
    assert nothing.splitlines()[1] == "  it sent: nothing at all"


def test_too_many_and_too_few_are_told_with_which(room):
    place = room()
    alice = place.connect().joined("Alice")
    for _ in range(5):
        alice.audio(0.1)
    sought = Sought(event="audio_chunk", speaker="Alice", kind=Kind.RECEIVED)
    few, many = (why_not_sent(place.space, sought, times=times).splitlines() for times in (7, 1))
    assert few[0] == "the client sent audio_chunk of Alice 5 times; expected 7 times"
    assert many[0] == "the client sent audio_chunk of Alice 5 times; expected once"
    assert few[1:] == many[1:]
    assert many[1] == "    #2 (socket 1 at 0.000 s, Alice's audio at 0.000 s): audio_chunk"
    assert many[4].startswith("    … and 2 more, the last #6 (socket 1 at 0.000 s, Alice's audio at 0.400 s)")
    assert why_sent(place.space, sought).splitlines() == [many[0].replace("once", "never"), *many[1:]]


def test_what_the_journal_has_lost_is_told(room):
    place = room()
    place.space.journal.__init__(lambda: 0.0, capacity=4)
    alice = place.connect().joined("Alice")
    for _ in range(8):
        alice.audio(0.1)
        place.advance(0.1)
    said = why_not_come(place.space, Sought(event="audio_chunk", speaker="Bob"), " within 1 s")
    assert said.splitlines() == [
        "no message with event=audio_chunk, speaker=Bob came within 1 s",
        "  the nearest:",
        "    #6 (socket 1 at 0.000 s, Alice's audio at 0.400 s): audio_chunk and 3 more like it",
        "      speaker: expected 'Bob', found 'Alice'",
        "  (the journal has lost its first 6 entries)",
    ]
