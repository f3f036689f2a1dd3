"""What users need a name for can be imported from `uhlive_mock`: every type that the fixtures lead to."""

from __future__ import annotations

import ast
import enum
import inspect
import subprocess
import sys
import typing
from collections.abc import Iterator
from pathlib import Path

import msgspec

import uhlive_mock
from uhlive_mock import LiveEvent, MockServer, RawEvent, Scenario, Sdk, SpaceHandle

FIXTURES = (MockServer, SpaceHandle, Sdk)
"""The types of the fixtures."""

OPAQUE = {Scenario, LiveEvent, RawEvent}
"""What is made by `scenario()`, a document or `segment()` and its like, and passed on as a whole."""


def types_in(annotation: object) -> Iterator[type]:
    """The classes that an annotation names."""
    if isinstance(annotation, type) and not typing.get_args(annotation):
        yield annotation
    elif isinstance(annotation, list | tuple):
        for part in annotation:
            yield from types_in(part)
    else:
        for part in typing.get_args(annotation):
            yield from types_in(part)


def annotations_of(public: type) -> Iterator[object]:
    """What its fields, its properties and its methods are annotated with."""
    if issubclass(public, msgspec.Struct) or typing.is_typeddict(public):
        yield from typing.get_type_hints(public).values()
    for name, member in inspect.getmembers(public):
        function = member.fget if isinstance(member, property) else inspect.unwrap(member)
        is_ours = inspect.isfunction(function) and function.__module__.startswith("uhlive_mock")
        if is_ours and (not name.startswith("_") or (public is MockServer and name == "__init__")):
            yield from typing.get_type_hints(function).values()


def reachable() -> set[type]:
    """Every class of ours that the fixtures lead to."""
    found: set[type] = set()
    waiting: list[type] = list(FIXTURES)
    while waiting:
        public = waiting.pop()
        if public in found or not public.__module__.startswith("uhlive_mock"):
            continue
        found.add(public)
        if public not in OPAQUE and not issubclass(public, enum.Enum):
            waiting += [each for annotation in annotations_of(public) for each in types_in(annotation)]
    return found


def test_every_type_that_the_fixtures_lead_to_can_be_imported():
    found = reachable()
    assert len(found) > 50
    hidden = [each for each in found if getattr(uhlive_mock, each.__name__, None) is not each]
    assert hidden == []


def test_the_types_of_the_fixtures_and_of_what_they_return_have_their_names():
    for name in ("SpaceHandle", "Sdk", "Entry", "Kind", "Fault", "FaultKind", "Limits", "Violation", "Verdict"):
        assert inspect.isclass(getattr(uhlive_mock, name))
    assert uhlive_mock.Journal is uhlive_mock.JournalHandle
    assert inspect.isclass(uhlive_mock.Pacing)
    assert inspect.isclass(uhlive_mock.SpaceSettings)


def test_every_exported_name_can_be_imported():
    for name in uhlive_mock.__all__:
        assert getattr(uhlive_mock, name) is not None


def test_a_type_checker_sees_what_there_is():
    tree = ast.parse(Path(uhlive_mock.__file__).read_text(encoding="utf-8"))
    [block] = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {
        (each.module, name.name) for each in block.body if isinstance(each, ast.ImportFrom) for name in each.names
    }
    assert seen == {(home, name) for name, home in uhlive_mock._HOMES.items()}


def test_the_package_loads_nothing_by_itself():
    program = "import sys, uhlive_mock; print([name for name in sys.modules if name.startswith('uhlive_mock.')])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
