"""Questions to a server that runs: asserting, waiting, comparing audio."""

from __future__ import annotations

import threading
import time

import pytest
import soundfile as sf

from uhlive_mock import ConfigurationError, MockServer, WaitTimeout, scenario

CALL = scenario("call").speaker("*").segment("hello", at=0.2, until=0.5).build()
SOUND = bytes(range(256)) * 32


@pytest.fixture
def space(server):
    with server.space(scenario=CALL, clock="audio") as space:
        yield space


def join(dial, space, speaker="Alice", **options):
    """Somebody who has joined and whose join is answered."""
    return dial(space, speaker, model="fr", **options)


# --- messages ---


def test_what_was_sent_is_found(dial, space):
    join(dial, space).audio(SOUND)
    entry = space.assert_sent("phx_join", speaker="Alice", conversation="conv1", payload={"model": "fr"})
    assert entry == space.conversation("conv1").speaker("Alice").join
    space.assert_sent("audio_chunk", times=1, timeout=5)
    space.assert_not_sent("phx_leave")
    space.journal.assert_sent("phx_join")
    assert len(space.journal.messages(event="phx_join", payload={"speaker": "Alice"}, conversation="conv1")) == 1
    assert space.journal.messages(conversation="conv2") == []


def test_what_was_not_sent_is_told_with_the_nearest(dial, space):
    join(dial, space)
    with pytest.raises(AssertionError) as failure:
        space.assert_sent("phx_join", payload={"model": "en"})
    assert "payload.model: expected 'en', found 'fr'" in str(failure.value)
    with pytest.raises(AssertionError, match="the client sent phx_join of Alice once; expected never"):
        space.assert_not_sent("phx_join", speaker="Alice")
    with pytest.raises(AssertionError, match=r"the client never sent phx_leave within 0\.01 s"):
        space.assert_sent("phx_leave", timeout=0.01)
    with pytest.raises(ConfigurationError, match="times is 0; expected 1 or more, or assert_not_sent"):
        space.assert_sent("phx_join", times=0)


def test_an_assertion_waits_if_it_may(dial, space):
    alice = join(dial, space)
    threading.Timer(0.05, lambda: [alice.audio(10), alice.audio(10)]).start()
    space.assert_sent("audio_chunk", times=2, timeout=5)
    threading.Timer(0.05, lambda: alice.audio(12_100)).start()
    assert space.assert_transcript_delivered("hello", speaker="Alice", to="Alice", timeout=5)


def test_a_wait_that_is_over_shows_what_came_nearest(dial, space):
    join(dial, space)
    with pytest.raises(WaitTimeout) as late:
        space.journal.wait_for(event="phx_join", speaker="Bob", payload={"model": "fr"}, timeout=0.01)
    first, *rest = str(late.value).splitlines()
    assert first == "no message with event=phx_join, speaker=Bob, payload={'model': 'fr'} came within 0.01 s"
    assert rest[-1] == "      speaker: expected 'Bob', found 'Alice'"


def test_a_wait_ends_with_the_space(server):
    space = server.space(scenario=CALL)
    threading.Timer(0.05, space.close).start()
    began = time.monotonic()
    with pytest.raises(WaitTimeout, match=r"came: the space was closed after \d\.\d s of waiting"):
        space.journal.wait_for(event="phx_join", timeout=30)
    with pytest.raises(AssertionError, match="the client never sent phx_join: the space was closed"):
        space.assert_sent("phx_join", timeout=30)
    assert time.monotonic() - began < 30


def test_a_wait_ends_with_the_server():
    with MockServer() as server:
        space = server.space(scenario=CALL)
        ended = []

        def wait():
            try:
                space.journal.wait_for(event="phx_join", timeout=60)
            except WaitTimeout as error:
                ended.append(str(error))

        waiting = threading.Thread(target=wait)
        waiting.start()
    waiting.join(10)
    assert not waiting.is_alive()
    assert "the server stopped" in ended[0]


# --- transcripts ---


def test_a_transcript_that_never_came_is_told_with_the_reason(dial, space):
    join(dial, space).audio(4_000)
    with pytest.raises(AssertionError) as failure:
        space.assert_transcript_delivered("hello", timeout=0.2)
    assert str(failure.value).splitlines() == [
        'no segment "hello" was delivered within 0.2 s',
        "  no transcript was delivered at all",
        "  why it may be missing:",
        "    cue 0 of Alice says it at 0.500 s of audio; Alice has sent 0.250 s",
    ]
    join(dial, space, "Bob").audio(8_000)
    space.journal.wait_for(event="audio_chunk", speaker="Bob")
    with pytest.raises(
        AssertionError, match=r"plus 250 ms of latency; more audio, advance\(\) or a leave brings it"
    ):
        space.assert_transcript_delivered("hello", speaker="Bob")
    with pytest.raises(ConfigurationError, match="kind is 'final'; expected interim, segment, normalized or None"):
        space.assert_transcript_delivered("hello", kind="final")


# --- audio ---


@pytest.mark.parametrize("form", ["bytes", "wav bytes", "path"])
def test_audio_equals_what_was_sent(dial, space, form, tmp_path):
    alice = join(dial, space)
    alice.audio(SOUND)
    alice.say("phx_leave", ref="9")
    alice.hear_until("speaker_left")
    handle = space.conversation("conv1").speaker("Alice")
    handle.write_wav(tmp_path / "alice.wav")
    wav = {"bytes": SOUND, "wav bytes": handle.wav(), "path": tmp_path / "alice.wav"}[form]
    handle.assert_audio_equals(wav)
    space.assert_audio_equals(wav, speaker="Alice", conversation="conv1")


def test_audio_that_differs_is_told(dial, space, tmp_path):
    alice = join(dial, space)
    alice.audio(SOUND[:4000])
    alice.audio(SOUND[4800:])
    space.assert_sent("audio_chunk", times=2, timeout=5)
    with pytest.raises(AssertionError) as failure:
        space.assert_audio_equals(SOUND, speaker="Alice")
    lines = str(failure.value).splitlines()
    assert lines[0] == "the audio of Alice in conv1 is not what was expected"
    assert "first difference at 250 ms, sample 2000:" in lines[3]
    sf.write(tmp_path / "x.wav", [0.0] * 100, 16_000)
    with pytest.raises(ConfigurationError, match="16000 Hz"):
        space.assert_audio_equals(tmp_path / "x.wav", speaker="Alice")


def test_whose_audio_is_meant_must_be_clear(dial, space):
    with pytest.raises(AssertionError, match="Alice never joined; joined: nobody"):
        space.assert_audio_equals(b"", speaker="Alice")
    join(dial, space)
    join(dial, space, conversation="conv2")
    with pytest.raises(ConfigurationError, match="Alice joined conv1, conv2; say which conversation is meant"):
        space.assert_audio_equals(b"", speaker="Alice")
    space.assert_audio_equals(b"", speaker="Alice", conversation="conv2")
    with pytest.raises(AssertionError, match="Bob never joined in conv2; joined: Alice in conv1, Alice in conv2"):
        space.assert_audio_equals(b"", speaker="Bob", conversation="conv2")


# --- timeline ---


def test_a_timeline_tells_the_call(dial, space):
    alice = join(dial, space)
    alice.audio(16_000)
    space.journal.wait_for(event="audio_segment_decoded")
    text = space.timeline(width=90)
    assert "phx_join model=fr → ok" in text
    assert 'segment "hello"' in text
    assert space.timeline("conv2").count("\n") == 0
    assert space.client_secret not in text
