"""`flask newsroom load`: the newsroom, its outlets, fundraisers and rules from one file, as often as one likes."""

from pathlib import Path

import click
from flask import current_app

from membership.cli.command import Group
from membership.cli.newsroom_file import NewsroomFile, RulePart, read
from membership.db import db, writing
from membership.domain import allocations, fundraisers, outlets
from membership.domain import newsroom as house

newsroom = Group("newsroom", help="The newsroom and what it raises money for.")


@newsroom.command("load")
@click.argument("file", type=click.Path(path_type=Path))
def load(file: Path) -> None:
    """Describe everything as FILE says; loading the same file again changes nothing."""
    whole = read(file, current_app.config["SETTINGS"])
    described(whole)
    click.echo(
        f"{whole.newsroom['name']}: {len(whole.outlets)} outlets, {len(whole.fundraisers)} fundraisers, as the file says."
    )
    for name in whole.later:
        click.echo(f"The file has a table called {name}: this release does not use it yet.", err=True)


def described(whole: NewsroomFile) -> None:
    """Say all of it to the domain, in one transaction."""
    with writing():
        house.describe(**whole.newsroom)
        ids = {slug: outlets.describe(slug, **said).id for slug, said in whole.outlets.items()}
        for slug, said in whole.fundraisers.items():
            fundraiser = fundraisers.describe(slug, **said)
            _agree(fundraiser, whole.rules[slug], ids)
        db.session.commit()


def _agree(fundraiser: fundraisers.Fundraiser, part: RulePart, ids: dict[str, int]) -> None:
    """Let the rule be what the file says; one that says so already stays, with what it has given so far."""
    rule = allocations.propose(
        fundraiser.id,
        fundraiser_slug=fundraiser.slug,
        shares=[(ids[slug], slug, weight) for slug, weight in part.shares.items()],
        host_share_bp=part.host_share_bp,
        fee_bearer=part.fee_bearer,
    )
    allocations.agree(rule, on=part.agreed_on)
