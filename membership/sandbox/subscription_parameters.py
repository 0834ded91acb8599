"""What the calls on subscriptions take."""

from membership.sandbox.catalogue import RECURRING
from membership.sandbox.listing import pages
from membership.sandbox.parameters import ID, Bag, Choice, Flag, Items, Shape, Text, Whole, takes

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
_ITEM = Shape(fields={"id": ID, "price": ID, "price_data": _PRICE_DATA, "quantity": Whole(least=1)})

UPDATE = takes(
    cancel_at_period_end=Flag(),
    cancellation_details=_SAID,
    default_payment_method=ID,
    description=Text(clears=True, most=500),
    items=Items(of=_ITEM, most=20),
    metadata=Bag(),
    pause_collection=Shape(
        clears=True,
        fields={
            "behavior": Choice(of=("keep_as_draft", "mark_uncollectible", "void"), required=True),
            "resumes_at": Whole(),
        },
    ),
    proration_behavior=Choice(of=("always_invoice", "create_prorations", "none")),
)
CANCEL = takes(cancellation_details=_SAID, invoice_now=Flag(only=False), prorate=Flag(only=False))
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
