"""WebSocket frames of one socket, on `websockets`' sans-I/O protocol, with the manners of a Phoenix server.

It gives no close reasons, negotiates nothing, can be told to leave pings unanswered, and logs nothing: websockets
logs request lines at DEBUG, and those carry the token.

Frames on their way to one socket.

They wait here and not in the transport, which is given no more than it takes: a transport may copy what it queues,
while here everyone who is sent a frame holds the same one, so a hundred clients that do not read cost no more
than one.

    put(frames)      queue them
    flush()          write what the transport takes; true once the end has been reached
    pause(), resume()   the transport has enough for now, or takes more: flush next

Whether something that a client sent has not been read yet.

On the loopback what a client has sent is in our receive buffer by the time its `send` returns; its close is, too.
So the question has an answer at every moment, and nobody has to sleep to be sure that the last message counted.
"""

from __future__ import annotations

import asyncio
import logging
import selectors
from collections import deque
from collections.abc import Iterable, Iterator

from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import SEND_EOF, State
from websockets.server import ServerProtocol

INVALID_DATA = 1007

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

    def requests_and_messages(self) -> Iterator[Request | str | bytes]:
        """What the bytes received so far amount to; a text that is not UTF-8 ends the connection."""
        for event in self.events_received():
            if isinstance(event, Request):
                yield event
            elif isinstance(event, Frame) and (whole := self._whole(event)) is not None:
                if not self._is_text:
                    yield whole
                    continue
                try:
                    yield whole.decode()
                except UnicodeDecodeError:
                    self.fail(INVALID_DATA)
                    return

    def _whole(self, frame: Frame) -> bytes | None:
        """The message that a frame completes, if it does."""
        if frame.opcode is Opcode.CONT:
            self._fragments.append(bytes(frame.data))
        elif frame.opcode in (Opcode.TEXT, Opcode.BINARY):
            self._is_text = frame.opcode is Opcode.TEXT
            if frame.fin:
                return bytes(frame.data)
            self._fragments = [bytes(frame.data)]
        if frame.opcode is not Opcode.CONT or not frame.fin:
            return None
        whole, self._fragments = b"".join(self._fragments), []
        return whole


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


def has_unread(transport: asyncio.Transport) -> bool:
    """Whether bytes, or the end of the connection, wait to be read."""
    tcp = transport.get_extra_info("socket")
    if tcp is None or tcp.fileno() < 0:
        return False
    with selectors.DefaultSelector() as selector:
        selector.register(tcp.fileno(), selectors.EVENT_READ)
        return bool(selector.select(0))
