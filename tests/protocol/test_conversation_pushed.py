"""What a test does to a conversation while it lives: events it pushes, speakers it drops."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, strategies as st

from uhlive_mock.errors import ConfigurationError, ScenarioError
from uhlive_mock.model.fault import Fault, FaultKind
from uhlive_mock.model.scenario import At, Cue, SayEntity, SaySegment, Scenario, Script
from uhlive_mock.protocol.channel import drop
from uhlive_mock.protocol.journal import Kind
from uhlive_mock.scenarios.events import (
    entity,
    event,
    interim,
    normalized,
    relation,
    segment,
    speaker_joined,
    speaker_left,
    tags,
)
from uhlive_mock.wire.framing import Framing


def say(place, *events, conversation="conv1") -> None:
    place.space.push(conversation, events, place.now)


def payloads(peer) -> list[dict]:
    return [frame[4] for frame in peer.hears()]


@pytest.fixture
def alice(room):
    """Alice, alone in a conversation where nobody has a script."""
    return room(scenario=Scenario(name="silence"), follow_audio=True).connect().joined("Alice")


# --- what arrives ---


def test_a_pushed_segment_has_the_speakers_language_country_and_origin(room):
    place = room(scenario=Scenario(name="silence"))
    alice = place.connect().joined("Alice", model="en", country="us", origin=60_000)
    bob = place.connect().joined("Bob")
    alice.hears()
    say(place, segment("hello there", speaker="Alice", at=1.0))
    (frame,) = alice.hears()
    assert frame[3] == "audio_segment_decoded"
    told = frame[4]
    assert (told["speaker"], told["value"], told["lang"], told["country"]) == ("Alice", "hello there", "en", "us")
    assert (told["start"], told["end"]) == (61_000, 61_640)
    assert told["meta"]["model"] == "en"
    assert bob.hears() == [frame]


def test_a_pushed_event_is_in_the_journal_once_for_each_who_hears_it(room):
    place = room(scenario=Scenario(name="silence"))
    place.connect().joined("Alice"), place.connect().observing()
    say(place, segment("bonjour", speaker="Alice"))
    told = place.space.journal.messages(event="audio_segment_decoded", kind=Kind.SENT)
    assert [entry.socket for entry in told] == [1, 2]


def test_pushed_utterances_are_numbered_with_those_of_the_script(room):
    cues = [Cue(trigger=At(position_ms=at), until_ms=at + 100, action=SaySegment(text="un")) for at in (0, 500)]
    place = room(scenario=room.script(*cues, latency_ms=0), follow_audio=True)
    alice = place.connect().joined("Alice")
    alice.audio(0.2)
    say(place, interim("deux", speaker="Alice"), segment("deux trois", speaker="Alice"))
    alice.audio(1)
    told = payloads(alice)
    assert [each["value"] for each in told] == ["un", "deux", "deux trois", "un"]
    ids = [int(each["id"]) for each in told]
    assert ids == [0, 2, 2, 1]
    assert told[2]["meta"]["previous_utterance_id"] == "0"


def test_what_annotates_is_about_the_segment_that_ended_last(alice):
    cue = Cue(trigger=At(position_ms=0), until_ms=900, action=SaySegment(text="pour lyon"))
    place = alice.room
    place.space.scenarios = (place.script(cue, latency_ms=0),)
    bob = place.connect().joined("Bob")
    bob.audio(1)
    bob.hears()
    say(
        place,
        normalized("Pour Lyon.", speaker="Bob"),
        entity("location_city", "lyon", speaker="Bob"),
        tags({"t1": "Travel"}, speaker="Bob"),
        relation("trip", "location_city", "time_hour", speaker="Bob"),
    )
    told = payloads(bob)
    assert {(each["start"], each["end"]) for each in told} == {(0, 900)}
    assert told[0]["id"] == "1000000"
    assert [member["id"] for member in told[3]["components"]] == ["Entity.LocationCity-0", ""]


def test_a_pushed_relation_may_name_an_entity_of_the_script(room):
    cue = Cue(trigger=At(position_ms=300), action=SayEntity(name="location_city", source="lyon"))
    place = room(scenario=room.script(cue, latency_ms=0), follow_audio=True)
    alice = place.connect().joined("Alice")
    alice.audio(1)
    say(place, relation("trip", "location_city", speaker="Alice"))
    assert payloads(alice)[1]["components"][0]["id"] == "Entity.LocationCity-300"


def test_words_without_a_place_end_where_the_audio_has_got_to_and_follow_on(alice):
    alice.audio(2)
    say(alice.room, segment("un", speaker="Alice"), segment("deux trois", speaker="Alice"))
    assert [(each["start"], each["end"]) for each in payloads(alice)] == [(1680, 2000), (2000, 2640)]


@pytest.mark.parametrize(
    ("place", "span"),
    [({"at": 1}, (1000, 1320)), ({"until": 1}, (680, 1000)), ({"at": 1, "until": 3}, (1000, 3000))],
)
def test_words_are_where_they_are_put(alice, place, span):
    say(alice.room, segment("bonjour", speaker="Alice", **place))
    (told,) = payloads(alice)
    assert (told["start"], told["end"]) == span


def test_the_seed_decides_what_is_random_in_pushed_events(room):
    heard = []
    for seed in (1, 1, 2):
        place = room(scenario=Scenario(name="silence"), seed=seed)
        alice = place.connect().joined("Alice")
        say(place, *(segment("un deux trois", speaker="Alice") for _ in range(2)))
        heard.append([each["confidence"] for each in payloads(alice)])
    assert heard[0] == heard[1] != heard[2]
    assert heard[0][0] != heard[0][1]


def test_a_fault_strikes_a_pushed_event(alice):
    alice.room.space.faults.arm(Fault(kind=FaultKind.DROP_EVENTS, count=1))
    say(alice.room, segment("un", speaker="Alice"), segment("deux", speaker="Alice"))
    assert [each["value"] for each in payloads(alice)] == ["deux"]


def test_a_pushed_leave_has_the_reason_that_leaves_have(room):
    alice = room(scenario=Scenario(), left_reason="hangup").connect().joined("Alice")
    say(alice.room, speaker_left("Bob"), speaker_left("Bob", reason="timeout"))
    assert [each["reason"] for each in payloads(alice)] == ["hangup", "timeout"]


# --- who speaks ---


def test_somebody_who_is_not_there_may_speak(alice):
    say(
        alice.room,
        segment("bonjour", speaker="Bob"),
        speaker_joined("Carol", lang="en", country="us"),
        segment("hello", speaker="Carol"),
        speaker_left("Carol"),
        event("custom", {"x": [1]}),
    )
    frames = alice.hears()
    names = [frame[3] for frame in frames]
    assert names[1:] == ["speaker_joined", "audio_segment_decoded", "speaker_left", "custom"]
    bob, carol = frames[0][4], frames[2][4]
    assert (bob["lang"], bob["country"], bob["speaker"]) == ("fr", "fr", "Bob")
    assert (carol["lang"], carol["country"], carol["speaker"]) == ("en", "us", "Carol")
    assert len({bob["id"], carol["id"], "0"}) == 3
    assert frames[4][4] == {"x": [1]}


def test_an_observer_speaks_like_somebody_who_is_not_there(room):
    place = room(scenario=Scenario(name="silence"))
    observer = place.connect().observing()
    say(place, segment("bonjour", speaker="Olga"), segment("encore", speaker="Olga"))
    assert [each["start"] for each in payloads(observer)] == [0, 320]


def test_a_ghost_speaks_with_its_own_voice(room):
    scenario = Scenario(speakers={"Bob": Script(ghost=True, loop_ms=1000)})
    place = room(scenario=scenario)
    alice = place.connect().joined("Alice", model="en", country="us")
    say(place, segment("hello", speaker="Bob"))
    assert [(each["speaker"], each["lang"]) for each in payloads(alice)][-1] == ("Bob", "en")


# --- what is refused ---


def test_a_conversation_nobody_is_in_cannot_be_spoken_in(room):
    place = room()
    with pytest.raises(ConfigurationError, match="nobody is in conversation 'conv1'; live conversations: none"):
        say(place, segment("bonjour", speaker="Alice"))
    alice = place.connect().joined("Alice")
    with pytest.raises(ConfigurationError, match="conversation 'conv2'; live conversations: 'conv1'"):
        say(place, segment("bonjour", speaker="Alice"), conversation="conv2")
    alice.leave()
    with pytest.raises(ConfigurationError, match="live conversations: none"):
        say(place, segment("bonjour", speaker="Alice"))


def test_a_conversation_is_found_by_its_topic_too_and_else_by_the_first_account(room):
    place = room()
    legacy = place.connect(client="legacy").joined("Leo", topic="conversation:legacy@conv1")
    alice = place.connect().joined("Alice")
    say(place, event("one"))
    say(place, event("two"), conversation="conversation:legacy@conv1")
    assert (alice.names(), legacy.names()) == (["one"], ["two"])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: segment("bonjour", speaker=""), "speaker is empty"),
        (lambda: segment(" ", speaker="Alice"), "text is empty"),
        (lambda: segment("bonjour", speaker="Alice", at=-1), "at is -1 s; expected 0 or more"),
        (lambda: segment("bonjour", speaker="Alice", at=2, until=1), "until is 1 s, not after at, 2 s"),
        (lambda: segment("bonjour", speaker="Alice", at=0.0005), "whole number of milliseconds"),
        (lambda: segment("\ud800", speaker="Alice"), "half a surrogate pair"),
        (lambda: segment("bonjour", speaker="Alice", confidence=2), "confidence is 2"),
        (lambda: entity("location city", "lyon", speaker="Alice"), "expected letters, digits and underscores"),
        (lambda: entity("location_city", "lyon", speaker="Alice", value={1}), "found a set"),
        (lambda: relation("trip", speaker="Alice"), "members is empty"),
        (lambda: tags({}, speaker="Alice"), "tags is empty"),
        (lambda: tags({"t1": "\udfff"}, speaker="Alice"), "half a surrogate pair"),
        (lambda: event("custom", {"x": float("nan")}), "expected a finite number"),
        (lambda: event(""), "event name is empty"),
    ],
)
def test_an_event_that_cannot_be_said_is_refused_when_made(make, message):
    with pytest.raises(ScenarioError, match=message):
        make()


# --- dropping ---


def test_a_dropped_speaker_is_closed_before_its_speaker_left(room):
    place = room(scenario=Scenario(name="silence"))
    alice, bob = place.connect().joined("Alice"), place.connect().joined("Bob")
    alice.hears()
    drop(place.space, "Alice", place.now)
    assert alice.names() == ["phx_close", "speaker_left"]
    assert bob.names() == ["speaker_left"]
    assert place.space.hearings[0].left_cleanly is False
    assert alice.join("Alice").names()[0] == "phx_reply"


def test_dropping_a_ghost_lays_it(room):
    place = room(scenario=Scenario(speakers={"Bob": Script(ghost=True, loop_ms=1000)}))
    alice = place.connect().joined("Alice")
    alice.hears()
    drop(place.space, "Bob", place.now, "conv1")
    assert alice.names() == ["speaker_left"]
    with pytest.raises(ConfigurationError, match="no speaker 'Bob'"):
        drop(place.space, "Bob", place.now)


def test_a_speaker_is_dropped_where_it_is_told_to_be_or_everywhere(room):
    place = room(scenario=Scenario(name="silence"))
    peers = [place.connect().joined("Alice", topic=f"conversation:acme@{name}") for name in ("a", "b", "c")]
    drop(place.space, "Alice", place.now, "b")
    assert [peer.names() for peer in peers] == [[], ["phx_close", "speaker_left"], []]
    drop(place.space, "Alice", place.now)
    assert [len(peer.names()) for peer in peers] == [2, 0, 2]
    assert place.space.conversations == {}


def test_who_is_not_there_cannot_be_dropped(room):
    place = room()
    with pytest.raises(ConfigurationError, match="no speaker 'Bob' is in any conversation; joined: nobody"):
        drop(place.space, "Bob", place.now)
    place.connect().joined("Alice")
    with pytest.raises(ConfigurationError, match="no speaker 'Bob' is in conversation 'conv1'; joined: 'Alice' in"):
        drop(place.space, "Bob", place.now, "conv1")


# --- any sequence, in any form ---

TEXTS = st.lists(st.sampled_from(["je", "voudrais", "l'été", "билет"]), min_size=1, max_size=4).map(" ".join)
NAMES = st.sampled_from(["location_city", "cardinal_number"])
SPEAKERS = st.sampled_from(["Alice", "Bob", "Zoé"])
LANGUAGES = st.sampled_from([{}, {"lang": "en", "country": "us"}])
VALUES = st.none() | st.integers(-9, 9) | st.text(max_size=3) | st.lists(st.booleans(), max_size=2)


@st.composite
def spans(draw) -> dict[str, float]:
    at = draw(st.integers(0, 9000))
    return {"at": at / 1000, "until": (at + draw(st.integers(10, 5000))) / 1000}


@st.composite
def pushes(draw):
    """An event to push, and what whoever decodes it should find: its kind and its fields."""
    speaker, span, language = draw(SPEAKERS), draw(spans()), draw(LANGUAGES)
    common = {
        "speaker": speaker,
        "start": round(span["at"] * 1000),
        "end": round(span["until"] * 1000),
        "lang": language.get("lang", "fr"),
        "country": language.get("country", "fr"),
    }
    match draw(st.sampled_from(["interim", "segment", "normalized", "entity", "tags", "event", "joined", "left"])):
        case "entity":
            name, source, value = draw(NAMES), draw(TEXTS), draw(VALUES)
            made = entity(name, source, speaker=speaker, value=value, **span, **language)
            return made, ("entity", common | {"name": name, "source": source, "value": value})
        case "tags":
            labels = draw(st.dictionaries(TEXTS, TEXTS, min_size=1, max_size=2))
            return tags(labels, speaker=speaker, **span, **language), ("tags", common | {"tags": labels})
        case "event":
            payload = draw(st.dictionaries(st.sampled_from("ab"), VALUES))
            return event("custom", payload), ("event", payload)
        case "joined":
            # Who is there already has a language, and one who joins anew gets one for what is pushed next.
            return speaker_joined("Carol", lang="en"), ("joined", {"speaker": "Carol", "lang": "en"})
        case "left":
            return speaker_left("Carol"), ("left", {"speaker": "Carol"})
        case kind:
            make = {"interim": interim, "segment": segment, "normalized": normalized}[kind]
            text = draw(TEXTS)
            return make(text, speaker=speaker, **span, **language), (kind, common | {"text": text})


@given(st.lists(pushes(), max_size=12))
def test_pushed_events_arrive_in_order_in_every_vocabulary_and_framing(room, pushed):
    place = room(scenario=Scenario(name="silence"), identifier_must_match=False)
    forms = [(framing, client) for client in ("acme", "legacy") for framing in Framing]
    peers = [place.connect(framing, client).join(f"Peer {n}") for n, (framing, client) in enumerate(forms)]
    for peer in peers:
        peer.hears()
    say(place, *(each for each, _ in pushed))
    heard = [[message(frame, peer.framing) for frame in peer.hears()] for peer in peers]
    assert heard[0] == heard[1]
    assert heard[2] == heard[3]
    assert [read_universal(*each) for each in heard[0]] == [expected for _, expected in pushed]
    assert [kind_of(name) for name, _ in heard[2]] == [kind for _, (kind, _) in pushed]


def message(frame, framing: Framing) -> tuple[str, dict]:
    return (frame[3], frame[4]) if framing is Framing.VSN2 else (frame["event"], frame["payload"])


KINDS = {
    "audio_words_decoded": "interim",
    "words_decoded": "interim",
    "audio_segment_decoded": "segment",
    "segment_decoded": "segment",
    "audio_segment_normalized": "normalized",
    "segment_normalized": "normalized",
    "tags_set": "tags",
    "tags_found": "tags",
    "custom": "event",
    "speaker_joined": "joined",
    "speaker_left": "left",
}


def kind_of(name: str) -> str:
    return "entity" if name.startswith("entity_") else KINDS[name]


def read_universal(name: str, payload: dict) -> tuple[str, dict]:
    kind = kind_of(name)
    common = {key: payload[key] for key in ("speaker", "start", "end", "lang", "country") if key in payload}
    match kind:
        case "event":
            return kind, payload
        case "joined":
            return kind, {"speaker": payload["speaker"], "lang": payload["lang"]}
        case "left":
            return kind, {"speaker": payload["speaker"]}
        case "entity":
            entity_name = name.removeprefix("entity_").removesuffix("_recognized")
            return kind, common | {
                "name": entity_name,
                "source": payload["source"],
                "value": payload.get("value"),
            }
        case "tags":
            labels = {tag["value"]: tag["display"] for tag in payload["components"]}
            return kind, common | {"tags": labels}
        case _:
            assert " ".join(word["value"] for word in payload["components"]) == payload["value"]
            return kind, common | {"text": payload["value"]}


# --- the official SDK ---


def read_by_sdk(told) -> tuple[str, dict]:
    """What the SDK, of either generation, makes of an event."""

    def either(one: str, other: str):
        return getattr(told, one) if hasattr(told, one) else getattr(told, other)

    kind = {
        "WordsDecoded": "interim",
        "SegmentDecoded": "segment",
        "SegmentNormalized": "normalized",
        "EntityRecognized": "entity",
        "EntityFound": "entity",
        "TagsSet": "tags",
        "TagsFound": "tags",
        "SpeakerJoined": "joined",
        "SpeakerLeft": "left",
        "Unknown": "event",
    }[type(told).__name__.removeprefix("Audio")]
    match kind:
        case "event":
            return kind, told._payload
        case "joined":
            return kind, {"speaker": told.speaker, "lang": told.lang}
        case "left":
            return kind, {"speaker": told.speaker}
    common = {key: getattr(told, key) for key in ("speaker", "start", "end", "lang", "country")}
    match kind:
        case "entity":
            name = {"number": "cardinal_number"}.get(told.entity_name, told.entity_name)
            fields = {"name": name, "source": either("source", "original"), "value": told.value}
            return kind, common | fields
        case "tags":
            labels = [
                (tag.value, tag.display) if hasattr(tag, "value") else (tag.uuid, tag.label) for tag in told.tags
            ]
            return kind, common | {"tags": dict(labels)}
        case _:
            words = [getattr(word, "value", None) or word.word for word in either("components", "words")]
            assert " ".join(words) == either("value", "transcript")
            return kind, common | {"text": either("value", "transcript")}


@given(st.lists(pushes(), max_size=12))
def test_the_official_sdk_decodes_what_was_pushed(room, pushed):
    sdk = pytest.importorskip("uhlive.stream.conversation")
    client = "acme" if hasattr(sdk, "EntityRecognized") else "legacy"
    place = room(scenario=Scenario(name="silence"))
    peer, caller = place.connect(client=client), sdk.Conversation(client, "conv1", "Alice")
    peer.send_text(caller.join())
    assert [type(caller.receive(text)).__name__ for text in peer.texts()] == ["Ok"]
    say(place, *(each for each, _ in pushed))
    told = [read_by_sdk(caller.receive(text)) for text in peer.texts()]
    assert json.loads(json.dumps(told)) == json.loads(json.dumps([expected for _, expected in pushed]))
