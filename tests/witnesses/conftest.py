from __future__ import annotations

import os
import shutil
import subprocess
import sys
import wave
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest

from uhlive_mock.cli.demo import sample

PROGRAMS = Path(__file__).parent / "programs"
SPEED = 10
"""How much faster than life these calls are: the sound card's clock and the mock's clock alike."""

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def sdk_vocabulary() -> str:
    """The vocabulary that the installed SDK generation understands."""
    return "legacy" if version("uhlive").startswith("1.") else "universal"


@pytest.fixture(scope="session")
def run_program(tmp_path_factory: pytest.TempPathFactory, sdk_vocabulary: str) -> Run:
    """Run a user's program under `uhlive-mock run`, on a sample call, and return what came of it."""

    def run(
        program: str,
        *arguments: str,
        call: str = "billets",
        vocabulary: str = sdk_vocabulary,
        **variables: str,
    ) -> subprocess.CompletedProcess[str]:
        # At this speed half a second of a busy machine would be a silence that ends the call.
        scenario = tmp_path_factory.mktemp("program") / f"{call}.yaml"
        scenario.write_text(sample(scenario.name).read_text() + "limits: {gap: off}\n")
        mock = [sys.executable, "-m", "uhlive_mock", "run", str(scenario), "--rate", str(SPEED)]
        command = [sys.executable, "-W", "error", str(PROGRAMS / program), *arguments]
        env = {
            **{name: value for name, value in os.environ.items() if not name.startswith("UHLIVE_")},
            "SOUND_FILE": str(sample(f"{call}-alice.wav")),
            "SOUND_RATE": str(SPEED),
            "PACE": str(SPEED),
            "PYTHONPATH": str(PROGRAMS),
            **variables,
        }
        return subprocess.run(
            [*mock, "--vocabulary", vocabulary, "--", *command],
            env=env,
            capture_output=True,
            text=True,
            timeout=60,
        )

    return run


@pytest.fixture
def raw_speech(tmp_path: Path) -> Callable[[str], Path]:
    """A sample recording without its WAV header, as the SDK's file example reads it."""

    def convert(name: str) -> Path:
        raw = tmp_path / f"{name}.pcm"
        with wave.open(str(sample(f"{name}.wav")), "rb") as sound:
            raw.write_bytes(sound.readframes(sound.getnframes()))
        return raw

    return convert


@pytest.fixture(scope="session")
def javascript(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the JavaScript programs and their packages installed."""
    npm = shutil.which("npm")
    if not (npm and shutil.which("node")):
        pytest.skip("node and npm are not installed")
    folder = tmp_path_factory.mktemp("javascript")
    for program in (PROGRAMS / "package.json", *PROGRAMS.glob("*.js")):
        shutil.copy(program, folder)
    install = [npm, "install", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"]
    subprocess.run(install, cwd=folder, check=True, capture_output=True, timeout=120)
    return folder
