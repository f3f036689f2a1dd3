"""What is heard, done, claimed and judged of a call, over HTTP."""

from __future__ import annotations

import base64
import io
import wave
from collections.abc import Callable, Iterator

import pytest
import websocket as ws

from uhlive_mock import scenario
from uhlive_mock.server.space_handle import SpaceHandle

CALL = scenario("call", latency_ms=0).speaker("Alice").segment("bonjour", at=0.1, until=0.5).build()
SOUND = bytes(range(256)) * 32  # 8192 bytes, 0.512 s
S = "spaces/acme"
ALICE = f"{S}/conversations/conv1/speakers/Alice"


@pytest.fixture
def space(server) -> Iterator[SpaceHandle]:
    with server.space(client_id="acme", scenario=CALL, clock="audio") as space:
        yield space


def wav_of(samples: bytes, rate: int = 8000) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(rate)
        sound.writeframes(samples)
    return file.getvalue()


@pytest.fixture
def call(space, dial) -> Callable[..., None]:
    """Alice says what the scenario knows, and leaves."""

    def call(**options: object) -> None:
        alice = dial(space, **options)
        alice.audio(SOUND)
        alice.say("phx_leave", ref="9")
        alice.hear_until("speaker_left")

    return call


# --- conversations ---


def test_nobody_was_there_yet(control, space):
    assert control("GET", f"{S}/conversations") == {"conversations": []}
    assert control.refused(404, "GET", ALICE) == "nobody has joined a conversation yet"


def test_a_speaker_is_told_with_join_audio_and_pacing(control, space, call):
    call(model="en", country="us")
    alice = control("GET", ALICE)
    assert alice["join"]["payload"]["model"] == "en"
    assert alice["options"]["interim_results"] is True
    assert (alice["seconds"], alice["samples"], alice["truncated"]) == (0.512, 4096, False)
    assert alice["left_cleanly"] is True
    assert alice["pacing"]["chunk_sizes"] == [[8192, 1]]
    assert alice["verdict"] == "keeps real time"
    talk = control("GET", f"{S}/conversations/conv1")
    assert talk == {"conversation": "conv1", "live": False, "speakers": [alice]}
    assert control("GET", f"{S}/conversations") == {"conversations": [talk]}


def test_a_conversation_lives_while_somebody_is_there(control, space, dial):
    dial(space)
    assert control("GET", f"{S}/conversations/conv1")["live"] is True
    assert control("GET", ALICE)["left_cleanly"] is None


def test_names_that_are_not_there_are_answered_with_those_that_are(control, space, call):
    call()
    assert control.refused(404, "GET", f"{S}/conversations/conv") == (
        "unknown conversation 'conv'; did you mean 'conv1'?"
    )
    assert control.refused(404, "GET", f"{S}/conversations/conv1/speakers/Bob") == (
        "unknown speaker 'Bob'; expected 'Alice'"
    )


def test_the_audio_comes_as_a_wav_file_of_the_latest_stay(control, space, dial, call):
    dial(space).audio(160)
    space.journal.wait_for(event="audio_chunk")
    call()
    with wave.open(io.BytesIO(control("GET", f"{ALICE}/audio.wav"))) as sound:
        assert (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) == (8000, 1, 2)
        assert sound.readframes(sound.getnframes()) == SOUND
    assert control("GET", f"{ALICE}/audio.wav") == space.conversation("conv1").speaker("Alice").wav()


def test_any_name_may_be_asked_for(control, space, dial):
    peer = dial(space, "A/b ?é%", conversation="a/b?")
    peer.audio(160)
    peer.hear_all()
    path = f"{S}/conversations/a%2Fb%3F/speakers/A%2Fb%20%3F%C3%A9%25"
    assert control("GET", path)["speaker"] == "A/b ?é%"
    assert len(control("GET", f"{path}/audio.wav")) == 44 + 160


def test_a_speaker_is_dropped_once(control, space, dial):
    alice = dial(space)
    control("DELETE", ALICE, status=204)
    assert alice.hear()[3] == "phx_close"
    assert "nobody is in conversation 'conv1'" in control.refused(409, "DELETE", ALICE)
    assert "unknown speaker" in control.refused(404, "DELETE", f"{S}/conversations/conv1/speakers/Bob")


# --- acting ---


def test_the_clock_moves_as_far_as_is_said(control, space, dial):
    alice = dial(space)
    before = control("POST", f"{S}/advance", {"seconds": 4})["now"]
    assert control("POST", f"{S}/advance", {"seconds": 1})["now"] == before + 1
    assert alice.hear()[3] == "phx_close"
    assert space.journal.findings() == ["Alice: gap: no audio for 5 s"]


@pytest.mark.parametrize("seconds", [-1, 1e9, "1", None, True])
def test_the_clock_does_not_move_by_just_anything(control, space, seconds):
    assert "seconds: expected float" in control.refused(400, "POST", f"{S}/advance", {"seconds": seconds})


def test_every_kind_of_event_can_be_pushed(control, space, dial):
    alice = dial(space)
    events = [
        {"type": "interim", "speaker": "Alice", "text": "deux", "at": 0},
        {"type": "segment", "speaker": "Alice", "text": "deux billets", "at": 0, "until": 0.5, "confidence": 0.5},
        {"type": "normalized", "speaker": "Alice", "text": "2 billets"},
        {"type": "entity", "speaker": "Alice", "name": "cardinal_number", "source": "deux", "value": 2},
        {"type": "relation", "speaker": "Alice", "name": "amount", "members": ["cardinal_number"]},
        {"type": "tags", "speaker": "Alice", "tags": {"t1": "Request for quote"}},
        {"type": "event", "name": "hello", "payload": [1]},
        {"type": "speaker_joined", "speaker": "Bob"},
        {"type": "speaker_left", "speaker": "Bob", "reason": "bored"},
    ]
    control("POST", f"{S}/push", {"conversation": "conv1", "events": events}, status=204)
    assert alice.hear_all() == [
        "audio_words_decoded",
        "audio_segment_decoded",
        "audio_segment_normalized",
        "entity_cardinal_number_recognized",
        "relation_amount_recognized",
        "tags_set",
        "hello",
        "speaker_joined",
        "speaker_left",
    ]


@pytest.mark.parametrize(
    ("event", "status", "error"),
    [
        ({"type": "segmnt"}, 400, "events[0]: unknown type 'segmnt'; did you mean 'segment'?"),
        ({"text": "x"}, 400, "events[0].type is missing"),
        ({"type": 7}, 400, "events[0].type: expected str"),
        (
            {"type": "segment", "speaker": "Alice", "txt": "x"},
            400,
            "events[0]: unknown key 'txt'; did you mean 'text'",
        ),
        ({"type": "segment", "speaker": "Alice"}, 400, "events[0].text is missing"),
        ({"type": "segment", "speaker": "", "text": "x"}, 400, "events[0].speaker: expected str of length >= 1"),
        ({"type": "tags", "speaker": "Alice", "tags": {}}, 400, "events[0].tags: "),
        (
            {"type": "segment", "speaker": "Alice", "text": "x", "at": 2, "until": 1},
            422,
            "until is 1 s, not after at, 2 s",
        ),
        ({"type": "event", "name": "x", "payload": 2**70}, 422, "more than 64 bits"),
    ],
)
def test_an_event_that_says_nothing_is_refused(control, space, dial, event, status, error):
    dial(space)
    body = {"conversation": "conv1", "events": [event]}
    assert error in control.refused(status, "POST", f"{S}/push", body)


def test_nothing_is_pushed_to_nobody(control, space):
    body = {"conversation": "conv1", "events": [{"type": "event", "name": "hello"}]}
    assert "conv1" in control.refused(409, "POST", f"{S}/push", body)


def test_a_fault_waits_strikes_and_is_forgotten(control, space, dial):
    fault = {
        "kind": "delay_events",
        "value": 1.5,
        "count": None,
        "speaker": "Bob",
        "event": "entity_*",
        "probability": 0.5,
    }
    assert control("POST", f"{S}/faults", fault) == {"faults": [fault]}
    assert control("POST", f"{S}/faults", {"kind": "join_error", "value": "maintenance"})["faults"][1]["count"] == 1
    assert dial(space, join=False).join()[4]["response"] == {"reason": "maintenance"}
    assert control("GET", f"{S}/faults") == {"faults": [fault]}
    control("DELETE", f"{S}/faults", status=204)
    assert control("GET", f"{S}/faults") == {"faults": []}


def test_a_fault_strikes_at_once_where_it_can(control, space, dial):
    alice = dial(space)
    assert control("POST", f"{S}/faults", {"kind": "close", "value": 1011}) == {"faults": []}
    assert alice.close_code() == 1011


@pytest.mark.parametrize(
    ("fault", "status", "error"),
    [
        ({"kind": "clsoe"}, 400, "kind: unknown value 'clsoe'; did you mean 'close'?"),
        ({"kind": "close", "value": 1}, 422, "close takes a close code"),
        ({"kind": "close", "value": 1011.5}, 422, "close takes a close code"),
        ({"kind": "crash", "value": "x"}, 422, "crash takes nothing"),
        ({"kind": "crash", "event": "x"}, 422, "crash is not about events"),
        ({"kind": "crash", "count": 0}, 400, "count: expected int >= 1"),
        ({}, 400, "kind is missing"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(control, space, fault, status, error):
    assert error in control.refused(status, "POST", f"{S}/faults", fault)


def test_a_token_opens_a_socket_while_it_lives(control, space):
    token = control("POST", f"{S}/tokens", {"expires_in": 60})
    assert (token["token_type"], token["expires_in"]) == ("Bearer", 60)
    url = f"{space.ws_url}/socket/websocket?vsn=2.0.0&jwt="
    ws.create_connection(url + token["access_token"], timeout=5).shutdown()
    assert control("POST", f"{S}/tokens")["expires_in"] == 300
    dead = control("POST", f"{S}/tokens", {"expires_in": 0})["access_token"]
    with pytest.raises(ws.WebSocketBadStatusException, match="403"):
        ws.create_connection(url + dead, timeout=5)


def test_a_reset_leaves_a_space_as_new(control, space, call):
    call()
    control("POST", f"{S}/reset", status=204)
    assert control("GET", f"{S}/journal") == {"entries": [], "dropped": 0}
    assert control("GET", f"{S}/conversations") == {"conversations": []}
    call()
    assert control("GET", ALICE)["left_cleanly"] is True


@pytest.mark.parametrize("body", [{}, None])
def test_an_operation_without_a_body_takes_an_empty_one(control, space, body):
    control("POST", f"{S}/reset", body, status=204)


def test_an_operation_without_a_body_takes_no_other(control, space):
    assert control.refused(400, "POST", f"{S}/reset", {"hard": True}) == "this operation takes no body"


# --- judging ---


@pytest.mark.parametrize(
    ("claim", "body", "message"),
    [
        ("sent", {"event": "audio_chunk", "speaker": "Alice", "times": 1}, ""),
        ("sent", {"event": "phx_join", "conversation": "conv1", "payload": {"speaker": "Alice"}}, ""),
        ("sent", {"event": "audio_chunk", "times": 2.0}, "the client sent audio_chunk once; expected twice"),
        ("sent", {"event": "phx_joim"}, "the client never sent phx_joim"),
        ("not_sent", {"event": "phx_joim"}, ""),
        ("not_sent", {"event": "phx_join"}, "the client sent phx_join once; expected never"),
        ("transcript_delivered", {"text": "bonjour", "speaker": "Alice", "to": "Alice"}, ""),
        ("transcript_delivered", {"text": "bonsoir", "kind": None}, "bonjour"),
        ("audio_equals", {"wav": wav_of(SOUND), "speaker": "Alice"}, ""),
        ("audio_equals", {"wav": wav_of(bytes(8192)), "speaker": "Alice"}, "the audio of Alice in conv1 is not"),
        ("audio_equals", {"wav": wav_of(SOUND), "speaker": "Bob"}, "Bob never joined"),
    ],
)
def test_a_claim_holds_or_says_what_came_nearest(control, space, call, claim, body, message):
    call()
    text = {name: base64.b64encode(value).decode() if name == "wav" else value for name, value in body.items()}
    answer = control("POST", f"{S}/assert/{claim}", text)
    assert answer["holds"] is (message == "")
    assert message in answer["message"]


@pytest.mark.parametrize(
    ("claim", "body", "status", "error"),
    [
        ("sent", {}, 400, "event is missing"),
        ("sent", {"event": "x", "times": 0}, 400, "times: expected int >= 1"),
        ("sent", {"event": "x", "timeout": 1e9}, 400, "timeout: expected float"),
        ("transcript_delivered", {"text": "x", "kind": "word"}, 400, "kind: unknown value 'word'"),
        ("audio_equals", {"wav": "!", "speaker": "Alice"}, 400, "wav: invalid base64"),
        (
            "audio_equals",
            {"wav": base64.b64encode(wav_of(SOUND, 16_000)).decode(), "speaker": "Alice"},
            422,
            "16000",
        ),
    ],
)
def test_a_claim_that_cannot_be_looked_at_is_refused(control, space, call, claim, body, status, error):
    call()
    assert error in control.refused(status, "POST", f"{S}/assert/{claim}", body)


def test_a_claim_may_come_true_in_time(control, space, dial):
    claim = {"event": "hello", "timeout": 5}
    peer = dial(space)
    peer.say("hello")
    assert control("POST", f"{S}/assert/sent", claim)["holds"] is True
    claim = {"event": "never", "timeout": 0.01}
    assert control("POST", f"{S}/assert/sent", claim)["holds"] is False


def test_what_the_client_did_wrong_speaks_against_it_unless_it_is_allowed(control, space, dial):
    alice = dial(space, join=False)
    alice.say("audio_chunk", {"blob": ""})
    alice.hear_all()
    [violation] = [each for each in control("GET", f"{S}/violations")["violations"] if each["severity"] == "error"]
    verdict = control("GET", f"{S}/verdict")
    assert verdict["ok"] is False
    assert violation["rule"] in [problem["rule"] for problem in verdict["problems"]]
    control("POST", f"{S}/allow", {"rules": [violation["rule"]]}, status=204)
    assert violation["rule"] not in [problem["rule"] for problem in control("GET", f"{S}/verdict")["problems"]]
    assert "nonsense" in control.refused(422, "POST", f"{S}/allow", {"rules": ["nonsense"]})


def test_what_was_never_heard_speaks_against_it_at_the_end(control, space, dial):
    dial(space)
    assert control("GET", f"{S}/verdict")["ok"] is True
    assert control("GET", f"{S}/verdict", at_end="true")["ok"] is False
    assert "at_end: expected bool" in control.refused(400, "GET", f"{S}/verdict", at_end="yes")


def test_no_contact_may_be_expected_before_any(control, space, dial):
    control("POST", f"{S}/expect_nothing", status=204)
    dial(space)
    assert [problem["rule"] for problem in control("GET", f"{S}/verdict")["problems"]] == ["unexpected_contact"]
    assert control.refused(409, "POST", f"{S}/expect_nothing")


def test_the_timeline_is_plain_text(control, space, call):
    call()
    assert control("GET", f"{S}/timeline").decode() == space.timeline()
    assert "bonjour" in control("GET", f"{S}/timeline", conversation="conv1").decode()


def test_a_long_recording_is_fetched_and_claimed_whole(control, space, dial):
    alice = dial(space)
    for _ in range(60):
        alice.audio(48_000)
    alice.hear_all()
    wav = control("GET", f"{ALICE}/audio.wav")
    assert len(wav) == 44 + 60 * 48_000
    claim = {"wav": base64.b64encode(wav).decode(), "speaker": "Alice"}
    assert control("POST", f"{S}/assert/audio_equals", claim)["holds"] is True
