"""A tree of nodes to a scenario.

`Reader` walks the tree with the tables of `grammar` and goes on after a problem to find them all:

- a problem is raised where it is found and kept by the nearest `keeping`, which knows the place;
- a value with a kept problem inside raises `_Incomplete`, so that nothing is built from half of it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import PurePath
from typing import Any, TypeVar

from ..errors import ScenarioError, either, unknown
from ..model.fault import Fault, FaultKind, Takes
from ..model.scenario import Cue, Scenario, Script
from . import grammar
from .builder import script_problems
from .grammar import AnyForm, Listing, Part, Record, Shape
from .nodes import LARGEST, read_nodes
from .values import VERSION, Form, Mapping, Node, Place, Scalar, Sequence, describe, is_off, text


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
    root, problems = read_nodes(text.removeprefix("\ufeff"), source)
    reader = Reader(source)
    default_name = Scenario().name if source[:1] in ("", "<") else PurePath(source).stem or source
    scenario = reader.scenario(root, default_name)
    problems = sorted(problems + reader.problems, key=lambda problem: problem.line or 0)
    return (None if problems else scenario), problems


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
    return decode(content, source)


def decode(content: bytes, source: str) -> str:
    """The text of a document.

    Raises:
        ScenarioError: it is not UTF-8; by line.
    """
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        problem = f"found the byte 0x{content[error.start]:02X}; expected text in UTF-8"
        raise ScenarioError(problem, source=source, line=line) from None


MOST_PROBLEMS = 100
"""After so many problems reading stops."""

_REMEDIES: dict[str, str] = {
    "on": "'on' is never a key: YAML 1.1 reads it as true; expected 'when' for a moment",
    "<<": "YAML 1.2 has no merge key '<<'; expected the keys themselves",
}


_T = TypeVar("_T")


class _Incomplete(Exception):
    """Something in a value was refused and its problem is kept already."""


class _Enough(Exception):
    """There are as many problems as anyone reads."""


class Reader:
    """Reads the nodes of one document; `problems` are what it found wrong."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.problems: list[ScenarioError] = []

    def scenario(self, root: Node, default_name: str) -> Scenario | None:
        """The scenario of a document, or None when there are problems."""
        with suppress(_Enough), self.keeping(root.place):
            self.check_version(root)
            fields = self.fields(root, grammar.DOCUMENT, "a mapping with version: 1 and speakers")
            del fields["version"]
            return Scenario(name=fields.pop("scenario", default_name), **fields)
        return None

    # --- problems -----------------------------------------------------------------------------------------

    @contextmanager
    def keeping(self, place: Place) -> Iterator[None]:
        """Keep the problem raised inside, at `place` unless it has a place of its own, and go on."""
        try:
            yield
        except ScenarioError as problem:
            self.problems.append(problem if problem.line else self.refusal(problem.problem, place))
            if len(self.problems) >= MOST_PROBLEMS:
                raise _Enough from None
        except _Incomplete:
            pass

    @contextmanager
    def blaming(self, node: Node) -> Iterator[None]:
        """Give the model's refusal, which knows no place, the place of `node`."""
        try:
            yield
        except ScenarioError as refusal:
            raise (refusal if refusal.line else self.refusal(refusal.problem, node.place)) from None

    @contextmanager
    def complete(self) -> Iterator[None]:
        """Raise `_Incomplete` at the end when a problem was kept inside."""
        before = len(self.problems)
        yield
        if len(self.problems) > before:
            raise _Incomplete

    def refusal(self, problem: str, place: Place) -> ScenarioError:
        return ScenarioError(problem, source=self.source, line=place.line, path=place.path)

    # --- mappings -----------------------------------------------------------------------------------------

    def fields(self, node: Node, shape: Shape, expected: str) -> dict[str, Any]:
        """The values of a mapping's keys, each read as its kind."""
        mapping = self.mapping(node, expected)
        with self.complete():
            self.check_keys(mapping, shape)
            missing = [name for name, key in shape.items() if key.required and name not in mapping.values]
            if missing and mapping.lines.keys() <= shape.keys():  # else an unknown key may be the one missing
                with self.keeping(mapping.place):
                    raise ScenarioError(f"missing key {missing[0]!r}; expected {expected}")
            return self.values(mapping, shape)

    def values(self, mapping: Mapping, shape: Shape) -> dict[str, Any]:
        """The values of those keys of `mapping` that are in `shape`."""
        values: dict[str, Any] = {}
        for name, node in mapping.values.items():
            if name in shape:
                with self.keeping(node.place):
                    values[name] = self.read(node, shape[name].form)
        return values

    def read(self, node: Node, form: AnyForm) -> object:
        match form:
            case Form():
                return form.read(node)
            case Record():
                return self.record(node, form)
            case Listing():
                return self.listing(node, form.noun, lambda item: self.read(item, form.item))
            case part:
                return _PARTS[part](self, node)

    def record(self, node: Node, record: Record) -> object:
        """The value of a mapping that has no rule but its keys."""
        if record.off is not None and is_off(node):
            return record.off
        or_off = "" if record.off is None else "off or "
        fields = self.fields(node, record.shape, f"{or_off}a {record.noun} such as {record.example}")
        return record.make(**{record.shape[name].field(name): fields[name] for name in fields})

    def listing(self, node: Node, noun: str, read: Callable[[Node], _T]) -> tuple[_T, ...]:
        """The values of a list, each read by `read`; messages call them `noun`."""
        found: list[_T] = []
        with self.complete():
            for item in self.sequence(node, f"a list of {noun}"):
                with self.keeping(item.place):
                    found.append(read(item))
        return tuple(found)

    def check_keys(self, mapping: Mapping, shape: Shape, beside: str = "") -> None:
        """Refuse the keys that are not in `shape`: as unknown ones, or as those that do not go `beside` another."""
        for name, line in mapping.lines.items():
            if name not in shape:
                with self.keeping(Place(line, mapping.place)):
                    if beside:
                        raise ScenarioError(f"{name!r} does not go with {beside!r}")
                    raise ScenarioError(_REMEDIES.get(name) or unknown("key", name, shape))

    def check_version(self, root: Node) -> None:
        """Refuse another version before its other keys confuse anyone."""
        found = root.values.get("version") if isinstance(root, Mapping) else None
        if found:
            with self.blaming(found):
                VERSION.read(found)

    # --- cues ---------------------------------------------------------------------------------------------

    def speakers(self, node: Node) -> dict[str, Script]:
        scripts: dict[str, Script] = {}
        with self.complete():
            for name, script in self.mapping(node, "a mapping of speakers to their cues").values.items():
                with self.keeping(script.place):
                    scripts[name] = self.script(script)
                    Scenario(speakers={name: scripts[name]})  # refuses a ghost without a name of its own
        return scripts

    def script(self, node: Node) -> Script:
        """A list of cues, or a mapping with `script` and what there is to say about it."""
        if isinstance(node, Mapping) and node.values and node.values.keys() <= grammar.CUE.keys():
            raise ScenarioError("found a cue; expected a list of cues, each with '- ' before its first key")
        listed, looped, started = node, node, node
        if isinstance(node, Sequence):
            fields: dict[str, Any] = {"script": self.cues(node)}
        else:
            fields = self.fields(node, grammar.SCRIPT, "a list of cues, or a mapping with loop and script")
            values = self.mapping(node, "").values
            listed, looped, started = (values.get(name, node) for name in ("script", "loop", "say_from"))
        with self.blaming(started):
            if "say_from" in fields and not fields.get("ghost"):
                raise ScenarioError("say_from is for ghosts; expected ghost: true beside it")
        ghost = {name: fields[name] for name in ("ghost", "say_from") if name in fields}
        with self.blaming(looped):
            script = Script(cues=fields["script"], loop_ms=fields.get("loop"), **ghost)
        with self.complete():
            for index, problem in script_problems(script):
                with self.keeping(looped.place if index is None else self.sequence(listed, "")[index].place):
                    raise ScenarioError(problem)
        return script

    def cues(self, node: Node) -> tuple[Cue, ...]:
        return self.listing(node, "cues", self.cue)

    def cue(self, node: Node) -> Cue:
        mapping = self.mapping(node, "a cue such as {at: 1s, say: bonjour}")
        with self.complete():
            self.check_keys(mapping, grammar.CUE)
        trigger_key = self.only_one(mapping, "cue", "trigger", tuple(grammar.TRIGGERS))
        actions = [name for name in grammar.ACTIONS if name != "normalized" or "say" not in mapping.values]
        action_key = self.only_one(mapping, "cue", "action", actions)
        action = grammar.ACTIONS[action_key]
        shape = {
            **action.beside,
            trigger_key: grammar.TRIGGERS[trigger_key],
            action_key: grammar.CUE[action_key],
            **(grammar.UNTIL if action.spans else {}),
        }
        with self.complete():
            self.check_keys(mapping, shape, action_key)
            found = self.values(mapping, shape)
        value = found.pop(action_key)
        if isinstance(value, dict) and value.keys() & found.keys():
            raise ScenarioError(f"confidence is given twice, in {action_key!r} and beside it; expected one of them")
        trigger_value, until_ms = found.pop(trigger_key), found.pop("until", None)
        with self.blaming(mapping.values[trigger_key]):
            trigger = grammar.MAKE_TRIGGER[trigger_key](trigger_value)
        with self.blaming(mapping.values[action_key]):
            said = action.make(value, found)
        with self.blaming(mapping.values.get("until", mapping)):
            return Cue(trigger=trigger, action=said, until_ms=until_ms, line=mapping.place.line)

    def only_one(self, mapping: Mapping, whole: str, what: str, names: Iterable[str]) -> str:
        found = [name for name in names if name in mapping.values]
        if len(found) == 1:
            return found[0]
        if not found:
            raise ScenarioError(f"the {whole} has no {what}; expected {either(names)}")
        raise ScenarioError(
            f"the {whole} has {len(found)} {what}s, {either(found).replace(' or ', ' and ')}; expected one"
        )

    def fault(self, node: Node) -> Fault:
        """The name of a fault that takes nothing, or a mapping with the fault and its reach."""
        if isinstance(node, Scalar) and isinstance(node.value, str):
            return self.bare_fault(text(node))
        fields = self.fields(node, grammar.FAULT, "a fault such as reset or {close: 1011}")
        kind = FaultKind(self.only_one(self.mapping(node, ""), "fault", "kind", grammar.FAULT_KINDS))
        return Fault(kind=kind, value=fields.pop(kind), **fields)

    def bare_fault(self, name: str) -> Fault:
        if name not in grammar.FAULT_KINDS:
            raise ScenarioError(unknown("fault", name, grammar.FAULT_KINDS))
        kind = FaultKind(name)
        if kind.takes is not Takes.NOTHING:
            example = grammar.FAULT_VALUES[kind.takes][1]
            raise ScenarioError(f"{name} takes {kind.takes}; expected a mapping such as {{{name}: {example}}}")
        return Fault(kind=kind)

    # --- values -------------------------------------------------------------------------------------------

    def mapping(self, node: Node, expected: str) -> Mapping:
        if not isinstance(node, Mapping):
            raise ScenarioError(f"found {describe(node)}; expected {expected}")
        return node

    def sequence(self, node: Node, expected: str) -> tuple[Node, ...]:
        if not isinstance(node, Sequence):
            raise ScenarioError(f"found {describe(node)}; expected {expected}")
        return node.items


_PARTS: dict[Part, Callable[[Reader, Node], Any]] = {
    Part.SPEAKERS: Reader.speakers,
    Part.CUES: Reader.cues,
    Part.FAULT: Reader.fault,
}
