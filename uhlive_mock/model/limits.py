"""The service's rules about time and size, and what it does to whoever breaks them.

Bytes are decoded audio bytes unless `Throttle.measure` says otherwise; 1 kB is 1000 bytes. Durations are
integer milliseconds on the space's clock.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec

from ..errors import ScenarioError
from .behaviour import Grade, rule

CLOSE_CODES = "1000 to 1003, 1007 to 1014 or 3000 to 4999"
"""The close codes that a frame may carry. RFC 6455, section 7.4: 1004 to 1006 are never sent."""


class ThrottleAction(StrEnum):
    """What happens to audio that comes faster than the throttle lets through."""

    DELAY = "delay"
    CLOSE = "close"
    REPORT = "report"
    OFF = "off"


class Measure(StrEnum):
    """What the throttle counts."""

    AUDIO = "audio"
    FRAMED = "framed"


class GapAction(StrEnum):
    """What happens to a speaker that falls silent."""

    LEAVE = "leave"
    ERROR = "error"
    CLOSE = "close"
    REPORT = "report"
    OFF = "off"


class ChunkAction(StrEnum):
    """What happens to a chunk that is too large."""

    REPORT = "report"
    ERROR = "error"
    CLOSE = "close"
    OFF = "off"


class Throttle(msgspec.Struct, frozen=True, kw_only=True):
    """A token bucket for each connection."""

    rate: Annotated[
        int,
        rule("Audio let through, in bytes a second.", Grade.DOCUMENTED, "provider's landing page: 20 kB/s"),
    ] = 20_000
    burst: Annotated[
        int, rule("Audio let through at once, in bytes.", Grade.INFERRED, "one chunk of the largest size")
    ] = 64_000
    action: Annotated[
        ThrottleAction,
        rule("What faster audio meets.", Grade.DOCUMENTED, "first-steps page: throttled, not disconnected"),
    ] = ThrottleAction.DELAY
    measure: Annotated[
        Measure,
        rule("Decoded audio or whole frames.", Grade.INFERRED, "the JavaScript SDK's frames exceed 20 kB/s"),
    ] = Measure.AUDIO

    def __post_init__(self) -> None:
        refuse_not_positive("throttle.rate", self.rate)
        refuse_not_positive("throttle.burst", self.burst)


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """How long a speaker may send no audio, from its join and then from its last chunk."""

    after_ms: Annotated[
        int, rule("Silence that ends a session.", Grade.UNKNOWN, "first-steps page: a few seconds")
    ] = 5_000
    action: Annotated[GapAction, rule("What silence meets.", Grade.UNKNOWN, "first-steps page")] = GapAction.LEAVE

    def __post_init__(self) -> None:
        refuse_not_positive("gap.after", self.after_ms, " ms")


class Idle(msgspec.Struct, frozen=True, kw_only=True):
    """How long a socket may send no byte at all; pings count, what the server sends does not."""

    after_ms: Annotated[
        int | None,
        rule("Time without inbound bytes that is too long.", Grade.DOCUMENTED, "protocol V2 page: 60 s"),
    ] = 60_000
    close_code: Annotated[
        int, rule("Close code: 1000 under Cowboy, 1002 under Bandit.", Grade.INFERRED, "runs of real servers")
    ] = 1000

    def __post_init__(self) -> None:
        if self.after_ms is not None:
            refuse_not_positive("idle.after", self.after_ms, " ms")
        if not is_close_code(self.close_code):
            raise ScenarioError(f"idle.close_code is {self.close_code}; expected {CLOSE_CODES}")


class Chunk(msgspec.Struct, frozen=True, kw_only=True):
    """How large one audio chunk may be."""

    max: Annotated[
        int, rule("Largest chunk, in bytes of audio.", Grade.DOCUMENTED, "provider's overview: 64 kB")
    ] = 64_000
    action: Annotated[ChunkAction, rule("What a larger chunk meets.", Grade.UNKNOWN, "")] = ChunkAction.REPORT

    def __post_init__(self) -> None:
        refuse_not_positive("chunk.max", self.max)


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """All of them."""

    throttle: Throttle = msgspec.field(default_factory=Throttle)
    gap: Gap = msgspec.field(default_factory=Gap)
    idle: Idle = msgspec.field(default_factory=Idle)
    chunk: Chunk = msgspec.field(default_factory=Chunk)


def is_close_code(code: int) -> bool:
    """Whether a frame may carry the close code."""
    return 1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999


def refuse_not_positive(name: str, value: int, unit: str = "") -> None:
    """Raises ScenarioError for a value that is not."""
    if value <= 0:
        raise ScenarioError(f"{name} is {value}{unit}; expected more than 0")
