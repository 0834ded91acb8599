"""What every list and object shows alike, and which of their keys may leave."""

import copy
from typing import Any

from membership.sandbox.store import Object


def listed(data: list[Object], url: str, *, has_more: bool = False) -> Object:
    return {"object": "list", "data": data, "has_more": has_more, "url": url}


def public(obj: Object) -> Object:
    """An object as the outside sees it: our own keys (with an underscore) stay inside."""
    return {key: value for key, value in obj.items() if not key.startswith("_")}


def changed(old: Object, new: Object) -> Object:
    """`previous_attributes`: the old values of what differs; inside hashes only what differs there."""
    out: dict[str, Any] = {}
    for key in new.keys() | old.keys():
        if key.startswith("_"):
            continue
        before, after = old.get(key), new.get(key)
        if before == after:
            continue
        nested = isinstance(before, dict) and isinstance(after, dict) and before.get("object") != "list"
        out[key] = changed(before, after) if nested and before and after else before
    return out


def no_address() -> Object:
    return dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"))


def filled(template: Object, **values: Any) -> Object:
    """A new object from what all of its kind have in common and what this one has of its own."""
    return {**copy.deepcopy(template), **values}
