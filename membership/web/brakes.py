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
    """Count one try of `what` (gift, join, transfer, leave); False when there were too many."""
    own = limits.hit(f"{what}-browser", attempts.browser(), most=PER_BROWSER, per=HOUR)
    address, network = vault.email_key(email), guards.network_of(request)
    known = limits.hit(f"{what}-email", address, most=PER_EMAIL, per=HOUR)
    if what not in PAID_FIRST:  # a stranger far away must not use up what its owner may ask for
        known &= limits.hit(f"{what}-email-near", f"{address} {network}", most=PER_EMAIL_MAILED, per=HOUR)
    near = limits.hit(f"{what}-network", network, most=PER_NETWORK, per=TEN_MINUTES)
    everywhere = limits.hit(f"{what}-all", "all", most=IN_ALL, per=TEN_MINUTES)
    if not everywhere:
        current_app.logger.error("%s: more than %d tries in ten minutes, all together", what, IN_ALL)
    return own and known and near and everywhere
