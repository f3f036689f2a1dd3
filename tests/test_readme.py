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
import soundfile as sf
from click.testing import CliRunner

from uhlive_mock import ledger
from uhlive_mock.cli import main
from uhlive_mock.model.fault import Fault, FaultKind
from uhlive_mock.scenarios import parse_scenario

pytestmark = pytest.mark.sdk  # the programs and tests it shows are written for the SDK

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
PYTHON = [code for language, code in BLOCKS if language == "python"]
TESTS = [code for code in PYTHON if "def test_" in code]
PROGRAMS = [code for code in PYTHON if code not in TESTS]


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("UHLIVE_")}


@pytest.mark.parametrize("code", PROGRAMS)
def test_each_program_runs_as_it_stands_under_the_mock(code, tmp_path):
    program = tmp_path / "program.py"
    program.write_text(code)
    for path in re.findall(r'"(fixtures/\S+\.wav)"', code):
        (tmp_path / "fixtures").mkdir()
        two_seconds, rate = sf.read(ROOT / path, frames=16_000)  # all of it takes as long as saying it
        sf.write(tmp_path / path, two_seconds, rate)
    command = [sys.executable, "-m", "uhlive_mock", "run", "--", sys.executable, str(program)]
    done = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_the_tests_in_it_pass_in_a_project_of_their_own(pytester):
    for_one_sdk = [code for code in TESTS if "skipif" in code]
    assert len(for_one_sdk) == 2  # one for each generation
    pytester.makepyfile(**{f"test_{number}": code for number, code in enumerate(TESTS)})
    result = pytester.runpytest_subprocess("--strict-markers", "-W", "error", "-p", "no:asyncio")
    result.assert_outcomes(passed=len(TESTS) - 1, skipped=1)


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

    group = {"uhlive-mock": main, "uhlive-client": client}[words[0]]
    assert isinstance(group, click.Group)
    command = group.commands[words[1]]
    options = {name for parameter in command.params for name in parameter.opts}
    own = words[2 : words.index("--")] if "--" in words else words[2:]
    assert {word for word in own if word.startswith("--")} <= options


@pytest.mark.parametrize("words", [words for words in commands() if words[1] == "explain"], ids=" ".join)
def test_each_rule_it_explains_is_explained(words):
    assert CliRunner().invoke(main, words[1:]).exit_code == 0


def test_the_output_it_shows_is_what_explain_prints():
    [shown] = [code for language, code in BLOCKS if language == "text"]
    assert CliRunner().invoke(main, ["explain", shown.splitlines()[0]]).stdout == shown


def table(heading: str) -> list[list[str]]:
    """The cells of the rows of the table under such a heading."""
    rows = README.partition(f"\n| {heading} |")[2].partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def test_the_rules_it_lists_have_the_defaults_it_says():
    rows = table("rule")
    assert [row[0] for row in rows] == ["`throttle`", "`gap`", "`idle`", "`chunk`"]
    for rule, by_default, effect in rows:
        defaults = {found.name.rpartition(".")[2]: found.default for found in ledger.find(rule.strip("`"))}
        for key, value in re.findall(r"`(\w+): ([^`]+)`", by_default + effect):
            assert defaults[key] == value
        assert "action" not in defaults or f"`{defaults['action']}`" in effect


def test_the_faults_it_lists_are_all_there_are_with_what_they_take():
    found: list[FaultKind] = []
    for _, kinds in table("strikes"):
        faults = [parse_fault(text) for text in re.findall(r"`([^`]+)`", kinds) if not text.startswith("phx_")]
        assert len({fault.kind.stage for fault in faults}) == 1
        found += [fault.kind for fault in faults]
    assert found == list(FaultKind)


def parse_fault(text: str) -> Fault:
    written = f"{{{text}}}" if ":" in text else text
    call = parse_scenario(f"version: 1\nspeakers:\n  Alice:\n    - at: 1s\n      fault: {written}\n")
    [cue] = call.speakers["Alice"].cues
    assert isinstance(cue.action, Fault)
    return cue.action


def test_the_test_command_is_what_ci_runs():
    ci = (ROOT / ".ci" / "run").read_text()
    assert ".venv/bin/pip install tox && .venv/bin/tox" in README
    assert ".venv/bin/tox" in ci
