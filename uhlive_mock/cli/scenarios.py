"""`check`, `show` and `schema`: scenarios without a server."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from ._failing import FINDINGS, sentences

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("files", nargs=-1, required=True, type=_FILE, metavar="FILE...")
def check(files: tuple[Path, ...]) -> None:
    """Check scenario files: every problem with its line and remedy; exit code 1 if there is any."""
    from ..scenarios import check_scenario

    problems = 0
    for file in files:
        errors = check_scenario(file)
        for error in errors:
            click.echo(str(error))
        if not errors:
            click.echo(f"{file}: ok")
        problems += len(errors)
    sys.exit(FINDINGS if problems else 0)


@click.command()
@click.argument("file", type=_FILE)
def show(file: Path) -> None:
    """Show what a scenario will say, and when."""
    from ..scenarios import load_scenario, outline

    with sentences():
        click.echo(outline(load_scenario(file)))


@click.command()
def schema() -> None:
    """Print the JSON Schema of scenario files, for editors."""
    from ..scenarios import json_schema

    click.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))
