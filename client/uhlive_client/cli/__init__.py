"""The `uhlive-client` command: arguments, files and exit codes around the asyncio shell.

Exit codes: 0 done, 1 it failed (one sentence on stderr), 2 wrong usage or settings, 130 interrupted.
"""

from __future__ import annotations

import click

from .observe import observe
from .stream import stream
from .token import token


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """A client of the uh!ive Conversation API."""


for _command in (stream, observe, token):
    main.add_command(_command)
