"""The `uhlive-mock` command.

Exit codes: 0 fine, 1 findings, 2 usage or configuration, 130 on Ctrl-C; `run` exits with its command's code.
With `--strict`, findings turn a 0 of `serve` and `run` into a 1.
Results on stdout, everything else on stderr.
"""

from __future__ import annotations

import click

from .. import __version__
from .demo import demo
from .scenarios import check, explain, schema, show
from .serving import env, run, serve


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="uhlive-mock")
def main() -> None:
    """The uh!ive Conversation API on your own machine, for tests and offline work."""


for command in (serve, run, env, demo, check, show, schema, explain):
    main.add_command(command)
