"""Scenarios: documents, the Python builder, and what is told about them.

Nothing is imported until it is used, since every pytest run of everyone who has the plugin imports this package.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .builder import ScenarioBuilder, builtin_scenario, scenario
    from .format import format_scenario, outline
    from .grammar import json_schema
    from .reader import check_scenario, load_scenario, parse_scenario

__all__ = [
    "ScenarioBuilder",
    "builtin_scenario",
    "check_scenario",
    "format_scenario",
    "json_schema",
    "load_scenario",
    "outline",
    "parse_scenario",
    "scenario",
]

_HOMES = {
    "ScenarioBuilder": "builder",
    "builtin_scenario": "builder",
    "check_scenario": "reader",
    "format_scenario": "format",
    "json_schema": "grammar",
    "load_scenario": "reader",
    "outline": "format",
    "parse_scenario": "reader",
    "scenario": "builder",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
