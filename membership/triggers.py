"""Tables whose rows are only ever added: the triggers that hold this, for SQLite and PostgreSQL.

UPDATE and DELETE are refused row by row. Two ways lead past such triggers, so each has a guard of its own:
INSERT OR REPLACE on SQLite (which deletes without asking the delete trigger) and TRUNCATE on PostgreSQL.
A refusal is an IntegrityError in both. On SQLite an insert that meets an existing key is refused even when it
says ON CONFLICT DO NOTHING, so look before you insert.

Migrations execute `append_only(...)` for each table in `KEYS`; tables made by `create_all` get the same
through `guard(...)`. Alembic's copy-and-rename on SQLite drops triggers: execute them again after it.
"""

from sqlalchemy import DDL, Connection, Table, event, text
from sqlalchemy.schema import ExecutableDDLElement

KEYS: dict[str, tuple[tuple[str, ...], ...]] = {
    "ledger_accounts": (("id",), ("code",)),
    "ledger_entries": (("id",), ("source",)),
    "ledger_postings": (("id",), ("entry_id", "account_id")),
    "audit_records": (("id",),),
}
"""The append-only tables, each with its unique keys."""

DIALECTS = ("sqlite", "postgresql")


def append_only(table: str, dialect: str) -> list[str]:
    """The statements that make a table of `KEYS` append-only."""
    return _sqlite(table) if dialect == "sqlite" else _postgresql(table)


def drop_append_only(table: str, dialect: str) -> list[str]:
    """The statements that undo `append_only`, for a migration that goes back; safe to repeat."""
    if dialect == "sqlite":
        return [f"DROP TRIGGER IF EXISTS {name}" for name in _names(table, dialect)]
    drops = [f"DROP TRIGGER IF EXISTS {name} ON {table}" for name in _names(table, dialect)]
    return [*drops, f"DROP FUNCTION IF EXISTS {table}_append_only()"]


def guard(table: Table) -> None:
    """Let `create_all` make the table with its triggers, as the migrations do."""
    for dialect in DIALECTS:
        for statement in append_only(table.name, dialect):
            event.listen(table, "after_create", _ddl(statement, dialect))
    gone = f"DROP FUNCTION IF EXISTS {table.name}_append_only()"
    event.listen(table, "after_drop", _ddl(gone, "postgresql"))


def _ddl(statement: str, dialect: str) -> ExecutableDDLElement:
    return DDL(statement).execute_if(dialect=dialect)  # type: ignore[no-untyped-call]  # theirs has no types


def unguarded(connection: Connection, prefix: str) -> list[str]:
    """The tables of `KEYS` beginning with `prefix` that lack one of their triggers in this database."""
    dialect = connection.dialect.name
    standing = set(connection.scalars(text(_STANDING[dialect])))
    return [
        table
        for table in KEYS
        if table.startswith(prefix) and not standing.issuperset(_names(table, dialect))
    ]


_STANDING = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'trigger'",
    "postgresql": """
        SELECT tgname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
        WHERE tgenabled <> 'D' AND relnamespace = CAST(current_schema() AS regnamespace)
    """,
}


def _names(table: str, dialect: str) -> list[str]:
    third = "replace" if dialect == "sqlite" else "truncate"
    return [f"{table}_no_{what}" for what in ("update", "delete", third)]


def _sqlite(table: str) -> list[str]:
    same = " OR ".join("(" + " AND ".join(f"{c} = NEW.{c}" for c in key) + ")" for key in KEYS[table])
    known = f"EXISTS (SELECT 1 FROM {table} WHERE {same})"  # noqa: S608 - names from KEYS, no input
    refuse = f"BEGIN SELECT RAISE(ABORT, 'rows of {table} are only ever added'); END"
    return [
        f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} {refuse}",
        f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} {refuse}",
        f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} WHEN {known} {refuse}",
    ]


def _postgresql(table: str) -> list[str]:
    raising = (
        f"RAISE EXCEPTION 'rows of {table} are only ever added'"
        " USING ERRCODE = 'integrity_constraint_violation'"
    )
    function = f"FUNCTION {table}_append_only()"
    refuse = f"EXECUTE {function}"
    return [
        f"CREATE OR REPLACE {function} RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {raising}; END $$",
        f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} FOR EACH ROW {refuse}",
        f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} FOR EACH ROW {refuse}",
        f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} FOR EACH STATEMENT {refuse}",
    ]
