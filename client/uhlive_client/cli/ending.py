"""How a command ends: its exit code, and what Ctrl-C does.

The first Ctrl-C leaves the conversation, and the last words still come; before there is a conversation to leave,
and the second time, the command goes at once.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import TypeVar

import click

from ..errors import ConfigurationError, UhliveClientError

INTERRUPTED = 130

_GRACE_S = 1.0
"""How long one who goes at once may take to close files and sockets, in seconds."""

_T = TypeVar("_T")


class Failure(click.ClickException):
    """One sentence on stderr, exit code 1."""


class Misuse(click.ClickException):
    """One sentence on stderr, exit code 2."""

    exit_code = 2


class Interruption:
    """Ctrl-C, while a command runs. `came` says whether there was one."""

    def __init__(self) -> None:
        self.came = False
        self._leave: Callable[[], None] | None = None
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        # Without signals in the loop (Windows, a thread) Ctrl-C cancels the command, which leaves too.
        with suppress(NotImplementedError, RuntimeError):
            self._loop.add_signal_handler(signal.SIGINT, self._interrupt)

    def leaves(self, leave: Callable[[], None]) -> None:
        """From now on, the first Ctrl-C calls this."""
        self._leave = leave

    def _interrupt(self) -> None:
        if self.came or self._leave is None:
            if self._task is not None:
                self._task.cancel()
            # A service that does not answer, or a thread that waits for one, is not waited for.
            self._loop.call_later(_GRACE_S, _vanish)
        else:
            self._leave()
        self.came = True


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
