"""`token`: print an access token."""

from __future__ import annotations

import asyncio
import sys

import click

from ..login import fetch_token
from ..settings import Settings
from .ending import Failure, Interruption, Misuse, run
from .options import Account, account_options


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
