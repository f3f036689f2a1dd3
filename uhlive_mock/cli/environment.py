"""`env`: the environment that points the official SDK at a server which runs elsewhere."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Callable, Mapping
from http.client import HTTPException
from urllib.request import ProxyHandler, build_opener

import click

from ._failing import fail


@click.command()
@click.option("--url", default="http://127.0.0.1:8080", show_default=True, help="Plain URL of a running server.")
@click.option(
    "--shell",
    type=click.Choice(["bash", "fish", "dotenv", "json"]),
    default="bash",
    show_default=True,
    help="How to write it.",
)
def env(url: str, shell: str) -> None:
    """Print the environment that points the official SDK at a running server."""
    try:
        # Straight to the address: a proxy from the environment has no business with a loopback server.
        with build_opener(ProxyHandler({})).open(f"{url.rstrip('/')}/_mock/health", timeout=5) as answer:
            variables: dict[str, str] = json.load(answer)["env"]
    except (OSError, HTTPException, ValueError, KeyError, TypeError) as error:
        fail(f"no uhlive-mock answers at {url}: {error}")
    variables |= without_proxy(os.environ)
    click.echo(_SHELLS[shell](variables))


def without_proxy(environ: Mapping[str, str]) -> dict[str, str]:
    """Keeps a proxy that an environment names from being asked for the loopback."""
    known = environ.get("NO_PROXY") or environ.get("no_proxy") or ""
    hosts = dict.fromkeys([*filter(None, known.split(",")), "127.0.0.1", "localhost", "::1"])
    return dict.fromkeys(("NO_PROXY", "no_proxy"), ",".join(hosts))


_SHELLS: dict[str, Callable[[dict[str, str]], str]] = {
    "bash": lambda env: "\n".join(f"export {name}={shlex.quote(value)}" for name, value in env.items()),
    "fish": lambda env: "\n".join(f"set -gx {name} {_fish_quote(value)}" for name, value in env.items()),
    "dotenv": lambda env: "\n".join(f"{name}={json.dumps(value)}" for name, value in env.items()),
    "json": lambda env: json.dumps(env, indent=2),
}


def _fish_quote(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
