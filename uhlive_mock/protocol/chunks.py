"""The audio in the payload of a chunk: the bytes of a binary push, or the base64 `blob` of a JSON one.

S: the Python SDKs push binary, the JavaScript SDK sends a `blob`, on either framing.
"""

from __future__ import annotations

import base64
import binascii


def chunk_size(payload: object) -> int | None:
    """Bytes of audio in the payload of a chunk, None when it has none."""
    if isinstance(payload, bytes):
        return len(payload)
    blob = payload.get("blob") if isinstance(payload, dict) else None
    return len(blob.rstrip("=")) * 3 // 4 if isinstance(blob, str) else None


def chunk_audio(payload: object) -> bytes | None:
    """The audio of a chunk: the bytes of a binary push, or the base64 `blob` of a JSON one; else None."""
    if isinstance(payload, bytes):
        return payload
    if isinstance(payload, dict) and isinstance(payload.get("blob"), str):
        try:
            return base64.b64decode(payload["blob"], validate=True)
        except (binascii.Error, ValueError):
            return None
    return None
