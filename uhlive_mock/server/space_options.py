"""Making a space from what a caller asks for."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable
from os import PathLike
from typing import TypeVar

from .. import scenarios
from ..errors import ConfigurationError
from ..model.account import Account, Vocabulary
from ..model.behaviour import Behaviour
from ..model.limits import Limits
from ..model.scenario import Scenario
from ..protocol.space import Space
from .clock import Clock, Drive

ScenarioSource = Scenario | str | PathLike[str]
"""A scenario, or the path of its document."""


def make_space(
    *,
    scenario: ScenarioSource | Iterable[ScenarioSource] | None = None,
    client_id: str | None = None,
    client_secret: str | None = None,
    accounts: Iterable[Account] | None = None,
    vocabulary: Vocabulary | str = Vocabulary.UNIVERSAL,
    clock: Drive | str = Drive.REAL,
    rate: float = 1.0,
    seed: int = 0,
    behaviour: Behaviour | None = None,
    limits: Limits | None = None,
    name: str = "",
    wall: Callable[[], float] = time.time,
) -> tuple[Space, Clock]:
    """A space and its clock, not yet alive; see `MockServer.space` for the arguments.

    Raises:
        ScenarioError, ConfigurationError: an argument cannot be used.
    """
    if accounts is None:
        accounts = [
            Account(
                client_id=client_id or f"client-{secrets.token_hex(4)}",
                client_secret=client_secret or secrets.token_urlsafe(12),
                vocabulary=_choice(Vocabulary, vocabulary, "vocabulary"),
            )
        ]
    drive = _choice(Drive, clock, "clock")
    space = Space(
        accounts=accounts,
        scenarios=scenarios_of(scenario),
        behaviour=behaviour,
        seed=seed,
        follow_audio=drive is Drive.AUDIO,
        wall=wall,
        real=time.monotonic,
        limits=limits,
        name=name,
        paced=drive is Drive.REAL,
    )
    return space, Clock(drive, rate=rate)


def scenarios_of(source: ScenarioSource | Iterable[ScenarioSource] | None) -> list[Scenario]:
    """The scenarios meant by one, by a path, or by several of either; the built-in call by default.

    Raises:
        ScenarioError: a document cannot be used.
    """
    if source is None:
        return [scenarios.builtin_scenario()]
    if isinstance(source, Scenario | str | PathLike | dict) or not isinstance(source, Iterable):
        return [_scenario(source)]
    return [_scenario(item) for item in source]


def _scenario(item: object) -> Scenario:
    if isinstance(item, Scenario):
        return item
    if isinstance(item, str | PathLike):
        return scenarios.load_scenario(item)
    remedy = "; end the builder with .build()" if hasattr(item, "build") else ""
    raise ConfigurationError(
        f"the scenario is a {type(item).__name__}; expected a Scenario or the path of a document{remedy}"
    )


Choice = TypeVar("Choice", Vocabulary, Drive)


def _choice(kind: type[Choice], value: str, name: str) -> Choice:
    try:
        return kind(value)
    except ValueError:
        raise ConfigurationError(f"{name} is {value!r}; expected {' or '.join(kind)}") from None
