"""Work that other threads have for the server's event loop, each waiting for what it returns.

    begin(loop)    on the loop's thread: from now on work is done there
    run(work)      on any thread: do it and return what it returns
    finish()       on the loop's thread, while the loop still runs: do what waits; later work its callers do

So nobody waits for a loop that is gone: work either comes before the end, and is done by it, or after.

How a handle reaches the server's event loop.

What every part of a space's handle reaches the space through.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Protocol, TypeVar

from ..errors import ConfigurationError, InternalError
from .files import JournalFile
from .listeners import Serving
from .world import HostedSpace

T = TypeVar("T")

PATIENCE_S = 30.0
"""How long a caller waits for the loop, which something must have blocked by then."""


class Errands:
    """The work that waits, and who does it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._alone = threading.RLock()
        """Held by whoever does work once the loop is gone: one thread at a time, as the loop did."""
        self._waiting: deque[Callable[[], None]] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: int | None = None
        self._finished = False

    @property
    def finished(self) -> bool:
        """Whether the loop is gone."""
        return self._finished

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let `loop`, which this thread runs, do the work."""
        with self._lock:
            self._loop, self._thread = loop, threading.get_ident()

    def run(self, work: Callable[[], T]) -> T:
        """Do `work` where it belongs.

        Raises:
            ConfigurationError: there has never been a loop.
            InternalError: the loop did not get to it.
        """
        if threading.get_ident() == self._thread and not self._finished:
            return work()
        result: Future[T] = Future()

        def errand() -> None:
            if not result.set_running_or_notify_cancel():
                return
            try:
                result.set_result(work())
            except BaseException as error:  # noqa: BLE001 - handed to the caller
                result.set_exception(error)

        with self._lock:
            if self._loop is None:
                raise ConfigurationError("the server is not running; start it or use it as a context manager")
            waits = not self._finished
            if waits:
                self._waiting.append(errand)
                self._loop.call_soon_threadsafe(self._next)
        if not waits:
            with self._alone:
                return work()
        try:
            return result.result(PATIENCE_S)
        except TimeoutError:
            if result.done():
                raise  # it is the work's own
            result.cancel()
            raise InternalError(f"the server's event loop did not answer within {PATIENCE_S:g} s") from None

    def finish(self) -> None:
        """Do what waits. From now on callers do their work themselves."""
        with self._alone:
            with self._lock:
                self._finished = True
            while self._waiting:
                self._next()

    def _next(self) -> None:
        if self._waiting:
            self._waiting.popleft()()


class Call(Protocol):
    """Runs work on the server's loop and returns what it returns."""

    def __call__(self, work: Callable[[], T]) -> T: ...


class Reach:
    """A hosted space, its server, and the way to the server's loop."""

    def __init__(
        self, call: Call, keep: Callable[[JournalFile], None], serving: Serving, hosted: HostedSpace
    ) -> None:
        self._call = call
        self._keep = keep
        self._serving = serving
        self._hosted = hosted
