"""How often something may be tried, per browser, per address, per neighbourhood and in all.

Wide enough for two hundred readers behind one carrier's address; narrow enough that testing stolen cards is no fun.
"""

from datetime import timedelta

from flask import current_app, request

from membership import vault
from membership.domain import limits
from membership.web import attempts, guards

HOUR = timedelta(hours=1)
TEN_MINUTES = timedelta(minutes=10)
PER_BROWSER = 30
PER_EMAIL = 30
PER_EMAIL_MAILED = (
    5  # what sends a mail to an address that has paid nothing, asked for from one neighbourhood
)
PAID_FIRST = ("gift", "join")  # nothing is mailed before a card has paid
PER_NETWORK = 600
IN_ALL = 5000


def may_send(what: str, reference: str) -> bool:
    """Count one mail of `what` that somebody signed in asked for; False when there were too many."""
    return limits.hit(f"{what}-person", reference, most=PER_EMAIL_MAILED, per=HOUR)


def may_try(what: str, email: str) -> bool:
    """Count one try of `what` (gift, join, transfer, leave); False when there were too many.

    From near to far, and what is refused near is not counted further on: one machine, however often it asks, uses up
    neither what the owner of an address may ask for nor what everybody may.
    """
    address, network = vault.email_key(email), guards.network_of(request)
    windows = [
        ("browser", attempts.browser(), PER_BROWSER, HOUR),
        ("network", network, PER_NETWORK, TEN_MINUTES),
        ("email", address, PER_EMAIL, HOUR),
        ("all", "all", IN_ALL, TEN_MINUTES),
    ]
    if what not in PAID_FIRST:
        windows.insert(1, ("email-near", f"{address} {network}", PER_EMAIL_MAILED, HOUR))
    for name, key, most, per in windows:
        if not limits.hit(f"{what}-{name}", key, most=most, per=per):
            if name == "all":
                current_app.logger.error("%s: more than %d tries in ten minutes, all together", what, most)
            return False
    return True
