"""The official SDK and this client in one conversation: they hear the same events, field for field.

One of them speaks and the other observes, so that every frame the mock sends to both is read twice.
"""

from __future__ import annotations

import pytest
from uhlive_client import blocking, events

from uhlive_mock import scenario

sdk = pytest.importorskip("uhlive.stream.conversation")
sdk_events = pytest.importorskip("uhlive.stream.conversation.events")
websocket = pytest.importorskip("websocket")

UNIVERSAL = hasattr(sdk_events, "EntityRecognized")
VOCABULARY = "universal" if UNIVERSAL else "legacy"
CHUNKS = [bytes(8000)] * 24  # 12 s
ORIGIN = 1_700_000_000_000

CALL = (
    scenario("beside", seed=3)
    .speaker("Alice")
    .say(
        'bonjour je voudrais [deux]{"entity": "cardinal_number", "value": 2, "display": "2"} billets'
        ' pour [lyon](location_city) à [huit heures]{"entity": "time_hour", "value": {"h": [8, null]}}',
        normalized="Bonjour, je voudrais 2 billets pour Lyon à 8 heures.",
        at=0.3,
        until=4.1,
    )
    .tags({"t1": "Request for quote", "t2": "été"}, at=0.3, until=4.1)
    .relation("trip", "location_city", "time_hour", "location_country", at=1, until=4.1)
    .say("merci beaucoup", at=5, until=6, lang="en", country="us")
    .event("hold_music", {"any": ["thing", None]}, at=7)
    .build()
)


class Theirs:
    """The SDK on a socket, as its examples use it."""

    def __init__(self, space, *, speaker: str, readonly: bool = False) -> None:
        self.socket = websocket.create_connection(
            f"{space.ws_url}/socket/websocket?jwt={space.issue_token()}&vsn=2.0.0", timeout=5
        )
        self.call = sdk.Conversation(space.client_id, "conv1", speaker)
        self.socket.send(self.call.join(model="fr", country="fr", readonly=readonly, origin=ORIGIN))
        assert isinstance(self.receive(), sdk_events.Ok)

    def receive(self):
        return self.call.receive(self.socket.recv())

    def speak(self, chunks) -> None:
        for chunk in chunks:
            self.socket.send_binary(self.call.send_audio_chunk(chunk))
        self.socket.send(self.call.leave())

    def hear(self) -> list[object]:
        """The events up to Alice's last."""
        heard = [self.receive()]
        while not (isinstance(heard[-1], sdk_events.SpeakerLeft) and heard[-1].speaker == "Alice"):
            heard.append(self.receive())
        self.socket.shutdown()
        return [event for event in heard if not isinstance(event, sdk_events.Ok)]


def hear(call: blocking.Call) -> list[events.Event]:
    """Ours, up to Alice's last."""
    heard = [next(call)]
    while not (isinstance(heard[-1], events.SpeakerLeft) and heard[-1].speaker == "Alice"):
        heard.append(next(call))
    return [event for event in heard if not isinstance(event, events.Reply | events.Closed)]


# --- one event, in the words of both ----------------------------------------------------------------------


def name(universal: str, legacy: str) -> str:
    return universal if UNIVERSAL else legacy


KINDS = {
    name("AudioWordsDecoded", "WordsDecoded"): events.Interim,
    name("AudioSegmentDecoded", "SegmentDecoded"): events.Segment,
    name("AudioSegmentNormalized", "SegmentNormalized"): events.Normalized,
    name("EntityRecognized", "EntityFound"): events.Entity,
    name("RelationRecognized", "RelationFound"): events.Relation,
    name("TagsSet", "TagsFound"): events.Tags,
    "SpeakerJoined": events.SpeakerJoined,
    "SpeakerLeft": events.SpeakerLeft,
    "Unknown": events.UnknownEvent,
}
SPEECH = {
    name("value", "transcript"): "text",
    name("id", "utterance_id"): "utterance",
    name("components", "words"): "words",
}
FIELDS: dict[type, dict[str, str]] = {
    events.Interim: SPEECH,
    events.Segment: SPEECH,
    events.Normalized: SPEECH,
    events.Entity: {
        "entity_name": "name",
        name("display", "canonical"): "display",
        name("source", "original"): "source",
        "value": "value",
    },
    events.Relation: {"relation_name": "name", name("components", "members"): "members"},
    events.Tags: {"tags": "tags"},
    events.SpeakerJoined: {"timestamp": "timestamp_ms", "interim_results": "interim_results"}
    | {"rescoring": "rescoring", "lang": "lang", "country": "country"},
    events.SpeakerLeft: {"timestamp": "timestamp_ms"},
    events.UnknownEvent: {"_name": "name", "_payload": "payload"},
}
SPAN = {"start": "start_ms", "end": "end_ms", "lang": "lang", "confidence": "confidence"}


def plain(value: object) -> object:
    """A field's value in a form that both sides can take; what only one of them tells is left out."""
    match value:
        case events.Word():
            return (value.text, value.start_ms, value.end_ms, value.confidence)
        case sdk_events.Word():
            return (getattr(value, name("value", "word")), value.start, value.end, value.confidence)
        case events.Tag():
            return (value.id, value.label, value.confidence)
        case sdk_events.Tag():
            return (value.value, value.display, value.confidence) if UNIVERSAL else (value.uuid, value.label, None)
        case events.EntityRef():
            # S: the SDK leaves out a member that the service does not know.
            return (value.name, value.id if UNIVERSAL else value.start_ms) if value.name else None
        case sdk_events.EntityReference():
            return (value.kind, value.id if UNIVERSAL else value.start)
        case list() | tuple():
            return [one for one in map(plain, value) if one is not None]
    return value


def fields(kind: type) -> dict[str, str]:
    timed = "start_ms" in kind.__struct_fields__
    shared = {} if kind is events.UnknownEvent else {"speaker": "speaker"}
    country = {"country": "country"} if timed and kind is not events.Relation else {}
    return FIELDS[kind] | shared | country | (SPAN if timed else {})


def as_theirs(event: object) -> dict[str, object]:
    kind = KINDS[type(event).__name__]
    told = {ours: plain(getattr(event, theirs)) for theirs, ours in fields(kind).items()}
    if "utterance" in told:
        told["utterance"] = str(told["utterance"])  # a number in the legacy vocabulary
    return {"kind": kind.__name__} | told


def as_ours(event: events.Event) -> dict[str, object]:
    kind = type(event)
    return {"kind": kind.__name__} | {ours: plain(getattr(event, ours)) for ours in fields(kind).values()}


# --- side by side -----------------------------------------------------------------------------------------


@pytest.fixture
def space(mock_server):
    with mock_server.space(scenario=CALL, clock="audio", vocabulary=VOCABULARY) as space:
        yield space


@pytest.fixture
def sound(reach, space):
    """What Alice sends, once Carol has come and gone."""

    def visited():
        with blocking.connect(**reach(space, speaker="Carol")) as carol:
            carol.leave()
        yield from CHUNKS

    return visited()


EVERY_KIND = {kind.__name__ for kind in KINDS.values()}


def test_we_hear_what_the_sdk_hears_while_it_speaks(reach, space, sound):
    with blocking.connect(**reach(space, speaker="Bob", readonly=True)) as call:
        theirs = Theirs(space, speaker="Alice")
        theirs.speak(sound)
        expected = [as_theirs(event) for event in theirs.hear()]
        [joined, *ours] = [as_ours(event) for event in hear(call)]
        assert (joined["kind"], joined["speaker"]) == ("SpeakerJoined", "Alice")  # which Alice is not told
        call.leave()
    assert ours == expected
    assert {event["kind"] for event in ours} == EVERY_KIND


def test_the_sdk_hears_what_we_hear_while_we_speak(reach, space, sound, converse):
    theirs = Theirs(space, speaker="Bob", readonly=True)
    spoken = converse(reach(space, origin=ORIGIN), sound)
    [joined, *expected] = [as_theirs(event) for event in theirs.hear()]
    assert (joined["kind"], joined["speaker"]) == ("SpeakerJoined", "Alice")
    ours = [as_ours(event) for event in spoken if not isinstance(event, events.Reply | events.Closed)]
    assert ours == expected
    assert {event["kind"] for event in ours} == EVERY_KIND
