"""Where events go: a transcript, JSON lines or subtitles in a file or on stdout, and the terminal beside it.

A terminal is stderr, if that is one. It shows how each stream goes at the bottom and the transcript above it,
unless stdout goes elsewhere: then the transcript went there, and may well come out on the same terminal. What is
written is the same whether somebody watches or not.

    --output   stdout      written to     the terminal shows
    no         terminal    the terminal   the transcript (or the JSON lines), and the streams
    no         elsewhere   stdout         the streams
    yes        any         the file       the transcript and the streams
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self, TextIO

from rich.console import Console, RenderableType

from ..events import Event
from ..formats import Captions, json_line, to_srt, to_vtt
from ..transcript import Transcript
from .ending import Failure, Misuse
from .options import Format


class _Sink(Protocol):
    """Something that takes events, and is told when there are no more."""

    def show(self, event: Event) -> None: ...

    def finish(self) -> None: ...


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Let it be told like any other failure to write; rich would end the program here and now."""
        raise


class _Lines:
    """A transcript that is no terminal's."""

    def __init__(self, target: TextIO) -> None:
        self._target = target
        self._transcript = Transcript(_Console(file=target, highlight=False), origin_ms=None)

    def show(self, event: Event) -> None:
        self._transcript.show(event)
        self._target.flush()

    def finish(self) -> None: ...


class _JsonLines:
    def __init__(self, write_line: Callable[[str], None]) -> None:
        self._write_line = write_line

    def show(self, event: Event) -> None:
        self._write_line(json_line(event))

    def finish(self) -> None: ...


class _Subtitles:
    def __init__(self, target: TextIO, form: Format) -> None:
        self._target = target
        self._write = to_srt if form is Format.SRT else to_vtt
        self._captions = Captions()

    def show(self, event: Event) -> None:
        self._captions.add(event)

    def finish(self) -> None:
        self._target.write(self._write(self._captions.in_order()))
        self._target.flush()


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
        self._where = str(path or "stdout")
        self._file = _opened(path) if path else None
        self._target = self._file or sys.stdout
        if isinstance(self._target, TextIOWrapper) and self._file is None:
            self._target.reconfigure(errors="backslashreplace")  # not every stdout can write every letter
        self._screen: Transcript | None = None
        if sys.stderr is not None and sys.stderr.isatty():
            self._screen = Transcript(Console(stderr=True, highlight=False), origin_ms=None, bottom=bottom)
        is_shared = self._screen is not None and path is None and self._target.isatty()
        shows = path is not None or (is_shared and form is not Format.JSONL)
        self._shown_on = self._screen if shows else None
        self._sink: _Sink | None = None if is_shared and form is Format.TEXT else self._sink_of(form, is_shared)

    def _sink_of(self, form: Format, is_shared: bool) -> _Sink:
        match form:
            case Format.TEXT:
                return _Lines(self._target)
            case Format.JSONL:
                # What is written beside the rows must go through them, or it would be written over them.
                above = self._screen.line if self._screen is not None and is_shared else None
                return _JsonLines(above or self._write_line)
            case Format.SRT | Format.VTT:
                return _Subtitles(self._target, form)

    def _write_line(self, line: str) -> None:
        self._target.write(line + "\n")
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
            if self._sink is not None:
                self._sink.finish()
            self._close()
        except OSError as problem:
            with suppress(OSError):
                self._close()
            if error is None:  # else that one is told, and may well be the same
                raise self._unwritable(problem) from None

    def show(self, event: Event) -> None:
        """Write an event, and show it.

        Raises:
            BrokenPipeError: whoever read it is gone.
            Failure: it cannot be written.
        """
        try:
            if self._sink is not None:
                self._sink.show(event)
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
