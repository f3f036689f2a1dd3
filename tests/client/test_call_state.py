"""A call without I/O: patience, signs of life, losses and gaps, at whatever time the test says it is."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, strategies as st
from uhlive_client.call_state import CallState, Keepalive, Ping, Send, Wait
from uhlive_client.codecs import Codec
from uhlive_client.conversation import CHUNK_LIMIT, JoinOptions, State
from uhlive_client.errors import (
    ChannelCrashed,
    ConnectionLost,
    JoinRefused,
    Timeout,
    UsageError,
    WireError,
)
from uhlive_client.events import Closed, Reconnected, Reply, SpeakerLeft, UnknownEvent
from uhlive_client.settings import Reconnect
from uhlive_client.wire import Framing

TOPIC = "conversation:acme@conv1"
SECOND = bytes(16_000)
LOSS = ConnectionLost(1006, "gone")
PATIENT = {"timeout": 10.0, "ping_interval": None, "heartbeat": None, "reconnect": None}


def frame(event: str, payload: object, *, ref: str | None = None, topic: str = TOPIC) -> str:
    return json.dumps(["1", ref, topic, event, payload])


def left(speaker: str = "Alice") -> str:
    return frame("speaker_left", {"speaker": speaker, "timestamp": 1})


ACCEPT = frame("phx_reply", {"status": "ok", "response": {}}, ref="1")
CLOSE = frame("phx_close", {}, ref="1")
HELLO = frame("hello", {})


def call_state(*, readonly: bool = False, codec: Codec = Codec.LINEAR, origin: int = 0, **terms) -> CallState:
    options = JoinOptions(speaker="Alice", readonly=readonly, audio_codec=codec, origin=origin)
    return CallState("acme", "conv1", options, framing=Framing.VSN2, **PATIENT | terms)


def joined(now: float = 0.0, **terms) -> CallState:
    call = call_state(**terms)
    call.join(now)
    call.heard(ACCEPT, now)
    return call


def events_of(call: CallState) -> list[object]:
    return list(iter(call.next_event, None))


# --- patience ---------------------------------------------------------------------------------------------


def test_a_join_has_its_time():
    call = call_state()
    call.join(5)
    assert call.turn(5, clear=True) == Wait(10.0)
    call.silent(14.9)
    with pytest.raises(Timeout, match="no answer to the join within 10 s"):
        call.silent(15)


def test_the_answer_to_the_join_is_no_event_but_what_came_before_it_is():
    call = call_state()
    call.join(0)
    call.heard(HELLO, 1)
    call.heard(ACCEPT, 2)
    assert events_of(call) == [UnknownEvent(name="hello", payload={})]
    assert call.speaking


def test_silence_may_last_while_we_are_joined():
    call = joined()
    for now in range(1000):
        assert call.turn(now, clear=True) == Wait(10.0)
        call.silent(now)


def test_leaving_gives_each_event_its_time():
    call = joined()
    assert call.leave(100) is not None
    assert call.turn(100, clear=True) == Wait(10.0)
    call.heard(HELLO, 109)
    call.silent(118)
    with pytest.raises(Timeout, match="speaker_left for Alice"):
        call.silent(119)


def test_patience_begins_when_all_the_sound_has_been_spoken():
    call = joined()
    for _ in range(60):
        assert call.audio(SECOND, 0) is not None
    assert call.patience(0) == 70
    call.leave(1)
    call.silent(69)
    with pytest.raises(Timeout):
        call.silent(70)


def test_sound_at_the_pace_of_speech_costs_no_more_than_itself():
    call = joined()
    for second in range(60):
        call.audio(SECOND, second)
    assert call.patience(60) == 10


def test_leaving_twice_is_leaving_once():
    call = joined()
    assert call.leave(0) is not None
    assert call.leave(0) is None


def test_the_end_is_our_own_speaker_left():
    call = joined()
    call.leave(0)
    for one in (left("Bob"), CLOSE, left()):
        assert not call.over
        call.heard(one, 1)
    assert call.over
    assert [type(event) for event in events_of(call)] == [SpeakerLeft, Closed, SpeakerLeft]


def test_an_observer_that_left_is_done_with_a_word_in_silence_and_with_a_closed_socket():
    for end in (
        lambda call: call.heard(CLOSE, 1),
        lambda call: call.lost(LOSS, 1),
        lambda call: call.lost(Timeout("anything", 10), 11),
    ):
        call = joined(readonly=True)
        call.leave(0)
        assert not call.over
        end(call)
        assert call.over
        call.check()


def test_an_observer_that_stays_has_lost_something():
    call = joined(readonly=True)
    call.lost(LOSS, 1)
    assert not call.over
    with pytest.raises(ConnectionLost):
        call.check()


def test_nonsense_is_reported_in_its_place_and_ends_nothing():
    call = joined()
    for one in (HELLO, "nonsense", HELLO):
        call.heard(one, 1)
    assert isinstance(call.next_event(), UnknownEvent)
    with pytest.raises(WireError, match="not JSON"):
        call.next_event()
    assert [type(event) for event in events_of(call)] == [UnknownEvent]
    assert call.speaking


# --- signs of life ----------------------------------------------------------------------------------------


def test_a_ping_is_asked_for_after_a_silence_and_not_before():
    call = joined(ping_interval=8)
    call.heard(HELLO, 3)
    assert call.turn(3, clear=True) == Wait(8.0)
    assert call.turn(11, clear=True) == Ping()


def test_whatever_is_heard_answers_a_ping():
    call = joined(ping_interval=5)
    call.pinged(lambda: False, 5)
    call.heard(HELLO, 14)
    call.silent(16)
    assert call.turn(19, clear=True) == Ping()


def test_a_pong_answers_a_ping():
    call = joined(ping_interval=5)
    call.pinged(lambda: True, 5)
    call.silent(100)
    assert call.turn(100, clear=True) == Ping()


def test_a_ping_without_a_pong_is_a_loss():
    call = joined(ping_interval=5)
    call.pinged(lambda: False, 5)
    assert call.turn(5, clear=True) == Wait(10.0)
    call.silent(14)
    with pytest.raises(ConnectionLost, match="no answer to a ping within 10 s"):
        call.silent(15)


def test_a_service_that_reads_our_sound_slowly_is_not_asked_and_not_given_up():
    call = joined(ping_interval=5)
    for _ in range(60):
        call.audio(SECOND, 0)
    assert call.turn(6, clear=False) == Wait(5.0)
    call.pinged(lambda: False, 12)
    call.silent(69)
    with pytest.raises(ConnectionLost):
        call.silent(70)


def test_heartbeats_come_at_their_interval_and_their_answers_are_nobodys_business():
    call = joined(heartbeat=30)
    call.heard(HELLO, 29)
    step = call.turn(30, clear=True)
    assert isinstance(step, Send)
    assert json.loads(step.frame) == [None, "2", "phoenix", "heartbeat", {}]
    assert call.turn(35, clear=True) == Wait(5.0)
    call.heard(frame("phx_reply", {"status": "ok", "response": {}}, ref="2", topic="phoenix"), 36)
    assert [type(event) for event in events_of(call)] == [UnknownEvent]
    assert call.turn(59, clear=True) == Wait(1.0)
    assert isinstance(call.turn(60, clear=True), Send)


def test_a_heartbeat_without_an_answer_is_a_loss_whatever_else_is_heard():
    call = joined(heartbeat=30)
    call.turn(30, clear=True)
    call.heard(frame("phx_reply", {"status": "ok", "response": {}}, ref="9", topic="phoenix"), 39)
    assert [type(event) for event in events_of(call)] == [Reply]
    with pytest.raises(ConnectionLost, match="no answer to a heartbeat within 10 s"):
        call.silent(40)


def test_a_frame_that_lies_in_the_socket_is_read_however_late_we_come():
    call = joined(ping_interval=5)
    call.pinged(lambda: False, 5)
    assert call.turn(1000, clear=True) == Wait(0.05)


def test_a_keepalive_that_is_switched_off_never_asks():
    keepalive = Keepalive("ping", None, 0)
    assert not keepalive.is_due(1e9)
    assert keepalive.next_at() is None


# --- losses -----------------------------------------------------------------------------------------------


def test_the_first_loss_is_the_one_that_is_raised():
    call = joined()
    call.lost(LOSS, 1)
    call.lost(ConnectionLost(1011), 2)
    for verb in (call.check, lambda: call.audio(SECOND, 3)):
        with pytest.raises(ConnectionLost, match="1006"):
            verb()
    assert not call.speaking


def test_a_crash_is_a_loss():
    call = joined()
    with pytest.raises(ChannelCrashed):
        call.heard(frame("phx_error", {}), 1)
    assert not call.over


def test_a_refusal_is_for_whoever_joins():
    call = call_state()
    call.join(0)
    with pytest.raises(JoinRefused, match="no capacity"):
        call.heard(frame("phx_reply", {"status": "error", "response": {"reason": "no capacity"}}, ref="1"), 1)


@pytest.mark.parametrize("codec", Codec)
def test_a_chunk_over_the_limit_is_refused_before_it_is_sent(codec):
    call = joined(codec=codec)
    assert call.audio(bytes(CHUNK_LIMIT), 0) is not None
    with pytest.raises(UsageError, match="64001 bytes; expected at most 64000"):
        call.audio(bytes(CHUNK_LIMIT + 1), 0)


# --- gaps -------------------------------------------------------------------------------------------------

AGAIN = Reconnect(attempts=2, first_s=1, jitter=0)


def test_a_gap_ends_and_is_reported_with_what_it_cost():
    call = joined(reconnect=AGAIN, origin=1_000_000)
    call.audio(SECOND, 0)
    call.lost(LOSS, 1)
    assert call.down
    assert call.audio(SECOND, 1) is None
    assert call.audio(SECOND, 2) is None
    assert call.next_delay() == 1
    assert json.loads(call.join(3))[4]["origin"] == 1_003_000
    call.heard(ACCEPT, 3.5)
    [event] = events_of(call)
    assert event == Reconnected(gap_s=2.5, lost_audio_s=2.0, origin=1_003_000, attempts=1, reason=str(LOSS))
    assert call.audio(SECOND, 3.5) is not None


def test_after_a_crash_we_can_join_again_too():
    call = joined(reconnect=AGAIN)
    with pytest.raises(ChannelCrashed) as crash:
        call.heard(frame("phx_error", {}), 1)
    call.lost(crash.value, 1)
    assert call.down


def test_when_all_attempts_fail_the_loss_itself_is_raised_and_says_what_came_after():
    call = joined(reconnect=AGAIN)
    loss = ConnectionLost(1011)
    call.lost(loss, 1)
    assert [call.next_delay(), call.next_delay()] == [1, 2]
    call.missed(JoinRefused("no capacity"))
    assert call.next_delay() is None
    assert not call.down
    with pytest.raises(ConnectionLost) as given_up:
        call.check()
    assert given_up.value is loss
    assert loss.__notes__ == [
        "Joining again failed 2 times; the last time: the service refused the conversation: no capacity"
    ]


def flapping(terms, stays, *, longest=100):
    """The delays before each attempt of a call whose stays last so many seconds, and the failure it ends with."""
    call, now, delays = joined(reconnect=terms), 0.0, []
    for stay_s in (*stays, *[0.0] * longest):
        now += stay_s
        call.lost(ConnectionLost(1011), now)
        delay = call.next_delay()
        if delay is None:
            break
        delays.append(delay)
        now += delay
        call.join(now)
        call.heard(ACCEPT, now)
    return delays, call.failure


@pytest.mark.parametrize("stay_s", [0.0, 0.2, 4.9])
def test_delays_grow_and_attempts_count_over_losses_while_no_stay_lasts(stay_s):
    delays, failure = flapping(Reconnect(attempts=4, first_s=1, longest_s=5, jitter=0), [stay_s] * 9)
    assert delays == [1, 2, 4, 5]
    assert failure.__notes__ == ["Joined again 4 times, and no stay lasted 5 s"]


def test_a_stay_that_has_lasted_is_a_new_beginning():
    delays, _ = flapping(Reconnect(attempts=3, first_s=1, jitter=0), [0, 0, 5, 0, 5, 60])
    assert delays == [1, 2, 1, 2, 1, 1, 2, 4]


def test_how_long_a_stay_has_to_last_is_the_callers_affair():
    delays, _ = flapping(Reconnect(attempts=2, first_s=1, jitter=0, lasting_s=0.5), [0.5, 0.5, 0.5])
    assert delays[:3] == [1, 1, 1]


def test_attempts_without_a_delay_end_too():
    assert flapping(Reconnect(attempts=5, first_s=0), [])[0] == [0] * 5


def test_attempts_that_fail_and_stays_that_do_not_last_count_together():
    call = joined(reconnect=Reconnect(attempts=3, first_s=1, jitter=0))
    call.lost(LOSS, 1)
    assert call.next_delay() == 1
    call.join(2)
    call.heard(ACCEPT, 2)
    loss = ConnectionLost(1011)
    call.lost(loss, 3)
    assert [call.next_delay(), call.next_delay()] == [2, 4]
    call.missed(JoinRefused("no capacity"))
    assert call.next_delay() is None
    assert loss.__notes__ == [
        "Joined again 1 time, and no stay lasted 5 s. "
        "Joining again failed 2 times; the last time: the service refused the conversation: no capacity"
    ]


def test_the_attempts_of_an_event_are_those_of_its_own_gap():
    call = joined(reconnect=AGAIN)
    for now in (0, 10, 20):
        call.lost(LOSS, now)
        call.next_delay()
        call.join(now + 1)
        call.heard(ACCEPT, now + 1)
    assert [event.attempts for event in events_of(call)] == [1, 1, 1]


def test_nothing_is_reconnected_once_we_leave_or_the_service_has_ended_the_stay():
    for end in (lambda call: call.leave(1), lambda call: call.heard(CLOSE, 1)):
        call = joined(reconnect=AGAIN)
        end(call)
        call.lost(LOSS, 2)
        assert not call.down
        with pytest.raises(ConnectionLost):
            call.check()


def test_the_end_of_the_lost_stay_does_not_end_the_new_one():
    call = joined(reconnect=AGAIN)
    call.lost(LOSS, 1)
    call.next_delay()
    call.join(2)
    call.heard(ACCEPT, 2)
    call.heard(left(), 60)
    assert call.speaking
    assert [type(event) for event in events_of(call)] == [Reconnected, SpeakerLeft]
    call.heard(left(), 61)
    assert call.over


def test_what_was_late_before_the_gap_waits_and_what_comes_due_in_it_is_lost():
    call = joined(reconnect=AGAIN)
    assert not call.keeps(0)
    call.lost(LOSS, 5)
    assert call.keeps(4.9)
    assert not call.keeps(5)


@given(
    codec=st.sampled_from(Codec),
    origin=st.integers(0, 2**41),
    steps=st.lists(st.sampled_from(["sound", "loss", "attempt", "joined"]), max_size=40),
)
def test_the_origin_always_counts_all_the_sound_there_was(codec, origin, steps):
    call = joined(codec=codec, origin=origin, reconnect=Reconnect(attempts=1000, first_s=0))
    chunk = bytes(80 * codec.sample_width)  # 10 ms
    spoken_ms = sent = lost_ms = 0
    for now, step in enumerate(steps):
        asked = call.down and call.conversation.state is State.JOINING
        if step == "sound" and not asked:
            sent += call.audio(chunk, now) is not None
            spoken_ms += 10
        elif step == "loss":
            call.lost(LOSS, now)
        elif step == "attempt" and call.down:
            call.next_delay()
            assert json.loads(call.join(now))[4]["origin"] == origin + spoken_ms
        elif step == "joined" and asked:
            call.heard(ACCEPT, now)
            [event] = events_of(call)
            lost_ms += round(event.lost_audio_s * 1000)
            assert event.origin == origin + spoken_ms
            assert spoken_ms == sent * 10 + lost_ms
