"""The README is executed: its programs run, its scenario loads, its commands exist."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from uhlive_mock.scenarios import parse_scenario

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
PROGRAMS = [code for language, code in BLOCKS if language == "python"]


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("UHLIVE_")}


@pytest.mark.parametrize("code", [code for code in PROGRAMS if "def test_" not in code])
def test_each_program_runs_as_it_stands_under_the_mock(code, tmp_path):
    program = tmp_path / "program.py"
    program.write_text(code)
    command = [sys.executable, "-m", "uhlive_mock", "run", "--", sys.executable, str(program)]
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_the_tests_in_it_pass_in_a_project_of_their_own(pytester):
    tests = [code for code in PROGRAMS if "def test_" in code]
    assert tests
    pytester.makepyfile(**{f"test_{number}": code for number, code in enumerate(tests)})
    result = pytester.runpytest_subprocess("--strict-markers", "-W", "error", "-p", "no:asyncio")
    result.assert_outcomes(passed=len(tests))


@pytest.mark.parametrize("text", [code for language, code in BLOCKS if language == "yaml"])
def test_each_scenario_loads(text):
    assert parse_scenario(text).speakers


def commands() -> list[list[str]]:
    shell = "\n".join(code for language, code in BLOCKS if language == "sh")
    found = re.findall(r"(?:uhlive-mock|uhlive-client) [^\n\"#)&]*", shell)
    return [shlex.split(line) for line in found]


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_each_command_exists_with_the_options_it_shows(words):
    from uhlive_client.cli import main as client

    from uhlive_mock.cli import main as mock

    group = {"uhlive-mock": mock, "uhlive-client": client}[words[0]]
    assert isinstance(group, click.Group)
    command = group.commands[words[1]]
    options = {name for parameter in command.params for name in parameter.opts}
    own = words[2 : words.index("--")] if "--" in words else words[2:]
    assert {word for word in own if word.startswith("--")} <= options


def test_the_test_command_is_what_ci_runs():
    ci = (ROOT / ".ci" / "run").read_text()
    assert ".venv/bin/pip install tox && .venv/bin/tox" in README
    assert ".venv/bin/tox" in ci
