"""Several speakers in one conversation, who come, stream and leave together.

Rules.

- Nobody streams before everybody has joined, so that their times can be compared.
- Everybody hears everything, so an event is taken from one call only: what a speaker of ours says from its own,
  anything else from the first call that is there and whose line is up. What is told while a line breaks, before we
  know that it has, may come twice or not at all.
- When one fails, and when `end` is called, the others leave and still get their last words; those who have not
  joined yet go away. The first failure is the one that counts.
- A stay that the service ends before the sound has ended is a failure too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, suppress

from ..aio import Call
from ..errors import UhliveClientError
from ..events import Closed, Event, Reconnected, Reply, SpeakerLeft
from ..pacing import PacingReport
from ._meter import Meter
from ._parts import Part
from .ending import Failure

Connect = Callable[[str], AbstractAsyncContextManager[Call]]
"""Joins as the speaker of that name."""


class Party:
    """The speakers of one command.

    Args:
        parts: who they are and what they stream.
        meters: where each one's chunks are measured, in the same order.
        connect: how to join.
        show: what takes the events.
        rate: how many times faster than speech they stream.
    """

    def __init__(
        self,
        parts: Sequence[Part],
        meters: Sequence[Meter],
        *,
        connect: Connect,
        show: Callable[[Event], None],
        rate: float,
    ) -> None:
        self._parts = parts
        self._meters = dict(zip((part.speaker for part in parts), meters, strict=True))
        self._connect = connect
        self._show = show
        self._rate = rate
        self._all_joined = asyncio.Event()
        self._ending = False
        self._calls: dict[str, Call] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._farewells: set[asyncio.Task[None]] = set()
        self._reports: dict[str, PacingReport | None] = {}
        self._failure: Exception | None = None

    async def go(self) -> dict[str, PacingReport | None]:
        """Stream everything; how each stream went, by speaker.

        Raises:
            Failure: a speaker failed; the sentence says which, when there are several.
        """
        self._tasks = {part.speaker: asyncio.create_task(self._attend(part)) for part in self._parts}
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
        """Let everybody leave; who has not joined yet goes away."""
        if self._ending:
            return
        self._ending = True
        self._all_joined.set()
        for part in self._parts:
            task = self._tasks[part.speaker]
            if (call := self._calls.get(part.speaker)) is not None:
                part.close()
                self._spawn(_leave(call))
            elif task is not asyncio.current_task():
                task.cancel()

    async def _attend(self, part: Part) -> None:
        name, meter = part.speaker, self._meters[part.speaker]
        try:
            async with self._connect(name) as call:
                self._calls[name] = call
                if len(self._calls) == len(self._parts):
                    self._all_joined.set()
                await self._all_joined.wait()
                if not self._ending:
                    call.play(meter.watch(part.chunks), rate=self._rate)
                async for event in call:
                    if isinstance(event, SpeakerLeft) and event.speaker == name:
                        part.close()
                    if self._tells(name, event):
                        self._show(event)
            if not meter.finished and not self._ending:
                raise UhliveClientError(f"the service ended the stay after {meter.audio_s:.1f} s of sound")
        except Exception as failure:  # noqa: BLE001 - raised by `go`, when the others have left
            self._fail(name, failure)
        finally:
            part.close()
            self._reports[name] = self._calls[name].pacing if name in self._calls else None
            self._calls.pop(name, None)

    def _tells(self, name: str, event: Event) -> bool:
        """Whether this event is to be taken from this speaker's call."""
        if isinstance(event, Reply | Closed | Reconnected):
            return True
        who = getattr(event, "speaker", None)
        if who in self._meters:
            return bool(who == name)
        there = [each for each, call in self._calls.items() if call.joined] or list(self._calls)
        return name == there[0]

    def _fail(self, name: str, failure: Exception) -> None:
        if self._failure is None:
            self._failure = failure
            if isinstance(failure, UhliveClientError) and len(self._parts) > 1:
                self._failure = Failure(f"{name}: {failure}")
        self.end()

    def _spawn(self, farewell: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(farewell)
        self._farewells.add(task)
        task.add_done_callback(self._farewells.discard)


async def _leave(call: Call) -> None:
    with suppress(UhliveClientError):  # the iteration will say so
        await call.leave()
