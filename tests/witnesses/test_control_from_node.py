"""A test that is not in Python: node makes a space over HTTP, calls it with Phoenix's client, and judges."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from uhlive_mock import MockServer


def run_node(javascript: Path, server: MockServer, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the program; it gets the server's URL and nothing else."""
    env = {"PATH": os.environ["PATH"], "CONTROL_URL": str(server.urls["http_url"]), **variables}
    return subprocess.run(
        ["node", "control.js"], cwd=javascript, env=env, capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize("token", [None, "let-me-in"])
def test_a_program_without_python_makes_a_space_calls_it_and_compares_every_byte(javascript, token, capsys):
    with MockServer(control_token=token) as server:
        done = run_node(javascript, server, **({"CONTROL_TOKEN": token} if token else {}))
    assert done.returncode == 0, done.stdout + done.stderr
    seen: dict[str, Any] = json.loads(done.stdout)
    with capsys.disabled():
        print(f"\n  node: {done.stdout.strip()}")
    assert seen == {
        "sent": 48_000,
        "heard": 48_000,
        "wav": 48_044,
        "format": {"encoding": 1, "channels": 1, "rate": 8000, "bits": 16},
        "chunks": 30,
        "seconds": 3,
        "leftCleanly": True,
        "leave": "phx_leave",
        "words": "hello from node",
        "problems": 0,
    }


def test_it_fails_where_it_may_not_call(javascript):
    with MockServer(control_token="let-me-in") as server:
        done = run_node(javascript, server)
    assert done.returncode != 0
    assert "401" in done.stderr
