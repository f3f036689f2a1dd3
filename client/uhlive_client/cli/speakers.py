"""The speakers of one command: what each of them streams, and how they come, stream and leave together.

Rules of names.

- Streams are in the order of the files, the channels of each in theirs, and the microphone last. The names given go
  to them in that order; a stream that gets none is called after its file, and after its channel if it has several.

Rules of a conversation.

- Streaming begins when all have joined, so that their times can be compared.
- Every call hears everything, so an event is taken from one call only: what a speaker of ours says from its own,
  anything else from the first call that is there and whose connection is up. What is sent while a connection
  breaks, before we know that it has, may come twice or not at all.
- When one fails, and when `end` is called, the others leave and still get their last words; those that have not
  joined yet are cancelled. The first failure is the one that counts.
- A stay that the service ends before the sound has ended is a failure too.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from ..aio import Call, Chunks
from ..audio import probe, read_audio, read_channels
from ..codecs import Codec, RawFormat
from ..errors import AudioError, UhliveClientError
from ..events import Closed, Event, Reconnected, Reply, SpeakerLeft
from ..live_audio import LiveStream, microphone
from ..pacing import PacingReport
from ..piped import piped_audio
from .command import Failure, Misuse, leave
from .display import Meter

STDIN = Path("-")
_STDIN_TOO = Path("/dev/stdin")

Connect = Callable[[str], AbstractAsyncContextManager[Call]]
"""Joins as the speaker of that name."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """A speaker's name and sound; `seconds` is None for sound that comes as it comes."""

    speaker: str
    chunks: Chunks
    seconds: float | None = None

    @property
    def lost_chunks(self) -> int:
        """Chunks that came faster than they could be sent."""
        return self.chunks.lost if isinstance(self.chunks, LiveStream) else 0

    def close(self) -> None:
        """Give up the rest: a task that waits for it is let go."""
        if isinstance(self.chunks, LiveStream):
            self.chunks.close()


@dataclass(frozen=True, kw_only=True)
class SourceOptions:
    """What the arguments say about sources."""

    files: tuple[Path, ...]
    codec: Codec
    chunk_ms: int
    speakers: tuple[str, ...] = ()
    raw: RawFormat | None = None
    split_channels: bool = False
    mic: bool = False
    device: int | str | None = None
    rate: float = 1.0

    def check(self) -> None:
        """Whether this makes sense, as far as can be seen without opening anything.

        Raises:
            Misuse: it does not.
        """
        if not self.files and not self.mic:
            raise Misuse("nothing to stream; give a FILE, - for stdin, or --mic")
        if self.files.count(STDIN) > 1:
            raise Misuse("stdin is given twice; it can be read once")
        pipes = Counter(path.stat()[1:3] for path in self.files if path != STDIN and _is_pipe(path))
        if STDIN in self.files and sys.stdin is not None and pipes:
            pipes[os.fstat(sys.stdin.fileno())[1:3]] += 1
        if any(count > 1 for count in pipes.values()):
            raise Misuse("a pipe is given twice; it can be read once")
        if STDIN in self.files and (sys.stdin is None or sys.stdin.isatty()):
            raise Misuse(f"stdin is {'closed' if sys.stdin is None else 'a terminal'}; pipe sound into it")
        if self.mic and self.rate != 1:
            raise Misuse(f"--rate is {self.rate:g}; a microphone keeps the pace of speech, 1")
        if self.device is not None and not self.mic:
            raise Misuse("--device is given without --mic")

    @asynccontextmanager
    async def open(self) -> AsyncIterator[list[Source]]:
        """Everything opened; what is live is closed in the end.

        Raises:
            AudioError: a source is missing, unreadable or empty.
            Misuse: the names do not fit the streams.
        """
        async with AsyncExitStack() as stack:
            sources: list[Source] = []
            # All pipes are open before one is read: who writes to several may wait until each has a reader.
            pipes = {path: _descriptor(path, stack) for path in self.files if _is_pipe(path)}
            for path in self.files:
                fd = pipes.get(path)
                sources += self._of_file(path) if fd is None else await self._piped(path, fd, stack)
            if self.mic:
                sound = await stack.enter_async_context(
                    microphone(device=self.device, codec=self.codec, chunk_ms=self.chunk_ms)
                )
                sources.append(Source(speaker="microphone", chunks=sound))
            yield self._named(sources)

    def _of_file(self, path: Path) -> list[Source]:
        seconds = probe(path, raw=self.raw).seconds
        if self.split_channels:
            channels = read_channels(path, codec=self.codec, chunk_ms=self.chunk_ms, raw=self.raw)
        else:
            channels = (read_audio(path, codec=self.codec, chunk_ms=self.chunk_ms, raw=self.raw),)
        return _by_channel(path.stem, channels, seconds)

    async def _piped(self, path: Path, fd: int, stack: AsyncExitStack) -> list[Source]:
        streams = await stack.enter_async_context(
            piped_audio(
                fd,
                codec=self.codec,
                chunk_ms=self.chunk_ms,
                raw=self.raw,
                split_channels=self.split_channels,
                name="stdin" if path == STDIN else str(path),
            )
        )
        return _by_channel("stdin" if path == STDIN else path.stem, streams, None)

    def _named(self, sources: list[Source]) -> list[Source]:
        if len(self.speakers) > len(sources):
            streams = "1 stream" if len(sources) == 1 else f"{len(sources)} streams"
            raise Misuse(f"{len(self.speakers)} speakers for {streams}")
        sources = [
            *(replace(source, speaker=name) for source, name in zip(sources, self.speakers, strict=False)),
            *sources[len(self.speakers) :],
        ]
        [(name, count)] = Counter(source.speaker for source in sources).most_common(1)
        if count > 1:
            raise Misuse(f"{count} streams are called {name!r}; give each a --speaker of its own")
        return sources


def _is_pipe(path: Path) -> bool:
    """Whether it can be read once, and from the front only: stdin, a FIFO, `<(a command)`."""
    return path == STDIN or path.is_fifo() or path.is_socket()


def _descriptor(path: Path, stack: AsyncExitStack) -> int:
    if path in (STDIN, _STDIN_TOO):
        return sys.stdin.fileno()
    try:
        # Without waiting for somebody to write to it, which the reader does where it can be told to stop.
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as problem:
        raise AudioError(f"{path}: cannot be read ({problem.strerror})") from None
    stack.callback(os.close, fd)
    return fd


def _by_channel(name: str, channels: tuple[Chunks, ...], seconds: float | None) -> list[Source]:
    if len(channels) == 1:
        return [Source(speaker=name, chunks=channels[0], seconds=seconds)]
    return [
        Source(speaker=f"{name}-{number}", chunks=chunks, seconds=seconds)
        for number, chunks in enumerate(channels, start=1)
    ]


class Speakers:
    """The speakers of one command.

    Args:
        sources: the name and the sound of each.
        meters: where the chunks of each are measured, in the same order.
        connect: how to join.
        show: what takes the events.
        rate: how many times faster than speech they stream.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        meters: Sequence[Meter],
        *,
        connect: Connect,
        show: Callable[[Event], None],
        rate: float,
    ) -> None:
        self._sources = sources
        self._meters = dict(zip((source.speaker for source in sources), meters, strict=True))
        self._connect = connect
        self._show = show
        self._rate = rate
        self._all_joined = asyncio.Event()
        self._ending = False
        self._calls: dict[str, Call] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._reports: dict[str, PacingReport | None] = {}
        self._failure: Exception | None = None

    async def go(self) -> dict[str, PacingReport | None]:
        """Stream everything; how each stream went, by speaker.

        Raises:
            Failure: a speaker failed; the sentence says which, when there are several.
        """
        self._tasks = {source.speaker: asyncio.create_task(self._speak(source)) for source in self._sources}
        try:
            await asyncio.wait(self._tasks.values())
        finally:
            for task in self._tasks.values():
                task.cancel()
            await asyncio.wait(self._tasks.values())
        if self._failure is not None:
            raise self._failure
        return self._reports

    def end(self) -> None:
        """Let all leave; those that have not joined yet are cancelled."""
        if self._ending:
            return
        self._ending = True
        self._all_joined.set()
        for source in self._sources:
            task = self._tasks[source.speaker]
            if (call := self._calls.get(source.speaker)) is not None:
                source.close()
                task = asyncio.create_task(leave(call))
                self._leaving.add(task)
                task.add_done_callback(self._leaving.discard)
            elif task is not asyncio.current_task():
                task.cancel()

    async def _speak(self, source: Source) -> None:
        name, meter = source.speaker, self._meters[source.speaker]
        try:
            async with self._connect(name) as call:
                self._calls[name] = call
                if len(self._calls) == len(self._sources):
                    self._all_joined.set()
                await self._all_joined.wait()
                if not self._ending:
                    call.play(meter.watch(source.chunks), rate=self._rate)
                async for event in call:
                    if isinstance(event, SpeakerLeft) and event.speaker == name:
                        source.close()
                    if self._takes_from(name, event):
                        self._show(event)
            if not meter.finished and not self._ending:
                raise UhliveClientError(f"the service ended the stay after {meter.audio_s:.1f} s of sound")
        except Exception as failure:  # noqa: BLE001 - raised by `go`, when the others have left
            self._fail(name, failure)
        finally:
            source.close()
            self._reports[name] = self._calls[name].pacing if name in self._calls else None
            self._calls.pop(name, None)

    def _takes_from(self, name: str, event: Event) -> bool:
        """Whether this event is to be taken from this speaker's call."""
        if isinstance(event, Reply | Closed | Reconnected):
            return True
        speaker = getattr(event, "speaker", None)
        if speaker in self._meters:
            return bool(speaker == name)
        there = [each for each, call in self._calls.items() if call.joined] or list(self._calls)
        return name == there[0]

    def _fail(self, name: str, failure: Exception) -> None:
        if self._failure is None:
            self._failure = failure
            if isinstance(failure, UhliveClientError) and len(self._sources) > 1:
                self._failure = Failure(f"{name}: {failure}")
        self.end()
