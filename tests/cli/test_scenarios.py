"""`check`, `show`, `schema` and `demo` as a user runs them."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys

import uhlive_mock
from uhlive_mock.cli.demo import sample

BROKEN = "version: 1\nspeakers:\n  Alice:\n    - at: 1s\n      sey: hello\n    - at: 2 days\n      say: hello\n"


def test_check_passes_the_samples(mock):
    done = mock("check", str(sample("billets.yaml")), str(sample("delivery.yaml")))
    assert done.returncode == 0
    assert done.stdout.count(": ok\n") == 2


def test_check_lists_every_problem_with_its_line_and_exits_with_1(mock, tmp_path):
    broken = tmp_path / "broken.yaml"
    broken.write_text(BROKEN)
    done = mock("check", str(broken), str(sample("billets.yaml")))
    assert done.returncode == 1
    assert f"{broken}:5: speakers.Alice[0]: unknown key 'sey'; did you mean 'say'?" in done.stdout
    assert f"{broken}:6: " in done.stdout
    assert "billets.yaml: ok" in done.stdout


def test_check_of_a_file_that_is_not_there_is_a_usage_error(mock):
    assert mock("check", "nowhere.yaml").returncode == 2


def test_show_tells_who_says_what_and_when(mock):
    done = mock("show", str(sample("billets.yaml")))
    assert done.returncode == 0
    assert "Alice" in done.stdout
    assert "location_city" in done.stdout


def test_schema_is_json_schema(mock):
    assert json.loads(mock("schema").stdout)["$schema"].startswith("https://json-schema.org/")


def test_the_demo_shows_both_speakers_and_ends_with_one_line_on_pacing(mock):
    done = mock("demo", "--call", "delivery", "--rate", "15")
    assert done.returncode == 0, done.stderr
    assert re.search(r"^\[Alice \d:\d\d\.\d\] ", done.stdout, re.MULTILINE)
    assert re.search(r"^\[Bob \d:\d\d\.\d\] ", done.stdout, re.MULTILINE)
    assert "  entity " in done.stdout
    assert done.stdout.splitlines()[-1].startswith("pacing: ")


def test_the_demo_in_a_terminal_shows_interims_turning_into_segments():
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "uhlive_mock", "demo", "--rate", "15"]
    env = {**os.environ, "TERM": "xterm", "COLUMNS": "100", "LINES": "40"}
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=env)
    os.close(theirs)
    shown = b""
    try:
        while block := os.read(ours, 65_536):
            shown += block
    except OSError:  # Linux's way of saying that the terminal's other end is closed
        pass
    os.close(ours)
    assert process.wait(60) == 0
    text = shown.decode()
    first_segment = text.index("normalized:")
    assert "\x1b[2m" in text[:first_segment]  # interims are drawn dim, before their segment


def test_the_version_is_the_packages(mock):
    assert uhlive_mock.__version__ in mock("--version").stdout


def test_help_names_every_command(mock):
    text = mock("--help").stdout
    for command in ("serve", "run", "env", "demo", "check", "show", "schema", "explain"):
        assert re.search(rf"^  {command} ", text, re.MULTILINE)
