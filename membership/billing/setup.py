"""What a Stripe account needs before the first payment: products, the portal's configuration, the webhook endpoint.

Looked at first, then made or changed where something is missing, each by a recorded call: a second run does nothing.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import select

from membership import clock
from membership.billing import account, calls
from membership.billing.calls import CallState
from membership.billing.checkout import portals, products
from membership.billing.facts import EndpointFacts
from membership.billing.gateway import API_VERSION, StripeMissing, StripeRefused
from membership.billing.inbox import HANDLED, StripeEvent
from membership.db import db, writing
from membership.domain import audit, plans
from membership.domain.audit import Record, Tag

HOOK = "/hooks/stripe"
EVERYTHING = "*"


class Found(StrEnum):
    """What was done about one thing."""

    THERE = "there"
    MADE = "made"
    CHANGED = "changed"
    ARCHIVED = "archived"
    """Archived or deleted in Stripe's dashboard by somebody, who will have had a reason."""


@dataclass(frozen=True, slots=True)
class Thing:
    """A product, the portal's configuration or the endpoint. `secret` is told once, when an endpoint is made."""

    kind: str
    id: str
    found: Found
    secret: str | None = None
    beside: tuple[EndpointFacts, ...] = ()
    """Endpoints of the same address in another version: they go on until staff take them away."""


def prepare(now: datetime | None = None) -> list[Thing]:
    """Make the account ready (commits). Raises StripeUnavailable, StripeRefused."""
    now, settings = now or clock.now(), account.here().settings
    sold = [products.of_gifts(settings), *(products.of_plan(plan, settings) for plan in plans.all_plans())]
    db.session.commit()
    things = [*(_product(one, now) for one in sold), _portal(now), _endpoint(now)]
    with writing():
        for thing in things:
            if thing.kind == "portal":
                audit.record(Tag.ACCOUNT_PREPARED, subject_type="portal", subject_id=thing.id, now=now)
        db.session.commit()
    return things


def is_prepared() -> bool:
    """Whether all of it was seen in this account; the portal alone is made as well when a member changes a card."""
    prepared = select(Record.id).where(
        Record.subject_type == "portal",
        Record.subject_id == portals.find_portal(),
        Record.tag == Tag.ACCOUNT_PREPARED.value,
    )
    return db.session.scalar(prepared.limit(1)) is not None


def is_hook_seen() -> bool:
    """Whether Stripe has reached our webhook once, with a signature that is right."""
    seen = select(StripeEvent.event_id).where(StripeEvent.source == "webhook").limit(1)
    return db.session.scalar(seen) is not None


def _product(product: products.Product, now: datetime) -> Thing:
    gateway, found = account.here().gateway, Found.THERE
    try:
        is_sold = gateway.is_sold(product.id)
    except StripeMissing:
        _forget("products.create", product.id)
        found, is_sold = Found.MADE, True
    products.ensure(product, now)
    return Thing("product", product.id, found if is_sold else Found.ARCHIVED)


def _portal(now: datetime) -> Thing:
    known = portals.find_portal()
    db.session.commit()
    if known is not None:
        try:
            is_there = account.here().gateway.is_portal(known)
        except StripeMissing:
            is_there = False
        if is_there:
            return Thing("portal", known, Found.THERE)
        _forget(portals.OPERATION, known)
    return Thing("portal", portals.ensure_portal(now), Found.MADE)


def _forget(operation: str, result_id: str) -> None:
    with writing():
        calls.undone(operation, result_id)
        db.session.commit()


def _endpoint(now: datetime) -> Thing:
    """The endpoint of our address in our version, told of exactly what we handle."""
    url = account.here().settings.base_url + HOOK
    ours = [one for one in account.here().gateway.endpoints() if one.url == url]
    same = sorted((one for one in ours if one.api_version == API_VERSION), key=lambda one: not one.is_enabled)
    beside = tuple(one for one in ours if one.api_version != API_VERSION and one.is_enabled)
    if not same:
        params = {"url": url, "api_version": API_VERSION, "enabled_events": list(HANDLED)}
        made = _ask(f"endpoint:{_digest(url)}", "webhook_endpoints.create", params, now)
        return Thing("endpoint", str(made["id"]), Found.MADE, secret=made["secret"], beside=beside)
    first = same[0]
    if set(first.events) == set(HANDLED) and first.is_enabled:
        return Thing("endpoint", first.id, Found.THERE, beside=beside)
    change = {"id": first.id, "enabled_events": list(HANDLED), "disabled": False}
    try:
        _ask(f"endpoint-events:{first.id}", "webhook_endpoints.update", change, now)
    except StripeRefused:
        if EVERYTHING not in first.events:
            raise
        return Thing("endpoint", first.id, Found.THERE, beside=beside)  # the pretend Stripe's own
    return Thing("endpoint", first.id, Found.CHANGED, beside=beside)


def _ask(key: str, operation: str, params: dict[str, Any], now: datetime) -> dict[str, Any]:
    """A call that is wanted because of what was seen: done before under this key, it is not so any more."""
    key = f"{key}:{_digest(repr(params))}"
    with writing():
        call = calls.record(calls.fresh_key(key), operation, params, now=now)
        if call.state is CallState.OK:
            calls.undone(operation, call.result_id or "")
            call = calls.record(calls.fresh_key(key), operation, params, now=now)
        return dict(calls.send(call))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
