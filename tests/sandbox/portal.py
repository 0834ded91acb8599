"""The customer portal on the workbench: a configuration with everything on, sessions, and a card typed in."""

HOME = "http://127.0.0.1:8000/account"
FLOWS = (
    "customer_update",
    "payment_method_update",
    "subscription_cancel",
    "subscription_pause",
    "subscription_update",
)


def configured(bench, **features):
    """A configuration with everything on but changing plans; features given lie over it."""
    on = {"enabled": True}
    every = {
        "customer_update": {**on, "allowed_updates": ["name", "email"]},
        "invoice_history": on,
        "payment_method_update": on,
        "subscription_pause": on,
        "subscription_cancel": {**on, "cancellation_reason": {**on, "options": ["unused", "other"]}},
    }
    return bench.v1.billing_portal.configurations.create({"features": {**every, **features}})


def changeable(bench, member, *amounts):
    """What makes plans changeable: a product with other amounts to choose from, one for each interval."""
    made = []
    for amount in amounts:
        product = bench.v1.products.create({"name": f"Friend {amount}"})
        params = {"currency": member.currency, "product": product.id, "unit_amount": amount}
        made.append(bench.v1.prices.create({**params, "recurring": {"interval": "month"}}))
    products = [{"product": price.product, "prices": [price.id]} for price in made]
    feature = {"enabled": True, "default_allowed_updates": ["price"], "products": products}
    return made, {"subscription_update": feature}


def flow(kind, member, **more):
    named = {"subscription": member.id} if kind.startswith("subscription") else None
    return {"type": kind, **({kind: {**named, **more}} if named else {})}


def session(bench, member, asked=None, configuration=None, **more):
    if configuration is None:
        _, feature = changeable(bench, member, 900)
        configuration = configured(bench, **feature)
    params = {"customer": member.customer, "configuration": configuration.id, "return_url": HOME, **more}
    return bench.v1.billing_portal.sessions.create({**params, **({"flow_data": asked} if asked else {})})


def opened(bench, member, asked=None, configuration=None, **more):
    """The path of a new session's page."""
    return path_of(session(bench, member, asked, configuration, **more).url)


def path_of(url):
    return url.removeprefix("http://localhost:8001")


def offer(bench, path, card):
    return bench.browser.post(f"{path}/card", data={"card_number": card, "exp": "12/39", "cvc": "123"})
