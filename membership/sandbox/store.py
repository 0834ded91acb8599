"""Everything the pretend Stripe remembers, in one SQLite file (or in memory).

Promises that one `transaction()` is all or nothing, also when the process is killed in it, and that
threads take turns. Objects are kept as the JSON Stripe would show; keys with a leading underscore are
ours and never leave.
"""

import json
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

Object = dict[str, Any]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL,
  created INTEGER NOT NULL, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS objects_kind ON objects(kind, seq);
CREATE TABLE IF NOT EXISTS steps (
  id INTEGER PRIMARY KEY AUTOINCREMENT, due INTEGER NOT NULL, name TEXT NOT NULL, args TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS steps_due ON steps(due, id);
CREATE TABLE IF NOT EXISTS deliveries (
  id INTEGER PRIMARY KEY AUTOINCREMENT, event_id TEXT NOT NULL, due REAL NOT NULL,
  state TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, last_status INTEGER);
CREATE INDEX IF NOT EXISTS deliveries_state ON deliveries(state, due);
CREATE INDEX IF NOT EXISTS deliveries_event ON deliveries(event_id);
CREATE TABLE IF NOT EXISTS replies (
  account TEXT NOT NULL, key TEXT NOT NULL, method TEXT NOT NULL, path TEXT NOT NULL, params TEXT NOT NULL,
  status INTEGER NOT NULL, body TEXT NOT NULL, request_id TEXT NOT NULL, created INTEGER NOT NULL,
  PRIMARY KEY (account, key));
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""

# what lists are narrowed by; an index each, so that a busy demo stays quick
_LOOKUPS = (
    "customer",
    "payment_intent",
    "charge",
    "subscription",
    "invoice",
    "source",
    "product",
    "_session",
)

_OPERATORS = {"=": "=", "!=": "<>", ">": ">", ">=": ">=", "<": "<", "<=": "<=", "glob": "GLOB", "is": "IS"}


class Where(NamedTuple):
    """One condition on a stored object: a dotted path into its JSON, an operator, a value (a list means any)."""

    path: str
    operator: str
    value: Any


class Store:
    def __init__(self, path: str) -> None:
        self.lock = threading.RLock()
        self._depth = 0
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        if path != ":memory:":
            self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(_SCHEMA)
        for name in _LOOKUPS:
            self._db.execute(
                f"CREATE INDEX IF NOT EXISTS objects_by_{name} "
                f"ON objects(kind, json_extract(body, '$.{name}'), seq)"
            )

    def close(self) -> None:
        with self.lock:
            self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with self.lock:
            if self._depth == 0:
                self._db.execute("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield
            except BaseException:
                self._depth -= 1
                if self._depth == 0:
                    self._db.execute("ROLLBACK")
                raise
            self._depth -= 1
            if self._depth == 0:
                self._db.execute("COMMIT")

    @contextmanager
    def trial(self) -> Iterator[None]:
        """Whatever is done inside is undone at its end: how things would be."""
        with self.transaction():
            self._db.execute("SAVEPOINT trial")
            try:
                yield
            finally:
                self._db.execute("ROLLBACK TO trial")
                self._db.execute("RELEASE trial")

    def run(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with self.lock:
            return self._db.execute(sql, values).fetchall()

    # objects

    def put(self, obj: Object) -> None:
        body = json.dumps(obj, ensure_ascii=False, separators=(",", ":"))
        self.run(
            "INSERT INTO objects (id, kind, created, body) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (id) DO UPDATE SET body = excluded.body",
            (obj["id"], obj["object"], obj.get("created", 0), body),
        )

    def get(self, ident: str) -> Object | None:
        rows = self.run("SELECT body FROM objects WHERE id = ?", (ident,))
        return json.loads(rows[0][0]) if rows else None

    def seq_of(self, kind: str, ident: str) -> int | None:
        rows = self.run("SELECT seq FROM objects WHERE id = ? AND kind = ?", (ident, kind))
        return int(rows[0][0]) if rows else None

    def find(
        self,
        kind: str,
        *conditions: Where,
        older_than: int | None = None,
        newer_than: int | None = None,
        limit: int | None = None,
    ) -> list[Object]:
        """Objects of a kind, newest first; `newer_than` yields those next to it, still newest first."""
        clauses, values = ["kind = ?"], [kind]
        for condition in conditions:
            clause, wanted = _clause(condition)
            clauses.append(clause)
            values.extend(wanted)
        if older_than is not None:
            clauses.append("seq < ?")
            values.append(older_than)  # type: ignore[arg-type]
        if newer_than is not None:
            clauses.append("seq > ?")
            values.append(newer_than)  # type: ignore[arg-type]
        direction = "ASC" if newer_than is not None else "DESC"
        # only names and operators of this file are joined in; values are bound
        sql = f"SELECT body FROM objects WHERE {' AND '.join(clauses)} ORDER BY seq {direction}"  # noqa: S608 - see above
        if limit is not None:
            sql += f" LIMIT {int(limit)}"
        rows = [json.loads(row[0]) for row in self.run(sql, values)]
        return rows[::-1] if newer_than is not None else rows

    def one(self, kind: str, *conditions: Where) -> Object | None:
        found = self.find(kind, *conditions, limit=1)
        return found[0] if found else None

    # settings

    def setting(self, name: str, default: Any) -> Any:
        rows = self.run("SELECT value FROM settings WHERE name = ?", (name,))
        return json.loads(rows[0][0]) if rows else default

    def set(self, name: str, value: Any) -> None:
        self.run(
            "INSERT INTO settings (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (name, json.dumps(value)),
        )


def _clause(condition: Where) -> tuple[str, list[Any]]:
    target = "created" if condition.path == "created" else f"json_extract(body, '$.{condition.path}')"
    if isinstance(condition.value, list):
        marks = ", ".join("?" for _ in condition.value)
        return f"{target} IN ({marks})", list(condition.value)
    return f"{target} {_OPERATORS[condition.operator]} ?", [condition.value]
