from __future__ import annotations

import re
from functools import cache
from pathlib import Path

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
    """Mark as `sdk` the tests of a file that uses the official SDK: what another generation of it can break."""
    for item in items:
        if uses_the_sdk(item.path):
            item.add_marker("sdk")


@cache
def uses_the_sdk(test_file: Path) -> bool:
    """Whether a file imports the SDK, has a program that does, or asks for a fixture that does."""
    return bool(re.search(r"\buhlive[. ](stream|auth|import)|_sdk\b", test_file.read_text(encoding="utf-8")))
