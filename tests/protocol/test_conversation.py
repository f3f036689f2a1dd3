"""Who hears what: several sockets in one conversation."""

from __future__ import annotations

import json

import pytest

from uhlive_mock.errors import ConfigurationError
from uhlive_mock.model.account import Account, Vocabulary
from uhlive_mock.model.behaviour import Behaviour
from uhlive_mock.model.scenario import At, Cue, Match, Moment, RawEvent, SaySegment, Scenario, Script, When
from uhlive_mock.wire.framing import Framing

T = "conversation:acme@conv1"


def at(position_ms: int, text: str = "bonjour") -> Cue:
    return Cue(trigger=At(position_ms=position_ms), until_ms=position_ms + 100, action=SaySegment(text=text))


def test_a_speakers_arrival_is_told_to_the_others_only(room):
    place = room(now=1613129063.523)
    alice = place.connect().joined("Alice")
    observer = place.connect().observing()
    bob = place.connect().join("Bob", model="en", country="us", rescoring=False)
    assert bob.names() == ["phx_reply"]
    told = [
        None,
        None,
        T,
        "speaker_joined",
        {
            "speaker": "Bob",
            "interim_results": True,
            "rescoring": False,
            "lang": "en",
            "country": "us",
            "timestamp": 1613129063523,
        },
    ]
    assert alice.hears() == [told]
    assert observer.hears() == [told]


def test_an_observer_comes_and_goes_unnoticed(room):
    place = room()
    alice = place.connect().joined("Alice")
    for end in ("leave", "drop"):
        observer = place.connect().observing()
        getattr(observer, end)()
        assert observer.names() == (["phx_reply", "phx_close"] if end == "leave" else [])
    assert alice.hears() == []


def test_every_event_reaches_everyone_the_speaker_and_observers_included(room):
    place = room(scenario=room.script(at(100), latency_ms=0), follow_audio=True)
    alice = place.connect().joined("Alice")
    bob = place.connect().joined("Bob")
    observer = place.connect().observing()
    alice.hears()
    alice.audio(1)
    heard = alice.texts()
    assert [json.loads(text)[3] for text in heard] == ["audio_segment_decoded"]
    assert bob.texts() == heard
    assert observer.texts() == heard


def test_someone_who_comes_late_is_told_nothing_of_what_was(room):
    place = room(scenario=room.script(at(100), latency_ms=0), follow_audio=True)
    alice = place.connect().joined("Alice")
    alice.audio(1)
    assert place.connect().join("Bob").names() == ["phx_reply"]


def test_conversations_do_not_hear_each_other(room):
    place = room(scenario=room.script(at(100), latency_ms=0), follow_audio=True)
    bob = place.connect().joined("Bob", topic="conversation:acme@other")
    alice = place.connect().joined("Alice")
    alice.audio(1)
    alice.leave()
    assert bob.hears() == []


def test_the_leaver_hears_its_own_speaker_left_after_its_last_event(room):
    place = room(scenario=room.script(at(0), at(500)))
    alice = place.connect().joined("Alice")
    bob = place.connect().joined("Bob")
    alice.hears()
    alice.audio(2)
    alice.leave()
    events = ["audio_segment_decoded", "audio_segment_decoded", "speaker_left"]
    assert alice.names() == ["phx_reply", "phx_close", *events]
    assert bob.names() == events


@pytest.mark.parametrize("end", ["drop", "crash", "fatal"])
def test_whoever_is_lost_leaves_its_last_events_and_speaker_left_to_the_others(room, end):
    place = room(scenario=room.script(at(0)))
    alice = place.connect().joined("Alice")
    bob = place.connect().joined("Bob")
    alice.hears()
    alice.audio(1)
    if end == "drop":
        alice.drop()
    elif end == "crash":
        alice.send("1", "9", T, "boom")
    else:
        alice.send_text("{")
    assert bob.names() == ["audio_segment_decoded", "speaker_left"]
    assert alice.names() == (["phx_error"] if end == "crash" else [])


def test_a_speaker_that_leaves_hears_nothing_more_of_the_conversation(room):
    place = room()
    alice = place.connect().joined("Alice")
    alice.leave()
    alice.hears()
    place.connect().joined("Bob")
    assert alice.hears() == []


def test_the_last_to_leave_ends_the_conversation(room):
    place = room()
    alice, observer = place.connect().joined(), place.connect().observing()
    alice.leave()
    assert T in place.space.conversations
    observer.drop()
    assert place.space.conversations == {}


def test_utterance_ids_are_unique_in_a_conversation(room):
    place = room(scenario=room.script(at(0), latency_ms=0), follow_audio=True)
    observer = place.connect().observing()
    speakers = [place.connect().joined(name) for name in ("Alice", "Bob", "Alice")]
    for speaker in speakers:
        speaker.audio(1)
    segments = [frame[4] for frame in observer.hears() if frame[3] == "audio_segment_decoded"]
    assert [segment["id"] for segment in segments] == ["0", "1000000", "2000000"]


@pytest.mark.parametrize("client", ["acme", "legacy"])
@pytest.mark.parametrize("framing", Framing)
def test_every_participant_hears_events_in_its_own_framing_and_vocabulary(room, framing, client):
    place = room(scenario=room.script(at(0), latency_ms=0), follow_audio=True, identifier_must_match=False)
    alice = place.connect().joined("Alice")
    other = place.connect(framing, client=client)
    other.join("Bob")
    alice.hears(), other.hears()
    alice.audio(1)
    [mine], [theirs] = alice.hears(), other.hears()
    assert mine[3] == "audio_segment_decoded"
    name, payload = (theirs[3], theirs[4]) if framing is Framing.VSN2 else (theirs["event"], theirs["payload"])
    if client == "acme":
        assert (name, payload) == (mine[3], mine[4])
    else:
        assert (name, payload["transcript"]) == ("segment_decoded", mine[4]["value"])


# --- whose conversation ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "topic",
    [
        "conversation:other@conv1",
        "conversation:acm@conv1",
        "conversation:acme2@conv1",
        "conversation:ACME@conv1",
        "conversation:acme",
        "conversation:acme@",
        "conversation:@conv1",
        "conversation:",
    ],
)
def test_the_identifier_in_the_topic_must_be_the_tokens(room, topic):
    peer = room(reason_unauthorized="not yours").connect().join(topic=topic)
    assert peer.hears()[0][4] == {"status": "error", "response": {"reason": "not yours"}}
    assert peer.room.space.conversations == {}


@pytest.mark.parametrize("conversation", ["é", "a@b", " ", "x" * 300, "@", "ça va"])
def test_a_conversation_may_have_any_name(room, conversation):
    peer = room().connect().join(topic=f"conversation:acme@{conversation}")
    assert peer.hears()[0][4]["status"] == "ok"


@pytest.mark.parametrize(
    ("topic", "name"),
    [
        ("conversation:acme@conv1", "conv1"),
        ("conversation:somebody@conv1", "conv1"),
        ("conversation:o@conv1@b", "conv1@b"),
        ("conversation:conv1", "conv1"),
    ],
)
def test_a_scenario_speaks_in_its_conversation_whoever_the_identifier_is(room, topic, name):
    script = Script(cues=(Cue(trigger=When(moment=Moment.LEFT), action=RawEvent(name="ours")),))
    scenario = Scenario(match=Match(conversation=name), speakers={"*": script})
    peer = room(scenario=scenario, identifier_must_match=False).connect().joined(topic=topic)
    peer.leave(topic=topic)
    assert peer.names() == ["phx_reply", "phx_close", "ours", "speaker_left"]


def test_the_first_scenario_that_fits_a_conversation_speaks_in_it(room):
    def saying(name: str, conversation: str) -> Scenario:
        script = Script(cues=(Cue(trigger=When(moment=Moment.LEFT), action=RawEvent(name=name)),))
        return Scenario(match=Match(conversation=conversation), speakers={"*": script})

    place = room()
    place.space.scenarios = (saying("support", "support-*"), saying("any", "conv*"))
    for conversation, said in (("support-1", ["support"]), ("conv1", ["any"]), ("other", [])):
        topic = f"conversation:acme@{conversation}"
        peer = place.connect().joined(topic=topic)
        peer.leave(topic=topic)
        assert peer.names() == ["phx_reply", "phx_close", *said, "speaker_left"]


# --- behaviour ------------------------------------------------------------------------------------------


def reply_to(peer) -> dict:
    [frame] = [frame for frame in peer.hears() if frame[3] == "phx_reply"]
    return frame[4]


def refusal(reason: str) -> dict:
    return {"status": "error", "response": {"reason": reason}}


def test_two_speakers_may_have_one_name_by_default(room):
    place = room()
    place.connect().joined("Alice")
    assert reply_to(place.connect().join("Alice"))["status"] == "ok"


def test_a_second_speaker_of_a_name_can_be_refused(room):
    place = room(duplicate_speaker="reject", reason_duplicate_speaker="taken")
    first = place.connect().joined("Alice")
    second = place.connect()
    assert reply_to(second.join("Alice")) == refusal("taken")
    assert reply_to(second.join("Bob"))["status"] == "ok"
    assert first.names() == ["speaker_joined"]


def test_a_name_is_free_again_after_its_speaker_left(room):
    place = room(duplicate_speaker="reject")
    first = place.connect().joined("Alice")
    first.leave()
    assert reply_to(place.connect().join("Alice"))["status"] == "ok"


def test_an_observer_takes_no_name(room):
    place = room(duplicate_speaker="reject")
    place.connect().joined("Alice", readonly=True)
    place.connect().joined("Alice")
    assert reply_to(place.connect().join("Alice", readonly=True))["status"] == "ok"


def test_a_speaker_that_rejoins_is_no_namesake_of_itself(room):
    peer = room(duplicate_speaker="reject").connect().joined("Alice")
    assert reply_to(peer.join("Alice", join_ref="2"))["status"] == "ok"


def test_a_second_speaker_of_a_name_can_replace_the_first(room):
    place = room(duplicate_speaker="replace")
    bob = place.connect().joined("Bob")
    first = place.connect().joined("Alice", join_ref="7")
    bob.hears()
    second = place.connect().join("Alice")
    assert first.hears() == [["7", "7", T, "phx_close", {}]]
    assert second.names() == ["phx_reply"]
    assert bob.names() == ["speaker_left", "speaker_joined"]
    assert not first.session.has_joined


def test_replacing_the_only_speaker_keeps_the_conversation_alive(room):
    place = room(duplicate_speaker="replace")
    place.connect().joined("Alice")
    second = place.connect().joined("Alice")
    place.connect().joined("Bob")
    assert second.names() == ["speaker_joined"]


def test_a_second_conversation_on_a_socket_is_allowed_by_default(room):
    peer = room().connect().joined()
    assert reply_to(peer.join(topic="conversation:acme@conv2"))["status"] == "ok"


def test_a_second_conversation_on_a_socket_can_be_refused(room):
    peer = room(second_topic="reject", reason_second_topic="one only").connect().joined()
    assert reply_to(peer.join(topic="conversation:acme@conv2")) == refusal("one only")
    assert reply_to(peer.join(join_ref="2"))["status"] == "ok"
    peer.hears()
    peer.leave()
    assert reply_to(peer)["status"] == "ok"
    assert reply_to(peer.join(topic="conversation:acme@conv2"))["status"] == "ok"


def test_chunks_can_be_acknowledged(room):
    peer = room(chunk_reply="ok").connect().joined()
    peer.audio(0.5)
    assert reply_to(peer) == {"status": "ok", "response": {}}


def test_audio_from_an_observer_is_ignored_by_default(room):
    place = room(scenario=room.script(at(0), latency_ms=0), follow_audio=True, chunk_reply="ok")
    observer = place.connect().observing()
    observer.audio(1)
    observer.leave()
    assert observer.names() == ["phx_reply", "phx_close"]


def test_audio_from_an_observer_can_be_an_error(room):
    observer = room(readonly_audio="error").connect().observing()
    observer.audio(1)
    assert reply_to(observer)["status"] == "error"
    assert observer.session.has_joined


@pytest.mark.parametrize(("choice", "names"), [("ignore", []), ("error", ["phx_reply"])])
def test_an_unknown_push_can_be_survived(room, choice, names):
    peer = room(unhandled_push=choice).connect().joined()
    peer.send("1", "2", T, "boom")
    assert peer.names() == names
    assert peer.session.has_joined


def test_a_leave_can_go_without_phx_close(room):
    peer = room(phx_close_on_leave=False).connect().joined()
    peer.leave()
    assert peer.names() == ["phx_reply", "speaker_left"]


def test_an_observer_can_get_a_private_speaker_left(room):
    place = room(observer_left=True)
    alice = place.connect().joined("Alice")
    observer = place.connect().observing()
    observer.leave()
    assert [frame[3] for frame in observer.hears()] == ["phx_reply", "phx_close", "speaker_left"]
    assert alice.hears() == []


def test_events_can_carry_the_receivers_join_ref(room):
    place = room(events_carry_join_ref=True)
    peers = [place.connect().joined(name, join_ref=ref) for name, ref in (("A", "6"), ("B", 6), ("C", "x"))]
    for peer in peers:
        peer.hears()
    place.connect().join("Bob")
    assert [peer.hears()[0][:2] for peer in peers] == [["6", None], [6, None], ["x", None]]


def test_utterance_ids_can_count_from_0_for_each_speaker(room):
    place = room(scenario=room.script(at(0), at(200), latency_ms=0), follow_audio=True, utterance_ids="speaker")
    observer = place.connect().observing()
    for name in ("Alice", "Bob"):
        place.connect().joined(name).audio(1)
    ids = [frame[4]["id"] for frame in observer.hears() if frame[3] == "audio_segment_decoded"]
    assert ids == ["0", "1", "0", "1"]


def test_speaker_left_can_have_a_reason(room):
    peer = room(left_reason="timeout").connect().joined()
    peer.leave()
    assert peer.hears()[-1][4]["reason"] == "timeout"


def test_events_name_the_conversation_the_client_and_the_campaign(room):
    place = room(scenario=room.script(at(0), latency_ms=0), follow_audio=True, campaign_id="spring")
    peer = place.connect().joined()
    peer.audio(1)
    payload = peer.hears()[0][4]
    assert (payload["conversation"], payload["client_id"], payload["campaign_id"]) == (T, "acme", "spring")


# --- joins ----------------------------------------------------------------------------------------------


def test_a_python_sdk_join_and_a_javascript_sdk_join_are_accepted(room):
    python = {
        "readonly": False,
        "speaker": "john_test",
        "model": "en",
        "country": "us",
        "interim_results": True,
        "rescoring": True,
        "origin": 0,
        "audio_codec": "linear",
    }
    javascript = {
        "country": "us",
        "ignoreDecodingEvents": [],
        "ignoreEntities": [],
        "interim_results": True,
        "model": "en",
        "origin": 1613129063523,
        "readonly": False,
        "rescoring": True,
        "speaker": "qwzk",
        "wrapper": "uhlive",
    }
    for payload in (python, javascript):
        peer = room().connect()
        peer.send("6", "6", T, "phx_join", payload)
        assert reply_to(peer)["status"] == "ok"


@pytest.mark.parametrize(
    ("field", "check", "values"),
    [
        ("speaker", "speaker", ["", None, 3, []]),
        ("model", "model", ["", "de", "FR"]),
        ("model", "types", [None, 3]),
        ("country", "types", [None, 3]),
        ("readonly", "types", [None, 0, "true"]),
        ("interim_results", "types", [None, 1]),
        ("rescoring", "types", [None, 1]),
        ("origin", "types", [None, "0", 1.5, True]),
        ("audio_codec", "audio_codec", ["mp3", "", None, 3, []]),
    ],
)
def test_a_bad_field_is_refused_by_its_check_and_by_no_other(room, field, check, values):
    for value in values:
        payload = {"speaker": "Alice"} | {field: value}
        peer = room(reason_bad_join="no {field}!").connect()
        peer.send("1", "1", T, "phx_join", payload)
        assert reply_to(peer) == refusal(f"no {field}!")
        lenient = room(join_checks=Behaviour().join_checks - {check}).connect()
        lenient.send("1", "1", T, "phx_join", payload)
        assert reply_to(lenient)["status"] == "ok", value


@pytest.mark.parametrize("payload", [None, [], "x", 3, {}])
def test_a_join_that_asks_for_nothing_is_a_join_without_speaker(room, payload):
    peer = room().connect()
    peer.send_text(json.dumps(["1", "1", T, "phx_join", payload]))
    assert reply_to(peer) == refusal("invalid speaker")
    anyone = room(join_checks=frozenset()).connect()
    anyone.send_text(json.dumps(["1", "1", T, "phx_join", payload]))
    assert reply_to(anyone)["status"] == "ok"


def test_an_observer_needs_no_model(room):
    peer = room().connect().join("Olga", readonly=True, model="")
    assert reply_to(peer)["status"] == "ok"


def test_any_model_passes_when_none_is_listed(room):
    peer = room(models=()).connect().join(model="generic.lm11.am17")
    assert reply_to(peer)["status"] == "ok"


@pytest.mark.parametrize("origin", [0, -1, 1613129063523, 2**63, 10**30])
def test_any_integer_is_an_origin(room, origin):
    place = room(scenario=room.script(at(0), latency_ms=0), follow_audio=True)
    peer = place.connect().joined(origin=origin)
    peer.audio(1)
    payload = peer.hears()[0][4]
    assert (payload["start"], payload["end"], payload["length"]) == (origin, origin + 100, 100)


def test_two_accounts_of_one_space_have_conversations_of_their_own(room):
    place = room()
    acme = place.connect().joined("Alice")
    legacy = place.connect(client="legacy").joined("Bob", topic="conversation:legacy@conv1")
    assert acme.hears() == legacy.hears() == []


def test_a_space_refuses_two_accounts_of_one_id(room):
    account = Account(client_id="acme", client_secret="s", vocabulary=Vocabulary.LEGACY)
    with pytest.raises(ConfigurationError, match="'acme' is given twice"):
        room(accounts=[account, account])
