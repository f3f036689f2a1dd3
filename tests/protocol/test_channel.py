"""A participant's stay: its audio, its time, its scenario."""

from __future__ import annotations

import base64
import json
import math

import pytest
from hypothesis import given, strategies as st

from uhlive_mock.model.audio import Codec
from uhlive_mock.model.scenario import (
    After,
    At,
    Cue,
    Moment,
    RawEvent,
    Say,
    SaySegment,
    Scenario,
    Script,
    Timing,
    When,
)
from uhlive_mock.protocol.journal import Kind
from uhlive_mock.wire.framing import Framing

T = "conversation:acme@conv1"


def at(position_ms: int, name: str = "mark") -> Cue:
    return Cue(trigger=At(position_ms=position_ms), action=RawEvent(name=name))


# --- audio ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("codec", "width"), [("linear", 2), ("g711a", 1), ("g711u", 1)])
def test_a_second_of_audio_is_8000_samples_of_the_codecs_width(room, codec, width):
    peer = room(scenario=room.script(at(1000), latency_ms=0)).connect().joined(audio_codec=codec)
    peer.audio(data=bytes(8000 * width - 1))
    assert peer.names() == []
    peer.audio(data=b"\0")
    assert peer.names() == ["mark"]


def test_half_a_sample_counts_when_its_other_half_comes(room):
    peer = room(scenario=room.script(at(1), latency_ms=0)).connect().joined()
    for _ in range(15):
        peer.audio(data=b"\0")
    assert peer.names() == []
    peer.audio(data=b"\0")
    assert peer.names() == ["mark"]


def test_audio_may_be_base64_in_json(room):
    peer = room(scenario=room.script(at(1000), latency_ms=0)).connect().joined()
    peer.send("1", "2", T, "audio_chunk", {"blob": base64.b64encode(bytes(16_000)).decode()})
    assert peer.names() == ["mark"]


def test_an_empty_chunk_is_no_audio(room):
    script = room.script(Cue(trigger=When(moment=Moment.FIRST_AUDIO), action=RawEvent(name="mark")), latency_ms=0)
    peer = room(scenario=script).connect().joined()
    peer.audio(data=b"")
    assert peer.names() == []
    peer.audio(data=b"\0\0")
    assert peer.names() == ["mark"]


def test_a_speaker_has_the_script_of_its_name_or_the_one_for_anyone(room):
    scripts = {name: Script(cues=(at(0, name),)) for name in ("*", "Bob")} | {"Carol": Script()}
    place = room(scenario=Scenario(speakers=scripts, timing=Timing(latency_ms=0)))
    for speaker, said in (("Alice", ["*"]), ("Bob", ["Bob"]), ("Carol", [])):
        peer = place.connect().joined(speaker)
        peer.audio(1)
        assert peer.names() == said
        peer.leave()


# --- time -----------------------------------------------------------------------------------------------


def test_on_the_audio_clock_a_call_is_heard_in_the_time_it_takes_to_send_it(room):
    place = room(scenario=room.script(at(500_000), latency_ms=250), follow_audio=True)
    peer = place.connect().joined()
    for _ in range(500):
        peer.audio(1)
    assert peer.names() == []
    peer.audio(0.25)
    assert peer.names() == ["mark"]


def test_on_the_audio_clock_nobodys_audio_moves_another_speaker(room):
    joined = Cue(trigger=When(moment=Moment.JOINED), action=RawEvent(name="here"))
    script = Script(cues=(joined, Cue(trigger=After(delay_ms=1000), action=RawEvent(name="later"))))
    place = room(scenario=Scenario(speakers={"Bob": script}, timing=Timing(latency_ms=0)), follow_audio=True)
    alice = place.connect().joined("Alice")
    bob = place.connect().joined("Bob")
    alice.hears()
    alice.audio(60)
    place.wait(0)
    assert bob.names() == ["here"]
    assert bob.session.next_deadline() == pytest.approx(place.now + 1, rel=0, abs=1e-6)
    bob.audio(1)
    assert bob.names() == ["later"]


def test_silence_on_the_audio_clock_passes_for_everyone(room):
    place = room(scenario=room.script(at(100), latency_ms=250), follow_audio=True)
    peers = [place.connect().joined(name) for name in ("Alice", "Bob")]
    for peer in peers:
        peer.audio(0.1)
        peer.hears()
    assert [peer.session.next_deadline() for peer in peers] == [
        pytest.approx(place.now + 0.25, rel=0, abs=1e-6)
    ] * 2
    place.wait(0.25)
    assert peers[0].names() == ["mark", "mark"]


def test_a_late_joiners_time_starts_when_it_joins(room):
    script = room.script(Cue(trigger=When(moment=Moment.JOINED), action=RawEvent(name="mark")), latency_ms=2000)
    place = room(scenario=script)
    place.wait(100)
    peer = place.connect().joined()
    assert peer.session.next_deadline() == place.now + 2
    place.wait(1.99)
    assert peer.names() == []
    place.wait(0.01)
    assert peer.names() == ["mark"]


@pytest.mark.parametrize("follow_audio", [False, True])
@pytest.mark.parametrize("start", [0.0, 0.1, 1.7e9 + 0.123, 1.7e9 + 1 / 3])
def test_a_tick_at_the_deadline_always_plays_something(room, start, follow_audio):
    cues = [at(number * 37, str(number)) for number in range(100)]
    place = room(scenario=room.script(*cues, latency_ms=333), follow_audio=follow_audio, now=start)
    peer = place.connect().joined()
    for chunk in (0.0001, 0.7, 1.1, 0.333, 2.0):
        peer.audio(chunk)
        peer.hears()
        while (deadline := peer.session.next_deadline()) is not None:
            peer.session.tick(math.nextafter(deadline, 0))
            assert peer.names() == []
            peer.session.tick(deadline)
            assert peer.names()
            place.now = max(place.now, deadline)


def test_a_session_with_two_conversations_wakes_for_the_earlier(room):
    place = room(scenario=room.script(at(0), latency_ms=1000))
    peer = place.connect().joined(topic=T).joined(topic=T + "2")
    peer.audio(1, topic=T + "2")
    place.wait(0.5)
    peer.audio(1, topic=T)
    assert peer.session.next_deadline() == pytest.approx(place.now + 0.5, rel=0, abs=1e-6)
    place.wait(0.5)
    assert [frame[2] for frame in peer.hears()] == [T + "2"]


# --- the end --------------------------------------------------------------------------------------------


def test_leaving_delivers_what_was_due_for_the_audio_whatever_the_clock(room):
    for follow_audio in (False, True):
        script = room.script(at(500, "reached"), at(1500, "beyond"), latency_ms=60_000)
        peer = room(scenario=script, follow_audio=follow_audio).connect().joined()
        peer.audio(1)
        peer.leave()
        assert peer.names() == ["phx_reply", "phx_close", "reached", "speaker_left"]


def test_audio_after_the_leave_is_unmatched(room):
    peer = room(scenario=room.script(at(0), latency_ms=0)).connect().joined()
    peer.leave()
    peer.hears()
    peer.audio(1)
    [frame] = peer.hears()
    assert (frame[0], frame[4]["response"]) == (None, {"reason": "unmatched topic"})


@pytest.mark.parametrize("end", ["leave", "drop"])
def test_what_a_speaker_was_never_played_goes_into_the_journal(room, end):
    place = room(scenario=room.script(at(500), at(5000)))
    peer = place.connect().joined("Alice")
    peer.audio(1)
    getattr(peer, end)()
    [entry] = [entry for entry in place.space.journal if entry.kind is Kind.UNPLAYED]
    assert (entry.speaker, entry.topic, entry.socket) == ("Alice", T, 1)
    assert place.space.journal.unplayed() == [entry.note]
    assert "cue 1 of Alice was never played" in entry.note


def test_a_socket_lost_in_mid_word_leaves_no_deadline(room):
    place = room(scenario=room.script(at(0), latency_ms=1000))
    peer = place.connect().joined()
    peer.audio(1)
    peer.drop()
    assert peer.session.next_deadline() is None
    place.wait(10)
    assert peer.hears() == []


# --- how audio is cut into chunks -----------------------------------------------------------------------


def _binary(framing: Framing, number: int, chunk: bytes) -> str | bytes:
    ref = str(number)
    return bytes([0, 1, len(ref), len(T), 11]) + f"1{ref}{T}audio_chunk".encode() + chunk


def _blob(framing: Framing, number: int, chunk: bytes) -> str | bytes:
    payload = {"blob": base64.b64encode(chunk).decode()}
    if framing is Framing.VSN1:
        return json.dumps({"topic": T, "event": "audio_chunk", "payload": payload, "ref": number})
    return json.dumps(["1", str(number), T, "audio_chunk", payload])


@given(
    script=...,
    timing=...,
    codec=...,
    form=st.sampled_from([(Framing.VSN2, _binary), (Framing.VSN2, _blob), (Framing.VSN1, _blob)]),
    follow_audio=st.booleans(),
    client=st.sampled_from(["acme", "legacy"]),
    sizes=st.lists(st.integers(0, 9001), max_size=8),
    start=st.sampled_from([0.0, 1.7e9 + 0.123, 1.7e9 + 1 / 3]),
)
def test_how_audio_is_cut_into_chunks_changes_no_byte_of_what_is_heard(
    room, script: Script, timing: Timing, codec: Codec, form, follow_audio, client, sizes, start
):
    framing, chunk_of = form

    def heard(sizes: list[int]) -> list[str]:
        scenario = Scenario(speakers={"*": script}, timing=timing)
        place = room(scenario=scenario, follow_audio=follow_audio, now=start, identifier_must_match=False, seed=5)
        peer = place.connect(framing, client=client)
        peer.join(audio_codec=codec, origin=1_613_129_063_523)
        for number, size in enumerate(sizes, start=2):
            peer.send_text(chunk_of(framing, number, bytes(size)))
        peer.leave()
        texts = peer.texts()
        # Where the leave's answers fall among the events is not the point here.
        return [text for text in texts if "phx_" not in text]

    total = sum(sizes)
    assert heard(sizes) == heard([total])
    assert heard([161] * (total // 161) + [total % 161]) == heard([total])


@pytest.mark.parametrize("start", [0.0, 0.1, 1.7e9 + 0.123, 1.7e9 + 1 / 3])
def test_what_is_due_at_one_moment_keeps_its_order_however_the_audio_is_cut(room, start):
    joined = Cue(trigger=When(moment=Moment.JOINED), action=RawEvent(name="clock"))
    clock = (Cue(trigger=After(delay_ms=100), action=RawEvent(name=f"clock {ms}")) for ms in range(30))
    audio = (at(ms, f"audio {ms}") for ms in range(100, 3000, 100))

    def heard(chunk: int) -> list[str]:
        place = room(scenario=script, follow_audio=True, now=start)
        peer = place.connect().joined()
        for first in range(0, 48_000, chunk):
            peer.audio(data=bytes(min(chunk, 48_000 - first)))
        peer.leave()
        return [name for name in peer.names() if "phx" not in name]

    script = room.script(joined, *clock, *audio, latency_ms=70)
    assert [heard(chunk) for chunk in (7, 160, 1921, 8001)] == [heard(48_000)] * 4


def test_one_seed_says_the_same_in_every_run_and_another_does_not(room):
    def heard(seed: int) -> list[str]:
        say = Cue(trigger=At(position_ms=0), until_ms=2000, action=Say(text="un deux trois quatre"))
        peer = room(scenario=room.script(say, jitter_ms=100), seed=seed).connect().joined()
        peer.audio(3)
        peer.leave()
        return peer.texts()

    assert heard(1) == heard(1)
    assert heard(1) != heard(2)


def test_a_scenarios_own_seed_comes_before_the_spaces(room):
    def heard(own: int | None, of_space: int) -> list[str]:
        cue = Cue(trigger=At(position_ms=0), action=SaySegment(text="un deux trois"))
        scenario = Scenario(seed=own, speakers={"*": Script(cues=(cue,))})
        peer = room(scenario=scenario, seed=of_space).connect().joined()
        peer.audio(3)
        peer.leave()
        return peer.texts()

    assert heard(4, 1) == heard(4, 2) == heard(None, 4)
