from __future__ import annotations

from functools import cache
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import settings

pytest_plugins = ["pytester"]

# What thirty examples do not find is for a long run: `pytest --hypothesis-profile=thorough`. A machine that is busy
# is not a defect, and a test that fails fails again.
settings.register_profile("quick", max_examples=30, derandomize=True, deadline=None)
settings.register_profile("thorough", max_examples=1000, deadline=None)
settings.load_profile("quick")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as `sdk` the tests of a module that imports the official SDK, and those that run a program on it."""
    for item in items:
        if isinstance(item, pytest.Function) and (
            "sdk_vocabulary" in item.fixturenames or imports_the_sdk(item.module)
        ):
            item.add_marker("sdk")


@cache
def imports_the_sdk(module: ModuleType) -> bool:
    """Whether a module imports the SDK for all of its tests, or for one of them."""
    origins = (getattr(value, "__module__", getattr(value, "__name__", None)) for value in vars(module).values())
    return 'importorskip("uhlive.' in Path(str(module.__file__)).read_text(encoding="utf-8") or any(
        isinstance(origin, str) and origin.partition(".")[0] == "uhlive" for origin in origins
    )
