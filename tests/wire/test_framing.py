"""Bytes to messages and back, against ready-made frames, arbitrary bytes and two other implementations."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import example, given, strategies as st

from uhlive_mock.errors import FrameError
from uhlive_mock.wire.framing import Framing, Message, decode, encode, read_push

VSN1, VSN2 = Framing.VSN1, Framing.VSN2
T = "conversation:acme@conv1"
OK = {"status": "ok", "response": {}}


def json_values(scalars: st.SearchStrategy) -> st.SearchStrategy:
    return st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
        max_leaves=4,
    )


SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=20)
JSON = json_values(SCALARS | st.floats(allow_nan=False, allow_infinity=False))
EXACT_JSON = json_values(SCALARS)  # without floats, which JSON writers print each in its own way
MESSAGES = st.builds(Message, JSON, JSON, JSON, JSON, JSON)


def dumps(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


# --- ready-made frames ----------------------------------------------------------------------------------

PYTHON_JOIN = {
    "readonly": False,
    "speaker": "Alice",
    "model": "fr",
    "country": "fr",
    "interim_results": True,
    "rescoring": True,
    "origin": 0,
    "audio_codec": "linear",
}
SENT_BY_CLIENTS = [
    (VSN2, dumps(["1", "1", T, "phx_join", PYTHON_JOIN]), Message("1", "1", T, "phx_join", PYTHON_JOIN)),
    (
        VSN2,
        bytes.fromhex("000101170b3132") + T.encode() + b"audio_chunk" + b"\1\2\3\4",
        Message("1", "2", T, "audio_chunk", b"\1\2\3\4"),
    ),
    (
        VSN2,
        bytes.fromhex("0001010e0b3337636f6e766572736174696f6e3a78617564696f5f6368756e6b0001"),
        Message("3", "7", "conversation:x", "audio_chunk", b"\0\1"),
    ),
    (VSN2, f'["1","3","{T}","phx_leave",{{}}]', Message("1", "3", T, "phx_leave", {})),
    (VSN2, '[null,"9","phoenix","heartbeat",{}]', Message(None, "9", "phoenix", "heartbeat", {})),
    (
        VSN2,
        f'["6","7","{T}","audio_chunk",{{"blob":"AAAA"}}]',
        Message("6", "7", T, "audio_chunk", {"blob": "AAAA"}),
    ),
    (
        VSN1,
        f'{{"topic":"{T}","event":"phx_join","payload":{{}},"ref":1}}',
        Message(None, 1, T, "phx_join", {}),
    ),
    (
        VSN1,
        f'{{"topic":"{T}","event":"phx_join","payload":{{}},"ref":"1","join_ref":"4"}}',
        Message("4", "1", T, "phx_join", {}),
    ),
    (
        VSN1,
        f'{{"topic":"{T}","event":"x","payload":null,"ref":null}}'.encode(),
        Message(None, None, T, "x", None),
    ),
]


@pytest.mark.parametrize(("framing", "frame", "message"), SENT_BY_CLIENTS)
def test_a_clients_frame_is_read_for_what_it_is(framing, frame, message):
    assert decode(framing, frame) == message


LEFT = {"speaker": "Alice", "timestamp": 1613129073523}
SENT_BY_THE_SERVICE = [
    (
        VSN2,
        Message("1", "1", T, "phx_reply", OK),
        f'["1","1","{T}","phx_reply",{{"status":"ok","response":{{}}}}]',
    ),
    (VSN2, Message("1", "1", T, "phx_close", {}), f'["1","1","{T}","phx_close",{{}}]'),
    (
        VSN2,
        Message(None, None, T, "speaker_left", LEFT),
        f'[null,null,"{T}","speaker_left",{{"speaker":"Alice","timestamp":1613129073523}}]',
    ),
    (
        VSN2,
        Message(None, "2", T, "phx_reply", {"status": "error", "response": {"reason": "unmatched topic"}}),
        f'[null,"2","{T}","phx_reply",{{"status":"error","response":{{"reason":"unmatched topic"}}}}]',
    ),
    (VSN2, Message(None, None, "t", "e", {"m": 1}), '[null,null,"t","e",{"m":1}]'),
    (VSN2, Message(1, 2, "é", "\x01\u2028/<", {"a": 100.0}), '[1,2,"é","\\u0001\u2028/<",{"a":100.0}]'),
    (
        VSN1,
        Message("1", 1, T, "phx_reply", OK),
        f'{{"ref":1,"topic":"{T}","event":"phx_reply","payload":{{"status":"ok","response":{{}}}}}}',
    ),
]


@pytest.mark.parametrize(("framing", "message", "text"), SENT_BY_THE_SERVICE)
def test_a_message_is_written_byte_for_byte_as_a_real_server_does(framing, message, text):
    assert encode(framing, message) == text


# --- what is no message (as real servers judge) ------------------------------------------------

MALFORMED = {
    "empty text": "",
    "blank text": " \n",
    "byte order mark": '\ufeff["1","1","t","e",{}]',
    "not a number": '["1","1","t","e",NaN]',
    "infinity": '["1","1","t","e",Infinity]',
    "too big a float": '["1","1","t","e",1e999]',
    "lone high surrogate": r'["1","1","t","e","\ud800"]',
    "lone low surrogate": r'["1","1","t","e","\udc00 "]',
    "raw surrogate": '["1","1","t","e","\ud800"]',
    "raw control character": '["1","1","t","e","\x01"]',
    "trailing comma": '["1","1","t","e",{},]',
    "trailing text": '["1","1","t","e",{}] x',
    "two values": '["1","1","t","e",{}]["1","1","t","e",{}]',
    "single quotes": "['1','1','t','e',{}]",
    "short array": '["1","1","t","e"]',
    "empty array": "[]",
    "object": '{"topic":"t","event":"e","payload":{},"ref":"1"}',
    "string": '"1"',
    "number": "5",
    "null": "null",
    "unfinished": '["1","1","t","e",{}',
}


@pytest.mark.parametrize("text", MALFORMED.values(), ids=MALFORMED)
def test_what_is_no_vsn2_text_is_a_frame_error(text):
    with pytest.raises(FrameError):
        decode(VSN2, text)


@pytest.mark.parametrize("missing", ["topic", "event", "payload", "ref"])
def test_a_vsn1_object_without_one_of_its_keys_is_a_frame_error(missing):
    fields = {"topic": "t", "event": "e", "payload": {}, "ref": 1}
    del fields[missing]
    with pytest.raises(FrameError, match=f"'{missing}' is missing"):
        decode(VSN1, dumps(fields))


@pytest.mark.parametrize("text", ["", "[]", '["1","1","t","e",{}]', "null", "3", '"x"', "{", b"\xff"])
def test_what_is_no_vsn1_object_is_a_frame_error(text):
    with pytest.raises(FrameError):
        decode(VSN1, text)


BAD_PUSHES = {
    "empty": b"",
    "kind alone": b"\0",
    "truncated header": b"\0\0\0\0",
    "kind 1": b"\1\0\0\0\0",
    "kind 2": b"\2\0\0\0\0",
    "kind 3": b"\3\0\0\0\0",
    "kind 9": b"\x09\0\0\0\0",
    "kind 255": b"\xff\0\0\0\0",
    "join_ref beyond the end": b"\0\1\0\0\0",
    "ref beyond the end": b"\0\0\1\0\0",
    "topic beyond the end": b"\0\0\0\1\0",
    "event beyond the end": b"\0\0\0\0\1",
    "one byte short": b"\0\1\1\1\1abc",
    "sizes of 255": b"\0\xff\xff\xff\xff",
    "JSON": b'["1","1","t","e",{}]',
    "topic not UTF-8": b"\0\0\0\1\0\xff",
    "topic cut in a character": b"\0\0\0\1\1\xc3\xa9",
}


@pytest.mark.parametrize("frame", BAD_PUSHES.values(), ids=BAD_PUSHES)
def test_what_is_no_client_push_is_a_frame_error(frame):
    with pytest.raises(FrameError):
        decode(VSN2, frame)


# --- what is a message all the same ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (' \t\r\n["1","1","t","e",{}]\n ', Message("1", "1", "t", "e", {})),
        ('["1","1","t","e",{},"more",[]]', Message("1", "1", "t", "e", {})),
        ("[1,2,3,4,5]", Message(1, 2, 3, 4, 5)),
        ("[null,null,null,null,null]", Message(None, None, None, None, None)),
        (
            '[123456789012345678901234567890,-123456789012345678901234567890,"t","e",{}]',
            Message(123456789012345678901234567890, -123456789012345678901234567890, "t", "e", {}),
        ),
        (r'["\ud83d\ude00","é","\u00e9","\u0000",{}]', Message("😀", "é", "é", "\0", {})),
    ],
)
def test_odd_but_legal_text_is_read(text, message):
    assert decode(VSN2, text) == message


def test_big_integers_come_back_exactly():
    text = '[18446744073709551616,-99999999999999999999999999,"t","e",{}]'
    assert encode(VSN2, decode(VSN2, text)) == text


def test_fields_of_a_push_may_all_be_empty():
    assert read_push(b"\0\0\0\0\0") == Message("", "", "", "", b"")


def test_sizes_that_lie_within_the_frame_are_believed():
    assert read_push(b"\0\1\1\1\1abcdefg") == Message("a", "b", "c", "d", b"efg")


def test_fields_of_a_push_may_have_255_bytes_of_any_characters():
    topic = "é" * 127 + "x"
    frame = bytes([0, 0, 255, 255, 0]) + b"r" * 255 + topic.encode() + b"data"
    assert read_push(frame) == Message("", "r" * 255, topic, "", b"data")


@pytest.mark.parametrize("data", [b"", b"\0", b"\xff" * 100_000])
def test_a_push_carries_any_data(data):
    assert read_push(b"\0\0\0\1\1te" + data).payload == data


@pytest.mark.parametrize(("one", "other"), [("1", 1), (1, 1.0), (1, True), (None, ""), (0, False)])
def test_refs_keep_their_json_type(one, other):
    kinds = [
        [type(ref) for ref in (message.join_ref, message.ref)]
        for message in (decode(VSN2, dumps([ref, ref, "t", "e", {}])) for ref in (one, other))
    ]
    assert kinds == [[type(one)] * 2, [type(other)] * 2]


@pytest.mark.parametrize("depth", [10, 500])
def test_a_payload_may_be_nested(depth):
    assert decode(VSN2, f'["1","1","t","e",{"[" * depth}{"]" * depth}]').event == "e"


def test_deeper_nesting_than_our_json_reader_can_follow_is_a_frame_error():
    # A real server reads it. Where ours stops differs between releases of Python.
    depth = 100_000
    with pytest.raises(FrameError, match="nested too deep"):
        decode(VSN2, f'["1","1","t","e",{"[" * depth}{"]" * depth}]')


# --- any message, any bytes -----------------------------------------------------------------------------


@given(message=MESSAGES)
@example(Message("1", 2, "t", "e", {"é": [1.5, None, True]}))
def test_a_vsn2_message_comes_back_as_it_was_written(message):
    assert decode(VSN2, encode(VSN2, message)) == message


@given(message=MESSAGES)
def test_a_vsn1_message_comes_back_without_its_join_ref(message):
    text = encode(VSN1, message)
    assert list(json.loads(text)) == ["ref", "topic", "event", "payload"]
    assert decode(VSN1, text) == Message(None, message.ref, message.topic, message.event, message.payload)
    assert decode(VSN1, text.encode()) == decode(VSN1, text)


@given(fields=st.tuples(*[EXACT_JSON] * 5))
def test_what_is_written_is_compact_with_raw_non_ascii(fields):
    assert encode(VSN2, Message(*fields)) == dumps(fields)


SHORT = st.text(max_size=60).filter(lambda text: len(text.encode()) <= 255)


@given(fields=st.tuples(SHORT, SHORT, SHORT, SHORT), data=st.binary())
def test_a_client_push_is_read_field_by_field(fields, data):  # 39
    encoded = [field.encode() for field in fields]
    frame = bytes([0, *map(len, encoded)]) + b"".join(encoded) + data
    assert decode(VSN2, frame) == Message(*fields, data)


@given(
    data=st.binary()
    | st.binary().map(lambda rest: b"\0" + rest)
    | st.text(alphabet=st.characters(codec=None))
    | JSON.map(dumps)
    | st.lists(JSON, min_size=4, max_size=7).map(dumps)
    | st.dictionaries(st.sampled_from(["topic", "event", "payload", "ref"]), JSON).map(dumps),
    framing=st.sampled_from(Framing),
)
def test_arbitrary_input_is_a_message_or_a_frame_error_and_nothing_else(data, framing):
    with suppress(FrameError):
        message = decode(framing, data)
        if not isinstance(message.payload, bytes):
            assert encode(framing, message)


# --- the official SDK -----------------------------------------------------------------------------------

conversation = pytest.importorskip("uhlive.stream.conversation")
NAMES = st.text(min_size=1, max_size=40).filter(lambda name: len(f"conversation:{name}@{name}".encode()) <= 255)


def joined(identifier: str, name: str, speaker: str = "Alice"):
    """A `Conversation` of the SDK that has its join and the reply to it behind it."""
    client = conversation.Conversation(identifier, name, speaker)
    asked = decode(VSN2, client.join())
    reply = client.receive(encode(VSN2, Message(asked.join_ref, asked.ref, asked.topic, "phx_reply", OK)))
    assert isinstance(reply, conversation.Ok)
    assert not client.left
    return client


@given(identifier=NAMES, name=NAMES, speaker=st.text(), origin=st.integers(), readonly=st.booleans())
def test_a_join_of_the_official_sdk_is_read(identifier, name, speaker, origin, readonly):
    client = conversation.Conversation(identifier, name, speaker)
    message = decode(VSN2, client.join(origin=origin, readonly=readonly))
    fields = PYTHON_JOIN | {"speaker": speaker, "origin": origin, "readonly": readonly}
    assert message == Message("1", "1", f"conversation:{identifier}@{name}", "phx_join", fields)
    assert list(message.payload) == list(PYTHON_JOIN)


@given(name=NAMES, chunks=st.lists(st.binary(), min_size=1, max_size=12))
def test_audio_of_the_official_sdk_is_read(name, chunks):
    client = joined("acme", name)
    for ref, chunk in enumerate(chunks, start=2):
        message = decode(VSN2, client.send_audio_chunk(chunk))
        assert message == Message("1", str(ref), f"conversation:acme@{name}", "audio_chunk", chunk)


def test_a_topic_of_255_bytes_is_the_longest_the_official_sdk_can_send_audio_on():
    name = "é" * ((255 - len("conversation:acme@")) // 2) + "x"
    client = joined("acme", name)
    assert len(client.topic.encode()) == 255
    assert decode(VSN2, client.send_audio_chunk(b"ab")).topic == client.topic
    with pytest.raises(OverflowError):
        joined("acme", name + "x").send_audio_chunk(b"ab")


def test_a_leave_of_the_official_sdk_is_read():
    assert decode(VSN2, joined("acme", "conv1").leave()) == Message("1", "2", T, "phx_leave", {})


@given(
    event=st.sampled_from(["phx_close", "some_event"]),
    payload=st.dictionaries(st.text(), JSON),
    ref=st.text(),
)
def test_what_we_write_is_read_by_the_official_sdk(event, payload, ref):
    client = joined("acme", "conv1")
    event = client.receive(encode(VSN2, Message("1", ref, client.topic, event, payload)))
    assert (event.join_ref, event.ref, event._payload) == ("1", ref, payload)


# --- our own client -------------------------------------------------------------------------------------

theirs = pytest.importorskip("uhlive_client.wire")
DIGITS = st.none() | st.integers(0, 10**12).map(str)


@given(
    join_ref=DIGITS,
    ref=DIGITS,
    topic=SHORT,
    event=SHORT,
    payload=st.binary() | st.dictionaries(st.text(), JSON),
    framing=st.sampled_from(Framing),
)
def test_what_our_client_writes_is_read(join_ref, ref, topic, event, payload, framing):
    sent = theirs.Message(join_ref=join_ref, ref=ref, topic=topic, event=event, payload=payload)
    read = decode(framing, theirs.encode(sent, theirs.Framing(framing)))
    assert (read.topic, read.event) == (topic, event)
    if framing is VSN1:
        assert (read.join_ref, read.ref) == (None, None if ref is None else int(ref))
        assert isinstance(payload, bytes) or read.payload == payload
    else:
        null = "" if isinstance(payload, bytes) else None  # a binary push has no null
        assert (read.join_ref, read.ref) == (join_ref or null, ref or null)
        assert read.payload == payload


@given(
    join_ref=DIGITS,
    ref=DIGITS | st.integers(0, 10**12),
    topic=st.text(),
    event=st.text(),
    payload=JSON,
    framing=st.sampled_from(Framing),
)
def test_what_we_write_is_read_by_our_client(join_ref, ref, topic, event, payload, framing):
    read = theirs.decode(encode(framing, Message(join_ref, ref, topic, event, payload)), theirs.Framing(framing))
    assert read == theirs.Message(
        join_ref=None if framing is VSN1 else join_ref,
        ref=None if ref is None else str(ref),
        topic=topic,
        event=event,
        payload=payload,
    )
