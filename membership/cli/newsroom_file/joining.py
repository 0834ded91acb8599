"""What can be joined: perks, plans with their prices, and drives for members."""

from collections.abc import Collection
from datetime import date
from pathlib import Path
from typing import Any

from membership.cli.newsroom_file import shapes
from membership.cli.newsroom_file.table import Table
from membership.domain.plans import INTERVALS, PerkKind
from membership.money import Money


def perk(table: Table, position: int, folder: Path) -> tuple[str, dict[str, Any], list[str]]:
    """Slug, the arguments of `plans.describe_perk`, and its codes. `file` is still a path."""
    slug, kind = table.take("slug", shapes.slug, ""), table.take("kind", shapes.one_of(*PerkKind), "")
    described = {
        "kind": kind,
        "position": position,
        "texts": table.spoken("texts", "title", "teaser", "body", spare=() if kind == "page" else ("body",)),
        "link": table.take("link", shapes.address, None) if kind == "link" else None,
        "file": table.take("file", shapes.file_in(folder), None) if kind == "file" else None,
    }
    return slug, described, table.take("codes", shapes.different, []) if kind == "code" else []


def plan(table: Table, position: int, perks: Collection[str]) -> tuple[str, dict[str, Any]]:
    """Slug and the arguments of `plans.describe_plan`."""
    opened = table.take("perks", shapes.different, [], needed=False)
    for slug in opened:
        if slug not in perks:
            table.gap("perks", f"names {slug!r}, which is no perk of this file")
    return table.take("slug", shapes.slug, ""), {
        "status": table.take("status", shapes.one_of("open", "closed"), "closed"),
        "position": position,
        "texts": table.spoken("texts", "name", "summary", "story"),
        "prices": _prices(table),
        "perks": opened,
    }


def _prices(table: Table) -> dict[tuple[str, str], Money]:
    """A price a month and a price a year in each of CURRENCIES."""
    return {
        (interval, currency): prices.take(
            interval, shapes.price(table.settings, currency), Money(0, currency)
        )
        for currency, prices in table.currencies("price").items()
        for interval in INTERVALS
    }


def drive(table: Table) -> tuple[str, dict[str, Any]]:
    """Slug and the arguments of `banners.describe`."""
    begins, ends = table.take("begins_on", shapes.day, date.min), table.take("ends_on", shapes.day, date.max)
    if ends < begins:
        table.gap("ends_on", "is before begins_on")
    return table.take("slug", shapes.slug, ""), {
        "goal": table.take("goal", shapes.whole, 1),
        "begins_on": begins,
        "ends_on": ends,
        "texts": table.spoken("texts", "title", "story"),
    }
