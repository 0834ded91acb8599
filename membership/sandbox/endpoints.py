"""Webhook endpoints: whom the account tells, of what, and under which secret.

The first one is the application this sandbox was started for; it is told everything and changed only by another
start. Those made by the API have a secret each, shown once, and a version for good.
"""

from typing import NamedTuple
from urllib.parse import urlsplit

from membership.sandbox.account import API_VERSION, Account
from membership.sandbox.errors import invalid, missing_object
from membership.sandbox.event_types import NAMES
from membership.sandbox.ids import new_id, random_text
from membership.sandbox.listing import Page, listed, pages
from membership.sandbox.parameters import URL as LINK
from membership.sandbox.parameters import Bag, Choice, Flag, Items, Text, merge_metadata, takes
from membership.sandbox.store import Object, Where

KIND = "webhook_endpoint"
_URL = "/v1/webhook_endpoints"
_EVENTS = Items(of=Choice(of=("*", *NAMES)), most=len(NAMES))
_EVENTS_FIRST = Items(of=Choice(of=("*", *NAMES)), most=len(NAMES), required=True)
_DESCRIPTION = Text(clears=True, most=5000)
CREATE = takes(
    api_version=Choice(of=(API_VERSION,)),
    description=_DESCRIPTION,
    enabled_events=_EVENTS_FIRST,
    metadata=Bag(),
    url=Text(required=True, pattern=LINK.pattern, says=LINK.says),
)
UPDATE = takes(description=_DESCRIPTION, disabled=Flag(), enabled_events=_EVENTS, metadata=Bag(), url=LINK)
LIST = pages(False)
_MOST = 16


class Address(NamedTuple):
    """Where a delivery goes and what signs it."""

    url: str
    secret: str


def settle_in(account: Account) -> None:
    """Notes the application of this start as the first endpoint."""
    ident = account.store.setting("webhook_endpoint", None)
    if ident is None:
        ident = new_id("we")
        account.store.set("webhook_endpoint", ident)
    old = account.store.get(ident)
    created = old["created"] if old else account.store.setting("opened_at", account.now())
    own = _blank(ident, created, account.settings.webhook_url)
    own |= {"api_version": API_VERSION, "description": "The application in front of this sandbox"}
    account.store.put({**own, "enabled_events": ["*"]})


def _blank(ident: str, created: int, url: str) -> Object:
    return {
        "id": ident,
        "object": KIND,
        "api_version": None,
        "application": None,
        "created": created,
        "description": None,
        "enabled_events": [],
        "livemode": False,
        "metadata": {},
        "status": "enabled",
        "url": url,
        "_secret": None,
    }


def create(account: Account, params: Object) -> Object:
    _check(params)
    if len(account.store.find(KIND, Where("deleted", "is", None))) >= _MOST:
        raise invalid(f"You have reached the maximum of {_MOST} test webhook endpoints.")
    secret = f"whsec_{random_text(32)}"
    said = ("api_version", "description", "enabled_events")
    given: Object = {name: params[name] for name in said if name in params}
    made = account.add(
        {
            **_blank(new_id("we"), account.now(), params["url"]),
            **given,
            "metadata": merge_metadata({}, params.get("metadata", {})),
            "_secret": secret,
        }
    )
    return {**made, "secret": secret}


def _check(params: Object) -> None:
    if "enabled_events" in params and not params["enabled_events"]:
        raise invalid("Missing required param: enabled_events.", "enabled_events", "parameter_missing")
    if "url" in params:
        parts = urlsplit(params["url"])
        if parts.scheme != "http" or parts.hostname not in {"localhost", "127.0.0.1", "::1"}:
            raise invalid("The pretend Stripe tells this machine alone: http on localhost.", "url")


def _living(account: Account, ident: str) -> Object:
    found = account.store.get(ident)
    if found is None or found["object"] != KIND or found.get("deleted"):
        raise missing_object("webhook endpoint", ident)
    return found


def _changeable(account: Account, ident: str) -> Object:
    found = _living(account, ident)
    if ident == account.store.setting("webhook_endpoint", None):
        raise invalid("The pretend Stripe was started for this endpoint; start it for another one instead.")
    return found


def retrieve(account: Account, _params: Object, ident: str) -> Object:
    return _living(account, ident)


def update(account: Account, params: Object, ident: str) -> Object:
    found = _changeable(account, ident)
    _check(params)
    values = {key: value for key, value in params.items() if key != "disabled"}
    if "metadata" in values:
        values["metadata"] = merge_metadata(found["metadata"], values["metadata"])
    if "disabled" in params:
        values["status"] = "disabled" if params["disabled"] else "enabled"
    changed = account.change(found, None, **values)
    if params.get("disabled"):
        _forget(account, ident)
    return changed


def delete(account: Account, _params: Object, ident: str) -> Object:
    _changeable(account, ident)
    stub: Object = {"id": ident, "object": KIND, "deleted": True}
    account.store.put(stub)
    _forget(account, ident)
    return stub


def _forget(account: Account, ident: str) -> None:
    """What was on its way to an endpoint never comes."""
    store = account.store
    rows = store.run("SELECT event_id FROM deliveries WHERE endpoint = ? AND state <> 'delivered'", (ident,))
    store.run("DELETE FROM deliveries WHERE endpoint = ? AND state <> 'delivered'", (ident,))
    for (event,) in rows:
        recount(account, event)


def catalogue_of(account: Account, params: Object) -> Page:
    return listed(account, KIND, _URL, params, Where("deleted", "is", None))


# telling


def asking(account: Account, kind: str) -> list[str | None]:
    """Who wants events of this type: the application (None) first, then the others, oldest first."""
    own = account.store.setting("webhook_endpoint", None)
    found = account.store.find(KIND, Where("status", "=", "enabled"))[::-1]
    wanting = [one["id"] for one in found if {"*", kind} & set(one["enabled_events"])]
    return [None, *(ident for ident in wanting if ident != own)]


def address(account: Account, ident: str | None) -> Address | None:
    """Where to send; None when that endpoint is gone."""
    if ident is None:
        return Address(account.settings.webhook_url, account.settings.webhook_secret)
    found = account.store.get(ident)
    return Address(found["url"], found["_secret"]) if found and found.get("status") == "enabled" else None


def waiting(account: Account, event: str) -> int:
    """How many endpoints have not taken this event yet."""
    return int(
        account.store.run(
            "SELECT count(*) FROM (SELECT max(state = 'delivered') AS told FROM deliveries WHERE event_id = ? "
            "GROUP BY endpoint) WHERE NOT told",
            (event,),
        )[0][0]
    )


def recount(account: Account, event: str) -> None:
    """Marks an event as delivered once every endpoint has it."""
    found = account.store.get(event)
    if found and not found["_delivered"] and not waiting(account, event):
        account.store.put({**found, "_delivered": True})
