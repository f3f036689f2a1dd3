"""What the service hears of a speaker, and keeps for the test to ask after."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from uhlive_mock.model.audio import Codec
from uhlive_mock.model.fault import Fault, FaultKind
from uhlive_mock.model.limits import Chunk, ChunkAction, Gap, GapAction, Throttle
from uhlive_mock.protocol.admission import JoinOptions
from uhlive_mock.protocol.speaker_audio import NEVER, SpeakerAudio

T = "conversation:acme@conv1"


def hearing(codec: Codec = Codec.LINEAR, **gap) -> SpeakerAudio:
    return SpeakerAudio(
        topic=T,
        conversation="conv1",
        options=JoinOptions(speaker="Alice", audio_codec=codec),
        gap=Gap(**gap),
        now=10.0,
    )


# --- on its own -----------------------------------------------------------------------------------------


@given(codec=..., chunks=st.lists(st.binary(max_size=50), max_size=20))
def test_a_recording_is_what_was_sent(codec: Codec, chunks):
    each = hearing(codec)
    samples = sum(each.chunk(chunk, 10.0, 0.0) for chunk in chunks)
    sent = b"".join(chunks)
    assert each.recording.encoded() == sent
    assert samples == each.samples == len(sent) // codec.sample_width
    assert each.pacing.chunks == len(chunks)


def test_silence_counts_from_the_join_until_it_is_fed():
    each = hearing(after_ms=5000)
    assert each.silent_at == 15.0
    each.fed(12.0)
    assert each.silent_at == 17.0
    assert [each.fell_silent(now) for now in (16.9, 17.0, 18.0)] == [False, True, False]
    assert each.silent_at == NEVER


def test_no_silence_is_too_long_without_the_rule():
    assert hearing(action=GapAction.OFF).silent_at == NEVER


def test_what_is_not_read_is_not_silent():
    each = hearing(after_ms=5000)
    each.hold()
    assert each.silent_at == NEVER
    each.resume(100.0)
    assert each.silent_at == 105.0


def test_a_stay_that_is_over_is_never_silent_and_ended_in_one_way():
    each = hearing()
    each.left(cleanly=True)
    each.left(cleanly=False)
    assert each.left_cleanly is True
    assert each.silent_at == NEVER


# --- on a socket ------------------------------------------------------------------------------------------


@given(codec=..., chunks=st.lists(st.binary(max_size=3000), max_size=10), follow_audio=st.booleans())
def test_a_test_can_ask_for_the_audio_after_the_call(room, codec: Codec, chunks, follow_audio):
    place = room(follow_audio=follow_audio)
    peer = place.connect().joined(audio_codec=codec)
    for chunk in chunks:
        peer.audio(data=chunk)
        place.advance(0.01)
    peer.leave()
    [heard] = place.space.hearings
    assert (heard.speaker, heard.topic, heard.options.audio_codec) == ("Alice", T, codec)
    assert heard.recording.encoded() == b"".join(chunks)


def test_each_stay_has_a_hearing_of_its_own_in_the_order_of_the_joins(room):
    place = room()
    for name in ("Alice", "Bob", "Alice"):
        peer = place.connect().joined(name)
        peer.audio(data=name.encode())
        peer.leave()
    place.connect().observing()
    heard = [(each.speaker, each.recording.encoded()) for each in place.space.hearings]
    assert heard == [("Alice", b"Alice"), ("Bob", b"Bob"), ("Alice", b"Alice")]


@pytest.mark.parametrize("follow_audio", [False, True])
@pytest.mark.parametrize(("every_s", "verdict"), [(0.1, "keeps real time"), (0.02, "faster than real time")])
def test_pacing_is_judged_on_real_time_whatever_the_clock(room, follow_audio, every_s, verdict):
    place = room(follow_audio=follow_audio)
    peer = place.connect().joined()
    for _ in range(50):
        peer.audio(0.1)
        place.real += every_s
        if not follow_audio:
            place.advance(7.0)
    pacing = place.space.hearings[0].pacing
    assert pacing.verdict.startswith(verdict)
    assert pacing.wall_s == pytest.approx(49 * every_s)
    assert pacing.audio_s == pytest.approx(5)


@pytest.mark.parametrize("rate", [1.0, 10.0])
def test_time_that_the_throttle_did_not_read_is_known_in_real_seconds(room, rate):
    place = room(limits=room.limits(throttle=Throttle(rate=16_000, burst=16_000)))
    peer = place.connect().joined()
    for _ in range(5):
        peer.audio(1)
        place.real += 1 / rate
        place.advance(1)
    assert place.space.hearings[0].pacing.throttled_s == 0
    for _ in range(3):
        peer.audio(1)
    place.real += 2 / rate
    place.advance(2)
    assert place.space.hearings[0].pacing.throttled_s == pytest.approx(2 / rate)


def test_a_pause_within_a_debt_does_not_shorten_the_time_that_was_not_read(room):
    place = room(limits=room.limits(throttle=Throttle(rate=1000, burst=1000)))
    peer = place.connect().joined()
    peer.audio(data=bytes(6000))
    place.real += 3
    place.advance(3)
    peer.session.strike(Fault(kind=FaultKind.STOP_READING, value=2000), place.now)
    place.real += 2
    place.advance(2)
    assert peer.session.reading
    assert place.space.hearings[0].pacing.throttled_s == pytest.approx(5)


def test_a_chunk_that_was_refused_was_not_heard(room):
    place = room(limits=room.limits(chunk=Chunk(max=10, action=ChunkAction.ERROR)))
    peer = place.connect().joined()
    peer.audio(data=bytes(11))
    peer.audio(data=b"0123456789")
    assert place.space.hearings[0].recording.encoded() == b"0123456789"


def strike(kind: FaultKind, value: int | None = None):
    return lambda peer: peer.session.strike(Fault(kind=kind, value=value), peer.room.now)


@pytest.mark.parametrize(
    ("end", "cleanly"),
    [
        (lambda peer: None, None),
        (lambda peer: peer.leave(), True),
        (lambda peer: (peer.leave(), peer.drop()), True),
        (lambda peer: peer.drop(), False),
        (lambda peer: peer.send_text("{"), False),
        (lambda peer: peer.send("1", "9", T, "boom"), False),
        (lambda peer: peer.join("Alice", join_ref="2"), False),
        (lambda peer: peer.room.connect().join("Alice"), False),
        (lambda peer: peer.room.advance(5), False),
        (strike(FaultKind.CRASH), False),
        (strike(FaultKind.CLOSE_CHANNEL), False),
        (strike(FaultKind.CLOSE, 1011), False),
        (strike(FaultKind.RESET), False),
        (strike(FaultKind.CUT_FRAME), False),
    ],
    ids=[
        "stays",
        "leave",
        "leave, drop",
        "drop",
        "fatal frame",
        "crash",
        "rejoin",
        "replaced",
        "gap",
        "fault crash",
        "fault close_channel",
        "fault close",
        "fault reset",
        "fault cut_frame",
    ],
)
def test_whether_a_speaker_left_cleanly(room, end, cleanly):
    place = room(limits=room.limits(gap=Gap(after_ms=5000)), duplicate_speaker="replace")
    end(place.connect().joined("Alice"))
    assert place.space.hearings[0].left_cleanly is cleanly
