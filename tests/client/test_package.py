"""What holds for the package as a whole."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest
import uhlive_client
from uhlive_client import aio, blocking, errors

PACKAGE = Path(uhlive_client.__file__).parent
MODULES = sorted(path.stem for path in PACKAGE.glob("*.py"))
COMMANDS = sorted(f"cli.{path.stem}" for path in (PACKAGE / "cli").glob("*.py"))
LAYERS = (
    ("errors",),
    ("wire", "events", "codecs"),
    ("vocabulary", "token", "formats", "live_audio"),
    ("audio",),
    ("pacing", "conversation", "settings"),
    ("call_state", "login"),
    ("transport", "transcript", "piped"),
    ("aio",),
    ("blocking",),
    ("cli",),
    ("__init__", "__main__"),
)
PURE = (
    *("errors", "wire", "events", "codecs", "vocabulary", "token", "formats"),
    *("audio", "pacing", "conversation", "call_state"),
)


def imports(module: str) -> tuple[set[str], set[str]]:
    """The modules of this package and the packages of others that a module imports."""
    ours, theirs = set(), set()
    for node in ast.walk(ast.parse((PACKAGE / f"{module.replace('.', '/')}.py").read_text())):
        match node:
            case ast.Import(names=names):
                theirs |= {name.name.split(".")[0] for name in names}
            case ast.ImportFrom(module=None, level=1, names=names):
                ours |= {name.name for name in names}
            case ast.ImportFrom(module=str(name), level=1):
                ours.add(name)
            case ast.ImportFrom(module=str(name)):
                theirs.add(name.split(".")[0])
    return ours, theirs


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_down_only(module):
    ranks = {name: rank for rank, names in enumerate(LAYERS) for name in names}
    ours, theirs = imports(module)
    assert all(ranks[name] < ranks[module] for name in ours)
    assert "uhlive_mock" not in theirs
    if module in PURE:
        assert not theirs & {"asyncio", "socket", "ssl", "threading", "time", "websockets", "os"} - {"os"}


@pytest.mark.parametrize("module", COMMANDS)
def test_commands_know_nothing_of_the_mock(module):
    assert "uhlive_mock" not in imports(module)[1]


def test_importing_is_cheap():
    code = "import sys, uhlive_client; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert not {"asyncio", "websockets", "numpy", "soundfile", "soxr", "msgspec", "rich", "ssl"} & set(loaded)


def test_everything_announced_is_there():
    for name in uhlive_client.__all__:
        assert getattr(uhlive_client, name) is not None
    assert set(uhlive_client.__all__) <= set(dir(uhlive_client))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = uhlive_client.nothing


def test_the_drawn_tree_is_the_real_one():
    drawn = set(re.findall(r"[├└]── (\w+)", errors.__doc__))
    real = {
        name
        for name, kind in vars(errors).items()
        if inspect.isclass(kind) and issubclass(kind, errors.UhliveClientError)
    }
    assert drawn == real - {"UhliveClientError"}
    assert drawn < set(uhlive_client.__all__)


def test_both_shells_have_the_same_names_and_take_the_same():
    calls = aio.Call, blocking.Call
    verbs = [{name for name in dir(call) if not name.startswith("_")} for call in calls]
    assert verbs[0] == verbs[1]
    for name in verbs[0] - {"conversation", "joined", "pacing"}:
        one, other = (inspect.signature(getattr(call, name)) for call in calls)
        assert list(one.parameters) == list(other.parameters)
    assert inspect.signature(aio.connect) == inspect.signature(blocking.connect)
    assert uhlive_client.blocking is blocking
