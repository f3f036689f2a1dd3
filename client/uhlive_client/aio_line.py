"""The line of a call, for asyncio: opened, read, lost, mended and closed.

There is no reading task. `advance` reads, for whoever wants to know what comes next; one reads at a time, and who
had to wait for that looks first whether there is anything left to wait for. A line that is lost and may be mended
is mended by a task of its own, so that streaming goes on in time.
"""

from __future__ import annotations

import asyncio

from .call_state import Core, Ping, Send, Wait
from .conversation import State
from .errors import ChannelCrashed, ConnectionLost, HandshakeRefused, Timeout, UhliveClientError
from .login import Login
from .transport import AsyncSocket, Door


class Line:
    """What a call is held over. `sending` is for whoever sends sound; a rejoin holds it until it is answered."""

    def __init__(self, core: Core, login: Login, door: Door) -> None:
        self.sending = asyncio.Lock()
        self.now = asyncio.get_running_loop().time
        self._core = core
        self._login = login
        self._door = door
        self._socket: AsyncSocket | None = None
        self._reading = asyncio.Lock()
        self._mender: asyncio.Task[None] | None = None
        self._closing = False

    async def open(self) -> None:
        """Open a socket and join.

        Raises:
            UhliveClientError: everything that `Connecting` lists.
        """
        socket = self._socket = await self._knock()
        try:
            async with self.sending:
                await socket.send(self._core.join(self.now()), self._core.timeout)
                while self._core.conversation.state is State.JOINING:
                    await self._turn(socket)
        except UhliveClientError:
            await self._hang_up()
            raise

    async def send(self, frame: str | bytes, within: float) -> None:
        """Send a frame, unless the line is lost meanwhile and will be mended.

        Raises:
            UhliveClientError: what ended the call.
        """
        socket = self._open_socket()
        try:
            await socket.send(frame, within)
        except ConnectionLost as loss:
            self._lose(loss, socket)
            self._core.check()

    async def advance(self, heard_before: int) -> None:
        """Take one turn, unless somebody else has heard a frame since there were `heard_before`.

        Raises:
            UhliveClientError: what ended the call.
        """
        async with self._reading:
            await self.mended()
            if self._core.frames_heard != heard_before:
                return
            self._core.check()
            socket = self._open_socket()
            try:
                await self._turn(socket)
            except (ChannelCrashed, ConnectionLost, Timeout) as loss:
                self._lose(loss, socket)

    async def mended(self) -> None:
        """Wait until the line is no longer being mended.

        Raises:
            ConnectionLost: it will never be, for we have gone.
        """
        if self._mender is not None:
            await asyncio.wait({self._mender})
        if self._core.down and self._closing:
            raise ConnectionLost(None, "it is closed")

    async def stop_mending(self) -> None:
        """Mend it no more, now or later."""
        self._closing = True
        if self._mender is not None:
            self._mender.cancel()
            await asyncio.wait({self._mender})

    async def close(self) -> None:
        """Close the socket. Does nothing if it is closed."""
        await self.stop_mending()
        await self._hang_up()

    # --- inside -------------------------------------------------------------------------------------------

    async def _turn(self, socket: AsyncSocket) -> None:
        match self._core.turn(self.now(), clear=socket.clear):
            case Wait(seconds=seconds):
                try:
                    frame = await socket.receive(seconds)
                except TimeoutError:
                    self._core.silent(self.now())
                else:
                    self._core.heard(frame, self.now())
            case Send(frame=frame):
                await socket.send(frame, self._core.timeout)
            case Ping():
                self._core.pinged(await socket.ping(), self.now())

    def _open_socket(self) -> AsyncSocket:
        if self._socket is None:
            raise ConnectionLost(None, "it is closed")
        return self._socket

    async def _knock(self) -> AsyncSocket:
        try:
            return await self._door.open(await asyncio.to_thread(self._login.access_token))
        except HandshakeRefused as refusal:
            if not self._login.refused(refusal.status):
                raise
        return await self._door.open(await asyncio.to_thread(self._login.access_token))

    def _lose(self, loss: UhliveClientError, socket: AsyncSocket) -> None:
        if socket is not self._socket:
            return  # it was lost before
        self._core.lost(loss, self.now())
        if not self._core.over:
            socket.abort()
        if self._core.down and self._mender is None and not self._closing:
            self._mender = asyncio.create_task(self._mend())

    async def _mend(self) -> None:
        try:
            await self._hang_up()
            while (delay := self._core.next_delay()) is not None:
                await asyncio.sleep(delay)
                try:
                    await self.open()
                except UhliveClientError as problem:
                    self._core.missed(problem)
        except Exception as defect:  # noqa: BLE001 - for whoever uses the call
            self._core.give_up(defect)
        self._mender = None

    async def _hang_up(self) -> None:
        socket, self._socket = self._socket, None
        if socket is not None:
            await socket.close()
