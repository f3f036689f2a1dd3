"""The official Python SDK's own `Conversation`, joined to a session in memory."""

from __future__ import annotations

import pytest

from uhlive_mock.model.audio import Codec
from uhlive_mock.model.scenario import At, Cue, InlineEntity, Say, SayRelation, SayTags, ScriptedTag

sdk = pytest.importorskip("uhlive.stream.conversation")
errors = pytest.importorskip("uhlive.stream.conversation.error")
CLIENT = "acme" if hasattr(sdk, "EntityRecognized") else "legacy"
UNIVERSAL = CLIENT == "acme"

CALL = (
    Cue(
        trigger=At(position_ms=0),
        until_ms=1500,
        action=Say(
            text="deux billets pour lyon",
            normalized="Deux billets pour Lyon.",
            entities=(InlineEntity(name="location_city", first=3, last=3, source="lyon"),),
        ),
    ),
    Cue(trigger=At(position_ms=1600), action=SayRelation(name="location", members=("location_city",))),
    Cue(trigger=At(position_ms=1700), action=SayTags(tags=(ScriptedTag(id="1", label="Request"),))),
)


class Caller:
    """A program written with the SDK, on one socket."""

    def __init__(self, place, speaker: str = "Alice") -> None:
        self.peer = place.connect(client=CLIENT)
        self.conversation = sdk.Conversation(CLIENT, "conv1", speaker)

    def send(self, message: str | bytes) -> None:
        self.peer.send_text(message)

    def receive(self) -> list:
        return [self.conversation.receive(text) for text in self.peer.texts()]

    def join(self, **options) -> list:
        self.send(self.conversation.join(**options))
        return self.receive()


def kinds(events: list) -> list[str]:
    return [type(event).__name__ for event in events]


@pytest.mark.parametrize("codec", Codec)
def test_a_call_runs_from_join_to_its_own_speaker_left(room, codec):
    place = room(scenario=room.script(*CALL, interim_every_ms=1000), follow_audio=True)
    alice = Caller(place)
    assert kinds(alice.join(audio_codec=codec.value)) == ["Ok"]
    heard = []
    for _ in range(8):
        alice.send(alice.conversation.send_audio_chunk(bytes(2000 * codec.sample_width)))
        heard += alice.receive()
    alice.send(alice.conversation.leave())
    assert not alice.conversation.left
    heard += alice.receive()
    assert kinds(heard) == (
        [
            "AudioWordsDecoded",
            "AudioSegmentDecoded",
            "AudioSegmentNormalized",
            "EntityRecognized",
            "RelationRecognized",
            "TagsSet",
            "Ok",
            "Ok",
            "SpeakerLeft",
        ]
        if UNIVERSAL
        else [
            "WordsDecoded",
            "SegmentDecoded",
            "SegmentNormalized",
            "EntityFound",
            "RelationFound",
            "TagsFound",
            "Ok",
            "Ok",
            "SpeakerLeft",
        ]
    )
    assert alice.conversation.left


def test_leaving_stays_left(room):
    place = room()
    alice = Caller(place)
    alice.join()
    alice.send(alice.conversation.leave())
    assert kinds(alice.receive())[-1] == "SpeakerLeft"
    place.wait(120)
    assert alice.receive() == []
    assert alice.conversation.left


def test_another_speakers_leave_does_not_make_one_believe_one_left(room):
    place = room()
    alice, bob = Caller(place, "Alice"), Caller(place, "Bob")
    alice.join(), bob.join()
    bob.send(bob.conversation.leave())
    assert kinds(alice.receive()) == ["SpeakerJoined", "SpeakerLeft"]
    assert not alice.conversation.left


def test_an_observer_joins_without_a_model_and_hears_everything(room):
    place = room(scenario=room.script(*CALL), follow_audio=True)
    observer, alice = Caller(place, "Olga"), Caller(place)
    assert kinds(observer.join(readonly=True, model="")) == ["Ok"]
    alice.join()
    alice.send(alice.conversation.send_audio_chunk(bytes(32_000)))
    alice.send(alice.conversation.leave())
    heard = kinds(observer.receive())
    assert heard[0] == "SpeakerJoined"
    assert heard[-1] == "SpeakerLeft"
    assert heard[1:-1] == [kind for kind in kinds(alice.receive())[:-1] if kind != "Ok"]


def test_a_refused_join_raises_its_reason(room):
    alice = Caller(room(reason_bad_join="no such {field}"))
    alice.send(alice.conversation.join(model="tlh"))
    with pytest.raises(errors.UhliveError, match="no such model"):
        alice.receive()


def test_a_crashed_channel_raises(room):
    alice = Caller(room())
    alice.join()
    alice.send(alice.conversation.command("boom"))
    with pytest.raises(errors.UhliveError, match="channel crashed"):
        alice.receive()


def test_a_reply_to_each_chunk_disturbs_nothing(room):
    place = room(chunk_reply="ok", scenario=room.script(*CALL), follow_audio=True)
    alice = Caller(place)
    alice.join()
    for _ in range(12):
        alice.send(alice.conversation.send_audio_chunk(bytes(3200)))
    alice.send(alice.conversation.leave())
    assert kinds(alice.receive()).count("Ok") == 14
    assert alice.conversation.left
