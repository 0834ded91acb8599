"""The account in a few whole numbers, so that a test can compare our books with Stripe's."""

from membership.sandbox import balance
from membership.sandbox.account import Account
from membership.sandbox.store import Object, Where

_REFUNDED = ("pending", "requires_action", "succeeded")
_RUNNING = ("active", "past_due", "trialing", "unpaid", "paused")


def state(account: Account, email: str | None = None) -> dict[str, int]:
    """Counts and sums; with an e-mail those of that customer alone."""
    store = account.store
    wanted = email.casefold() if email else None

    def belongs(address: str | None) -> bool:
        return wanted is None or (address or "").casefold() == wanted

    customers = [one for one in store.find("customer", Where("deleted", "is", None)) if belongs(one["email"])]
    sessions = [one for one in store.find("checkout.session") if belongs(_address(one))]
    charges = [
        one
        for one in store.find("charge", Where("status", "=", "succeeded"))
        if belongs(one["billing_details"]["email"])
    ]
    paid = {one["id"] for one in charges}
    refunds = [one for one in store.find("refund") if one["charge"] in paid and one["status"] in _REFUNDED]
    disputes = [one for one in store.find("dispute") if one["charge"] in paid]
    known = {one["id"] for one in customers}
    running = [
        one
        for one in store.find("subscription", Where("status", "=", list(_RUNNING)))
        if wanted is None or one["customer"] in known
    ]
    sources = (
        paid
        | {one["id"] for one in store.find("refund") if one["charge"] in paid}
        | {d["id"] for d in disputes}
    )
    return {
        "customers": len(customers),
        "sessions": len(sessions),
        "charges": len(charges),
        "charged": sum(one["amount"] for one in charges),
        "refunds": len(refunds),
        "refunded": sum(one["amount"] for one in refunds),
        "disputes": len(disputes),
        "subscriptions_live": len(running),
        "balance": balance.total(account) if wanted is None else _net_of(account, sources),
    }


def _address(session: Object) -> str | None:
    details = session["customer_details"] or {}
    return details.get("email") or session["customer_email"]


def _net_of(account: Account, sources: set[str]) -> int:
    return sum(one["net"] for one in account.store.find("balance_transaction") if one["source"] in sources)
