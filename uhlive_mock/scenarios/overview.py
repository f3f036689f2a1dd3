"""A scenario on one screen: who says what, and when."""

from __future__ import annotations

import json
from collections.abc import Iterator

from ..model.fault import Fault
from ..model.scenario import (
    ANYONE,
    Action,
    At,
    Cue,
    Moment,
    RawEvent,
    Say,
    SayEntity,
    SayRelation,
    SayTags,
    Scenario,
    Script,
    When,
)
from .durations import format_duration
from .format import given_fault, given_limits

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
    name, text, entities = _action(cue.action)
    return start, end, name, text if len(text) <= WIDEST_TEXT else text[: WIDEST_TEXT - 1] + "…", entities


def _action(action: Action) -> tuple[str, str, str]:
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
