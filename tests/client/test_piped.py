"""Sound from a pipe, through a real one; WAV headers with soundfile's files as the witness, and written by hand."""

from __future__ import annotations

import asyncio
import io
import os
import struct
import threading
from contextlib import suppress

import numpy as np
import pytest
import soundfile as sf
from hypothesis import given, strategies as st
from uhlive_client.audio import read_audio, read_channels, read_header
from uhlive_client.codecs import Encoding, RawFormat
from uhlive_client.errors import AudioError
from uhlive_client.live_audio import FanOut
from uhlive_client.piped import piped_audio

SUBTYPES = ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ALAW", "ULAW")
LINEAR = RawFormat(sample_rate=8000)
STEREO = RawFormat(sample_rate=8000, channels=2)


@pytest.fixture(autouse=True)
def _no_thread_survives():
    before = threading.active_count()
    yield
    # The one of asyncio.to_thread is asyncio's own.
    ours = [thread for thread in threading.enumerate() if thread.name == "uhlive-client pipe"]
    assert not ours
    assert threading.active_count() <= before + 1


@pytest.fixture
def pipe():
    """A pipe's two ends. Either may have been closed."""
    ends = os.pipe()
    yield ends
    for end in ends:
        with suppress(OSError):
            os.close(end)


def feed(pipe, content: bytes, *, step: int = 100_000) -> asyncio.Task[int]:
    """Write all of it and close, in a thread, for a pipe has little room; what was written is the result."""

    def write() -> int:
        written = 0
        with open(pipe[1], "wb", buffering=0) as end, suppress(BrokenPipeError):
            while written < len(content):
                written += end.write(content[written : written + step])
        return written

    return asyncio.ensure_future(asyncio.to_thread(write))


async def all_of(stream) -> list[bytes]:
    return [chunk async for chunk in stream]


@pytest.mark.parametrize("step", [7, 100_000])
@pytest.mark.asyncio
async def test_a_wav_comes_out_as_from_a_file(pipe, tone, step):
    path = tone(0.5, rate=44_100, channels=2)
    fed = feed(pipe, path.read_bytes(), step=step)
    async with piped_audio(pipe[0], codec="g711a") as [sound]:
        assert b"".join(await all_of(sound)) == b"".join(read_audio(path, codec="g711a"))
    await fed


@pytest.mark.asyncio
async def test_each_channel_is_a_stream(pipe, tmp_path):
    path = tmp_path / "call.wav"
    sf.write(path, np.random.default_rng(7).normal(0, 0.1, (20_000, 3)), 16_000)
    fed = feed(pipe, path.read_bytes())
    async with piped_audio(pipe[0], split_channels=True) as streams:
        heard = await asyncio.gather(*(all_of(stream) for stream in streams))
    assert heard == [list(channel) for channel in read_channels(path)]
    await fed


@pytest.mark.asyncio
async def test_a_wav_of_unknown_length_goes_on_until_the_end(pipe):
    whole = io.BytesIO()
    sf.write(whole, np.ones(800, np.int16), 8000, format="WAV")
    content = bytearray(whole.getvalue())
    content[40:44] = b"\xff\xff\xff\xff"
    fed = feed(pipe, bytes(content))
    async with piped_audio(pipe[0]) as [sound]:
        assert await all_of(sound) == [np.ones(800, "<i2").tobytes()]
    await fed


@pytest.mark.asyncio
async def test_a_pipe_whose_number_is_above_1023_is_read(pipe):
    resource = pytest.importorskip("resource")
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < 1200:
        pytest.skip("so many files may not be open here")
    fd = os.dup2(pipe[0], 1100)
    fed = feed(pipe, bytes(1600))
    try:
        async with piped_audio(fd, raw=LINEAR) as [sound]:
            assert await all_of(sound) == [bytes(1600)]
        await fed
    finally:
        os.close(fd)


@pytest.mark.asyncio
async def test_what_follows_the_sound_of_a_wav_is_no_sound(pipe):
    whole = io.BytesIO()
    sf.write(whole, np.ones(800, np.int16), 8000, format="WAV")
    fed = feed(pipe, whole.getvalue() + b"LIST\x04\0\0\0abcd")
    async with piped_audio(pipe[0]) as [sound]:
        assert await all_of(sound) == [np.ones(800, "<i2").tobytes()]
    await fed


@pytest.mark.asyncio
async def test_half_a_frame_at_the_end_is_lost(pipe):
    fed = feed(pipe, bytes(1603), step=3)
    async with piped_audio(pipe[0], raw=STEREO) as [sound]:
        assert len(b"".join(await all_of(sound))) == 1600 // 2
    await fed


@pytest.mark.asyncio
async def test_chunks_come_as_the_sound_comes(pipe):
    async with piped_audio(pipe[0], raw=LINEAR, chunk_ms=20) as [sound]:
        for value in range(5):
            os.write(pipe[1], bytes([value]) * 320)
            assert await anext(sound) == bytes([value]) * 320


@pytest.mark.asyncio
async def test_the_loop_does_not_wait_for_the_pipe(pipe):
    async with piped_audio(pipe[0], raw=LINEAR) as [sound]:
        waiting = asyncio.ensure_future(anext(sound))
        await asyncio.sleep(0)
        assert not waiting.done()
        os.write(pipe[1], bytes(1600))
        assert await waiting == bytes(1600)


@pytest.mark.asyncio
async def test_a_writer_that_is_faster_waits(pipe):
    """Ten seconds of sound are kept, and what the pipe itself and one read hold."""
    seconds = 60
    fed = feed(pipe, bytes(16_000 * seconds), step=1600)
    async with piped_audio(pipe[0], raw=LINEAR) as [sound]:
        await anext(sound)
        while len(sound._chunks) < 100:
            await asyncio.sleep(0.001)
        assert not fed.done()
        assert len(sound._chunks) == 100
        assert len(await all_of(sound)) == 10 * seconds - 1
    assert await fed == 16_000 * seconds


@pytest.mark.asyncio
async def test_a_stream_that_is_closed_holds_nobody_up(pipe):
    fed = feed(pipe, bytes(2 * 16_000 * 30))
    async with piped_audio(pipe[0], raw=STEREO, split_channels=True) as (one, other):
        await other.aclose()
        assert len(await all_of(one)) == 300
        assert await all_of(other) == []
    await fed


@pytest.mark.asyncio
async def test_streams_at_different_speeds_keep_no_more_than_the_room(pipe):
    fed = feed(pipe, bytes(2 * 16_000 * 30))
    async with piped_audio(pipe[0], raw=STEREO, split_channels=True) as (fast, slow):
        eager = asyncio.ensure_future(all_of(fast))
        for _ in range(300):
            await anext(slow)
            assert len(slow._chunks) <= 101
            assert len(fast._chunks) <= 101
        assert len(await eager) == 300
    await fed


@pytest.mark.asyncio
async def test_leaving_lets_go_of_a_pipe_that_says_nothing(pipe):
    async with piped_audio(pipe[0], raw=LINEAR) as [sound]:
        waiting = asyncio.ensure_future(anext(sound))
        await asyncio.sleep(0)
    with pytest.raises(StopAsyncIteration):
        await waiting
    os.write(pipe[1], b"..")
    assert os.read(pipe[0], 2) == b".."  # it is not closed, and nobody else reads it


@pytest.mark.asyncio
async def test_leaving_lets_go_of_a_writer_that_has_more(pipe):
    fed = feed(pipe, bytes(16_000 * 60))
    async with piped_audio(pipe[0], raw=LINEAR) as [sound]:
        await anext(sound)
    os.close(pipe[0])
    assert await fed < 16_000 * 60


@pytest.mark.asyncio
async def test_giving_up_before_the_head_has_come(pipe):
    async def enter():
        async with piped_audio(pipe[0]):
            pytest.fail("there is no head")

    entering = asyncio.ensure_future(enter())
    await asyncio.sleep(0)
    entering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await entering


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "stdin: not a WAV stream .nothing at all"),
        (b"fLaC and so on", "stdin: not a WAV stream .begins with b'fLaC'"),
        (b"RIFF....WAVE", "stdin: a WAV stream that ends before its sound"),
    ],
)
@pytest.mark.asyncio
async def test_what_is_no_wav_is_told_at_once(pipe, content, sentence):
    fed = feed(pipe, content)
    with pytest.raises(AudioError, match=sentence):
        async with piped_audio(pipe[0]):
            pytest.fail("opened")
    await fed


@pytest.mark.asyncio
async def test_a_pipe_without_sound_is_told_by_its_stream(pipe):
    os.close(pipe[1])
    async with piped_audio(pipe[0], raw=LINEAR) as [sound]:
        with pytest.raises(AudioError, match="stdin: no sound in it"):
            await anext(sound)


@pytest.mark.asyncio
async def test_something_that_cannot_be_read(tmp_path):
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        with pytest.raises(AudioError, match="stdin: cannot be read"):
            async with piped_audio(folder):
                pytest.fail("opened")
    finally:
        os.close(folder)


@pytest.mark.asyncio
async def test_mistakes_are_told_before_anything_is_read(pipe):
    with pytest.raises(ValueError, match="chunk_ms is 0"):
        async with piped_audio(pipe[0], chunk_ms=0):
            pytest.fail("opened")


@pytest.mark.asyncio
async def test_a_source_that_cannot_wait_loses_what_nobody_takes():
    fan_out = FanOut(asyncio.get_running_loop(), channels=1, room=3)
    for value in range(5):
        assert fan_out.offer((bytes([value]),), wait=False)
    fan_out.end()
    [stream] = fan_out.streams
    assert await all_of(stream) == [b"\0", b"\1", b"\2"]
    assert stream.lost == 2
    assert not fan_out.offer((b"",), wait=False)


# --- the header of a WAV stream ---------------------------------------------------------------------------


def chunk(name: bytes, body: bytes, size: int | None = None) -> bytes:
    return name + struct.pack("<I", len(body) if size is None else size) + body + bytes(len(body) % 2)


def fmt(tag=1, channels=1, rate=8000, bits=16) -> bytes:
    frame = channels * bits // 8
    return chunk(b"fmt ", struct.pack("<HHIIHH", tag, channels, rate, rate * frame, frame, bits))


def wav(*chunks: bytes, start: bytes = b"RIFF") -> io.BytesIO:
    return io.BytesIO(start + struct.pack("<I", 0xFFFF_FFFF) + b"WAVE" + b"".join(chunks))


@pytest.mark.parametrize("container", ["WAV", "WAVEX", "RF64"])
@pytest.mark.parametrize("subtype", SUBTYPES)
def test_what_soundfile_writes(container, subtype):
    file = io.BytesIO()
    samples = np.linspace(-0.5, 0.5, 300).reshape(100, 3)
    sf.write(file, samples, 44_100, format=container, subtype=subtype)
    file.seek(0)
    raw, size = read_header(file.read)
    assert raw == RawFormat(sample_rate=44_100, channels=3, encoding=raw.encoding)
    assert raw.encoding.subtype == subtype
    assert size == 100 * raw.frame_size
    file_again = io.BytesIO(file.getvalue())
    assert np.array_equal(raw.decode(file.read(size)), sf.read(file_again, dtype="float32")[0])


@pytest.mark.parametrize("size", [0, 0x7FFF_0000, 0x7FFF_F000, 0xFFFF_FFFF])
def test_a_size_that_nobody_knew_is_until_the_end(size):
    assert read_header(wav(fmt(), chunk(b"data", b"", size)).read)[1] is None


def ds64(size: int) -> bytes:
    return chunk(b"ds64", struct.pack("<QQQI", size, size, size, 0))


@pytest.mark.parametrize(
    ("long_size", "size", "found"),
    [
        (600, 0xFFFF_FFFF, 600),
        (0, 0xFFFF_FFFF, None),
        ((1 << 64) - 1, 0xFFFF_FFFF, None),
        (0, 0, None),
        (600, 400, 400),  # D: `ds64` counts when the size that it stands in for is all ones
    ],
)
def test_the_size_of_rf64(long_size, size, found):
    head = wav(ds64(long_size), fmt(), chunk(b"data", b"", size), start=b"RF64")
    assert read_header(head.read)[1] == found


@pytest.mark.parametrize("subtype", ["PCM_S8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ALAW", "ULAW"])
def test_an_au_that_soundfile_writes(subtype):
    file = io.BytesIO()
    sf.write(file, np.linspace(-0.5, 0.5, 300).reshape(100, 3), 44_100, format="AU", subtype=subtype)
    file.seek(0)
    raw, size = read_header(file.read)
    assert (raw.sample_rate, raw.channels, size) == (44_100, 3, 100 * raw.frame_size)
    assert np.array_equal(raw.decode(file.read(size)), sf.read(io.BytesIO(file.getvalue()), dtype="float32")[0])


@pytest.mark.parametrize("size", [0, 0xFFFF_FFFF])
def test_an_au_whose_size_nobody_knew(size):
    head = io.BytesIO(struct.pack(">4sIIIII", b".snd", 28, size, 3, 8000, 1) + b"note" + b"\1\2")
    assert read_header(head.read) == (RawFormat(sample_rate=8000, big_endian=True), None)
    assert head.read() == b"\1\2"


@pytest.mark.parametrize(
    ("head", "sentence"),
    [
        (b".snd\0\0\0\x18\0\0\0\0", "an AU stream that ends before its sound"),
        (struct.pack(">4sIIIII", b".snd", 24, 0, 23, 8000, 1), "an AU stream of encoding 23"),
        (struct.pack(">4sIIIII", b".snd", 24, 0, 3, 8000, 0), "an AU stream of 0 channels"),
    ],
)
def test_an_au_that_cannot_be_read(head, sentence):
    with pytest.raises(AudioError, match=sentence):
        read_header(io.BytesIO(head).read)


def test_other_chunks_are_passed_over_whatever_their_size():
    head = wav(chunk(b"LIST", b"odd"), fmt(), chunk(b"junk", bytes(200_001)), chunk(b"data", b"\1\2"))
    assert read_header(head.read) == (RawFormat(sample_rate=8000), 2)
    assert head.read() == b"\1\2"


@pytest.mark.parametrize(
    ("head", "sentence"),
    [
        (io.BytesIO(), "nothing at all"),
        (io.BytesIO(b"fLaC....WAVE"), "fLaC"),
        (io.BytesIO(b"RIFF....AVI "), "RIFF"),
        (wav(), "ends before its sound"),
        (wav(fmt()), "ends before its sound"),
        (wav(fmt(), chunk(b"junk", b"", 5_000_000)), "ends before its sound"),
        (wav(chunk(b"data", b"\1\2")), "expected `fmt ` before `data`"),
        (wav(chunk(b"fmt ", b"\1\0")), "2 bytes; expected at least 16"),
        (wav(fmt(tag=85)), "format 85 with 16 bits"),
        (wav(fmt(bits=12)), "format 1 with 12 bits"),
        (wav(fmt(channels=0)), "0 channels"),
        (wav(fmt(rate=0)), "0 samples a second"),
    ],
)
def test_what_is_no_wav_says_so(head, sentence):
    with pytest.raises(AudioError, match=sentence):
        read_header(head.read)


@given(garbage=st.binary(max_size=300), with_start=st.booleans())
def test_any_bytes_are_a_header_or_a_mistake(garbage, with_start):
    stream = wav(garbage) if with_start else io.BytesIO(garbage)
    try:
        raw, size = read_header(stream.read)
    except AudioError:
        return
    assert isinstance(raw.encoding, Encoding)
    assert size is None or size > 0


@given(cut=st.integers(0, 44))
def test_a_header_cut_anywhere_is_no_header(cut):
    whole = wav(fmt(), chunk(b"data", b"", 100)).getvalue()
    with pytest.raises(AudioError):
        read_header(io.BytesIO(whole[: min(cut, len(whole) - 1)]).read)
