"""How a Checkout Session looks when it is opened."""

from membership.sandbox import shapes
from membership.sandbox.account import Account
from membership.sandbox.clock import DAY
from membership.sandbox.errors import invalid
from membership.sandbox.ids import new_id
from membership.sandbox.parameters import merge_metadata
from membership.sandbox.store import Object


def method_types(params: Object, currency: str) -> list[str]:
    offered = ["card", "sepa_debit"] if currency == "eur" else ["card"]
    allowed = params.get("allowed_payment_method_types")
    without = params.get("excluded_payment_method_types", [])
    return [kind for kind in offered if kind not in without and (allowed is None or kind in allowed)]


# what is simply said back
_ECHOED = (
    "billing_address_collection",
    "cancel_url",
    "client_reference_id",
    "customer_email",
    "locale",
    "mode",
    "origin_context",
    "submit_type",
    "success_url",
)
_COLLECTION = {"payment": "if_required", "subscription": "always"}

# what every new session has in common
_NEW: Object = {
    "object": "checkout.session",
    "allow_promotion_codes": None,
    "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
    "client_secret": None,
    "collected_information": None,
    "consent": None,
    "consent_collection": None,
    "currency_conversion": None,
    "custom_fields": [],
    "customer_account": None,
    "discounts": [],
    "integration_identifier": None,
    "invoice": None,
    "livemode": False,
    "payment_intent": None,
    "payment_link": None,
    "payment_method_configuration_details": None,
    "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
    "payment_status": "unpaid",
    "permissions": None,
    "phone_number_collection": {"enabled": False},
    "presentment_details": None,
    "recovered_from": None,
    "redirect_on_completion": None,
    "return_url": None,
    "setup_intent": None,
    "shipping_address_collection": None,
    "shipping_cost": None,
    "shipping_options": [],
    "status": "open",
    "subscription": None,
    "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
    "ui_mode": "hosted_page",
    "wallet_options": None,
    "_intent": None,
    "_payer": None,
}


def blank(
    account: Account, params: Object, *, items: list[Object], currency: str, payer: Object | None
) -> Object:
    """A new open session."""
    total = sum(item["amount_total"] for item in items)
    ident = new_id("cs_test")
    methods = method_types(params, currency)
    if not methods:
        raise invalid(
            "No valid payment method types for this Checkout Session.", "excluded_payment_method_types"
        )
    email = params.get("customer_email") or (payer["email"] if payer else None)
    payment = params["mode"] == "payment"
    creation = None if payer else params.get("customer_creation", "if_required") if payment else "always"
    return shapes.filled(
        _NEW,
        **{name: params.get(name) for name in _ECHOED},
        id=ident,
        adaptive_pricing=params.get("adaptive_pricing") or {"enabled": True},
        after_expiration=_recovery(params),
        amount_subtotal=total,
        amount_total=total,
        created=account.now(),
        currency=currency,
        custom_text=_custom_text(params),
        customer=payer["id"] if payer else None,
        customer_creation=creation,
        customer_details=details(email, payer["name"] if payer else None) if email else None,
        expires_at=params.get("expires_at", account.now() + DAY),
        invoice_creation=_no_invoice() if payment else None,
        metadata=merge_metadata({}, params.get("metadata", {})),
        payment_method_collection=params.get("payment_method_collection", _COLLECTION[params["mode"]]),
        payment_method_types=methods,
        saved_payment_method_options=_saved(params) if payer else None,
        url=f"{account.settings.public_url}/pay/{ident}",
        _customer_update=params.get("customer_update", {}),
        _intent_data=params.get("payment_intent_data", {}),
        _line_items=items,
        _subscription_data=params.get("subscription_data", {}),
    )


def _recovery(params: Object) -> Object | None:
    asked = params.get("after_expiration", {}).get("recovery")
    if not asked:
        return None
    return {
        "recovery": {
            "allow_promotion_codes": asked.get("allow_promotion_codes", False),
            "enabled": asked["enabled"],
            "expires_at": None,
            "url": None,
        }
    }


def _custom_text(params: Object) -> Object:
    blank = dict.fromkeys(("after_submit", "shipping_address", "submit", "terms_of_service_acceptance"))
    return {**blank, **params.get("custom_text", {})}


def _no_invoice() -> Object:
    data = dict.fromkeys(
        ("account_tax_ids", "custom_fields", "description", "footer", "issuer", "rendering_options")
    )
    return {"enabled": False, "invoice_data": {**data, "metadata": {}}}


def _saved(params: Object) -> Object:
    blank = {
        "allow_redisplay_filters": ["always"],
        "payment_method_remove": "disabled",
        "payment_method_save": None,
    }
    return {**blank, **params.get("saved_payment_method_options", {})}


def details(email: str | None, name: str | None, country: str | None = None) -> Object:
    return {
        "address": {**shapes.no_address(), "country": country} if country else None,
        "business_name": None,
        "email": email,
        "individual_name": None,
        "name": name,
        "phone": None,
        "tax_exempt": "none",
        "tax_ids": [],
    }
