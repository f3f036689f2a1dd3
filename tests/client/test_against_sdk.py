"""The official Python SDK as a witness, whichever generation is installed.

Frames of ours must be its frames byte for byte, and it must read in the service's frames what we read.
"""

from __future__ import annotations

import json

import pytest
from hypothesis import given, strategies as st
from uhlive_client.audio import Codec
from uhlive_client.conversation import Conversation, JoinOptions, State
from uhlive_client.errors import WireError
from uhlive_client.vocabulary import parse
from uhlive_client.wire import Framing, decode

sdk = pytest.importorskip("uhlive.stream.conversation")
sdk_events = pytest.importorskip("uhlive.stream.conversation.events")

UNIVERSAL = hasattr(sdk_events, "EntityRecognized")

names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
options = st.builds(
    JoinOptions,
    readonly=st.booleans(),
    speaker=names,
    model=st.sampled_from(["fr", "en", "es"]),
    country=st.sampled_from(["fr", "us"]),
    interim_results=st.booleans(),
    rescoring=st.booleans(),
    origin=st.integers(0, 2**41),
    audio_codec=st.sampled_from(Codec),
)


def accept(topic: str) -> str:
    return json.dumps(["1", "1", topic, "phx_reply", {"status": "ok", "response": {}}])


def sdk_join(theirs, wanted: JoinOptions) -> str:
    return theirs.join(
        model=wanted.model,
        country=wanted.country,
        readonly=wanted.readonly,
        interim_results=wanted.interim_results,
        rescoring=wanted.rescoring,
        origin=wanted.origin,
        audio_codec=str(wanted.audio_codec),
    )


@given(identifier=names, conversation=names, wanted=options)
def test_join_is_the_sdks_byte_for_byte(identifier, conversation, wanted):
    ours = Conversation(identifier, conversation, wanted)
    theirs = sdk.Conversation(identifier, conversation, wanted.speaker)
    assert ours.join() == sdk_join(theirs, wanted)


@given(identifier=names, conversation=names, chunks=st.lists(st.binary(), max_size=12))
def test_a_whole_stay_is_the_sdks_byte_for_byte(identifier, conversation, chunks):
    wanted = JoinOptions(speaker="Alice")
    ours = Conversation(identifier, conversation, wanted)
    theirs = sdk.Conversation(identifier, conversation, "Alice")
    assert ours.join() == sdk_join(theirs, wanted)
    ours.receive(accept(ours.topic))
    theirs.receive(accept(ours.topic))
    for chunk in chunks:
        assert ours.audio(chunk) == theirs.send_audio_chunk(chunk)
    assert ours.leave() == theirs.leave()


@pytest.mark.parametrize("length", [255, 256])
def test_where_the_sdk_overflows_we_say_why(length):
    name = "x" * (length - len("conversation:acme@"))
    ours = Conversation("acme", name, JoinOptions(speaker="Alice"))
    theirs = sdk.Conversation("acme", name, "Alice")
    ours.join(), theirs.join()
    ours.receive(accept(ours.topic)), theirs.receive(accept(ours.topic))
    if length == 255:
        assert ours.audio(b"") == theirs.send_audio_chunk(b"")
    else:
        with pytest.raises(OverflowError):
            theirs.send_audio_chunk(b"")
        with pytest.raises(WireError, match="256 bytes"):
            ours.audio(b"")


# --- events -----------------------------------------------------------------------------------------------

times = st.integers(0, 2**42)
confidences = st.floats(0, 1)
spans = st.tuples(times, times).map(sorted)


@st.composite
def common(draw) -> dict[str, object]:
    start, end = draw(spans)
    return {
        "speaker": draw(names),
        "lang": draw(st.sampled_from(["fr", "en"])),
        "country": draw(st.sampled_from(["fr", "us"])),
        "start": start,
        "end": end,
        "length": end - start,
        "confidence": draw(confidences),
    }


@st.composite
def words(draw) -> list[dict[str, object]]:
    text = "value" if UNIVERSAL else "word"
    return [
        {
            text: draw(names),
            "start": start,
            "end": end,
            "length": end - start,
            "confidence": draw(confidences),
        }
        for start, end in draw(st.lists(spans, max_size=4))
    ]


@st.composite
def speech(draw) -> tuple[str, dict[str, object]]:
    payload = draw(common())
    if UNIVERSAL:
        event = draw(st.sampled_from(["audio_words_decoded", "audio_segment_decoded"]))
        return event, payload | {"id": draw(names), "value": draw(names), "components": draw(words())}
    event = draw(st.sampled_from(["words_decoded", "segment_decoded", "segment_normalized"]))
    return event, payload | {"utterance_id": draw(names), "transcript": draw(names), "words": draw(words())}


@st.composite
def entities(draw) -> tuple[str, dict[str, object]]:
    payload = draw(common())
    name = draw(st.sampled_from(["location_city", "cardinal_number", "found", "recognized"]))
    source, display, value = draw(names), draw(st.none() | names), draw(st.none() | st.integers() | names)
    if UNIVERSAL:
        return f"entity_{name}_recognized", payload | {"source": source, "display": display, "value": value}
    note = {"original": source, "canonical": display, "value": value}
    return f"entity_{name}_found", payload | {"annotation": note}


def read_both(event: str, payload: object):
    frame = json.dumps([None, None, "t", event, payload], ensure_ascii=False)
    return parse(decode(frame, Framing.VSN2)), sdk_events.Event.from_message(json.loads(frame))


@given(speech())
def test_we_hear_what_the_sdk_hears(spoken):
    ours, theirs = read_both(*spoken)
    text, ident, parts, word = (
        ("value", "id", "components", "value") if UNIVERSAL else ("transcript", "utterance_id", "words", "word")
    )
    assert (ours.speaker, ours.start_ms, ours.end_ms) == (theirs.speaker, theirs.start, theirs.end)
    assert (ours.lang, ours.country, ours.confidence) == (theirs.lang, theirs.country, theirs.confidence)
    assert (ours.text, ours.utterance) == (getattr(theirs, text), getattr(theirs, ident))
    assert [(w.text, w.start_ms, w.end_ms, w.confidence) for w in ours.words] == [
        (getattr(w, word), w.start, w.end, w.confidence) for w in getattr(theirs, parts)
    ]


@given(entities())
def test_we_recognise_what_the_sdk_recognises(found):
    ours, theirs = read_both(*found)
    display, source = ("display", "source") if UNIVERSAL else ("canonical", "original")
    assert (ours.name, ours.value) == (theirs.entity_name, theirs.value)
    assert (ours.display, ours.source) == (getattr(theirs, display), getattr(theirs, source))
    assert (ours.speaker, ours.start_ms, ours.end_ms) == (theirs.speaker, theirs.start, theirs.end)


@given(common(), names, names)
def test_we_tag_as_the_sdk_tags(payload, ident, label):
    if UNIVERSAL:
        tags = {"components": [{"value": ident, "display": label, "confidence": 0.5}]}
        ours, theirs = read_both("tags_set", payload | tags)
        assert [(t.id, t.label) for t in ours.tags] == [(t.value, t.display) for t in theirs.tags]
    else:
        ours, theirs = read_both(
            "tags_found", payload | {"annotation": {"tags": [{"uuid": ident, "label": label}]}}
        )
        assert [(t.id, t.label) for t in ours.tags] == [(t.uuid, t.label) for t in theirs.tags]


@given(names, times)
def test_we_see_off_whom_the_sdk_sees_off(speaker, timestamp):
    ours, theirs = read_both("speaker_left", {"speaker": speaker, "timestamp": timestamp})
    assert (ours.speaker, ours.timestamp_ms) == (theirs.speaker, theirs.timestamp)


def test_we_stay_left_where_the_sdk_comes_back():
    ours, theirs = (
        Conversation("acme", "c", JoinOptions(speaker="Alice")),
        sdk.Conversation("acme", "c", "Alice"),
    )
    ours.join(), theirs.join()
    for frame in (
        accept(ours.topic),
        json.dumps([None, None, ours.topic, "speaker_left", {"speaker": "Alice", "timestamp": 1}]),
        json.dumps(["1", "1", ours.topic, "phx_close", {}]),
    ):
        ours.receive(frame)
        theirs.receive(frame)
    assert ours.state is State.LEFT
    assert not theirs.left
