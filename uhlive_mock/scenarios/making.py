"""What a document's values become: from the keys of a mapping to a value of the model.

The model refuses what makes no sense; whoever calls these adds the place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..model.limits import Chunk, ChunkAction, Gap, GapAction, Idle, Limits, Throttle, ThrottleAction
from ..model.scenario import (
    After,
    At,
    Match,
    RawEvent,
    Say,
    SayEntity,
    SayInterim,
    SayNormalized,
    SayRelation,
    SaySegment,
    SayTags,
    Timing,
    Trigger,
    When,
)
from .grammar import Kind

MODELS: dict[Kind, Callable[..., Any]] = {
    Kind.MATCH: Match,
    Kind.TIMING: Timing,
    Kind.LIMITS: Limits,
    Kind.THROTTLE: Throttle,
    Kind.GAP: Gap,
    Kind.IDLE: Idle,
    Kind.CHUNK: Chunk,
}

OFF: dict[Kind, object] = {
    Kind.THROTTLE: Throttle(action=ThrottleAction.OFF),
    Kind.GAP: Gap(action=GapAction.OFF),
    Kind.IDLE: Idle(after_ms=None),
    Kind.CHUNK: Chunk(action=ChunkAction.OFF),
}

TRIGGERS: dict[str, Callable[[Any], Trigger]] = {
    "at": lambda position_ms: At(position_ms=position_ms),
    "after": lambda delay_ms: After(delay_ms=delay_ms),
    "when": lambda moment: When(moment=moment),
}

ACTIONS: dict[str, Callable[..., Any]] = {
    "say": lambda notation, **beside: Say(**notation, **beside),
    "interim": lambda text, **beside: SayInterim(text=text, **beside),
    "segment": lambda text, **beside: SaySegment(text=text, **beside),
    "normalized": lambda text, **beside: SayNormalized(text=text, **beside),
    "entity": lambda fields, **beside: SayEntity(**fields, **beside),
    "relation": lambda fields, **beside: SayRelation(**fields, **beside),
    "tags": lambda tags, **beside: SayTags(tags=tags, **beside),
    "event": lambda fields: RawEvent(**fields),
    "fault": lambda fault: fault,
}
