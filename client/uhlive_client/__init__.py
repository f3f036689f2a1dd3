"""A client of the uh!ive Conversation API, for the real service and for `uhlive-mock`.

    from uhlive_client import connect, read_audio

    async with connect(conversation="conv1", speaker="Alice") as call:
        call.play(read_audio("hello.wav"))
        async for event in call:
            print(event)

Layers, each importing only those before it: `errors`, `wire`, `events`, `vocabulary`, `token`, `audio`,
`conversation` and `pacing` touch no network and no clock; `settings` reads the environment; `https`,
`transport` and `aio` do I/O; `transcript` and `cli` face people. Names are imported when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .aio import Call, connect
    from .audio import AudioInfo, Codec, probe, read_audio
    from .conversation import Conversation, JoinOptions, State
    from .errors import (
        AudioError,
        AuthenticationError,
        ChannelCrashed,
        ConfigurationError,
        ConnectionLost,
        HandshakeRefused,
        JoinRefused,
        Timeout,
        UhliveClientError,
        Unreachable,
        UsageError,
        WireError,
    )
    from .events import (
        Closed,
        Entity,
        EntityRef,
        Event,
        Interim,
        Normalized,
        Relation,
        Reply,
        Segment,
        SpeakerJoined,
        SpeakerLeft,
        Tag,
        Tags,
        UnknownEvent,
        Word,
    )
    from .https import fetch_token
    from .pacing import Pacer, PacingReport
    from .settings import Settings
    from .transcript import Transcript
    from .wire import Framing

__all__ = [
    "AudioError",
    "AudioInfo",
    "AuthenticationError",
    "Call",
    "ChannelCrashed",
    "Closed",
    "Codec",
    "ConfigurationError",
    "ConnectionLost",
    "Conversation",
    "Entity",
    "EntityRef",
    "Event",
    "Framing",
    "HandshakeRefused",
    "Interim",
    "JoinOptions",
    "JoinRefused",
    "Normalized",
    "Pacer",
    "PacingReport",
    "Relation",
    "Reply",
    "Segment",
    "Settings",
    "SpeakerJoined",
    "SpeakerLeft",
    "State",
    "Tag",
    "Tags",
    "Timeout",
    "Transcript",
    "UhliveClientError",
    "UnknownEvent",
    "Unreachable",
    "UsageError",
    "WireError",
    "Word",
    "connect",
    "fetch_token",
    "probe",
    "read_audio",
]

_HOMES = {
    "Call": "aio",
    "connect": "aio",
    "AudioInfo": "audio",
    "Codec": "audio",
    "probe": "audio",
    "read_audio": "audio",
    "Conversation": "conversation",
    "JoinOptions": "conversation",
    "State": "conversation",
    "AudioError": "errors",
    "AuthenticationError": "errors",
    "ChannelCrashed": "errors",
    "ConfigurationError": "errors",
    "ConnectionLost": "errors",
    "HandshakeRefused": "errors",
    "JoinRefused": "errors",
    "Timeout": "errors",
    "UhliveClientError": "errors",
    "Unreachable": "errors",
    "UsageError": "errors",
    "WireError": "errors",
    "Closed": "events",
    "Entity": "events",
    "EntityRef": "events",
    "Event": "events",
    "Interim": "events",
    "Normalized": "events",
    "Relation": "events",
    "Reply": "events",
    "Segment": "events",
    "SpeakerJoined": "events",
    "SpeakerLeft": "events",
    "Tag": "events",
    "Tags": "events",
    "UnknownEvent": "events",
    "Word": "events",
    "fetch_token": "https",
    "Pacer": "pacing",
    "PacingReport": "pacing",
    "Settings": "settings",
    "Transcript": "transcript",
    "Framing": "wire",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
