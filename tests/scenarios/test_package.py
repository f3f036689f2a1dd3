"""Importing the package costs nothing; every name it promises is there."""

from __future__ import annotations

import subprocess
import sys

import pytest

from uhlive_mock import scenarios


@pytest.mark.parametrize("name", scenarios.__all__)
def test_every_promised_name_is_callable(name: str) -> None:
    assert callable(getattr(scenarios, name))


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'lode_scenario'"):
        scenarios.lode_scenario  # noqa: B018


def test_importing_the_package_imports_nothing_heavy() -> None:
    program = "import sys, uhlive_mock.scenarios\nprint(sorted({'ruamel.yaml', 'msgspec'} & set(sys.modules)))"
    shown = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert shown.stdout == "[]\n"


def test_the_names_stay_functions_when_their_modules_are_imported() -> None:
    program = (
        "import uhlive_mock.scenarios as s, uhlive_mock.scenarios.events, uhlive_mock.scenarios.builder\n"
        "import uhlive_mock.scenarios.reader, uhlive_mock.scenarios.format, uhlive_mock.scenarios.grammar\n"
        "assert all(callable(getattr(s, name)) for name in s.__all__)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
