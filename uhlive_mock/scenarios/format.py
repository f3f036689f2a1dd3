"""A scenario to text: the document that reads back as it, and an outline that fits on a screen."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from functools import cache
from typing import Any

import msgspec

from ..model.fault import Fault
from ..model.limits import Limits
from ..model.scenario import (
    ANYONE,
    Action,
    After,
    At,
    Cue,
    Match,
    Moment,
    Say,
    Scenario,
    Script,
    When,
)
from . import grammar
from .grammar import Listing, Record, Shape
from .notation import format_duration, format_inline
from .values import OFF, UNPRINTABLE, VERSION_NUMBER, Form, is_plain, quote_written, write_json, write_text

_WIDTH = 88
_ANNOTATED = re.compile(r"\[[^\[\]]*\]\{.*?\}(?=[^\w\s,\"]*(?: |$))")


def format_scenario(scenario: Scenario) -> str:
    """The YAML document of a scenario: `parse_scenario` of it equals `scenario`.

    Keys that have their default are left out. White space in a text becomes one space, as when it is read.

    Raises:
        ScenarioError: for what no document can say: a payload that is not JSON, an inline entity whose source
            is not the words it covers.
    """
    return "".join(f"{line}\n" for line in _document(scenario))


def _document(scenario: Scenario) -> Iterator[str]:
    yield f"version: {VERSION_NUMBER}"
    yield f"scenario: {write_text(scenario.name)}"
    if scenario.match != Match():
        yield f"match: {write_json(_given(scenario.match, *grammar.MATCH.shape))}"
    if scenario.seed is not None:
        yield f"seed: {scenario.seed}"
    if timing := given_keys(scenario.timing, grammar.TIMING.shape):
        yield f"timing: {_mapping(timing)}"
    if scenario.limits is not None:
        yield from _limits(scenario.limits)
    yield "speakers:" if scenario.speakers else "speakers: {}"
    for speaker, script in scenario.speakers.items():
        yield from _script(write_text(speaker), script)


def _limits(limits: Limits) -> Iterator[str]:
    given = given_limits(limits)
    yield "limits:" if given else "limits: {}"
    for name, keys in given.items():
        yield f"  {name}: {quote_written(keys) if isinstance(keys, str) else _mapping(keys)}"


def given_limits(limits: Limits) -> dict[str, dict[str, str] | str]:
    """The limits that differ from their default: the text of each key that does, or `off`."""
    given: dict[str, dict[str, str] | str] = {}
    for name, key in grammar.LIMITS.shape.items():
        limit = getattr(limits, name)
        assert isinstance(key.form, Record)  # noqa: S101 - for the type checker
        if limit == key.form.off:
            given[name] = OFF
        elif keys := given_keys(limit, key.form.shape):
            given[name] = keys
    return given


def _script(speaker: str, script: Script) -> Iterator[str]:
    key, indent = f"  {speaker}:", "    "
    about = {name: shape for name, shape in grammar.SCRIPT.items() if name != "script"}
    if keys := given_keys(script, about):
        yield key
        yield from (f"    {name}: {text}" for name, text in keys.items())
        key, indent = "    script:", "      "
    yield key if script.cues else f"{key} []"
    for cue in script.cues:
        mark = "- "
        for name, lines in _cue(cue):
            yield f"{indent}{mark}{name}: {lines[0]}"
            for line in lines[1:]:
                yield f"{indent}    {line}"
            mark = "  "


def _cue(cue: Cue) -> Iterator[tuple[str, list[str]]]:
    """The keys of a cue, each with the lines of its value."""
    match cue.trigger:
        case At(position_ms=position_ms):
            yield "at", [format_duration(position_ms)]
        case After(delay_ms=delay_ms):
            yield "after", [format_duration(delay_ms)]
        case When(moment=moment):
            yield "when", [moment.value]
    if cue.until_ms is not None:
        yield "until", [format_duration(cue.until_ms)]
    yield from _action(cue.action)


def _action(action: Action) -> Iterator[tuple[str, list[str]]]:
    """The key of an action and those beside it, as the grammar has them."""
    row = grammar.ACTIONS[action.keyword]
    inside: Shape = {}
    match action, row.form:
        case Say(), _:
            yield action.keyword, _prose(format_inline(action.text, action.entities))
            if action.normalized is not None:
                yield "normalized", _prose(_words(action.normalized))
            inside = {"normalized": row.beside["normalized"]}
        case Fault(), _:
            given = given_fault(action)
            yield action.keyword, [action.kind.value if given == {action.kind.value: "true"} else _mapping(given)]
        case _, Record(shape=inside):
            yield action.keyword, [write_json(_given(action, *inside))]
        case _, Listing(item=Record(shape=shape)):
            yield action.keyword, [write_json([_given(item, *shape) for item in getattr(action, row.field or "")])]
        case _:
            yield action.keyword, _prose(_words(action.text))
    for name, value in _given(action, *(name for name in row.beside if name not in inside)).items():
        yield name, [write_json(value)]


def given_fault(fault: Fault) -> dict[str, str]:
    """The text of a fault's kind, and of each key of its reach that differs from its default."""
    return {
        fault.kind.value: grammar.FAULT_VALUES[fault.kind.takes][0].write(fault.value),
        **given_keys(fault, grammar.FAULT_REACH),
    }


def given_keys(value: msgspec.Struct, shape: Shape) -> dict[str, str]:
    """The texts of those keys of a shape whose fields in `value` differ from their default."""
    keys = {key.field(name): (name, key.form) for name, key in shape.items()}
    given = ((*keys[field], found) for field, found in _given(value, *keys).items())
    return {name: form.write(found) for name, form, found in given if isinstance(form, Form)}


def _given(value: msgspec.Struct, *names: str) -> dict[str, Any]:
    """Those of the fields called `names` that differ from their default."""
    defaults = _defaults(type(value))
    return {
        name: list(found) if isinstance(found, tuple) else found
        for name in names
        if (found := getattr(value, name)) != defaults[name]
    }


@cache
def _defaults(kind: type[msgspec.Struct]) -> dict[str, Any]:
    return {
        field.name: field.default_factory() if callable(field.default_factory) else field.default
        for field in msgspec.structs.fields(kind)
    }


def _words(text: str) -> str:
    return " ".join(text.split())


def _prose(text: str) -> list[str]:
    """Text on the key's line, or in a folded block below where brackets and colons need no quotes."""
    kept = _ANNOTATED.sub(lambda match: match[0].replace(" ", "\0"), text)
    lines = textwrap.wrap(kept, _WIDTH, break_long_words=False, break_on_hyphens=False)
    if is_plain(text) or UNPRINTABLE.search(text) or " ".join(lines) != kept:
        return [write_text(text)]
    return [">-", *(line.replace("\0", " ") for line in lines)]


def _mapping(keys: dict[str, str]) -> str:
    """A mapping on one line, of values already written."""
    return "{" + ", ".join(f"{name}: {quote_written(text)}" for name, text in keys.items()) + "}"


# --- on one screen ----------------------------------------------------------------------------------------

WIDEST_TEXT = 56
_HEADINGS = ("start", "end", "action", "text", "entities")


def outline(scenario: Scenario) -> str:
    """Plain text: some lines about the scenario, then for each speaker a table of its cues in the order written.

    A start of `+1s` counts from the end of the cue before; long texts are cut.
    """
    return "\n".join(_lines(scenario))


def _lines(scenario: Scenario) -> Iterator[str]:
    timing = scenario.timing
    seed = "" if scenario.seed is None else f", seed {scenario.seed}"
    jitter = f" + up to {format_duration(timing.jitter_ms)}" if timing.jitter_ms else ""
    yield f"{scenario.name}: conversations {scenario.match.conversation}{seed}"
    yield (
        f"latency {format_duration(timing.latency_ms)}{jitter},"
        f" interims every {format_duration(timing.interim_every_ms)},"
        f" words of {format_duration(timing.word_ms)}"
    )
    if scenario.limits is not None:
        limits = (
            f"{name} {keys if isinstance(keys, str) else _listed(keys)}"
            for name, keys in given_limits(scenario.limits).items()
        )
        yield f"limits: {'; '.join(limits) or 'the defaults'}"
    for name, script in scenario.speakers.items():
        yield ""
        ghost = f", a ghost from {_MOMENTS[script.say_from]} on" if script.ghost else ""
        loop = f", again every {format_duration(script.loop_ms)}" if script.loop_ms is not None else ""
        yield ("* (everyone else)" if name == ANYONE else name) + ghost + loop
        yield from _table(script)


_MOMENTS = {Moment.JOINED: "its join", Moment.FIRST_AUDIO: "the first audio"}


def _listed(keys: dict[str, str]) -> str:
    return ", ".join(name if text == "true" else f"{name} {text}" for name, text in keys.items())


def _table(script: Script) -> Iterator[str]:
    if not script.cues:
        yield "  says nothing"
        return
    rows = [_HEADINGS, *(_row(cue) for cue in script.cues)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  " + "  ".join(cells).rstrip()


def _row(cue: Cue) -> tuple[str, str, str, str, str]:
    match cue.trigger:
        case At(position_ms=position_ms):
            start = format_duration(position_ms)
        case When(moment=moment):
            start = moment.value
        case after:
            start = f"+{format_duration(after.delay_ms)}"
    end = "" if cue.until_ms is None else format_duration(cue.until_ms)
    action = cue.action
    text = _listed(given_fault(action)) if isinstance(action, Fault) else action.text
    cut = text if len(text) <= WIDEST_TEXT else text[: WIDEST_TEXT - 1] + "…"
    return start, end, action.keyword, cut, ", ".join(action.entity_names)
