"""How migrations run: on the app's own engine, each in one transaction, on SQLite as on PostgreSQL.

SQLite changes a table by copying it and renaming the copy: foreign keys are off meanwhile and are checked before
the end, and the copy has lost its triggers (script.py.mako reminds whoever writes one).
"""

from typing import Any

import sqlalchemy as sa
from alembic import context
from alembic.script import ScriptDirectory

from membership.db import Base, UTCDateTime, db


def render_item(kind: str, item: Any, _autogen: Any) -> str | bool:
    """Migrations stand on SQLAlchemy alone: our types may change, what was written then may not."""
    if kind == "type" and isinstance(item, UTCDateTime):
        return "sa.DateTime(timezone=True)"
    return False


def number(migration: Any, _revision: Any, directives: list[Any]) -> None:
    """Versions are counted, 0001, 0002: two branches that both add one collide in git, not in production."""
    script = directives[0]
    if getattr(context.config.cmd_opts, "autogenerate", True) and script.upgrade_ops.is_empty():
        directives.clear()
        print("The models equal the migrations: nothing to write.")  # noqa: T201 - the command's answer
        return
    head = ScriptDirectory.from_config(migration.config).get_current_head()
    script.rev_id = f"{int(head or 0) + 1:04d}"


def foreign_keys(connection: sa.Connection, state: str) -> None:
    """SQLite ignores this inside a transaction, so it is said outside of any."""
    if connection.dialect.name == "sqlite":
        connection.connection.dbapi_connection.execute(f"PRAGMA foreign_keys={state}")  # type: ignore[union-attr]


def check_foreign_keys(connection: sa.Connection) -> None:
    if connection.dialect.name == "sqlite":
        orphans = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
        if orphans:
            raise RuntimeError(f"the migration leaves rows that point nowhere: {orphans[:5]}")


def run() -> None:
    """Upgrade or downgrade, whatever was asked."""
    with db.engine.connect() as connection:
        foreign_keys(connection, "OFF")
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            transactional_ddl=True,  # db.py says BEGIN to SQLite itself, so its DDL is part of it
            render_as_batch=True,
            render_item=render_item,
            compare_type=True,
            compare_server_default=True,
            process_revision_directives=number,
        )
        try:
            with context.begin_transaction():
                context.run_migrations()
                check_foreign_keys(connection)
        finally:
            foreign_keys(connection, "ON")


if context.is_offline_mode():
    raise RuntimeError("migrations need a database to run on; there is no offline mode")
run()
