"""Where events go: a transcript, JSON lines or subtitles in a file or on stdout, and the terminal beside it.

A terminal is stderr, if that is one. It shows how each stream goes at the bottom and the transcript above it,
unless stdout goes elsewhere: then the transcript went there, and may well come out on the same terminal. What is
written is the same on a terminal and elsewhere.

    --output   stdout      written to     the terminal shows
    no         terminal    the terminal   the transcript (or the JSON lines), and the streams
    no         elsewhere   stdout         the streams
    yes        any         the file       the transcript and the streams

How each stream goes is measured where its chunks pass. A chunk is asked for as soon as the one before it was sent,
so a chunk has been sent when the next is asked for; lead and lag are as in `pacing`.

    Alice ━━━━━━━━━━━━━━╸━━━━━━━━━━  1:02.3 / 2:00.0   lead  0.0 s   lag   0.4 ms
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from ..aio import Chunks, each_chunk
from ..codecs import Codec
from ..events import Event
from ..formats import Captions, json_line, to_srt, to_vtt
from ..pacing import Pacer
from ..transcript import Transcript
from .command import Failure, Format, Misuse

_REDRAWN_S = 0.2
"""How often the rows are drawn again at most, in seconds: more would cost the streams their pace."""


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Report it like any other failure to write; rich would end the program here and now."""
        raise


_SUBTITLES = {Format.SRT: to_srt, Format.VTT: to_vtt}
"""The forms that are written at the end, when all captions are known."""


class Display:
    """A context manager; what can only be written at the end is written when it is left, whatever the reason.

    Args:
        form: what to write.
        path: where to; stdout if None.
        bottom: what to show at the bottom of a terminal.

    Raises:
        Misuse: the file cannot be written.
    """

    def __init__(self, form: Format, path: Path | None, *, bottom: RenderableType | None = None) -> None:
        if path is None and sys.stdout is None:
            raise Misuse("stdout is closed; say where to write with --output")
        self._form = form
        self._where = str(path or "stdout")
        self._file = _opened(path) if path else None
        self._target: TextIO = self._file or sys.stdout
        if isinstance(self._target, TextIOWrapper) and self._file is None:
            self._target.reconfigure(errors="backslashreplace")  # not every stdout can write every letter
        self._screen: Transcript | None = None
        if sys.stderr is not None and sys.stderr.isatty():
            self._screen = Transcript(Console(stderr=True, highlight=False), origin_ms=None, bottom=bottom)
        is_shared = self._screen is not None and path is None and self._target.isatty()
        self._shown_on = self._screen if path is not None or (is_shared and form is not Format.JSONL) else None
        self._captions = Captions()
        self._writes = self._writer(self._screen if is_shared else None)

    def _writer(self, shared: Transcript | None) -> Callable[[Event], None]:
        """What writes an event, where the terminal, if it is `shared`, does not show it anyway."""
        match self._form:
            case Format.TEXT if shared is not None:
                return lambda event: None
            case Format.TEXT:
                return Transcript(_Console(file=self._target, highlight=False), origin_ms=None).show
            case Format.JSONL if shared is not None:
                # What is written beside the rows must go through them, or it would be written over them.
                return lambda event: shared.line(json_line(event))
            case Format.JSONL:
                return lambda event: self._write(json_line(event) + "\n")
            case Format.SRT | Format.VTT:
                return self._captions.add

    def _write(self, text: str) -> None:
        self._target.write(text)
        self._target.flush()

    def __enter__(self) -> Self:
        if self._screen is not None:
            self._screen.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._screen is not None:
            self._screen.__exit__(kind, error, trace)
        try:
            if self._form in _SUBTITLES:
                self._write(_SUBTITLES[self._form](self._captions.in_order()))
            self._close()
        except OSError as problem:
            with suppress(OSError):
                self._close()
            if error is None:  # else that one is reported, and may well be the same
                raise self._unwritable(problem) from None

    def show(self, event: Event) -> None:
        """Write an event, and show it.

        Raises:
            BrokenPipeError: the program that read it is gone.
            Failure: it cannot be written.
        """
        try:
            self._writes(event)
        except OSError as problem:
            raise self._unwritable(problem) from None
        if self._shown_on is not None:
            self._shown_on.show(event)

    def refresh(self) -> None:
        """Draw the bottom again."""
        if self._screen is not None:
            self._screen.refresh()

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()

    def _unwritable(self, problem: OSError) -> Failure | BrokenPipeError:
        if isinstance(problem, BrokenPipeError):
            return problem
        return Failure(f"{self._where}: cannot be written ({problem.strerror})")


def _opened(path: Path) -> TextIO:
    try:
        return path.open("w", encoding="utf-8")
    except OSError as problem:
        raise Misuse(f"{path}: cannot be written ({problem.strerror})") from None


# --- how each stream goes ---------------------------------------------------------------------------------


class Meter:
    """One stream, of so many `seconds` if that is known; `finished` says whether all of it was sent."""

    def __init__(
        self,
        seconds: float | None,
        codec: Codec,
        *,
        rate: float,
        clock: Callable[[], float],
        moved: Callable[[], None],
    ) -> None:
        self.seconds = seconds
        self.pacer: Pacer | None = None
        self.finished = False
        self._width = codec.sample_width
        self._rate = rate
        self._clock = clock
        self._moved = moved

    @property
    def audio_s(self) -> float:
        """Seconds of sound sent so far."""
        return self.pacer.audio_s if self.pacer is not None else 0.0

    async def watch(self, chunks: Chunks) -> AsyncIterator[bytes]:
        """The same chunks, measured."""
        async for chunk in each_chunk(chunks):
            if self.pacer is None:
                self.pacer = Pacer(anchor=self._clock(), rate=self._rate)
            yield chunk
            self.pacer.sent(len(chunk) // self._width, self._clock())
            self._moved()
        self.finished = True


class Meters:
    """The meters of several streams, and the rows that show them.

    Args:
        codec: how all the chunks are coded.
        rate: how many times faster than speech they go out.
        clock: the time in seconds.
    """

    def __init__(self, codec: Codec, *, rate: float, clock: Callable[[], float]) -> None:
        self.rows = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[position]}"),
            TextColumn("lead {task.fields[lead]:>7}", style="green"),
            TextColumn("lag {task.fields[lag]:>9}", style="yellow"),
            auto_refresh=False,
        )
        self.redraw: Callable[[], None] = lambda: None
        self._codec = codec
        self._rate = rate
        self._clock = clock
        self._drawn = clock()
        self._meters: dict[TaskID, Meter] = {}

    def add(self, speaker: str, seconds: float | None) -> Meter:
        """A meter for a speaker's stream, which is so long if that is known."""
        meter = Meter(seconds, self._codec, rate=self._rate, clock=self._clock, moved=self._moved)
        self._meters[self.rows.add_task(speaker, total=seconds, position=_minutes(0.0), lead="", lag="")] = meter
        return meter

    def _moved(self) -> None:
        now = self._clock()
        if now - self._drawn < _REDRAWN_S and not all(meter.finished for meter in self._meters.values()):
            return
        self._drawn = now
        for row, meter in self._meters.items():
            if meter.pacer is not None:
                of = "" if meter.seconds is None else f" / {_minutes(meter.seconds)}"
                self.rows.update(
                    row,
                    completed=meter.audio_s,
                    position=_minutes(meter.audio_s) + of,
                    lead=f"{meter.pacer.lead_s:.1f} s",
                    lag=f"{meter.pacer.lag_s * 1000:.1f} ms",
                )
        self.redraw()


def _minutes(seconds: float) -> str:
    tenths = int(seconds * 10)
    return f"{tenths // 600}:{tenths // 10 % 60:02d}.{tenths % 10}"
