"""Phoenix's own JavaScript client, from npm, against the mock."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from uhlive_mock import MockServer, scenario

NODE = shutil.which("node")


@pytest.fixture(scope="session", params=["plain", "tls"])
def seen(request: pytest.FixtureRequest, javascript: Path) -> dict[str, Any]:
    """What the JavaScript client saw, over a plain socket and over TLS."""
    call = scenario("javascript", latency_ms=10).speaker("*").say("hello world", at=0.1, until=0.9).build()
    with MockServer() as server:
        space = server.space(scenario=call)
        env = {
            "PATH": os.environ["PATH"],
            "NODE_EXTRA_CA_CERTS": space.env["NODE_EXTRA_CA_CERTS"],
            "SOCKET_URL": space.ws_url if request.param == "plain" else str(space.wss_url),
            "TOKEN": space.issue_token(),
            "CLIENT": space.client_id,
            "SOUND": base64.b64encode(bytes(16_000)).decode(),
        }
        done = subprocess.run(
            [str(NODE), "phoenix.js"], cwd=javascript, env=env, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stdout + done.stderr
        result: dict[str, Any] = json.loads(done.stdout)
        result["sizes"] = [entry.audio_bytes for entry in space.journal.messages(event="audio_chunk")]
        return result


def test_an_unrouted_topic_is_refused_as_unmatched(seen):
    assert seen["stray"] == {"status": "error", "response": {"reason": "unmatched topic"}}


def test_it_joins_with_a_join_ref_of_its_own_choosing(seen):
    assert seen["join"] == {"status": "ok", "response": {}}
    assert seen["joinRef"] != "1"


def test_its_heartbeats_are_answered_and_the_socket_never_reconnects(seen):
    assert seen["heartbeats"] >= 2
    assert seen["opens"] == 1


def test_its_audio_counts_the_same_as_text_and_as_bytes(seen):
    assert seen["sizes"] == [8000, 8000, 16_000]
    assert seen["segments"] == [["Alice", "hello world"], ["Bob", "hello world"]]


def test_a_second_channel_takes_the_topic_over(seen):
    assert seen["rejoin"] == {"status": "ok", "response": {}}
    assert seen["rejoinRef"] != seen["joinRef"]


def test_leaving_ends_with_its_own_speaker_left(seen):
    assert seen["left"][-1] == "Bob"


def test_events_are_broadcasts_without_join_ref(seen):
    assert seen["joinRefs"] == [None]
