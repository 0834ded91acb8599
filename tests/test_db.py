"""What the database does between two pages costs the second one nothing."""

import psycopg
from sqlalchemy import make_url, text

from membership import db as database_of_ours
from membership.db import db


def test_a_connection_that_the_server_closed_meanwhile_costs_no_page(real_database, monkeypatch):
    monkeypatch.setattr(database_of_ours, "UNTRIED_SECONDS", 0)
    question = "SELECT pg_backend_pid()" if real_database.kind == "postgresql" else "SELECT 0"
    first = db.session.execute(text(question)).scalar_one()
    db.session.remove()
    if first:
        address = (
            make_url(real_database.url).set(drivername="postgresql").render_as_string(hide_password=False)
        )
        with psycopg.connect(address, autocommit=True) as other:
            assert other.execute("SELECT pg_terminate_backend(%s, 5000)", [first]).fetchone() == (True,)
    assert db.session.execute(text("SELECT 1")).scalar_one() == 1
