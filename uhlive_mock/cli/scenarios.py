"""Commands that need no server: `check`, `show` and `schema` for scenario files, and `explain` for the ledger of
rules, defaults and how well each is known.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from .outcome import FINDINGS, sentences

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


@click.command()
@click.argument("rule", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead.")
def explain(rule: str | None, as_json: bool) -> None:
    """List every rule of the service, every default, and what a client can do wrong; or say all about RULE.

    RULE is a name such as gap.after or double_join, that of a group (gap, behaviour, violations), or the beginning
    of one (reason_).
    """
    import msgspec

    from .. import ledger

    with sentences():
        rules = ledger.rules() if rule is None else ledger.find(rule)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(rules), indent=2))
    elif rule is None:
        click.echo(f"{ledger.table()}\n\nuhlive-mock explain NAME says all about one, and how to change it.")
    else:
        click.echo("\n\n".join(map(ledger.details, rules)))
