"""The page on the protocol is executed: each program prints what is shown below it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import click
import numpy as np
import pytest
import soundfile as sf
from uhlive_client.cli import main as client

from uhlive_mock import MockServer
from uhlive_mock.cli import main as mock
from uhlive_mock.scenarios import parse_scenario

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "protocol.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
PROGRAMS = [
    (code, shown)
    for (language, code), (below, shown) in pairwise(BLOCKS)
    if (language, below) == ("python", "text")
]
[CALL] = [text for language, text in BLOCKS if language == "yaml"]
COMMANDS = [
    shlex.split(line)
    for language, code in BLOCKS
    if language == "sh"
    for line in code.splitlines()
    if line.startswith("uhlive-")
]


@pytest.fixture(scope="module")
def server() -> Iterator[MockServer]:
    with MockServer() as server:
        yield server


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """Where a program runs: a second of the sound it streams, for all of it takes as long as saying it."""
    (tmp_path / "fixtures").mkdir()
    second, rate = sf.read(ROOT / "fixtures" / "billets-alice.wav", frames=8000)
    sf.write(tmp_path / "fixtures" / "billets-alice.wav", second, rate)
    sf.write(tmp_path / "fixtures" / "call.flac", np.column_stack([second, second]), rate)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_program_has_its_output_below():
    assert len(PROGRAMS) == [language for language, _ in BLOCKS].count("python") > 5
    assert len(PROGRAMS) == [language for language, _ in BLOCKS].count("text")


@pytest.mark.parametrize(("code", "shown"), PROGRAMS, ids=[f"program {n}" for n in range(1, len(PROGRAMS) + 1)])
def test_a_program_prints_what_is_shown(code, shown, server, folder, monkeypatch, capsys):
    with server.space(scenario=parse_scenario(CALL)) as space:
        for name, value in space.env.items():
            monkeypatch.setenv(name, value)
        exec(compile(code, "docs/protocol.md", "exec"), {"__name__": "__main__"})
    assert capsys.readouterr().out == shown


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_command_exists_with_the_options_it_shows(words):
    group = {"uhlive-mock": mock, "uhlive-client": client}[words[0]]
    assert isinstance(group, click.Group)
    options = {name for parameter in group.commands[words[1]].params for name in parameter.opts}
    own = words[2 : words.index("--")] if "--" in words else words[2:]
    assert {word for word in own if word.startswith("--")} <= options


def test_what_it_says_is_no_longer_than_a_line_of_it():
    prose = re.sub(r"^```.*?^```", "", PAGE, flags=re.MULTILINE | re.DOTALL)
    assert [line for line in prose.splitlines() if len(line) > 120] == []
