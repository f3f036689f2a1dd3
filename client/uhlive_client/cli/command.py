"""What every command has: options for the account, the service and the output, and a way to end.

Exit codes: 0 done, 1 it failed (one sentence on stderr), 2 wrong usage or settings, 130 interrupted.

The first Ctrl-C leaves the conversation, and the last words still come; before there is a conversation to leave,
and the second time, the command goes at once.
"""

from __future__ import annotations

import asyncio
import functools
import math
import os
import signal
import sys
from collections.abc import Callable, Collection, Coroutine, Sequence
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import TypedDict, TypeVar

import click

from ..aio import Call
from ..errors import ConfigurationError, UhliveClientError
from ..settings import API_URL, LONGEST_S
from ..token import AUTH_SERVER, REALM
from ..wire import Framing

INTERRUPTED = 130

_GRACE_S = 1.0
"""How long a command that goes at once may take to close files and sockets, in seconds."""

_T = TypeVar("_T")
_Command = Callable[..., None]
_Decorator = Callable[[_Command], _Command]


# --- options ----------------------------------------------------------------------------------------------


class Format(StrEnum):
    """How the transcript is written."""

    TEXT = "text"
    JSONL = "jsonl"
    SRT = "srt"
    VTT = "vtt"


class Account(TypedDict):
    """The account, and where its tokens come from."""

    client_id: str | None
    client_secret: str | None
    auth_server: str | None
    realm: str | None
    ca_file: Path | None
    timeout: float


class Place(TypedDict):
    """Which conversation, and where."""

    conversation: str
    framing: str
    reconnect: bool
    url: str | None


class Writing(TypedDict):
    """Where the transcript goes."""

    form: Format
    path: Path | None


def a_number(_ctx: click.Context, _option: click.Parameter, number: float | None) -> float | None:
    """Refuse what is no number: click lets `nan` pass any range."""
    if number is not None and math.isnan(number):
        raise click.BadParameter("nan is not a number")
    return number


def values(names: type[StrEnum]) -> list[str]:
    """What to choose from. click 8.2 and later would offer the members' names instead."""
    return [member.value for member in names]


_ACCOUNT = (
    click.option("--client-id", help="Account.  [default: $UHLIVE_API_CLIENT]"),
    click.option("--client-secret", help="Its secret.  [default: $UHLIVE_API_SECRET]"),
    click.option("--auth-server", help=f"Token server.  [default: $UHLIVE_AUTH_SERVER or {AUTH_SERVER}]"),
    click.option("--realm", help=f"Its realm.  [default: $UHLIVE_AUTH_REALM or {REALM}]"),
    click.option("--ca-file", type=click.Path(path_type=Path), help="Certificates to trust, in PEM."),
    click.option(
        "--timeout",
        type=click.FloatRange(min=0, min_open=True, max=LONGEST_S),
        callback=a_number,
        default=10.0,
        show_default=True,
        help="Seconds to wait for each answer.",
    ),
)

_PLACE = (
    click.option("--conversation", required=True, help="Name of the conversation."),
    click.option("--framing", type=click.Choice(values(Framing)), default="vsn2", show_default=True),
    click.option("--reconnect", is_flag=True, help="Join again when the line is lost; what is missed is told."),
    click.option("--url", help=f"Where conversations are.  [default: $UHLIVE_API_URL or {API_URL}]"),
)

_WRITING = (
    click.option(
        "--format",
        "form",
        type=click.Choice(values(Format)),
        callback=lambda _ctx, _option, form: Format(form),
        default="text",
        show_default=True,
        help="Lines as they come, JSON lines as they come, or subtitles at the end.",
    ),
    click.option(
        "--output", "path", type=click.Path(dir_okay=False, path_type=Path), help="A file to write, not stdout."
    ),
)


def _packing(name: str, keys: Collection[str], options: Sequence[_Decorator]) -> _Decorator:
    """What gives a command these options, the values of whose `keys` it takes as one argument of that name."""

    def decorate(command: _Command) -> _Command:
        @functools.wraps(command)
        def packed(**given: object) -> None:
            packet = {key: given.pop(key) for key in keys}
            command(**{name: packet}, **given)

        decorated: _Command = packed
        for option in reversed(options):
            decorated = option(decorated)
        return decorated

    return decorate


account_options = _packing("account", Account.__annotations__, _ACCOUNT)
"""Gives a command an `account`."""

place_options = _packing("place", Place.__annotations__, _PLACE)
"""Gives a command a `place`."""

writing_options = _packing("writing", Writing.__annotations__, _WRITING)
"""Gives a command a `writing`."""


# --- the end ----------------------------------------------------------------------------------------------


class Failure(click.ClickException):
    """One sentence on stderr, exit code 1."""


class Misuse(click.ClickException):
    """One sentence on stderr, exit code 2."""

    exit_code = 2


class Interruption:
    """Ctrl-C, while a command runs. `came` says whether there was one; the first calls `leave`, once it is set."""

    def __init__(self) -> None:
        self.came = False
        self.leave: Callable[[], None] | None = None
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        # Without signals in the loop (Windows, a thread) Ctrl-C cancels the command, which leaves too.
        with suppress(NotImplementedError, RuntimeError):
            self._loop.add_signal_handler(signal.SIGINT, self._interrupt)

    def _interrupt(self) -> None:
        if self.came or self.leave is None:
            if self._task is not None:
                self._task.cancel()
            # A service that does not answer, or a thread that waits for one, is not waited for.
            self._loop.call_later(_GRACE_S, _vanish)
        else:
            self.leave()
        self.came = True


async def leave(call: Call) -> None:
    """Leave a call that is being iterated; what goes wrong, the iteration will say."""
    with suppress(UhliveClientError):
        await call.leave()


def _vanish() -> None:
    for file in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            file.flush()
    os._exit(INTERRUPTED)


def run(program: Callable[[Interruption], Coroutine[None, None, _T]]) -> _T:
    """What a command does, with every way it can end."""

    async def interruptible() -> _T:
        interruption = Interruption()
        outcome = await program(interruption)
        if interruption.came:
            raise KeyboardInterrupt
        return outcome

    try:
        return asyncio.run(interruptible())
    except ConfigurationError as problem:
        raise Misuse(str(problem)) from None
    except UhliveClientError as problem:
        raise Failure(str(problem)) from None
    except (KeyboardInterrupt, asyncio.CancelledError):
        raise click.exceptions.Exit(INTERRUPTED) from None
