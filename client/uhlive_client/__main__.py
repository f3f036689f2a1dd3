"""`python -m uhlive_client` is `uhlive-client`."""

from .cli import main

main(prog_name="uhlive-client")
