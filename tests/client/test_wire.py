"""The codec, against its own inverse, against `json`, and against the layouts of Phoenix's serializer."""

from __future__ import annotations

import json
from base64 import b64decode
from contextlib import suppress

import pytest
from hypothesis import given, strategies as st
from uhlive_client.errors import WireError
from uhlive_client.wire import Framing, Message, decode, encode

TOPIC = "conversation:acme@conv1"

texts = st.text(st.characters(codec="utf-8"))
short_texts = st.text(st.characters(codec="utf-8"), max_size=63)  # at most 252 bytes
refs = st.none() | st.integers(1, 10**6).map(str)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=10,
)
exact_json_values = st.recursive(  # numbers that every JSON writer writes alike
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=10,
)


def message(payload: object, *, join_ref="1", ref="2", topic=TOPIC, event="audio_chunk") -> Message:
    return Message(join_ref=join_ref, ref=ref, topic=topic, event=event, payload=payload)


# --- text -------------------------------------------------------------------------------------------------


@given(join_ref=refs, ref=refs, topic=texts, event=texts, payload=json_values)
def test_vsn2_text_round_trip(join_ref, ref, topic, event, payload):
    sent = message(payload, join_ref=join_ref, ref=ref, topic=topic, event=event)
    assert decode(encode(sent, Framing.VSN2), Framing.VSN2) == sent


@given(ref=refs, topic=texts, event=texts, payload=json_values)
def test_vsn1_text_round_trip(ref, topic, event, payload):
    sent = message(payload, join_ref=None, ref=ref, topic=topic, event=event)
    assert decode(encode(sent, Framing.VSN1), Framing.VSN1) == sent


@given(topic=texts, event=texts, payload=exact_json_values)
def test_text_is_compact_with_raw_non_ascii(topic, event, payload):
    frame = encode(message(payload, topic=topic, event=event), Framing.VSN2)
    assert frame == json.dumps(["1", "2", topic, event, payload], ensure_ascii=False, separators=(",", ":"))


def test_vsn1_is_an_object_with_an_integer_ref():
    frame = encode(message({}, event="phx_leave"), Framing.VSN1)
    assert json.loads(frame) == {"topic": TOPIC, "event": "phx_leave", "payload": {}, "ref": 2}


@given(st.binary(max_size=200))
def test_vsn1_audio_is_base64_under_blob(audio):
    frame = encode(message(audio), Framing.VSN1)
    assert b64decode(json.loads(frame)["payload"]["blob"]) == audio


def test_vsn1_reads_json_in_a_binary_frame():
    frame = b'{"topic":"t","event":"e","payload":1,"ref":null}'
    assert decode(frame, Framing.VSN1).payload == 1


def test_refs_of_either_type_read_alike():
    assert decode(f'["1",2,"{TOPIC}","e",{{}}]', Framing.VSN2).ref == "2"
    assert decode(f'[1,"2","{TOPIC}","e",{{}}]', Framing.VSN2).join_ref == "1"


def test_a_sixth_element_is_ignored():
    assert decode('["1","2","t","e",{},"more"]', Framing.VSN2) == message({}, topic="t", event="e")


# --- binary -----------------------------------------------------------------------------------------------


def test_client_push_of_the_specification():
    frame = encode(message(b"\x01\x02\x03\x04"), Framing.VSN2)
    assert frame == b"\x00\x01\x01\x17\x0b" + b"12" + TOPIC.encode() + b"audio_chunk" + b"\x01\x02\x03\x04"


def test_sizes_count_bytes_not_characters():
    frame = encode(message(b"", topic="é" * 100), Framing.VSN2)
    assert frame[3] == 200


def test_255_bytes_fit_and_256_do_not():
    encode(message(b"", topic="é" * 127 + "x"), Framing.VSN2)
    with pytest.raises(WireError, match="a topic of 256 bytes in UTF-8; expected at most 255"):
        encode(message(b"", topic="é" * 128), Framing.VSN2)


def test_a_long_topic_is_no_problem_in_text():
    encode(message({}, topic="x" * 300), Framing.VSN2)


@given(st.lists(short_texts, min_size=3, max_size=3), st.binary())
def test_server_push(fields, data):
    join_ref, topic, event = fields
    got = decode(binary(0, fields, data), Framing.VSN2)
    assert got == message(data, join_ref=join_ref or None, ref=None, topic=topic, event=event)


@given(st.lists(short_texts, min_size=4, max_size=4), st.binary())
def test_server_reply(fields, data):
    join_ref, ref, topic, status = fields
    got = decode(binary(1, fields, data), Framing.VSN2)
    payload = {"status": status, "response": data}
    assert got == message(payload, join_ref=join_ref or None, ref=ref or None, topic=topic, event="phx_reply")


@given(st.lists(short_texts, min_size=2, max_size=2), st.binary())
def test_server_broadcast(fields, data):
    topic, event = fields
    got = decode(binary(2, fields, data), Framing.VSN2)
    assert got == message(data, join_ref=None, ref=None, topic=topic, event=event)


def binary(kind: int, fields: list[str], data: bytes) -> bytes:
    raw = [field.encode() for field in fields]
    return bytes([kind, *map(len, raw)]) + b"".join(raw) + data


# --- what is no message -----------------------------------------------------------------------------------


@given(
    st.binary() | texts | json_values.map(json.dumps) | st.lists(json_values, max_size=6).map(json.dumps),
    st.sampled_from(Framing),
)
def test_reading_raises_nothing_but_wire_error(frame, framing):
    with suppress(WireError):
        assert isinstance(decode(frame, framing), Message)


@pytest.mark.parametrize(
    ("frame", "sentence"),
    [
        ("{", "not JSON"),
        ("{}", "found a JSON dict; expected an array of five"),
        ("[1,2,3]", "found an array of 3; expected an array of five"),
        ('[1.5,null,"t","e",{}]', "found a ref of type float; expected a string, an integer or null"),
        ("[true,null,3,4,{}]", "found a ref of type bool"),
        ('[null,null,3,"e",{}]', "found a topic of type int; expected a string"),
        ('[null,null,"t",null,{}]', "found an event of type NoneType; expected a string"),
        ("[" * 100_000, "nested too deep"),
        (b"", "an empty binary frame"),
        (b"[]", "kind 91; expected kind 0, 1 or 2"),
        (b"\x02\x05\x05abc", "a binary frame of 6 bytes; expected as many as its sizes announce"),
        (b"\x02\x01", "as many as its sizes announce"),
        (b"\x02\x01\x01\xffe", "a topic that is not UTF-8"),
    ],
)
def test_vsn2_errors_say_what_was_found(frame, sentence):
    with pytest.raises(WireError, match=sentence):
        decode(frame, Framing.VSN2)


@pytest.mark.parametrize(
    ("frame", "sentence"),
    [
        ("[]", "found a JSON list; expected an object"),
        ('{"topic":"t","event":"e"}', "an object without payload and ref"),
    ],
)
def test_vsn1_errors_say_what_was_found(frame, sentence):
    with pytest.raises(WireError, match=sentence):
        decode(frame, Framing.VSN1)


@pytest.mark.parametrize(
    ("sent", "framing"),
    [
        (message({"x": object()}), Framing.VSN2),
        (message({}, topic="\ud800"), Framing.VSN2),
        (message(b"", topic="\ud800"), Framing.VSN2),
        (message({}, ref="two"), Framing.VSN1),
    ],
    ids=["no JSON form", "no Unicode", "no Unicode in binary", "no number"],
)
def test_writing_the_impossible(sent, framing):
    with pytest.raises(WireError):
        encode(sent, framing)
