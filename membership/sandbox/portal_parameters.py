"""What the calls on the customer portal take: its configurations and its sessions."""

from membership.sandbox.listing import pages
from membership.sandbox.parameters import ID, URL, Bag, Choice, Flag, Items, Param, Shape, Text, Whole, takes
from membership.sandbox.session_parameters import LOCALES

REASONS = (
    "customer_service",
    "low_quality",
    "missing_features",
    "other",
    "switched_service",
    "too_complex",
    "too_expensive",
    "unused",
)
_LINK = Text(clears=True, pattern=URL.pattern, says=URL.says)
_PRODUCT = Shape(
    fields={
        "adjustable_quantity": Shape(fields={"enabled": Flag(required=True, only=False)}),
        "prices": Items(of=ID, most=20, required=True),
        "product": Text(required=True, most=255),
    }
)
_DURATION = Shape(
    fields={
        "interval_options": Items(
            clears=True,
            most=10,
            of=Shape(
                fields={
                    "interval": Choice(of=("day", "month", "week", "year"), required=True),
                    "interval_count": Whole(least=1, most=1095),
                }
            ),
        ),
        "type": Choice(of=("indefinite", "interval_options"), required=True),
    }
)


# nothing is put off to the end of a period
_CONDITIONS = Items(of=Shape(fields={"type": Text(required=True)}), most=0)


def _features(*, new: bool) -> Shape:
    """A new configuration must say of each feature it names whether it is on."""
    enabled = Flag(required=new)
    reason = Shape(
        fields={
            "enabled": enabled,
            "options": Items(of=Choice(of=REASONS), most=len(REASONS), clears=True, required=new),
        }
    )
    fields: dict[str, Param] = {
        "customer_update": Shape(
            fields={
                "allowed_updates": Items(of=Choice(of=("email", "name", "phone")), clears=True),
                "enabled": enabled,
            }
        ),
        "invoice_history": Shape(fields={"enabled": enabled}),
        "payment_method_update": Shape(fields={"enabled": enabled}),
        "subscription_cancel": Shape(
            fields={
                "cancellation_reason": reason,
                "enabled": enabled,
                "mode": Choice(of=("at_period_end", "immediately")),
                "proration_behavior": Choice(of=("none",)),
            }
        ),
        "subscription_pause": Shape(fields={"duration": _DURATION, "enabled": Flag()}),
        "subscription_update": Shape(
            fields={
                "billing_cycle_anchor": Choice(of=("unchanged",)),
                "default_allowed_updates": Items(of=Choice(of=("price",)), clears=True),
                "enabled": enabled,
                "products": Items(of=_PRODUCT, most=10, clears=True),
                "proration_behavior": Choice(of=("always_invoice", "create_prorations", "none")),
                "schedule_at_period_end": Shape(fields={"conditions": _CONDITIONS}),
                "trial_update_behavior": Choice(of=("continue_trial", "end_trial")),
            }
        ),
    }
    return Shape(fields=fields, required=new)


_BUSINESS = Shape(
    fields={
        "headline": Text(clears=True, most=60),
        "privacy_policy_url": _LINK,
        "terms_of_service_url": _LINK,
    }
)
_COMMON = {
    "business_profile": _BUSINESS,
    "default_return_url": _LINK,
    # a login page of its own would let people in beside the application
    "login_page": Shape(fields={"enabled": Flag(required=True, only=False)}),
    "metadata": Bag(),
    "name": Text(clears=True, most=255),
}
CREATE = takes(**_COMMON, features=_features(new=True))
UPDATE = takes(**_COMMON, active=Flag(), features=_features(new=False))
LIST = pages(False, active=Flag(), is_default=Flag())

_SUBSCRIPTION = {"subscription": Text(required=True, most=255)}
_AFTER = Shape(
    fields={
        "hosted_confirmation": Shape(fields={"custom_message": Text(most=500)}),
        "redirect": Shape(
            fields={"return_url": Text(required=True, pattern=URL.pattern, says=URL.says)},
        ),
        "type": Choice(of=("hosted_confirmation", "portal_homepage", "redirect"), required=True),
    }
)
_ITEM = Shape(fields={"id": Text(required=True, most=255), "price": ID, "quantity": Whole(least=1)})
FLOWS = (
    "customer_update",
    "payment_method_update",
    "subscription_cancel",
    "subscription_pause",
    "subscription_update",
    "subscription_update_confirm",
)
_FLOW = Shape(
    fields={
        "after_completion": _AFTER,
        "subscription_cancel": Shape(fields=_SUBSCRIPTION),
        "subscription_pause": Shape(fields=_SUBSCRIPTION),
        "subscription_update": Shape(fields=_SUBSCRIPTION),
        "subscription_update_confirm": Shape(
            fields={**_SUBSCRIPTION, "items": Items(of=_ITEM, most=1, required=True)}
        ),
        "type": Choice(of=FLOWS, required=True),
    }
)
_LOCALES = (
    *(one for one in LOCALES if one != "hi-IN"),
    *(f"en-{country}" for country in ("AU", "CA", "IE", "IN", "NZ", "SG")),
)
OPEN = takes(
    configuration=ID,
    customer=Text(required=True, most=255),
    flow_data=_FLOW,
    locale=Choice(of=_LOCALES),
    return_url=URL,
)
