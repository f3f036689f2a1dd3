"""Phoenix on one socket. `# n` numbers the statement about Phoenix on the wire that a test checks."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given, strategies as st

from uhlive_mock.protocol.journal import Kind
from uhlive_mock.protocol.outbox import Close
from uhlive_mock.wire.framing import Framing

T = "conversation:acme@conv1"
U = "conversation:acme@conv2"
OK = {"status": "ok", "response": {}}
ALICE = {"speaker": "Alice"}
CRASHED = {"reason": "channel_crash"}

REFS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


def refused(reason: str) -> dict:
    return {"status": "error", "response": {"reason": reason}}


# --- opening and joining --------------------------------------------------------------------------------


def test_the_server_says_nothing_until_the_client_does(room):  # 9
    peer = room().connect()
    peer.room.wait(100)
    assert peer.hears() == []
    assert peer.woken == 0


def test_a_join_is_answered_with_exactly_the_bytes_of_a_real_server(room):
    peer = room().connect()
    peer.send("11", "1", T, "phx_join", ALICE)
    assert peer.texts() == [f'["11","1","{T}","phx_reply",{{"status":"ok","response":{{}}}}]']


@given(join_ref=REFS, ref=REFS)
@example(join_ref="11", ref="1")
@example(join_ref=10**30, ref=-(10**30))
def test_a_join_reply_echoes_both_refs_whatever_their_type(room, join_ref, ref):  # 10
    peer = room().connect()
    peer.send(join_ref, ref, T, "phx_join", ALICE)
    assert peer.hears() == [[join_ref, ref, T, "phx_reply", OK]]


@pytest.mark.parametrize("topic", ["nope", "phoenix", "conversatio:acme@conv1", "", None, 7, ["a"], {"a": 1}])
def test_a_join_of_an_unroutable_topic_is_unmatched_with_a_null_join_ref(room, topic):  # 11
    peer = room().connect()
    peer.send("1", "2", topic, "phx_join", ALICE)
    assert peer.hears() == [[None, "2", topic, "phx_reply", refused("unmatched topic")]]


def test_a_refused_join_gets_one_error_reply_and_leaves_no_state(room):  # 12
    peer = room().connect()
    peer.send("1", "2", T, "phx_join", {"speaker": ""})
    assert peer.hears() == [["1", "2", T, "phx_reply", refused("invalid speaker")]]
    assert not peer.session.has_joined
    peer.send("1", "3", T, "phx_leave")
    assert peer.hears() == [["1", "3", T, "phx_reply", OK]]
    peer.send("1", "4", T, "phx_join", ALICE)
    assert peer.hears() == [["1", "4", T, "phx_reply", OK]]


def test_no_event_of_a_topic_precedes_its_ok_reply(room):  # 14
    place = room(scenario=None)
    others = [place.connect().joined(name) for name in ("Bob", "Carol")]
    peer = place.connect().join("Alice")
    for other in others:
        other.leave()
    assert peer.names() == ["phx_reply", "speaker_left", "speaker_left"]


# --- joining twice --------------------------------------------------------------------------------------


def test_joining_again_is_answered_before_the_old_channel_closes(room):  # 15, 16
    peer = room().connect().joined(join_ref="11")
    peer.send("12", "5", T, "phx_join", ALICE)
    assert peer.hears() == [
        ["12", "5", T, "phx_reply", OK],
        ["11", "11", T, "phx_close", {}],
    ]


def test_joining_again_with_the_same_join_ref_closes_with_it_and_lives(room):
    peer = room(chunk_reply="ok").connect().joined(join_ref="11")
    peer.send("11", "5", T, "phx_join", ALICE)
    assert peer.hears() == [["11", "5", T, "phx_reply", OK], ["11", "11", T, "phx_close", {}]]
    peer.send_binary("11", "6", T, "audio_chunk")
    assert peer.hears() == [["11", "6", T, "phx_reply", OK]]


def test_a_refused_second_join_closes_the_first_channel_all_the_same(room):  # 17
    peer = room().connect().joined(join_ref="11")
    peer.send("12", "5", T, "phx_join", {"speaker": ""})
    assert peer.hears() == [
        ["12", "5", T, "phx_reply", refused("invalid speaker")],
        ["11", "11", T, "phx_close", {}],
    ]
    assert not peer.session.has_joined


def test_the_others_see_a_rejoin_as_leaving_and_joining(room):
    place = room()
    bob = place.connect().joined("Bob")
    alice = place.connect().joined("Alice")
    bob.hears()
    alice.join("Alice 2", join_ref="2")
    assert [(frame[3], frame[4]["speaker"]) for frame in bob.hears()] == [
        ("speaker_left", "Alice"),
        ("speaker_joined", "Alice 2"),
    ]


def test_a_leave_and_a_join_in_a_row_are_answered_in_order(room):
    peer = room().connect().joined(join_ref="11")
    peer.send("11", "12", T, "phx_leave")
    peer.send("13", "13", T, "phx_join", ALICE)
    assert [(frame[3], frame[0]) for frame in peer.hears()] == [
        ("phx_reply", "11"),
        ("phx_close", "11"),
        ("speaker_left", None),
        ("phx_reply", "13"),
    ]


# --- the cap --------------------------------------------------------------------------------------------


def test_the_101st_topic_is_refused_and_the_socket_survives(room):  # 18
    peer = room().connect()
    for number in range(100):
        peer.joined(topic=f"{T}-{number}")
    peer.send("1", "2", T, "phx_join", ALICE)
    assert peer.hears() == [["1", "2", T, "phx_reply", refused("too many channels joined")]]
    peer.send(None, "3", "phoenix", "heartbeat")
    assert peer.hears() == [[None, "3", "phoenix", "phx_reply", OK]]


def test_at_the_cap_a_joined_topic_can_be_joined_again(room):
    peer = room(max_topics=2).connect().joined(topic=T).joined(topic=U)
    peer.send("2", "2", U, "phx_join", ALICE)
    assert peer.hears()[0] == ["2", "2", U, "phx_reply", OK]


def test_leaving_a_topic_frees_its_place_under_the_cap(room):
    peer = room(max_topics=1).connect().joined(topic=T)
    peer.leave()
    peer.hears()
    peer.send("2", "2", U, "phx_join", ALICE)
    assert peer.hears() == [["2", "2", U, "phx_reply", OK]]


# --- events on topics -----------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["leave", "crash", "join"])
def test_what_happens_on_one_topic_leaves_the_others_alone(room, end):  # 19
    peer = room(chunk_reply="ok").connect().joined(topic=T).joined(topic=U)
    if end == "leave":
        peer.leave(topic=U)
    elif end == "crash":
        peer.send("1", "2", U, "boom")
    else:
        peer.joined(topic=U, join_ref="2")
    peer.hears()
    peer.send_binary("1", "9", T, "audio_chunk")
    assert peer.hears() == [["1", "9", T, "phx_reply", OK]]


@pytest.mark.parametrize("event", ["audio_chunk", "phx_reply", "phx_close", "", None, 5])
def test_an_event_on_an_unjoined_topic_is_unmatched(room, event):  # 20
    peer = room().connect()
    peer.send("11", "9", T, event)
    assert peer.hears() == [[None, "9", T, "phx_reply", refused("unmatched topic")]]


def test_a_reply_to_an_event_has_the_channels_join_ref_and_exactly_two_keys(room):  # 24, 25, 42
    peer = room(chunk_reply="ok").connect().joined(join_ref="11")
    peer.send_binary("11", "7", T, "audio_chunk", b"\0\0")
    assert peer.texts() == [f'["11","7","{T}","phx_reply",{{"status":"ok","response":{{}}}}]']


def test_audio_is_not_answered_by_default(room):  # 24
    peer = room().connect().joined()
    peer.audio(1)
    assert peer.hears() == []


def test_join_refs_are_compared_strictly(room):  # 23
    peer = room(chunk_reply="ok").connect()
    peer.joined(join_ref=1)
    for other in ("1", 1.0, True, [1]):
        peer.send(other, "2", T, "audio_chunk", {"blob": ""})
    peer.send_binary("1", "2", T, "audio_chunk")
    assert peer.hears() == []
    peer.send(1, 2, T, "audio_chunk", {"blob": ""})
    assert peer.hears() == [[1, 2, T, "phx_reply", OK]]


def test_an_empty_join_ref_is_a_join_ref(room):
    peer = room(chunk_reply="ok").connect().joined(join_ref="")
    peer.send("1", "2", T, "audio_chunk", {"blob": ""})
    peer.send_binary("", "3", T, "audio_chunk")
    assert peer.hears() == [["", "3", T, "phx_reply", OK]]


def test_a_push_of_nothing_to_nowhere_is_unmatched(room):
    peer = room().connect()
    peer.send_text(b"\0\0\0\0\0")
    assert peer.hears() == [[None, "", "", "phx_reply", refused("unmatched topic")]]


def test_a_binary_leave_and_heartbeat_are_answered_in_text(room):
    peer = room().connect().joined()
    peer.send_binary("", "8", "phoenix", "heartbeat")
    peer.send_binary("1", "9", T, "phx_leave")
    assert [frame[:4] for frame in peer.hears()[:3]] == [
        [None, "8", "phoenix", "phx_reply"],
        ["1", "9", T, "phx_reply"],
        ["1", "1", T, "phx_close"],
    ]


# --- which join_ref passes, by release --------------------------------------------------

RELEASES = ("1.8.2", "1.8.9", "1.8.11", "1.8.12")


@pytest.mark.parametrize(
    ("joined_with", "sent_with", "passes"),
    [
        ("11", None, {"1.8.2", "1.8.12"}),  # 22
        ("11", "12", {"1.8.2"}),  # 21
        ("11", "", {"1.8.2"}),
        ("11", 11, {"1.8.2"}),  # 23
        (None, "1", {"1.8.2", "1.8.9", "1.8.11"}),
        (None, None, set(RELEASES)),
        ("11", "11", set(RELEASES)),
        ("", None, {"1.8.2", "1.8.12"}),
    ],
)
@pytest.mark.parametrize("release", RELEASES)
def test_which_events_pass_depends_on_the_release(room, release, joined_with, sent_with, passes):
    peer = room(phoenix=release, chunk_reply="ok").connect().joined(join_ref=joined_with)
    peer.send(sent_with, "9", T, "audio_chunk", {"blob": ""})
    # §3.2: after a null join_ref the channel answers with the join's ref.
    own = "1" if joined_with is None else joined_with
    assert peer.hears() == ([[own, "9", T, "phx_reply", OK]] if release in passes else [])
    assert peer.session.has_joined


@pytest.mark.parametrize(
    ("joined_with", "sent_with", "passes"),
    [
        ("11", None, {"1.8.12"}),
        ("11", "12", set()),  # 30
        ("11", "11", set(RELEASES)),
        (None, None, set(RELEASES)),
        (None, "1", {"1.8.2", "1.8.9", "1.8.11"}),
    ],
)
@pytest.mark.parametrize("release", RELEASES)
def test_which_leaves_pass_depends_on_the_release(room, release, joined_with, sent_with, passes):
    peer = room(phoenix=release).connect().joined(join_ref=joined_with)
    peer.send(sent_with, "9", T, "phx_leave")
    assert bool(peer.hears()) is (release in passes)
    assert peer.session.has_joined is (release not in passes)


@pytest.mark.parametrize(
    ("release", "payload"), [("1.8.2", {}), ("1.8.9", {}), ("1.8.11", CRASHED), ("1.8.12", CRASHED)]
)
def test_what_a_crash_says_depends_on_the_release(room, release, payload):
    peer = room(phoenix=release).connect().joined(join_ref="11")
    peer.send("11", "9", T, "boom")
    assert peer.hears() == [["11", "11", T, "phx_error", payload]]


def test_a_join_with_a_null_join_ref_is_null_to_the_transport_and_its_ref_to_the_channel(room):
    place = room(chunk_reply="ok", events_carry_join_ref=True)
    peer = place.connect()
    peer.send(None, "1", T, "phx_join", ALICE)
    peer.send(None, "2", T, "audio_chunk", {"blob": ""})
    place.connect().join("Bob")
    peer.send(None, "3", T, "phx_leave")
    assert [frame[:4] for frame in peer.hears()] == [
        [None, "1", T, "phx_reply"],
        ["1", "2", T, "phx_reply"],
        ["1", None, T, "speaker_joined"],
        ["1", "3", T, "phx_reply"],
        [None, None, T, "phx_close"],
        ["1", None, T, "speaker_left"],
    ]


def test_a_join_without_any_ref_has_null_everywhere(room):
    peer = room(chunk_reply="ok").connect()
    peer.send(None, None, T, "phx_join", ALICE)
    peer.send(None, "2", T, "audio_chunk", {"blob": ""})
    assert [frame[:2] for frame in peer.hears()] == [[None, None], [None, "2"]]


# --- leaving, crashing ----------------------------------------------------------------------------------


def test_a_leave_is_answered_then_closed_then_followed_by_the_own_speaker_left(room):  # 28
    place = room(now=1613129073.5)
    peer = place.connect().joined(join_ref="11")
    peer.send("11", "7", T, "phx_leave")
    assert peer.hears() == [
        ["11", "7", T, "phx_reply", OK],
        ["11", "11", T, "phx_close", {}],
        [None, None, T, "speaker_left", {"speaker": "Alice", "timestamp": 1613129073500}],
    ]
    assert not peer.session.has_joined


def test_a_leave_needs_no_payload(room):
    peer = room().connect().joined()
    peer.send_text(json.dumps(["1", "7", T, "phx_leave", None]))
    assert peer.names() == ["phx_reply", "phx_close", "speaker_left"]


def test_leaving_an_unjoined_topic_is_fine(room):  # 29
    peer = room().connect()
    for topic in (T, "nope", "phoenix", None):
        peer.send("11", "10", topic, "phx_leave")
        assert peer.hears() == [["11", "10", topic, "phx_reply", OK]]


def test_a_leave_with_a_stale_join_ref_is_not_heard(room):  # 30
    peer = room().connect().joined(join_ref="11").joined(join_ref="12")
    peer.hears()
    peer.send("11", "13", T, "phx_leave")
    assert peer.hears() == []
    assert peer.session.has_joined


@pytest.mark.parametrize("end", ["phx_leave", "boom"])
def test_after_the_end_of_a_channel_its_topic_is_unmatched_until_joined_again(room, end):  # 31
    peer = room(chunk_reply="ok").connect().joined()
    peer.send("1", "2", T, end)
    peer.hears()
    peer.audio(0.1)
    [frame] = peer.hears()
    assert frame[0] is None
    assert frame[4] == refused("unmatched topic")
    peer.joined(join_ref="3")
    peer.audio(0.1)
    assert peer.hears()[0][4] == OK


@pytest.mark.parametrize(
    ("event", "payload"),
    [
        ("boom", {}),
        ("", {}),
        (None, {}),
        (7, {}),
        (["audio_chunk"], {}),
        ("phx_reply", {"status": "ok", "response": {}}),
        ("phx_close", {}),
        ("audio_chunk", {}),
        ("audio_chunk", []),
        ("audio_chunk", None),
        ("audio_chunk", {"blob": 3}),
        ("audio_chunk", {"blob": "not base64!"}),
        ("audio_chunk", {"blob": "é"}),
        ("audio_chunk", {"blob": "AAA"}),
    ],
)
def test_what_the_channel_cannot_read_crashes_it_without_a_reply(room, event, payload):  # 32
    peer = room().connect().joined(join_ref="11")
    peer.send_text(json.dumps(["11", "9", T, event, payload]))
    assert peer.hears() == [["11", "11", T, "phx_error", CRASHED]]
    assert not peer.session.has_joined
    assert not peer.session.ended


def test_a_binary_push_of_an_unknown_event_crashes_the_channel(room):
    peer = room().connect().joined()
    peer.send_binary("1", "2", T, "boom")
    assert peer.names() == ["phx_error"]


def test_a_binary_event_that_is_not_unicode_is_an_unknown_event(room):
    peer = room().connect().joined()
    peer.send_text(bytes([0, 1, 1, len(T), 1]) + b"12" + T.encode() + b"\xff")
    assert peer.names() == ["phx_error"]


def test_a_graceful_stop_is_a_close_and_no_error(room):  # 33
    peer = room().connect().joined()
    peer.leave()
    names = peer.names()
    assert names.count("phx_close") == 1
    assert "phx_error" not in names


# --- heartbeat ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("join_ref", [None, "1", 7])
@pytest.mark.parametrize("ref", ["2", 2, 2.5, None, {"a": [1]}])
@pytest.mark.parametrize("joined", [False, True])
def test_a_heartbeat_is_answered_with_its_ref_and_no_join_ref(room, join_ref, ref, joined):  # 34
    peer = room().connect()
    if joined:
        peer.joined()
    peer.send(join_ref, ref, "phoenix", "heartbeat", ["ignored"])
    assert peer.hears() == [[None, ref, "phoenix", "phx_reply", OK]]


@pytest.mark.parametrize("event", ["phx_join", "beat"])
def test_other_events_on_the_heartbeats_topic_are_unmatched(room, event):
    peer = room().connect()
    peer.send("1", "2", "phoenix", event, ALICE)
    assert peer.hears() == [[None, "2", "phoenix", "phx_reply", refused("unmatched topic")]]


def test_answers_come_in_the_order_of_the_requests(room):  # 45
    peer = room().connect()
    peer.send("1", "1", T, "phx_join", ALICE)
    peer.send(None, "2", "phoenix", "heartbeat")
    peer.send("3", "3", "nope", "phx_join")
    peer.send("1", "4", T, "phx_leave")
    peer.send(None, "5", "phoenix", "heartbeat")
    assert [frame[1] for frame in peer.hears() if frame[3] == "phx_reply"] == ["1", "2", "3", "4", "5"]


# --- frames that end the socket -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fatal",
    ["", "{", "{}", "null", '["1","2","t","e"]', b"", b"\1\0\0\0\0", b"\0\1\0\0\0", b'["1","1","t","e",{}]'],
)
def test_a_fatal_frame_ends_the_socket_with_1011_and_no_channel_frame(room, fatal):  # 36, 41
    place = room()
    bob = place.connect().joined("Bob")
    alice = place.connect().joined("Alice")
    bob.hears()
    alice.send_text(fatal)
    assert alice.hears() == [Close(1011)]
    assert alice.session.ended
    assert bob.names() == ["speaker_left"]


def test_answers_to_earlier_frames_come_before_the_close(room):
    peer = room().connect().join()
    peer.send_text("{")
    assert [frame if isinstance(frame, Close) else frame[3] for frame in peer.hears()] == [
        "phx_reply",
        Close(1011),
    ]


def test_an_ended_session_hears_nothing_more(room):
    place = room()
    peer = place.connect().joined()
    peer.send_text("{")
    peer.hears()
    place.connect().joined("Bob")
    peer.join()
    place.wait(10)
    peer.drop()
    assert peer.hears() == []
    assert peer.session.next_deadline() is None
    assert len(place.space.journal.messages(kind=Kind.CLOSED)) == 1


def test_more_than_five_elements_are_handled_as_five(room):  # 35
    peer = room().connect()
    peer.send_text(json.dumps(["1", "2", T, "phx_join", ALICE, "extra", {}]))
    assert peer.hears() == [["1", "2", T, "phx_reply", OK]]


# --- vsn1 -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("join_ref", [{}, {"join_ref": "7"}, {"join_ref": None}])
def test_a_vsn1_socket_never_sends_a_join_ref(room, join_ref):  # 37, 38
    place = room(events_carry_join_ref=True, chunk_reply="ok")
    peer = place.connect(Framing.VSN1)
    place.connect().joined("Bob")
    for event, payload in (
        ("phx_join", ALICE),
        ("audio_chunk", {"blob": "AAAA"}),
        ("phx_leave", {}),
        ("phx_leave", {}),
        ("audio_chunk", {"blob": "AAAA"}),
        ("phx_join", ALICE),
        ("boom", {}),
    ):
        fields = {"topic": T, "event": event, "payload": payload, "ref": 3} | join_ref
        peer.send_text(json.dumps(fields))
    frames = peer.hears()
    assert [frame["event"] for frame in frames] == [
        "phx_reply",
        "phx_reply",
        "phx_reply",
        "phx_close",
        "speaker_left",
        "phx_reply",
        "phx_reply",
        "phx_reply",
        "phx_error",
    ]
    assert {tuple(frame) for frame in frames} == {("ref", "topic", "event", "payload")}


@pytest.mark.parametrize(("extra", "ref"), [({}, None), ({"join_ref": "7"}, "7"), ({"join_ref": 7}, 7)])
def test_on_vsn1_a_close_and_an_error_carry_the_stored_join_ref_as_ref(room, extra, ref):
    for end, event in (("phx_leave", "phx_close"), ("boom", "phx_error")):
        peer = room().connect(Framing.VSN1)
        for name, payload in (("phx_join", ALICE), (end, {})):
            peer.send_text(json.dumps({"topic": T, "event": name, "payload": payload, "ref": 1} | extra))
        assert [frame["ref"] for frame in peer.hears() if frame["event"] == event] == [ref]


@pytest.mark.parametrize("missing", ["topic", "event", "payload", "ref"])
def test_a_vsn1_object_without_one_of_its_keys_ends_the_socket(room, missing):  # 37
    fields = {"topic": T, "event": "phx_join", "payload": ALICE, "ref": 1}
    del fields[missing]
    peer = room().connect(Framing.VSN1)
    peer.send_text(json.dumps(fields))
    assert peer.hears() == [Close(1011)]


def test_integer_refs_come_back_as_integers(room):
    peer = room().connect(Framing.VSN1)
    peer.send(None, 0, T, "phx_join", ALICE)
    peer.send(None, 1, "phoenix", "heartbeat")
    assert [(frame["ref"], type(frame["ref"])) for frame in peer.hears()] == [(0, int), (1, int)]


# --- anything at all ------------------------------------------------------------------------------------

_TOPICS = st.sampled_from([T, T, T, U, "phoenix", "nope", "conversation:", None, 3, [T]])
_EVENTS = st.sampled_from(["phx_join", "phx_leave", "audio_chunk", "heartbeat", "phx_close", "x", None, {}])
_PAYLOADS = st.one_of(
    st.just(ALICE),
    REFS,
    st.fixed_dictionaries(
        {"speaker": st.sampled_from(["Alice", "Bob", 3])},
        optional={
            "readonly": REFS,
            "model": st.sampled_from(["fr", "en", "xx"]) | REFS,
            "country": REFS,
            "interim_results": REFS,
            "origin": st.integers() | REFS,
            "audio_codec": st.sampled_from(["linear", "g711a"]) | REFS,
            "blob": st.sampled_from(["", "AAAA"]) | REFS,
        },
    ),
)
_MESSAGES = st.lists(
    st.tuples(st.sampled_from(["1", None]) | REFS, REFS, _TOPICS, _EVENTS, _PAYLOADS).map(list), max_size=8
)


@given(messages=_MESSAGES, framing=st.sampled_from(Framing))
def test_no_message_of_any_content_breaks_a_session(room, messages, framing):
    place = room(scenario=room.script())
    peer, observer = place.connect(framing), place.connect().observing()
    for join_ref, ref, topic, event, payload in messages:
        peer.send(join_ref, ref, topic, event, payload)
        place.wait(1)
    for frame in observer.hears():
        assert len(frame) == 5
    assert not peer.session.ended
    peer.drop()
    assert not [frame for frame in peer.hears() if isinstance(frame, Close)]


@given(message=st.text(alphabet=st.characters()) | st.binary() | st.binary().map(lambda data: b"\0" + data))
def test_no_bytes_break_a_session_other_than_by_1011(room, message):
    peer = room().connect()
    peer.send_text(message)
    assert all(isinstance(frame, list) or frame == Close(1011) for frame in peer.hears())


def test_nested_values_are_echoed_or_end_the_socket_at_any_depth(room):
    for depth in range(850, 1010):
        peer = room().connect()
        peer.send_text(f'[null,{"[" * depth}{"]" * depth},"phoenix","heartbeat",{{}}]')
        [effect] = peer.session.effects()
        assert effect == Close(1011) or effect.startswith("[null,[[")


# --- effects and the journal ----------------------------------------------------------------------------


def test_each_effect_is_handed_out_once(room):
    peer = room().connect().join()
    assert len(peer.session.effects()) == 1
    assert peer.session.effects() == []


def test_a_session_wakes_its_shell_for_what_others_do(room):
    place = room()
    bob = place.connect().joined("Bob")
    before = bob.woken
    place.connect().joined("Alice")
    assert bob.woken == before + 1


def test_a_fatal_frame_wakes_the_shell(room):
    peer = room().connect()
    peer.send_text("{")
    assert peer.woken


def test_the_journal_names_the_speaker_of_every_message_received(room):
    place = room()
    peer = place.connect().join("Alice")
    peer.audio(data=b"\0\0\0\0")
    peer.leave()
    journal = place.space.journal
    received = journal.messages(kind=Kind.RECEIVED, speaker="Alice")
    assert [entry.event for entry in received] == ["phx_join", "audio_chunk", "phx_leave"]
    assert [entry.audio_bytes for entry in received] == [None, 4, None]


def test_the_journal_keeps_what_a_join_asked_for_and_no_audio(room):
    place = room()
    peer = place.connect().join("Alice", model="en")
    peer.audio(data=b"secret sound")
    peer.send("1", "3", T, "audio_chunk", {"blob": "c2VjcmV0"})
    [join] = place.space.journal.messages(event="phx_join")
    assert join.payload == {"speaker": "Alice", "model": "en"}
    chunks = place.space.journal.messages(event="audio_chunk")
    assert [entry.payload for entry in chunks] == [None, None]
    assert [entry.audio_bytes for entry in chunks] == [12, 6]


def test_the_journal_says_why_a_socket_was_closed(room):
    place = room()
    place.connect().send_text("{")
    [entry] = place.space.journal.messages(kind=Kind.CLOSED)
    assert entry.socket == 1
    assert "1011" in entry.note
    assert "not JSON" in entry.note
