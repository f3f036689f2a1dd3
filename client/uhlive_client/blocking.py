"""The client for threads: the same as `aio`, without asyncio.

    with connect(conversation="conv1", speaker="Alice") as call:
        call.play(read_audio("hello.wav"))
        for event in call:
            print(event)

What a call is stands in `core`; here is only its I/O.

Theory of operation. Whoever iterates, or leaves, reads the line (`blocking_line`), one frame a turn, into the
core's queue. `play` is the only thread a call owns: it streams, leaves, and keeps what went wrong for the iteration
to raise once the last word has been read. Any other thread may use the call as well, to send or to leave. Leaving
the context stops the thread, says `phx_leave` if nobody has, and closes. A thread cannot be made to give up a
source that keeps it waiting: one that does is left behind after `timeout`, a daemon.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from contextlib import suppress
from math import inf
from types import TracebackType
from typing import Self

from .blocking_line import Line
from .call_state import Core
from .codecs import SAMPLE_RATE
from .connecting import Connecting
from .conversation import Conversation
from .errors import UhliveClientError, UsageError
from .events import Event
from .pacing import Pacer, PacingReport

_TURN_S = 0.5
"""How long who leaves waits for somebody who is sending, before taking a turn at reading."""


class connect(Connecting):
    __doc__ = Connecting.__doc__

    def __enter__(self) -> Call:
        core = self._core()
        line = Line(core, self._login(), self._door())
        try:
            line.open()
        except BaseException:
            line.close()
            raise
        self._call = Call(core, line)
        return self._call

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._call._close()


class Call:
    """A joined conversation. Made by `connect`; iterate it for the events.

    `pacing` is the report of the last stream that ended.
    """

    def __init__(self, core: Core, line: Line) -> None:
        self.pacing: PacingReport | None = None
        self._core = core
        self._line = line
        self._player: threading.Thread | None = None
        self._player_failure: Exception | None = None

    @property
    def conversation(self) -> Conversation:
        """The state machine of our stay. Look at it; using it is for the call."""
        return self._core.conversation

    @property
    def joined(self) -> bool:
        """Whether we are in the conversation now: not leaving, not gone, and the line is not lost."""
        return self._core.speaking and not self._core.down

    def send(self, chunk: bytes) -> None:
        """Send one chunk of audio now, in the codec of the join; the pace is the caller's affair.

        While a lost line is being mended the chunk is dropped, and counted in `Reconnected.lost_audio_s`.

        Raises:
            ChannelCrashed, ConnectionLost: what ended the call.
            UsageError: we have left, are an observer, or the chunk is over 64 kB.
        """
        self._offer(chunk)

    def _offer(self, chunk: bytes, due: float = inf) -> bool:
        """Send a chunk that is due then, unless it is lost in a gap; whether it was sent."""
        while True:
            with self._line.sending:
                with self._line.lock:
                    keeps = self._core.keeps(due)
                    now = self._line.now()
                    frame = None if keeps else self._core.audio(chunk, now)
                    patience = self._core.patience(now)
                if frame is not None:
                    self._line.send(frame, patience)
                if not keeps:
                    return frame is not None
            self._line.mended()

    def stream(self, chunks: Iterable[bytes], *, rate: float = 1.0) -> PacingReport:
        """Send chunks at the pace of speech, `rate` times faster, and wait until the last has been spoken.

        Stops early, without error, when the conversation ends meanwhile; the events say why. While a lost line
        is being mended, what comes due is dropped.

        Raises:
            ChannelCrashed, ConnectionLost: what ended the call.
            UsageError: not joined, or an observer.
            ValueError: `rate` is not positive.
        """
        with self._line.lock:
            self._core.ready_to_stream()
        width = self.conversation.options.audio_codec.sample_width
        now, wait_for = self._line.now, self._line.closing.wait
        pacer = Pacer(anchor=now(), rate=rate)
        began = False
        try:
            for chunk in chunks:
                if not began:
                    # The anchor is when the first chunk is there to be sent, not when it was asked for.
                    pacer, began = Pacer(anchor=now(), rate=rate), True
                wait_for(pacer.due - now())
                if not self._goes_on():
                    break
                samples = len(chunk) // width
                try:
                    if self._offer(chunk, pacer.due):
                        pacer.sent(samples, now())
                    else:  # the time goes on without it
                        pacer.anchor += samples / SAMPLE_RATE / rate
                except UsageError:
                    if self._goes_on():
                        raise
                    break  # the stay has just ended
            else:
                wait_for(pacer.due - now())
        finally:
            self.pacing = pacer.report(now())
        return self.pacing

    def _goes_on(self) -> bool:
        with self._line.lock:
            if not self._core.speaking:
                self._core.check()
            return self._core.speaking and not self._line.closing.is_set()

    def stream_and_leave(self, chunks: Iterable[bytes], *, rate: float = 1.0) -> PacingReport:
        """`stream`, then `leave`, whatever happens: the transcript of what was sent is still to come."""
        try:
            return self.stream(chunks, rate=rate)
        finally:
            self.leave()

    def play(self, chunks: Iterable[bytes], *, rate: float = 1.0) -> None:
        """`stream_and_leave` in a thread, while this call is iterated.

        What goes wrong is raised by the iteration, after the last event.

        Raises:
            UsageError: something is being played already.
        """
        if self._player is not None:
            raise UsageError("this call is playing already; a call plays once")
        self._player = threading.Thread(target=self._play, args=(chunks, rate), name="uhlive-play", daemon=True)
        self._player.start()

    def _play(self, chunks: Iterable[bytes], rate: float) -> None:
        try:
            self.stream_and_leave(chunks, rate=rate)
        except Exception as failure:  # noqa: BLE001 - carried to the iteration, where the caller is
            self._player_failure = failure
            if self._core.speaking and not self._line.closing.is_set():
                with self._line.lock:
                    self._core.give_up(failure)  # it could not even say that we leave

    def leave(self) -> None:
        """Say that we leave, if nobody has, and wait for the last word. The events are kept for the iteration.

        Raises:
            ChannelCrashed, ConnectionLost: what ended the call before.
            Timeout: the last word does not come.
        """
        while not (self._core.over or self._line.closing.is_set()):
            heard = self._core.frames_heard
            self._line.mended()
            self._say_leave(self._core.patience(self._line.now()))
            if not self._line.closing.is_set():
                self._line.advance(heard)

    def _say_leave(self, within: float) -> None:
        if not self._line.sending.acquire(timeout=_TURN_S):
            return
        try:
            with self._line.lock:
                frame = self._core.leave(self._line.now())
            if frame is not None:
                self._line.send(frame, within)
        finally:
            self._line.sending.release()

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
        while True:
            with self._line.lock:
                heard = self._core.frames_heard
                event = self._core.next_event()
                over = self._core.over
            if event is not None:
                return event
            if over:
                self._played()
                raise StopIteration
            self._line.advance(heard)

    def _played(self) -> None:
        if self._player is not None:
            self._player.join(self._core.timeout)
        if self._player_failure is not None:
            failure, self._player_failure = self._player_failure, None
            raise failure

    def _close(self) -> None:
        """Stop what runs in the background, leave if nobody has, and close."""
        self._line.closing.set()
        if self._player is not None and self._core.speaking:
            self._player.join(self._core.timeout)  # it stops by itself, unless it is kept waiting
        self._line.stop_mending()
        with suppress(UhliveClientError):
            self._say_leave(self._core.timeout)
        self._line.close()
        if self._player is not None:
            self._player.join(self._core.timeout)
