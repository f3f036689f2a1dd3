"""What kind of client is on a socket, as its messages give away.

    python        the official Python SDK, 1.1.0 to 2.1.0: vsn2, every join_ref "1", the SDK's own keys in its
                  joins, audio in binary pushes, never a heartbeat
    javascript    the official JavaScript SDK, or anything on phoenix.js: vsn2, a join's ref is its join_ref, and
                  heartbeats, base64 audio or the SDK's option `wrapper`
    other         everything else, also who is both or has not joined yet

A rule may be milder towards a dialect, for what the official SDKs do is never an error. Sources: SDK 2.1.0 and
1.6.1 `Conversation`, the JavaScript SDK's `conversation.ts`, phoenix.js 1.6.14 to 1.8.16.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from ..protocol.journal import Entry
from ..wire.framing import Framing

_PYTHON_KEYS = frozenset(
    {"readonly", "speaker", "model", "country", "interim_results", "rescoring", "origin", "audio_codec"}
)


class Dialect(StrEnum):
    """A kind of client."""

    PYTHON = "python"
    JAVASCRIPT = "javascript"
    OTHER = "other"

    @property
    def whose(self) -> str:
        """Who speaks it."""
        return _WHOSE[self]


_WHOSE = {
    Dialect.PYTHON: "the official Python SDK",
    Dialect.JAVASCRIPT: "the official JavaScript SDK or phoenix.js",
    Dialect.OTHER: "any other client",
}


class Traits(msgspec.Struct):
    """What was seen on one socket so far: how many joins there were, how many of them like which client's."""

    framing: str | None = None
    joins: int = 0
    python_joins: int = 0
    phoenix_joins: int = 0
    heartbeats: bool = False
    blobs: bool = False
    wrapper: bool = False

    def opened(self, note: str | None) -> None:
        """The socket opened; the note names its framing."""
        self.framing = (note or "").partition(" ")[0] or None

    def see(self, entry: Entry) -> None:
        """The client sent something."""
        if entry.audio_bytes is not None:
            self.blobs |= not entry.binary
        elif entry.event == "heartbeat":
            self.heartbeats = True
        elif entry.event == "phx_join":
            keys = entry.payload.keys() if isinstance(entry.payload, dict) else frozenset[str]()
            self.joins += 1
            self.python_joins += entry.join_ref == "1" and _PYTHON_KEYS - {"audio_codec"} <= keys <= _PYTHON_KEYS
            self.phoenix_joins += isinstance(entry.ref, str) and entry.ref == entry.join_ref
            self.wrapper |= "wrapper" in keys


def dialect_of(traits: Traits) -> Dialect:
    """The kind of client that has these traits."""
    if not traits.joins or traits.framing == Framing.VSN1:
        return Dialect.OTHER
    if traits.python_joins == traits.joins and not (traits.heartbeats or traits.blobs):
        return Dialect.PYTHON
    if traits.phoenix_joins == traits.joins and (traits.heartbeats or traits.blobs or traits.wrapper):
        return Dialect.JAVASCRIPT
    return Dialect.OTHER
