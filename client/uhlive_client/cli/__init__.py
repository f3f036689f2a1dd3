"""The `uhlive-client` command: arguments, files and exit codes around the asyncio shell."""

from __future__ import annotations

import click

from .observe import observe, token
from .stream import stream


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """A client of the uh!ive Conversation API."""


for _command in (stream, observe, token):
    main.add_command(_command)
