"""What the calls on subscriptions, and the preview of their invoices, take.

What the pretend Stripe does not know (trials, discounts, taxes, schedules, pending updates) it refuses.
"""

from dataclasses import dataclass
from typing import Any

from membership.sandbox.catalogue import RECURRING
from membership.sandbox.listing import pages
from membership.sandbox.parameters import ID, Bag, Choice, Flag, Items, Param, Shape, Text, Whole, takes

_FEEDBACK = (
    "customer_service",
    "low_quality",
    "missing_features",
    "other",
    "switched_service",
    "too_complex",
    "too_expensive",
    "unused",
)
_SAID = Shape(
    fields={"comment": Text(clears=True, most=5000), "feedback": Choice(of=_FEEDBACK, clears=True)},
    clears=True,
)
_PRICE_DATA = Shape(
    fields={
        "currency": Text(required=True),
        "product": Text(required=True),
        "recurring": Shape(fields=RECURRING.fields, required=True),
        "unit_amount": Whole(),
    }
)
_NEW_ITEM = {"metadata": Bag(), "price": ID, "price_data": _PRICE_DATA, "quantity": Whole(least=1)}
_ITEM = Shape(fields={**_NEW_ITEM, "deleted": Flag(), "id": ID})


@dataclass(frozen=True, kw_only=True)
class Moment(Param):
    """A timestamp, or one of some words."""

    words: tuple[str, ...]

    def parse(self, raw: Any, name: str) -> int | str:
        return str(raw) if raw in self.words else Whole().parse(raw, name)


_CANCEL_AT = Moment(clears=True, words=("max_period_end", "min_period_end"))
_ANCHOR = Shape(fields={"type": Choice(of=("now", "unchanged"), required=True)})
_PRORATION = Choice(of=("always_invoice", "create_prorations", "none"))
_OFF_SESSION = Flag(only=True)  # nobody stands by to be asked by a bank
_BEHAVIOR = Choice(of=("allow_incomplete", "error_if_incomplete"))

CREATE = takes(
    billing_mode=Shape(fields={"type": Choice(of=("classic", "flexible"), required=True)}),
    cancel_at_period_end=Flag(),
    collection_method=Choice(of=("charge_automatically",)),
    currency=Text(),
    customer=Text(required=True, most=255),
    default_payment_method=ID,
    description=Text(most=500),
    items=Items(of=Shape(fields=_NEW_ITEM), most=20, required=True),
    metadata=Bag(),
    off_session=_OFF_SESSION,
    payment_behavior=Choice(of=("allow_incomplete", "default_incomplete", "error_if_incomplete")),
)
UPDATE = takes(
    billing_cycle_anchor=_ANCHOR,
    cancel_at=_CANCEL_AT,
    cancel_at_period_end=Flag(),
    cancellation_details=_SAID,
    default_payment_method=ID,
    description=Text(clears=True, most=500),
    items=Items(of=_ITEM, most=20),
    metadata=Bag(),
    off_session=_OFF_SESSION,
    pause_collection=Shape(
        clears=True,
        fields={
            "behavior": Choice(of=("keep_as_draft", "mark_uncollectible", "void"), required=True),
            "resumes_at": Whole(),
        },
    ),
    payment_behavior=_BEHAVIOR,
    proration_behavior=_PRORATION,
    proration_date=Whole(),
)
CANCEL = takes(cancellation_details=_SAID, invoice_now=Flag(), prorate=Flag())
PAUSE = takes(
    bill_for=Shape(
        fields={
            "outstanding_usage_through": Shape(fields={"type": Choice(of=("none", "now"), required=True)}),
            "unused_time_from": Shape(
                fields={"type": Choice(of=("item_current_period_start", "none", "now"), required=True)}
            ),
        }
    ),
    invoicing_behavior=Choice(of=("invoice", "pending_invoice_item")),
    type=Choice(of=("subscription",)),
)
RESUME = takes(
    billing_cycle_anchor=_ANCHOR,
    payment_behavior=Choice(of=("resume_on_payment_attempt", "resume_on_payment_success")),
    proration_behavior=_PRORATION,
    proration_date=Whole(),
)
PREVIEW = takes(
    currency=Text(),
    customer=ID,
    preview_mode=Choice(of=("next", "recurring")),
    subscription=ID,
    subscription_details=Shape(
        fields={
            "billing_cycle_anchor": _ANCHOR,
            "cancel_at": _CANCEL_AT,
            "cancel_at_period_end": Flag(),
            "cancel_now": Flag(),
            "items": Items(of=_ITEM, most=20),
            "metadata": Bag(),
            "proration_behavior": _PRORATION,
            "proration_date": Whole(),
        }
    ),
)
LIST = pages(
    collection_method=Choice(of=("charge_automatically", "send_invoice")),
    customer=ID,
    status=Choice(
        of=(
            "active",
            "all",
            "canceled",
            "ended",
            "incomplete",
            "incomplete_expired",
            "past_due",
            "paused",
            "trialing",
            "unpaid",
        )
    ),
)
