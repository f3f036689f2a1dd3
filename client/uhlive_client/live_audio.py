"""Sound that comes when it comes: from a thread that may wait for it to tasks that may not.

    thread   offer((left, right)) ──>  a row of chunks, one a channel  ──>  streams[0], streams[1]   tasks
             end(failure)

Rules.

- The thread is at most `room` rows ahead of the slowest stream. Then `offer` waits; for a source that cannot
  wait, such as a microphone, the row is lost, and counted.
- A stream is an asynchronous iterator for one task. A stream that is closed holds up neither the thread nor the
  other streams, and ends for the task that waits for it.
- After `end`, each stream gives what it still has, and then ends or raises the failure.
- Chunks are kept on the event loop only, so there is nothing to lock; the two sides share a semaphore.

A microphone is such a source, with the `mic` extra.

    async with microphone() as sound:
        call.play(sound)

The sound card is opened at its own rate, for few of them know 8 kHz, and resampled here. It does not wait: what
is not taken within `AHEAD_S` seconds is lost and counted in `sound.lost`, in chunks.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from types import ModuleType
from typing import TYPE_CHECKING, Self, TypeVar

from .codecs import Codec, Encoder
from .errors import AudioError, ConfigurationError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

AHEAD_S = 10.0
"""Sound that is kept while it is not taken, in seconds."""

_T = TypeVar("_T")

Row = tuple[bytes, ...]
"""One chunk for each channel."""


class LiveStream(AsyncIterator[bytes]):
    """The chunks of one channel, for one task. `aclose` gives up the rest."""

    def __init__(self, fan_out: FanOut) -> None:
        self.is_open = True
        self.taken = 0
        self._fan_out = fan_out
        self._chunks: deque[bytes] = deque()
        self._changed = asyncio.Event()

    @property
    def lost(self) -> int:
        """Chunks that were not taken in time, and are lost."""
        return self._fan_out.lost

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        while not self._chunks:
            if not self.is_open:
                raise StopAsyncIteration
            if self._fan_out.ended:
                self.close()
                if self._fan_out.failure is not None:
                    raise self._fan_out.failure
                raise StopAsyncIteration
            self._changed.clear()
            await self._changed.wait()
        chunk = self._chunks.popleft()
        self.taken += 1
        self._fan_out.make_room()
        return chunk

    async def aclose(self) -> None:
        """Give up the rest. Does nothing the second time."""
        self.close()

    def close(self) -> None:
        """Give up the rest. Does nothing the second time."""
        self.is_open = False
        self._chunks.clear()
        self.wake()
        self._fan_out.make_room()

    def wake(self) -> None:
        """Let a task that waits for a chunk look again."""
        self._changed.set()

    def put(self, chunk: bytes) -> None:
        """Keep a chunk until it is taken."""
        if self.is_open:
            self._chunks.append(chunk)
            self.wake()


class FanOut:
    """What stands between one thread and the streams of its channels.

    Args:
        loop: where the streams are read.
        channels: how many streams.
        room: how many rows the thread may be ahead of the slowest stream.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, *, channels: int, room: int) -> None:
        self.ended = False
        self.failure: Exception | None = None
        self.lost = 0
        self.streams = tuple(LiveStream(self) for _ in range(channels))
        self._loop = loop
        self._room = threading.Semaphore(room)
        self._closed = False
        self._given = 0
        self._made = 0

    # --- the thread's side ---------------------------------------------------------------------------------

    def offer(self, row: Row, *, wait: bool = True) -> bool:
        """Hand over a row; whether another is wanted."""
        if not self._room.acquire(blocking=wait):
            self.lost += 1
            return not self._closed
        if not self._closed:
            self._call(self._give, row)
        return not self._closed

    def end(self, failure: Exception | None = None) -> None:
        """There is no more, for a reason if it is a failure."""
        self._call(self._end, failure)

    def _call(self, act: Callable[[_T], None], argument: _T) -> None:
        # A loop that is closed wants nothing any more.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(act, argument)

    # --- the loop's side -----------------------------------------------------------------------------------

    def close(self) -> None:
        """No more is wanted; a thread that waits in `offer` is let go."""
        for stream in self.streams:
            stream.close()
        self._room.release()

    def make_room(self) -> None:
        """Let the thread go on, as far as every stream that is open has come; to its end when none is."""
        self._closed = self._closed or not any(stream.is_open for stream in self.streams)
        slowest = min((stream.taken for stream in self.streams if stream.is_open), default=self._given)
        if slowest > self._made:
            self._room.release(slowest - self._made)
            self._made = slowest

    def _give(self, row: Row) -> None:
        self._given += 1
        for stream, chunk in zip(self.streams, row, strict=True):
            stream.put(chunk)
        self.make_room()

    def _end(self, failure: Exception | None) -> None:
        self.ended, self.failure = True, failure
        for stream in self.streams:
            stream.wake()


# --- the microphone ---------------------------------------------------------------------------------------


@asynccontextmanager
async def microphone(
    *, device: int | str | None = None, codec: Codec | str = Codec.LINEAR, chunk_ms: int = 100
) -> AsyncIterator[LiveStream]:
    """Listen to a microphone, until the context is left.

    Args:
        device: its number or a part of its name, as `python -m sounddevice` lists them; the default one if None.
        codec: how the chunks are coded.
        chunk_ms: sound in a chunk, in milliseconds.

    Raises:
        AudioError: there is no such microphone, or it cannot be opened; raised by the stream, it stopped.
        ConfigurationError: `sounddevice`, or the PortAudio library it needs, is not installed.
        ValueError: `chunk_ms` is not positive, or `codec` is not a codec.
    """
    sd = _sounddevice()
    try:
        rate = round(sd.query_devices(device, "input")["default_samplerate"])
    except (sd.PortAudioError, ValueError) as problem:
        raise AudioError(f"no such microphone: {problem}") from None
    encoder = Encoder(sample_rate=rate, codec=codec, chunk_ms=chunk_ms)
    fan_out = FanOut(asyncio.get_running_loop(), channels=1, room=max(2, round(AHEAD_S * 1000 / chunk_ms)))

    def heard(frames: NDArray[np.float32], _count: int, _time: object, _status: object) -> None:
        for chunk in encoder.feed(frames[:, 0].copy()):
            fan_out.offer((chunk,), wait=False)

    try:
        stream = sd.InputStream(
            device=device,
            samplerate=rate,
            channels=1,
            dtype="float32",
            blocksize=max(1, rate * min(chunk_ms, 100) // 1000),
            callback=heard,
            finished_callback=lambda: fan_out.end(AudioError("the microphone stopped; was it unplugged?")),
        )
    except sd.PortAudioError as problem:
        raise AudioError(f"the microphone cannot be opened: {problem}") from None
    with stream:
        try:
            yield fan_out.streams[0]
        finally:
            fan_out.close()


def _sounddevice() -> ModuleType:
    try:
        import sounddevice
    except ModuleNotFoundError:
        raise ConfigurationError(
            'a microphone needs sounddevice; install it with: pip install "uhlive-mock[mic]"'
        ) from None
    except OSError as problem:
        # I: sounddevice's wheels bring PortAudio for macOS and Windows only.
        raise ConfigurationError(
            f"a microphone needs the PortAudio library ({problem}); on Debian: apt install libportaudio2"
        ) from None
    module: ModuleType = sounddevice
    return module
