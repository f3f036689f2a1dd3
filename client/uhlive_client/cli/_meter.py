"""How far each stream is, measured where its chunks pass, and the rows that show it.

    Alice ━━━━━━━━━━━━━━╸━━━━━━━━━━  1:02.3 / 2:00.0   lead  0.0 s   lag   0.4 ms

A chunk is asked for as soon as the one before it was sent, so the passing of chunks tells when they were sent. Lead
and lag are those of `pacing`.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable

from rich.progress import BarColumn, Progress, TaskID, TextColumn

from ..aio import Chunks
from ..codecs import Codec
from ..pacing import Pacer

_REDRAWN_S = 0.2
"""How often the rows are drawn again at most, in seconds: more would cost the streams their pace."""


class Meter:
    """One stream. `audio_s` is the sound sent so far, `finished` whether that is all there was."""

    def __init__(self, codec: Codec, *, rate: float, clock: Callable[[], float], moved: Callable[[], None]) -> None:
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
        async for chunk in _each(chunks):
            if self.pacer is None:
                self.pacer = Pacer(anchor=self._clock(), rate=self._rate)
            yield chunk
            self.pacer.sent(len(chunk) // self._width, self._clock())
            self._moved()
        self.finished = True


async def _each(chunks: Chunks) -> AsyncIterator[bytes]:
    if isinstance(chunks, AsyncIterable):
        async for chunk in chunks:
            yield chunk
    else:
        for chunk in chunks:
            yield chunk


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
        self._lengths: dict[TaskID, float | None] = {}
        self._meters: dict[TaskID, Meter] = {}

    def add(self, speaker: str, seconds: float | None) -> Meter:
        """A meter for a speaker's stream, which is so long if that is known."""
        meter = Meter(self._codec, rate=self._rate, clock=self._clock, moved=self._moved)
        row = self.rows.add_task(speaker, total=seconds, position=_clock(0.0), lead="", lag="")
        self._meters[row], self._lengths[row] = meter, seconds
        return meter

    def _moved(self) -> None:
        now = self._clock()
        done = all(meter.finished for meter in self._meters.values())
        if now - self._drawn < _REDRAWN_S and not done:
            return
        self._drawn = now
        for row, meter in self._meters.items():
            if meter.pacer is not None:
                seconds = self._lengths[row]
                of = "" if seconds is None else f" / {_clock(seconds)}"
                self.rows.update(
                    row,
                    completed=meter.audio_s,
                    position=_clock(meter.audio_s) + of,
                    lead=f"{meter.pacer.lead_s:.1f} s",
                    lag=f"{meter.pacer.lag_s * 1000:.1f} ms",
                )
        self.redraw()


def _clock(seconds: float) -> str:
    tenths = int(seconds * 10)
    return f"{tenths // 600}:{tenths // 10 % 60:02d}.{tenths % 10}"
