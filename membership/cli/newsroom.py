"""`flask newsroom load`: the newsroom, its outlets, fundraisers and rules from one file, as often as one likes."""

from pathlib import Path

import click
from flask import current_app

from membership.cli.command import Group
from membership.cli.newsroom_file import NewsroomFile, RulePart, read
from membership.config import Settings
from membership.db import db, writing
from membership.domain import allocations, banners, fundraisers, outlets, plans
from membership.domain import newsroom as house

newsroom = Group("newsroom", help="The newsroom and what it raises money for.")


@newsroom.command("load")
@click.argument("file", type=click.Path(path_type=Path))
def load(file: Path) -> None:
    """Describe everything as FILE says; loading the same file again changes nothing."""
    whole = read(file, current_app.config["SETTINGS"])
    described(whole)
    counts = {"outlets": whole.outlets, "fundraisers": whole.fundraisers, "plans": whole.plans}
    told = ", ".join(f"{len(found)} {noun}" for noun, found in counts.items())
    click.echo(f"{whole.newsroom['name']}: {told}, as the file says.")


def described(whole: NewsroomFile) -> None:
    """Say all of it to the domain, in one transaction."""
    with writing():
        house.describe(**whole.newsroom)
        ids = {slug: outlets.describe(slug, **said).id for slug, said in whole.outlets.items()}
        for slug, said in whole.fundraisers.items():
            fundraiser = fundraisers.describe(slug, **said)
            _agree(fundraiser, whole.rules[slug], ids)
        _offer(whole, current_app.config["SETTINGS"])
        db.session.commit()


def _offer(whole: NewsroomFile, settings: Settings) -> None:
    """Perks before the plans that open them. A plan that the file no longer names is closed."""
    for slug, said in whole.perks.items():
        kept = plans.keep_file(said["file"], settings.instance_path) if said["file"] else None
        perk = plans.describe_perk(slug, **(said | {"file": kept}))
        plans.stock(perk, whole.codes[slug])
    for slug, said in whole.plans.items():
        plans.describe_plan(slug, **said)
    plans.close_others(whole.plans)
    for slug, said in whole.drives.items():
        banners.describe(slug, **said)
    banners.forget_others(whole.drives)


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
