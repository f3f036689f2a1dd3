"""A TLS socket that one thread may read while another writes.

OpenSSL's object is for one thread at a time, and Python's socket does not see to that. A reader that waits inside
OpenSSL (a session ticket makes the socket readable, and there is nothing behind it) can swallow what a writer does
meanwhile, and no close of the socket wakes it up. So here

- OpenSSL is only ever called under a lock, and never waits in there: the socket below does not block;
- waiting is done outside, for as long as `settimeout` says, and ends when the socket is closed;
- `shutdown` leaves TLS in place, so that what the other side still says is read as what it is.

Made by a context whose `sslsocket_class` it is; only what the `websockets` library calls is covered.
"""

from __future__ import annotations

import errno
import os
import selectors
import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Self, TypeVar

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_LOOK_UP_S = 0.1
"""How often who waits looks whether the socket has been closed, which no selector tells."""

_T = TypeVar("_T")


class SharedTLS(ssl.SSLSocket):
    """The socket. The handshake is made by one thread; the rest may be by two."""

    _turn: threading.Lock
    _is_shared: bool
    _patience: float | None

    def __new__(cls, *args: object, **kwargs: object) -> Self:
        # The standard library makes these without calling `__init__`.
        self = super().__new__(cls, *args, **kwargs)
        self._turn = threading.Lock()
        self._is_shared = False
        self._patience = None
        return self

    def do_handshake(self, block: bool = False) -> None:
        """Shake hands; from now on two threads may use the socket."""
        super().do_handshake(block)
        self._patience = super().gettimeout()
        super().settimeout(0)
        self._is_shared = True

    def settimeout(self, value: float | None) -> None:
        """How long to wait to receive or send; `None` for as long as it takes."""
        if self._is_shared:
            self._patience = value
        else:
            super().settimeout(value)

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        """What came, at most `buflen` bytes; nothing at the end."""
        return self._when_ready(lambda: super(SharedTLS, self).recv(buflen, flags))

    def send(self, data: ReadableBuffer, flags: int = 0) -> int:
        """Send what can be sent; how many bytes. `sendall` is made of this."""
        return self._when_ready(lambda: super(SharedTLS, self).send(data, flags))

    def shutdown(self, how: int) -> None:
        """End one direction or both, of the connection below."""
        socket.socket.shutdown(self, how)

    def close(self) -> None:
        """Close; whoever waits is told."""
        with self._turn:
            super().close()

    def _when_ready(self, act: Callable[[], _T]) -> _T:
        until = None if self._patience is None else time.monotonic() + self._patience
        while True:
            try:
                with self._turn:
                    return act()
            except ssl.SSLWantReadError:
                wanted = selectors.EVENT_READ
            except ssl.SSLWantWriteError:
                wanted = selectors.EVENT_WRITE
            self._wait(wanted, until)

    def _wait(self, wanted: int, until: float | None) -> None:
        with selectors.DefaultSelector() as selector:
            if self.fileno() >= 0:
                selector.register(self.fileno(), wanted)
            while self.fileno() >= 0:
                left = _LOOK_UP_S if until is None else min(_LOOK_UP_S, until - time.monotonic())
                if left <= 0:
                    raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
                if selector.select(left):
                    return
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
