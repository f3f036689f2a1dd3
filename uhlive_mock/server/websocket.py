"""WebSocket under one socket: frames in, frames out, and what waits on the way.

`Frames` is `websockets`' sans-I/O protocol with the manners of a Phoenix server: it gives no close reasons,
negotiates nothing, can be told to leave pings unanswered, and logs nothing, for websockets logs request lines at
DEBUG, and those carry the token.

`WriteQueue` holds what is to be written. Frames wait there and not in the transport, which is given no more than it
takes: a transport may copy what it queues, while here every socket that is sent a frame holds the same one, so a
hundred clients that do not read cost no more than one.

    put(frames)         queue them
    flush()             write what the transport takes; true once the end has been reached
    pause(), resume()   the transport has enough for now, or takes more: flush next

`has_unread` tells whether something that a client sent has not been read yet. On the loopback what a client has
sent is in our receive buffer by the time its `send` returns; its close is, too. So the question has an answer at
every moment, and a test need not sleep to be sure that the last message counted.
"""

from __future__ import annotations

import asyncio
import logging
import selectors
from collections import deque
from collections.abc import Iterable

from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import SEND_EOF, State
from websockets.server import ServerProtocol

INVALID_DATA = 1007

_TEXT, _BINARY = Opcode.TEXT, Opcode.BINARY
"""Names of their own: Python 3.11 takes a while to find a member of an enum."""

_SILENT = logging.Logger("uhlive_mock.silent", logging.CRITICAL + 1)


def text_frame(text: str) -> bytes:
    """A text as one frame from a server, which is the same for every socket."""
    return Frame(Opcode.TEXT, text.encode()).serialize(mask=False)


class Frames(ServerProtocol):
    """Bytes in, `requests_and_messages` out; texts in, `data_to_send` out."""

    def __init__(self) -> None:
        super().__init__(max_size=None, logger=_SILENT)
        self.muted = False
        self.failed: int | None = None
        """The code with which a client was cut off whose bytes are not WebSocket's, or too many."""
        self._fragments: list[bytes] = []
        self._is_text = False

    @property
    def is_open(self) -> bool:
        """Whether messages may be sent."""
        return self.state is State.OPEN

    def fail(self, code: int, reason: str = "") -> None:
        """End the connection with a close code, and no reason."""
        self.failed = code
        super().fail(code)

    def send_frame(self, frame: Frame) -> None:
        """Send a frame, unless it is a pong and pings go unanswered."""
        if not (self.muted and frame.opcode is Opcode.PONG):
            super().send_frame(frame)

    def send_whole(self, frame: bytes) -> None:
        """Send a frame that `text_frame` wrote."""
        self.writes.append(frame)

    def requests_and_messages(self) -> list[Request | str | bytes]:
        """What the bytes received so far amount to; a text that is not UTF-8 ends the connection."""
        found: list[Request | str | bytes] = []
        for event in self.events_received():
            if isinstance(event, Request):
                found.append(event)
                continue
            if not isinstance(event, Frame):
                continue
            opcode, whole = event.opcode, event.data
            if opcode is _BINARY or opcode is _TEXT:
                self._is_text = opcode is _TEXT
                if not event.fin:
                    self._fragments = [bytes(whole)]
                    continue
            elif opcode is Opcode.CONT:
                self._fragments.append(bytes(whole))
                if not event.fin:
                    continue
                whole, self._fragments = b"".join(self._fragments), []
            else:
                continue
            if not self._is_text:
                found.append(bytes(whole))
                continue
            try:
                found.append(str(whole, "utf-8"))
            except UnicodeDecodeError:
                self.fail(INVALID_DATA)
                break
        return found


class WriteQueue:
    """The frames on their way to one transport."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self.waiting: deque[bytes] = deque()
        """Frames that the transport has not been given yet."""
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
            self.waiting.append(frame)
            self._size += len(frame)
            self.ending |= frame == SEND_EOF

    def flush(self) -> bool:
        """Write what the transport takes. True once everything before the end has been written."""
        while self.waiting and not self._paused:
            frame = self.waiting.popleft()
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


def has_unread(transport: asyncio.Transport) -> bool:
    """Whether bytes, or the end of the connection, wait to be read."""
    tcp = transport.get_extra_info("socket")
    if tcp is None or tcp.fileno() < 0:
        return False
    with selectors.DefaultSelector() as selector:
        selector.register(tcp.fileno(), selectors.EVENT_READ)
        return bool(selector.select(0))
