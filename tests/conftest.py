from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
from hypothesis import settings

pytest_plugins = ["pytester"]

# A machine that is busy is not a defect, and what half of the examples do not find is for a long run:
# `pytest --hypothesis-profile=default`.
settings.register_profile("quick", settings.default, max_examples=50, deadline=None)
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
