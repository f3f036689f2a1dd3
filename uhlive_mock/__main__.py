"""`python -m uhlive_mock` is the `uhlive-mock` command."""

from .cli import main

main(prog_name="uhlive-mock")
