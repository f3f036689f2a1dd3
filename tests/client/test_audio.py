"""Sound files, with `soundfile` as the witness of what comes out."""

from __future__ import annotations

import io
import os
import struct
import threading
import tracemalloc

import numpy as np
import pytest
import soundfile as sf
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import arrays
from uhlive_client.audio import SAMPLE_RATE, AudioInfo, Codec, probe, read_audio, read_channels
from uhlive_client.codecs import Encoding, RawFormat
from uhlive_client.errors import AudioError

SUBTYPES = {Codec.ALAW: "ALAW", Codec.ULAW: "ULAW"}


def pcm_of(chunks) -> np.ndarray:
    return np.frombuffer(b"".join(chunks), "<i2")


def decoded(raw: bytes, codec: Codec) -> np.ndarray:
    samples, _ = sf.read(
        io.BytesIO(raw), dtype="int16", samplerate=8000, channels=1, format="RAW", subtype=SUBTYPES[codec]
    )
    return samples


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("audio")


@given(samples=arrays(np.int16, st.integers(1, 2000)), chunk_ms=st.integers(1, 300))
def test_8_khz_mono_16_bit_comes_out_bit_for_bit(folder, samples, chunk_ms):
    path = folder / "exact.wav"
    sf.write(path, samples, 8000, subtype="PCM_16")
    chunks = list(read_audio(path, chunk_ms=chunk_ms))
    assert np.array_equal(pcm_of(chunks), samples)
    assert {len(chunk) for chunk in chunks[:-1]} <= {chunk_ms * 16}
    assert 0 < len(chunks[-1]) <= chunk_ms * 16


@given(
    frames=st.integers(50, 100_000),
    rate=st.sampled_from([8000, 11_025, 16_000, 22_050, 44_100, 48_000]),
    channels=st.integers(1, 3),
)
def test_length_is_exact_within_a_sample(folder, frames, rate, channels):
    path = folder / "length.wav"
    sf.write(path, np.zeros((frames, channels), np.int16), rate)
    assert abs(len(pcm_of(read_audio(path))) - frames * SAMPLE_RATE / rate) <= 1


@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000])
def test_resampling_keeps_the_sound(tone, rate):
    original = pcm_of(read_audio(tone(1.0, rate=8000)))
    resampled = pcm_of(read_audio(tone(1.0, rate=rate)))
    inner = slice(400, -400)  # away from the edges, where the filter has nothing to look at
    assert np.abs(original[inner].astype(int) - resampled[inner]).max() < 200  # of 16,384


def test_channels_are_mixed(tmp_path):
    path = tmp_path / "stereo.wav"
    sf.write(path, np.array([[1000, 3000], [-1000, 1000]], np.int16), 8000)
    assert pcm_of(read_audio(path)).tolist() == [2000, 0]


@given(samples=arrays(np.int16, st.tuples(st.integers(1, 2000), st.integers(1, 5))), chunk_ms=st.integers(1, 300))
def test_each_channel_comes_out_bit_for_bit(folder, samples, chunk_ms):
    path = folder / "channels.wav"
    sf.write(path, samples, 8000, subtype="PCM_16")
    channels = [list(channel) for channel in read_channels(path, chunk_ms=chunk_ms)]
    assert len({len(channel) for channel in channels}) == 1
    assert np.array_equal(np.column_stack([pcm_of(channel) for channel in channels]), samples)


def test_a_channel_is_resampled_and_coded_as_a_file_of_its_own(tmp_path):
    samples = np.random.default_rng(7).normal(0, 0.1, (100_000, 2))
    sf.write(tmp_path / "call.flac", samples, 48_000)
    together = read_channels(tmp_path / "call.flac", codec="g711u")
    for channel, chunks in enumerate(together):
        sf.write(tmp_path / "one.flac", samples[:, channel], 48_000)
        assert list(chunks) == list(read_audio(tmp_path / "one.flac", codec="g711u"))


def test_channels_may_be_taken_one_after_the_other_or_not_at_all(tone):
    path = tone(1.0, channels=3)
    first, _, last = read_channels(path)
    assert list(last) == list(first)


@pytest.mark.parametrize("encoding", Encoding)
def test_a_file_without_header(tmp_path, encoding):
    frames = np.array([[0.5, -0.25], [0.0, 0.125]] * 400)
    path = tmp_path / "call.raw"
    sf.write(path, frames, 16_000, format="RAW", subtype=encoding.subtype)
    raw = RawFormat(sample_rate=16_000, channels=2, encoding=encoding)
    assert probe(path, raw=raw) == AudioInfo(seconds=0.05, sample_rate=16_000, channels=2)
    sf.write(tmp_path / "call.wav", raw.decode(path.read_bytes()), 16_000, subtype="FLOAT")
    assert list(read_audio(path, raw=raw)) == list(read_audio(tmp_path / "call.wav"))
    with_header = read_channels(tmp_path / "call.wav")
    assert [list(one) for one in read_channels(path, raw=raw)] == [list(one) for one in with_header]


def test_a_file_ten_times_as_long_needs_no_more_memory(tmp_path):
    def peak(seconds: int) -> int:
        path = tmp_path / f"{seconds}.flac"
        sf.write(path, np.zeros((16_000 * seconds, 2), np.int16), 16_000)
        tracemalloc.start()
        try:
            for channel in (*read_channels(path), read_audio(path)):
                for _ in channel:
                    pass
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(1)  # what is imported and made once
    assert peak(100) < 1.2 * peak(10)


def test_floats_are_rounded_and_clipped_and_no_number_is_silence(tmp_path):
    path = tmp_path / "loud.wav"
    sf.write(path, np.array([0.6 / 32768, 2.0, -2.0, np.nan], np.float32), 8000, subtype="FLOAT")
    assert pcm_of(read_audio(path)).tolist() == [1, 32767, -32768, 0]


@pytest.mark.parametrize("suffix", [".flac", ".ogg"])
def test_other_formats(tone, suffix):
    path = tone(0.5, rate=16_000, suffix=suffix, subtype={".flac": "PCM_16", ".ogg": "VORBIS"}[suffix])
    assert abs(len(pcm_of(read_audio(path))) - 4000) <= 1


@pytest.mark.parametrize("codec", SUBTYPES)
def test_g711_is_what_soundfile_writes(tone, codec):
    path = tone()
    expected = io.BytesIO()
    sf.write(expected, pcm_of(read_audio(path)), 8000, format="RAW", subtype=SUBTYPES[codec])
    assert b"".join(read_audio(path, codec=codec)) == expected.getvalue()


@pytest.mark.parametrize("codec", SUBTYPES)
def test_every_g711_code_survives_a_round_trip(tmp_path, codec):
    levels = decoded(bytes(range(256)), codec)
    path = tmp_path / "levels.wav"
    sf.write(path, levels, 8000)
    assert np.array_equal(decoded(b"".join(read_audio(path, codec=codec)), codec), levels)


@pytest.mark.parametrize("codec", SUBTYPES)
def test_every_sample_is_near_its_g711_level(tmp_path, codec):
    every = np.arange(-32768, 32768).astype(np.int16)
    path = tmp_path / "every.wav"
    sf.write(path, every, 8000)
    error = np.abs(decoded(b"".join(read_audio(path, codec=codec)), codec).astype(int) - every)
    # G.711 has 16 levels a doubling: half a step is at most a 32nd of the sample, and 8 units near zero.
    assert (error <= np.abs(every.astype(int)) / 32 + 8).all()


@pytest.mark.parametrize(("codec", "size"), [("linear", 640), ("g711a", 320), ("g711u", 320)])
def test_chunks_are_as_long_as_asked(tone, codec, size):
    chunks = list(read_audio(tone(0.1), codec=codec, chunk_ms=40))
    assert [len(chunk) for chunk in chunks] == [size, size, size // 2]


def test_probe(tone):
    assert probe(tone(0.5, rate=16_000, channels=2)) == AudioInfo(seconds=0.5, sample_rate=16_000, channels=2)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("missing.wav", None, "no such file"),
        ("text.wav", b"bonjour", "not a sound file"),
        ("nothing.wav", b"", "not a sound file"),
        ("headerless.raw", b"\x00\x00", "without header; .* like 8000:1:s16"),
    ],
)
def test_what_is_no_sound_file_is_told_at_once(tmp_path, name, content, sentence):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(AudioError, match=f"{name}: .*{sentence}"):
        read_audio(path)


def test_a_file_without_header_that_is_shorter_than_a_frame(tmp_path):
    path = tmp_path / "short.raw"
    path.write_bytes(b"...")
    with pytest.raises(AudioError, match="no sound in it"):
        read_audio(path, raw=RawFormat(sample_rate=8000, channels=2))


def test_a_folder_is_no_sound_file(tmp_path):
    with pytest.raises(AudioError, match="not a sound file"):
        read_audio(tmp_path)


def test_an_empty_sound_file(tmp_path):
    path = tmp_path / "empty.wav"
    sf.write(path, np.empty(0, np.int16), 8000)
    with pytest.raises(AudioError, match="no sound in it"):
        read_audio(path)


def test_a_chunk_has_a_length(tone):
    with pytest.raises(ValueError, match="chunk_ms is 0"):
        read_audio(tone(), chunk_ms=0)


# --- sound without a length -------------------------------------------------------------------------------

PCM = np.random.default_rng(5).integers(-9000, 9000, 4000).astype("<i2")
FMT = b"fmt " + struct.pack("<IHHIIHH", 16, 1, 1, 8000, 16_000, 2, 16)
LONG_FMT = b"fmt " + struct.pack("<IHHIIHHH", 18, 1, 1, 8000, 16_000, 2, 16, 0)
ODD = b"LIST" + struct.pack("<I", 3) + b"odd\0"


def stream_of(size: int, riff: int, *chunks: bytes, start: bytes = b"RIFF") -> bytes:
    before = b"".join(chunks or (FMT,))
    return start + struct.pack("<I", riff) + b"WAVE" + before + b"data" + struct.pack("<I", size) + PCM.tobytes()


def ds64(size: int) -> bytes:
    return b"ds64" + struct.pack("<IQQQI", 28, size, size, size, 0)


def au(size: int) -> bytes:
    return struct.pack(">4sIIIII", b".snd", 24, size, 3, 8000, 1) + PCM.astype(">i2").tobytes()


ONES = 0xFFFF_FFFF
STREAMS = {
    "right": stream_of(8000, 8036),
    "zero": stream_of(0, 36),
    "all zero": stream_of(0, 0),
    "zero, with all ones around it": stream_of(0, ONES),
    "ffmpeg": stream_of(ONES, ONES, FMT, b"LIST" + struct.pack("<I", 4) + b"abcd"),
    "sox": stream_of(0x7FFF_F000, 0x7FFF_F024),
    "odd chunk": stream_of(0, 0, ODD, FMT, ODD),
    "long format": stream_of(0, 0, LONG_FMT),
    "RF64, empty": stream_of(ONES, ONES, ds64(0), FMT, start=b"RF64"),
    "RF64, all ones": stream_of(ONES, ONES, ds64((1 << 64) - 1), FMT, start=b"RF64"),
    "RF64, right": stream_of(ONES, ONES, ds64(8000), FMT, start=b"RF64"),
    "RF64 without ds64": stream_of(ONES, ONES, FMT, start=b"RF64"),
    "AU, zero": au(0),
    "AU, all ones": au(ONES),
}


@pytest.fixture
def fifo(tmp_path):
    """Makes a FIFO, and a thread that writes to it."""
    writers = []

    def make(content: bytes):
        path = tmp_path / "call.fifo"
        os.mkfifo(path)
        writers.append(threading.Thread(target=path.write_bytes, args=(content,)))
        writers[-1].start()
        return path

    yield make
    for writer in writers:
        writer.join()


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.filterwarnings("error")
def test_a_file_and_a_fifo_without_a_length_give_the_samples(tmp_path, fifo, name):
    path = tmp_path / "call.wav"
    path.write_bytes(STREAMS[name])
    assert np.array_equal(pcm_of(read_audio(path)), PCM)
    assert np.array_equal(pcm_of(read_audio(fifo(STREAMS[name]))), PCM)
    assert np.array_equal(pcm_of(read_channels(path)[0]), PCM)
    assert probe(path).seconds == 0.5


def test_the_channels_of_a_file_without_a_length(tmp_path):
    stereo = b"fmt " + struct.pack("<IHHIIHH", 16, 1, 2, 8000, 32_000, 4, 16)
    path = tmp_path / "call.wav"
    path.write_bytes(stream_of(0, 0, stereo) + b"?")  # cut in the middle of a frame
    left, right = map(pcm_of, read_channels(path))
    assert (left.tolist(), right.tolist()) == (PCM[::2].tolist(), PCM[1::2].tolist())


def test_the_channels_of_a_fifo(fifo, tone):
    path = tone(0.2, rate=16_000, channels=2)
    assert [list(one) for one in read_channels(fifo(path.read_bytes()))] == [
        list(one) for one in read_channels(path)
    ]


@pytest.mark.parametrize("container", ["FLAC", "OGG", "AIFF"])
def test_a_fifo_takes_what_a_file_takes(tmp_path, fifo, container):
    path = tmp_path / "call.sound"
    sf.write(path, PCM, 8000, format=container)
    assert list(read_audio(fifo(path.read_bytes()))) == list(read_audio(path))


def test_a_fifo_without_header(fifo):
    assert np.array_equal(pcm_of(read_audio(fifo(PCM.tobytes()), raw=RawFormat(sample_rate=8000))), PCM)


def test_a_fifo_has_no_length_to_tell(tmp_path):
    os.mkfifo(tmp_path / "call.fifo")
    with pytest.raises(AudioError, match="a pipe, which has no length to tell"):
        probe(tmp_path / "call.fifo")


def test_a_stream_that_ends_with_its_header_has_no_sound(tmp_path):
    path = tmp_path / "cut.wav"
    path.write_bytes(stream_of(0, 0)[:44])
    with pytest.raises(AudioError, match="no sound in it"):
        read_audio(path)
