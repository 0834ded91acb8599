"""What money is raised for: outlets, fundraisers, and the rules that divide."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from membership.cli.newsroom_file import shapes
from membership.cli.newsroom_file.table import Table

INTERVALS = ("once", "month", "year")
WORDS = ("title", "summary", "story", "stranded")


@dataclass(frozen=True, slots=True)
class RulePart:
    """How a fundraiser's money is divided: weights by outlet slug."""

    shares: dict[str, int]
    host_share_bp: int
    fee_bearer: str
    agreed_on: date


def outlet(table: Table) -> tuple[str, dict[str, Any]]:
    """Slug and the arguments of `outlets.describe`."""
    return table.take("slug", shapes.slug, ""), {
        "name": table.text("name"),
        "latin_name": table.take("latin_name", shapes.latin, ""),
        "country": table.take("country", shapes.country, ""),
        "languages": table.take("languages", shapes.words, []),
        "link": table.text("link", ""),
        "about": table.texts("about", needed=False),
        "appears": table.take(
            "appears", shapes.one_of("nothing", "banded", "exact"), "nothing", needed=False
        ),
    }


def fundraiser(table: Table, outlets: Mapping[str, Any]) -> tuple[str, dict[str, Any], RulePart]:
    """Slug, the arguments of `fundraisers.describe`, and the rule."""
    currency = table.settings.ledger_currency
    table.take("currency", shapes.one_of(currency), currency, needed=False)
    slug, rule = table.take("slug", shapes.slug, ""), _rule(table.table("rule"), outlets)
    causes = [
        (c.take("slug", shapes.slug, ""), c.amount("planned", currency), c.texts("title"))
        for c in table.tables("cause")
    ]
    notices = {n.take("country", shapes.country, ""): _notice(n) for n in table.tables("notice")}
    described = {
        "status": table.take("status", shapes.one_of("draft", "open", "closed"), "draft"),
        "opens_on": table.take("opens_on", shapes.day, date.min),
        "closes_on": table.take("closes_on", shapes.day, None, needed=False),
        "goal": table.amount("goal", currency),
        "texts": table.spoken("texts", *WORDS),
        "causes": causes,
        "suggestions": _suggestions(table),
        "risk_notices": notices,
        "refused_countries": table.take("refused_countries", shapes.countries, [], needed=False),
        "ends_running": table.take("running_ends_when_closed", shapes.flag, otherwise=False, needed=False),
    }
    return slug, described, rule


def _notice(table: Table) -> dict[str, str]:
    first = table.settings.locales[0]
    return {locale: table.text(locale) for locale in dict.fromkeys((first, *table.data))}


def _suggestions(table: Table) -> dict[str, dict[str, list[str]]]:
    """Currency -> interval -> amounts in major units, each inside the limits of its currency."""
    found = {}
    for currency, intervals in table.currencies("suggested").items():
        check = shapes.amounts(table.settings, currency)
        found[currency] = {interval: intervals.take(interval, check, []) for interval in INTERVALS}
    return found


def _rule(table: Table, outlets: Mapping[str, Any]) -> RulePart:
    shares = table.take("shares", shapes.weights, {})
    for slug in shares:
        if slug not in outlets:
            table.gap(f"shares.{slug}", "is no outlet of this file")
    return RulePart(
        shares=shares,
        host_share_bp=table.take("host_share_bp", shapes.basis_points, 0, needed=False),
        fee_bearer=table.take("fee_bearer", shapes.one_of("shares", "host"), "shares"),
        agreed_on=table.take("agreed_on", shapes.day, date.min),
    )
