"""A speaker's audio, put together again."""

from __future__ import annotations

from io import BytesIO
from itertools import pairwise

import pytest
import soundfile as sf
from hypothesis import given, strategies as st

from uhlive_mock.model.audio import Codec
from uhlive_mock.protocol.speaker_audio import GapMark, Recording

G711 = {Codec.ALAW: "ALAW", Codec.ULAW: "ULAW"}
second = {codec: bytes(8000 * codec.sample_width) for codec in Codec}


def record(*chunks: bytes, codec: Codec = Codec.LINEAR, cap_bytes: int = 1_000_000) -> Recording:
    recording = Recording(codec, cap_bytes=cap_bytes)
    for chunk in chunks:
        recording.add(chunk, 0.0)
    return recording


def libsndfile(data: bytes, codec: Codec) -> bytes:
    samples, _ = sf.read(
        BytesIO(data), dtype="int16", format="RAW", subtype=G711[codec], samplerate=8000, channels=1
    )
    return samples.astype("<i2").tobytes()


@pytest.mark.parametrize("codec", G711)
def test_every_code_is_decoded_as_libsndfile_does(codec):
    every = bytes(range(256))
    assert record(every, codec=codec).linear() == libsndfile(every, codec)


@pytest.mark.parametrize(
    ("codec", "code", "sample"),
    [
        (Codec.ALAW, 0xD5, 8),
        (Codec.ALAW, 0x2A, -32256),
        (Codec.ULAW, 0xFF, 0),
        (Codec.ULAW, 0x00, -32124),
    ],
)
def test_codes_of_the_standards_tables(codec, code, sample):
    assert int.from_bytes(record(bytes([code]), codec=codec).linear(), "little", signed=True) == sample


@given(data=st.binary(max_size=200), cuts=st.lists(st.integers(0, 200)), codec=st.sampled_from(Codec))
def test_how_it_was_cut_does_not_matter(data, cuts, codec):
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    pieces = [data[start:end] for start, end in pairwise(edges)]
    whole, cut = record(data, codec=codec), record(*pieces, codec=codec)
    assert cut.encoded() == whole.encoded() == data
    assert cut.linear() == whole.linear()
    assert len(cut.linear()) == 2 * cut.samples
    assert cut.duration_s == whole.duration_s == len(data) // codec.sample_width / 8000


def test_half_a_sample_waits_for_its_other_half():
    recording = record(b"\x01\x02\x03")
    assert recording.linear() == b"\x01\x02"
    recording.add(b"\x04", 0.0)
    assert recording.linear() == b"\x01\x02\x03\x04"


@given(chunks=st.lists(st.binary(max_size=20)), cap=st.integers(0, 100))
def test_the_first_bytes_are_kept_up_to_the_cap(chunks, cap):
    recording, data = record(*chunks, cap_bytes=cap), b"".join(chunks)
    assert recording.encoded() == data[:cap]
    assert recording.size + recording.dropped_bytes == len(data)
    assert recording.truncated == (len(data) > cap)


@pytest.mark.parametrize("codec", Codec)
def test_a_late_chunk_marks_a_gap(codec):
    recording = Recording(codec)
    recording.add(second[codec], 100.0)
    recording.add(second[codec], 101.1)
    recording.add(second[codec], 102.4)
    assert recording.gaps == (GapMark(position=16_000, silence_s=pytest.approx(0.3)),)
    assert recording.duration_s == 3


def test_audio_sent_ahead_fills_the_time_until_the_next_chunk():
    recording = Recording(Codec.LINEAR)
    for _ in range(5):
        recording.add(second[Codec.LINEAR], 10.0)
    recording.add(second[Codec.LINEAR], 15.1)
    assert recording.gaps == ()


def test_being_a_little_late_each_time_is_no_gap():
    recording = Recording(Codec.LINEAR)
    for n in range(1000):
        recording.add(second[Codec.LINEAR], 1.01 * n)
    assert recording.gaps == ()


def test_the_threshold_can_be_changed():
    recording = Recording(Codec.LINEAR, gap_s=0.05)
    recording.add(second[Codec.LINEAR], 0.0)
    recording.add(second[Codec.LINEAR], 1.125)
    assert recording.gaps == (GapMark(position=8000, silence_s=0.125),)


def test_nothing_is_marked_beyond_the_cap():
    recording = Recording(Codec.LINEAR, cap_bytes=16_000)
    recording.add(second[Codec.LINEAR], 0.0)
    recording.add(second[Codec.LINEAR], 60.0)
    assert recording.gaps == ()
    assert recording.truncated


@given(
    sent=st.lists(st.tuples(st.integers(1, 4000), st.floats(0, 1), st.integers(0, 8000)), max_size=15),
    codec=st.sampled_from(Codec),
)
def test_gaps_do_not_depend_on_how_what_came_together_was_cut(sent, codec):
    whole, cut, now = Recording(codec), Recording(codec), 0.0
    for samples, pause, at in sent:
        now += pause
        data = bytes(samples * codec.sample_width)
        whole.add(data, now)
        cut.add(data[:at], now)
        cut.add(data[at:], now)
    assert [mark.position for mark in cut.gaps] == [mark.position for mark in whole.gaps]
    assert [mark.silence_s for mark in cut.gaps] == pytest.approx([mark.silence_s for mark in whole.gaps])


@given(sent=st.lists(st.tuples(st.integers(1, 4000), st.floats(0, 1)), max_size=30))
def test_sound_and_silence_never_outlast_the_call(sent):
    recording, now = Recording(Codec.LINEAR), 0.0
    last = 0
    for samples, pause in sent:
        now += pause
        recording.add(bytes(2 * samples), now)
        last = samples
    first = sent[0][1] if sent else 0
    silence = sum(mark.silence_s for mark in recording.gaps)
    sound_before_last = recording.duration_s - last / 8000
    assert silence <= max(0.0, now - first) + 1e-9
    assert sound_before_last + silence + 0.2 * len(sent) >= now - first - 1e-9
