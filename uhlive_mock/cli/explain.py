"""`explain`: the ledger of rules, defaults and how well each is known."""

from __future__ import annotations

import click

from ._failing import sentences


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
