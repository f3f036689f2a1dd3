"""Frames on their way to one socket.

They wait here and not in the transport, which is given no more than it takes: a transport may copy what it queues,
while here everyone who is sent a frame holds the same one, so a hundred clients that do not read cost no more
than one.

    put(frames)      queue them
    flush()          write what the transport takes; true once the end has been reached
    pause(), resume()   the transport has enough for now, or takes more: flush next
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable

from websockets.protocol import SEND_EOF


class Sending:
    """The queue of one transport."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._paused = False
        self.ending = False
        """Whether the end is queued."""

    @property
    def size(self) -> int:
        """Bytes that wait, here and in the transport."""
        return self._size + self._transport.get_write_buffer_size()

    def put(self, frames: Iterable[bytes]) -> None:
        """Queue frames, or the end."""
        for frame in frames:
            self._waiting.append(frame)
            self._size += len(frame)
            self.ending |= frame == SEND_EOF

    def flush(self) -> bool:
        """Write what the transport takes. True once everything before the end has been written."""
        while self._waiting and not self._paused:
            frame = self._waiting.popleft()
            if frame == SEND_EOF:
                return True
            self._size -= len(frame)
            self._transport.write(frame)
        return False

    def pause(self) -> None:
        """The transport takes no more for now."""
        self._paused = True

    def resume(self) -> None:
        """The transport takes more."""
        self._paused = False
