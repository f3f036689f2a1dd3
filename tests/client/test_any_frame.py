"""Whatever the service sends: an event, nothing, or an error that is documented. Never anything else."""

from __future__ import annotations

import json
from contextlib import suppress

from hypothesis import example, given, strategies as st
from uhlive_client.conversation import Conversation, JoinOptions, State
from uhlive_client.errors import ChannelCrashed, JoinRefused, WireError
from uhlive_client.events import Event
from uhlive_client.wire import Framing

TOPIC = "conversation:acme@conv1"
EVENTS = [
    *("audio_words_decoded", "audio_segment_decoded", "audio_segment_normalized", "tags_set"),
    *("words_decoded", "segment_decoded", "segment_normalized", "tags_found"),
    *("entity_x_recognized", "entity_x_found", "relation_x_recognized", "relation_x_found"),
    *("speaker_joined", "speaker_left", "phx_reply", "phx_close", "phx_error"),
]
FIELDS = [
    *("speaker", "start", "end", "lang", "country", "confidence", "id", "value", "components", "meta", "model"),
    *(
        "transcript",
        "words",
        "word",
        "utterance_id",
        "annotation",
        "original",
        "canonical",
        "tags",
        "uuid",
        "label",
    ),
    *(
        "source",
        "display",
        "class",
        "members",
        "entity",
        "status",
        "response",
        "reason",
        "timestamp",
        "interim_result",
    ),
]
FULL = {"speaker": "Alice", "start": 0, "end": 1, "value": "x", "transcript": "x", "source": "x", "status": "ok"}

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
keys = st.sampled_from(FIELDS) | st.text(max_size=3)
values = st.recursive(
    scalars | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=5),
    max_leaves=10,
)
payloads = values | values.map(lambda value: FULL | (value if isinstance(value, dict) else {"words": value}))
names = st.sampled_from(EVENTS) | st.text(max_size=12) | values
refs = st.none() | st.sampled_from(["1", "2", ""]) | st.integers(0, 3) | values
topics = st.just(TOPIC) | st.sampled_from(["phoenix", "conversation:acme@other"]) | values


def written(framing: Framing, join_ref: object, ref: object, topic: object, event: object, payload: object) -> str:
    if framing is Framing.VSN2:
        return json.dumps([join_ref, ref, topic, event, payload])
    return json.dumps({"topic": topic, "event": event, "payload": payload, "ref": ref})


def stay(state: State, framing: Framing = Framing.VSN2, *, readonly: bool = False) -> Conversation:
    """A conversation that has come to a state."""
    conversation = Conversation("acme", "conv1", JoinOptions(speaker="Alice", readonly=readonly), framing=framing)
    if state is not State.IDLE:
        conversation.join()
    if state in (State.JOINED, State.LEAVING):
        conversation.receive(written(framing, "1", "1", TOPIC, "phx_reply", {"status": "ok", "response": {}}))
    if state is State.LEAVING:
        conversation.leave()
    return conversation


def receive(conversation: Conversation, frame: str | bytes) -> None:
    with suppress(WireError, JoinRefused, ChannelCrashed):
        assert isinstance(conversation.receive(frame), Event | None)


states = st.sampled_from([State.IDLE, State.JOINING, State.JOINED, State.LEAVING])
framings = st.sampled_from(Framing)


@given(states, framings, st.booleans(), refs, refs, topics, names, payloads)
def test_any_message(state, framing, readonly, join_ref, ref, topic, event, payload):
    receive(stay(state, framing, readonly=readonly), written(framing, join_ref, ref, topic, event, payload))


@given(framings, st.sampled_from(EVENTS), payloads)
def test_any_payload_of_an_event_we_know(framing, event, payload):
    conversation = stay(State.JOINED, framing)
    with suppress(ChannelCrashed):
        assert isinstance(conversation.receive(written(framing, None, None, TOPIC, event, payload)), Event)


@given(framings, st.text() | st.binary() | values.map(json.dumps))
@example(Framing.VSN2, "[" * 100_000)
@example(Framing.VSN1, '{"topic":' * 100_000)
@example(Framing.VSN2, '["1","1","t","e",1e999]')
@example(Framing.VSN2, '["1","1","t","e","\\ud800"]')
@example(Framing.VSN2, '["1","1","t","e",123456789012345678901234567890]')
def test_any_frame(framing, frame):
    receive(stay(State.JOINED, framing), frame)


@given(st.integers(0, 3), st.lists(st.binary(max_size=8), min_size=2, max_size=4), st.binary(max_size=20))
def test_any_binary_frame(kind, fields, data):
    receive(stay(State.JOINED), bytes([kind, *map(len, fields)]) + b"".join(fields) + data)
