"""Reading payment intents, charges and payment methods."""

from membership.sandbox import customers
from membership.sandbox.account import Account
from membership.sandbox.errors import invalid
from membership.sandbox.listing import Page, listed, matching, pages
from membership.sandbox.parameters import ID, Choice, takes
from membership.sandbox.store import Object

_TYPE = Choice(of=("card", "sepa_debit"))
INTENTS = pages(customer=ID)
CHARGES = pages(customer=ID, payment_intent=ID, transfer_group=ID)
METHODS = pages(False, customer=ID, type=_TYPE)
OF_CUSTOMER = pages(False, type=_TYPE)
CANCEL = takes(
    cancellation_reason=Choice(of=("abandoned", "duplicate", "fraudulent", "requested_by_customer"))
)


def retrieve_intent(account: Account, _params: Object, ident: str) -> Object:
    return account.get("payment_intent", ident, "intent")


def list_intents(account: Account, params: Object) -> Page:
    return listed(
        account, "payment_intent", "/v1/payment_intents", params, *matching(params, customer="customer")
    )


def retrieve_charge(account: Account, _params: Object, ident: str) -> Object:
    return account.get("charge", ident)


def list_charges(account: Account, params: Object) -> Page:
    wheres = matching(
        params, customer="customer", payment_intent="payment_intent", transfer_group="transfer_group"
    )
    return listed(account, "charge", "/v1/charges", params, *wheres)


def retrieve_method(account: Account, _params: Object, ident: str) -> Object:
    return account.get("payment_method", ident, "payment_method")


def list_methods(account: Account, params: Object) -> Page:
    if "customer" not in params:
        raise invalid("Missing required param: customer.", "customer", "parameter_missing")
    customers.living(account, params["customer"])
    return listed(
        account,
        "payment_method",
        "/v1/payment_methods",
        params,
        *matching(params, customer="customer", type="type"),
    )


def methods_of_customer(account: Account, params: Object, ident: str) -> Page:
    customers.living(account, ident)
    given = {**params, "customer": ident}
    url = f"/v1/customers/{ident}/payment_methods"
    return listed(account, "payment_method", url, params, *matching(given, customer="customer", type="type"))
