"""The portal's configuration: Stripe's page changes the card and shows invoices; all else is done on our own pages."""

import hashlib
import json
from datetime import datetime
from typing import Any

from membership.billing import account, calls
from membership.billing.calls import CallState
from membership.billing.gateway import StripeRefused, StripeUnavailable
from membership.config import Settings
from membership.db import db, writing

OPERATION = "portal.configure"


def wanted(settings: Settings) -> dict[str, Any]:
    """The configuration as we ask for it. E-mail stays ours: it is what a member signs in with."""
    home = settings.locales[0]
    return {
        "name": "members",
        "business_profile": {
            "privacy_policy_url": settings.link("/privacy", home),
            "terms_of_service_url": settings.link("/terms", home),
        },
        "default_return_url": settings.link("/account", home),
        "login_page": {"enabled": False},
        "features": {
            "customer_update": {"enabled": False},
            "invoice_history": {"enabled": True},
            "payment_method_update": {"enabled": True},
            "subscription_cancel": {"enabled": False},
            "subscription_update": {"enabled": False},
        },
    }


def _key(params: dict[str, Any]) -> str:
    return "portal:" + hashlib.sha256(json.dumps(params, sort_keys=True).encode()).hexdigest()[:32]


def find_portal() -> str | None:
    """The id of the configuration that was made with this content; None when none was."""
    call = calls.find_agreed(_key(wanted(account.here().settings)))
    return call.result_id if call is not None else None


def ensure_portal(now: datetime) -> str:
    """The configuration's id; made once for each content. Raises StripeUnavailable."""
    params = wanted(account.here().settings)
    with writing():
        db.session.commit()
        call = calls.record(calls.fresh_key(_key(params)), OPERATION, params, now=now)
        if call.state is CallState.OK:
            known = call.result_id or ""
            db.session.commit()
            return known
        try:
            return str(calls.send(call)["id"])
        except StripeRefused as error:
            raise StripeUnavailable(error.code) from None
