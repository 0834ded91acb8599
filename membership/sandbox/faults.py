"""Faults on demand: the next calls to some path fail in a chosen way. They survive a restart."""

from membership.sandbox.account import Account

KINDS = ("500", "429", "timeout", "timeout_after_commit", "drop_reply")
SILENT_AFTER = ("timeout_after_commit", "drop_reply")
SILENT = ("timeout", *SILENT_AFTER)


def order(account: Account, count: int, kind: str, path: str) -> None:
    with account.store.transaction():
        account.store.set("faults", {"next": count, "kind": kind, "path": path} if count else None)


def take(account: Account, path: str, *, only: tuple[str, ...] = KINDS) -> str | None:
    """The fault this call meets, if one of these kinds is ordered for its path."""
    with account.store.transaction():
        fault = account.store.setting("faults", None)
        if not fault or fault["kind"] not in only or not path.startswith(fault["path"]):
            return None
        left = fault["next"] - 1
        account.store.set("faults", {**fault, "next": left} if left else None)
        return str(fault["kind"])
