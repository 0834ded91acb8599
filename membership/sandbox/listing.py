"""Lists: newest first, 1 to 100 at a time, before or after a known id, narrowed by `created`."""

from typing import Any, NamedTuple

from membership.sandbox.account import Account
from membership.sandbox.errors import invalid, missing_object
from membership.sandbox.parameters import ID, Param, Shape, Span, Whole, takes
from membership.sandbox.store import Object, Where


class Page(NamedTuple):
    """One page of a list: what is in it, whether more follows, and where it lives."""

    data: list[Object]
    has_more: bool
    url: str


def pages(created: bool = True, /, **filters: Param) -> Shape:
    """The parameters of a list call."""
    fields: dict[str, Param] = {"limit": Whole(least=1, most=100), "starting_after": ID, "ending_before": ID}
    if created:
        fields["created"] = Span()
    return takes(**fields, **filters)


def listed(account: Account, kind: str, url: str, params: dict[str, Any], *wheres: Where) -> Page:
    conditions = list(wheres)
    conditions += [Where("created", sign, moment) for sign, moment in params.get("created", [])]
    limit = params.get("limit", 10)
    if "starting_after" in params and "ending_before" in params:
        raise invalid(
            "You may only specify one of these parameters: starting_after, ending_before.", "starting_after"
        )
    older = _place(account, kind, params, "starting_after")
    newer = _place(account, kind, params, "ending_before")
    found = account.store.find(kind, *conditions, older_than=older, newer_than=newer, limit=limit + 1)
    has_more = len(found) > limit
    # one row too many says that more follows; going backwards it is the first, not the last
    data = (found[1:] if newer is not None else found[:limit]) if has_more else found
    return Page(data, has_more, url)


def _place(account: Account, kind: str, params: dict[str, Any], name: str) -> int | None:
    if name not in params:
        return None
    place = account.store.seq_of(kind, params[name])
    if place is None:
        raise missing_object(kind, params[name], name)
    return place


def matching(params: dict[str, Any], **paths: str) -> list[Where]:
    """Conditions for the given parameters that are simply equal to something in the object."""
    return [Where(path, "=", params[name]) for name, path in paths.items() if name in params]
