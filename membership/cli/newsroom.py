"""`flask newsroom load`: the newsroom, its outlets, fundraisers and rules from one file, as often as one likes."""

from fractions import Fraction
from pathlib import Path

import click
from flask import current_app

from membership import clock
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
    """Let the rule be what the file says; one that is in force already stays, with what it has given so far."""
    found = allocations.find_rule_in_force(fundraiser.id, clock.now())
    if found is not None and _says(found) == _wanted(part, ids):
        return
    rule = allocations.propose(
        fundraiser.id,
        fundraiser_slug=fundraiser.slug,
        shares=[(ids[slug], slug, weight) for slug, weight in part.shares.items()],
        host_share_bp=part.host_share_bp,
        fee_bearer=part.fee_bearer,
    )
    allocations.agree(rule, on=part.agreed_on, now=clock.now())


def _says(rule: allocations.Rule) -> tuple[object, ...]:
    return rule.fee_bearer, {key: part for key, part in allocations.fractions_of(rule).items() if part}


def _wanted(part: RulePart, ids: dict[str, int]) -> tuple[object, ...]:
    """What `fractions_of` would say: the host's share first, the rest by weight."""
    host = Fraction(part.host_share_bp, 10_000)
    whole = sum(part.shares.values())
    parts: dict[int | None, Fraction] = {
        ids[slug]: Fraction(weight, whole) * (1 - host) for slug, weight in part.shares.items()
    }
    return part.fee_bearer, parts | ({None: host} if host else {})
