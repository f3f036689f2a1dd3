"""The rules between the cues of one script."""

from __future__ import annotations

from collections.abc import Iterator

from ..model.scenario import At, Script
from .durations import format_duration


def script_problems(script: Script) -> Iterator[tuple[int | None, str]]:
    """What is wrong between cues: the index of a cue, or None for the loop, and a sentence.

    Positions do not go back, and a script that loops ends before it starts again.
    """
    latest: tuple[int, int] | None = None
    last_end: tuple[int, int] | None = None
    for index, cue in enumerate(script.cues):
        if not isinstance(cue.trigger, At):
            continue
        position_ms = cue.trigger.position_ms
        if latest and position_ms < latest[0]:
            found, before = format_duration(position_ms), format_duration(latest[0])
            earlier = _named(script, latest[1])
            yield index, f"at is {found}, but that of cue {earlier} is {before}; expected cues in order"
        else:
            latest = position_ms, index
        end_ms = position_ms if cue.until_ms is None else cue.until_ms
        if last_end is None or end_ms > last_end[0]:
            last_end = end_ms, index
    if script.loop_ms is not None and last_end and last_end[0] > script.loop_ms:
        end, loop = format_duration(last_end[0]), format_duration(script.loop_ms)
        yield (
            None,
            f"loop is {loop}, shorter than the script: cue {_named(script, last_end[1])} ends at {end}",
        )


def _named(script: Script, index: int) -> str:
    line = script.cues[index].line
    return f"[{index}] on line {line}" if line else f"[{index}]"
