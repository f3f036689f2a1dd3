"""Phoenix messages to frames and back, for the side that opens the socket.

A message is five fields. A framing is how they lie in a frame:

    vsn1   {"topic", "event", "payload", "ref"}            text only; refs are integers, audio is base64
    vsn2   [join_ref, ref, topic, event, payload]          text
           kind, one size byte a field, the fields, data   binary, see `_SERVER_LAYOUTS`

The kind byte 0 has two layouts: a push of ours carries a ref, a push of the server's does not.
S: the official SDKs and phoenix.js; D: Phoenix's serializers. Sizes count UTF-8 bytes, not characters.

Reading tolerates what a server may do (refs of either type, a fifth key, a sixth element) and raises
`WireError` for the rest; it never raises anything else.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from enum import StrEnum

import msgspec

from .errors import WireError

SIZE_LIMIT = 255
"""Most UTF-8 bytes in a field of a binary frame: its size is one byte."""

REPLY = "phx_reply"
"""The event of every reply; a binary reply leaves it out."""


class Framing(StrEnum):
    """How messages lie in frames; the socket's `vsn` parameter chooses it."""

    VSN1 = "vsn1"
    VSN2 = "vsn2"

    @property
    def vsn(self) -> str:
        """The value of the `vsn` parameter of the address."""
        return "1.0.0" if self is Framing.VSN1 else "2.0.0"


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One Phoenix message. Refs are decimal strings whatever the framing writes.

    `payload` is `bytes` for audio and for the data of a binary frame, else what JSON can say, or a
    struct that msgspec can write. The response of a binary reply is `bytes` inside the payload.
    """

    join_ref: str | None
    ref: str | None
    topic: str
    event: str
    payload: object


def encode(message: Message, framing: Framing) -> str | bytes:
    """The frame of a client's message: `str` goes in a text frame, `bytes` in a binary one.

    Raises:
        WireError: a binary field is over 255 bytes, a text is not Unicode, a vsn1 ref is not a number,
            or the payload has no JSON form.
    """
    return _WRITERS[framing](message)


def decode(frame: str | bytes, framing: Framing) -> Message:
    """The message in a frame of the server's.

    Raises:
        WireError: the frame is none of this framing.
    """
    return _READERS[framing](frame)


# --- JSON -------------------------------------------------------------------------------------------------


def _to_json(value: object) -> str:
    # S: compact, non-ASCII raw, keys in the order given; byte for byte what the Python SDK sends.
    try:
        return msgspec.json.encode(value).decode()
    except (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError) as problem:
        raise WireError(f"a payload without JSON form ({problem})", "a JSON value") from None


def _from_json(text: str | bytes) -> object:
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeError) as problem:
        raise WireError(f"a frame that is not JSON ({problem})", "a JSON text") from None
    except RecursionError:
        raise WireError("a frame of JSON nested too deep", "a Phoenix message") from None


def _ref(value: object) -> str | None:
    # S: replies echo our refs with our type; the SDK's own fixtures have integers where strings belong.
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise WireError(f"a ref of type {type(value).__name__}", "a string, an integer or null")


def _name(field: str, value: object) -> str:
    if isinstance(value, str):
        return value
    raise WireError(f"{field} of type {type(value).__name__}", "a string")


def _message(join_ref: object, ref: object, topic: object, event: object, payload: object) -> Message:
    return Message(
        join_ref=_ref(join_ref),
        ref=_ref(ref),
        topic=_name("a topic", topic),
        event=_name("an event", event),
        payload=payload,
    )


# --- vsn1 -------------------------------------------------------------------------------------------------


def _write_vsn1(message: Message) -> str:
    ref = message.ref
    if ref is not None and not (ref.isascii() and ref.isdecimal()):
        raise WireError(f"the ref {ref!r}", "a decimal number, which is what vsn1 sends")
    payload = message.payload
    if isinstance(payload, bytes):
        # S: the field name `blob` is the JavaScript SDK's; the provider's page only says base64.
        payload = {"blob": b64encode(payload).decode("ascii")}
    number = None if ref is None else int(ref)
    return _to_json({"topic": message.topic, "event": message.event, "payload": payload, "ref": number})


def _read_vsn1(frame: str | bytes) -> Message:
    # D: Phoenix ignores the opcode here, so JSON may come in a binary frame too.
    fields = _from_json(frame)
    if not isinstance(fields, dict):
        raise WireError(f"a JSON {type(fields).__name__}", "an object with topic, event, payload and ref")
    missing = [key for key in ("topic", "event", "payload", "ref") if key not in fields]
    if missing:
        raise WireError(f"an object without {' and '.join(missing)}", "topic, event, payload and ref")
    return _message(fields.get("join_ref"), fields["ref"], fields["topic"], fields["event"], fields["payload"])


# --- vsn2 -------------------------------------------------------------------------------------------------

_CLIENT_PUSH = 0

_SERVER_LAYOUTS = {
    0: ("join_ref", "topic", "event"),
    1: ("join_ref", "ref", "topic", "status"),
    2: ("topic", "event"),
}
"""The fields of the server's binary frames, by their kind byte: push, reply, broadcast."""


def _field(name: str, text: str) -> bytes:
    try:
        field = text.encode()
    except UnicodeEncodeError:
        raise WireError(f"a {name} that is not Unicode", "text that UTF-8 can write") from None
    if len(field) > SIZE_LIMIT:
        raise WireError(f"a {name} of {len(field)} bytes in UTF-8", f"at most {SIZE_LIMIT}")
    return field


def _write_vsn2(message: Message) -> str | bytes:
    if not isinstance(message.payload, bytes):
        return _to_json((message.join_ref, message.ref, message.topic, message.event, message.payload))
    fields = (
        _field("join_ref", message.join_ref or ""),
        _field("ref", message.ref or ""),
        _field("topic", message.topic),
        _field("event", message.event),
    )
    return b"".join((bytes((_CLIENT_PUSH, *map(len, fields))), *fields, message.payload))


def _read_vsn2(frame: str | bytes) -> Message:
    if isinstance(frame, bytes):
        return _read_vsn2_binary(frame)
    fields = _from_json(frame)
    if not isinstance(fields, list):
        raise WireError(f"a JSON {type(fields).__name__}", "an array of five")
    if len(fields) < 5:
        raise WireError(f"an array of {len(fields)}", "an array of five")
    return _message(*fields[:5])


def _read_vsn2_binary(frame: bytes) -> Message:
    if not frame:
        raise WireError("an empty binary frame", "a kind byte")
    layout = _SERVER_LAYOUTS.get(frame[0])
    if layout is None:
        raise WireError(f"a binary frame of kind {frame[0]}", "kind 0, 1 or 2")
    sizes = frame[1 : 1 + len(layout)]
    start = 1 + len(layout)
    if len(sizes) < len(layout) or start + sum(sizes) > len(frame):
        raise WireError(f"a binary frame of {len(frame)} bytes", "as many as its sizes announce")
    texts: dict[str, str] = {}
    for name, size in zip(layout, sizes, strict=True):
        try:
            texts[name] = frame[start : start + size].decode()
        except UnicodeDecodeError:
            raise WireError(f"a {name} that is not UTF-8", "text in UTF-8") from None
        start += size
    data = frame[start:]
    is_reply = "status" in texts
    return Message(
        # D: null refs become zero-length strings in binary frames.
        join_ref=texts.get("join_ref") or None,
        ref=texts.get("ref") or None,
        topic=texts["topic"],
        event=REPLY if is_reply else texts["event"],
        payload={"status": texts["status"], "response": data} if is_reply else data,
    )


_WRITERS: dict[Framing, Callable[[Message], str | bytes]] = {
    Framing.VSN1: _write_vsn1,
    Framing.VSN2: _write_vsn2,
}

_READERS: dict[Framing, Callable[[str | bytes], Message]] = {
    Framing.VSN1: _read_vsn1,
    Framing.VSN2: _read_vsn2,
}
