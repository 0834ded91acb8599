"""The migrations make what the models say, on both databases, up, down and up again."""

import re
import warnings

import sqlalchemy as sa
from alembic.script import ScriptDirectory

from membership.db import db
from tests.databases import alembic_config, app_at, downgrade, upgrade


def squeeze(text):
    return re.sub(r"\s+", " ", str(text)).strip()


def rows(connection, statement):
    return {name: squeeze(sql) for name, sql in connection.exec_driver_sql(statement)}


def read_tables(connection):
    """Columns, keys, checks of every table, in an order of their own."""
    inspector = sa.inspect(connection)
    tables = {}
    for table in sorted(set(inspector.get_table_names()) - {"alembic_version"}):
        columns = [
            (c["name"], str(c["type"]), c["nullable"], c["default"]) for c in inspector.get_columns(table)
        ]
        checks = [(c["name"], squeeze(c["sqltext"])) for c in inspector.get_check_constraints(table)]
        uniques = [(c["name"], *c["column_names"]) for c in inspector.get_unique_constraints(table)]
        foreign = [
            (c["name"], c["constrained_columns"], c["referred_table"], c["referred_columns"], c["options"])
            for c in inspector.get_foreign_keys(table)
        ]
        tables[table] = [sorted(part, key=str) for part in (columns, checks, uniques, foreign)]
        tables[table].append(inspector.get_pk_constraint(table)["constrained_columns"])
    return tables


def read_schema(url):
    """Everything a database is made of; indexes and triggers as the database itself writes them."""
    with app_at(url), db.engine.connect() as connection, warnings.catch_warnings():
        warnings.simplefilter("ignore", sa.exc.SAWarning)  # reflection skips what we read as SQL below
        tables = read_tables(connection)
        if connection.dialect.name == "sqlite":
            made = "SELECT name, sql FROM sqlite_master WHERE type = '{}' AND sql IS NOT NULL"
            return tables, rows(connection, made.format("index")), rows(connection, made.format("trigger"))
        index = "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
        trigger = "SELECT tgrelid::regclass || '.' || tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal"
        return tables, rows(connection, index), rows(connection, trigger)


def test_models_equal_migrations(database, databases):
    made = databases.empty(database)
    with app_at(made):
        db.create_all()
    modelled, migrated = read_schema(made), read_schema(databases.template(database))
    assert modelled[0] == migrated[0], "the tables differ: make migration"
    assert modelled[1] == migrated[1], "the indexes differ: make migration"


def test_up_down_up(database, databases):
    url = databases.empty(database)
    upgrade(url)
    first = read_schema(url)
    downgrade(url)
    assert read_schema(url) == ({}, {}, {}), "going down leaves something behind"
    upgrade(url)
    assert read_schema(url) == first


def test_versions_are_counted_in_one_line():
    versions = list(ScriptDirectory.from_config(alembic_config()).walk_revisions())
    assert [v.revision for v in reversed(versions)] == [f"{n:04d}" for n in range(1, len(versions) + 1)]


def test_tests_stand_on_the_migrated_database(app):
    assert "alembic_version" in sa.inspect(db.session.connection()).get_table_names()
