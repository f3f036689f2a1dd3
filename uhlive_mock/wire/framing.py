"""How bytes become Phoenix messages and back.

A message is five values: join_ref, ref, topic, event, payload. Two framings carry them:

    vsn1   JSON object {"topic","event","payload","ref"}; join_ref optional inwards, never sent
    vsn2   JSON array [join_ref, ref, topic, event, payload], or a binary push for raw bytes

The binary push from the client reads, each size one byte, all sizes counting UTF-8 bytes:

    00 | size join_ref | size ref | size topic | size event | join_ref | ref | topic | event | payload

Refs keep the JSON type they came with, since both sides compare them strictly.
Sources: Phoenix serializers and runs of real servers; SDK 2.1.0 `Conversation`.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any

import msgspec

from ..errors import FrameError

PUSH = 0
"""Kind byte of the only binary frame a server accepts."""

_HEADER = 5
_decode_json: Callable[[str | bytes], Any] = msgspec.json.Decoder().decode
_encode_json: Callable[[object], bytes] = msgspec.json.Encoder().encode


class Framing(StrEnum):
    """How a socket's bytes are laid out; chosen by `vsn` in the URL."""

    VSN1 = "vsn1"
    VSN2 = "vsn2"


class Message(msgspec.Struct, frozen=True, gc=False):
    """One Phoenix message. `payload` is a JSON value, or bytes for a binary push."""

    join_ref: Any
    ref: Any
    topic: Any
    event: Any
    payload: Any


def _json(text: str | bytes) -> Any:  # noqa: ANN401 - whatever JSON holds
    try:
        return _decode_json(text)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise FrameError(f"not JSON: {error}") from None
    except RecursionError:
        # A real server accepts any depth; ours stops where its JSON reader does.
        raise FrameError("JSON nested too deeply") from None


def _read_vsn1(data: str | bytes) -> Message:
    value = _json(data)
    if not isinstance(value, dict):
        raise FrameError(f"a vsn1 message is a JSON object; found {_kind(value)}")
    try:
        # The opcode does not matter here: JSON in a binary frame is read as well.
        return Message(value.get("join_ref"), value["ref"], value["topic"], value["event"], value["payload"])
    except KeyError as missing:
        raise FrameError(f"a vsn1 message has topic, event, payload and ref; {missing} is missing") from None


def _read_vsn2(data: str | bytes) -> Message:
    if not isinstance(data, str):
        return read_push(data)
    value = _json(data)
    if not isinstance(value, list):
        raise FrameError(f"a vsn2 message is a JSON array; found {_kind(value)}")
    if len(value) < 5:
        raise FrameError(f"a vsn2 message has five elements; found {len(value)}")
    return Message(*value[:5])


def read_push(data: bytes) -> Message:
    """Decode a client's binary push.

    Raises:
        FrameError: another kind byte, a truncated header, sizes beyond the frame, a topic that is not UTF-8.
    """
    if len(data) < _HEADER or data[0] != PUSH:
        raise FrameError(f"a binary frame starts with kind 0 and four sizes; found {bytes(data[:_HEADER])!r}")
    ref_at = _HEADER + data[1]
    topic_at = ref_at + data[2]
    event_at = topic_at + data[3]
    payload_at = event_at + data[4]
    if payload_at > len(data):
        raise FrameError(f"the sizes of a binary push add up to {payload_at} bytes; the frame has {len(data)}")
    try:
        topic = data[topic_at:event_at].decode()
    except UnicodeDecodeError:
        raise FrameError("the topic of a binary push is not UTF-8") from None
    return Message(
        data[_HEADER:ref_at].decode(errors="replace"),
        data[ref_at:topic_at].decode(errors="replace"),
        topic,
        data[event_at:payload_at].decode(errors="replace"),
        data[payload_at:],
    )


def _write_vsn1(message: Message) -> str:
    # Key order of a real server's Jason output: ref, topic, event, payload.
    value = {
        "ref": message.ref,
        "topic": message.topic,
        "event": message.event,
        "payload": message.payload,
    }
    return _encode_json(value).decode()


def _write_vsn2(message: Message) -> str:
    return _encode_json((message.join_ref, message.ref, message.topic, message.event, message.payload)).decode()


READERS: dict[Framing, Callable[[str | bytes], Message]] = {
    Framing.VSN1: _read_vsn1,
    Framing.VSN2: _read_vsn2,
}
WRITERS: dict[Framing, Callable[[Message], str]] = {
    Framing.VSN1: _write_vsn1,
    Framing.VSN2: _write_vsn2,
}


def decode(framing: Framing, data: str | bytes) -> Message:
    """Read what a client sent: `str` for a text frame, `bytes` for a binary one.

    Raises:
        FrameError: the bytes are no message of that framing; a real server then closes with 1011.
    """
    return READERS[framing](data)


def readable(data: str | bytes) -> object:
    """What can be written down of bytes that are no message: their JSON if they are that much, else their size."""
    try:
        return _json(data)
    except FrameError:
        pass
    if isinstance(data, str):
        return f"<a text of {len(data)} characters>"
    # The header is sizes alone; what is behind it may be anything.
    return f"<{len(data)} bytes, beginning {bytes(data[:_HEADER]).hex(' ') or 'nowhere'}>"


def encode(framing: Framing, message: Message) -> str:
    """Write a message as the text of one frame. S: the service sends text only.

    Raises:
        FrameError: a ref or payload taken from a client is nested too deeply to be written back.
    """
    try:
        return WRITERS[framing](message)
    except RecursionError:
        raise FrameError("JSON nested too deeply") from None


def _kind(value: object) -> str:
    return {
        dict: "an object",
        list: "an array",
        str: "a string",
        bool: "a boolean",
        type(None): "null",
    }.get(type(value), "a number")
