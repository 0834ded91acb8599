"""The account's balance: every movement of money is a balance transaction, in euros.

Stripe keeps 1.5 % + 0.25 of each charge and gives nothing of it back. A movement is final: a failed refund or
a won dispute is another movement. Payouts sweep what they carry; `_payout` says which one took a movement.
"""

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from membership.sandbox import currencies, shapes
from membership.sandbox.account import Account, step
from membership.sandbox.clock import DAY
from membership.sandbox.errors import ControlError
from membership.sandbox.ids import new_id
from membership.sandbox.store import Object, Where

DISPUTE_FEE = 2000
_AVAILABLE_AFTER = 7 * DAY

_CATEGORIES = {
    "charge": "charge",
    "payment": "charge",
    "refund": "refund",
    "payment_refund": "refund",
    "refund_failure": "refund_failure",
    "payment_failure_refund": "charge_failure",
    "adjustment": "dispute",
    "payout": "payout",
    "payout_failure": "payout_reversal",
}


def fee_on(settled: int) -> int:
    return int((Decimal(settled) * Decimal("0.015") + 25).quantize(Decimal(1), ROUND_HALF_UP))


def _fee_details(fee: int, kind: str) -> list[Object]:
    what = {
        "application": None,
        "currency": currencies.SETTLEMENT,
        "description": "Dispute fee" if kind == "adjustment" else "Stripe processing fees",
        "type": "stripe_fee",
    }
    return [{"amount": fee, **what}] if fee else []


def _move(
    account: Account,
    source: str,
    kind: str,
    amount: int,
    *,
    fee: int = 0,
    exchange_rate: Decimal | None = None,
    description: str | None = None,
    category: str | None = None,
    at_once: bool = False,
) -> Object:
    return account.add(
        {
            "id": new_id("txn"),
            "object": "balance_transaction",
            "amount": amount,
            "available_on": account.now() + (0 if at_once else _AVAILABLE_AFTER),
            "balance_type": "payments",
            "created": account.now(),
            "currency": currencies.SETTLEMENT,
            "description": description,
            "exchange_rate": None if exchange_rate is None else float(exchange_rate),
            "fee": fee,
            "fee_details": _fee_details(fee, kind),
            "net": amount - fee,
            "reporting_category": category or _CATEGORIES[kind],
            "source": source,
            "status": "pending",
            "type": kind,
            "_payout": None,
        }
    )


def _rate(currency: str, *, outward: bool) -> Decimal | None:
    return None if currency == currencies.SETTLEMENT else currencies.rate(currency, outward=outward)


def of_charge(account: Account, charge: Object) -> Object:
    settled = currencies.settled(charge["amount"], charge["currency"])
    by_card = charge["payment_method_details"]["type"] == "card"
    return _move(
        account,
        charge["id"],
        "charge" if by_card else "payment",
        settled,
        fee=fee_on(settled),
        exchange_rate=_rate(charge["currency"], outward=False),
        description=charge["description"],
    )


def of_refund(account: Account, refund: Object, *, by_card: bool) -> Object:
    amount = currencies.settled(refund["amount"], refund["currency"], outward=True)
    return _move(
        account,
        refund["id"],
        "refund" if by_card else "payment_refund",
        -amount,
        exchange_rate=_rate(refund["currency"], outward=True),
        description="REFUND FOR CHARGE",
        at_once=True,
    )


def of_failed_refund(account: Account, refund: Object) -> Object:
    """What came back: exactly what the refund took."""
    taken = account.get("balance_transaction", refund["balance_transaction"])
    rate = taken["exchange_rate"]
    return _move(
        account,
        refund["id"],
        "refund_failure",
        -taken["amount"],
        exchange_rate=None if rate is None else Decimal(str(rate)),
        description="REFUND FAILURE",
        at_once=True,
    )


def of_dispute(account: Account, dispute: Object, *, reversal: bool = False) -> Object:
    amount = currencies.settled(dispute["amount"], dispute["currency"], outward=True)
    return _move(
        account,
        dispute["id"],
        "adjustment",
        amount if reversal else -amount,
        fee=0 if reversal else DISPUTE_FEE,
        exchange_rate=_rate(dispute["currency"], outward=True),
        description=f"Chargeback {'reversal' if reversal else 'withdrawal'} for {dispute['charge']}",
        category="dispute_reversal" if reversal else "dispute",
        at_once=True,
    )


def total(account: Account) -> int:
    rows = account.store.run(
        "SELECT coalesce(sum(json_extract(body, '$.net')), 0) FROM objects WHERE kind = 'balance_transaction'"
    )
    return int(rows[0][0])


def pay_out(account: Account, *, fails: bool = False) -> Object:
    """Sends everything on the balance to the bank now, as if it had all become available.

    One that `fails` is paid first; the bank sends it back a day later.
    """
    waiting = account.store.find("balance_transaction", Where("_payout", "is", None))
    amount = sum(one["net"] for one in waiting)
    if amount <= 0:
        raise ControlError(f"There is nothing to pay out: the balance is {amount} cents.")
    now = account.now()
    payout = account.add(_payout(account, amount), "payout.created")
    own = _move(account, payout["id"], "payout", -amount, description="STRIPE PAYOUT", at_once=True)
    for one in [*waiting, own]:
        account.change(one, None, _payout=payout["id"], available_on=min(one["available_on"], now))
    account.change(payout, "payout.updated", balance_transaction=own["id"], status="in_transit")
    trace: dict[str, Any] = {"status": "supported", "value": payout["id"][-12:].upper()}
    account.change(payout, "payout.paid", status="paid", trace_id=trace)
    account.change(payout, "payout.reconciliation_completed", reconciliation_status="completed")
    if fails:
        account.later(now + DAY, "fail_payout", payout=payout["id"])
    return payout


@step("fail_payout")
def fail_payout(account: Account, *, payout: str) -> None:
    """The money is back on the balance, as a movement of its own that the next payout carries."""
    sent = account.get("payout", payout)
    back = _move(
        account, payout, "payout_failure", sent["amount"], description="STRIPE PAYOUT FAILURE", at_once=True
    )
    account.change(
        sent,
        "payout.failed",
        status="failed",
        failure_balance_transaction=back["id"],
        failure_code="account_closed",
        failure_message="The bank account has been closed.",
    )


# what every new payout has in common
_PAYOUT: Object = {
    "object": "payout",
    "application_fee": None,
    "application_fee_amount": None,
    "automatic": True,
    "balance_transaction": None,
    "description": "STRIPE PAYOUT",
    "destination": "ba_1PressfundSandboxBank0000",
    "failure_balance_transaction": None,
    "failure_code": None,
    "failure_message": None,
    "livemode": False,
    "metadata": {},
    "method": "standard",
    "original_payout": None,
    "payout_method": None,
    "reconciliation_status": "in_progress",
    "reversed_by": None,
    "source_type": "card",
    "statement_descriptor": None,
    "status": "pending",
    "trace_id": {"status": "pending", "value": None},
    "type": "bank_account",
}


def _payout(account: Account, amount: int) -> Object:
    return shapes.filled(
        _PAYOUT,
        id=new_id("po"),
        amount=amount,
        arrival_date=account.now() + 2 * DAY,
        created=account.now(),
        currency=currencies.SETTLEMENT,
    )
