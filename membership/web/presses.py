"""A button that was pressed: make sure of it, act, and say on the same page what said no."""

from collections.abc import Callable
from typing import Protocol

from flask import Response
from flask.typing import ResponseReturnValue

from membership.billing import gateway, inbox
from membership.db import db
from membership.domain.memberships import Membership
from membership.errors import Conflict, DomainError, NotFound
from membership.web import attempts, view


class Page(Protocol):
    """A page that can say something: a word of ours, or sentences."""

    def __call__(
        self, status: int = 200, *, says: str = "", general: list[str] | None = None
    ) -> Response: ...


def press(page: Page, act: Callable[[], ResponseReturnValue]) -> ResponseReturnValue:
    """Make sure that somebody pressed, and act; what says no is said on the same page."""
    if not attempts.is_pressed():
        return page(422, says="again")
    try:
        return act()
    except gateway.StripeUnavailable:
        db.session.rollback()
        return page(503, says="unreachable")
    except NotFound:
        raise
    except DomainError as error:
        db.session.rollback()
        return page(409 if isinstance(error, Conflict) else 422, general=[view.sentence(error)])


def follow(membership: Membership) -> None:
    """After a change: look at Stripe's subscription, and at what was late, so that the next page tells how it stands."""
    seen = {"subscription": membership.stripe_subscription_id, "invoice": membership.late_invoice_id}
    if keys := [(kind, one) for kind, one in seen.items() if one]:
        inbox.look_at(keys)
