"""A client of the uh!ive Conversation API, for the real service and for `uhlive-mock`.

    from uhlive_client import connect, read_audio

    async with connect(conversation="conv1", speaker="Alice") as call:
        call.play(read_audio("hello.wav"))
        async for event in call:
            print(event)

`blocking.connect` is the same without asyncio: `with`, `for`, no `await`.

Layers, each importing only those before it: `errors`, `wire`, `events`, `vocabulary`, `token`, `audio`,
`conversation`, `pacing` and `core` touch no network and no clock; `settings` reads the environment; `https`,
`transport`, `aio` and `blocking` do I/O; `transcript` and `cli` face people. Names are imported when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from . import aio, blocking
    from .aio import Call, connect
    from .audio import AudioInfo, probe, read_audio, read_channels
    from .codecs import Codec, Encoding, RawFormat
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
        Reconnected,
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
    from .formats import Caption, Captions, json_line, to_srt, to_vtt
    from .live_audio import LiveStream
    from .login import fetch_token
    from .mic import microphone
    from .pacing import Pacer, PacingReport
    from .piped_audio import piped_audio
    from .settings import Reconnect, Settings
    from .transcript import Transcript
    from .wire import Framing

__all__ = [
    "AudioError",
    "AudioInfo",
    "AuthenticationError",
    "Call",
    "Caption",
    "Captions",
    "ChannelCrashed",
    "Closed",
    "Codec",
    "ConfigurationError",
    "ConnectionLost",
    "Conversation",
    "Encoding",
    "Entity",
    "EntityRef",
    "Event",
    "Framing",
    "HandshakeRefused",
    "Interim",
    "JoinOptions",
    "JoinRefused",
    "LiveStream",
    "Normalized",
    "Pacer",
    "PacingReport",
    "RawFormat",
    "Reconnect",
    "Reconnected",
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
    "aio",
    "blocking",
    "connect",
    "fetch_token",
    "json_line",
    "microphone",
    "piped_audio",
    "probe",
    "read_audio",
    "read_channels",
    "to_srt",
    "to_vtt",
]

_HOMES = {
    "Call": "aio",
    "connect": "aio",
    "AudioInfo": "audio",
    "probe": "audio",
    "read_audio": "audio",
    "read_channels": "audio",
    "Codec": "codecs",
    "Encoding": "codecs",
    "RawFormat": "codecs",
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
    "Reconnected": "events",
    "Relation": "events",
    "Reply": "events",
    "Segment": "events",
    "SpeakerJoined": "events",
    "SpeakerLeft": "events",
    "Tag": "events",
    "Tags": "events",
    "UnknownEvent": "events",
    "Word": "events",
    "Caption": "formats",
    "Captions": "formats",
    "json_line": "formats",
    "to_srt": "formats",
    "to_vtt": "formats",
    "fetch_token": "login",
    "LiveStream": "live_audio",
    "microphone": "mic",
    "piped_audio": "piped_audio",
    "Pacer": "pacing",
    "PacingReport": "pacing",
    "Reconnect": "settings",
    "Settings": "settings",
    "Transcript": "transcript",
    "Framing": "wire",
}


_SHELLS = ("aio", "blocking")


def __getattr__(name: str) -> object:
    if name in _SHELLS:
        return import_module(f".{name}", __name__)
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
