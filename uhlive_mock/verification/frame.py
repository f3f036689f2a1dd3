"""A journal entry as one line of text, much as it was on the wire."""

from __future__ import annotations

import msgspec

from ..protocol.journal import Entry, Kind
from ..wire.framing import Framing

WIDTH = 160
"""Characters of a line; what is longer is cut."""


def frame_text(entry: Entry, framing: str | None = None) -> str:
    """A message in the framing of its socket, vsn2 unless told; any other entry as what it notes."""
    if entry.kind is Kind.MALFORMED and entry.payload is not None:
        return _line(entry.payload if isinstance(entry.payload, str) else in_json(entry.payload))
    if entry.kind not in (Kind.RECEIVED, Kind.SENT):
        return _line(entry.note or entry.kind.value)
    if entry.audio_bytes is None or isinstance(entry.payload, dict):
        payload = in_json(entry.payload)
    else:
        payload = f"<{entry.audio_bytes} bytes of audio>"
    if framing == Framing.VSN1:
        named = {"topic": entry.topic, "event": entry.event, "ref": entry.ref}
        return _line(f'{in_json(named)[:-1]},"payload":{payload}}}')
    return _line(f"{in_json([entry.join_ref, entry.ref, entry.topic, entry.event])[:-1]},{payload}]")


def in_json(value: object) -> str:
    """A JSON value as text."""
    return msgspec.json.encode(value).decode()


def _line(text: str) -> str:
    text = " ".join(text.splitlines())
    return text if len(text) <= WIDTH else f"{text[: WIDTH - 1]}…"
