"""The client for asyncio: a token, a socket, a join, and then audio one way and events the other.

    async with connect(conversation="conv1", speaker="Alice") as call:
        call.play(read_audio("hello.wav"))
        async for event in call:
            print(event)

`blocking` is the same for threads, under the same names. What a call is stands in `core`; here is only its I/O.

Theory of operation. Whoever iterates, or leaves, reads the line (`aio_line`), one frame a turn, into the core's
queue. `play` is the only task a call owns: it streams, leaves, and keeps what went wrong for the iteration to raise
once the last word has been read. Leaving the context cancels it, says `phx_leave` if nobody has, and closes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Iterable
from contextlib import aclosing, suppress
from math import inf
from types import TracebackType
from typing import Self

from .aio_line import Line
from .call_state import Core
from .codecs import SAMPLE_RATE
from .connecting import Connecting
from .conversation import Conversation
from .errors import UhliveClientError, UsageError
from .events import Event
from .pacing import Pacer, PacingReport

Chunks = Iterable[bytes] | AsyncIterable[bytes]


class connect(Connecting):
    __doc__ = Connecting.__doc__

    async def __aenter__(self) -> Call:
        core = self._core()
        line = Line(core, self._login(), self._door())
        try:
            await line.open()
        except BaseException:
            await line.close()
            raise
        self._call = Call(core, line)
        return self._call

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._call._close()


class Call:
    """A joined conversation. Made by `connect`; iterate it for the events.

    `pacing` is the report of the last stream that ended.
    """

    def __init__(self, core: Core, line: Line) -> None:
        self.pacing: PacingReport | None = None
        self._core = core
        self._line = line
        self._player: asyncio.Task[None] | None = None
        self._player_failure: Exception | None = None

    @property
    def conversation(self) -> Conversation:
        """The state machine of our stay."""
        return self._core.conversation

    @property
    def joined(self) -> bool:
        """Whether we are in the conversation now: not leaving, not gone, and the line is not lost."""
        return self._core.speaking and not self._core.down

    async def send(self, chunk: bytes) -> None:
        """Send one chunk of audio now, in the codec of the join; the pace is the caller's affair.

        While a lost line is being mended the chunk is dropped, and counted in `Reconnected.lost_audio_s`.

        Raises:
            ChannelCrashed, ConnectionLost: what ended the call.
            UsageError: we have left, are an observer, or the chunk is over 64 kB.
        """
        await self._offer(chunk)

    async def _offer(self, chunk: bytes, due: float = inf) -> bool:
        """Send a chunk that is due then, unless it is lost in a gap; whether it was sent."""
        while True:
            async with self._line.sending:
                if not self._core.keeps(due):
                    now = self._line.now()
                    frame = self._core.audio(chunk, now)
                    if frame is None:
                        return False
                    await self._line.send(frame, self._core.patience(now))
                    return True
            await self._line.mended()

    async def stream(self, chunks: Chunks, *, rate: float = 1.0) -> PacingReport:
        """Send chunks at the pace of speech, `rate` times faster, and wait until the last has been spoken.

        Stops early, without error, when the conversation ends meanwhile; the events say why. While a lost line
        is being mended, what comes due is dropped.

        Raises:
            ChannelCrashed, ConnectionLost: what ended the call.
            UsageError: not joined, or an observer.
            ValueError: `rate` is not positive.
        """
        self._core.ready_to_stream()
        width = self.conversation.options.audio_codec.sample_width
        now = self._line.now
        pacer = Pacer(anchor=now(), rate=rate)
        began = False
        async with aclosing(_each(chunks)) as each:
            try:
                async for chunk in each:
                    if not began:
                        # The anchor is when the first chunk is there to be sent, not when it was asked for.
                        pacer, began = Pacer(anchor=now(), rate=rate), True
                    await asyncio.sleep(pacer.due - now())
                    if not self._goes_on():
                        break
                    samples = len(chunk) // width
                    try:
                        if await self._offer(chunk, pacer.due):
                            pacer.sent(samples, now())
                        else:  # the time goes on without it
                            pacer.anchor += samples / SAMPLE_RATE / rate
                    except UsageError:
                        if self._goes_on():
                            raise
                        break  # the stay has just ended
                else:
                    await asyncio.sleep(pacer.due - now())
            finally:
                self.pacing = pacer.report(now())
        return self.pacing

    def _goes_on(self) -> bool:
        if not self._core.speaking:
            self._core.check()
        return self._core.speaking

    async def stream_and_leave(self, chunks: Chunks, *, rate: float = 1.0) -> PacingReport:
        """`stream`, then `leave`, whatever happens: the transcript of what was sent is still to come.

        When it is cancelled it says that we leave, and waits for nothing.
        """
        try:
            report = await self.stream(chunks, rate=rate)
        except asyncio.CancelledError:
            with suppress(UhliveClientError):
                await self._say_leave(self._core.timeout)
            raise
        except BaseException:
            await self.leave()
            raise
        await self.leave()
        return report

    def play(self, chunks: Chunks, *, rate: float = 1.0) -> None:
        """`stream_and_leave` in the background, while this call is iterated.

        What goes wrong is raised by the iteration, after the last event.

        Raises:
            UsageError: something is being played already.
        """
        if self._player is not None:
            raise UsageError("this call is playing already; a call plays once")
        self._player = asyncio.create_task(self._play(chunks, rate))

    async def _play(self, chunks: Chunks, rate: float) -> None:
        try:
            await self.stream_and_leave(chunks, rate=rate)
        except Exception as failure:  # noqa: BLE001 - carried to the iteration, where the caller is
            self._player_failure = failure
            if self._core.speaking:
                self._core.give_up(failure)  # it could not even say that we leave

    async def leave(self) -> None:
        """Say that we leave, if nobody has, and wait for the last word. The events are kept for the iteration.

        Raises:
            ChannelCrashed, ConnectionLost: what ended the call before.
            Timeout: the last word does not come.
        """
        while not self._core.over:
            heard = self._core.frames_heard
            await self._line.mended()
            await self._say_leave(self._core.patience(self._line.now()))
            await self._line.advance(heard)

    async def _say_leave(self, within: float) -> None:
        frame = self._core.leave(self._line.now())
        if frame is not None:
            await self._line.send(frame, within)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        """The next event; the iteration ends with our own `speaker_left`, for an observer with `Closed`.

        While we are joined it waits as long as there is silence, and the pings tell whether the
        service is there. Once we are leaving it waits `timeout` for each event.

        Raises:
            ChannelCrashed: the conversation died on the service's side.
            ConnectionLost: the socket closed before the end, or gave no sign of life.
            Timeout: we are leaving, and the end does not come.
            WireError: the service sent something that is not a message; go on iterating if you like.
        """
        while (event := self._core.next_event()) is None:
            if self._core.over:
                await self._played()
                raise StopAsyncIteration
            await self._line.advance(self._core.frames_heard)
        return event

    async def _played(self) -> None:
        if self._player is not None:
            await asyncio.wait({self._player}, timeout=self._core.timeout)
        if self._player_failure is not None:
            failure, self._player_failure = self._player_failure, None
            raise failure

    async def _close(self) -> None:
        """Stop what runs in the background, leave if nobody has, and close."""
        if self._player is not None:
            self._player.cancel()
            await asyncio.wait({self._player})
        await self._line.stop_mending()
        with suppress(UhliveClientError):
            await self._say_leave(self._core.timeout)
        await self._line.close()


async def _each(chunks: Chunks) -> AsyncGenerator[bytes]:
    if isinstance(chunks, AsyncIterable):
        async for chunk in chunks:
            yield chunk
    else:
        for chunk in chunks:
            yield chunk
