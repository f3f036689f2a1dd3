"""The client for asyncio: a token, a socket, a join, and then audio one way and events the other.

    async with connect(conversation="conv1", speaker="Alice") as call:
        call.play(read_audio("hello.wav"))
        async for event in call:
            print(event)

`blocking` is the same without asyncio, under the same names, on top of this. `call_state` says what a call is, and
`transport` holds its connection; here are the caller's verbs.

Theory of operation. The task that iterates, or leaves, reads the link, one frame a turn, into the queue of the
call's state. `play` is the only task that a call owns: it streams, leaves, and keeps what went wrong for the
iteration to raise once the last word has been read. Leaving the context cancels it, says `phx_leave` if that has
not been said, and closes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Iterable
from contextlib import aclosing, suppress
from functools import partial
from math import inf
from os import PathLike
from types import TracebackType
from typing import Self

from .call_state import CallState
from .codecs import SAMPLE_RATE, Codec
from .conversation import Conversation, JoinOptions
from .errors import ConfigurationError, UhliveClientError, UsageError
from .events import Event
from .login import Login
from .pacing import Pacer, PacingReport
from .settings import LONGEST_S, Reconnect, Settings
from .transport import Connector, Link
from .wire import Framing

Chunks = Iterable[bytes] | AsyncIterable[bytes]

_TICK_S = 0.001


class Connecting:
    """Join a conversation; a context manager, and the call is over when the context is left.

    What is not given comes from the environment, read now; see `settings`. The join options are those of
    `JoinOptions`.

    Args:
        conversation: its name; all who use the same name meet in it.
        timeout: seconds to wait for each answer: the token, the socket, the join, a sign of life and, once we
            are leaving, each of the last events; also for a frame to be sent. Sound sent faster than speech
            may take as long as it lasts on top of that.
        ping_interval: seconds of silence after which to ping; `None` for never. D: the service closes a socket
            that sends nothing for 60 s, and any ping counts.
        heartbeat: seconds from one Phoenix heartbeat to the next, while the call is iterated; `None` for none.
            Only for a way to the service that lets no pings through.
        reconnect: what to do about a connection that is lost in mid-call; `True` for the defaults of `Reconnect`,
            `False` to raise. Where it fails, what is raised is the loss itself.
        token: an access token we already have; another is asked for when it has expired and the settings allow.

    Raises:
        AuthenticationError: no token.
        ConfigurationError: a setting is missing or cannot be used.
        HandshakeRefused: no socket.
        JoinRefused: no conversation.
        ChannelCrashed, ConnectionLost: no answer to the join, but an end.
        Unreachable: nothing answers.
        Timeout: an answer did not come in time.
        ValueError: an `audio_codec` or a `framing` that does not exist.
    """

    def __init__(
        self,
        *,
        conversation: str,
        speaker: str,
        model: str = "fr",
        country: str = "fr",
        interim_results: bool = True,
        rescoring: bool = True,
        origin: int = 0,
        audio_codec: Codec | str = Codec.LINEAR,
        readonly: bool = False,
        framing: Framing | str = Framing.VSN2,
        timeout: float = 10.0,
        ping_interval: float | None = 20.0,
        heartbeat: float | None = None,
        reconnect: Reconnect | bool = False,
        client_id: str | None = None,
        client_secret: str | None = None,
        user: str | None = None,
        password: str | None = None,
        token: str | None = None,
        auth_server: str | None = None,
        realm: str | None = None,
        url: str | None = None,
        ca_file: str | PathLike[str] | None = None,
    ) -> None:
        for name, seconds in (("timeout", timeout), ("ping_interval", ping_interval), ("heartbeat", heartbeat)):
            if seconds is not None and not 0 < seconds <= LONGEST_S:
                raise ConfigurationError(f"{name} is {seconds}; expected more than 0 and at most {LONGEST_S}")
        settings = Settings.read(
            client_id=client_id,
            client_secret=client_secret,
            user=user,
            password=password,
            auth_server=auth_server,
            realm=realm,
            url=url,
            ca_file=ca_file,
        )
        options = JoinOptions(
            readonly=readonly,
            speaker=speaker,
            model=model,
            country=country,
            interim_results=interim_results,
            rescoring=rescoring,
            origin=origin,
            audio_codec=Codec(audio_codec),
        )
        self._state = partial(
            CallState,
            settings.client_id,
            conversation,
            options,
            framing=Framing(framing),
            timeout=timeout,
            ping_interval=ping_interval,
            heartbeat=heartbeat,
            reconnect=Reconnect() if reconnect is True else reconnect or None,
        )
        self._login = partial(Login, settings, token=token, timeout=timeout)
        self._connector = Connector(
            settings=settings, framing=Framing(framing), timeout=timeout, ping_interval=ping_interval
        )

    async def _open(self) -> Call:
        state = self._state()
        link = Link(state, self._login(), self._connector)
        try:
            await link.open()
        except BaseException:
            await link.close()
            raise
        return Call(state, link)


class connect(Connecting):
    __doc__ = Connecting.__doc__

    async def __aenter__(self) -> Call:
        self._call = await self._open()
        return self._call

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._call._close()


class Call:
    """A joined conversation. Made by `connect`; iterate it for the events.

    `pacing` is the report of the last stream that ended.
    """

    pacing: PacingReport | None = None

    def __init__(self, state: CallState, link: Link) -> None:
        self._state = state
        self._link = link
        self._player: asyncio.Task[None] | None = None
        self._player_failure: Exception | None = None

    @property
    def conversation(self) -> Conversation:
        """The state machine of our stay."""
        return self._state.conversation

    @property
    def joined(self) -> bool:
        """Whether we are in the conversation now: not leaving, not gone, and the connection is not lost."""
        return self._state.speaking and not self._state.down

    async def send(self, chunk: bytes) -> None:
        """Send one chunk of audio now, in the codec of the join; the pace is the caller's affair.

        While a lost connection is being replaced the chunk is dropped, and counted in `Reconnected.lost_audio_s`.

        Raises:
            ChannelCrashed, ConnectionLost: what ended the call.
            UsageError: we have left, are an observer, or the chunk is over 64 kB.
        """
        await self._offer(chunk)

    async def _offer(self, chunk: bytes, due: float = inf) -> bool:
        """Send a chunk that is due then, unless it is lost in a gap; whether it was sent."""
        while True:
            async with self._link.sending:
                if not self._state.keeps(due):
                    now = self._link.now()
                    frame = self._state.audio(chunk, now)
                    if frame is None:
                        return False
                    await self._link.send(frame, self._state.patience(now))
                    return True
            await self._link.reconnected()

    async def stream(self, chunks: Chunks, *, rate: float = 1.0) -> PacingReport:
        """Send chunks at the pace of speech, `rate` times faster, and wait until the last has been spoken.

        Stops early, without error, when the conversation ends meanwhile; the events say why. While a lost
        connection is being replaced, what comes due is dropped.

        Raises:
            ChannelCrashed, ConnectionLost: what ended the call.
            UsageError: not joined, or an observer.
            ValueError: `rate` is not positive.
        """
        self._state.ready_to_stream()
        width = self.conversation.options.audio_codec.sample_width
        now = self._link.now
        pacer = Pacer(anchor=now(), rate=rate)
        began = False
        async with aclosing(each_chunk(chunks)) as each:
            try:
                async for chunk in each:
                    if not began:
                        # The anchor is when the first chunk is there to be sent, not when it was asked for.
                        pacer, began = Pacer(anchor=now(), rate=rate), True
                    await self._until(pacer.due)
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
                    await self._until(pacer.due)
            finally:
                self.pacing = pacer.report(now())
        return self.pacing

    async def _until(self, due: float) -> None:
        # A loop that waits with epoll sleeps whole milliseconds, rounded up; so the last one is spent in its turns.
        now = self._link.now
        await asyncio.sleep(due - now() - _TICK_S)
        while now() < due:
            await asyncio.sleep(0)

    def _goes_on(self) -> bool:
        if not self._state.speaking:
            self._state.check()
        return self._state.speaking

    async def stream_and_leave(self, chunks: Chunks, *, rate: float = 1.0) -> PacingReport:
        """`stream`, then `leave`, whatever happens: the transcript of what was sent is still to come.

        When it is cancelled it says that we leave, and waits for nothing.
        """
        try:
            report = await self.stream(chunks, rate=rate)
        except asyncio.CancelledError:
            with suppress(UhliveClientError):
                await self._say_leave(self._state.timeout)
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
        self._start_playing(chunks, rate)

    def _start_playing(self, chunks: Chunks, rate: float) -> asyncio.Task[None]:
        if self._player is not None:
            raise UsageError("this call is playing already; a call plays once")
        self._player = asyncio.create_task(self._play(chunks, rate))
        return self._player

    async def _play(self, chunks: Chunks, rate: float) -> None:
        try:
            await self.stream_and_leave(chunks, rate=rate)
        except Exception as failure:  # noqa: BLE001 - carried to the iteration, where the caller is
            self._player_failure = failure
            if self._state.speaking:
                self._state.give_up(failure)  # it could not even say that we leave

    async def leave(self) -> None:
        """Say that we leave, unless that was said, and wait for the last word. The events are kept for iterating.

        Raises:
            ChannelCrashed, ConnectionLost: what ended the call before.
            Timeout: the last word does not come.
        """
        while not self._state.over:
            heard = self._state.frames_heard
            await self._link.reconnected()
            await self._say_leave(self._state.patience(self._link.now()))
            await self._link.advance(heard)

    async def _say_leave(self, within: float) -> None:
        frame = self._state.leave(self._link.now())
        if frame is not None:
            await self._link.send(frame, within)

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
        while (event := self._state.next_event()) is None:
            if self._state.over:
                await self._played()
                raise StopAsyncIteration
            await self._link.advance(self._state.frames_heard)
        return event

    async def _played(self) -> None:
        if self._player is not None and not self._player.done():
            await asyncio.wait({self._player}, timeout=self._state.timeout)
        if self._player_failure is not None:
            failure, self._player_failure = self._player_failure, None
            raise failure

    async def _close(self) -> None:
        """Stop what runs in the background, leave unless that was said, and close."""
        if self._player is not None:
            self._player.cancel()
            await asyncio.wait({self._player})
        await self._link.stop_reconnecting()
        with suppress(UhliveClientError):
            await self._say_leave(self._state.timeout)
        await self._link.close()


async def each_chunk(chunks: Chunks) -> AsyncGenerator[bytes]:
    """The chunks of an iterable of either kind."""
    if isinstance(chunks, AsyncIterable):
        async for chunk in chunks:
            yield chunk
    else:
        for chunk in chunks:
            yield chunk
