"""A client of the uh!ive Conversation API, for the real service and for `uhlive-mock`.

    from uhlive_client import connect, read_audio

    async with connect(conversation="conv1", speaker="Alice") as call:
        call.play(read_audio("hello.wav"))
        async for event in call:
            print(event)

`blocking.connect` is the same without asyncio: `with`, `for`, no `await`.

Layers, each importing only those before it: `errors`, `wire`, `events`, `codecs`, `vocabulary`, `token`, `audio`,
`conversation`, `pacing` and `call_state` touch no network and no clock; `settings` reads the environment; `login`,
`transport` and `aio` do I/O, and `blocking` runs `aio` in a thread; `live_audio` and `piped` are sound as it
comes; `formats`, `transcript` and `cli` are for people. Names are imported when first used.
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
    from .live_audio import LiveStream, microphone
    from .login import fetch_token
    from .pacing import Pacer, PacingReport
    from .piped import piped_audio
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

_MODULES = {
    "aio": ("Call", "connect"),
    "audio": ("AudioInfo", "probe", "read_audio", "read_channels"),
    "codecs": ("Codec", "Encoding", "RawFormat"),
    "conversation": ("Conversation", "JoinOptions", "State"),
    "errors": (
        "AudioError",
        "AuthenticationError",
        "ChannelCrashed",
        "ConfigurationError",
        "ConnectionLost",
        "HandshakeRefused",
        "JoinRefused",
        "Timeout",
        "UhliveClientError",
        "Unreachable",
        "UsageError",
        "WireError",
    ),
    "events": (
        "Closed",
        "Entity",
        "EntityRef",
        "Event",
        "Interim",
        "Normalized",
        "Reconnected",
        "Relation",
        "Reply",
        "Segment",
        "SpeakerJoined",
        "SpeakerLeft",
        "Tag",
        "Tags",
        "UnknownEvent",
        "Word",
    ),
    "formats": ("Caption", "Captions", "json_line", "to_srt", "to_vtt"),
    "login": ("fetch_token",),
    "live_audio": ("LiveStream", "microphone"),
    "piped": ("piped_audio",),
    "pacing": ("Pacer", "PacingReport"),
    "settings": ("Reconnect", "Settings"),
    "transcript": ("Transcript",),
    "wire": ("Framing",),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}
_SHELLS = ("aio", "blocking")


def __getattr__(name: str) -> object:
    if name in _SHELLS:
        return import_module(f".{name}", __name__)
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
