"""What a lost line means for a call that goes on: how patiently to join again, and what is missing afterwards."""

from __future__ import annotations

import random
from collections.abc import Iterator

import msgspec

from .codecs import SAMPLE_RATE
from .errors import ConfigurationError, UhliveClientError
from .events import Reconnected


class Reconnect(msgspec.Struct, frozen=True, kw_only=True):
    """What to do when the line is lost in mid-call: open another socket and join again.

    The first attempt comes after `first_s` seconds, each other after `factor` times the delay before, never more
    than `longest_s`. `jitter` is the share of every delay that chance may take away, so that a thousand clients
    of a service that restarts do not all come back in the same moment.

    Args:
        attempts: how many, for each loss.
        seed: where chance begins; the same seed makes the same delays.

    Raises:
        ConfigurationError: a number that makes no sense.
    """

    attempts: int = 5
    first_s: float = 0.5
    factor: float = 2.0
    longest_s: float = 30.0
    jitter: float = 0.5
    seed: int | None = None

    def __post_init__(self) -> None:
        for name, value, holds, expected in (
            ("attempts", self.attempts, self.attempts >= 1, "1 or more"),
            ("first_s", self.first_s, self.first_s >= 0, "0 or more"),
            ("factor", self.factor, self.factor >= 1, "1 or more"),
            ("longest_s", self.longest_s, self.longest_s >= 0, "0 or more"),
            ("jitter", self.jitter, 0 <= self.jitter <= 1, "0 to 1"),
        ):
            if not holds:
                raise ConfigurationError(f"reconnect: {name} is {value}; expected {expected}")

    def delays(self) -> Iterator[float]:
        """Seconds to wait before each attempt."""
        chance = random.Random(self.seed)  # noqa: S311
        whole = self.first_s
        for _ in range(self.attempts):
            whole = min(whole, self.longest_s)
            yield whole * (1 - self.jitter * chance.random())
            whole *= self.factor


class Gap:
    """A loss at `now`, until it is mended or not. `lost_samples` counts the sound that comes due in it."""

    def __init__(self, loss: UhliveClientError, now: float, terms: Reconnect) -> None:
        self.loss = loss
        self.since = now
        self.lost_samples = 0
        self.last_problem: UhliveClientError | None = None
        self._delays = terms.delays()
        self._attempts = 0

    def next_delay(self) -> float | None:
        """Seconds to wait before the next attempt; `None` when there will be none, which the loss then says."""
        delay = next(self._delays, None)
        if delay is None:
            what = f"Joining again failed {self._attempts} times; the last time: {self.last_problem}"
            self.loss.add_note(what)
        else:
            self._attempts += 1
        return delay

    def mended(self, now: float, origin: int) -> Reconnected:
        """What to tell of it when it is over."""
        return Reconnected(
            gap_s=now - self.since,
            lost_audio_s=self.lost_samples / SAMPLE_RATE,
            origin=origin,
            attempts=self._attempts,
            reason=str(self.loss),
        )
