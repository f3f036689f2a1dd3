"""The service's rules of time and size, kept on real sockets, on every clock.

What happened when is read from the journal, in seconds of the space. Where a test says how long something may take
in real time, it is the test's point.
"""

from __future__ import annotations

import statistics
import threading
import time

import pytest
import websocket as ws

from uhlive_mock import scenario
from uhlive_mock.model.limits import Chunk, Gap, GapAction, Idle, Limits, Throttle, ThrottleAction
from uhlive_mock.protocol.journal import Kind

MICROSECOND = 2e-6
"""How exact a moment is: a float of today's date has a quarter of a microsecond."""
BYTES_S = 16_000
"""Linear audio in a second."""


SILENCE = scenario("silence").build()


def moment(space, event) -> float:
    """When the messages of that name were sent or received, all at once, on the space's clock."""
    (now,) = {entry.now for entry in space.journal.messages(event=event)}
    return now


def rules(space) -> list[str]:
    return [entry.note or "" for entry in space.journal.entries() if entry.kind is Kind.RULE]


def closings(space) -> list[str]:
    return [entry.note or "" for entry in space.journal.entries() if entry.kind is Kind.CLOSED]


def paid_at(sizes) -> list[float]:
    """When each of these chunks is taken by the default throttle, in seconds from the first."""
    return [max(0, sum(sizes[:number]) - 64_000) / 20_000 for number in range(len(sizes))]


# --- the audio clock ---


def test_a_ten_minute_call_is_replayed_in_the_time_it_takes_to_send_it(server, dial):
    """And then its gap rule ends it exactly where it says."""
    call = scenario("long").gap(after=20).speaker("*").say("encore une phrase", at=0.5, until=2.5).loop(3).build()
    minutes = bytes(8000)
    with server.space(scenario=call, clock="audio") as space:
        alice, bob = dial(space, "Alice", timeout=30), dial(space, "Bob", readonly=True, timeout=30)
        began = time.monotonic()
        for _ in range(1200):
            alice.audio(minutes)
        alice.heartbeat("sent")
        while alice.hear()[1] != "sent":
            pass
        took = time.monotonic() - began
        assert space.conversation("conv1").speaker("Alice").recording.duration_s == 600
        space.advance(19.999)
        assert not space.journal.messages(event="speaker_left")
        space.advance(1)
        alice.hear_until("phx_close")
        assert alice.hear()[3] == "speaker_left"
        heard = bob.hear_until("speaker_left")
        assert heard.count("audio_segment_decoded") == 200
        last_audio = space.journal.messages(event="audio_chunk")[-1].now
        assert moment(space, "speaker_left") == pytest.approx(last_audio + 20, abs=MICROSECOND)
        assert rules(space) == ["gap: no audio for 20 s"]
        assert took < 600 / 60, f"{took:.2f} s for ten minutes"


def test_on_the_audio_clock_one_huge_chunk_is_neither_too_fast_nor_a_silence(server, dial):
    limits = Limits(chunk=Chunk(max=10_000_000), gap=Gap(after_ms=1000), idle=Idle(after_ms=1000))
    with server.space(scenario=SILENCE, clock="audio", limits=limits) as space:
        alice = dial(space)
        for _ in range(3):
            alice.audio(125 * BYTES_S)
        alice.hear_all()
        assert rules(space) == closings(space) == []


def test_one_speakers_audio_is_not_the_silence_of_another(server, dial):
    with server.space(scenario=SILENCE, clock="audio") as space:
        alice, bob = dial(space, "Alice"), dial(space, "Bob")
        for _ in range(60):
            alice.audio(BYTES_S)
        alice.hear_all()
        for _ in range(60):
            bob.audio(BYTES_S)
        bob.hear_all()
        assert rules(space) == []


# --- the manual clock ---


def test_a_silent_socket_is_closed_with_1000_after_exactly_a_minute_and_at_once(server, dial):
    with server.space(scenario=SILENCE, clock="manual") as space:
        observer = dial(space, readonly=True)
        began = time.monotonic()
        space.advance(61)
        assert observer.close_code() == 1000
        assert time.monotonic() - began < 61 / 10
        (closed,) = [entry for entry in space.journal.entries() if entry.kind is Kind.CLOSED]
        assert closed.note == "closed with 1000: idle for 60 s"
        assert closed.now == pytest.approx(moment(space, "phx_join") + 60, abs=MICROSECOND)


def test_pings_keep_a_silent_socket_open(server, dial):
    with server.space(scenario=SILENCE, clock="manual") as space:
        observer = dial(space, readonly=True)
        for _ in range(5):
            space.advance(59)
            observer.socket.ping("still here")
            assert observer.socket.recv_data(control_frame=True) == (ws.ABNF.OPCODE_PONG, b"still here")
        assert observer.hear_all() == []
        space.advance(60)
        assert observer.close_code() == 1000


@pytest.mark.parametrize(
    ("action", "heard", "closed_with"),
    [
        (GapAction.LEAVE, ["phx_close", "speaker_left"], None),
        (GapAction.ERROR, ["phx_error"], None),
        (GapAction.CLOSE, [], 1008),
        (GapAction.REPORT, [], None),
        (GapAction.OFF, [], None),
    ],
)
def test_a_speaker_that_falls_silent_meets_the_action_of_the_gap_rule(server, dial, action, heard, closed_with):
    with server.space(
        scenario=SILENCE, clock="manual", limits=Limits(gap=Gap(after_ms=5000, action=action))
    ) as space:
        bob, alice = dial(space, "Bob", readonly=True), dial(space, "Alice")
        bob.hear_until("speaker_joined")
        space.advance(4)
        alice.audio(1600)
        assert alice.hear_all() == []
        space.advance(4.9)
        assert alice.hear_all() == []
        space.advance(0.2)
        if closed_with:
            assert alice.close_code() == closed_with
        else:
            assert alice.hear_all() == heard
        ended = action not in (GapAction.REPORT, GapAction.OFF)
        assert bob.hear_all() == ["speaker_left"] * ended
        assert rules(space) == ["gap: no audio for 5 s"] * (action is not GapAction.OFF)
        if ended:
            audio = moment(space, "audio_chunk")
            assert moment(space, "speaker_left") == pytest.approx(audio + 5, abs=MICROSECOND)


def test_time_that_the_server_does_not_read_is_nobodys_silence(server, dial):
    """400 kB at once: 64 kB are let through, the rest takes 16.8 s at 20 kB/s; only then does silence count."""
    with server.space(
        scenario=SILENCE, clock="manual", limits=Limits(gap=Gap(after_ms=5000), chunk=Chunk(max=400_000))
    ) as space:
        alice = dial(space)
        alice.audio(400_000)
        began = space.journal.wait_for(event="audio_chunk").now
        alice.heartbeat()
        space.advance(16.7)
        assert not space.journal.messages(event="heartbeat")
        space.advance(0.2)
        assert alice.hear()[1] == "beat"
        assert moment(space, "heartbeat") >= began + 16.8
        space.advance(4.8)
        assert alice.hear_all() == []
        space.advance(0.3)
        assert alice.hear_all() == ["phx_close", "speaker_left"]


@pytest.mark.parametrize(
    ("action", "rule", "closed_with"),
    [
        (ThrottleAction.REPORT, ["throttle: audio comes faster than the limit"], None),
        (ThrottleAction.CLOSE, ["throttle: audio comes faster than the limit"], 1008),
        (ThrottleAction.OFF, [], None),
    ],
)
def test_fast_audio_meets_the_action_of_the_throttle(server, dial, action, rule, closed_with):
    with server.space(scenario=SILENCE, clock="manual", limits=Limits(throttle=Throttle(action=action))) as space:
        alice = dial(space)
        for _ in range(9):
            alice.audio(8000)
        if closed_with:
            assert alice.close_code() == closed_with
        else:
            assert alice.hear_all() == []
        assert rules(space) == rule


@pytest.mark.parametrize(
    ("action", "answer", "closed_with"),
    [("report", None, None), ("error", {"reason": "chunk too large"}, None), ("close", None, 1008)],
)
def test_a_chunk_that_is_too_large_meets_the_action_of_its_rule(server, dial, action, answer, closed_with):
    call = scenario("large").chunk(max=8000, action=action).build()
    with server.space(scenario=call, clock="audio") as space:
        alice = dial(space)
        alice.audio(8000)
        alice.audio(8001)
        if closed_with:
            assert alice.close_code() == closed_with
        else:
            alice.heartbeat()
            first = alice.hear()
            assert first[4]["response"] == (answer or {})
            assert (first[1] == "beat") is (answer is None)
        assert rules(space) == ["chunk: 8001 bytes of audio in one chunk; at most 8000 are allowed"]


# --- the real clock ---


def test_a_flood_is_held_to_the_limit_and_loses_nothing_beside_a_healthy_socket(server, dial):
    """30 s of audio at once, ten times faster than life: 480 kB, of which all but 64 kB take 20.8 s."""
    talk = scenario("talk", latency_ms=250).speaker("Bob").interim("oui", at=0.1, until=0.2).loop(0.2).build()
    sizes = [7000 + 20 * number for number in range(60)]
    chunks = [bytes([number]) * size for number, size in enumerate(sizes)]
    with server.space(scenario=talk, clock="real", rate=10) as space:
        bob = dial(space, "Bob", timeout=60)
        for _ in range(20):
            bob.audio(3200)
            bob.hear()
        calm = len(space.journal.messages(event="audio_chunk", speaker="Bob"))
        alice = dial(space, "Alice", conversation="flood", timeout=60)

        def flood() -> None:
            for chunk in chunks:
                alice.audio(chunk)
            alice.hear_all()

        flooding = threading.Thread(target=flood)
        flooding.start()
        try:
            while flooding.is_alive():
                bob.audio(3200)
                bob.hear()
        finally:
            flooding.join()
        flooded = space.journal.messages(event="audio_chunk", speaker="Alice")
        assert [entry.audio_bytes for entry in flooded] == sizes
        assert space.conversation("flood").speaker("Alice").audio == b"".join(chunks)
        # The bucket lets 64 kB through at once and fills at 20 kB/s; a chunk is taken when those before are paid.
        taken = [entry.now - flooded[0].now for entry in flooded]
        late = [now - due for now, due in zip(taken, paid_at(sizes), strict=True)]
        assert min(late) >= -MICROSECOND
        assert statistics.median(late[20:]) < 0.02 * paid_at(sizes)[-1]
        assert space.conversation("flood").speaker("Alice").pacing.throttled_s > 1.5
        # A machine that stalls lets the bucket fill meanwhile: then the pace was kept, and is broken anew.
        assert set(rules(space)) == {"throttle: audio comes faster than the limit"}
        # Every word of the healthy one came 0.25 s after its audio, about as late as before the flood.
        heard = [entry.now for entry in space.journal.messages(event="audio_chunk", speaker="Bob")]
        sent = [entry.now for entry in space.journal.messages(event="audio_words_decoded", kind=Kind.SENT)]
        assert len(heard) == len(sent) > calm + 30
        late = [said - (came + 0.25) for came, said in zip(heard, sent, strict=True)]
        assert min(late) >= -MICROSECOND
        assert statistics.median(late[calm:]) < 0.25 + 40 * statistics.median(late[:calm])


def test_advancing_a_running_clock_brings_its_deadlines_nearer(server, dial):
    with server.space(scenario=SILENCE, clock="real", limits=Limits(idle=Idle(after_ms=60_000))) as space:
        observer = dial(space, readonly=True)
        space.advance(59.9)
        assert observer.close_code() == 1000


# --- clients that do not read ---


@pytest.fixture
def pages(server):
    """A space where every tenth of a second of Alice's audio is a page of a quarter of a megabyte to everyone."""
    page = {"speaker": "Alice", "text": "x" * 250_000}
    call = scenario("pages", latency_ms=0).speaker("Alice").event("page", page, at=0.05).loop(0.1).build()
    with server.space(scenario=call, clock="audio") as space:
        yield space


def test_a_client_that_never_reads_is_cut_and_nobody_else(pages, dial):
    alice, stuck = dial(pages, "Alice"), dial(pages, "Bob", readonly=True, room=4096)
    for _ in range(64):
        alice.audio(1600)
        assert alice.hear()[3] == "page"
        if closings(pages):
            break
    assert closings(pages) == ["connection lost"]
    assert alice.hear_all() == []
    with pytest.raises((ConnectionResetError, ws.WebSocketConnectionClosedException)):
        list(iter(stuck.hear, None))


def test_a_socket_that_is_closed_on_a_client_that_does_not_read_is_soon_gone(server, pages, dial):
    alice = dial(pages, "Alice")
    dial(pages, "Bob", readonly=True, room=4096)
    pages.inject("stop_writing", 60, speaker="Bob")
    for _ in range(12):
        alice.audio(1600)
        assert alice.hear()[3] == "page"
    pages.inject("close", 1011, speaker="Bob")
    assert closings(pages) == ["closed with 1011: close: 1011"]
    patience = time.monotonic() + 5
    while server.call(lambda: len(pages._portal.space.sockets)) > 1:
        assert time.monotonic() < patience
    assert alice.hear_all() == []
