"""The commands that send no sound: `observe`, what is said in a conversation, and `token`, an access token."""

from __future__ import annotations

import asyncio
import sys

import click

from ..aio import Call, connect
from ..events import Event, SpeakerLeft
from ..login import fetch_token
from ..settings import Settings
from .command import (
    Account,
    Failure,
    Interruption,
    Misuse,
    Place,
    Writing,
    a_number,
    account_options,
    leave,
    place_options,
    run,
    writing_options,
)
from .display import Display


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
            interruption.leave = departure.begin
            if seconds is not None:
                asyncio.get_running_loop().call_later(seconds, departure.begin)
            with Display(**writing) as display:
                async for event in call:
                    display.show(event)
                    departure.note(event)

    run(program)


class _Departure:
    """When an observer leaves: when asked to, or when every speaker has left."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._present: set[str] = set()
        self._leaving: asyncio.Task[None] | None = None

    def note(self, event: Event) -> None:
        """Take note of the speakers that are there."""
        name = getattr(event, "speaker", None)
        if isinstance(event, SpeakerLeft):
            self._present.discard(event.speaker)
            if not self._present:
                self.begin()
        elif isinstance(name, str):
            self._present.add(name)

    def begin(self) -> None:
        """Leave, in the background; the iteration ends when it is confirmed."""
        if self._leaving is None:
            self._leaving = asyncio.create_task(leave(self._call))


@click.command()
@account_options
def token(account: Account) -> None:
    """Print an access token."""

    async def program(_: Interruption) -> str:
        settings = Settings.read(
            client_id=account["client_id"],
            client_secret=account["client_secret"],
            auth_server=account["auth_server"],
            realm=account["realm"],
            ca_file=account["ca_file"],
        )
        return (await asyncio.to_thread(fetch_token, settings, timeout=account["timeout"])).access_token

    printed = run(program)
    if sys.stdout is None:
        raise Misuse("stdout is closed; there is nowhere to print the token")
    try:
        click.echo(printed)
    except BrokenPipeError:
        raise
    except OSError as problem:
        raise Failure(f"stdout: cannot be written ({problem.strerror})") from None
