"""The migrations make what the models say, on both databases, up, down and up again."""

import re
import secrets
import warnings
from datetime import UTC, datetime, timedelta

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


# Rows in plain SQL: the models know only the newest tables
NOW = datetime(2026, 1, 1, tzinfo=UTC)
FILLED = {
    sa.Boolean: False,
    sa.Integer: 0,
    sa.DateTime: NOW,
    sa.Date: NOW.date(),
    sa.JSON: {},
    sa.LargeBinary: b"",
}


def write(connection, table, **values):
    """A row: what must stand in it and is not named here is filled in. Its number."""
    found = sa.Table(table, sa.MetaData(), autoload_with=connection)
    needed = [c for c in found.columns if not c.nullable and not c.primary_key and c.name not in values]
    filled = {
        c.name: next((v for k, v in FILLED.items() if isinstance(c.type, k)), secrets.token_hex(8))
        for c in needed
    }
    return connection.execute(found.insert().values(**filled | values)).inserted_primary_key[0]


def told(connection, sql):
    return [tuple(row) for row in connection.exec_driver_sql(sql)]


def write_first_rows(connection):
    """A donor with three gifts, one of them never paid, and one who was erased."""
    fund = write(connection, "fundraisers", slug="small", status="open", currency="EUR")
    ana, gone = (write(connection, "people", locale="en", erased_at=when) for when in (None, NOW))
    gift = {
        "fundraiser_id": fund,
        "currency": "EUR",
        "interval": "once",
        "schedule": "none",
        "review": "none",
    }
    settled = [(ana, 2, "cus_newest"), (ana, 1, "cus_older"), (gone, 1, "cus_gone")]
    for person, days, customer in settled:
        paid = {"status": "settled", "settled_at": NOW + timedelta(days), "stripe_customer_id": customer}
        one = write(connection, "donations", person_id=person, **gift, **paid)
    write(connection, "donations", person_id=ana, **gift, status="pledged", stripe_customer_id="cus_unpaid")
    write(connection, "checkouts", donation_id=one, number=1, state="complete", key="gift's")
    payment = write(connection, "payments", donation_id=one, status="succeeded", currency="EUR")
    write(connection, "refunds", payment_id=payment, reference="gift's", status="succeeded")
    return ana


def write_new_rows(connection, ana):
    """A membership with its Checkout and its payment, of which a part is proposed to go back."""
    plan = write(connection, "plans", status="open")
    paid = {"kind": "paid", "status": "active", "asked": "settled"}
    member = write(connection, "memberships", person_id=ana, plan_id=plan, **paid)
    write(connection, "checkouts", membership_id=member, number=1, state="complete", key="membership's")
    money = {"status": "succeeded", "currency": "EUR", "person_id": ana, "membership_id": member}
    payment = write(connection, "payments", **money)
    for status in ("proposed", "succeeded"):
        write(connection, "refunds", payment_id=payment, reference=status, status=status, asked_by_id=ana)
    connection.exec_driver_sql(f"UPDATE people SET plan_id = {plan}, standing = 'active' WHERE id = {ana}")


def test_rows_go_up_and_down_and_up_again(database, databases):
    url = databases.empty(database)
    upgrade(url, "0001")
    with app_at(url), db.engine.begin() as connection:
        ana = write_first_rows(connection)
    upgrade(url, "0002")
    with app_at(url), db.engine.begin() as connection:
        people = "SELECT stripe_customer_id, given FROM people ORDER BY id"
        assert told(connection, people) == [("cus_newest", "once"), (None, "once")]
        write_new_rows(connection, ana)
    downgrade(url, "0001")
    with app_at(url), db.engine.begin() as connection:
        assert told(connection, 'SELECT "key" FROM checkouts') == [("gift's",)]
        assert told(connection, "SELECT reference FROM refunds ORDER BY id") == [("gift's",), ("succeeded",)]
        assert told(connection, "SELECT count(*) FROM payments") == [(2,)], "what was paid stays"
    upgrade(url, "0002")
    with app_at(url), db.engine.begin() as connection:
        assert told(connection, people)[0] == ("cus_newest", "once")
        assert told(connection, "SELECT count(DISTINCT reference) FROM payments") == [(2,)]


def test_old_payments_learn_how_often_they_were_for_where_that_is_known(database, databases):
    url = databases.empty(database)
    upgrade(url, "0004")
    with app_at(url), db.engine.begin() as connection:
        plan, other = (write(connection, "plans", status="open") for _ in range(2))
        for interval, amount in (("month", 500), ("year", 5000)):
            write(connection, "prices", plan_id=plan, interval=interval, currency="EUR", amount_minor=amount)
        yearly = {"amount_minor": 5500, "currency": "EUR", "interval": "year", "plan_id": plan}
        member = write(connection, "memberships", kind="paid", status="active", asked="settled", **yearly)
        for amount, bought in ((5500, plan), (5500, other), (500, plan), (700, plan), (900, None)):
            paid = {"plan_id": bought, "amount_minor": amount, "currency": "EUR", "status": "succeeded"}
            write(connection, "payments", membership_id=member, **paid)
    upgrade(url, "0005")
    with app_at(url), db.engine.begin() as connection:
        known = told(connection, 'SELECT amount_minor, "interval" FROM payments ORDER BY id')
    assert known == [(5500, "year"), (5500, None), (500, "month"), (700, None), (900, None)]


def test_old_memberships_learn_when_the_newest_paid_period_began(database, databases):
    url = databases.empty(database)
    upgrade(url, "0005")
    with app_at(url), db.engine.begin() as connection:
        plan = write(connection, "plans", status="open")
        held = {"kind": "paid", "status": "active", "asked": "settled", "paid_until": NOW + timedelta(90)}
        paid, given = (write(connection, "memberships", plan_id=plan, **held) for _ in range(2))
        for days, status, apart in ((0, "succeeded", None), (30, "succeeded", None), (60, "failed", None),
                                    (61, "succeeded", "after-end")):  # fmt: skip
            told_ = {"status": status, "apart": apart, "paid_at": NOW + timedelta(days), "currency": "EUR"}
            write(connection, "payments", membership_id=paid, **told_)
    upgrade(url, "0006")
    with app_at(url), db.engine.connect() as connection:
        since = sa.Table("memberships", sa.MetaData(), autoload_with=connection).columns
        known = dict(connection.execute(sa.select(since.id, since.paid_from)).all())
    assert known[paid].replace(tzinfo=UTC) == NOW + timedelta(30)
    assert known[given] is None


def test_versions_are_counted_in_one_line():
    versions = list(ScriptDirectory.from_config(alembic_config()).walk_revisions())
    assert [v.revision for v in reversed(versions)] == [f"{n:04d}" for n in range(1, len(versions) + 1)]


def test_tests_stand_on_the_migrated_database(app):
    assert "alembic_version" in sa.inspect(db.session.connection()).get_table_names()
