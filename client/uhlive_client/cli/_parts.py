"""Who speaks, and what: files, stdin and the microphone as so many streams with a speaker each.

Streams are in the order of the files, the channels of each in theirs, and the microphone last. The names given go
to them in that order; who gets none is called after the file, and after the channel when there are several.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..aio import Chunks
from ..audio import probe, read_audio, read_channels
from ..codecs import Codec, RawFormat
from ..live_audio import LiveStream
from ..mic import microphone
from ..piped_audio import piped_audio
from .ending import Misuse

STDIN = Path("-")


@dataclass(frozen=True, kw_only=True)
class Part:
    """A speaker and the sound of it; `seconds` is None for sound that comes as it comes."""

    speaker: str
    chunks: Chunks
    seconds: float | None = None

    @property
    def lost_chunks(self) -> int:
        """Chunks that came faster than they could be sent."""
        return self.chunks.lost if isinstance(self.chunks, LiveStream) else 0

    def close(self) -> None:
        """Nobody wants the rest: whoever waits for it is let go."""
        if isinstance(self.chunks, LiveStream):
            self.chunks.close()


@dataclass(frozen=True, kw_only=True)
class Sources:
    """What the arguments name."""

    files: tuple[Path, ...]
    codec: Codec
    chunk_ms: int
    speakers: tuple[str, ...] = ()
    raw: RawFormat | None = None
    split_channels: bool = False
    mic: bool = False
    device: int | str | None = None
    rate: float = field(default=1.0)

    def check(self) -> None:
        """Whether this makes sense, as far as can be told without opening anything.

        Raises:
            Misuse: it does not.
        """
        if not self.files and not self.mic:
            raise Misuse("nothing to stream; give a FILE, - for stdin, or --mic")
        if self.files.count(STDIN) > 1:
            raise Misuse("stdin is given twice; it can be read once")
        if STDIN in self.files and (sys.stdin is None or sys.stdin.isatty()):
            raise Misuse(f"stdin is {'closed' if sys.stdin is None else 'a terminal'}; pipe sound into it")
        if self.mic and self.rate != 1:
            raise Misuse(f"--rate is {self.rate:g}; a microphone keeps the pace of speech, 1")
        if self.device is not None and not self.mic:
            raise Misuse("--device is given without --mic")

    @asynccontextmanager
    async def open(self) -> AsyncIterator[list[Part]]:
        """Everything opened; what is live is closed in the end.

        Raises:
            AudioError: a source is missing, unreadable or empty.
            Misuse: the names do not fit the streams.
        """
        async with AsyncExitStack() as stack:
            parts: list[Part] = []
            for path in self.files:
                parts += await self._piped(stack) if path == STDIN else self._of_file(path)
            if self.mic:
                sound = await stack.enter_async_context(
                    microphone(device=self.device, codec=self.codec, chunk_ms=self.chunk_ms)
                )
                parts.append(Part(speaker="microphone", chunks=sound))
            yield self._named(parts)

    def _of_file(self, path: Path) -> list[Part]:
        seconds = probe(path, raw=self.raw).seconds
        if not self.split_channels:
            chunks = read_audio(path, codec=self.codec, chunk_ms=self.chunk_ms, raw=self.raw)
            return [Part(speaker=path.stem, chunks=chunks, seconds=seconds)]
        channels = read_channels(path, codec=self.codec, chunk_ms=self.chunk_ms, raw=self.raw)
        return _by_channel(path.stem, channels, seconds)

    async def _piped(self, stack: AsyncExitStack) -> list[Part]:
        streams = await stack.enter_async_context(
            piped_audio(
                sys.stdin.fileno(),
                codec=self.codec,
                chunk_ms=self.chunk_ms,
                raw=self.raw,
                split_channels=self.split_channels,
            )
        )
        return _by_channel("stdin", streams, None)

    def _named(self, parts: list[Part]) -> list[Part]:
        if len(self.speakers) > len(parts):
            raise Misuse(f"{len(self.speakers)} speakers for {len(parts)} {_plural('stream', len(parts))}")
        parts = [
            *(replace(part, speaker=name) for part, name in zip(parts, self.speakers, strict=False)),
            *parts[len(self.speakers) :],
        ]
        [(name, count)] = Counter(part.speaker for part in parts).most_common(1)
        if count > 1:
            raise Misuse(f"{count} streams are called {name!r}; give each a --speaker of its own")
        return parts


def _by_channel(name: str, channels: tuple[Chunks, ...], seconds: float | None) -> list[Part]:
    if len(channels) == 1:
        return [Part(speaker=name, chunks=channels[0], seconds=seconds)]
    return [
        Part(speaker=f"{name}-{number}", chunks=chunks, seconds=seconds)
        for number, chunks in enumerate(channels, start=1)
    ]


def _plural(noun: str, count: int) -> str:
    return noun if count == 1 else f"{noun}s"
