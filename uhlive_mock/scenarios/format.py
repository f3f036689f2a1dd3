"""A scenario to the document that reads back as it."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
from msgspec import structs

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
    RawEvent,
    Say,
    SayEntity,
    SayInterim,
    SayNormalized,
    SayRelation,
    SaySegment,
    SayTags,
    Scenario,
    Script,
    Trigger,
    When,
)
from . import grammar
from .grammar import Kind, Shape
from .nodes import resolve
from .notation import format_duration, format_inline, format_rate, format_size, refuse_unsendable

_WIDTH = 88
_PLAIN = re.compile(r"[^\W\d_](?:[\w .,;'’!?+/()%€$£°«»…-]*[\w.!?)%€$£°»…])?")
_PLAIN_IN_FLOW = re.compile(r"[^\W\d_](?:[\w .'’!+/-]*[\w.!])?")
_ANNOTATED = re.compile(r"\[[^\[\]]*\]\{.*?\}(?=[^\w\s,\"]*(?: |$))")
_BOOLEAN_ELSEWHERE = re.compile("y|n|yes|no|on|off", re.IGNORECASE)
_UNPRINTABLE = re.compile("[^ -~\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")


def format_scenario(scenario: Scenario) -> str:
    """The YAML document of a scenario: `parse_scenario` of it equals `scenario`.

    Keys that have their default are left out. White space in a text becomes one space, as when it is read.

    Raises:
        ScenarioError: for what no document can say: a payload that is not JSON, an inline entity whose source
            is not the words it covers.
    """
    return "".join(f"{line}\n" for line in _document(scenario))


def _document(scenario: Scenario) -> Iterator[str]:
    yield f"version: {grammar.VERSION}"
    yield f"scenario: {_text(scenario.name)}"
    if scenario.match != Match():
        yield f"match: {_flow(_given(scenario.match, *grammar.MATCH))}"
    if scenario.seed is not None:
        yield f"seed: {scenario.seed}"
    if timing := given_keys(scenario.timing, grammar.TIMING):
        yield f"timing: {_mapping(timing)}"
    if scenario.limits is not None:
        yield from _limits(scenario.limits)
    yield "speakers:" if scenario.speakers else "speakers: {}"
    for speaker, script in scenario.speakers.items():
        yield from _script(_text(speaker), script)


def _limits(limits: Limits) -> Iterator[str]:
    given = given_limits(limits)
    yield "limits:" if given else "limits: {}"
    for name, keys in given.items():
        yield f"  {name}: {_quoted(keys) if isinstance(keys, str) else _mapping(keys)}"


def given_limits(limits: Limits) -> dict[str, dict[str, str] | str]:
    """The limits that differ from their default: the text of each key that does, or `off`."""
    given: dict[str, dict[str, str] | str] = {}
    for name, key in grammar.LIMITS.items():
        limit = getattr(limits, name)
        if limit == grammar.WHEN_OFF[key.kind]:
            given[name] = grammar.OFF
        elif keys := given_keys(limit, grammar.SHAPES[key.kind][0]):
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
    name, value = _trigger(cue.trigger)
    yield name, [value]
    if cue.until_ms is not None:
        yield "until", [format_duration(cue.until_ms)]
    yield from _action(cue.action)


def _trigger(trigger: Trigger) -> tuple[str, str]:
    match trigger:
        case At(position_ms=position_ms):
            return "at", format_duration(position_ms)
        case After(delay_ms=delay_ms):
            return "after", format_duration(delay_ms)
        case When(moment=moment):
            return "when", moment.value


def _action(action: Action) -> Iterator[tuple[str, list[str]]]:
    beside: tuple[str, ...] = ("lang", "country", "confidence")
    match action:
        case Say():
            yield "say", _prose(format_inline(action.text, action.entities))
            if action.normalized is not None:
                yield "normalized", _prose(_words(action.normalized))
        case SayEntity():
            yield "entity", [_flow(_given(action, *grammar.ENTITY))]
            beside = ("lang", "country")
        case SayRelation():
            yield "relation", [_flow(_given(action, *grammar.RELATION))]
        case SayTags():
            yield "tags", [_flow([_given(tag, *grammar.TAG) for tag in action.tags])]
        case RawEvent():
            yield "event", [_flow(_given(action, *grammar.EVENT))]
            beside = ()
        case SayInterim():
            yield "interim", _prose(_words(action.text))
        case SaySegment():
            yield "segment", _prose(_words(action.text))
        case SayNormalized():
            yield "normalized", _prose(_words(action.text))
        case Fault():
            yield "fault", [_fault(action)]
            beside = ()
    for name, value in _given(action, *beside).items():
        yield name, [_flow(value)]


def _fault(fault: Fault) -> str:
    given = given_fault(fault)
    return fault.kind.value if given == {fault.kind.value: "true"} else _mapping(given)


def given_fault(fault: Fault) -> dict[str, str]:
    """The text of a fault's kind, and of each key of its reach that differs from its default."""
    value = _VALUES[grammar.FAULT_KINDS[fault.kind].kind](fault.value)
    return {fault.kind.value: value, **given_keys(fault, grammar.FAULT_REACH)}


def given_keys(value: msgspec.Struct, shape: Shape) -> dict[str, str]:
    """The texts of those keys of a shape whose fields in `value` differ from their default."""
    keys = {grammar.field(name, key): (name, _VALUES[key.kind]) for name, key in shape.items()}
    given = ((*keys[field], found) for field, found in _given(value, *keys).items())
    return {name: written(found) for name, written, found in given}


def _given(value: msgspec.Struct, *names: str) -> dict[str, Any]:
    """Those of the fields called `names` that differ from their default."""
    given: dict[str, Any] = {}
    for field in structs.fields(value):
        default = field.default_factory() if callable(field.default_factory) else field.default
        found = getattr(value, field.name)
        if field.name in names and found != default:
            given[field.name] = list(found) if isinstance(found, tuple) else found
    return given


def written(kind: Kind, value: object) -> str:
    """A value of a kind of limit or timing as the document writes it on one line."""
    return _VALUES[kind](value)


# --- values -----------------------------------------------------------------------------------------------


def _words(text: str) -> str:
    return " ".join(text.split())


def _prose(text: str) -> list[str]:
    """Text on the key's line, or in a folded block below where brackets and colons need no quotes."""
    kept = _ANNOTATED.sub(lambda match: match[0].replace(" ", "\0"), text)
    lines = textwrap.wrap(kept, _WIDTH, break_long_words=False, break_on_hyphens=False)
    if _PLAIN.fullmatch(text) or _UNPRINTABLE.search(text) or " ".join(lines) != kept:
        return [_text(text)]
    return [">-", *(line.replace("\0", " ") for line in lines)]


def _text(text: str, plain: re.Pattern[str] = _PLAIN) -> str:
    """Text on one line, in quotes unless it can do without in every YAML."""
    if plain.fullmatch(text) and isinstance(resolve(text), str) and not _BOOLEAN_ELSEWHERE.fullmatch(text):
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    return _UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", quoted)


def _mapping(keys: dict[str, str]) -> str:
    """A mapping on one line, of values already written."""
    return "{" + ", ".join(f"{name}: {_quoted(text)}" for name, text in keys.items()) + "}"


def _quoted(text: str) -> str:
    """A value already written, in quotes when an older YAML would read `off` as false."""
    return json.dumps(text) if _BOOLEAN_ELSEWHERE.fullmatch(text) else text


def _flow(value: object) -> str:
    """Any JSON value on one line."""
    refuse_unsendable(value)
    match value:
        case dict():
            pairs = (f"{_text(key, _PLAIN_IN_FLOW)}: {_flow(item)}" for key, item in value.items())
            return "{" + ", ".join(pairs) + "}"
        case list():
            return "[" + ", ".join(_flow(item) for item in value) + "]"
        case str():
            return _text(value, _PLAIN_IN_FLOW)
        case _:
            return json.dumps(value)


_VALUES: dict[Kind, Callable[[Any], str]] = {
    Kind.TEXT: lambda text: _text(text, _PLAIN_IN_FLOW),
    Kind.DURATION: format_duration,
    Kind.DURATION_OR_OFF: lambda ms: grammar.OFF if ms is None else format_duration(ms),
    Kind.SIZE: format_size,
    Kind.RATE: format_rate,
    Kind.BOOLEAN: json.dumps,
    Kind.TRUE: lambda nothing: "true",
    Kind.CLOSE_CODE: str,
    Kind.STATUS: str,
    Kind.COUNT: lambda count: "all" if count is None else str(count),
    Kind.PROBABILITY: json.dumps,
    **{kind: lambda word: word.value for kind in grammar.CHOICES},
}
"""How the values of each kind are written on one line."""


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
        given = given_limits(scenario.limits)
        limits = (f"{name} {keys if isinstance(keys, str) else _listed(keys)}" for name, keys in given.items())
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
    name, text, entities = _columns(cue.action)
    return start, end, name, text if len(text) <= WIDEST_TEXT else text[: WIDEST_TEXT - 1] + "…", entities


def _columns(action: Action) -> tuple[str, str, str]:
    """The name of an action, its text, and the names of its entities."""
    match action:
        case Say():
            return "say", action.text, ", ".join(entity.name for entity in action.entities)
        case SayEntity():
            return "entity", action.source, action.name
        case SayRelation():
            return "relation", action.name, ", ".join(action.members)
        case SayTags():
            return "tags", ", ".join(tag.label for tag in action.tags), ""
        case RawEvent():
            return (
                "event",
                f"{action.name} {json.dumps(action.payload, ensure_ascii=False, default=repr)}",
                "",
            )
        case Fault():
            return "fault", _listed(given_fault(action)), ""
        case spoken:
            return type(spoken).__name__.removeprefix("Say").lower(), spoken.text, ""
