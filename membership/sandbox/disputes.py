"""Disputes: the money goes at once, an inquiry asks first, an early fraud warning only warns.

A bank debit's dispute is final. A won one brings the amount back, not the fee.
"""

from membership.sandbox import balance, shapes
from membership.sandbox.account import Account, step
from membership.sandbox.clock import DAY
from membership.sandbox.errors import ControlError
from membership.sandbox.ids import new_id
from membership.sandbox.listing import Page, listed, matching, pages
from membership.sandbox.parameters import ID
from membership.sandbox.store import Object

LIST = pages(charge=ID, payment_intent=ID)
WARNINGS_LIST = pages(charge=ID, payment_intent=ID)
_ANSWER_WITHIN = 9 * DAY
_OPEN = ("needs_response", "under_review", "warning_needs_response", "warning_under_review")
_EVIDENCE = [
    "access_activity_log",
    "billing_address",
    "cancellation_policy",
    "cancellation_policy_disclosure",
    "cancellation_rebuttal",
    "customer_communication",
    "customer_email_address",
    "customer_name",
    "customer_purchase_ip",
    "customer_signature",
    "duplicate_charge_documentation",
    "duplicate_charge_explanation",
    "duplicate_charge_id",
    "product_description",
    "receipt",
    "refund_policy",
    "refund_policy_disclosure",
    "refund_refusal_explanation",
    "service_date",
    "service_documentation",
    "shipping_address",
    "shipping_carrier",
    "shipping_date",
    "shipping_documentation",
    "shipping_tracking_number",
    "uncategorized_file",
    "uncategorized_text",
]


@step("dispute")
def of_test_card(account: Account, *, charge: str, reason: str) -> None:
    found = account.get("charge", charge)
    if reason == "early_fraud_warning":
        warn(account, found)
    elif not found["disputed"] and not found["refunded"]:
        start(account, found, reason)


def warn(account: Account, charge: Object) -> Object:
    return account.add(
        {
            "id": new_id("issfr"),
            "object": "radar.early_fraud_warning",
            "actionable": not charge["refunded"],
            "charge": charge["id"],
            "created": account.now(),
            "fraud_type": "misc",
            "livemode": False,
            "payment_intent": charge["payment_intent"],
        },
        "radar.early_fraud_warning.created",
    )


def start(account: Account, charge: Object, reason: str) -> Object:
    if charge["status"] != "succeeded":
        raise ControlError(f"{charge['id']} was never paid, so nobody can dispute it.")
    if charge["disputed"]:
        raise ControlError(f"{charge['id']} is disputed already.")
    if charge["refunded"]:
        raise ControlError(f"{charge['id']} is refunded in full, so nobody disputes it.")
    by_card = charge["payment_method_details"]["type"] == "card"
    inquiry = reason == "inquiry"
    status = "warning_needs_response" if inquiry else "needs_response" if by_card else "lost"
    dispute = _blank(account, charge, "general" if inquiry else reason, status, inquiry=inquiry)
    if inquiry:
        account.add(dispute, "charge.dispute.created")
        account.change(charge, "charge.updated", disputed=True)
        return dispute
    withdrawn = balance.of_dispute(account, dispute)
    dispute["balance_transactions"] = [shapes.public(withdrawn)]
    account.add(dispute, "charge.dispute.created")
    account.change(charge, "charge.updated", disputed=True)
    account.emit("charge.dispute.funds_withdrawn", dispute)
    if not by_card:
        account.emit("charge.dispute.closed", dispute)
    return dispute


# what every new dispute has in common
_NEW: Object = {
    "object": "dispute",
    "balance_transactions": [],
    "enhanced_eligibility_types": [],
    "livemode": False,
    "metadata": {},
}


def _blank(account: Account, charge: Object, reason: str, status: str, *, inquiry: bool) -> Object:
    details = charge["payment_method_details"]
    shown: Object | None = None
    if details["type"] == "card":
        brand = details["card"]["brand"]
        shown = {
            "card": {
                "brand": brand,
                "case_type": "inquiry" if inquiry else "chargeback",
                "network": brand,
                "network_reason_code": "10.4",
            },
            "type": "card",
        }
    body: Object = shapes.filled(
        _NEW,
        id=new_id("du"),
        amount=charge["amount"] - charge["amount_refunded"],
        charge=charge["id"],
        created=account.now(),
        currency=charge["currency"],
        evidence={**dict.fromkeys(_EVIDENCE), "enhanced_evidence": {}},
        evidence_details={
            "due_by": account.now() + _ANSWER_WITHIN if status != "lost" else None,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
            "submission_method": "not_submitted",
        },
        is_charge_refundable=inquiry,
        network_reason_code="10.4" if shown else None,
        payment_intent=charge["payment_intent"],
        reason=reason,
        status=status,
    )
    return {**body, "payment_method_details": shown} if shown else body


def close(account: Account, dispute: Object, outcome: str) -> Object:
    """The bank decides: won, lost, or an inquiry that went no further."""
    if dispute["status"] not in _OPEN:
        raise ControlError(f"{dispute['id']} is closed already: {dispute['status']}.")
    if dispute["status"].startswith("warning"):
        return account.change(dispute, "charge.dispute.closed", status="warning_closed")
    if outcome == "won":
        back = balance.of_dispute(account, dispute, reversal=True)
        both = [*dispute["balance_transactions"], shapes.public(back)]
        account.change(dispute, "charge.dispute.funds_reinstated", balance_transactions=both, status="won")
        return account.change(dispute, "charge.dispute.closed")
    return account.change(dispute, "charge.dispute.closed", status="lost")


def retrieve(account: Account, _params: Object, ident: str) -> Object:
    return account.get("dispute", ident)


def catalogue_of(account: Account, params: Object) -> Page:
    return listed(
        account,
        "dispute",
        "/v1/disputes",
        params,
        *matching(params, charge="charge", payment_intent="payment_intent"),
    )


def list_warnings(account: Account, params: Object) -> Page:
    wheres = matching(params, charge="charge", payment_intent="payment_intent")
    return listed(account, "radar.early_fraud_warning", "/v1/radar/early_fraud_warnings", params, *wheres)


def retrieve_warning(account: Account, _params: Object, ident: str) -> Object:
    return account.get("radar.early_fraud_warning", ident)
