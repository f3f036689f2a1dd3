"""The space of one test, made as its settings say."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from msgspec import structs

from .. import scenarios  # YAML comes with loading one, and not before
from ..errors import ConfigurationError
from ..model.scenario import Scenario
from .settings import ALLOW, CLOCK, LIMITS, SCENARIO, VOCABULARY, Settings

if TYPE_CHECKING:
    from ..server.handles import SpaceHandle
    from ..server.making import ScenarioSource
    from ..server.thread import MockServer


def make_space(
    server: MockServer, item: pytest.Item, settings: Settings, *, seed: int, vocabulary: str
) -> SpaceHandle:
    """A space of `server` for a test.

    Args:
        seed: decides everything random.
        vocabulary: of its account, unless the settings say another.

    Raises:
        ScenarioError, ConfigurationError: a setting cannot be used.
    """
    limits = settings[LIMITS]
    calls = [_scenario(source, item) for source in settings[SCENARIO]]
    if limits is not None:  # whoever gives a test limits means them, whatever its scenario says
        calls = [structs.replace(call, limits=limits) for call in calls]
    space = server.space(
        scenario=calls or None,
        vocabulary=settings[VOCABULARY] or vocabulary,
        clock=settings[CLOCK],
        rate=settings.rate,
        seed=seed,
        limits=limits,
        name=item.nodeid,
    )
    try:
        space.allow(*settings[ALLOW])
    except BaseException:
        space.close()
        raise
    return space


def _scenario(source: ScenarioSource, item: pytest.Item) -> Scenario:
    if isinstance(source, Scenario):
        return source
    # A relative path is the test's own, or else the project's.
    places = [folder / source for folder in (item.path.parent, item.config.rootpath)]
    for place in places:
        if place.is_file():
            return scenarios.load_scenario(place)
    looked = " and ".join(dict.fromkeys(str(place.parent) for place in places))
    raise ConfigurationError(f"scenario: there is no {Path(source).name!r} in {looked}")
