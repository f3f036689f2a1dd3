from __future__ import annotations

import sys
from types import ModuleType

import pytest

from uhlive_mock import MockServer

OTHERS = ("asyncio", "anyio", "hypothesispytest", "xdist", "timeout", "randomly", "cacheprovider", "rerunfailures")
"""Plugins that a run does without unless it asks for them."""

SHARED = """
import pytest

@pytest.fixture(scope="session")
def uhlive_mock_server():
    import uhlive_mock_shared
    return uhlive_mock_shared.server
"""


@pytest.fixture(scope="session", autouse=True)
def server():
    """A server for all runs in this process."""
    shared = ModuleType("uhlive_mock_shared")
    sys.modules[shared.__name__] = shared
    with MockServer() as shared.server:
        yield shared.server
    del sys.modules[shared.__name__]


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch):
    for setting in ("CLOCK", "RATE", "VOCABULARY", "SEED", "STRICT", "ALLOW", "DENY", "ARTIFACTS"):
        monkeypatch.delenv(f"UHLIVE_MOCK_{setting}", raising=False)
    monkeypatch.setattr("urllib.request._opener", None)  # since Python 3.12 it trusts whom it did at its first call


class Imports:
    """What runs in this process imported, but for their own tests."""

    def __init__(self):
        self.modules = {}

    def pytest_unconfigure(self, config):
        for name, module in sys.modules.items():
            file = getattr(module, "__file__", None)
            if not (file and file.startswith(str(config.rootpath))):
                self.modules[name] = module


@pytest.fixture(autouse=True)
def imports():
    """Keeps what was imported, once `pytester` has forgotten it: some of it cannot be imported twice."""
    imports = Imports()
    yield imports
    sys.modules.update(imports.modules)


@pytest.fixture
def run_here(pytester, imports):
    """Run pytest in this process."""

    def run_here(*args):
        result = pytester.runpytest_inprocess(*args, plugins=[imports])
        sys.modules.update(imports.modules)
        return result

    return run_here


@pytest.fixture
def run(pytester, run_here, monkeypatch):
    """Run the tests of a source in this process, with our plugin, few others and the shared server."""
    pytester.makeconftest(SHARED)
    monkeypatch.setattr("tempfile.tempdir", str(pytester.path))  # where a run without a cache keeps things

    def run(source="", *args, plugins=()):
        if source:
            pytester.makepyfile(test_it=source)
        options = [part for name in OTHERS if name not in plugins for part in ("-p", f"no:{name}")]
        return run_here(*options, "--strict-markers", "-W", "error", *args)

    return run
