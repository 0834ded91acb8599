"""Portal configurations: what customers may do in the portal, and the prices they may choose.

One made by the API is never the default: that one exists once somebody saved the dashboard's portal settings
(`save_default`). As at Stripe, the products of `subscription_update` are shown only where they are expanded.
"""

import copy
from typing import Any

from membership.sandbox.account import Account
from membership.sandbox.errors import invalid
from membership.sandbox.ids import new_id
from membership.sandbox.listing import Page, listed
from membership.sandbox.parameters import merge_metadata
from membership.sandbox.portal_parameters import REASONS
from membership.sandbox.store import Object, Where

KIND = "billing_portal.configuration"
_URL = "/v1/billing_portal/configurations"

# every feature as it is when nothing was said about it
_FEATURES: Object = {
    "customer_update": {"allowed_updates": [], "enabled": False},
    "invoice_history": {"enabled": False},
    "payment_method_update": {"enabled": False, "payment_method_configuration": None},
    "subscription_cancel": {
        "cancellation_reason": {"enabled": False, "feedback_options": None, "options": list(REASONS)},
        "enabled": False,
        "mode": "at_period_end",
        "proration_behavior": "none",
    },
    "subscription_pause": {
        "duration": {
            "interval_options": [{"interval": "month", "interval_count": 1}],
            "type": "interval_options",
        },
        "enabled": False,
    },
    "subscription_update": {
        "billing_cycle_anchor": None,
        "default_allowed_updates": [],
        "enabled": False,
        "proration_behavior": "none",
        "schedule_at_period_end": {"conditions": []},
        "trial_update_behavior": "end_trial",
    },
}


def create(account: Account, params: Object) -> Object:
    return _make(account, params)


def save_default(account: Account) -> Object:
    """What somebody does in the dashboard: the account's own configuration, everything harmless switched on."""
    old = account.store.one(KIND, Where("is_default", "=", 1))
    on = {"enabled": True}
    features = {
        "invoice_history": on,
        "payment_method_update": on,
        "subscription_cancel": {**on, "cancellation_reason": {**on, "options": list(REASONS)}},
    }
    return old or _make(account, {"features": features}, is_default=True)


def _make(account: Account, params: Object, *, is_default: bool = False) -> Object:
    features, products = _merged(account, _FEATURES, params["features"], [])
    business = dict.fromkeys(("headline", "privacy_policy_url", "terms_of_service_url"))
    return account.add(
        {
            "id": new_id("bpc"),
            "object": KIND,
            "active": True,
            "application": None,
            "business_profile": {**business, **params.get("business_profile", {})},
            "created": account.now(),
            "default_return_url": params.get("default_return_url"),
            "features": features,
            "is_default": is_default,
            "livemode": False,
            "login_page": {"enabled": False, "url": None},
            "metadata": merge_metadata({}, params.get("metadata", {})),
            "name": params.get("name"),
            "updated": account.now(),
            "_products": products,
        },
        f"{KIND}.created",
    )


def update(account: Account, params: Object, ident: str) -> Object:
    found = account.get(KIND, ident, "configuration")
    if found["is_default"] and params.get("active") is False:
        raise invalid("You cannot deactivate the default configuration.", "active")
    values = {key: value for key, value in params.items() if key != "login_page"}
    if "business_profile" in values:
        values["business_profile"] = {**found["business_profile"], **values["business_profile"]}
    if "metadata" in values:
        values["metadata"] = merge_metadata(found["metadata"], values["metadata"])
    if "features" in values:
        features, products = _merged(account, found["features"], values["features"], found["_products"])
        values |= {"features": features, "_products": products}
    return account.change(found, f"{KIND}.updated", **values, updated=account.now())


def retrieve(account: Account, _params: Object, ident: str) -> Object:
    return account.get(KIND, ident, "configuration")


def catalogue_of(account: Account, params: Object) -> Page:
    wheres = [Where(name, "=", int(params[name])) for name in ("active", "is_default") if name in params]
    return listed(account, KIND, _URL, params, *wheres)


def default(account: Account) -> Object:
    found = account.store.one(KIND, Where("is_default", "=", 1))
    if found is None:
        raise invalid(
            "No configuration provided and your test mode default configuration has not been created. Provide a "
            "configuration or create your default by saving your customer portal settings in test mode at "
            "https://dashboard.stripe.com/test/settings/billing/portal."
        )
    return found


def with_products(configuration: Object) -> Object:
    """The configuration as it shows its products, for who asked."""
    features = configuration["features"]
    shown = {**features["subscription_update"], "products": configuration["_products"]}
    return {**configuration, "features": {**features, "subscription_update": shown}}


def prices(account: Account, configuration: Object, subscription: Object) -> list[Object]:
    """What a subscription may be changed to here: active prices in its own currency."""
    idents = [ident for product in configuration["_products"] for ident in product["prices"]]
    found = [account.get("price", ident) for ident in idents]
    return [one for one in found if one["active"] and one["currency"] == subscription["currency"]]


# reading what was given


def _merged(
    account: Account, old: Object, given: Object, products: list[Object]
) -> tuple[Object, list[Object]]:
    """All features with what was given laid over them, and the products of the plan change."""
    features = copy.deepcopy(old)
    for name, values in given.items():
        for key, value in values.items():
            if isinstance(value, dict):
                features[name][key] |= {inner: _listed(one) for inner, one in value.items()}
            elif key != "products":
                features[name][key] = _listed(value)
    changing = given.get("subscription_update", {})
    if "products" in changing:
        products = _products(account, changing["products"] or [])
    _check_pause(features["subscription_pause"]["duration"])
    _check_update(features, products)
    return features, products


def _listed(value: Any) -> Any:
    """Only lists can be emptied here."""
    return [] if value is None else value


def _check_pause(duration: Object) -> None:
    where = "features[subscription_pause][duration][interval_options]"
    if duration["type"] == "indefinite":
        duration["interval_options"] = []
    elif not duration["interval_options"]:
        raise invalid(f"Missing required param: {where}.", where, "parameter_missing")
    for option in duration["interval_options"]:
        option.setdefault("interval_count", 1)


def _check_update(features: Object, products: list[Object]) -> None:
    feature = features["subscription_update"]
    if not feature["enabled"]:
        return
    if not features["payment_method_update"]["enabled"]:
        raise invalid("Cannot enable subscription updates while payment method update is disabled.")
    for name, value in (
        ("default_allowed_updates", feature["default_allowed_updates"]),
        ("products", products),
    ):
        if not value:
            where = f"features[subscription_update][{name}]"
            raise invalid(f"Missing required param: {where}.", where, "parameter_missing")


def _products(account: Account, given: list[Object]) -> list[Object]:
    names = [one["product"] for one in given]
    if len(set(names)) < len(names):
        raise invalid("Each product may stand in the list once.", "features[subscription_update][products]")
    return [_product(account, one, index) for index, one in enumerate(given)]


def _product(account: Account, given: Object, index: int) -> Object:
    """A product whose prices exist, are its own, recur, and differ in currency or interval."""
    where = f"features[subscription_update][products][{index}]"
    product = account.get("product", given["product"], f"{where}[product]")
    seen = set()
    for place, ident in enumerate(given["prices"]):
        here = f"{where}[prices][{place}]"
        price = account.get("price", ident, here)
        if price["product"] != product["id"]:
            raise invalid(f"The price {ident} does not belong to the product {product['id']}.", here)
        if not price["active"] or not price["recurring"]:
            raise invalid(f"The price {ident} must be active and recurring.", here)
        turn = price["recurring"]
        kind = (price["currency"], turn["interval"], turn["interval_count"])
        if kind in seen:
            raise invalid(f"Prices of one product must have unique billing intervals: {product['id']}.", here)
        seen.add(kind)
    if not seen:
        raise invalid(f"Missing required param: {where}[prices].", f"{where}[prices]", "parameter_missing")
    adjustable = {"enabled": False, "maximum": None, "minimum": 1}
    return {"adjustable_quantity": adjustable, "prices": given["prices"], "product": product["id"]}
