"""Live control: what a test does to a space while clients are connected to it, from any thread."""

from __future__ import annotations

import asyncio
import json
import struct
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest
import requests

from uhlive_mock import (
    ConfigurationError,
    MockServer,
    ScenarioError,
    entity,
    event,
    scenario,
    segment,
)
from uhlive_mock.protocol.journal import Entry, Kind

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
        client_id, started = space.client_id, space._portal.space.clock.now()
        alice = dial(space)
        space.advance(4)
        space.inject("join_error", "later", count=None)
        journal = space.journal
        space.reset()
        assert alice.close_code() == 1012
        assert (space.journal.entries(), journal.entries()) == ([], [])
        assert (space.speakers, space.faults, space.scenarios) == ([], [], ["silence"])
        assert space.client_id == client_id
        assert space._portal.space.clock.now() < started + 4
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


def test_a_stopped_server_makes_no_space():
    with MockServer(tls_port=None) as server:
        pass
    with pytest.raises(ConfigurationError, match="has stopped"):
        server.space()


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
