"""Scenario documents: YAML text in, a scenario out, or every reason why not.

Every error names its file, line and path, what was found and what was expected.
"""

from __future__ import annotations

import os
from pathlib import PurePath

from ..errors import ScenarioError
from ..model.scenario import Scenario
from .nodes import LARGEST, Node, read_nodes
from .plain import quote_annotated
from .reader import Reader


def load_scenario(path: str | os.PathLike[str]) -> Scenario:
    """The scenario in a file; its name is the file's, without the suffix, unless the document says another.

    Raises:
        ScenarioError: the first problem of the file, by line; `check_scenario` returns them all.
    """
    return parse_scenario(_read(path), source=os.fspath(path))


def parse_scenario(text: str, source: str = "<string>") -> Scenario:
    """The scenario in a text; `source` names it in messages; a file's also names the scenario.

    Raises:
        ScenarioError: the first problem of the text, by line.
    """
    scenario, problems = _parse(text, source)
    if scenario is None:
        raise problems[0]
    return scenario


def check_scenario(path: str | os.PathLike[str]) -> list[ScenarioError]:
    """Every problem of a file that can be told apart, by line; empty when `load_scenario` would load it."""
    try:
        return _parse(_read(path), os.fspath(path))[1]
    except ScenarioError as problem:
        return [problem]


def _parse(text: str, source: str) -> tuple[Scenario | None, list[ScenarioError]]:
    """The scenario of a text, or None and the problems that keep it from being one."""
    root, problems = _nodes(text.removeprefix("\ufeff"), source)
    reader = Reader(source)
    default_name = Scenario().name if source[:1] in ("", "<") else PurePath(source).stem or source
    scenario = reader.scenario(root, default_name)
    problems = sorted(problems + reader.problems, key=lambda problem: problem.line or 0)
    return (None if problems else scenario), problems


def _nodes(text: str, source: str) -> tuple[Node, list[ScenarioError]]:
    """The tree of a text, in which annotated texts may lack their quotes."""
    try:
        return read_nodes(text, source)
    except ScenarioError:
        quoted = quote_annotated(text)
        if quoted == text:
            raise
    return read_nodes(quoted, source)


def _read(path: str | os.PathLike[str]) -> str:
    source = os.fspath(path)
    try:
        with open(source, "rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise ScenarioError(f"cannot be read: {error.strerror}", source=source) from None
    except ValueError as error:
        raise ScenarioError(f"cannot be read: {error}", source=repr(source)) from None
    if len(content) > LARGEST:
        raise ScenarioError(f"found more than {LARGEST} bytes; expected a smaller file", source=source)
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        problem = f"found the byte 0x{content[error.start]:02X}; expected text in UTF-8"
        raise ScenarioError(problem, source=source, line=line) from None
