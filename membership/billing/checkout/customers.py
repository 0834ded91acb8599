"""Stripe's customers of a person: told another address, or forgotten. Each call is recorded with the decision."""

from collections.abc import Iterable
from datetime import datetime

from membership.billing import calls
from membership.billing.checkout import asking
from membership.billing.checkout.asking import Outcome
from membership.db import db, writing


def note_address(customer_ids: Iterable[str], email: str, *, request: str, now: datetime) -> list[str]:
    """Record that these customers have another address; the keys of the calls. `request` is the correction's."""
    keys = []
    for customer_id in customer_ids:
        key = calls.fresh_key(f"address:{customer_id}:{request}")
        params = {"id": customer_id, "email": email}
        keys.append(calls.wish(key, "customers.update", params, now=now).idem_key)
    return keys


def note_forgetting(customer_ids: Iterable[str], *, now: datetime) -> list[str]:
    """Record that these customers shall be deleted; the keys of the calls."""
    keys = []
    for customer_id in customer_ids:
        key = calls.fresh_key(f"forget:{customer_id}")
        keys.append(calls.record(key, "customers.delete", {"id": customer_id}, now=now).idem_key)
    return keys


def ask_all(keys: Iterable[str], *, now: datetime) -> Outcome:
    """Commit what was noted and ask Stripe for each; the worst outcome. What is not answered is asked again."""
    with writing():
        db.session.commit()
        outcomes = {asking.send(key, now) for key in keys}
    if Outcome.REFUSED in outcomes:
        return Outcome.REFUSED
    return Outcome.WAITING if Outcome.WAITING in outcomes else Outcome.AGREED
