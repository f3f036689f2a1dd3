"""`env`: the environment that points the official SDK at a server which runs elsewhere."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Callable
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

import click

from ..server.proxies import without_proxy
from ._failing import fail

CONTROL_TOKEN_VARIABLE = "UHLIVE_MOCK_CONTROL_TOKEN"  # noqa: S105 - a name, no secret
"""Where the control token may come from instead of an option."""


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
