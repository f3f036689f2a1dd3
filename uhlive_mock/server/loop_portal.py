"""The way of other threads to the server's event loop, and of a handle to its space.

    begin(loop)    on the loop's thread: from now on work is done there
    call(work)     on any thread: do it there and return what it returns
    finish()       on the loop's thread, while the loop still runs: do what waits; later work its callers do

So no caller waits for a loop that is gone: work either comes before the end, and is done by it, or after.

A `SpacePortal` calls with the space of a handle: the one it was made for, or what a reset has put in its place.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, TypeVar

from ..errors import ConfigurationError, InternalError
from ..protocol.space import Space

if TYPE_CHECKING:
    from .listeners import Serving

T = TypeVar("T")

ANSWER_TIMEOUT_S = 30.0
"""How long a caller waits for the loop, which something must have blocked by then."""


class LoopPortal:
    """The work that waits, and the loop or thread that does it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._alone = threading.RLock()
        """Held while work is done once the loop is gone: by one thread at a time, as the loop did."""
        self._waiting: deque[Callable[[], None]] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: int | None = None
        self.finished = False
        """Whether the loop is gone."""

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let `loop`, which this thread runs, do the work."""
        with self._lock:
            self._loop, self._thread = loop, threading.get_ident()

    def call(self, work: Callable[[], T]) -> T:
        """Do `work` where it belongs.

        Raises:
            ConfigurationError: there has never been a loop.
            InternalError: the loop did not get to it.
        """
        if threading.get_ident() == self._thread and not self.finished:
            return work()
        result: Future[T] = Future()

        def do() -> None:
            if not result.set_running_or_notify_cancel():
                return
            try:
                result.set_result(work())
            except BaseException as error:  # noqa: BLE001 - handed to the caller
                result.set_exception(error)

        with self._lock:
            if self._loop is None:
                raise ConfigurationError("the server is not running; start it or use it as a context manager")
            waits = not self.finished
            if waits:
                self._waiting.append(do)
                self._loop.call_soon_threadsafe(self._next)
        if not waits:
            with self._alone:
                return work()
        try:
            return result.result(ANSWER_TIMEOUT_S)
        except TimeoutError:
            if result.done():
                raise  # it is the work's own
            result.cancel()
            raise InternalError(f"the server's event loop did not answer within {ANSWER_TIMEOUT_S:g} s") from None

    def finish(self) -> None:
        """Do what waits. From now on callers do their work themselves."""
        with self._alone:
            with self._lock:
                self.finished = True
            while self._waiting:
                self._next()

    def _next(self) -> None:
        if self._waiting:
            self._waiting.popleft()()


class SpacePortal:
    """A space of a server, for callers on any thread."""

    def __init__(self, loop: LoopPortal, serving: Serving, space: Space) -> None:
        self.loop = loop
        self.serving = serving
        self.settings = space.settings
        self._space = space

    @property
    def space(self) -> Space:
        """The space as it is now; for the loop's thread."""
        self._space = self._space.latest
        return self._space

    def ask(self, question: Callable[[Space], T]) -> T:
        """What `question` finds in the space."""
        return self.loop.call(lambda: question(self.space))

    def act(self, change: Callable[[Space], None]) -> None:
        """Let `change` change the space, and carry out what its sockets have to do then."""

        def work(space: Space) -> None:
            change(space)
            space.settle()

        self.ask(work)
