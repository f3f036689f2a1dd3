"""`serve` and `run`: the server as a program of its own, or around another one. `env`: the environment that points
the official SDK at a server which runs elsewhere.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, TypedDict, TypeVar, Unpack, cast
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

import click

from ..errors import os_errors_as
from ..testing.sdk import without_proxy
from .outcome import (
    FINDINGS,
    INTERRUPTED,
    audio_folder,
    fail,
    say_findings,
    say_pacing,
    sentences,
    wait_for_leaves,
    write_pacing,
    writing_pacing,
)

if TYPE_CHECKING:
    from ..mock_server import MockServer
    from ..model.account import Account
    from ..server.space_handle import SpaceHandle

DEFAULT_CLIENT = "acme:acme-secret"
CONTROL_TOKEN_VARIABLE = "UHLIVE_MOCK_CONTROL_TOKEN"  # noqa: S105 - a name, no secret
"""Where the control token may come from instead of an option."""
_ENDING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
"""Signals that end a server; SIGHUP, where there is one, comes when its terminal is closed."""
_Command = TypeVar("_Command", bound=Callable[..., object])


class _Options(TypedDict):
    """What `_server_options` and the SCENARIO arguments give, besides what a space is told by the same names."""

    scenarios: tuple[str, ...]
    host: str
    port: int
    tls_port: int
    no_tls: bool
    clients: tuple[str, ...]
    users: tuple[str, ...]
    vocabulary: str
    journal: Path | None
    audio: Path | None
    strict: bool
    control_token: str | None


def _server_options(*, port: int, tls_port: int) -> Callable[[_Command], _Command]:
    """The options that `serve` and `run` share, with their own default ports."""
    options = [
        click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on."),
        click.option("--port", default=port, show_default=True, help="Plain port; 0 picks a free one."),
        click.option("--tls-port", default=tls_port, show_default=True, help="TLS port; 0 picks a free one."),
        click.option("--no-tls", is_flag=True, help="Listen without TLS."),
        click.option(
            "--client",
            "clients",
            multiple=True,
            metavar="ID:SECRET",
            help=f"An account; may be given again.  [default: {DEFAULT_CLIENT}]",
        ),
        click.option(
            "--user",
            "users",
            multiple=True,
            metavar="CLIENT:USER:PASSWORD",
            help="Somebody who logs in through an account, with the password grant; may be given again.",
        ),
        click.option(
            "--vocabulary",
            type=click.Choice(["universal", "legacy"]),
            default="universal",
            show_default=True,
            help="Event names: universal for SDK 2.x, legacy for SDK 1.x and JavaScript.",
        ),
        click.option(
            "--clock",
            type=click.Choice(["real", "audio", "manual"]),
            default="real",
            show_default=True,
            help="What moves time.",
        ),
        click.option("--rate", default=1.0, show_default=True, help="Speed of the real clock."),
        click.option("--seed", default=0, show_default=True, help="Decides everything random."),
        click.option(
            "--journal",
            type=click.Path(dir_okay=False, path_type=Path),
            help="Append every message, both ways, to this file, one JSON object a line.",
        ),
        click.option(
            "--audio",
            type=click.Path(file_okay=False, path_type=Path),
            help="Write what each speaker sent to this folder: CONVERSATION-SPEAKER-N.wav.",
        ),
        click.option(
            "--strict/--no-strict",
            default=False,
            show_default=True,
            help="Exit with 1 instead of 0 when a cue was never played or a rule was broken.",
        ),
        click.option(
            "--control-token",
            envvar=CONTROL_TOKEN_VARIABLE,
            show_envvar=True,
            help="What callers of the control API under /_mock/ must send; without one it is for this machine.",
        ),
    ]

    def decorate(command: _Command) -> _Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


@click.command()
@click.argument("scenarios", nargs=-1, type=click.Path(), metavar="[SCENARIO]...")
@_server_options(port=8080, tls_port=8443)
@click.option(
    "--ready-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the ready object there once both ports answer.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the ready object as JSON on the first line.")
def serve(as_json: bool, ready_file: Path | None, **options: Unpack[_Options]) -> None:
    """Serve scenarios until stopped; without one, a built-in bilingual call that loops."""
    stop = threading.Event()
    received: list[int] = []

    def on_signal(number: int, frame: FrameType | None) -> None:
        if received:  # a second signal does not wait
            os._exit(128 + number)
        received.append(number)
        stop.set()

    for number in _ENDING:
        signal.signal(number, on_signal)
    with sentences():
        if ready_file:
            ready_file.unlink(missing_ok=True)  # of a server that was killed
        server, space = _start(**options)
        with server, audio_folder(options["audio"], space):
            ready = server.announce(space)
            if ready_file:
                _write_ready(ready_file, ready)
            click.echo(json.dumps(ready) if as_json else _welcome(ready, server))
            while not stop.wait(0.5) and server.running:
                pass
            if ready_file:
                ready_file.unlink(missing_ok=True)
        # Only now has every socket's end been written down.
        found = say_findings(space, scripted=bool(options["scenarios"]))
    if received == [signal.SIGINT]:
        sys.exit(INTERRUPTED)
    sys.exit(FINDINGS if found and options["strict"] else 0)


class _AroundCommand(click.Command):
    """A command whose arguments end at `--`; what follows is another program's command line."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        at = args.index("--") if "--" in args else len(args)
        ctx.meta["uhlive_mock.command"] = args[at + 1 :]
        return super().parse_args(ctx, args[:at])

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return [*super().collect_usage_pieces(ctx), "--", "COMMAND..."]


@click.command(cls=_AroundCommand)
@click.argument("scenarios", nargs=-1, type=click.Path(), metavar="[SCENARIO]...")
@_server_options(port=0, tls_port=0)
@click.option("--pacing", is_flag=True, help="Say on stderr how each speaker's audio was paced.")
@click.option(
    "--pacing-json",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write to this file how each speaker's audio was paced.",
)
@click.pass_context
def run(ctx: click.Context, /, pacing: bool, pacing_json: Path | None, **options: Unpack[_Options]) -> None:
    """Start a server, run COMMAND against it, stop it, and exit with COMMAND's code.

    COMMAND finds the server through the environment the official SDK and its transports read. Afterwards stderr
    says which cues were never played and which rules were broken.
    """
    command: list[str] = ctx.meta["uhlive_mock.command"]
    if not command:
        raise click.UsageError("no command to run; write it after --, as in: uhlive-mock run -- pytest")
    for number in _ENDING:
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    with sentences():
        if pacing_json:  # before anything runs
            with writing_pacing(pacing_json):
                pacing_json.write_bytes(b"")
        server, space = _start(**options)
        with server, audio_folder(options["audio"], space):
            if options["no_tls"]:
                click.echo("uhlive-mock: without TLS the official SDK gets no token: it insists on https", err=True)
            code = _run_command(command, {**os.environ, **space.env, **without_proxy(os.environ)})
            wait_for_leaves(space)  # the recordings are to be whole
        # Only now has every socket's end been written down.
        found = say_findings(space, scripted=bool(options["scenarios"]))
        if pacing:
            say_pacing(space)
        if pacing_json:
            write_pacing(space, pacing_json)
    sys.exit(FINDINGS if found and options["strict"] and code == 0 else code)


# --- starting ---------------------------------------------------------------------------------------------


def _start(**options: Unpack[_Options]) -> tuple[MockServer, SpaceHandle]:
    """A running server with one space."""
    from ..mock_server import MockServer
    from ..scenarios import load_scenario
    from ..server.space_options import SpaceOptions

    accounts = _accounts(options["clients"] or (DEFAULT_CLIENT,), options["users"], options["vocabulary"])
    loaded = [load_scenario(path) for path in options["scenarios"]] or None
    server = MockServer(
        host=options["host"],
        port=options["port"],
        tls_port=None if options["no_tls"] else options["tls_port"],
        control_token=options["control_token"],
    ).start()
    try:
        said = {name: value for name, value in options.items() if name in SpaceOptions.__annotations__}
        space = server.space(**cast(SpaceOptions, said | {"scenario": loaded, "accounts": accounts}))
        if options["journal"]:
            space.journal.write_to(options["journal"])
    except BaseException:
        server.stop()
        raise
    return server, space


def _accounts(clients: tuple[str, ...], users: tuple[str, ...], vocabulary: str) -> list[Account]:
    from ..model.account import Account, User, Vocabulary

    people: dict[str, list[User]] = {}
    for text in users:
        client_id, name, password = (*text.split(":", 2), "", "")[:3]
        if not (client_id and name and password):
            raise click.UsageError("--user takes CLIENT:USER:PASSWORD, none of them empty")
        people.setdefault(client_id, []).append(User(username=name, password=password))
    accounts = []
    for text in clients:
        client_id, _, secret = text.partition(":")
        if not (client_id and secret):
            raise click.UsageError("--client takes ID:SECRET, both not empty")
        accounts.append(
            Account(
                client_id=client_id,
                client_secret=secret,
                users=tuple(people.get(client_id, ())),
                vocabulary=Vocabulary(vocabulary),
            )
        )
    strangers = people.keys() - {account.client_id for account in accounts}
    if strangers:
        raise click.UsageError(f"--user names the client {min(strangers)!r}, which no --client gives")
    return accounts


def _write_ready(path: Path, ready: dict[str, object]) -> None:
    """Write the ready object so that a reader of the file sees all of it. It holds a secret: owner only."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    with os_errors_as(f"cannot write the ready file {path}"):
        part.touch(mode=0o600)
        part.write_text(json.dumps(ready) + "\n")
        part.replace(path)


def _welcome(ready: dict[str, object], server: MockServer) -> str:
    env: dict[str, str] = ready["env"]  # type: ignore[assignment]
    at = "" if str(ready["http_url"]).endswith(":8080") else f" --url {ready['http_url']}"
    return "\n".join(
        [
            f"uhlive-mock {ready['version']} is ready.",
            "",
            f"  token      {ready['token_url']}",
            f"  socket     {env['UHLIVE_API_URL']}/socket/websocket",
            f"  plain      {ready['http_url']}  {ready['ws_url']}",
            f"  client     {env['UHLIVE_API_CLIENT']}",
            f"  CA file    {ready['ca_file'] or 'none: no TLS'}",
            "",
            "Point the official SDK at it from another terminal:",
            "",
            f'  eval "$(uhlive-mock env{at})"',
            "",
            "Ctrl-C stops it.",
        ]
    )


# --- running a command ------------------------------------------------------------------------------------


def _run_command(command: list[str], env: dict[str, str]) -> int:
    """Run a command to its end; signals for us are passed on to it."""
    with os_errors_as(f"cannot run {command[0]!r}"):
        child = subprocess.Popen(command, env=env)  # noqa: S603 - running it is what the user asked for
    interrupted = False

    def on_interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal interrupted
        interrupted = True
        if not sys.stdin.isatty():  # a terminal sends Ctrl-C to the command as well
            child.send_signal(number)

    for number in _ENDING:
        signal.signal(number, lambda number, _: child.send_signal(number))
    signal.signal(signal.SIGINT, on_interrupt)
    code = child.wait()
    if code < 0:
        code = 128 - code
    return INTERRUPTED if interrupted and code == 128 + signal.SIGINT else code


# --- the environment of a server that runs elsewhere -----------------------------------------------------------


@click.command()
@click.option("--url", default="http://127.0.0.1:8080", show_default=True, help="Plain URL of a running server.")
@click.option(
    "--shell",
    type=click.Choice(["bash", "fish", "dotenv", "json"]),
    default="bash",
    show_default=True,
    help="How to write it.",
)
@click.option(
    "--control-token", envvar=CONTROL_TOKEN_VARIABLE, show_envvar=True, help="The server's, if it has one."
)
def env(url: str, shell: str, control_token: str | None) -> None:
    """Print the environment that points the official SDK at a running server."""
    try:
        # Straight to the address: a proxy from the environment has no business with a loopback server.
        headers = {"Authorization": f"Bearer {control_token}"} if control_token else {}
        health = Request(f"{url.rstrip('/')}/_mock/health", headers=headers)  # noqa: S310 - as the user asked
        with build_opener(ProxyHandler({})).open(health, timeout=5) as answer:
            variables: dict[str, str] = json.load(answer)["env"]
    except HTTPError as error:
        fail(f"no environment from {url}: {_reason(error)}")
    except (OSError, HTTPException, ValueError, KeyError, TypeError) as error:
        fail(f"no uhlive-mock answers at {url}: {error}")
    variables |= without_proxy(os.environ)
    click.echo(_SHELLS[shell](variables))


def _reason(error: HTTPError) -> str:
    try:
        return str(json.load(error)["error"])
    except (ValueError, KeyError, TypeError):
        return str(error)


_SHELLS: dict[str, Callable[[dict[str, str]], str]] = {
    "bash": lambda env: "\n".join(f"export {name}={shlex.quote(value)}" for name, value in env.items()),
    "fish": lambda env: "\n".join(f"set -gx {name} {_fish_quote(value)}" for name, value in env.items()),
    "dotenv": lambda env: "\n".join(f"{name}={json.dumps(value)}" for name, value in env.items()),
    "json": lambda env: json.dumps(env, indent=2),
}


def _fish_quote(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
