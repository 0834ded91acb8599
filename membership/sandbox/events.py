"""Reading back what happened: events are kept for 30 days."""

from membership.sandbox.account import Account
from membership.sandbox.clock import DAY
from membership.sandbox.errors import invalid, missing_object
from membership.sandbox.listing import Page, listed, pages
from membership.sandbox.parameters import Flag, Items, Text
from membership.sandbox.store import Object, Where

LIST = pages(delivery_success=Flag(), type=Text(), types=Items(of=Text(), most=20))
_KEPT = 30 * DAY


def retrieve(account: Account, _params: Object, ident: str) -> Object:
    event = account.get("event", ident)
    if event["created"] < account.now() - _KEPT:
        raise missing_object("event", ident)
    return event


def catalogue_of(account: Account, params: Object) -> Page:
    wheres = [Where("created", ">=", account.now() - _KEPT)]
    if "type" in params and "types" in params:
        raise invalid(
            "You may only specify one of these parameters: type, types.", "type", "parameters_exclusive"
        )
    if "types" in params:
        wheres.append(Where("type", "=", params["types"]))
    if "type" in params:
        wheres.append(Where("type", "glob", params["type"].replace("[", "[[]").replace("?", "[?]")))
    if "delivery_success" in params:
        wheres.append(Where("_delivered", "=", params["delivery_success"]))
    return listed(account, "event", "/v1/events", params, *wheres)
