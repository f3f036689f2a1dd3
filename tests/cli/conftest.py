from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

MOCK = [sys.executable, "-m", "uhlive_mock"]
Mock = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def mock() -> Mock:
    """Run the command line to its end."""

    def run(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*MOCK, *arguments], capture_output=True, text=True, timeout=60, **options)

    return run


class Served:
    """A `serve` process and its ready object."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        assert process.stdout
        self.ready: dict[str, Any] = json.loads(process.stdout.readline())

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """Send a signal; the exit code and what was logged. Three seconds is what is promised."""
        self.process.send_signal(number)
        _, log = self.process.communicate(timeout=3)
        return self.process.returncode, log


@pytest.fixture
def serve() -> Iterator[Callable[..., Served]]:
    """Start `serve --json` on free ports."""
    processes: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> Served:
        command = [*MOCK, "serve", "--json", "--port", "0", "--tls-port", "0", *arguments]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        processes.append(process)
        return Served(process)

    yield start
    for process in processes:
        process.kill()
        process.communicate()
