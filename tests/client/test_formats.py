"""Subtitles, read back by small parsers of the test's own and by those of others, and JSON lines."""

from __future__ import annotations

import html
import io
import json
import re

import pytest
from hypothesis import given, strategies as st
from uhlive_client.events import Closed, Entity, Interim, Normalized, Segment, SpeakerLeft, UnknownEvent
from uhlive_client.formats import Caption, Captions, json_line, one_line, to_srt, to_vtt

nasty = st.sampled_from(
    ["-->", "<b>fat</b>", "a\n\nb", "1\n00:00:01,000 --> 00:00:02,000\nx", "&amp;", "{\\an8}", "</v>", "\r"]
)
texts = st.lists(st.text() | nasty, max_size=3).map("".join)
names = st.sampled_from(["Alice", "Bob", "A <&> B", "{Carol}\n", ""])
times = st.integers(-5_000, 400_000_000)


@st.composite
def speech(draw):
    start = draw(times)
    kind = draw(st.sampled_from([Segment, Segment, Normalized]))
    return kind(speaker=draw(names), text=draw(texts), start_ms=start, end_ms=start + draw(st.integers(-10, 9_000)))


def captions_of(*events) -> list[Caption]:
    captions = Captions()
    for event in events:
        captions.add(event)
    return captions.in_order()


def said(text: str, start: int = 0, end: int = 1000, *, speaker: str = "Alice", kind=Segment, utterance=None):
    return kind(speaker=speaker, text=text, start_ms=start, end_ms=end, utterance=utterance)


JOINER = "\N{WORD JOINER}"

# --- the parsers: strict, line by line, and of no shared code -------------------------------------------------


def ms(time: str, point: str) -> int:
    hours, minutes, seconds, thousandths = re.fullmatch(rf"(\d\d+):(\d\d):(\d\d)\{point}(\d\d\d)", time).groups()
    assert int(minutes) < 60
    assert int(seconds) < 60
    return ((int(hours) * 60 + int(minutes)) * 60 + int(seconds)) * 1000 + int(thousandths)


def read_srt(text: str) -> list[tuple[int, int, str]]:
    blocks = re.split(r"\n\n", text.removesuffix("\n")) if text else []
    found = []
    for number, block in enumerate(blocks, start=1):
        counter, span, payload = block.split("\n")
        assert counter == str(number)
        start, end = span.split(" --> ")
        assert not re.search(r"< */? *[a-zA-Z][^>]*>|\{\\|\d:\d\d:\d\d,\d", payload)
        found.append((ms(start, ","), ms(end, ","), payload.replace(JOINER, "")))
    return found


def read_vtt(text: str) -> list[tuple[int, int, str, str]]:
    first, *blocks = text.removesuffix("\n").split("\n\n")
    assert first == "WEBVTT"
    found = []
    for block in blocks:
        span, payload = block.split("\n")
        start, end = span.split(" --> ")
        voice = re.fullmatch(r"<v ([^<>]+)>([^<>]*)</v>", payload)
        name, words = voice.groups() if voice else ("", payload)
        assert not re.search("-->|[<>]", words)
        found.append((ms(start, "."), ms(end, "."), html.unescape(name), html.unescape(words)))
    return found


@given(events=st.lists(speech(), max_size=8))
def test_both_formats_are_read_back(events):
    captions = captions_of(*events)
    several = len({caption.speaker for caption in captions}) > 1
    spans = [(caption.start_ms, caption.end_ms) for caption in captions]

    srt = read_srt(to_srt(captions))
    assert [one[:2] for one in srt] == spans
    for (_, _, text), caption in zip(srt, captions, strict=True):
        said = f"{one_line(caption.speaker)}: {caption.text}" if several else caption.text
        assert text == said.replace(JOINER, "")

    vtt = read_vtt(to_vtt(captions))
    assert [one[:2] for one in vtt] == spans
    for (_, _, name, text), caption in zip(vtt, captions, strict=True):
        assert (name, text) == (one_line(caption.speaker) if several else "", caption.text)


@given(events=st.lists(speech(), max_size=8))
def test_captions_begin_in_order_and_last(events):
    captions = captions_of(*events)
    assert all(0 <= caption.start_ms < caption.end_ms for caption in captions)
    assert [caption.start_ms for caption in captions] == sorted(caption.start_ms for caption in captions)


@given(text=texts)
def test_a_text_is_one_line_of_its_own_words(text):
    line = one_line(text)
    assert len(line.splitlines()) <= 1
    assert one_line(line) == line
    line.encode()  # whatever came, it can be written
    if text.isprintable() and " " not in text:
        assert line == text


# --- rules ------------------------------------------------------------------------------------------------


def test_what_a_file_looks_like():
    events = [said("bonjour", 500, 3_600_000), said("oui & non", 250, 750, speaker="Bob")]
    assert to_srt(captions_of(*events)) == (
        "1\n00:00:00,250 --> 00:00:00,750\nBob: oui & non\n\n2\n00:00:00,500 --> 01:00:00,000\nAlice: bonjour\n"
    )
    assert to_vtt(captions_of(*events)) == (
        "WEBVTT\n\n00:00:00.250 --> 00:00:00.750\n<v Bob>oui &amp; non</v>\n\n"
        "00:00:00.500 --> 01:00:00.000\n<v Alice>bonjour</v>\n"
    )


def test_nothing_is_a_file_too():
    assert to_srt([]) == ""
    assert to_vtt([]) == "WEBVTT\n"


def test_one_speaker_needs_no_name():
    assert read_vtt(to_vtt(captions_of(said("bonjour"))))[0][2:] == ("", "bonjour")


@pytest.mark.parametrize(
    "event",
    [
        said("bonj", kind=Interim),
        said(" \n "),
        Entity(speaker="Alice", name="x", source="y", start_ms=0, end_ms=1),
        SpeakerLeft(speaker="Alice"),
    ],
)
def test_what_makes_no_caption(event):
    assert captions_of(event) == []


def texts_of(*events) -> list[str]:
    return [caption.text for caption in captions_of(*events)]


def test_a_normalized_text_stands_in_for_the_segment_of_its_utterance():
    plain, normal = said("deux", utterance="1"), said("2", kind=Normalized, utterance="1")
    assert texts_of(plain, normal) == ["2"]
    assert texts_of(normal, plain) == ["2"]


def test_or_for_the_segments_in_its_time():
    assert texts_of(
        said("un", 0, 400), said("deux", 400, 900), said("trois", 900, 2000), said("1, 2.", 0, 950, kind=Normalized)
    ) == ["1, 2.", "trois"]


def test_but_not_for_another_utterance_or_another_speaker():
    assert texts_of(
        said("un", 0, 900, utterance="1"),
        said("deux", 100, 800, utterance="2"),
        said("2", 100, 800, kind=Normalized, utterance="2"),
        said("trois", 100, 800, speaker="Bob", utterance="2"),
    ) == ["un", "trois", "2"]


def test_ids_that_begin_again_are_told_apart_by_time():
    assert texts_of(
        said("un", 0, 500, utterance="0"),
        said("1", 0, 500, kind=Normalized, utterance="0"),
        said("deux", 60_000, 61_000, utterance="0"),
    ) == ["1", "deux"]


@pytest.mark.parametrize(
    ("origin_ms", "start"),
    [(None, 0), (1_700_000_000_000, 2500)],
)
def test_unix_times_are_counted_from_the_origin_or_the_first(origin_ms, start):
    captions = Captions(origin_ms=origin_ms)
    captions.add(said("bonjour", 1_700_000_002_500, 1_700_000_003_000))
    assert captions.in_order()[0].start_ms == start


def test_times_that_are_no_unix_times_are_left_alone():
    assert captions_of(said("bonjour", 7_200_000, 7_201_000))[0].start_ms == 7_200_000


# --- as others read it ------------------------------------------------------------------------------------

PLAIN = [
    "R&D at Marks & Spencer",
    "3 < 4",
    "a > b",
    "I <3 U",
    "set {x}",
    "a --> b",
    "42",
    "-->",
    "1 < 2 > 1",
]
LIKE_MARKUP = [
    "<b>fat</b>",
    "a < b and c > d",
    "if a<b",
    "</v>",
    "<v Bob>x",
    "{\\an8}top",
    "1\n00:00:01,000 --> 00:00:02,000\nx",
]
NAMES = ["Bob", "Jean Martin", "Zoé.B"]


def spoken(text: str, name: str) -> list[Caption]:
    """Two speakers at once, the second for no time, and a third who says nothing, so has no caption."""
    return captions_of(said(text, 0, 1500), said("fin", 500, 500, speaker=name), said(" \n", 600, speaker="Carol"))


def timed(start: float, end: float, text: str) -> tuple[int, int, str]:
    return round(start * 1000), round(end * 1000), text


def by_srt(text):
    srt = pytest.importorskip("srt")
    return [timed(one.start.total_seconds(), one.end.total_seconds(), one.content) for one in srt.parse(text)]


def by_webvtt_py(text):
    webvtt = pytest.importorskip("webvtt")
    is_vtt = text.startswith("WEBVTT")
    # It leaves the entities of WebVTT to its user, and `text` is without the tags of WebVTT, whatever was read.
    return [
        timed(seconds(one.start_time), seconds(one.end_time), html.unescape(one.text) if is_vtt else one.raw_text)
        for one in webvtt.from_buffer(io.StringIO(text), format="vtt" if is_vtt else "srt")
    ]


def seconds(time) -> float:
    return time.hours * 3600 + time.minutes * 60 + time.seconds + time.milliseconds / 1000


def by_ttconv(text):
    reader = pytest.importorskip("ttconv.srt.reader" if text.startswith("1") else "ttconv.vtt.reader")
    model = pytest.importorskip("ttconv.model")
    return [
        timed(
            float(one.get_begin()),
            float(one.get_end()),
            "".join(leaf.get_text() for leaf in one.dfs_iterator() if isinstance(leaf, model.Text)),
        )
        for one in reader.to_model(io.StringIO(text)).get_body().dfs_iterator()
        if isinstance(one, model.P)
    ]


@pytest.mark.parametrize("text", [*PLAIN, *LIKE_MARKUP])
@pytest.mark.parametrize("read", [by_srt, by_webvtt_py, by_ttconv])
def test_subrip_as_others_read_it(read, text):
    found = [(start, end, words.replace(JOINER, "")) for start, end, words in read(to_srt(spoken(text, "Bob")))]
    assert found == [(0, 1500, f"Alice: {one_line(text)}"), (500, 501, "Bob: fin")]


@pytest.mark.parametrize("text", [*PLAIN, "&amp; &lt;"])
def test_subrip_holds_the_very_words(text):
    assert to_srt(captions_of(said(text))).splitlines()[2] == text


@pytest.mark.parametrize("text", [*PLAIN, *LIKE_MARKUP, "&amp; &lt;"])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("read", [by_webvtt_py, by_ttconv])
def test_webvtt_as_others_read_it(read, name, text):
    assert read(to_vtt(spoken(text, name))) == [(0, 1500, one_line(text)), (500, 501, "fin")]


@pytest.mark.parametrize("name", [*NAMES, "A <&> B", "Bob\nand Carol"])
def test_the_names_of_speakers_in_webvtt_as_others_read_them(name):
    webvtt = pytest.importorskip("webvtt")
    voices = [html.unescape(one.voice) for one in webvtt.from_string(to_vtt(spoken("oui", name)))]
    assert voices == ["Alice", one_line(name)]


# --- JSON -------------------------------------------------------------------------------------------------


@given(event=speech())
def test_a_json_line_holds_the_event(event):
    line = json_line(event)
    assert "\n" not in line
    found = json.loads(line)
    assert found.pop("event") == type(event).__name__
    assert type(event)(**{**found, "words": tuple(found["words"])}) == event


def test_json_of_events_without_fields_and_with_bytes():
    assert json_line(Closed()) == '{"event":"Closed"}'
    assert json.loads(json_line(UnknownEvent(name="new", payload=b"\0"))) == {
        "event": "UnknownEvent",
        "name": "new",
        "payload": "AA==",
    }
