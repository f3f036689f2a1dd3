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
    from .errors import ConfigurationError as ConfigurationError
    from .errors import ScenarioError as ScenarioError
    from .errors import UhliveMockError as UhliveMockError
    from .errors import WaitTimeout as WaitTimeout
    from .mock_server import MockServer as MockServer
    from .model.account import Account as Account
    from .model.account import User as User
    from .model.account import Vocabulary as Vocabulary
    from .model.audio import Codec as Codec
    from .model.behaviour import Behaviour as Behaviour
    from .model.behaviour import Grade as Grade
    from .model.behaviour import PhoenixRelease as PhoenixRelease
    from .model.fault import Fault as Fault
    from .model.fault import FaultKind as FaultKind
    from .model.limits import Chunk as Chunk
    from .model.limits import ChunkAction as ChunkAction
    from .model.limits import Gap as Gap
    from .model.limits import GapAction as GapAction
    from .model.limits import Idle as Idle
    from .model.limits import Limits as Limits
    from .model.limits import Measure as Measure
    from .model.limits import Throttle as Throttle
    from .model.limits import ThrottleAction as ThrottleAction
    from .model.scenario import RawEvent as RawEvent
    from .model.scenario import Scenario as Scenario
    from .model.settings import Drive as Drive
    from .model.settings import SpaceSettings as SpaceSettings
    from .protocol.journal import Entry as Entry
    from .protocol.pacing import Due as Due
    from .protocol.pacing import Pacing as Pacing
    from .protocol.plan import Axis as Axis
    from .protocol.records import Closed as Closed
    from .protocol.records import Defect as Defect
    from .protocol.records import EndedBy as EndedBy
    from .protocol.records import Kind as Kind
    from .protocol.records import LimitRule as LimitRule
    from .protocol.records import Login as Login
    from .protocol.records import Malformed as Malformed
    from .protocol.records import Opened as Opened
    from .protocol.records import Refused as Refused
    from .protocol.records import RuleBroken as RuleBroken
    from .protocol.records import Skipped as Skipped
    from .protocol.records import SkipReason as SkipReason
    from .protocol.records import Struck as Struck
    from .protocol.records import Truncated as Truncated
    from .protocol.records import Unplayed as Unplayed
    from .protocol.speaker_audio import GapMark as GapMark
    from .protocol.speaker_audio import Recording as Recording
    from .scenarios import load_scenario as load_scenario
    from .scenarios import parse_scenario as parse_scenario
    from .scenarios import scenario as scenario
    from .scenarios.events import LiveEvent as LiveEvent
    from .scenarios.events import entity as entity
    from .scenarios.events import event as event
    from .scenarios.events import interim as interim
    from .scenarios.events import normalized as normalized
    from .scenarios.events import relation as relation
    from .scenarios.events import segment as segment
    from .scenarios.events import speaker_joined as speaker_joined
    from .scenarios.events import speaker_left as speaker_left
    from .scenarios.events import tags as tags
    from .server.conversation_handle import ConversationHandle as ConversationHandle
    from .server.conversation_handle import SpeakerHandle as SpeakerHandle
    from .server.journal_handle import Journal as Journal
    from .server.journal_handle import JournalHandle as JournalHandle
    from .server.journal_handle import MessageFilter as MessageFilter
    from .server.space_handle import SpaceHandle as SpaceHandle
    from .server.space_handle import TranscriptFilter as TranscriptFilter
    from .server.space_options import SpaceOptions as SpaceOptions
    from .server.spaces import Tried as Tried
    from .server.spaces import UnknownClient as UnknownClient
    from .testing.sdk import Sdk as Sdk
    from .verification.rules import Problem as Problem
    from .verification.rules import Severity as Severity
    from .verification.rules import Verdict as Verdict
    from .verification.rules import Violation as Violation
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
