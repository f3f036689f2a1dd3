"""The layers of the package: imports go down only, and what touches the world stays on top."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LAYERS = (
    {"errors"},
    {"model"},
    {"wire", "scenario", "scenarios"},
    {"auth", "protocol"},
    {"verification"},
    {"server"},
    {"control"},
    {"mock_server"},
)
"""The parts of `uhlive_mock` from the bottom up. Any other part is a face of the package, on top of all."""

TOP = len(LAYERS)
SERVER = 5
DEMO = ("uhlive_mock", "cli")
WORLDLY = {"asyncio", "socket", "ssl", "threading", "time", "selectors", "multiprocessing", "subprocess"}
CHANCE = {"secrets"}
UNSEEDED = {"os.urandom", "uuid.uuid1", "uuid.uuid4", "random.SystemRandom", "numpy.random"}


@dataclass(frozen=True)
class Module:
    """A module's dotted name, whether it is a package, and its source."""

    name: str
    source: str
    is_package: bool = False

    @property
    def parts(self) -> list[str]:
        return self.name.split(".")

    @property
    def part(self) -> str:
        return part_of(self.name)

    @property
    def layer(self) -> int:
        return layer_of(self.name)


def part_of(name: str) -> str:
    """What a name belongs to within its package: `wire` for `uhlive_mock.wire.framing`."""
    return name.partition(".")[2].partition(".")[0]


def layer_of(name: str) -> int:
    return next((layer for layer, parts in enumerate(LAYERS) if part_of(name) in parts), TOP)


def imports_of(module: Module) -> Iterator[tuple[str, int]]:
    """The absolute name of everything a module imports anywhere in it, with the line."""
    for node in ast.walk(ast.parse(module.source)):
        match node:
            case ast.Import(names=names):
                yield from ((name.name, node.lineno) for name in names)
            case ast.ImportFrom(module=origin, names=names, level=level):
                # One dot is the package itself, and a package is its own `__init__`.
                package = module.parts if module.is_package else module.parts[:-1]
                base = package[: len(package) - level + 1] if level else []
                source = ".".join([*base, *([origin] if origin else [])])
                yield from ((f"{source}.{name.name}", node.lineno) for name in names)


def uses_of(module: Module) -> Iterator[tuple[str, ast.Call | None, int]]:
    """Every dotted name a module uses, undone of `import as`, with its call if it is called."""
    tree = ast.parse(module.source)
    aliases = {
        name.asname or name.name: name.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for name in node.names
    } | {
        name.asname or name.name: f"{node.module}.{name.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and not node.level
        for name in node.names
    }
    calls = {id(node.func): node for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute | ast.Name) and is_dotted(node):
            first, _, rest = ast.unparse(node).partition(".")
            name = aliases.get(first, first) + ("." + rest if rest else "")
            yield name, calls.get(id(node)), node.lineno


def is_dotted(node: ast.expr) -> bool:
    return is_dotted(node.value) if isinstance(node, ast.Attribute) else isinstance(node, ast.Name)


def violations(module: Module) -> list[str]:
    """What is wrong with a module, a sentence each."""
    return [f"{module.name}:{line}: {problem}" for line, problem in sorted(_problems(module))]


def _problems(module: Module) -> Iterator[tuple[int, str]]:
    package = module.parts[0]
    for name, line in imports_of(module):
        other, _, rest = name.partition(".")
        if {package, other} == {"uhlive_mock", "uhlive_client"} and tuple(module.parts[:2]) != DEMO:
            yield line, f"imports {name}; the two packages never import each other"
        if package != "uhlive_mock":
            continue
        if other == "uhlive_mock" and rest and not rest.startswith("__"):
            is_below = layer_of(name) < module.layer or part_of(name) == module.part
            if not (is_below or module.layer == TOP):
                yield line, f"imports {name}, which is not below {module.part}"
        if module.layer < SERVER:
            if other in WORLDLY:
                yield line, f"imports {other}, which is for the server"
            if other in CHANCE or name in UNSEEDED:
                yield line, f"imports {name}; chance is only random.Random(seed)"
            if other == "random" and rest not in {"", "Random"}:
                yield line, f"imports {name}; chance is only random.Random(seed)"
    if package == "uhlive_mock" and module.layer < SERVER:
        for name, call, line in uses_of(module):
            if name in UNSEEDED or (name.startswith("random.") and name != "random.Random"):
                yield line, f"uses {name}; chance is only random.Random(seed)"
            if name == "random.Random" and call and not call.args:
                yield line, "uses random.Random() without a seed"


def modules() -> list[Module]:
    found = []
    for folder in (ROOT / "uhlive_mock", ROOT / "client" / "uhlive_client"):
        for path in folder.rglob("*.py"):
            parts = [*path.relative_to(folder.parent).with_suffix("").parts]
            is_package = parts[-1] == "__init__"
            name = ".".join(parts[:-1] if is_package else parts)
            found.append(Module(name, path.read_text(encoding="utf-8"), is_package))
    return sorted(found, key=lambda module: module.name)


MODULES = modules()


def test_both_packages_are_looked_at():
    names = {module.name for module in MODULES}
    assert {"uhlive_mock", "uhlive_mock.wire.framing", "uhlive_client.wire"} <= names
    assert {module.layer for module in MODULES} == set(range(TOP + 1))


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)
def test_a_module_keeps_to_its_layer(module):
    assert violations(module) == []


# --- the test of the test ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "source", "problem"),
    [
        ("uhlive_mock.wire.framing", "from ..protocol.space import Space", "not below wire"),
        ("uhlive_mock.wire.framing", "from .. import protocol", "not below wire"),
        ("uhlive_mock.wire.framing", "from ..scenario import document", "not below wire"),
        ("uhlive_mock.wire.framing", "import uhlive_mock.server.spaces", "not below wire"),
        ("uhlive_mock.wire.framing", "from uhlive_mock import pytest_plugin", "not below wire"),
        ("uhlive_mock.errors", "from .model import audio", "not below errors"),
        ("uhlive_mock.protocol.player", "def f():\n    from ..server import spaces", "not below protocol"),
        ("uhlive_mock.protocol.player", "if TYPE_CHECKING:\n    from ..cli import main", "not below protocol"),
        ("uhlive_mock.server.spaces", "from ..cli import main", "not below server"),
        ("uhlive_mock.server.space_handle", "from ..mock_server import MockServer", "not below server"),
        ("uhlive_mock.mock_server", "from .cli import main", "not below mock_server"),
        ("uhlive_mock.protocol.player", "import asyncio", "imports asyncio"),
        ("uhlive_mock.protocol.player", "import asyncio.events as events", "imports asyncio"),
        ("uhlive_mock.model.audio", "from time import monotonic", "imports time"),
        ("uhlive_mock.scenario.document", "import os, ssl", "imports ssl"),
        ("uhlive_mock.wire.framing", "import threading", "imports threading"),
        ("uhlive_mock.wire.framing", "from socket import *", "imports socket"),
        ("uhlive_mock.protocol.plan", "import random\nrandom.random()", "uses random.random"),
        ("uhlive_mock.protocol.plan", "import random as r\nr.choice([1])", "uses random.choice"),
        ("uhlive_mock.protocol.plan", "import random\nrandom.Random()", "without a seed"),
        ("uhlive_mock.protocol.plan", "from random import Random\nRandom()", "without a seed"),
        ("uhlive_mock.protocol.plan", "from random import choice", "imports random.choice"),
        ("uhlive_mock.protocol.plan", "from os import urandom", "imports os.urandom"),
        ("uhlive_mock.protocol.plan", "import os\nos.urandom(3)", "uses os.urandom"),
        ("uhlive_mock.protocol.plan", "import uuid\nuuid.uuid4()", "uses uuid.uuid4"),
        ("uhlive_mock.protocol.plan", "import secrets", "imports secrets"),
        ("uhlive_mock.mock_server", "import uhlive_client", "never import each other"),
        ("uhlive_mock.pytest_plugin", "from uhlive_client.wire import decode", "never import each other"),
        ("uhlive_client.wire", "from uhlive_mock.wire import framing", "never import each other"),
        ("uhlive_client.cli", "import uhlive_mock", "never import each other"),
    ],
)
def test_a_violation_is_found(name, source, problem):
    [found] = violations(Module(name, source))
    assert problem in found
    assert found.startswith(f"{name}:")


@pytest.mark.parametrize(
    ("name", "source", "is_package"),
    [
        ("uhlive_mock.protocol.player", "from ..model.audio import SAMPLE_RATE\nfrom .plan import Planner", False),
        ("uhlive_mock.protocol.plan", "import random\nrandom.Random(7).random()", False),
        ("uhlive_mock.auth.tokens", "import random\ndef f(rng: random.Random): ...", False),
        ("uhlive_mock.scenario", "from .document import load\nfrom ..errors import ScenarioError", True),
        ("uhlive_mock.server.listeners", "from .. import __version__", False),
        ("uhlive_mock.server.spaces", "import time, asyncio\nfrom ..protocol.space import Space", False),
        ("uhlive_mock.mock_server", "from .server.space_handle import SpaceHandle", False),
        ("uhlive_mock.cli.demo", "import uhlive_client\nfrom .. import mock_server", False),
        ("uhlive_mock", "from .mock_server import MockServer", True),
        ("uhlive_mock.pytest_plugin", "from .cli import main", False),
        ("uhlive_client.aio", "import asyncio\nfrom .wire import decode", False),
    ],
)
def test_what_is_allowed_is_no_violation(name, source, is_package):
    assert violations(Module(name, source, is_package)) == []
