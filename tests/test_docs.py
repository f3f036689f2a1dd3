"""Every page of the documentation is executed: README.md, docs/*.md and fixtures/README.md.

What happens to a fenced block follows from its language, its title and the block right below it. Blocks with a
title, as in "yaml title=call.yaml", are files. The files of all pages lie in one folder, and everything runs there.

    block                  what happens                                                  a text block below it is
    yaml                   it loads as a scenario
    python                 it runs, in the call of the page's call.yaml, else the        what it prints
                           built-in one
    python with a title    a command of some page runs it
    python with tests      they pass, in a project of their own                          (console) the report of the
                                                                                         failure that is expected
    sh                     each command exists with its options; those that need         what the last one prints
                           nothing but these files run
    sh with a title        bash runs it against a server                                 what it prints

In a text block, a line of three dots stands for any lines.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from urllib.request import urlopen

import click
import numpy as np
import pytest
import soundfile as sf
from click.testing import CliRunner, Result
from uhlive_client.cli import main as client

from uhlive_mock import MockServer, ScenarioError, parse_scenario
from uhlive_mock.cli import main as mock
from uhlive_mock.model.fault import Fault, FaultKind

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md")), ROOT / "fixtures" / "README.md"]
LANGUAGES = {"yaml", "python", "sh", "text", "console"}
FENCED = re.compile(r"^```(\w+)(?: title=(\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ALONE = {"check", "show", "schema", "explain", "demo"}
"""Commands that need neither another program nor another terminal."""


@dataclass(frozen=True, kw_only=True)
class Block:
    """A fenced block, and the text of the one right below it if that is output."""

    page: str
    number: int
    language: str
    title: str
    code: str
    output: str | None

    @property
    def holds_tests(self) -> bool:
        return self.language == "python" and "def test_" in self.code

    def __str__(self) -> str:
        return f"{self.page} {self.title or self.number}"


def blocks_of(path: Path) -> Iterator[Block]:
    found = FENCED.findall(path.read_text(encoding="utf-8"))
    for number, ((language, title, code), below) in enumerate(zip(found, [*found[1:], ("", "", "")], strict=True)):
        output = below[2] if language in ("python", "sh") and below[0] in ("text", "console") else None
        name = path.relative_to(ROOT).as_posix()
        yield Block(page=name, number=number, language=language, title=title, code=code, output=output)


BLOCKS = [block for path in PAGES for block in blocks_of(path)]
FILES = {block.title: block for block in BLOCKS if block.title}
SCENARIOS = [block for block in BLOCKS if block.language == "yaml"]
PROGRAMS = [b for b in BLOCKS if b.language == "python" and not b.holds_tests and not b.title]
TESTS = [block for block in BLOCKS if block.holds_tests]
PASSING = [block for block in TESTS if block.output is None]
FAILING = [block for block in TESTS if block.output is not None]
SHELL = [block for block in BLOCKS if block.language == "sh"]
SCRIPTS = [block for block in SHELL if block.title]
of_block = partial(pytest.mark.parametrize, "block", ids=str)


def commands_in(shell: str) -> list[str]:
    joined = shell.replace("\\\n", "")
    return [found.strip() for found in re.findall(r"(?:uhlive-mock|uhlive-client) [^\n\"#)&]*", joined)]


WITH_OUTPUT = [block for block in SHELL if block.output and not block.title]
"""Commands whose output is shown: that of the last one of each block."""

COMMANDS = list(dict.fromkeys(command for block in SHELL for command in commands_in(block.code)))


def runs_a_file(command: str) -> bool:
    return "--" in command.split() and command.split()[-1] in FILES


def needs_only_files(command: str) -> bool:
    return command.split()[1] in ALONE or runs_a_file(command)


SHOWN = [commands_in(block.code)[-1] for block in WITH_OUTPUT]
RUN = [command for command in COMMANDS if needs_only_files(command) and command not in SHOWN]


# --- where it runs --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server() -> Iterator[MockServer]:
    with MockServer() as server:
        yield server


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    """The files of all pages, and a second of the sample call: all of it takes as long as saying it."""
    folder = tmp_path_factory.mktemp("pages")
    for title, block in FILES.items():
        (folder / title).write_text(block.code, encoding="utf-8")
    (folder / "fixtures").mkdir()
    second, rate = sf.read(ROOT / "fixtures" / "billets-alice.wav", frames=8000)
    sf.write(folder / "fixtures" / "billets-alice.wav", second, rate)
    sf.write(folder / "fixtures" / "call.flac", np.column_stack([second, second]), rate)
    return folder


@pytest.fixture
def folder(files, monkeypatch) -> Path:
    for name in [name for name in os.environ if name.startswith("UHLIVE_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(files)
    return files


@pytest.fixture
def signals() -> Iterator[None]:
    """A command in this process leaves the handlers of signals as they were."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def run(command: str) -> Result:
    program, *words = shlex.split(command)
    assert program == "uhlive-mock"
    if words[0] == "demo":
        words += ["--rate", "5"]  # faster, and the rule `idle` may close a socket while a busy machine starts
    return CliRunner().invoke(mock, [sys.executable if word == "python" else word for word in words])


def assert_prints(printed: str, shown: str) -> None:
    if "...\n" not in shown:
        assert printed == shown
        return
    pattern = "".join(r"(?:.*\n)*?" if line == "..." else re.escape(line) + r"\n" for line in shown.splitlines())
    assert re.fullmatch(pattern, printed), printed


# --- the blocks -----------------------------------------------------------------------------------------------


def test_every_block_is_of_a_language_that_is_executed():
    assert {block.language for block in BLOCKS} <= LANGUAGES
    assert len(FILES) == len([block for block in BLOCKS if block.title])


@of_block(SCENARIOS)
def test_a_scenario_loads(block):
    assert parse_scenario(block.code).speakers


@of_block(PROGRAMS)
def test_a_program_prints_what_is_shown(block, server, folder, monkeypatch, capsys):
    call = FILES["call.yaml"]
    scenario = parse_scenario(call.code) if call.page == block.page else None
    with server.space(scenario=scenario) as space:
        for name, value in space.env.items():
            monkeypatch.setenv(name, value)
        exec(compile(block.code, block.page, "exec"), {"__name__": "__main__"})
    if block.output is not None:
        assert_prints(capsys.readouterr().out, block.output)


def test_every_program_about_the_protocol_has_its_output_below():
    programs = [block for block in PROGRAMS if block.page == "docs/protocol.md"]
    assert len(programs) > 5
    assert all(block.output for block in programs)


def test_every_program_with_a_title_is_run_by_a_command():
    run_by_commands = {command.split()[-1] for command in COMMANDS if runs_a_file(command)}
    assert run_by_commands == {b.title for b in FILES.values() if b.language == "python" and not b.holds_tests}


def test_the_tests_pass_in_a_project_of_their_own(pytester):
    for_one_sdk = [block for block in PASSING if "skipif" in block.code]
    assert len(for_one_sdk) == 2  # one for each generation
    names = {f"test_{Path(block.page).stem.replace('-', '_')}_{block.number}": block.code for block in PASSING}
    pytester.makepyfile(**names)
    result = pytester.runpytest_subprocess("--strict-markers", "-W", "error", "-p", "no:asyncio")
    written = sum(code.count("def test_") for code in names.values())
    result.assert_outcomes(passed=written - 1, skipped=1)


@of_block(FAILING)
def test_a_test_that_is_to_fail_reports_what_is_shown(block, pytester, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    pytester.makepyfile(**{block.title.removesuffix(".py"): block.code})
    result = pytester.runpytest_subprocess("--strict-markers", "-W", "error", "-p", "no:asyncio")
    result.assert_outcomes(passed=1, errors=1)
    assert same_account(block.output) in same_account("\n".join(result.outlines) + "\n")


def same_account(text: str) -> str:
    """The text with another client id, which is a random one."""
    return re.sub(r"client-\w{8}", "client-********", text)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_exists_with_the_options_it_shows(command):
    words = shlex.split(command)
    group = {"uhlive-mock": mock, "uhlive-client": client}[words[0]]
    assert isinstance(group, click.Group)
    options = {name for parameter in group.commands[words[1]].params for name in parameter.opts}
    own = words[2 : words.index("--")] if "--" in words else words[2:]
    assert {word for word in own if word.startswith("--")} <= options


@pytest.mark.parametrize("command", RUN)
@pytest.mark.usefixtures("folder", "signals")
def test_a_command_that_needs_only_the_files_succeeds(command):
    if "--vocabulary legacy" in command and version("uhlive") >= "2":
        pytest.skip("for SDK 1.x")
    if runs_a_file(command) and "--vocabulary" not in command and version("uhlive") < "2":
        command = command.replace(" run ", " run --vocabulary legacy ")
    result = run(command)
    assert result.exit_code == 0, result.output


@of_block(WITH_OUTPUT)
@pytest.mark.usefixtures("folder", "signals")
def test_a_command_prints_what_is_shown(block):
    assert_prints(run(commands_in(block.code)[-1]).stdout, block.output)


@of_block(SCRIPTS)
@pytest.mark.skipif(not (shutil.which("bash") and shutil.which("curl")), reason="for bash and curl")
def test_a_script_prints_what_is_shown(block, server, folder):
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    with server.space() as space:
        command = ["bash", "-euc", block.code.replace("127.0.0.1:8080", space.ws_url.removeprefix("ws://"))]
    env = os.environ | {"PATH": path}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.returncode) == (block.output, 0), done.stderr


# --- the prose ------------------------------------------------------------------------------------------------


def prose_of(path: Path) -> str:
    return FENCED.sub("", path.read_text(encoding="utf-8"))


def anchors_of(path: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", prose_of(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(
    "path", [*PAGES, ROOT / "CHANGELOG.md"], ids=lambda path: path.relative_to(ROOT).as_posix()
)
def test_every_link_between_pages_leads_somewhere(path):
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`]*`", "", prose_of(path))):
        if target.startswith(("https://", "http://")):
            continue
        name, _, anchor = target.partition("#")
        to = (path.parent / name).resolve() if name else path
        assert to.is_file(), f"{path.name} links to {target}"
        assert not anchor or anchor in anchors_of(to), f"{path.name} links to {target}"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_line_of_prose_is_longer_than_a_line_of_code(path):
    lines = [line for line in prose_of(path).splitlines() if not line.startswith("|")]
    assert [line for line in lines if len(line) > 120] == []


# --- the tables -----------------------------------------------------------------------------------------------


def table(page: str, heading: str) -> list[list[str]]:
    """The cells of the rows of the table whose first column has such a heading."""
    text = (ROOT / page).read_text(encoding="utf-8")
    rows = text.partition(f"\n| {heading} |")[2].partition("\n\n")[0].splitlines()[2:]
    assert rows, f"{page} has no such table"
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def names_in(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_the_rules_of_time_have_the_defaults_it_says():
    rows = table("docs/time.md", "rule")
    assert [row[0] for row in rows] == ["`throttle`", "`gap`", "`idle`", "`chunk`"]
    for rule, by_default, effect in rows:
        ledger = json.loads(CliRunner().invoke(mock, ["explain", rule.strip("`"), "--json"]).stdout)
        defaults = {entry["name"].removeprefix(f"limits.{rule.strip('`')}."): entry["default"] for entry in ledger}
        for key, value in re.findall(r"`(\w+): ([^`]+)`", by_default + effect):
            assert defaults[key] == value
        assert "action" not in defaults or f"`{defaults['action']}`" in effect


def test_the_faults_are_all_there_are_with_what_they_take():
    found: list[FaultKind] = []
    for _, kinds in table("docs/faults.md", "strikes"):
        faults = [parse_fault(text) for text in names_in(kinds) if not text.startswith("phx_")]
        assert len({fault.kind.stage for fault in faults}) == 1
        found += [fault.kind for fault in faults]
    assert found == list(FaultKind)


def parse_fault(text: str) -> Fault:
    written = f"{{{text}}}" if ":" in text else text
    call = parse_scenario(f"version: 1\nspeakers:\n  Alice:\n    - at: 1s\n      fault: {written}\n")
    [cue] = call.speakers["Alice"].cues
    assert isinstance(cue.action, Fault)
    return cue.action


def test_the_actions_of_a_cue_are_all_there_are():
    rows = table("docs/scenarios.md", "action")
    cue = "version: 1\nspeakers:\n  Alice:\n    - at: 1s\n      "
    with pytest.raises(ScenarioError, match="has no action") as refused:
        parse_scenario(cue + "until: 2s\n")
    assert [name for row in rows for name in names_in(row[0])] == re.findall(r"'(\w+)'", str(refused.value))
    for action, what in rows:
        for example in re.findall(r"`([{\[].*?[}\]])`", what):
            parse_scenario(f"{cue}{action.strip('`')}: {example}\n")


def test_the_settings_of_a_test_are_those_of_the_plugin(pytestconfig):
    [marker] = [line for line in pytestconfig.getini("markers") if line.startswith("uhlive_mock(")]
    names = [name for row in table("docs/tests.md", "setting") for name in names_in(row[0])]
    assert sorted(names) == sorted(re.findall(r"\w+", marker.partition(":")[0])[1:])
    for name in [*names, "artifacts"]:
        if name not in ("scenario", "limits"):
            pytestconfig.getini(f"uhlive_mock_{name}")
            pytestconfig.getoption(f"uhlive_mock_{name}")


def test_the_fixtures_are_those_of_the_plugin(pytestconfig):
    plugin = pytestconfig.pluginmanager.get_plugin("uhlive_mock")
    for row in table("docs/tests.md", "fixture"):
        assert hasattr(plugin, row[0].strip("`"))


def test_the_variables_are_those_that_a_program_gets(server):
    names = [name for row in table("docs/running.md", "variable") for name in names_in(row[0])]
    with server.space() as space:
        assert sorted(names) == sorted(space.env)


def test_the_operations_are_those_of_the_control_api(server):
    shown = {
        ("/_mock/" + path.replace("…", "spaces/{space}"), method)
        for paths, methods, _ in table("docs/control-api.md", "under `/_mock/`")
        for path in names_in(paths)
        for method in methods.split(", ")
    }
    with server.space() as space, urlopen(f"http{space.ws_url[2:]}/_mock/openapi.json") as answer:
        document = json.load(answer)
    paths = {(path, method.upper()) for path, methods in document["paths"].items() for method in methods}
    assert shown == paths | {("/_mock/openapi.json", "GET")}


def test_the_grades_are_those_of_the_ledger():
    ledger = CliRunner().invoke(mock, ["explain", "limits"]).stdout
    ledger += CliRunner().invoke(mock, ["explain", "tokens"]).stdout
    for grade, meaning in table("docs/fidelity.md", "grade"):
        assert f"{grade}: {meaning}" in ledger
