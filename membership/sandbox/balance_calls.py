"""Reading the balance, its transactions and the payouts."""

from membership.sandbox import currencies
from membership.sandbox.account import Account
from membership.sandbox.listing import Page, listed, matching, pages
from membership.sandbox.parameters import ID, Span, Text
from membership.sandbox.store import Object, Where

MOVEMENTS = pages(currency=Text(), payout=ID, source=ID, type=Text())
PAYOUTS = pages(arrival_date=Span(), destination=ID, status=Text())


def retrieve_balance(account: Account, _params: Object) -> Object:
    """What is there now and what will be."""
    now = account.now()
    sums = {"available": 0, "pending": 0}
    for one in account.store.find("balance_transaction"):
        sums["available" if one["available_on"] <= now else "pending"] += one["net"]
    lines = {
        name: [{"amount": amount, "currency": currencies.SETTLEMENT, "source_types": {"card": amount}}]
        for name, amount in sums.items()
    }
    return {"object": "balance", "livemode": False, **lines}


def retrieve_movement(account: Account, _params: Object, ident: str) -> Object:
    return account.get("balance_transaction", ident)


def list_movements(account: Account, params: Object) -> Page:
    if "payout" in params:
        account.get("payout", params["payout"], "payout")
    wheres = matching(params, currency="currency", payout="_payout", source="source", type="type")
    return listed(account, "balance_transaction", "/v1/balance_transactions", params, *wheres)


def retrieve_payout(account: Account, _params: Object, ident: str) -> Object:
    return account.get("payout", ident)


def list_payouts(account: Account, params: Object) -> Page:
    wheres = matching(params, destination="destination", status="status")
    wheres += [Where("arrival_date", sign, moment) for sign, moment in params.get("arrival_date", [])]
    return listed(account, "payout", "/v1/payouts", params, *wheres)
