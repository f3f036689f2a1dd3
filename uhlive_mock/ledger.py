"""The ledger: every rule of the service and every default of ours, how well each is known, and how to change it.

Nothing is written here twice. A rule is a field: its sentence, grade and source are in the field's annotation
(`model.behaviour.rule`), its choices in the field's type, and its key in a scenario in the tables of the format.
The name of a rule is where a scenario has it, `limits.gap.after`, or the struct that holds it,
`behaviour.max_topics`.

What a client can do wrong, `violations.gap`, and what else speaks against a test, `verdict.unheard`, have a
severity for a default, and are in the tables of `verification.rules`.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from enum import Enum

import msgspec
from msgspec import inspect as types

from .auth.endpoint import TokenBehaviour
from .errors import ConfigurationError, InternalError
from .model.behaviour import MEANINGS, Behaviour, Grade
from .model.limits import Chunk, Gap, Idle, Throttle
from .model.scenario import Timing
from .scenarios import grammar
from .scenarios.grammar import Shape
from .scenarios.values import DURATION, DURATION_OR_OFF, Form
from .verification import rules as judged

WIDTH = 100
"""Columns of everything printed here."""


class Rule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One rule. `default` is written as the first of `change` has it, which maps where to write to what."""

    name: str
    sentence: str
    default: str
    choices: tuple[str, ...]
    grade: Grade | None
    source: str
    change: dict[str, str]
    by_dialect: dict[str, str] = {}
    """The severities of what a client does wrong that differ by what client it is."""

    @property
    def is_setting(self) -> bool:
        """Whether it decides what the service does, and not how a test is judged."""
        return self.area not in _JUDGED

    @property
    def area(self) -> str:
        """What it belongs to: `limits.gap` for `limits.gap.after`."""
        return self.name.rpartition(".")[0]

    def matches(self, name: str) -> bool:
        """Whether `name` is the rule's, with or without what is in front."""
        return f".{self.name}".endswith(f".{name}")

    def begins(self, name: str) -> bool:
        """Whether `name` is the beginning of the rule's, with or without what is in front."""
        return f".{name}" in f".{self.name}"


class _Area(msgspec.Struct, frozen=True, kw_only=True):
    """A struct whose fields are rules, and how to write one: in a scenario if `shape` has its keys, in Python."""

    name: str
    holder: type[msgspec.Struct]
    shape: Shape = msgspec.field(default_factory=dict)
    python: tuple[tuple[str, str], ...]


_AREAS = (
    *(
        _Area(
            name=f"limits.{name}",
            holder=holder,
            shape=record.shape,
            python=(("in Python", f'scenario("call").{name}({{argument}})'),),
        )
        for name, holder, record in (
            ("throttle", Throttle, grammar.THROTTLE),
            ("gap", Gap, grammar.GAP),
            ("idle", Idle, grammar.IDLE),
            ("chunk", Chunk, grammar.CHUNK),
        )
    ),
    _Area(
        name="timing",
        holder=Timing,
        shape=grammar.TIMING.shape,
        python=(("in Python", 'scenario("call", {field})'),),
    ),
    _Area(
        name="behaviour",
        holder=Behaviour,
        python=(
            ("for a server", "MockServer(behaviour=Behaviour({field}))"),
            ("for a space", "server.space(behaviour=Behaviour({field}))"),
        ),
    ),
    _Area(
        name="tokens",
        holder=TokenBehaviour,
        python=(("for a server", "MockServer(tokens=TokenBehaviour({field}))"),),
    ),
)


_JUDGED: dict[str, tuple[str, dict[str, judged.Rule]]] = {
    "violations": ("What a client can do wrong.", judged.RULES),
    "verdict": ("What else speaks against a test.", judged.OTHERS),
}
"""The areas of what a test is judged by."""


def rules() -> tuple[Rule, ...]:
    """Every rule, area by area."""
    return tuple(rule for rules in (*map(_rules_of, _AREAS), *map(_judged_by, _JUDGED)) for rule in rules)


def find(name: str) -> tuple[Rule, ...]:
    """The rules of a name: `limits.gap.after`, the end of one, `gap.after`, or the beginning, `gap`.

    Raises:
        ConfigurationError: no rule has it; says which may have been meant.
    """
    every = rules()
    name = name.lower()
    settings = [rule for rule in every if rule.is_setting]
    found = [rule for rule in settings if rule.matches(name)] or [rule for rule in settings if rule.begins(name)]
    found += [rule for rule in every if not rule.is_setting and rule.begins(name)]
    if name and found:
        return tuple(found)
    known = [part for rule in every for part in (rule.name, *rule.name.split("."))]
    close = get_close_matches(name, dict.fromkeys(known), n=1)
    areas = ", ".join([*(area.name.rpartition(".")[2] for area in _AREAS), *_JUDGED])
    remedy = f"did you mean {close[0]!r}?" if close else f"expected a rule or one of {areas}"
    raise ConfigurationError(f"unknown rule {name!r}; {remedy}")


# --- from the annotated fields ----------------------------------------------------------------------------


def _rules_of(area: _Area) -> Iterator[Rule]:
    keys = {key.field(name): (name, key.form) for name, key in area.shape.items()}
    described = types.type_info(area.holder)
    assert isinstance(described, types.StructType)  # noqa: S101 - for the type checker
    for field in described.fields:
        if not isinstance(field.type, types.Metadata) or not field.type.extra:
            raise InternalError(f"{area.holder.__name__}.{field.name} has no rule")
        key, form = keys.get(field.name, (field.name, None))
        change = {}
        if isinstance(form, Form):
            change["in a scenario"] = _document(f"{area.name}.{key}", form.write(field.default))
        for where, pattern in area.python:
            change[where] = pattern.format(
                field=_argument(field.name, field.default), argument=_builders(key, form, field.default)
            )
        yield Rule(
            name=f"{area.name}.{key}",
            sentence=str((field.type.extra_json_schema or {})["description"]),
            default=form.write(field.default) if isinstance(form, Form) else _bare(field.default),
            choices=tuple(map(_bare, _choices(field.type.type))),
            grade=Grade(field.type.extra["grade"]),
            source=str(field.type.extra["source"]),
            change=change,
        )


def _judged_by(area: str) -> Iterator[Rule]:
    for rule in _JUDGED[area][1].values():
        yield Rule(
            name=f"{area}.{rule.id}",
            sentence=rule.sentence,
            default=rule.severity.value,
            choices=(),
            grade=rule.grade,
            source=rule.evidence,
            change=judged.opt_out(rule.id),
            by_dialect={judged.DESCRIPTIONS[kind]: severity.value for kind, severity in rule.milder.items()},
        )


def _choices(kind: types.Type) -> Sequence[object]:
    match kind:
        case types.LiteralType(values=values):
            return values
        case types.EnumType(cls=cls):
            return [member.value for member in cls]
        case types.BoolType():
            return (True, False)
        case types.SetType(item_type=item) | types.FrozenSetType(item_type=item):
            return _choices(item)
        case _:
            return ()


def _document(path: str, value: str) -> str:
    """`limits: {gap: {after: 5s}}`: a value at its place, on one line."""
    *outer, last = path.split(".")
    text = f"{last}: {value}"
    for name in reversed(outer):
        text = f"{name}: {{{text}}}"
    return text


def _builders(key: str, form: object, value: object) -> str:
    """An argument of the scenario builder, which takes seconds."""
    if isinstance(value, int) and form in (DURATION, DURATION_OR_OFF):
        return f"{key}={value / 1000:g}"
    return _argument(key, value)


def _argument(name: str, value: object) -> str:
    return f"{name}={_python(value)}"


def _python(value: object) -> str:
    match value:
        case Enum():
            return repr(value.value)
        case frozenset():
            return "frozenset({" + ", ".join(sorted(map(repr, value))) + "})"
        case _:
            return repr(value)


def _bare(value: object) -> str:
    """A value as a reader wants it: a text without quotes, several of them in a row."""
    match value:
        case str() if value:
            return str(value)
        case frozenset():
            return ", ".join(sorted(map(_bare, value)))
        case tuple():
            return ", ".join(map(_bare, value))
        case _:
            return repr(value)


# --- on paper ---------------------------------------------------------------------------------------------


def table() -> str:
    """Every rule on a line or two, grouped by area."""
    lines: list[str] = []
    for area in _AREAS:
        about = " ".join((inspect.getdoc(area.holder) or "").partition("\n\n")[0].split())
        lines += _rows(area.name, about, _rules_of(area))
    for name, (about, _) in _JUDGED.items():
        lines += _rows(name, about, _judged_by(name))
    return "\n".join(lines[1:])


def _rows(area: str, about: str, rules: Iterable[Rule]) -> Iterator[str]:
    yield ""
    yield from textwrap.wrap(f"{area}: {about}", WIDTH)
    for rule in rules:
        name, grade = rule.name.removeprefix(f"{area}."), MEANINGS[rule.grade][0] if rule.grade else ""
        yield from _row((name, rule.default, grade, rule.sentence))


_COLUMNS = (25, 17, 11, WIDTH - 58)


def _row(cells: tuple[str, ...]) -> Iterator[str]:
    columns = [textwrap.wrap(cell, width - 1) for cell, width in zip(cells, _COLUMNS, strict=True)]
    for row in range(max(map(len, columns))):
        parts = (
            (column[row] if row < len(column) else "").ljust(width)
            for column, width in zip(columns, _COLUMNS, strict=True)
        )
        yield f"  {''.join(parts)}".rstrip()


_LABEL = 14


def details(rule: Rule) -> str:
    """All about a rule."""
    rows = [("default" if rule.is_setting else "severity", rule.default)]
    rows += [("", f"{severity} for {whose}") for whose, severity in rule.by_dialect.items()]
    rows += [("choices", ", ".join(rule.choices))] if rule.choices else []
    rows += [("known", ": ".join(MEANINGS[rule.grade])), ("source", rule.source or "none")] if rule.grade else []
    rows += rule.change.items()
    lines = [rule.name, *textwrap.wrap(rule.sentence, WIDTH, initial_indent="  ", subsequent_indent="  ")]
    for name, text in rows:
        label = f"  {name:<{_LABEL}} "
        lines += textwrap.wrap(
            text,
            WIDTH,
            initial_indent=label,
            subsequent_indent=" " * len(label),
            break_long_words=False,
            break_on_hyphens=False,
        )
    return "\n".join(lines)
