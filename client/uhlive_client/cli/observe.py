"""`observe`: what is said in a conversation, without saying anything."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import click

from ..aio import Call, connect
from ..errors import UhliveClientError
from ..events import Event, SpeakerLeft
from .display import Display
from .ending import Interruption, run
from .options import Account, Place, Writing, a_number, account_options, place_options, writing_options


@click.command()
@click.option("--speaker", default="observer", show_default=True, help="Our name; nobody is told.")
@click.option(
    "--for",
    "seconds",
    metavar="SECONDS",
    type=click.FloatRange(min=0, min_open=True),
    callback=a_number,
    help="Leave after so long, whoever is still there.",
)
@place_options
@writing_options
@account_options
def observe(*, speaker: str, seconds: float | None, place: Place, writing: Writing, account: Account) -> None:
    """Print what is said in a conversation.

    Goes on until everybody we have heard of has left, until Ctrl-C, or --for so many seconds. Who was there before
    us is heard of by what they say.
    """

    async def program(interruption: Interruption) -> None:
        async with connect(**place, **account, speaker=speaker, readonly=True) as call:
            departure = _Departure(call)
            interruption.leaves(departure.begin)
            if seconds is not None:
                asyncio.get_running_loop().call_later(seconds, departure.begin)
            with Display(**writing) as display:
                async for event in call:
                    display.show(event)
                    departure.note(event)

    run(program)


class _Departure:
    """When an observer leaves: when told to, or when nobody is left."""

    def __init__(self, call: Call) -> None:
        self.begun = False
        self._call = call
        self._present: set[str] = set()
        self._leaving: asyncio.Task[None] | None = None

    def note(self, event: Event) -> None:
        """Take note of who is there."""
        who = getattr(event, "speaker", None)
        if not isinstance(who, str):
            return
        if not isinstance(event, SpeakerLeft):
            self._present.add(who)
            return
        self._present.discard(who)
        if not self._present:
            self.begin()

    def begin(self) -> None:
        """Leave, in the background; the iteration ends when it is confirmed."""
        if not self.begun:
            self.begun = True
            self._leaving = asyncio.create_task(self._leave())

    async def _leave(self) -> None:
        with suppress(UhliveClientError):  # the iteration will say so
            await self._call.leave()
