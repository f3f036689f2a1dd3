"""The service's rules of time and size, as a socket meets them."""

from __future__ import annotations

import base64
import json
import math

import pytest
from hypothesis import given, strategies as st

from uhlive_mock.model.fault import Fault, FaultKind
from uhlive_mock.model.limits import (
    Chunk,
    ChunkAction,
    Gap,
    GapAction,
    Idle,
    Measure,
    Throttle,
    ThrottleAction,
)
from uhlive_mock.model.scenario import At, Cue, RawEvent, Scenario, Script, Timing
from uhlive_mock.protocol.journal import Kind
from uhlive_mock.protocol.outbox import Close
from uhlive_mock.wire.framing import Framing

T = "conversation:acme@conv1"
OK = {"status": "ok", "response": {}}


def at(position_ms: int, name: str) -> Cue:
    return Cue(trigger=At(position_ms=position_ms), action=RawEvent(name=name))


def stop_reading(seconds: int) -> Fault:
    return Fault(kind=FaultKind.STOP_READING, value=1000 * seconds)


def broken(place) -> list[str]:
    """The rules that were broken, as the journal tells it."""
    return [entry.note for entry in place.space.journal if entry.kind is Kind.RULE]


def taken(place) -> list[tuple[float, int]]:
    """When each chunk was taken, and its size."""
    return [(entry.now, entry.audio_bytes) for entry in place.space.journal.messages(event="audio_chunk")]


# --- the throttle ---------------------------------------------------------------------------------------


@given(
    rate=st.integers(1000, 40_000),
    burst=st.integers(1000, 64_000),
    sends=st.lists(st.tuples(st.floats(0, 5), st.integers(0, 30_000)), min_size=1, max_size=15),
    start=st.sampled_from([0.0, 1_700_000_000.25]),
)
def test_a_throttle_that_delays_loses_nothing_and_lets_no_window_take_more(room, rate, burst, sends, start):
    place = room(limits=room.limits(throttle=Throttle(rate=rate, burst=burst)), now=start)
    peer = place.connect().joined()
    for pause, size in sends:
        place.advance(pause)
        peer.audio(data=bytes(size))
    place.advance(1000)
    chunks = taken(place)
    assert [size for _, size in chunks] == [size for _, size in sends]
    refs = [entry.ref for entry in place.space.journal.messages(event="audio_chunk")]
    assert refs == [str(number) for number in range(2, len(sends) + 2)]
    for first, (since, _) in enumerate(chunks):
        for last, (until, _) in enumerate(chunks[first:], first):
            window = [size for _, size in chunks[first : last + 1]]
            assert sum(window) <= burst + rate * (until - since + 1e-6) + max(window)


def test_a_throttled_socket_reads_at_its_deadline_and_not_before(room):
    place = room(limits=room.limits(throttle=Throttle(rate=20_000, burst=64_000)), chunk_reply="ok")
    peer = place.connect().joined()
    peer.audio(data=bytes(64_000))
    assert peer.session.reading
    peer.audio(data=bytes(16_001))
    peer.send(None, "9", "phoenix", "heartbeat")
    assert not peer.session.reading
    assert len(peer.hears()) == 2
    deadline = peer.session.next_deadline()
    assert deadline == pytest.approx(place.now + 16_001 / 20_000, abs=1e-6, rel=0)
    peer.session.tick(math.nextafter(deadline, 0))
    assert not peer.session.reading
    place.advance(1)
    assert peer.session.reading
    assert peer.hears() == [[None, "9", "phoenix", "phx_reply", OK]]
    assert broken(place) == ["throttle: audio comes faster than the limit"]


def test_what_is_throttled_is_not_unread_for_ever_when_the_client_hangs_up(room):
    place = room(limits=room.limits(throttle=Throttle(rate=1000, burst=1000)))
    peer = place.connect().joined()
    for _ in range(5):
        peer.audio(data=bytes(4000))
    peer.drop()
    assert len(taken(place)) == 5
    assert len(place.space.hearings[0].recording.encoded()) == 20_000


def test_a_throttle_can_close_the_socket(room):
    place = room(limits=room.limits(throttle=Throttle(burst=1000, action=ThrottleAction.CLOSE)))
    bob, peer = place.connect().joined("Bob"), place.connect().joined()
    bob.hears()
    peer.audio(data=bytes(1000))
    assert peer.hears() == []
    peer.audio(data=bytes(2))
    assert peer.hears() == [Close(1008)]
    assert peer.session.ended
    assert bob.names() == ["speaker_left"]
    assert broken(place) == ["throttle: audio comes faster than the limit"]


def test_a_throttle_can_only_report_and_does_it_once_a_time(room):
    place = room(limits=room.limits(throttle=Throttle(rate=1000, burst=1000, action=ThrottleAction.REPORT)))
    peer = place.connect().joined()
    for pause in (0, 0, 0, 10, 0):
        place.advance(pause)
        peer.audio(data=bytes(1000))
    assert peer.session.reading
    assert peer.hears() == []
    assert len(broken(place)) == 2
    entry = next(entry for entry in place.space.journal if entry.kind is Kind.RULE)
    assert (entry.socket, entry.speaker) == (1, "Alice")


def test_without_a_throttle_anything_goes(room):
    place = room(limits=room.limits(throttle=Throttle(rate=1, burst=1, action=ThrottleAction.OFF)))
    peer = place.connect().joined()
    for _ in range(60):
        peer.audio(1)
    assert peer.session.reading
    assert broken(place) == []


@pytest.mark.parametrize(
    ("measure", "sizes"), [(Measure.AUDIO, [0, 3000, 3000, 0]), (Measure.FRAMED, [50, 3050, 4050, 50])]
)
def test_the_throttle_counts_audio_or_whole_messages(room, measure, sizes):
    # What the bucket lacks after each message shows in the deadline, since it holds next to nothing.
    place = room(limits=room.limits(throttle=Throttle(rate=1000, burst=1, measure=measure)))
    peer = place.connect()
    blob = base64.b64encode(bytes(3000)).decode()
    header = bytes([0, 1, 1, len(T), 11]) + b"12" + T.encode() + b"audio_chunk"
    messages = [
        json.dumps(["1", "1", T, "phx_join", {"speaker": "Alice"}]),
        header + bytes(3000),
        json.dumps(["1", "3", T, "audio_chunk", {"blob": blob}]),
        json.dumps([None, "4", "phoenix", "heartbeat", {}]),
    ]
    for message, size in zip(messages, sizes, strict=True):
        peer.send_text(message)
        deadline = peer.session.next_deadline()
        delay = 0.0 if deadline is None else deadline - place.now
        expected = 0 if size == 0 else len(message) if measure is Measure.FRAMED else size
        assert delay == pytest.approx(max(0, expected - 1) / 1000, abs=1e-6, rel=0)
        place.advance(100)


def test_whole_messages_are_counted_in_bytes(room):
    throttle = Throttle(rate=1000, burst=1000, measure=Measure.FRAMED)
    peer = room(limits=room.limits(throttle=throttle)).connect()
    peer.send_text(json.dumps([None, "1", "phoenix", "heartbeat", {"é": "é" * 700}], ensure_ascii=False))
    assert not peer.session.reading


@given(
    codec=st.sampled_from(["linear", "g711a"]),
    sizes=st.lists(st.integers(0, 60_000) | st.just(2_000_000), max_size=12),
    pauses=st.lists(st.floats(0, 20), min_size=12, max_size=12),
)
def test_on_the_audio_clock_audio_is_never_too_fast(room, codec, sizes, pauses):
    limits = room.limits(throttle=Throttle(), chunk=Chunk(action=ChunkAction.OFF))
    place = room(follow_audio=True, limits=limits)
    peer = place.connect().joined(audio_codec=codec)
    for size, pause in zip(sizes, pauses, strict=False):
        peer.audio(data=bytes(size))
        assert peer.session.reading
        place.advance(pause)
    assert broken(place) == []


def test_a_join_brings_the_limits_of_its_scenario(room):
    own = room.limits(throttle=Throttle(rate=1000, burst=1000), idle=Idle(after_ms=30_000))
    place = room(
        scenario=Scenario(limits=own),
        limits=room.limits(throttle=Throttle(rate=1, burst=1, action=ThrottleAction.CLOSE)),
    )
    peer = place.connect()
    assert peer.session.next_deadline() is None
    peer.joined()
    assert peer.session.next_deadline() == place.now + 30
    peer.audio(data=bytes(1000))
    assert peer.session.reading
    peer.audio(data=bytes(1000))
    assert peer.session.next_deadline() == pytest.approx(place.now + 1, abs=1e-6, rel=0)


# --- the gap ----------------------------------------------------------------------------------------------

GAP = Gap(after_ms=5000)


def gap(action: GapAction) -> Gap:
    return Gap(after_ms=5000, action=action)


def test_the_gap_counts_from_the_join_and_then_from_the_last_chunk(room):
    place = room(limits=room.limits(gap=GAP))
    place.advance(100)
    peer = place.connect().joined()
    assert peer.session.next_deadline() == place.now + 5
    place.advance(4.9)
    peer.audio(0.1)
    assert peer.session.next_deadline() == pytest.approx(place.now + 5, abs=1e-6, rel=0)
    place.advance(4.9)
    assert peer.hears() == []
    place.advance(0.2)
    assert peer.names() == ["phx_close", "speaker_left"]


@given(
    pauses=st.lists(st.floats(0, 4.9), max_size=6),
    start=st.sampled_from([0.0, 1_700_000_000.0, 1_700_000_000.1]),
    follow_audio=st.booleans(),
)
def test_the_gap_fires_once_exactly_at_its_deadline(room, pauses, start, follow_audio):
    place = room(limits=room.limits(gap=gap(GapAction.REPORT)), now=start, follow_audio=follow_audio)
    peer = place.connect().joined()
    for pause in pauses:
        place.advance(pause)
        peer.audio(0.3)
    deadline = peer.session.next_deadline()
    assert deadline == pytest.approx(place.now + 5, abs=1e-5, rel=0)
    peer.session.tick(math.nextafter(deadline, 0))
    assert broken(place) == []
    peer.session.tick(deadline)
    assert broken(place) == ["gap: no audio for 5 s"]
    place.advance(100)
    assert len(broken(place)) == 1
    assert peer.session.next_deadline() is None


@pytest.mark.parametrize(
    ("action", "heard"),
    [
        (GapAction.LEAVE, ["phx_close", "reached", "speaker_left"]),
        (GapAction.ERROR, ["phx_error"]),
        (GapAction.CLOSE, [1008]),
        (GapAction.REPORT, []),
        (GapAction.OFF, []),
    ],
)
def test_what_silence_meets(room, action, heard):
    script = room.script(at(500, "reached"), at(5000, "beyond"), latency_ms=60_000)
    place = room(scenario=script, limits=room.limits(gap=gap(action)))
    bob, alice = place.connect().observing(), place.connect().joined("Alice")
    bob.hears()
    alice.audio(1)
    place.advance(10)
    found = [frame.code if isinstance(frame, Close) else frame[3] for frame in alice.hears()]
    assert found == heard
    leaves = action not in (GapAction.REPORT, GapAction.OFF)
    assert bob.names() == (["reached", "speaker_left"] if leaves else [])
    assert broken(place) == ([] if action is GapAction.OFF else ["gap: no audio for 5 s"])
    assert place.space.hearings[0].left_cleanly is (False if leaves else None)
    assert alice.session.ended is (action is GapAction.CLOSE)


def test_after_a_gap_the_topic_can_be_joined_again(room):
    place = room(limits=room.limits(gap=GAP))
    peer = place.connect().joined()
    place.advance(5)
    assert peer.hears()[0] == ["1", "1", T, "phx_close", {}]
    peer.audio(1)
    assert peer.hears()[0][4]["response"] == {"reason": "unmatched topic"}
    peer.joined(join_ref="3")
    assert peer.session.next_deadline() == place.now + 5


def test_a_reported_gap_is_reported_again_after_more_audio(room):
    place = room(limits=room.limits(gap=gap(GapAction.REPORT)))
    peer = place.connect().joined()
    for _ in range(3):
        place.advance(20)
        peer.audio(0.1)
    assert len(broken(place)) == 3


def test_nobody_waits_for_the_audio_of_an_observer(room):
    place = room(limits=room.limits(gap=GAP))
    peer = place.connect().observing()
    assert peer.session.next_deadline() is None
    place.advance(100)
    assert peer.hears() == []


@pytest.mark.parametrize("ping", ["heartbeat", "bytes"])
def test_only_audio_ends_a_speakers_silence(room, ping):
    place = room(limits=room.limits(gap=GAP))
    peer = place.connect().joined()
    place.advance(3)
    if ping == "heartbeat":
        peer.send(None, "2", "phoenix", "heartbeat")
    else:
        peer.session.bytes_arrived(place.now)
    peer.hears()
    place.advance(2)
    assert peer.names() == ["phx_close", "speaker_left"]


def test_audio_that_the_server_left_unread_is_no_silence(room):
    throttle = Throttle(rate=1000, burst=1000)
    place = room(limits=room.limits(gap=GAP, throttle=throttle))
    peer = place.connect().joined()
    peer.audio(data=bytes(21_000))
    peer.audio(data=bytes(100))
    place.advance(19.9)
    assert peer.hears() == []
    place.advance(0.2)
    assert len(taken(place)) == 2
    place.advance(4.8)
    assert peer.hears() == []
    place.advance(0.2)
    assert peer.names() == ["phx_close", "speaker_left"]


def test_silence_counts_from_zero_when_the_server_reads_again(room):
    place = room(limits=room.limits(gap=GAP))
    peer = place.connect().joined()
    place.advance(4)
    peer.session.strike(stop_reading(20), place.now)
    place.advance(20)
    assert peer.session.next_deadline() == place.now + 5


def test_a_slow_join_is_no_silence_of_the_sockets_other_speakers(room):
    place = room(limits=room.limits(gap=GAP))
    peer = place.connect().joined(topic=T + "2")
    place.space.faults.arm(Fault(kind=FaultKind.JOIN_DELAY, value=20_000))
    peer.join()
    place.advance(19)
    assert peer.hears() == []
    place.advance(5)
    assert peer.names() == ["phx_reply"]
    place.advance(2)
    assert sorted(peer.names()) == ["phx_close", "phx_close", "speaker_left", "speaker_left"]


def test_on_the_audio_clock_nobody_is_silent_while_another_streams(room):
    place = room(limits=room.limits(gap=GAP), follow_audio=True)
    alice, bob = place.connect().joined("Alice"), place.connect().joined("Bob")
    alice.hears()
    for speaker in (alice, bob):
        for _ in range(100):
            speaker.audio(1)
            place.advance(0)
    assert (alice.hears(), bob.hears()) == ([], [])
    place.advance(4.9)
    assert (alice.hears(), bob.hears()) == ([], [])
    place.advance(0.2)
    assert "speaker_left" in alice.names()
    assert broken(place) == ["gap: no audio for 5 s"] * 2


# --- idling -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("joined", [False, True])
@pytest.mark.parametrize("code", [1000, 1002])
def test_a_socket_that_sends_nothing_is_closed(room, joined, code):
    place = room(limits=room.limits(idle=Idle(after_ms=60_000, close_code=code)))
    peer = place.connect()
    if joined:
        peer.observing()
    assert peer.session.next_deadline() == place.now + 60
    place.advance(59.9)
    assert peer.hears() == []
    place.advance(0.1)
    assert peer.hears() == [Close(code)]
    assert "idle for 60 s" in place.space.journal.messages(kind=Kind.CLOSED)[0].note


def test_pings_keep_a_socket_alive(room):
    place = room(limits=room.limits(idle=Idle()))
    peer = place.connect().observing()
    for _ in range(10):
        place.advance(59)
        peer.session.bytes_arrived(place.now)
    assert peer.hears() == []
    place.advance(60)
    assert peer.hears() == [Close(1000)]


def test_what_the_server_sends_keeps_no_socket_alive(room):
    cues = [at(second * 1000, "a") for second in range(100)]
    place = room(scenario=room.script(*cues), limits=room.limits(idle=Idle()))
    observer, alice = place.connect().observing(), place.connect().joined("Alice")
    for _ in range(70):
        alice.audio(1)
        place.advance(1)
    assert observer.hears()[-1] == Close(1000)
    assert not alice.session.ended


def test_a_socket_that_is_not_read_is_not_idle(room):
    place = room(limits=room.limits(idle=Idle()))
    peer = place.connect().observing()
    place.advance(50)
    peer.session.strike(stop_reading(100), place.now)
    place.advance(159)
    assert peer.hears() == []
    place.advance(1)
    assert peer.hears() == [Close(1000)]


@pytest.mark.parametrize("chunk_s", [1, 100])
def test_on_the_audio_clock_audio_does_not_make_a_socket_idle(room, chunk_s):
    place = room(limits=room.limits(idle=Idle()), follow_audio=True)
    peer = place.connect().joined()
    for _ in range(200 // chunk_s):
        peer.audio(chunk_s)
        place.advance(0)
        assert peer.session.next_deadline() == pytest.approx(place.now + 60, abs=1e-6, rel=0)
    assert peer.hears() == []


# --- large chunks -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "heard", "recorded"),
    [
        (ChunkAction.REPORT, [OK], 1001),
        (ChunkAction.ERROR, [{"status": "error", "response": {"reason": "chunk too large"}}], 0),
        (ChunkAction.CLOSE, [Close(1008)], 0),
        (ChunkAction.OFF, [OK], 1001),
    ],
)
@pytest.mark.parametrize("framing", Framing)
def test_what_a_chunk_meets_that_is_too_large(room, framing, action, heard, recorded):
    place = room(limits=room.limits(chunk=Chunk(max=1000, action=action)), chunk_reply="ok")
    peer = place.connect(framing).join()
    blobs = [base64.b64encode(bytes(size)).decode() for size in (1000, 1001)]
    payloads = []
    for blob in blobs:
        peer.send("1", "2", T, "audio_chunk", {"blob": blob})
        payloads.append(
            [
                frame if isinstance(frame, Close) else frame[4] if framing is Framing.VSN2 else frame["payload"]
                for frame in peer.hears()
            ]
        )
    assert payloads[0][-1] == OK
    assert payloads[1] == heard
    assert place.space.hearings[0].recording.size == 1000 + recorded
    note = "chunk: 1001 bytes of audio in one chunk; at most 1000 are allowed"
    assert broken(place) == ([] if action is ChunkAction.OFF else [note])


@given(
    sizes=st.lists(st.integers(0, 9), max_size=12),
    action=st.sampled_from(ChunkAction),
    codec=st.sampled_from(["linear", "g711a", "g711u"]),
    follow_audio=st.booleans(),
)
def test_chunks_of_any_size_crash_nothing(room, sizes, action, codec, follow_audio):
    script = Script(cues=(at(0, "a"), at(1, "b")))
    scenario = Scenario(speakers={"*": script}, timing=Timing(latency_ms=0))
    limits = room.limits(gap=GAP, idle=Idle(), throttle=Throttle(), chunk=Chunk(max=5, action=action))
    place = room(scenario=scenario, limits=limits, follow_audio=follow_audio)
    peer = place.connect().joined(audio_codec=codec)
    for size in sizes:
        peer.audio(data=bytes(size))
        place.advance(0.1)
    assert peer.session.ended is (action is ChunkAction.CLOSE and max(sizes, default=0) > 5)
    assert "phx_error" not in peer.names()


def test_on_the_audio_clock_a_slow_throttle_takes_time_and_hangs_nobody(room):
    limits = room.limits(throttle=Throttle(rate=8000, burst=8000))
    place = room(follow_audio=True, limits=limits)
    alice = place.connect().joined("Alice")
    for _ in range(20):
        alice.audio(1.0)
        assert alice.session.reading
    assert [entry.note for entry in place.space.journal if entry.kind is Kind.RULE] == [
        "throttle: audio comes faster than the limit"
    ]
