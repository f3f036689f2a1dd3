"""Errors of ours as one sentence on stderr and an exit code."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import click

from ..errors import UhliveMockError

FINDINGS = 1
USAGE = 2
INTERRUPTED = 130


def fail(message: str, code: int = USAGE) -> NoReturn:
    """Say what is wrong and exit."""
    click.echo(f"uhlive-mock: {message}", err=True)
    sys.exit(code)


@contextmanager
def sentences() -> Iterator[None]:
    """Turn an error of ours into its sentence and the exit code for configuration."""
    try:
        yield
    except UhliveMockError as error:
        fail(str(error))
