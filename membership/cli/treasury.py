"""`flask ledger`: whether the books hold."""

import click

from membership.cli.command import Group
from membership.domain import audit, fundraisers
from membership.domain import ledger as books

ledger = Group("ledger", help="The books.")


@ledger.command("check")
def check() -> None:
    """Every invariant of the ledger; exit code 1 when one is broken."""
    breaches = [*books.check(), *fundraisers.totals_off(), *audit.check()]
    for breach in breaches:
        click.echo(breach)
    if breaches:
        raise SystemExit(1)
    click.echo("The ledger holds: every entry sums to zero, and every total is the sum of its parts.")
