"""Our Stripe account as the running app knows it: the settings, and two ways to reach Stripe.

`gateway` retries and waits; `quick` is for a reader who waits for a page: no retries, short time-outs.
"""

from dataclasses import dataclass

import requests
from flask import Flask, current_app

from membership.billing.gateway import Gateway
from membership.config import Settings


@dataclass(frozen=True, slots=True)
class Account:
    """What billing needs of the app it runs in."""

    settings: Settings
    gateway: Gateway
    quick: Gateway


def join(
    app: Flask, settings: Settings, session: requests.Session | None = None, *, retries: int = 2
) -> None:
    """Give the app its account; in tests `session` carries the requests and few `retries` save their pauses."""
    key, base = settings.stripe_secret_key, settings.stripe_api_base
    app.extensions["stripe-account"] = Account(
        settings,
        Gateway(key, api_base=base, session=session, timeout=(3.05, 8), retries=retries),
        Gateway(key, api_base=base, session=session, timeout=(1, 1.5), retries=0),
    )


def here() -> Account:
    """The account of the app that runs."""
    account: Account = current_app.extensions["stripe-account"]
    return account
