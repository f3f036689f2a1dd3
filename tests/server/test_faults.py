"""Every kind of fault, as a client sees it: from a script, injected at run time, or armed beforehand."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator

import pytest
import requests
import websocket as ws

from uhlive_mock import scenario, segment
from uhlive_mock.errors import ScenarioError
from uhlive_mock.model.fault import FaultKind, Stage
from uhlive_mock.model.limits import Gap, Idle, Limits
from uhlive_mock.protocol.journal import Kind

PATIENT = Limits(gap=Gap(action="off"), idle=Idle(after_ms=None))
WORDS = ("one", "two", "three")


def script(fault: tuple = ()):
    """Three words at once after 0.1 s of audio; a fault of the script's strikes just before."""
    call = scenario("words", latency_ms=0).speaker("*")
    if fault:
        call = call.fault(*fault, at=0.05)
    for word in WORDS:
        call = call.event(word, {"speaker": "Alice", "text": "été"}, at=0.1)
    return call.build()


@pytest.fixture
def space(server) -> Iterator:
    """A space where nothing but a fault ever ends anything, and where time stands."""
    with server.space(scenario=script(), clock="manual", limits=PATIENT) as space:
        yield space


def faults(space, kind: Kind = Kind.FAULT) -> list[str]:
    return [entry.note or "" for entry in space.journal.entries() if entry.kind is kind]


def form(space) -> dict[str, str]:
    return {
        "grant_type": "client_credentials",
        "client_id": space.client_id,
        "client_secret": space.client_secret,
    }


def ask_for_token(space) -> requests.Response:
    return requests.post(space.token_url, data=form(space), verify=space.ca_file, timeout=5)


# --- token ---


@pytest.mark.parametrize("status", [400, 401, 429, 500, 503])
def test_token_status(space, status):
    space.inject("token_status", status)
    assert ask_for_token(space).status_code == status
    assert ask_for_token(space).status_code == 200
    assert faults(space) == [f"token_status: {status}"]


def test_token_error(space):
    space.inject("token_error", "invalid_client")
    refused = ask_for_token(space)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_client")
    assert ask_for_token(space).ok


def test_token_delay(server):
    with server.space(clock="real", rate=10) as space:
        space.inject("token_delay", 2)
        began = time.monotonic()
        assert ask_for_token(space).ok
        assert time.monotonic() - began >= 0.2
        assert faults(space) == ["token_delay: 2000"]


def test_a_token_fault_is_for_its_own_space(server, space):
    with server.space() as other:
        other.inject("token_status", 503)
        assert ask_for_token(space).ok


# --- handshake ---


@pytest.mark.parametrize("status", [403, 429, 503])
def test_handshake_status(space, dial, status):
    space.inject("handshake_status", status)
    with pytest.raises(ws.WebSocketBadStatusException) as refused:
        dial(space)
    assert refused.value.status_code == status
    dial(space)
    assert faults(space) == [f"handshake_status: {status}"]


def test_handshake_hang(space, dial):
    space.inject("handshake_hang", count=2)
    for _ in range(2):
        with pytest.raises(ws.WebSocketTimeoutException):
            dial(space, timeout=0.1)
    dial(space)
    assert faults(space) == ["handshake_hang"] * 2


def test_a_handshake_fault_waits_for_a_token_that_is_good(space, dial):
    space.inject("handshake_status", 503)
    with pytest.raises(ws.WebSocketBadStatusException) as refused:
        ws.create_connection(f"{space.ws_url}/socket/websocket?jwt=garbage&vsn=2.0.0", timeout=5)
    assert refused.value.status_code == 403
    with pytest.raises(ws.WebSocketBadStatusException, match="503"):
        dial(space)


# --- join ---


def test_join_error(space, dial):
    alice = dial(space, join=False)
    space.inject("join_error", "no capacity")
    assert alice.join()[4] == {"status": "error", "response": {"reason": "no capacity"}}
    assert alice.join()[4]["status"] == "ok"
    assert faults(space) == ["join_error: no capacity"]


def test_join_silence(space, dial):
    alice = dial(space, join=False)
    space.inject("join_silence")
    alice.say("phx_join", {"speaker": "Alice"}, ref="1")
    assert alice.hear_all() == []
    assert alice.join()[4]["status"] == "ok"


def test_join_delay_keeps_everything_behind_it_waiting(space, dial):
    alice = dial(space, join=False)
    space.inject("join_delay", 2)
    alice.say("phx_join", {"speaker": "Alice"}, ref="1")
    asked = space.journal.wait_for(kind=Kind.RECEIVED, event="phx_join").now
    alice.heartbeat()
    space.advance(1.9)
    assert not space.journal.messages(kind=Kind.SENT)
    space.advance(0.1)
    assert [alice.hear()[1] for _ in range(2)] == ["1", "beat"]
    assert space.journal.messages(kind=Kind.SENT)[0].now == pytest.approx(asked + 2, abs=2e-6)


def test_a_join_fault_is_for_its_own_speaker(space, dial):
    space.inject("join_error", "no capacity", speaker="Bob")
    dial(space, "Alice")
    assert dial(space, "Bob", join=False).join()[4]["status"] == "error"


# --- how a fault comes: every kind of the events, channel and socket stages must strike in each of these ways ---

Begin = Callable[..., object]


def injected(server, dial, kind, value, check) -> None:
    """Injected into a running call."""
    with server.space(scenario=script(), clock="manual", limits=PATIENT) as space:
        bob, alice = dial(space, "Bob", readonly=True), dial(space, "Alice")
        bob.hear()
        space.inject(kind, value, speaker="Alice")
        check(space, alice, bob)


def armed(server, dial, kind, value, check) -> None:
    """Armed before there is a socket; those of a channel and a socket strike at the join, behind its reply."""
    with server.space(scenario=script(), clock="manual", limits=PATIENT) as space:
        bob = dial(space, "Bob", readonly=True)
        space.inject(kind, value, speaker="Alice")
        alice = dial(space, "Alice")
        bob.hear()
        check(space, alice, bob)


def scripted(server, dial, kind, value, check) -> None:
    """A cue of Alice's own script."""
    with server.space(scenario=script((kind, value)), clock="manual", limits=PATIENT) as space:
        bob, alice = dial(space, "Bob", readonly=True), dial(space, "Alice")
        bob.hear()
        alice.audio(1200)
        space.journal.wait_for(kind=Kind.FAULT if FaultKind(kind).stage is not Stage.EVENTS else Kind.RECEIVED)
        check(space, alice, bob)


WAYS = pytest.mark.parametrize("way", [injected, armed, scripted])


# --- events ---


@WAYS
@pytest.mark.parametrize(
    ("kind", "value", "heard"),
    [
        ("drop_events", None, ["two", "three"]),
        ("duplicate_events", None, ["one", "one", "two", "three"]),
        ("reorder_events", None, ["two", "one", "three"]),
        ("rename_events", "eins", ["eins", "two", "three"]),
        ("wrong_vocabulary", None, ["one", "two", "three"]),
    ],
)
def test_an_event_is_dropped_doubled_swapped_or_renamed(server, dial, way, kind, value, heard):
    def check(space, alice, bob):
        alice.audio(1600)
        assert alice.hear_all() == heard
        assert bob.hear_all() == list(WORDS)
        assert faults(space) == [str(kind) if value is None else f"{kind}: {value}"]

    way(server, dial, kind, value, check)


@WAYS
def test_malformed_json(server, dial, way):
    def check(space, alice, bob):
        alice.audio(1600)
        text = alice.socket.recv()
        assert text.startswith('[null,null,"conversation:')
        with pytest.raises(json.JSONDecodeError):
            json.loads(text)
        assert alice.hear_all() == ["two", "three"]
        assert bob.hear_all() == list(WORDS)

    way(server, dial, "malformed_json", None, check)


@WAYS
def test_delay_events_holds_back_those_behind_it_but_no_reply(server, dial, way):
    def check(space, alice, bob):
        alice.audio(1600)
        assert alice.hear_all() == []
        assert bob.hear_all() == list(WORDS)
        space.advance(1.9)
        assert alice.hear_all() == []
        space.advance(0.1)
        assert alice.hear_all() == list(WORDS)

    way(server, dial, "delay_events", 2, check)


@pytest.mark.parametrize(
    ("vocabulary", "heard"), [("universal", "segment_decoded"), ("legacy", "audio_segment_decoded")]
)
def test_wrong_vocabulary(server, dial, vocabulary, heard):
    call = scenario("say", latency_ms=0).speaker("*").segment("oui", at=0, until=0.1).build()
    with server.space(scenario=call, clock="manual", vocabulary=vocabulary) as space:
        alice = dial(space)
        space.inject("wrong_vocabulary")
        alice.audio(1600)
        assert alice.hear_all() == [heard]


def test_a_fault_of_events_picks_them_by_name(space, dial):
    alice = dial(space)
    space.inject("drop_events", event="t*", count=None)
    alice.audio(1600)
    assert alice.hear_all() == ["one"]
    assert [fault.kind for fault in space.faults] == [FaultKind.DROP_EVENTS]
    space.clear_faults()
    assert space.faults == []


def test_the_last_event_of_all_can_be_dropped_too(space, dial):
    alice = dial(space)
    space.inject("drop_events", event="speaker_left", speaker="Alice")
    alice.say("phx_leave")
    assert alice.hear_all() == ["phx_reply", "phx_close"]


# --- channel ---


@WAYS
def test_crash(server, dial, way):
    def check(space, alice, bob):
        frame = alice.hear()
        assert frame == ["1", "1", alice.topic, "phx_error", {"reason": "channel_crash"}]
        assert bob.hear_until("speaker_left") == []
        alice.say("phx_leave_not")
        assert alice.hear()[4]["response"] == {"reason": "unmatched topic"}
        assert alice.join()[4]["status"] == "ok"
        assert faults(space) == ["crash"]

    way(server, dial, "crash", None, check)


@WAYS
def test_close_channel(server, dial, way):
    def check(space, alice, bob):
        assert alice.hear() == ["1", "1", alice.topic, "phx_close", {}]
        assert alice.hear()[3] == "speaker_left"
        assert bob.hear_until("speaker_left") == []
        assert alice.join()[4]["status"] == "ok"
        assert faults(space) == ["close_channel"]

    way(server, dial, "close_channel", None, check)


# --- socket ---


@WAYS
@pytest.mark.parametrize("code", [1000, 1011, 4001])
def test_close(server, dial, way, code):
    def check(space, alice, bob):
        assert alice.close_code() == code
        assert bob.hear_until("speaker_left") == []
        assert faults(space) == [f"close: {code}"]

    way(server, dial, "close", code, check)


@WAYS
def test_reset(server, dial, way):
    def check(space, alice, bob):
        with pytest.raises(ConnectionResetError):
            alice.hear()
        assert bob.hear_until("speaker_left") == []

    way(server, dial, "reset", None, check)


@WAYS
def test_cut_frame(server, dial, way):
    def check(space, alice, bob):
        received = b"".join(iter(lambda: alice.socket.sock.recv(4096), b""))
        assert received == b'\x81\x7e\x01\x00[null,null,"conversation:'
        assert bob.hear_until("speaker_left") == []

    way(server, dial, "cut_frame", None, check)


def test_cut_frame_is_a_lost_connection_to_a_client(space, dial):
    alice = dial(space)
    space.inject("cut_frame")
    with pytest.raises(ws.WebSocketConnectionClosedException):
        alice.hear()


@WAYS
def test_stop_reading(server, dial, way):
    def check(space, alice, bob):
        struck = space.journal.wait_for(kind=Kind.FAULT).now
        alice.heartbeat()
        # What came later on another socket has been read; so this one was not, though it could have been.
        assert bob.hear_all() == []
        space.advance(3)
        assert alice.hear()[1] == "beat"
        beats = [entry.now for entry in space.journal.messages(event="heartbeat") if entry.ref == "beat"]
        assert beats == [pytest.approx(struck + 3, abs=2e-6)]

    way(server, dial, "stop_reading", 3, check)


def hears_nothing(peer) -> bool:
    peer.socket.settimeout(0.05)
    try:
        peer.hear()
    except ws.WebSocketTimeoutException:
        return True
    finally:
        peer.socket.settimeout(5)
    return False


@pytest.mark.parametrize("way", [injected, scripted])
def test_stop_writing(server, dial, way):
    def check(space, alice, bob):
        alice.heartbeat()
        space.journal.wait_for(event="heartbeat")
        assert hears_nothing(alice)
        space.advance(3)
        assert alice.hear()[1] == "beat"

    way(server, dial, "stop_writing", 3, check)


def test_stop_writing_that_was_armed_holds_back_the_reply_to_the_join(space, dial):
    space.inject("stop_writing", 3)
    alice = dial(space, join=False)
    alice.say("phx_join", {"speaker": "Alice"}, ref="1")
    space.journal.wait_for(event="phx_reply")
    assert hears_nothing(alice)
    space.advance(3)
    assert alice.hear()[4]["status"] == "ok"


def test_a_socket_that_ends_while_it_does_not_write_says_so(space, dial):
    alice = dial(space)
    space.inject("stop_writing", 60)
    space.inject("close", 1011)
    assert alice.close_code() == 1011


@WAYS
def test_mute_heartbeats(server, dial, way):
    def check(space, alice, bob):
        alice.socket.ping("anyone?")
        alice.heartbeat()
        alice.say("anything", topic="elsewhere", ref="3")
        opcode, data = alice.socket.recv_data(control_frame=True)
        assert (opcode, json.loads(data)[1]) == (ws.ABNF.OPCODE_TEXT, "3")
        assert bob.hear_all() == []

    way(server, dial, "mute_heartbeats", None, check)


def test_every_kind_has_its_test():
    here = " ".join(name for name in globals() if name.startswith("test_"))
    rest = {"drop_events", "duplicate_events", "reorder_events", "rename_events"}
    assert {kind for kind in FaultKind if kind.value not in here} == rest


# --- reach ---


def test_a_fault_strikes_as_many_sockets_as_it_counts_and_waits_for_those_to_come(space, dial):
    alice, bob = (dial(space, name, readonly=True) for name in ("Alice", "Bob"))
    space.inject("close", 4000)
    assert alice.close_code() == 4000
    assert bob.hear_all() == []
    space.inject("close", 4001, count=2)
    assert bob.close_code() == 4001
    assert dial(space, "Carol").close_code() == 4001
    assert dial(space, "Dave").hear_all() == []


def test_a_fault_without_a_count_is_for_everyone_and_for_ever(space, dial):
    peers = [dial(space, name, readonly=True) for name in ("Alice", "Bob")]
    space.inject("close", 4000, count=None)
    peers.append(dial(space, "Carol"))
    assert [peer.close_code() for peer in peers] == [4000] * 3


def test_chance_decides_and_both_outcomes_are_written_down(server, dial):
    with server.space(scenario=script(), clock="manual", limits=PATIENT, seed=1) as space:
        alice = dial(space)
        space.inject("drop_events", probability=0.5, count=None)
        for _ in range(30):
            alice.say("phx_join", {"speaker": "Alice"}, ref="1")
            alice.audio(1600)
        heard = [name for name in alice.hear_all() if name in WORDS]
        dropped = faults(space)
        assert 0 < len(dropped) < 90
        assert len(heard) + len(dropped) == 90
        assert faults(space, Kind.FAULT_SKIPPED) == ["drop_events: chance let it pass"] * len(heard)


@pytest.mark.parametrize(
    ("forget", "why"),
    [(lambda space: space.clear_faults(), "cleared"), (lambda space: space.close(), "its turn never came")],
)
def test_a_fault_whose_turn_never_came_is_written_down(space, forget, why):
    space.inject("join_error", "no capacity")
    forget(space)
    assert faults(space) == []
    assert faults(space, Kind.FAULT_SKIPPED) == [f"join_error: no capacity: {why}"]


def test_a_scripts_fault_of_events_ends_with_the_stay_of_its_speaker(server, dial):
    call = scenario("never", latency_ms=0).speaker("Alice").fault("drop_events", event="never", at=0).build()
    with server.space(scenario=call, clock="manual") as space:
        alice = dial(space)
        alice.audio(1600)
        alice.say("phx_leave")
        alice.hear_until("speaker_left")
        assert faults(space, Kind.FAULT_SKIPPED) == ["drop_events: no event came before its speaker left"]


def test_an_injected_fault_of_events_outlives_the_stay_of_its_speaker(space, dial):
    alice = dial(space)
    space.inject("drop_events", event="two", speaker="Alice")
    alice.say("phx_leave")
    alice.hear_until("speaker_left")
    alice.join()
    alice.audio(1600)
    assert alice.hear_all() == ["one", "three"]


@pytest.mark.parametrize(
    ("kind", "value", "wrong"),
    [
        ("explode", None, "unknown fault 'explode'; "),
        ("close", 999, "close takes a close code"),
        ("delay_events", 0, "takes a duration of more than 0"),
        ("drop_events", 3, "drop_events takes nothing"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused_when_it_is_injected(space, kind, value, wrong):
    with pytest.raises(ScenarioError, match=wrong):
        space.inject(kind, value)


def test_on_a_clock_that_audio_drives_a_client_that_only_waits_is_served(server, dial):
    space = server.space(clock="audio")
    space.inject("join_delay", 0.2)
    alice = dial(space)
    for kind in ("stop_reading", "stop_writing"):
        space.inject(kind, 0.2)
        alice.heartbeat(kind)
        assert alice.hear()[1] == kind
    space.inject("delay_events", 0.2)
    space.push("conv1", segment("bonjour", speaker="Alice"))
    assert alice.hear()[3] == "audio_segment_decoded"
