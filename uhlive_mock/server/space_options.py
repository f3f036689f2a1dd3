"""What callers may say of a space, and the settings that become of it: names for values, a path for a scenario.

What is not said is drawn (credentials), the server's (behaviour) or the default of `SpaceSettings`.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from enum import StrEnum
from os import PathLike
from typing import TypedDict, TypeVar

from .. import scenarios  # YAML comes with loading one, and not before
from ..errors import ConfigurationError
from ..model.account import Account, Vocabulary
from ..model.behaviour import Behaviour
from ..model.limits import Limits
from ..model.scenario import Scenario
from ..model.settings import Drive, SpaceSettings

ScenarioSource = Scenario | str | PathLike[str]
"""A scenario, or the path of its document."""

_Choice = TypeVar("_Choice", bound=StrEnum)


class SpaceOptions(TypedDict, total=False):
    """The keywords of `MockServer.space`; None stands for what is not said."""

    scenario: ScenarioSource | Iterable[ScenarioSource] | None
    client_id: str | None
    client_secret: str | None
    vocabulary: Vocabulary | str
    accounts: Iterable[Account] | None
    clock: Drive | str
    rate: float
    seed: int
    behaviour: Behaviour | None
    limits: Limits | None
    name: str


_READ_HERE = frozenset({"scenario", "client_id", "client_secret", "vocabulary", "accounts", "clock"})
"""The options that are not yet what the settings have; all others are fields of them."""


def settings_from(options: SpaceOptions) -> SpaceSettings:
    """The settings of a space that a caller wants.

    Raises:
        ScenarioError, ConfigurationError: an option cannot be used.
        TypeError: there is no such option.
    """
    accounts = options.get("accounts")
    if accounts is None:
        accounts = [
            Account(
                client_id=options.get("client_id") or f"client-{secrets.token_hex(4)}",
                client_secret=options.get("client_secret") or secrets.token_urlsafe(12),
                vocabulary=_one_of(Vocabulary, options.get("vocabulary", Vocabulary.UNIVERSAL), "vocabulary"),
            )
        ]
    fields = {name: value for name, value in options.items() if name not in _READ_HERE and value is not None}
    return SpaceSettings(
        accounts=tuple(accounts),
        scenarios=scenarios_from(options.get("scenario")),
        clock=_one_of(Drive, options.get("clock", Drive.REAL), "clock"),
        **fields,  # type: ignore[arg-type]  # they are what `SpaceOptions` says
    )


def scenarios_from(source: ScenarioSource | Iterable[ScenarioSource] | None) -> tuple[Scenario, ...]:
    """The scenarios meant by one, by a path, or by several of either; the built-in call by default.

    Raises:
        ScenarioError: a document cannot be used.
    """
    if source is None:
        return (scenarios.builtin_scenario(),)
    if isinstance(source, Scenario | str | PathLike | dict) or not isinstance(source, Iterable):
        return (_scenario(source),)
    return tuple(map(_scenario, source))


def _scenario(item: object) -> Scenario:
    if isinstance(item, Scenario):
        return item
    if isinstance(item, str | PathLike):
        return scenarios.load_scenario(item)
    remedy = "; end the builder with .build()" if hasattr(item, "build") else ""
    raise ConfigurationError(
        f"the scenario is a {type(item).__name__}; expected a Scenario or the path of a document{remedy}"
    )


def _one_of(kind: type[_Choice], value: str, name: str) -> _Choice:
    try:
        return kind(value)
    except ValueError:
        raise ConfigurationError(f"{name} is {value!r}; expected {' or '.join(kind)}") from None
