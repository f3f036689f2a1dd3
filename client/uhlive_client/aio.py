"""The client for asyncio: a token, a socket, a join, and then audio one way and events the other.

    async with connect(conversation="conv1", speaker="Alice") as call:
        call.play(read_audio("hello.wav"))
        async for event in call:
            print(event)

Theory of operation. There is no reading task: iterating reads the socket, one frame an event, and ends when
the conversation is over. `play` is the only task a call owns: it streams, leaves, and keeps what went
wrong for the iteration to raise once the last word has been read. Leaving the context cancels it, says
`phx_leave` if nobody has, and closes the socket.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable
from contextlib import aclosing, asynccontextmanager, suppress
from os import PathLike
from typing import Self

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from .audio import Codec
from .conversation import Conversation, JoinOptions, State
from .errors import ConnectionLost, Timeout, UsageError
from .events import Event
from .https import fetch_token
from .pacing import Pacer, PacingReport
from .settings import Settings
from .transport import lost, open_socket
from .wire import Framing

Chunks = Iterable[bytes] | AsyncIterable[bytes]


@asynccontextmanager
async def connect(
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
    client_id: str | None = None,
    client_secret: str | None = None,
    user: str | None = None,
    password: str | None = None,
    token: str | None = None,
    auth_server: str | None = None,
    realm: str | None = None,
    url: str | None = None,
    ca_file: str | PathLike[str] | None = None,
) -> AsyncIterator[Call]:
    """Join a conversation; the call is over when the context is left.

    What is not given comes from the environment, see `settings`. The join options are those of
    `JoinOptions`.

    Args:
        conversation: its name; who uses the same one meets in the same conversation.
        timeout: seconds to wait for each answer: the token, the socket, the join, and, once we are
            leaving, each of the last events.
        token: an access token we already have; none is asked for then.

    Raises:
        AuthenticationError: no token.
        ConfigurationError: a setting is missing or cannot be used.
        HandshakeRefused: no socket.
        JoinRefused: no conversation.
        Unreachable: nobody answers.
        Timeout: an answer did not come in time.
        ValueError: an `audio_codec` or a `framing` that does not exist.
    """
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
    stay = Conversation(settings.client_id, conversation, options, framing=Framing(framing))
    if token is None:
        token = (await asyncio.to_thread(fetch_token, settings, timeout=timeout)).access_token
    socket = await open_socket(settings, token, stay.framing, timeout)
    call = Call(socket, stay, timeout=timeout)
    try:
        await call._join()
        yield call
    finally:
        await call._close()


class Call:
    """A joined conversation. Made by `connect`; iterate it for the events.

    `pacing` is the report of the last stream that ended, `conversation` the state machine.
    """

    def __init__(self, socket: ClientConnection, conversation: Conversation, *, timeout: float) -> None:
        self.conversation = conversation
        self.pacing: PacingReport | None = None
        self._socket = socket
        self._timeout = timeout
        self._early: deque[Event] = deque()
        self._player: asyncio.Task[None] | None = None
        self._failure: Exception | None = None
        self._clock = asyncio.get_running_loop().time
        self._patience: asyncio.Timeout | None = None
        self._spoken_until = 0.0

    async def send(self, chunk: bytes) -> None:
        """Send one chunk of audio now, in the codec of the join; the pace is the caller's affair.

        Raises:
            ConnectionLost: the socket is closed.
            UsageError: we have left, or are an observer.
        """
        await self._send(self.conversation.audio(chunk))

    async def stream(self, chunks: Chunks, *, rate: float = 1.0) -> PacingReport:
        """Send chunks at the pace of speech, `rate` times faster, and wait until the last has been spoken.

        Stops early, without error, when the conversation ends meanwhile; the events say why.

        Raises:
            ConnectionLost: the socket closed.
            UsageError: not joined, or an observer.
            ValueError: `rate` is not positive.
        """
        if self.conversation.state is not State.JOINED:
            raise UsageError(f"cannot stream while {self.conversation.state.name.lower()}; expected joined")
        width = self.conversation.options.audio_codec.sample_width
        pacer = Pacer(anchor=self._clock(), rate=rate)
        async with aclosing(_each(chunks)) as each:
            try:
                async for chunk in each:
                    if not pacer.audio_s:
                        # The anchor is when the first chunk is there to be sent, not when it was asked for.
                        pacer = Pacer(anchor=self._clock(), rate=rate)
                    await asyncio.sleep(pacer.due - self._clock())
                    if self.conversation.state is not State.JOINED:
                        break
                    await self.send(chunk)
                    pacer.sent(len(chunk) // width, self._clock())
                else:
                    await asyncio.sleep(pacer.due - self._clock())
            finally:
                self.pacing = pacer.report(self._clock())
                self._spoken_until = pacer.anchor + pacer.audio_s
        return self.pacing

    async def stream_and_leave(self, chunks: Chunks, *, rate: float = 1.0) -> PacingReport:
        """`stream`, then `leave`, whatever happens: the transcript of what was sent is still to come."""
        try:
            return await self.stream(chunks, rate=rate)
        finally:
            await self.leave()

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
            self._failure = failure

    async def leave(self) -> None:
        """Say that we leave, and go on iterating for the last words. Does nothing if we already did.

        Raises:
            ConnectionLost: the socket is closed.
        """
        if self.conversation.state is State.JOINED:
            await self._send(self.conversation.leave())
            if self._patience is not None:
                self._patience.reschedule(self._deadline())

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        """The next event; the iteration ends with our own `speaker_left`, for an observer with `Closed`.

        While we are joined it waits as long as there is silence, and the pings tell whether the
        service is there. Once we are leaving it waits `timeout` for each event.

        Raises:
            ChannelCrashed: the conversation died on the service's side.
            ConnectionLost: the socket closed before the end.
            Timeout: we are leaving, and the end does not come.
            WireError: the service sent something that is not a message.
        """
        if self._early:
            return self._early.popleft()
        while not self.conversation.over:
            event = self.conversation.receive(await self._receive())
            if event is not None:
                return event
        if self._player is not None:
            await asyncio.wait({self._player}, timeout=self._timeout)
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure
        raise StopAsyncIteration

    # --- frames -------------------------------------------------------------------------------------------

    async def _send(self, frame: str | bytes) -> None:
        try:
            await self._socket.send(frame)
        except ConnectionClosed as closed:
            raise lost(closed) from None

    async def _receive(self) -> str | bytes:
        try:
            async with asyncio.timeout_at(self._deadline()) as self._patience:
                return await self._socket.recv()
        except TimeoutError:
            what = f"speaker_left for {self.conversation.speaker}, nor any other event,"
            raise Timeout(what, self._timeout) from None
        except ConnectionClosed as closed:
            raise lost(closed) from None
        finally:
            self._patience = None

    def _deadline(self) -> float | None:
        """Until when to wait for the next frame, on the loop's clock; `None` for as long as it takes."""
        if self.conversation.state is not State.LEAVING:
            return None
        # D: sound sent faster than speech is throttled, so its transcript may take as long as the sound.
        return max(self._clock(), self._spoken_until) + self._timeout

    async def _join(self) -> None:
        await self._send(self.conversation.join())
        try:
            async with asyncio.timeout(self._timeout):
                while True:
                    event = self.conversation.receive(await self._receive())
                    if self.conversation.state is State.JOINED:
                        return
                    if event is not None:
                        self._early.append(event)
        except TimeoutError:
            raise Timeout("answer to the join", self._timeout) from None

    async def _close(self) -> None:
        if self._player is not None:
            self._player.cancel()
            await asyncio.wait({self._player})
        with suppress(ConnectionLost, TimeoutError):
            async with asyncio.timeout(self._timeout):
                await self.leave()
        await self._socket.close()


async def _each(chunks: Chunks) -> AsyncGenerator[bytes]:
    if isinstance(chunks, AsyncIterable):
        async for chunk in chunks:
            yield chunk
    else:
        for chunk in chunks:
            yield chunk
