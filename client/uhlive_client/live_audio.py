"""Sound that comes when it comes: from a thread that may wait for it to tasks that may not.

    thread   offer((left, right)) ──>  a row of chunks, one a channel  ──>  streams[0], streams[1]   tasks
             end(failure)

Rules.

- The thread is at most `room` rows ahead of the slowest stream. Then `offer` waits; for a source that cannot
  wait, such as a microphone, the row is lost, and counted.
- A stream is an asynchronous iterator for one task. One that is closed holds nobody up any more, and ends for
  whoever waits for it.
- After `end`, each stream gives what it still has, and then ends or raises the failure.
- Chunks are kept on the event loop only, so there is nothing to lock; the two sides share a semaphore.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Self, TypeVar

_T = TypeVar("_T")

Row = tuple[bytes, ...]
"""One chunk for each channel."""


class LiveStream(AsyncIterator[bytes]):
    """The chunks of one channel, for one task. `aclose` gives up the rest."""

    def __init__(self, fan: Fan) -> None:
        self.is_open = True
        self.taken = 0
        self._fan = fan
        self._chunks: deque[bytes] = deque()
        self._changed = asyncio.Event()

    @property
    def lost(self) -> int:
        """Chunks that were not taken in time, and are lost."""
        return self._fan.lost

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        while not self._chunks:
            if not self.is_open:
                raise StopAsyncIteration
            if self._fan.ended:
                self.close()
                if self._fan.failure is not None:
                    raise self._fan.failure
                raise StopAsyncIteration
            self._changed.clear()
            await self._changed.wait()
        chunk = self._chunks.popleft()
        self.taken += 1
        self._fan.make_room()
        return chunk

    async def aclose(self) -> None:
        """Give up the rest. Does nothing the second time."""
        self.close()

    def close(self) -> None:
        """Give up the rest. Does nothing the second time."""
        self.is_open = False
        self._chunks.clear()
        self.wake()
        self._fan.make_room()

    def wake(self) -> None:
        """Let whoever waits for a chunk look again."""
        self._changed.set()

    def put(self, chunk: bytes) -> None:
        """Keep a chunk until it is taken."""
        if self.is_open:
            self._chunks.append(chunk)
            self.wake()


class Fan:
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
        """Hand over a row; whether anybody will ever want another."""
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
        """Nobody wants any more; whoever waits in `offer` is let go."""
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
