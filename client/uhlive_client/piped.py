"""Sound from a pipe: a WAV or AU stream or headerless samples, streamed as they come.

    async with piped_audio() as [sound]:                        # stdin, its channels mixed
        call.play(sound)
    async with piped_audio(split_channels=True) as (alice, bob):    # one speaker a channel, in step
        ...

A thread of its own waits for the pipe, so that nothing else has to. It stops reading when the slowest stream
is `AHEAD_S` seconds of sound behind, and the program that writes to the pipe waits then. POSIX only.
"""

from __future__ import annotations

import asyncio
import os
import select
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress

from .audio import channel_of, mixed, read_header
from .codecs import Codec, Encoder, RawFormat
from .errors import AudioError
from .live_audio import AHEAD_S, FanOut, LiveStream

_BLOCK = 65_536


@asynccontextmanager
async def piped_audio(
    fd: int = 0,
    *,
    codec: Codec | str = Codec.LINEAR,
    chunk_ms: int = 100,
    raw: RawFormat | None = None,
    split_channels: bool = False,
    name: str = "stdin",
) -> AsyncIterator[tuple[LiveStream, ...]]:
    """Read sound from a file descriptor, which is left open; it may be anything that can be read.

    Entering waits for the header. Gives one stream for all channels, or one for each; give them to
    different tasks, and close the ones you no longer read, for the others wait for the slowest.

    Args:
        fd: the file descriptor; stdin by default.
        codec: how the chunks are coded.
        chunk_ms: sound in a chunk, in milliseconds; the last may be shorter.
        raw: what the samples are like when there is no header.
        split_channels: a stream for each channel, instead of one for all.
        name: what error messages call the pipe.

    Raises:
        AudioError: it is no WAV or AU stream, or cannot be read. What goes wrong later, or a pipe without any
            sound, is raised by the streams.
        ValueError: `chunk_ms` is not positive, or `codec` is not a codec.
    """
    Encoder(sample_rate=8000, codec=codec, chunk_ms=chunk_ms)  # raises at once if these are wrong
    opened: asyncio.Future[FanOut] = asyncio.get_running_loop().create_future()
    source = _Source(fd)
    pump = _Pump(source, opened, codec=Codec(codec), chunk_ms=chunk_ms, raw=raw, split=split_channels, name=name)
    thread = threading.Thread(target=pump.run, name="uhlive-client pipe", daemon=True)
    thread.start()
    try:
        fan_out = await opened
        try:
            yield fan_out.streams
        finally:
            fan_out.close()
    finally:
        source.stop()
        thread.join()
        source.close()


class _Source:
    """A file descriptor that is read until its end, or until it is no longer wanted."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._stopped, self._stop = os.pipe()
        self._ready = select.poll()  # which knows files above 1023, as `select` does not
        for each in (fd, self._stopped):
            self._ready.register(each, select.POLLIN)

    def some(self, limit: int) -> bytes:
        """What there is, at least a byte; nothing at the end."""
        ready = dict(self._ready.poll())
        return b"" if self._stopped in ready else os.read(self._fd, limit)

    def exactly(self, size: int) -> bytes:
        """So many bytes; fewer only at the end."""
        found = b""
        while len(found) < size and (more := self.some(size - len(found))):
            found += more
        return found

    def stop(self) -> None:
        """From now on this is the end, for a thread that waits too."""
        os.write(self._stop, b".")

    def close(self) -> None:
        os.close(self._stopped)
        os.close(self._stop)


class _Pump:
    """What the thread does: bytes to frames, frames to rows of chunks, rows to the fan_out."""

    def __init__(
        self,
        source: _Source,
        opened: asyncio.Future[FanOut],
        *,
        codec: Codec,
        chunk_ms: int,
        raw: RawFormat | None,
        split: bool,
        name: str,
    ) -> None:
        self._source = source
        self._opened = opened
        self._codec = codec
        self._chunk_ms = chunk_ms
        self._raw = raw
        self._split = split
        self._name = name

    def run(self) -> None:
        """Read to the end."""
        try:
            raw, size = (self._raw, None) if self._raw else read_header(self._source.exactly)
        except (AudioError, OSError, ValueError) as problem:
            self._tell(self._failure(problem))
            return
        channels = raw.channels if self._split else 1
        room = max(2, round(AHEAD_S * 1000 / self._chunk_ms))
        fan_out = FanOut(self._opened.get_loop(), channels=channels, room=room)
        self._tell(fan_out)
        try:
            found = self._feed(fan_out, raw, size)
        except (OSError, ValueError) as problem:
            fan_out.end(self._failure(problem))
            return
        fan_out.end(None if found else AudioError(f"{self._name}: no sound in it; expected at least one sample"))

    def _feed(self, fan_out: FanOut, raw: RawFormat, size: int | None) -> bool:
        """Hand over everything, while it is wanted; whether there was anything."""
        picks = [channel_of(channel) for channel in range(raw.channels)] if self._split else [mixed]
        encoders = [Encoder(sample_rate=raw.sample_rate, codec=self._codec, chunk_ms=self._chunk_ms) for _ in picks]
        found = False
        for coded in self._whole_frames(raw.frame_size, size):
            frames = raw.decode(coded)
            found = True
            rows = zip(*(s.feed(pick(frames)) for s, pick in zip(encoders, picks, strict=True)), strict=True)
            if not all(map(fan_out.offer, rows)):
                return True
        if found:
            for row in zip(*(encoder.finish() for encoder in encoders), strict=True):
                fan_out.offer(row)
        return found

    def _whole_frames(self, frame_size: int, size: int | None) -> Iterator[bytes]:
        pending = b""
        while size is None or size > 0:
            more = self._source.some(_BLOCK if size is None else min(size, _BLOCK))
            if not more:
                return
            if size is not None:
                size -= len(more)
            pending += more
            whole = len(pending) - len(pending) % frame_size
            if whole:
                yield pending[:whole]
                pending = pending[whole:]

    def _failure(self, problem: Exception) -> AudioError:
        if isinstance(problem, AudioError):
            return AudioError(f"{self._name}: {problem}")
        return AudioError(f"{self._name}: cannot be read ({getattr(problem, 'strerror', None) or problem})")

    def _tell(self, outcome: FanOut | AudioError) -> None:
        def settle() -> None:
            if self._opened.done():
                return
            if isinstance(outcome, FanOut):
                self._opened.set_result(outcome)
            else:
                self._opened.set_exception(outcome)

        with suppress(RuntimeError):  # a loop that is closed wants nothing any more
            self._opened.get_loop().call_soon_threadsafe(settle)
