"""The state machine of one stay, by example and against a model."""

from __future__ import annotations

import json

import pytest
from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from uhlive_client.conversation import CHUNK_LIMIT, Conversation, JoinOptions, State
from uhlive_client.errors import ChannelCrashed, ConfigurationError, JoinRefused, UsageError, WireError
from uhlive_client.events import Closed, Reply, Segment, SpeakerLeft, UnknownEvent
from uhlive_client.wire import Framing

TOPIC = "conversation:acme@conv1"


def stay(*, framing=Framing.VSN2, **options) -> Conversation:
    return Conversation("acme", "conv1", JoinOptions(speaker="Alice", **options), framing=framing)


def frame(event: str, payload: object, *, join_ref=None, ref=None, topic=TOPIC) -> str:
    return json.dumps([join_ref, ref, topic, event, payload])


def reply(ref: str, status: str = "ok", response: object = None) -> str:
    return frame("phx_reply", {"status": status, "response": response or {}}, join_ref="1", ref=ref)


def left(speaker: str = "Alice") -> str:
    return frame("speaker_left", {"speaker": speaker, "timestamp": 1})


CLOSE = frame("phx_close", {}, join_ref="1", ref="1")


def joined(**options) -> Conversation:
    conversation = stay(**options)
    conversation.join()
    conversation.receive(reply("1"))
    return conversation


def test_join_says_everything_in_the_sdks_order():
    assert stay().join() == (
        f'["1","1","{TOPIC}","phx_join",{{"readonly":false,"speaker":"Alice","model":"fr","country":"fr",'
        '"interim_results":true,"rescoring":true,"origin":0,"audio_codec":"linear"}]'
    )


def test_refs_count_every_frame():
    conversation = joined()
    conversation.audio(b"\x00\x00")
    assert json.loads(conversation.heartbeat()) == [None, "3", "phoenix", "heartbeat", {}]
    assert json.loads(conversation.leave()) == ["1", "4", TOPIC, "phx_leave", {}]


def test_vsn1_speaks_objects_with_integer_refs():
    conversation = stay(framing=Framing.VSN1)
    assert json.loads(conversation.join())["ref"] == 1
    accepted = {"topic": TOPIC, "event": "phx_reply", "ref": 1, "payload": {"status": "ok", "response": {}}}
    conversation.receive(json.dumps(accepted))
    assert conversation.state is State.JOINED
    assert json.loads(conversation.audio(b"\x01\x02"))["payload"] == {"blob": "AQI="}


def test_the_reply_to_something_else_does_not_join():
    conversation = stay()
    conversation.join()
    assert conversation.receive(reply("7")) == Reply(ref="7", ok=True, response={})
    assert conversation.state is State.JOINING


def test_a_refused_join_is_over():
    conversation = stay()
    conversation.join()
    with pytest.raises(JoinRefused, match="unmatched topic"):
        conversation.receive(
            frame("phx_reply", {"status": "error", "response": {"reason": "unmatched topic"}}, ref="1")
        )
    assert conversation.over


def test_a_refusal_without_reason_shows_the_response():
    conversation = stay()
    conversation.join()
    with pytest.raises(JoinRefused, match=r"no reason given, response \{'code': 5\}"):
        conversation.receive(reply("1", "error", {"code": 5}))


def test_a_refused_message_is_an_event():
    conversation = joined()
    conversation.audio(b"")
    refused = conversation.receive(reply("2", "error", {"reason": "unmatched topic"}))
    assert refused == Reply(ref="2", ok=False, reason="unmatched topic", response={"reason": "unmatched topic"})
    assert conversation.state is State.JOINED


def test_leaving_ends_with_our_own_speaker_left():
    conversation = joined()
    conversation.leave()
    assert conversation.receive(reply("2")) == Reply(ref="2", ok=True, response={})
    assert conversation.receive(CLOSE) == Closed()
    assert conversation.receive(left("Bob")) == SpeakerLeft(speaker="Bob", timestamp_ms=1)
    assert conversation.state is State.LEAVING
    conversation.receive(left())
    assert conversation.over


def test_a_late_close_does_not_bring_us_back():
    conversation = joined()
    conversation.leave()
    conversation.receive(left())
    conversation.receive(CLOSE)
    assert conversation.over


def test_the_service_may_end_the_stay():
    conversation = joined()
    conversation.receive(CLOSE)
    assert conversation.state is State.LEAVING
    with pytest.raises(UsageError, match="cannot send audio while leaving; expected joined"):
        conversation.audio(b"")
    conversation.receive(left())
    assert conversation.over


def test_a_speaker_left_before_the_join_is_answered_is_of_an_earlier_stay():
    conversation = stay()
    conversation.join()
    conversation.receive(left())
    conversation.receive(reply("1"))
    assert conversation.state is State.JOINED


def test_an_observer_ends_with_the_close_and_not_with_a_namesake():
    conversation = joined(readonly=True)
    conversation.receive(left())
    assert conversation.state is State.JOINED
    conversation.leave()
    conversation.receive(CLOSE)
    assert conversation.over


def test_an_observer_sends_no_audio():
    with pytest.raises(UsageError, match="observer"):
        joined(readonly=True).audio(b"")


@pytest.mark.parametrize("payload", [{}, {"reason": "channel_crash"}, [], None])
def test_a_crash_ends_it(payload):
    conversation = joined()
    with pytest.raises(ChannelCrashed):
        conversation.receive(frame("phx_error", payload, join_ref="1", ref="1"))
    assert conversation.over


def test_frames_of_other_topics_are_not_ours():
    conversation = joined()
    assert conversation.receive(frame("speaker_left", {"speaker": "Alice"}, topic="conversation:acme@2")) is None
    assert conversation.receive(frame("phx_error", {}, topic="conversation:acme@2")) is None
    assert conversation.state is State.JOINED


def test_the_reply_to_a_heartbeat_is_an_event():
    conversation = joined()
    answer = frame("phx_reply", {"status": "ok", "response": {}}, ref="2", topic="phoenix")
    assert conversation.receive(answer) == Reply(ref="2", ok=True, response={})


def test_a_broadcast_needs_no_join_ref_and_a_stale_one_does_not_matter():
    payload = {"speaker": "Bob", "value": "x", "start": 0, "end": 1}
    for join_ref in (None, "1", "9"):
        event = joined().receive(frame("audio_segment_decoded", payload, join_ref=join_ref))
        assert event == Segment(speaker="Bob", text="x", start_ms=0, end_ms=1)


def test_a_binary_broadcast_is_an_event_too():
    data = bytes([2, len(TOPIC), 4]) + TOPIC.encode() + b"blob" + b"\x09"
    assert joined().receive(data) == UnknownEvent(name="blob", payload=b"\x09")


def test_nonsense_is_a_wire_error():
    with pytest.raises(WireError):
        joined().receive("nonsense")


def test_a_speaker_needs_a_name_and_a_model():
    with pytest.raises(ConfigurationError, match="speaker"):
        JoinOptions(speaker="")
    with pytest.raises(ConfigurationError, match="model"):
        JoinOptions(speaker="Alice", model="")
    assert JoinOptions(speaker="Alice", model="", readonly=True).model == ""


def test_a_chunk_over_64_kb_is_misuse():
    conversation = joined()
    conversation.audio(bytes(CHUNK_LIMIT))
    with pytest.raises(UsageError, match="64001 bytes; expected at most 64000"):
        conversation.audio(bytes(CHUNK_LIMIT + 1))


def test_an_earlier_stay_may_end_during_this_one_but_only_once():
    conversation = Conversation("acme", "conv1", JoinOptions(speaker="Alice"), earlier=1)
    conversation.join()
    conversation.receive(reply("1"))
    conversation.receive(left())
    assert conversation.state is State.JOINED
    conversation.receive(left())
    assert conversation.over


def test_a_heartbeat_awaits_the_answer_to_itself():
    conversation = joined()
    assert not conversation.awaits_heartbeat
    conversation.heartbeat()
    for ref, awaits in (("1", True), ("2", False)):
        conversation.receive(frame("phx_reply", {"status": "ok", "response": {}}, ref=ref, topic="phoenix"))
        assert conversation.awaits_heartbeat is awaits


class Stay(RuleBasedStateMachine):
    """Any order of calls and frames, against a model of four booleans."""

    @initialize(readonly=st.booleans())
    def begin(self, readonly):
        self.ours = stay(readonly=readonly)
        self.readonly = readonly
        self.asked = self.accepted = self.leaving = self.over = False
        self.sent = 0

    @property
    def may_speak(self) -> bool:
        return self.accepted and not self.leaving and not self.over

    def attempt(self, call, allowed: bool) -> None:
        if allowed:
            call()
            self.sent += 1
        else:
            with pytest.raises(UsageError):
                call()

    @rule()
    def join(self):
        self.attempt(self.ours.join, not self.asked)
        self.asked = True

    @rule(chunk=st.binary(max_size=4))
    def audio(self, chunk):
        self.attempt(lambda: self.ours.audio(chunk), self.may_speak and not self.readonly)

    @rule()
    def leave(self):
        self.attempt(self.ours.leave, self.may_speak)
        self.leaving = self.leaving or self.may_speak

    @rule()
    def heartbeat(self):
        self.attempt(self.ours.heartbeat, True)

    @precondition(lambda self: self.asked)
    @rule(ok=st.booleans())
    def answer_to_the_join(self, ok):
        # Asked while idle, the join may not be the first frame: heartbeats count too.
        ref = self.ours._join_ref
        pending = not self.accepted and not self.over
        if pending and not ok:
            with pytest.raises(JoinRefused):
                self.ours.receive(reply(ref, "error", {"reason": "no"}))
            self.over = True
        else:
            self.ours.receive(reply(ref, "ok" if ok else "error"))
            self.accepted = self.accepted or pending

    @rule(speaker=st.sampled_from(["Alice", "Bob"]))
    def speaker_left(self, speaker):
        self.ours.receive(left(speaker))
        self.over = self.over or (speaker == "Alice" and self.accepted and not self.readonly)

    @rule()
    def close(self):
        self.ours.receive(CLOSE)
        if self.readonly:
            self.over = self.over or self.accepted
        else:
            self.leaving = self.leaving or self.accepted

    @rule()
    def crash(self):
        with pytest.raises(ChannelCrashed):
            self.ours.receive(frame("phx_error", {}))
        self.over = self.over or self.asked

    @rule(payload=st.none() | st.integers() | st.just({}))
    def something_else(self, payload):
        self.ours.receive(frame("audio_words_decoded", payload))

    @invariant()
    def agrees(self):
        assert self.ours.over == self.over
        assert (self.ours.state is State.JOINED) == self.may_speak
        assert self.ours._last_ref == self.sent


Stay.TestCase.settings = settings(stateful_step_count=20)
TestStay = Stay.TestCase
