"""The client for threads: the same as `aio`, without asyncio.

    with connect(conversation="conv1", speaker="Alice") as call:
        call.play(read_audio("hello.wav"))
        for event in call:
            print(event)

A call here is a call of `aio`, on an event loop of its own in one daemon thread; each verb is a coroutine that
runs there while the caller waits.

Rules.

- Any thread may use a call, several at once; the loop orders what they do.
- Sound is taken from its iterable in the caller's thread, or in the thread that `play` starts, never on the loop.
  So an iterable may wait as long as it likes. The loop asks for a chunk as soon as it has sent the one before.
- Ctrl-C, or whatever else is raised in a thread that waits, cancels the coroutine and waits until it has ended:
  sockets are closed, and nothing goes on behind the caller's back. A second Ctrl-C does not wait.
- Once the loop has ended, a coroutine still runs as far as it goes without waiting: what was heard before can be
  read, and what would need the connection raises `ConnectionLost`.
- A thread cannot be made to give up an iterable that keeps it waiting. A thread of `play` that is kept waiting is
  left behind after `timeout`.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from concurrent.futures import Future, wait
from queue import SimpleQueue
from types import TracebackType
from typing import Self, TypeVar

from . import aio
from .conversation import Conversation
from .errors import ConnectionLost
from .events import Event
from .pacing import PacingReport

_T = TypeVar("_T")


class connect(aio.Connecting):
    __doc__ = aio.Connecting.__doc__

    def __enter__(self) -> Call:
        portal = _Portal()
        try:
            portal.start()
            self._call = Call(portal, portal.run(self._open()))
        except BaseException:
            portal.close()
            raise
        return self._call

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._call._close()


class Call:
    """A joined conversation. Made by `connect`; iterate it for the events."""

    def __init__(self, portal: _Portal, call: aio.Call) -> None:
        self._portal = portal
        self._call = call
        self._player: threading.Thread | None = None

    @property
    def pacing(self) -> PacingReport | None:
        """The report of the last stream that ended."""
        return self._call.pacing

    @property
    def conversation(self) -> Conversation:
        """The state machine of our stay. Look at it; using it is for the call."""
        return self._call.conversation

    @property
    def joined(self) -> bool:
        """Whether we are in the conversation now: not leaving, not gone, and the connection is not lost."""
        return self._call.joined

    def send(self, chunk: bytes) -> None:
        """Send one chunk of audio now, in the codec of the join; the pace is the caller's affair.

        While a lost connection is being replaced the chunk is dropped, and counted in `Reconnected.lost_audio_s`.

        Raises:
            ChannelCrashed, ConnectionLost: what ended the call.
            UsageError: we have left, are an observer, or the chunk is over 64 kB.
        """
        self._portal.run(self._call.send(chunk))

    def stream(self, chunks: Iterable[bytes], *, rate: float = 1.0) -> PacingReport:
        """Send chunks at the pace of speech, `rate` times faster, and wait until the last has been spoken.

        Stops early, without error, when the conversation ends meanwhile; the events say why. While a lost
        connection is being replaced, what comes due is dropped.

        Raises:
            ChannelCrashed, ConnectionLost: what ended the call.
            UsageError: not joined, or an observer.
            ValueError: `rate` is not positive.
        """
        source = _Source(chunks)
        return self._portal.run(self._call.stream(source, rate=rate), source)

    def stream_and_leave(self, chunks: Iterable[bytes], *, rate: float = 1.0) -> PacingReport:
        """`stream`, then `leave`, whatever happens: the transcript of what was sent is still to come.

        When it is interrupted it says that we leave, and waits for nothing.
        """
        source = _Source(chunks)
        return self._portal.run(self._call.stream_and_leave(source, rate=rate), source)

    def play(self, chunks: Iterable[bytes], *, rate: float = 1.0) -> None:
        """`stream_and_leave` in the background, while this call is iterated.

        What goes wrong is raised by the iteration, after the last event.

        Raises:
            UsageError: something is being played already.
        """
        source = _Source(chunks)
        self._portal.run(self._play(source, rate))
        self._player = threading.Thread(target=source.serve, name="uhlive-client play", daemon=True)
        self._player.start()

    async def _play(self, source: _Source, rate: float) -> None:
        await asyncio.sleep(0)  # which a loop that has ended cannot
        self._call._start_playing(source, rate).add_done_callback(source.end)

    def leave(self) -> None:
        """Say that we leave, unless that was said, and wait for the last word. The events are kept for iterating.

        Raises:
            ChannelCrashed, ConnectionLost: what ended the call before.
            Timeout: the last word does not come.
        """
        self._portal.run(self._call.leave())

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Event:
        """The next event; the iteration ends with our own `speaker_left`, for an observer with `Closed`.

        While we are joined it waits as long as there is silence, and the pings tell whether the
        service is there. Once we are leaving it waits `timeout` for each event.

        Raises:
            ChannelCrashed: the conversation died on the service's side.
            ConnectionLost: the socket closed before the end, or gave no sign of life.
            Timeout: we are leaving, and the end does not come.
            WireError: the service sent something that is not a message; go on iterating if you like.
        """
        try:
            return self._portal.run(self._call.__anext__())
        except StopAsyncIteration:
            raise StopIteration from None

    def _close(self) -> None:
        try:
            self._portal.run(self._call._close())
        finally:
            self._portal.close()
        if self._player is not None:
            self._player.join(self._call._state.timeout)


class _Source(AsyncIterator[bytes]):
    """The chunks of an iterable, for the loop: the loop asks, and a thread that may wait answers."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = chunks
        self._questions: SimpleQueue[Future[bytes] | None] = SimpleQueue()

    async def __anext__(self) -> bytes:
        answer: Future[bytes] = Future()
        self._questions.put(answer)
        return await asyncio.wrap_future(answer)

    def end(self, _: object = None) -> None:
        """No more will be asked for."""
        self._questions.put(None)

    def serve(self) -> None:
        """Answer, in this thread, until the end."""
        each = None
        while (answer := self._questions.get()) is not None:
            if not answer.set_running_or_notify_cancel():
                continue
            try:
                each = iter(self._chunks) if each is None else each
                answer.set_result(next(each))
            except StopIteration:
                answer.set_exception(StopAsyncIteration())
            except Exception as failure:  # noqa: BLE001 - raised where the sound is streamed
                answer.set_exception(failure)


class _Portal:
    """An event loop in a thread, and the way in for other threads.

    What is posted to the loop is done in order. So a coroutine has begun before it is cancelled, and nothing is
    begun that the end of the loop would leave waiting.
    """

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._closing = asyncio.Event()
        self._lock = threading.Lock()
        self._is_open = True
        self._thread = threading.Thread(target=self._serve, name="uhlive-client", daemon=True)

    def start(self) -> None:
        """Start the thread; the loop may be posted to before. Whatever this raises, `close` ends the thread."""
        self._thread.start()

    def run(self, work: Coroutine[object, None, _T], source: _Source | None = None) -> _T:
        """What a coroutine returns that runs on the loop, fed meanwhile from a source by this thread.

        Raises:
            ConnectionLost: the loop ends before the coroutine does, or has ended and the coroutine would wait.
        """
        outcome: Future[_T] = Future()
        if source is not None:
            outcome.add_done_callback(source.end)
        tasks: list[asyncio.Task[_T]] = []

        def begin() -> None:
            tasks.append(self._loop.create_task(work))
            tasks[0].add_done_callback(lambda task: _copy(task, outcome))

        if not self._post(begin):
            return _run_at_once(work)
        try:
            if source is not None:
                source.serve()
            return outcome.result()
        except BaseException:
            if not outcome.done() and self._post(lambda: tasks[0].cancel()):
                wait([outcome])
            raise

    def close(self) -> None:
        """End the loop and its thread. What still runs there is cancelled."""
        with self._lock:
            if self._is_open:
                self._is_open = False
                self._loop.call_soon_threadsafe(self._closing.set)
        if self._thread.is_alive():  # it is not when starting it was interrupted
            self._thread.join()

    def _post(self, act: Callable[[], object]) -> bool:
        """Do something on the loop, unless it has ended or is about to."""
        with self._lock:
            if self._is_open:
                self._loop.call_soon_threadsafe(act)
            return self._is_open

    def _serve(self) -> None:
        try:
            self._loop.run_until_complete(self._until_closed())
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        finally:
            self._loop.close()

    async def _until_closed(self) -> None:
        await self._closing.wait()
        if others := asyncio.all_tasks() - {asyncio.current_task()}:
            for task in others:
                task.cancel()
            await asyncio.wait(others)
        await asyncio.sleep(0)  # in which transports that were closed just now are closed


def _copy(task: asyncio.Task[_T], outcome: Future[_T]) -> None:
    if task.cancelled():
        outcome.set_exception(ConnectionLost(None, "it is closed"))
    elif (failure := task.exception()) is not None:
        outcome.set_exception(failure)
    else:
        outcome.set_result(task.result())


def _run_at_once(work: Coroutine[object, None, _T]) -> _T:
    try:
        work.send(None)
    except StopIteration as end:
        result: _T = end.value
        return result
    work.close()
    raise ConnectionLost(None, "it is closed")
