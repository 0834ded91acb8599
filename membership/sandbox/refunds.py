"""Refunds: never more than is left of a charge; some succeed later, some fail after they had succeeded.

A refund's balance transaction comes about a second late, like a charge's. When one fails, what it took comes
back as a movement of its own and the charge is no longer counted as refunded.
"""

from membership.sandbox import balance, currencies, payment_methods
from membership.sandbox.account import Account, step
from membership.sandbox.cards import Card
from membership.sandbox.errors import ControlError, invalid
from membership.sandbox.ids import new_id
from membership.sandbox.listing import Page, listed, matching, pages
from membership.sandbox.parameters import ID, Bag, Choice, Whole, merge_metadata, takes
from membership.sandbox.store import Object, Where

CREATE = takes(
    amount=Whole(least=1),
    charge=ID,
    metadata=Bag(),
    payment_intent=ID,
    reason=Choice(of=("duplicate", "fraudulent", "requested_by_customer")),
)
UPDATE = takes(metadata=Bag())
LIST = pages(charge=ID, payment_intent=ID)
SOON = 1
_DECIDED_AFTER = 5  # seconds until a pending refund succeeds, or a doomed one fails
_COUNTED = ("pending", "requires_action", "succeeded")


def create(account: Account, params: Object) -> Object:
    charge = _charge_of(account, params)
    amount = _amount(account, charge, params)
    method = account.get("payment_method", charge["payment_method"])
    means = payment_methods.means_of(method)
    by_card = isinstance(means, Card)
    fate = means.refund if isinstance(means, Card) else "pending"
    refund = {
        "id": new_id("re" if by_card else "pyr"),
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": charge["id"],
        "created": account.now(),
        "currency": charge["currency"],
        "customer": charge["customer"],
        "customer_account": None,
        "description": None,
        "destination_details": _destination(method),
        "failure_balance_transaction": None,
        "failure_reason": None,
        "metadata": merge_metadata({}, params.get("metadata", {})),
        "payment_intent": charge["payment_intent"],
        "payment_method": charge["payment_method"],
        "pending_reason": "processing" if fate == "pending" else None,
        "reason": params.get("reason"),
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": "pending" if fate == "pending" else "succeeded",
        "transfer_reversal": None,
    }
    account.add(refund, "refund.created")
    back = charge["amount_refunded"] + amount
    account.change(charge, "charge.refunded", amount_refunded=back, refunded=back == charge["amount"])
    account.later(account.now() + SOON, "settle_refund", refund=refund["id"])
    if fate == "pending":
        account.later(account.now() + _DECIDED_AFTER, "succeed_refund", refund=refund["id"])
    elif fate == "fails_later":
        account.later(account.now() + _DECIDED_AFTER, "fail_refund", refund=refund["id"])
    return refund


def _charge_of(account: Account, params: Object) -> Object:
    if "charge" not in params and "payment_intent" not in params:
        raise invalid(
            "One of the following params should be provided for this request: payment_intent or charge.",
            "charge",
            "parameter_missing",
        )
    if "charge" in params:
        charge = account.get("charge", params["charge"], "charge")
        if params.get("payment_intent", charge["payment_intent"]) != charge["payment_intent"]:
            raise invalid("The charge does not belong to that payment_intent.", "payment_intent")
    else:
        intent = account.get("payment_intent", params["payment_intent"], "payment_intent")
        if intent["latest_charge"] is None:
            raise invalid(
                f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund.",
                "payment_intent",
            )
        charge = account.get("charge", intent["latest_charge"])
    return charge


def _amount(account: Account, charge: Object, params: Object) -> int:
    """How much to give back, when Stripe would."""
    if charge["status"] != "succeeded":
        raise invalid(f"This charge has a status of {charge['status']} and cannot be refunded.", "charge")
    if charge["refunded"]:
        raise invalid(
            f"Charge {charge['id']} has already been refunded.",
            code="charge_already_refunded",
            param="charge",
        )
    if charge["disputed"] and any(not one["is_charge_refundable"] for one in disputes_of(account, charge)):
        raise invalid(
            f"Charge {charge['id']} has been charged back; cannot issue a refund.",
            "charge",
            "charge_disputed",
        )
    left = charge["amount"] - charge["amount_refunded"]
    amount = int(params.get("amount", left))
    if amount > left:
        raise invalid(
            f"Refund amount ({currencies.shown(amount, charge['currency'])}) is greater than unrefunded amount on "
            f"charge ({currencies.shown(left, charge['currency'])})",
            "amount",
        )
    currencies.check_multiple(amount, charge["currency"], "amount")
    return amount


def disputes_of(account: Account, charge: Object) -> list[Object]:
    return account.store.find("dispute", Where("charge", "=", charge["id"]))


def _destination(method: Object) -> Object:
    if method["type"] != "card":
        return {"type": method["type"]}
    card = {
        "reference": None,
        "reference_status": "pending",
        "reference_type": "acquirer_reference_number",
        "type": "refund",
    }
    return {"card": card, "type": "card"}


@step("settle_refund")
def settle_refund(account: Account, *, refund: str) -> None:
    found = account.get("refund", refund)
    if found["balance_transaction"] is None and found["status"] in _COUNTED:
        taken = balance.of_refund(account, found, by_card=not refund.startswith("pyr"))
        _tell(account, found, "refund.updated", balance_transaction=taken["id"])


@step("succeed_refund")
def succeed_refund(account: Account, *, refund: str) -> None:
    found = account.get("refund", refund)
    if found["status"] == "pending":
        _tell(account, found, "refund.updated", status="succeeded", pending_reason=None)


@step("fail_refund")
def fail_refund(account: Account, *, refund: str) -> None:
    found = account.get("refund", refund)
    if found["status"] in {"pending", "succeeded"}:
        fail(account, found)


def fail(account: Account, refund: Object) -> Object:
    """The bank sends it back: the charge counts as paid again."""
    if refund["status"] not in {"pending", "succeeded"}:
        raise ControlError(f"{refund['id']} can not fail: it is {refund['status']}.")
    _give_back(account, refund)
    returned = None
    if refund["balance_transaction"]:
        returned = balance.of_failed_refund(account, refund)["id"]
    return _tell(
        account,
        refund,
        "refund.failed",
        status="failed",
        pending_reason=None,
        failure_reason="lost_or_stolen_card" if refund["id"].startswith("re_") else "unknown",
        failure_balance_transaction=returned,
    )


def _give_back(account: Account, refund: Object) -> None:
    charge = account.get("charge", refund["charge"])
    left = charge["amount_refunded"] - refund["amount"]
    account.change(charge, "charge.updated", amount_refunded=left, refunded=False)


def _tell(account: Account, refund: Object, event: str, **values: object) -> Object:
    """refund.* and, for those who listen to charges, charge.refund.updated."""
    before = dict(refund)
    account.change(refund, event, **values)
    previous = {key: before[key] for key in values if before[key] != refund[key]}
    account.emit("charge.refund.updated", refund, previous)
    return refund


def retrieve(account: Account, _params: Object, ident: str) -> Object:
    return account.get("refund", ident)


def update(account: Account, params: Object, ident: str) -> Object:
    refund = account.get("refund", ident)
    if "metadata" not in params:
        return refund
    return _tell(
        account, refund, "refund.updated", metadata=merge_metadata(refund["metadata"], params["metadata"])
    )


def cancel(account: Account, _params: Object, ident: str) -> Object:
    refund = account.get("refund", ident)
    if refund["status"] != "requires_action":
        raise invalid(
            f"Only refunds with a status of requires_action can be canceled; this one is {refund['status']}."
        )
    _give_back(account, refund)
    return _tell(account, refund, "refund.updated", status="canceled")


def catalogue_of(account: Account, params: Object) -> Page:
    wheres = matching(params, charge="charge", payment_intent="payment_intent")
    return listed(account, "refund", "/v1/refunds", params, *wheres)
