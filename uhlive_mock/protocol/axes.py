"""Where cues lie: each on one of four axes, by its trigger or by the trigger it follows.

audio         positions in the speaker's audio: `at`, and `after` behind it
joined        time since the join: `when: joined`, and `after` behind it
first_audio   time since the first audio
left          no time left: emitted at the leave, in order
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum, auto

import msgspec

from ..model.scenario import At, Cue, Moment, Say, SayInterim, SayNormalized, SaySegment, Script, Timing, When


class Axis(Enum):
    """What a planned position counts from."""

    AUDIO = auto()
    JOINED = auto()
    FIRST_AUDIO = auto()
    LEFT = auto()


_AXES = {Moment.JOINED: Axis.JOINED, Moment.FIRST_AUDIO: Axis.FIRST_AUDIO, Moment.LEFT: Axis.LEFT}


class Placed(msgspec.Struct, frozen=True):
    """A cue with its axis and span resolved."""

    index: int
    cue: Cue
    axis: Axis
    start_ms: int
    end_ms: int


def place(script: Script, timing: Timing) -> Iterator[Placed]:
    """Resolve every cue of a script to an axis and a span, in the order written."""
    axis, previous_end = Axis.AUDIO, 0
    for index, cue in enumerate(script.cues):
        match cue.trigger:
            case At(position_ms=start):
                axis = Axis.AUDIO
            case When(moment=moment):
                axis, start = _AXES[moment], 0
            case after:
                start = previous_end + after.delay_ms
        end = cue.until_ms if cue.until_ms is not None else start + length_ms(cue.action, timing)
        previous_end = end
        yield Placed(index, cue, axis, start, end)


def length_ms(action: object, timing: Timing) -> int:
    """How long an action lasts that has no end of its own: as long as its words."""
    match action:
        case Say() | SayInterim() | SaySegment() | SayNormalized():
            return len(action.text.split()) * timing.word_ms
        case _:
            return 0
