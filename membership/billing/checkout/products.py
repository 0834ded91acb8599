"""What is sold, as Stripe calls it: one product for gifts, one for each plan. `price_data` has no statement text, so
the product carries it, and another statement text needs another product.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from membership.billing import account, calls
from membership.billing.calls import CallState
from membership.billing.gateway import StripeRefused, StripeUnavailable
from membership.config import Settings
from membership.db import db, writing
from membership.domain import plans
from membership.domain.plans import Plan

ALREADY_THERE = "resource_already_exists"


@dataclass(frozen=True, slots=True)
class Product:
    """A product as we ask for it."""

    id: str
    name: str


def of_gifts(settings: Settings) -> Product:
    """The one product that gifts are sold as."""
    return Product(f"gift_{_mark(settings)}", f"Gift to {settings.newsroom_name}")


def of_plan(plan: Plan, settings: Settings) -> Product:
    """The product of a plan."""
    name = plan.words(settings.locales[0]).name
    slug = plan.slug.replace("-", "_")
    return Product(f"plan_{slug}__{_mark(settings)}", f"{settings.newsroom_name}: {name}")


def plans_by_product(settings: Settings) -> Mapping[str, int]:
    """Which plan a product is: what a subscription sells says which plan it is."""
    return {of_plan(plan, settings).id: plan.id for plan in plans.all_plans()}


def _mark(settings: Settings) -> str:
    return "".join(c if c.isalnum() else "_" for c in settings.statement_descriptor.lower())


def ensure(product: Product, now: datetime) -> None:
    """Make the product once."""
    is_there = calls.was_done("products.create", product.id)
    db.session.commit()
    if is_there:
        return
    descriptor = account.here().settings.statement_descriptor
    params = {"id": product.id, "name": product.name, "statement_descriptor": descriptor}
    with writing():
        db.session.commit()
        call = calls.record(calls.fresh_key(f"product:{product.id}"), "products.create", params, now=now)
        key = call.idem_key
        if call.state is CallState.OK:  # made by somebody else since we looked
            db.session.commit()
            return
        try:
            calls.send(call)
        except StripeRefused as error:
            if error.code != ALREADY_THERE:
                raise StripeUnavailable(error.code) from None
            calls.found_done(key, product.id)
