"""What the plugin costs whoever does not use it: pytest loads it in every run."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("msgspec", "numpy", "websockets", "uvicorn", "starlette", "asyncio", "ssl", "click", "rich", "uhlive")


def test_a_run_that_does_not_use_it_imports_nothing_heavy(tmp_path):
    (tmp_path / "test_it.py").write_text("def test_it(): pass\n")
    program = f"""
import sys, pytest
before = set(sys.modules)
code = pytest.main(["-q", "-p", "uhlive_mock.pytest_plugin", {str(tmp_path)!r}])
heavy = [name for name in {HEAVY!r} if name in sys.modules and name not in before]
ours = [name for name in sys.modules if name.startswith("uhlive_mock.") and name.count(".") > 0]
print("HEAVY", heavy)
print("OURS", sorted(ours))
"""
    environment = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PATH": ""}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert "HEAVY []" in done.stdout, done.stdout + done.stderr
    [ours] = [line for line in done.stdout.splitlines() if line.startswith("OURS")]
    allowed = ("errors", "pytest_plugin", "testing", "testing.run", "testing.settings")
    assert eval(ours[5:]) == [f"uhlive_mock.{name}" for name in allowed]


EXTRAS = (
    *("pytest", "_pytest", "pytest_asyncio", "xdist", "hypothesis", "jsonschema"),
    *("aiohttp", "requests", "websocket", "uvloop", "sounddevice", "uhlive"),
)


def test_whoever_installs_no_extra_can_import_whatever_is_not_for_pytest():
    program = f"""
import importlib, pkgutil, sys
sys.modules |= dict.fromkeys({EXTRAS!r})  # None is for a module that is not there
for name in ("uhlive_mock", "uhlive_client"):
    for module in pkgutil.walk_packages(importlib.import_module(name).__path__, name + "."):
        if not module.name.endswith("__main__"):
            try:
                importlib.import_module(module.name)
            except ImportError as error:
                print(module.name, error.name)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert dict(line.split() for line in done.stdout.splitlines()) == {
        "uhlive_mock.pytest_plugin": "pytest",
        "uhlive_mock.testing.run": "pytest",
        "uhlive_mock.testing.trial": "pytest",
    }
