"""Live control: what a test does to a space while clients are connected to it, from any thread."""

from __future__ import annotations

import asyncio
import json
import struct
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import msgspec
import pytest
import requests
import websocket as ws

from uhlive_mock import (
    ConfigurationError,
    MockServer,
    ScenarioError,
    WaitTimeout,
    entity,
    event,
    scenario,
    segment,
)
from uhlive_mock.errors import InternalError
from uhlive_mock.protocol.journal import Entry, Kind
from uhlive_mock.server import errands
from uhlive_mock.server.defects import Defects
from uhlive_mock.server.errands import Errands

SILENCE = scenario("silence").build()


def ask_for_token(space, **changes) -> requests.Response:
    form = {
        "grant_type": "client_credentials",
        "client_id": space.client_id,
        "client_secret": space.client_secret,
    }
    url = space.token_url.replace(
        f"https://{space.env['UHLIVE_AUTH_SERVER']}", space.ws_url.replace("ws:", "http:")
    )
    return requests.post(url, data=form | changes, timeout=5)


# --- push ---


def test_a_pushed_event_is_heard_by_everyone_at_once(server, dial):
    with server.space(scenario=SILENCE, clock="manual") as space:
        alice, bob = dial(space, "Alice"), dial(space, "Bob")
        alice.hear()
        space.push(
            "conv1", segment("bonjour", speaker="Alice", at=1.0), entity("location_city", "x", speaker="Bob")
        )
        frames = [alice.hear(), alice.hear()]
        assert [frame[3] for frame in frames] == ["audio_segment_decoded", "entity_location_city_recognized"]
        assert [bob.hear(), bob.hear()] == frames
        assert len(space.journal.messages(event="audio_segment_decoded")) == 2


def test_a_conversation_may_be_held_and_pushed_to(server, dial):
    with server.space(scenario=SILENCE) as space:
        talk = space.conversation("conv1")
        with pytest.raises(ConfigurationError, match="nobody is in conversation"):
            talk.push(event("custom"))
        alice = dial(space)
        talk.push(event("custom", {"a": 1}))
        assert alice.hear()[3:] == ["custom", {"a": 1}]


def test_pushes_from_many_threads_and_loops_all_arrive_each_in_its_order(server, dial):
    async def push_all(space, name: str) -> None:
        for number in range(20):
            space.push("conv1", event(name, number))
            await asyncio.sleep(0)

    with server.space(scenario=SILENCE) as space, ThreadPoolExecutor(4) as pool:
        alice = dial(space)
        for name in ("a", "b", "c", "d"):
            pool.submit(lambda name=name: asyncio.run(push_all(space, name)))
        heard = [tuple(alice.hear()[3:]) for _ in range(80)]
    for name in ("a", "b", "c", "d"):
        assert [number for each, number in heard if each == name] == list(range(20))


# --- scenarios ---


def test_a_new_scenario_is_for_whoever_joins_from_now_on(server, dial, tmp_path):
    def saying(word: str):
        return scenario(word, latency_ms=0).speaker("*").segment(word, at=0, until=0.5).build()

    document = tmp_path / "second.yaml"
    document.write_text(
        "version: 1\nscenario: second\nspeakers: {'*': [{at: 0s, until: 500ms, segment: second}]}\n"
    )
    with server.space(scenario=saying("first"), clock="audio") as space:
        alice = dial(space, "Alice")
        space.replace_scenario(str(document))
        assert space.scenarios == ["second"]
        assert space.unheard == ["scenario 'second' spoke in no conversation: it is for '*'; joined: 'conv1'"]
        bob = dial(space, "Bob")
        assert not space.unheard
        assert alice.hear()[3] == "speaker_joined"
        alice.audio(16_000), bob.audio(16_000)
        heard = {alice.hear()[4]["value"] for _ in range(2)}
        assert heard == {"first", "second"}
        space.replace_scenario([saying("third"), SILENCE])
        assert space.scenarios == ["third", "silence"]
        space.reset()
        assert space.scenarios == ["first"]


def test_a_scenario_that_cannot_be_used_replaces_nothing(server, tmp_path):
    (tmp_path / "bad.yaml").write_text("version: 1\nspeakers: {Alice: [{at: 0s, sey: x}]}\n")
    with server.space(scenario=SILENCE) as space:
        with pytest.raises(ScenarioError, match="did you mean 'say'"):
            space.replace_scenario(tmp_path / "bad.yaml")
        assert space.scenarios == ["silence"]


# --- drop ---


def test_a_dropped_speaker_may_come_back(server, dial):
    with server.space(scenario=SILENCE) as space:
        alice, bob = dial(space, "Alice"), dial(space, "Bob")
        alice.hear()
        space.drop("Alice")
        assert [alice.hear()[3], alice.hear()[3]] == ["phx_close", "speaker_left"]
        assert bob.hear()[3] == "speaker_left"
        stay = space.conversation("conv1").speaker("Alice")
        assert stay.left_cleanly is False
        with pytest.raises(ConfigurationError, match=r"no speaker 'Alice' is in .*; joined: 'Bob' in 'conv1'"):
            stay.drop()
        assert alice.join()[4]["status"] == "ok"
        space.conversation("conv1").speaker("Alice").drop()
        assert alice.hear()[3] == "phx_close"


# --- reset ---


def test_a_reset_space_is_as_new(server, dial):
    with server.space(scenario=SILENCE, clock="manual") as space:
        client_id, started = space.client_id, space._hosted.clock.now()
        alice = dial(space)
        space.advance(4)
        space.inject("join_error", "later", count=None)
        journal = space.journal
        space.reset()
        assert alice.close_code() == 1012
        assert (space.journal.entries(), journal.entries()) == ([], [])
        assert (space.speakers, space.faults, space.scenarios) == ([], [], ["silence"])
        assert space.client_id == client_id
        assert space._hosted.clock.now() < started + 4
        again = dial(space)
        assert [entry.kind for entry in journal.entries()][:2] == [Kind.OPENED, Kind.RECEIVED]
        assert again.hear_all() == []


def test_a_reset_lets_nobody_wait_for_the_old_journal_and_misfiles_nothing(server, dial, tmp_path):
    with server.space(scenario=SILENCE) as space, ThreadPoolExecutor(1) as pool:
        old = dial(space, "Old")
        space.journal.write_to(tmp_path / "journal.jsonl")
        waiting = pool.submit(space.journal.wait_for, event="phx_join", speaker="New", timeout=5)
        space.inject("join_error", "x")
        space.reset()
        old.socket.send("this is none of the new space's business")
        dial(space, "New")
        assert waiting.result().speaker == "New"
        assert old.close_code() == 1012
        lines = (tmp_path / "journal.jsonl").read_bytes().splitlines()
    entries = [msgspec.json.decode(line, type=Entry) for line in lines]
    again = next(place for place, entry in enumerate(entries) if place and entry.index == 0)
    assert {entry.speaker for entry in entries[again:]} == {None, "New"}
    assert Kind.FAULT_SKIPPED in [entry.kind for entry in entries[:again]]


def test_a_closed_space_cannot_be_reset(server):
    space = server.space(name="over")
    space.close()
    with pytest.raises(ConfigurationError, match="the space 'over' has ended"):
        space.reset()


def test_a_space_closed_twice_does_not_end_another_of_its_client(server):
    first = server.space(client_id="acme-again", client_secret="s")
    first.close()
    with server.space(client_id="acme-again", client_secret="s") as second:
        first.close()
        assert ask_for_token(second).status_code == 200
        assert [stray for stray in server.refusals if stray.client_id == "acme-again"] == []


# --- logins ---


def test_requests_for_tokens_are_in_the_journal_of_their_space_without_secrets(server):
    with server.space() as space, server.space() as other:
        ask_for_token(space)
        ask_for_token(space, client_secret="wrong-secret")
        ask_for_token(space, grant_type="my-grant-secret")
        space.inject("token_status", 503)
        ask_for_token(space)
        entries = [entry for entry in space.journal.entries() if entry.kind is Kind.LOGIN]
        assert [entry.note for entry in entries] == [
            "client_credentials was granted",
            "client_credentials was refused with 401: unauthorized_client",
            "a grant that is not served was refused with 400: unsupported_grant_type",
            "client_credentials was refused with 503: HTTP 503",
        ]
        assert entries[0].payload == {"grant_type": "client_credentials", "status": 200, "error": None}
        assert entries[1].payload["error"] == "unauthorized_client"
        text = space.journal.to_jsonl()
        assert other.journal.entries() == []
    for secret in (space.client_secret, "wrong-secret", "my-grant-secret", "eyJ"):
        assert secret not in text


# --- threads and the end ---


def meddle(space, over: threading.Event) -> int:
    """Do everything there is to do, again and again, until it is over."""
    rounds = 0
    acts = (
        lambda: space.push("conv1", event("custom")),
        lambda: space.advance(0.1),
        lambda: space.drop("Bob"),
        space.reset,
        space.journal.entries,
    )
    while not over.is_set():
        for act in acts:
            with suppress(ConfigurationError):  # they are gone by now
                act()
        rounds += 1
    return rounds


def test_nothing_hangs_and_nothing_breaks_while_the_server_stops(dial):
    for _ in range(3):
        server = MockServer(tls_port=None).start()
        space = server.space(scenario=SILENCE, clock="manual")
        dial(space, "Alice"), dial(space, "Bob")
        over = threading.Event()
        with ThreadPoolExecutor(4) as pool:
            meddling = [pool.submit(meddle, space, over) for _ in range(4)]
            server.stop()
            over.set()
            for thread in meddling:
                thread.result(5)
        assert server.defects == []


def test_work_that_waits_when_the_loop_ends_is_done_by_it():
    pending, started = Errands(), threading.Event()
    loop = asyncio.new_event_loop()
    pending.begin(loop)

    def call() -> int:
        started.set()
        return pending.run(lambda: 7)

    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(call)
        started.wait(5)
        while not pending._waiting:
            pass
        pending.finish()
        assert answer.result(5) == 7
    loop.close()
    assert pending.run(lambda: 8) == 8


def test_work_keeps_its_own_timeout(server):
    def fail() -> None:
        raise WaitTimeout("mine")

    with pytest.raises(WaitTimeout, match="mine"):
        server.call(fail)


def test_a_loop_that_does_not_get_to_its_work_is_told(monkeypatch):
    pending, loop = Errands(), asyncio.new_event_loop()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(pending.begin, loop).result(5)
    monkeypatch.setattr(errands, "PATIENCE_S", 0.01)
    with pytest.raises(InternalError, match="did not answer"):
        pending.run(lambda: None)
    loop.close()


def test_a_stopped_server_makes_no_space():
    with MockServer(tls_port=None) as server:
        pass
    with pytest.raises(ConfigurationError, match="has stopped"):
        server.space()


# --- defects ---


@pytest.fixture
def broken(server, monkeypatch):
    """The server, without its defects so far, and with those of a test only."""
    monkeypatch.setattr(server._serving.world, "defects", Defects())
    return server


def test_an_exception_in_a_route_is_kept_and_told_to_its_space(broken, monkeypatch, caplog):
    space, other = broken.space(), broken.space()

    def fail(*_) -> None:
        raise RuntimeError("boom " + space.issue_token())

    monkeypatch.setattr("uhlive_mock.auth.endpoint.TokenEndpoint.respond", fail)
    assert ask_for_token(space).status_code == 500
    (trace,) = broken.defects
    assert "RuntimeError: boom ***" in trace
    assert "eyJ" not in caplog.text
    assert [entry.kind for entry in space.journal.entries()] == [Kind.DEFECT]
    assert other.journal.entries() == []


def test_an_exception_in_a_callback_of_the_loop_is_kept(broken):
    def fail() -> None:
        raise RuntimeError("in a callback")

    broken.call(lambda: asyncio.get_running_loop().call_soon(fail))
    (trace,) = broken.call(lambda: list(broken._serving.world.defects))
    assert "RuntimeError: in a callback" in trace


def test_an_exception_in_a_socket_is_told_to_its_space_only(broken, dial, monkeypatch):
    space = broken.space(scenario=SILENCE)
    alice = dial(space)
    monkeypatch.setattr("uhlive_mock.protocol.socket.Session.bytes_arrived", lambda *_: 1 / 0)
    alice.heartbeat()
    with pytest.raises((ws.WebSocketException, ConnectionError)):
        alice.hear()
    assert Kind.DEFECT in [entry.kind for entry in space.journal.entries()]
    assert "ZeroDivisionError" in broken.defects[0]


def test_frames_and_codes_of_a_close_are_as_before(server, dial):
    with server.space(scenario=SILENCE) as space:
        joined, idle = dial(space), dial(space, join=False)
    codes = []
    for peer in (joined, idle):
        _, data = peer.socket.recv_data(control_frame=True)
        codes.append(struct.unpack("!H", data[:2])[0])
    assert codes == [1012, 1001]
    assert json.loads(space.journal.to_jsonl().splitlines()[-1])["note"] == "the space was closed"


# --- mistakes ---


@pytest.mark.parametrize(
    ("mistake", "why"),
    [
        (lambda space: space.push("conv1", "bonjour"), "an event to push is a str; expected segment"),
        (lambda space: space.replace_scenario(scenario("x")), "end the builder with .build()"),
        (lambda space: space.replace_scenario({"version": 1}), "the scenario is a dict"),
        (lambda space: space.allow(["gap"]), "allow takes the ids of rules"),
        (lambda space: space.advance("1s"), "advance takes a number of seconds"),
    ],
)
def test_what_is_of_no_use_is_said_to_be(server, mistake, why):
    with server.space() as space, pytest.raises(ConfigurationError) as refused:
        mistake(space)
    assert why in str(refused.value)


def test_a_secret_sent_by_mistake_does_not_reach_the_journal(server, dial):
    with server.space() as space:
        peer = dial(space, space.client_secret, conversation=space.client_secret)
        peer.say("phx_leave")
        peer.hear_until("speaker_left")
        assert space.journal.messages(event="speaker_left")
        assert space.client_secret not in space.journal.to_jsonl()
