"""The `uhlive-client` command: arguments and exit codes, no logic.

Exit codes: 0 done, 1 it failed (one sentence on stderr), 2 wrong usage or settings, 130 interrupted.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import ParamSpec, TypeVar

import click
from rich.console import Console

from .aio import Call, connect
from .audio import Codec, probe, read_audio
from .errors import ConfigurationError, ConnectionLost, UhliveClientError
from .https import fetch_token
from .pacing import PacingReport
from .settings import API_URL, Settings
from .token import AUTH_SERVER, REALM
from .transcript import Transcript
from .wire import Framing

_INTERRUPTED = 130

_P = ParamSpec("_P")
_T = TypeVar("_T")


class _Failure(click.ClickException):
    """One sentence on stderr, exit code 1."""


class _Misuse(click.ClickException):
    """One sentence on stderr, exit code 2."""

    exit_code = 2


_ACCOUNT = (
    click.option("--client-id", help="Account.  [default: $UHLIVE_API_CLIENT]"),
    click.option("--client-secret", help="Its secret.  [default: $UHLIVE_API_SECRET]"),
    click.option("--auth-server", help=f"Token server.  [default: $UHLIVE_AUTH_SERVER or {AUTH_SERVER}]"),
    click.option("--realm", help=f"Its realm.  [default: $UHLIVE_AUTH_REALM or {REALM}]"),
    click.option("--ca-file", type=click.Path(path_type=Path), help="Certificates to trust, in PEM."),
    click.option("--timeout", type=click.FloatRange(min=0, min_open=True), default=10.0, show_default=True),
)


def _values(names: type[StrEnum]) -> list[str]:
    # click 8.2 and later would offer the members' names instead.
    return [member.value for member in names]


def _account(command: Callable[_P, None]) -> Callable[_P, None]:
    for option in reversed(_ACCOUNT):
        command = option(command)
    return command


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """A client of the uh!ive Conversation API."""


@main.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--conversation", required=True, help="Name of the conversation.")
@click.option("--speaker", default="Alice", show_default=True, help="Our name in it.")
@click.option("--model", default="fr", show_default=True, help="Language model.")
@click.option("--country", default="fr", show_default=True, help="Country, by which entities are read.")
@click.option("--codec", type=click.Choice(_values(Codec)), default="linear", show_default=True)
@click.option(
    "--rate",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    show_default=True,
    help="Times the pace of speech; inf for all at once.",
)
@click.option(
    "--chunk-ms", type=click.IntRange(10, 4000), default=100, show_default=True, help="Length of a chunk."
)
@click.option("--no-interim", is_flag=True, help="No transcripts that may still change.")
@click.option("--framing", type=click.Choice(_values(Framing)), default="vsn2", show_default=True)
@click.option("--url", help=f"Where conversations are.  [default: $UHLIVE_API_URL or {API_URL}]")
@_account
def stream(
    file: Path,
    conversation: str,
    speaker: str,
    model: str,
    country: str,
    codec: str,
    rate: float,
    chunk_ms: int,
    no_interim: bool,
    framing: str,
    url: str | None,
    client_id: str | None,
    client_secret: str | None,
    auth_server: str | None,
    realm: str | None,
    ca_file: Path | None,
    timeout: float,
) -> None:
    """Stream a sound FILE into a conversation and print what is understood."""

    async def run() -> PacingReport | None:
        length = probe(file).seconds
        chunks = read_audio(file, codec=codec, chunk_ms=chunk_ms)
        interruption = _Interruption()
        async with connect(
            conversation=conversation,
            speaker=speaker,
            model=model,
            country=country,
            interim_results=not no_interim,
            audio_codec=codec,
            framing=framing,
            timeout=timeout,
            client_id=client_id,
            client_secret=client_secret,
            auth_server=auth_server,
            realm=realm,
            url=url,
            ca_file=ca_file,
        ) as call:
            interruption.ends(call)
            with Transcript(Console(highlight=False)) as transcript:
                call.play(_watched(chunks, transcript, chunk_ms / 1000, length), rate=rate)
                async for event in call:
                    transcript.show(event)
        if interruption.came:
            raise KeyboardInterrupt
        return call.pacing

    click.echo(str(_run(run)), err=True)


@main.command()
@_account
def token(
    client_id: str | None,
    client_secret: str | None,
    auth_server: str | None,
    realm: str | None,
    ca_file: Path | None,
    timeout: float,
) -> None:
    """Print an access token."""

    async def run() -> str:
        settings = Settings.read(
            client_id=client_id,
            client_secret=client_secret,
            auth_server=auth_server,
            realm=realm,
            ca_file=ca_file,
        )
        return (await asyncio.to_thread(fetch_token, settings, timeout=timeout)).access_token

    click.echo(_run(run))


def _run(program: Callable[[], Coroutine[None, None, _T]]) -> _T:
    try:
        return asyncio.run(program())
    except ConfigurationError as problem:
        raise _Misuse(str(problem)) from None
    except UhliveClientError as problem:
        raise _Failure(str(problem)) from None
    except (KeyboardInterrupt, asyncio.CancelledError):
        raise click.exceptions.Exit(_INTERRUPTED) from None


def _watched(chunks: Iterator[bytes], transcript: Transcript, chunk_s: float, length_s: float) -> Iterator[bytes]:
    """The same chunks, with the position of each in the status line."""
    for count, chunk in enumerate(chunks, start=1):
        transcript.status(f"streaming {min(count * chunk_s, length_s):.1f} of {length_s:.1f} s")
        yield chunk
    transcript.status("waiting for the last words")


class _Interruption:
    """Ctrl-C: the first one leaves, so that the last words still come; the second one goes at once.

    So does the first one, when we have not joined yet.
    """

    def __init__(self) -> None:
        self.came = False
        self._call: Call | None = None
        self._task = asyncio.current_task()
        self._leaving: asyncio.Task[None] | None = None
        # Without signals in the loop (Windows, a thread) Ctrl-C cancels the program, which leaves too.
        with suppress(NotImplementedError, RuntimeError):
            asyncio.get_running_loop().add_signal_handler(signal.SIGINT, self._interrupt)

    def ends(self, call: Call) -> None:
        """From now on, the first Ctrl-C leaves this call."""
        self._call = call

    def _interrupt(self) -> None:
        if self.came or self._call is None:
            if self._task is not None:
                self._task.cancel()
        else:
            self._leaving = asyncio.create_task(self._leave(self._call))
        self.came = True

    async def _leave(self, call: Call) -> None:
        with suppress(ConnectionLost):  # the iteration will say so
            await call.leave()
