"""Sound from a pipe, through a real one."""

from __future__ import annotations

import asyncio
import io
import os
import threading
from contextlib import suppress

import numpy as np
import pytest
import soundfile as sf
from uhlive_client.audio import read_audio, read_channels
from uhlive_client.codecs import RawFormat
from uhlive_client.errors import AudioError
from uhlive_client.live_audio import FanOut
from uhlive_client.piped_audio import piped_audio

pytestmark = pytest.mark.asyncio

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
async def test_a_wav_comes_out_as_from_a_file(pipe, tone, step):
    path = tone(0.5, rate=44_100, channels=2)
    fed = feed(pipe, path.read_bytes(), step=step)
    async with piped_audio(pipe[0], codec="g711a") as [sound]:
        assert b"".join(await all_of(sound)) == b"".join(read_audio(path, codec="g711a"))
    await fed


async def test_each_channel_is_a_stream(pipe, tmp_path):
    path = tmp_path / "call.wav"
    sf.write(path, np.random.default_rng(7).normal(0, 0.1, (20_000, 3)), 16_000)
    fed = feed(pipe, path.read_bytes())
    async with piped_audio(pipe[0], split_channels=True) as streams:
        heard = await asyncio.gather(*(all_of(stream) for stream in streams))
    assert heard == [list(channel) for channel in read_channels(path)]
    await fed


async def test_a_wav_of_unknown_length_goes_on_until_the_end(pipe):
    whole = io.BytesIO()
    sf.write(whole, np.ones(800, np.int16), 8000, format="WAV")
    content = bytearray(whole.getvalue())
    content[40:44] = b"\xff\xff\xff\xff"
    fed = feed(pipe, bytes(content))
    async with piped_audio(pipe[0]) as [sound]:
        assert await all_of(sound) == [np.ones(800, "<i2").tobytes()]
    await fed


async def test_what_follows_the_sound_of_a_wav_is_no_sound(pipe):
    whole = io.BytesIO()
    sf.write(whole, np.ones(800, np.int16), 8000, format="WAV")
    fed = feed(pipe, whole.getvalue() + b"LIST\x04\0\0\0abcd")
    async with piped_audio(pipe[0]) as [sound]:
        assert await all_of(sound) == [np.ones(800, "<i2").tobytes()]
    await fed


async def test_half_a_frame_at_the_end_is_lost(pipe):
    fed = feed(pipe, bytes(1603), step=3)
    async with piped_audio(pipe[0], raw=STEREO) as [sound]:
        assert len(b"".join(await all_of(sound))) == 1600 // 2
    await fed


async def test_chunks_come_as_the_sound_comes(pipe):
    async with piped_audio(pipe[0], raw=LINEAR, chunk_ms=20) as [sound]:
        for value in range(5):
            os.write(pipe[1], bytes([value]) * 320)
            assert await anext(sound) == bytes([value]) * 320


async def test_the_loop_does_not_wait_for_the_pipe(pipe):
    async with piped_audio(pipe[0], raw=LINEAR) as [sound]:
        waiting = asyncio.ensure_future(anext(sound))
        await asyncio.sleep(0)
        assert not waiting.done()
        os.write(pipe[1], bytes(1600))
        assert await waiting == bytes(1600)


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


async def test_a_stream_that_is_closed_holds_nobody_up(pipe):
    fed = feed(pipe, bytes(2 * 16_000 * 30))
    async with piped_audio(pipe[0], raw=STEREO, split_channels=True) as (one, other):
        await other.aclose()
        assert len(await all_of(one)) == 300
        assert await all_of(other) == []
    await fed


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


async def test_leaving_lets_go_of_a_pipe_that_says_nothing(pipe):
    async with piped_audio(pipe[0], raw=LINEAR) as [sound]:
        waiting = asyncio.ensure_future(anext(sound))
        await asyncio.sleep(0)
    with pytest.raises(StopAsyncIteration):
        await waiting
    os.write(pipe[1], b"..")
    assert os.read(pipe[0], 2) == b".."  # it is not closed, and nobody else reads it


async def test_leaving_lets_go_of_a_writer_that_has_more(pipe):
    fed = feed(pipe, bytes(16_000 * 60))
    async with piped_audio(pipe[0], raw=LINEAR) as [sound]:
        await anext(sound)
    os.close(pipe[0])
    assert await fed < 16_000 * 60


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
async def test_what_is_no_wav_is_told_at_once(pipe, content, sentence):
    fed = feed(pipe, content)
    with pytest.raises(AudioError, match=sentence):
        async with piped_audio(pipe[0]):
            pytest.fail("opened")
    await fed


async def test_a_pipe_without_sound_is_told_by_its_stream(pipe):
    os.close(pipe[1])
    async with piped_audio(pipe[0], raw=LINEAR) as [sound]:
        with pytest.raises(AudioError, match="stdin: no sound in it"):
            await anext(sound)


async def test_something_that_cannot_be_read(tmp_path):
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        with pytest.raises(AudioError, match="stdin: cannot be read"):
            async with piped_audio(folder):
                pytest.fail("opened")
    finally:
        os.close(folder)


async def test_mistakes_are_told_before_anything_is_read(pipe):
    with pytest.raises(ValueError, match="chunk_ms is 0"):
        async with piped_audio(pipe[0], chunk_ms=0):
            pytest.fail("opened")


async def test_a_source_that_cannot_wait_loses_what_nobody_takes():
    fan = FanOut(asyncio.get_running_loop(), channels=1, room=3)
    for value in range(5):
        assert fan.offer((bytes([value]),), wait=False)
    fan.end()
    [stream] = fan.streams
    assert await all_of(stream) == [b"\0", b"\1", b"\2"]
    assert stream.lost == 2
    assert not fan.offer((b"",), wait=False)
