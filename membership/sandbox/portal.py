"""Portal sessions: opened by the API for one customer, a few minutes later worth nothing.

The url is the key: whoever has it is the customer. It must be visited within five minutes and lasts an hour from
then. A flow leads to one page alone; what the configuration has switched off cannot be asked for.
"""

import hmac

from membership.sandbox import customers, portal_configurations
from membership.sandbox.account import Account
from membership.sandbox.clock import HOUR
from membership.sandbox.errors import invalid, missing_object
from membership.sandbox.ids import new_id, random_text
from membership.sandbox.store import Object

KIND = "billing_portal.session"
_UNOPENED = 300  # seconds in which the link must be followed
_FEATURE_OF = {
    "customer_update": "customer_update",
    "payment_method_update": "payment_method_update",
    "subscription_cancel": "subscription_cancel",
    "subscription_pause": "subscription_pause",
    "subscription_update": "subscription_update",
    "subscription_update_confirm": "subscription_update",
}
_GONE = ("canceled", "incomplete_expired")


def create(account: Account, params: Object) -> Object:
    customer = customers.living(account, params["customer"])
    configuration = _configuration(account, params)
    flow = params.get("flow_data")
    ident, secret = new_id("bps"), random_text(40)
    session: Object = {
        "id": ident,
        "object": KIND,
        "after_expiration": None,
        "configuration": configuration["id"],
        "created": account.now(),
        "customer": customer["id"],
        "customer_account": None,
        "flow": _flow(account, configuration, customer, flow) if flow else None,
        "livemode": False,
        "locale": params.get("locale"),
        "on_behalf_of": None,
        "return_url": params.get("return_url") or configuration["default_return_url"],
        "url": f"{account.settings.public_url}/portal/{ident}_{secret}",
        "_done": False,
        "_opened_at": None,
        "_secret": secret,
        "_setup": None,
    }
    return account.add(session, f"{KIND}.created")


def _configuration(account: Account, params: Object) -> Object:
    if "configuration" not in params:
        return portal_configurations.default(account)
    found = account.get(portal_configurations.KIND, params["configuration"], "configuration")
    if not found["active"]:
        raise invalid(f"The configuration {found['id']} is not active.", "configuration")
    return found


# flows


def _flow(account: Account, configuration: Object, customer: Object, given: Object) -> Object:
    kind = given["type"]
    feature = _FEATURE_OF[kind]
    if not configuration["features"][feature]["enabled"]:
        raise invalid(
            f"This flow cannot be used because the {feature.replace('_', ' ')} feature in the portal configuration is "
            "disabled.",
            "flow_data[type]",
        )
    for name in _FEATURE_OF:
        if name in given and name != kind:
            raise invalid(
                f"`flow_data[{name}]` can only be used with `flow_data[type]={name}`.", f"flow_data[{name}]"
            )
    if kind.startswith("subscription"):
        where = f"flow_data[{kind}]"
        if kind not in given:
            raise invalid(f"Missing required param: {where}.", where, "parameter_missing")
        subject = given[kind]
        subscription = _subscription(account, customer, subject["subscription"], f"{where}[subscription]")
        _check_subject(account, configuration, subscription, kind, subject)
    blank: Object = {name: None for name in _FEATURE_OF if name != "payment_method_update"}
    after = _after(given.get("after_completion"))
    return {**blank, **_subject(kind, given.get(kind, {})), "after_completion": after, "type": kind}


def _subject(kind: str, given: Object) -> Object:
    """What a flow is about, as the session shows it."""
    if kind == "payment_method_update":
        return {}
    if kind == "subscription_cancel":
        return {kind: {"retention": None, **given}}
    if kind == "subscription_update_confirm":
        items = [{"price": None, "quantity": None, **one} for one in given["items"]]
        return {kind: {"discounts": None, **given, "items": items}}
    return {kind: given}


def _subscription(account: Account, customer: Object, ident: str, where: str) -> Object:
    subscription = account.get("subscription", ident, where)
    if subscription["customer"] != customer["id"]:
        raise missing_object("subscription", ident, where)
    return subscription


def _check_subject(
    account: Account, configuration: Object, subscription: Object, kind: str, subject: Object
) -> None:
    where = f"flow_data[{kind}][subscription]"
    if subscription["status"] in _GONE:
        raise invalid(f"The subscription {subscription['id']} has already ended.", where)
    if kind == "subscription_cancel" and ending(subscription):
        raise invalid(f"The subscription {subscription['id']} is already set to be canceled.", where)
    if kind == "subscription_pause" and is_paused(subscription):
        raise invalid(f"The subscription {subscription['id']} is already paused.", where)
    if not kind.startswith("subscription_update"):
        return
    check_changeable(subscription, where)
    if kind == "subscription_update_confirm":
        _check_confirm(account, configuration, subscription, subject)


def check_changeable(subscription: Object, where: str | None = None) -> None:
    """The portal changes only what is plain: one item, running, not ending."""
    if len(subscription["items"]["data"]) > 1:
        raise invalid("This subscription cannot be updated because it has multiple items.", where)
    if ending(subscription) or subscription["status"] not in {"active", "past_due"}:
        raise invalid("This subscription cannot be updated because it is not running on.", where)


def _check_confirm(account: Account, configuration: Object, subscription: Object, subject: Object) -> None:
    where = "flow_data[subscription_update_confirm][items]"
    if not subject["items"]:
        raise invalid(f"Missing required param: {where}.", where, "parameter_missing")
    wanted, own = subject["items"][0], subscription["items"]["data"][0]
    if wanted["id"] != own["id"]:
        raise missing_object("subscription_item", wanted["id"], f"{where}[0][id]")
    if "quantity" in wanted:
        raise invalid(
            "The quantity is not among the configuration's allowed updates.", f"{where}[0][quantity]"
        )
    if wanted.get("price") in {None, own["price"]["id"]}:
        raise invalid(
            "There is nothing to confirm: the subscription would stay as it is.", f"{where}[0][price]"
        )
    offered = [one["id"] for one in portal_configurations.prices(account, configuration, subscription)]
    if wanted["price"] not in offered:
        raise invalid(
            f"The price {wanted['price']} must also be included in the configuration's "
            "`features.subscription_update.products`.",
            f"{where}[0][price]",
        )


def _after(given: Object | None) -> Object:
    given = given or {"type": "portal_homepage"}
    kind = given["type"]
    for name in ("hosted_confirmation", "redirect"):
        where = f"flow_data[after_completion][{name}]"
        if name in given and name != kind:
            raise invalid(f"`{where}` can only be used with type `{name}`.", where)
    if kind == "redirect" and "redirect" not in given:
        where = "flow_data[after_completion][redirect]"
        raise invalid(f"Missing required param: {where}.", where, "parameter_missing")
    told = {"custom_message": None, **given.get("hosted_confirmation", {})}
    return {
        "hosted_confirmation": told if kind == "hosted_confirmation" else None,
        "redirect": given.get("redirect"),
        "type": kind,
    }


# what a page may ask


def ending(subscription: Object) -> bool:
    """Whether it was told to end, one way or the other."""
    return bool(subscription["cancel_at_period_end"] or subscription["cancel_at"])


def is_paused(subscription: Object) -> bool:
    return subscription["status"] == "paused" or subscription["pause_collection"] is not None


def of_page(account: Account, token: str) -> Object | None:
    """The session whose page has this last part in its address, while it lasts; the first visit is noted."""
    ident, _, secret = token.rpartition("_")
    session = account.store.get(ident)
    if session is None or session["object"] != KIND or not hmac.compare_digest(session["_secret"], secret):
        return None
    customer = account.store.get(session["customer"]) or {"deleted": True}
    until = (session["_opened_at"] + HOUR) if session["_opened_at"] else session["created"] + _UNOPENED
    if customer.get("deleted") or account.now() >= until:
        return None
    if session["_opened_at"] is None:
        with account.store.transaction():
            account.change(session, None, _opened_at=account.now())
    return session


def configuration_of(account: Account, session: Object) -> Object:
    return account.get(portal_configurations.KIND, session["configuration"])


def current_flow(session: Object) -> Object | None:
    """The flow that this session is bound to; one that ends on the homepage binds it only until it is done."""
    flow: Object | None = session["flow"]
    if flow and session["_done"] and flow["after_completion"]["type"] == "portal_homepage":
        return None
    return flow


def may(account: Account, session: Object, feature: str) -> bool:
    """Whether this session may use a feature: the configuration's, and within a flow only the flow's own."""
    flow = current_flow(session)
    if flow and (session["_done"] or _FEATURE_OF[flow["type"]] != feature):
        return False
    return bool(configuration_of(account, session)["features"][feature]["enabled"])


def subscription_of(account: Account, session: Object, ident: str) -> Object | None:
    """One of this customer's running subscriptions; within a flow, the flow's own."""
    subscription = account.store.get(ident)
    if subscription is None or subscription["object"] != "subscription":
        return None
    if subscription["customer"] != session["customer"] or subscription["status"] in _GONE:
        return None
    flow = current_flow(session)
    subject = flow.get(flow["type"]) if flow else None
    if subject and subject["subscription"] != ident:
        return None
    return subscription
