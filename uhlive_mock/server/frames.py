"""WebSocket frames of one socket, on `websockets`' sans-I/O protocol, with the manners of a Phoenix server.

It gives no close reasons, negotiates nothing, can be told to leave pings unanswered, and logs nothing: websockets
logs request lines at DEBUG, and those carry the token.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
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
