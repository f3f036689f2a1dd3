"""The line of a call, for threads: opened, read, lost, mended and closed.

There is no reading thread of ours. `advance` reads, for whoever wants to know what comes next; one reads at a time,
and who has to wait for that wakes up at every frame. A line that is lost and may be mended is mended by a thread of
its own, so that streaming goes on in time.

    lock       what the core knows; held for no longer than it takes to ask or tell it
    sending    for whoever sends sound: frames go out in the order they were made; a rejoin holds it until it is
               answered
    closing    set once the call is over for us: whoever waits for a time to come wakes up
"""

from __future__ import annotations

import threading
import time

from .call_state import Core, Ping, Send, Wait
from .conversation import State
from .errors import ChannelCrashed, ConnectionLost, HandshakeRefused, Timeout, UhliveClientError
from .login import Login
from .transport import BlockingSocket, Door


class Line:
    """What a call is held over."""

    def __init__(self, core: Core, login: Login, door: Door) -> None:
        self.lock = threading.Lock()
        self.sending = threading.Lock()
        self.closing = threading.Event()
        self.now = time.monotonic
        self._core = core
        self._login = login
        self._door = door
        self._socket: BlockingSocket | None = None
        self._reading = threading.Condition()
        self._somebody_reads = False
        self._mender: threading.Thread | None = None

    def open(self) -> None:
        """Open a socket and join.

        Raises:
            UhliveClientError: everything that `Connecting` lists.
        """
        socket = self._socket = self._knock()
        try:
            with self.sending:
                with self.lock:
                    frame = self._core.join(self.now())
                socket.send(frame, self._core.timeout)
                while self._core.conversation.state is State.JOINING:
                    self._turn(socket)
        except UhliveClientError:
            self._hang_up()
            raise

    def send(self, frame: str | bytes, within: float) -> None:
        """Send a frame, unless the line is lost meanwhile and will be mended.

        Raises:
            UhliveClientError: what ended the call.
        """
        socket = self._open_socket()
        if socket is not None:
            try:
                socket.send(frame, within)
            except ConnectionLost as loss:
                self._lose(loss, socket)
                self._core.check()

    def advance(self, heard_before: int) -> None:
        """Take one turn, unless somebody else has heard a frame since there were `heard_before`.

        Raises:
            UhliveClientError: what ended the call.
        """
        with self._reading:
            while self._somebody_reads and self._core.frames_heard == heard_before:
                self._reading.wait()
            if self._core.frames_heard != heard_before:
                return
            self._somebody_reads = True
        try:
            self._read(heard_before)
        finally:
            with self._reading:
                self._somebody_reads = False
                self._reading.notify_all()

    def mended(self) -> None:
        """Wait until the line is no longer being mended.

        Raises:
            ConnectionLost: it will never be, for we have gone.
        """
        self._wait_for_mender()
        if self._core.down and self.closing.is_set():
            raise ConnectionLost(None, "it is closed")

    def stop_mending(self) -> None:
        """Mend it no more, now or later."""
        self.closing.set()
        self._wait_for_mender()

    def close(self) -> None:
        """Close the socket. Does nothing if it is closed."""
        self.stop_mending()
        self._hang_up()

    # --- inside -------------------------------------------------------------------------------------------

    def _read(self, heard_before: int) -> None:
        self.mended()
        if self._core.frames_heard != heard_before:
            return
        socket = self._open_socket()
        if socket is not None:
            try:
                self._turn(socket)
            except (ChannelCrashed, ConnectionLost, Timeout) as loss:
                self._lose(loss, socket)

    def _turn(self, socket: BlockingSocket) -> None:
        clear = socket.clear
        with self.lock:
            step = self._core.turn(self.now(), clear=clear)
        match step:
            case Wait(seconds=seconds):
                try:
                    frame = socket.receive(seconds)
                except TimeoutError:
                    with self.lock:
                        self._core.silent(self.now())
                else:
                    with self.lock:
                        self._core.heard(frame, self.now())
            case Send(frame=frame):
                socket.send(frame, self._core.timeout)
            case Ping():
                is_answered = socket.ping()
                with self.lock:
                    self._core.pinged(is_answered, self.now())

    def _open_socket(self) -> BlockingSocket | None:
        """The socket; `None` while the line is being mended, when it is for whoever mends it."""
        with self.lock:
            self._core.check()
            if self._core.down and not self.closing.is_set():
                return None
            if self._socket is None:
                raise ConnectionLost(None, "it is closed")
            return self._socket

    def _knock(self) -> BlockingSocket:
        try:
            return self._door.open_blocking(self._login.access_token())
        except HandshakeRefused as refusal:
            if not self._login.refused(refusal.status):
                raise
        return self._door.open_blocking(self._login.access_token())

    def _lose(self, loss: UhliveClientError, socket: BlockingSocket) -> None:
        with self.lock:
            if socket is not self._socket:
                return  # it was lost before
            self._core.lost(loss, self.now())
            is_over = self._core.over
            if self._core.down and self._mender is None and not self.closing.is_set():
                mender = threading.Thread(target=self._mend, name="uhlive-mend", daemon=True)
                mender.start()
                self._mender = mender  # from here on it can be waited for
        if not is_over:
            socket.abort()

    def _mend(self) -> None:
        try:
            while self._goes_on_mending():
                self._hang_up()
                with self.lock:
                    delay = self._core.next_delay()
                if delay is not None and not self.closing.wait(delay):
                    self._attempt()
        except Exception as defect:  # noqa: BLE001 - for whoever uses the call
            with self.lock:
                self._core.give_up(defect)
                self._mender = None

    def _goes_on_mending(self) -> bool:
        with self.lock:
            if self._core.down and not self.closing.is_set():
                return True
            self._mender = None
            return False

    def _attempt(self) -> None:
        try:
            self.open()
        except UhliveClientError as problem:
            with self.lock:
                self._core.missed(problem)

    def _wait_for_mender(self) -> None:
        mender = self._mender
        if mender is not None:
            mender.join()

    def _hang_up(self) -> None:
        with self.lock:
            socket, self._socket = self._socket, None
        if socket is not None:
            socket.close()
