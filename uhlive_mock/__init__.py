"""The uh!ive Conversation API on your own machine, for tests and offline work.

What users hold, write down or get back is imported from here: the server and its handles, the values that settings,
journals and verdicts are made of, and what builds scenarios and events.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from .auth.endpoint import TokenBehaviour as TokenBehaviour
    from .errors import (
        ConfigurationError as ConfigurationError,
        ScenarioError as ScenarioError,
        UhliveMockError as UhliveMockError,
        WaitTimeout as WaitTimeout,
    )
    from .mock_server import MockServer as MockServer
    from .model.account import Account as Account, User as User, Vocabulary as Vocabulary
    from .model.audio import Codec as Codec
    from .model.behaviour import Behaviour as Behaviour, Grade as Grade, PhoenixRelease as PhoenixRelease
    from .model.fault import Fault as Fault, FaultKind as FaultKind
    from .model.limits import (
        Chunk as Chunk,
        ChunkAction as ChunkAction,
        Gap as Gap,
        GapAction as GapAction,
        Idle as Idle,
        Limits as Limits,
        Measure as Measure,
        Throttle as Throttle,
        ThrottleAction as ThrottleAction,
    )
    from .model.scenario import RawEvent as RawEvent, Scenario as Scenario
    from .model.settings import Drive as Drive, SpaceSettings as SpaceSettings
    from .protocol.journal import Entry as Entry
    from .protocol.pacing import Due as Due, Pacing as Pacing
    from .protocol.plan import Axis as Axis
    from .protocol.records import (
        Closed as Closed,
        Defect as Defect,
        EndedBy as EndedBy,
        Kind as Kind,
        LimitRule as LimitRule,
        Login as Login,
        Malformed as Malformed,
        Opened as Opened,
        Refused as Refused,
        RuleBroken as RuleBroken,
        Skipped as Skipped,
        SkipReason as SkipReason,
        Struck as Struck,
        Truncated as Truncated,
        Unplayed as Unplayed,
    )
    from .protocol.speaker_audio import GapMark as GapMark, Recording as Recording
    from .scenarios import load_scenario as load_scenario, parse_scenario as parse_scenario, scenario as scenario
    from .scenarios.events import (
        LiveEvent as LiveEvent,
        entity as entity,
        event as event,
        interim as interim,
        normalized as normalized,
        relation as relation,
        segment as segment,
        speaker_joined as speaker_joined,
        speaker_left as speaker_left,
        tags as tags,
    )
    from .server.conversation_handle import ConversationHandle as ConversationHandle, SpeakerHandle as SpeakerHandle
    from .server.journal_handle import (
        Journal as Journal,
        JournalHandle as JournalHandle,
        MessageFilter as MessageFilter,
    )
    from .server.space_handle import SpaceHandle as SpaceHandle, TranscriptFilter as TranscriptFilter
    from .server.space_options import SpaceOptions as SpaceOptions
    from .server.spaces import Tried as Tried, UnknownClient as UnknownClient
    from .testing.sdk import Sdk as Sdk
    from .verification.rules import (
        Problem as Problem,
        Severity as Severity,
        Verdict as Verdict,
        Violation as Violation,
    )
    from .wire.framing import Framing as Framing

# Loaded when first asked for: pytest imports this package in every run of everyone who has it installed.
_NAMES = {
    "auth.endpoint": "TokenBehaviour",
    "errors": "ConfigurationError ScenarioError UhliveMockError WaitTimeout",
    "mock_server": "MockServer",
    "model.account": "Account User Vocabulary",
    "model.audio": "Codec",
    "model.behaviour": "Behaviour Grade PhoenixRelease",
    "model.fault": "Fault FaultKind",
    "model.limits": "Chunk ChunkAction Gap GapAction Idle Limits Measure Throttle ThrottleAction",
    "model.scenario": "RawEvent Scenario",
    "model.settings": "Drive SpaceSettings",
    "protocol.journal": "Entry",
    "protocol.pacing": "Due Pacing",
    "protocol.plan": "Axis",
    "protocol.records": (
        "Closed Defect EndedBy Kind LimitRule Login Malformed Opened Refused RuleBroken SkipReason Skipped Struck "
        "Truncated Unplayed"
    ),
    "protocol.speaker_audio": "GapMark Recording",
    "scenarios": "load_scenario parse_scenario scenario",
    "scenarios.events": (
        "LiveEvent entity event interim normalized relation segment speaker_joined speaker_left tags"
    ),
    "server.conversation_handle": "ConversationHandle SpeakerHandle",
    "server.journal_handle": "Journal JournalHandle MessageFilter",
    "server.space_handle": "SpaceHandle TranscriptFilter",
    "server.space_options": "SpaceOptions",
    "server.spaces": "Tried UnknownClient",
    "testing.sdk": "Sdk",
    "verification.rules": "Problem Severity Verdict Violation",
    "wire.framing": "Framing",
}
_HOMES = {name: home for home, names in _NAMES.items() for name in names.split()}

__all__ = ["__version__", *sorted(_HOMES)]


def __getattr__(name: str) -> object:
    try:
        home = _HOMES[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    value: object = getattr(import_module(f".{home}", __name__), name)
    globals()[name] = value
    return value
