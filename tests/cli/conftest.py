"""The command line as a user runs it, without the second that an interpreter takes to start and to import.

One process of the test run imports the package and forks for every command line. What is tested is a process all
the same: its exit code, its signals, and all that it and the programs it starts write to file descriptors 1 and 2.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

import pytest

IMPORTED = [
    "pytest",  # for multiprocessing imports `__main__` in each fork
    "rich.live",
    "soundfile",
    "trustme",
    "uhlive_client.aio",
    "uhlive_mock.cli",
    "uhlive_mock.scenarios.reader",
    "uhlive_mock.mock_server",
    "uvicorn.protocols.http.auto",
]
assert all(find_spec(name) for name in IMPORTED)  # multiprocessing passes over what is not there
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(IMPORTED)
AS_A_PROGRAM = """
import os, runpy, sys
for file, path in enumerate(files, 1):
    os.dup2(os.open(path, os.O_WRONLY | os.O_APPEND), file)
os.environ.clear()
os.environ.update(environment)
sys.argv[1:] = arguments
runpy.run_module("uhlive_mock", run_name="__main__")
"""

PATIENCE_S = 60
Mock = Callable[..., subprocess.CompletedProcess[str]]


class Program:
    """A running `uhlive-mock`, and the files it writes to instead of a terminal."""

    def __init__(self, arguments: tuple[str, ...], folder: Path, environment: dict[str, str]) -> None:
        self.arguments = arguments
        self.stdout, self.stderr = folder / "stdout", folder / "stderr"
        for file in (self.stdout, self.stderr):
            file.write_text("")
        given = {
            "arguments": arguments,
            "environment": environment,
            "files": [str(self.stdout), str(self.stderr)],
        }
        self.process = FORKS.Process(target=exec, args=(AS_A_PROGRAM, given))
        self.process.start()

    def first_line(self) -> str:
        """The first line on stdout, once it is there."""
        while not (said := self.stdout.read_text()).endswith("\n"):
            assert not wait([self.process.sentinel], timeout=0.01), self.stderr.read_text()
        return said

    def end(self, within: float = PATIENCE_S) -> subprocess.CompletedProcess[str]:
        """How it ended and what it wrote; that it ends so soon is an assertion."""
        self.process.join(within)
        code = self.process.exitcode
        assert code is not None, f"{self.arguments} still runs after {within:g} s"
        return subprocess.CompletedProcess(self.arguments, code, self.stdout.read_text(), self.stderr.read_text())


@pytest.fixture
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Program]]:
    """Start a command line."""
    programs: list[Program] = []

    def start(*arguments: str, env: dict[str, str] | None = None) -> Program:
        program = Program(arguments, tmp_path_factory.mktemp("program"), dict(env or os.environ))
        programs.append(program)
        return program

    yield start
    for program in programs:
        program.process.kill()
        program.process.join()
        program.process.close()


@pytest.fixture
def mock(start: Callable[..., Program]) -> Mock:
    """Run a command line to its end."""

    def run(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        return start(*arguments, **options).end()

    return run


class Served:
    """A `serve` process and its ready object."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.ready: dict[str, Any] = json.loads(program.first_line())

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self.program.process.pid or 0

    def stop(self, number: int = signal.SIGTERM, *, within: float = PATIENCE_S) -> tuple[int, str]:
        """Send a signal; the exit code and what was logged."""
        os.kill(self.pid, number)
        done = self.program.end(within)
        return done.returncode, done.stderr


@pytest.fixture
def serve(start: Callable[..., Program]) -> Callable[..., Served]:
    """Start `serve --json` on free ports."""

    def serve(*arguments: str) -> Served:
        return Served(start("serve", "--json", "--port", "0", "--tls-port", "0", *arguments))

    return serve
