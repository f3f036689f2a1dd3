"""The uh!ive Conversation API on your own machine, for tests and offline work."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from .auth.endpoint import TokenBehaviour as TokenBehaviour
    from .errors import ConfigurationError as ConfigurationError
    from .errors import ScenarioError as ScenarioError
    from .errors import UhliveMockError as UhliveMockError
    from .errors import WaitTimeout as WaitTimeout
    from .model.account import Account as Account
    from .model.account import User as User
    from .model.account import Vocabulary as Vocabulary
    from .model.behaviour import Behaviour as Behaviour
    from .model.scenario import Scenario as Scenario
    from .scenarios import load_scenario as load_scenario
    from .scenarios import parse_scenario as parse_scenario
    from .scenarios import scenario as scenario
    from .scenarios.events import entity as entity
    from .scenarios.events import event as event
    from .scenarios.events import interim as interim
    from .scenarios.events import normalized as normalized
    from .scenarios.events import relation as relation
    from .scenarios.events import segment as segment
    from .scenarios.events import speaker_joined as speaker_joined
    from .scenarios.events import speaker_left as speaker_left
    from .scenarios.events import tags as tags
    from .server.thread import MockServer as MockServer

# Loaded when first asked for: pytest imports this package in every run of everyone who has it installed.
_HOMES = {
    "Account": "model.account",
    "Behaviour": "model.behaviour",
    "ConfigurationError": "errors",
    "MockServer": "server.thread",
    "Scenario": "model.scenario",
    "ScenarioError": "errors",
    "TokenBehaviour": "auth.endpoint",
    "UhliveMockError": "errors",
    "User": "model.account",
    "Vocabulary": "model.account",
    "WaitTimeout": "errors",
    "entity": "scenarios.events",
    "event": "scenarios.events",
    "interim": "scenarios.events",
    "load_scenario": "scenarios",
    "normalized": "scenarios.events",
    "parse_scenario": "scenarios",
    "relation": "scenarios.events",
    "scenario": "scenarios",
    "segment": "scenarios.events",
    "speaker_joined": "scenarios.events",
    "speaker_left": "scenarios.events",
    "tags": "scenarios.events",
}

__all__ = [
    "Account",
    "Behaviour",
    "ConfigurationError",
    "MockServer",
    "Scenario",
    "ScenarioError",
    "TokenBehaviour",
    "UhliveMockError",
    "User",
    "Vocabulary",
    "WaitTimeout",
    "__version__",
    "entity",
    "event",
    "interim",
    "load_scenario",
    "normalized",
    "parse_scenario",
    "relation",
    "scenario",
    "segment",
    "speaker_joined",
    "speaker_left",
    "tags",
]


def __getattr__(name: str) -> object:
    try:
        home = _HOMES[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    value: object = getattr(import_module(f".{home}", __name__), name)
    globals()[name] = value
    return value
