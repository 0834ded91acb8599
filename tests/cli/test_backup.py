"""A copy is whole, private and restorable; a damaged one, another's, or one with broken books is told."""

import hashlib
import stat
from dataclasses import replace

import pytest
from sqlalchemy import text

from membership.db import db
from membership.domain import audit
from tests import make
from tests.records import records


@pytest.fixture
def run(real_database):
    def invoke(*args):
        db.session.commit()
        return real_database.app.test_cli_runner().invoke(args=["backup", *map(str, args)])

    return invoke


@pytest.fixture
def copy(run, tmp_path):
    """A copy of a database with a gift in its books."""
    make.donation(booked=True)
    made = run("make", tmp_path / "copy")
    assert made.exit_code == 0, made.output
    return tmp_path / "copy"


def verified():
    db.session.rollback()
    return records()[-1].tag == audit.Tag.BACKUP_VERIFIED


def test_a_copy_is_private_and_can_be_restored_while_life_goes_on(run, copy, real_database):
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    make.donation(booked=True, email="giorgi@example.org")  # what comes later is no fault of the copy
    done = run("verify", copy)
    assert done.exit_code == 0, done.output
    assert "ledger_entries: 1\n" in done.output
    assert verified()
    beside = {path.name for path in copy.parent.iterdir()} - {
        "copy.perks.tar"
    }  # other tests may have kept files
    assert beside == {"copy"}
    if real_database.kind == "postgresql":
        left = db.session.scalar(
            text("SELECT count(*) FROM pg_database WHERE datname LIKE 'pressfund_copy_%'")
        )
        assert left == 0


def test_nothing_is_written_over(run, copy):
    before = copy.read_bytes()
    again = run("make", copy)
    assert again.exit_code == 1
    assert "is there already" in again.output
    assert copy.read_bytes() == before


def test_a_place_that_takes_no_copy_is_a_sentence(run, copy):
    done = run("make", copy / "inside")  # a file is no folder
    assert done.exit_code == 1
    assert "cannot be written" in done.output
    assert isinstance(done.exception, SystemExit)


@pytest.mark.parametrize(
    "spoil", [lambda whole: whole[: len(whole) // 2], lambda _whole: b"", lambda w: b"x" + w[1:]]
)
def test_a_damaged_copy_is_told(run, copy, spoil):
    copy.write_bytes(spoil(copy.read_bytes()))
    done = run("verify", copy)
    assert done.exit_code == 1
    assert done.output
    assert "Traceback" not in done.output
    assert not verified()


@pytest.mark.no_ledger_check  # a posting is taken out of the books, as a broken disk or a thief would
def test_broken_books_and_missing_triggers_are_told(run, real_database, tmp_path):
    make.donation(booked=True)
    on = " ON ledger_postings" if real_database.kind == "postgresql" else ""
    db.session.execute(text(f"DROP TRIGGER ledger_postings_no_delete{on}"))
    db.session.execute(text("DELETE FROM ledger_postings WHERE id = (SELECT max(id) FROM ledger_postings)"))
    assert run("make", tmp_path / "copy").exit_code == 0
    done = run("verify", tmp_path / "copy")
    assert done.exit_code == 1
    assert "postings that sum to" in done.output
    assert "its triggers are missing" in done.output
    assert not verified()


@pytest.mark.no_ledger_check  # the database loses rows that the copy still has
def test_a_copy_of_another_time_line_is_told(run, copy, real_database):
    postgresql = real_database.kind == "postgresql"
    db.session.execute(text("DROP TRIGGER audit_records_no_delete" + " ON audit_records" * postgresql))
    db.session.execute(text("DELETE FROM audit_records"))
    db.session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    done = run("verify", copy)
    assert done.exit_code == 1
    assert "audit_records: " in done.output
    assert "the database is of version 9999" in done.output


def test_files_of_perks_lie_beside_it_and_are_checked(run, tmp_path, real_database, monkeypatch):
    own = replace(make.settings(), instance_path=tmp_path)
    monkeypatch.setitem(real_database.app.config, "SETTINGS", own)
    content = b"a recording"
    digest = hashlib.sha256(content).hexdigest()
    (tmp_path / "perks").mkdir()
    (tmp_path / "perks" / digest).write_bytes(content)
    db.session.execute(
        text(
            "INSERT INTO perks (slug, kind, position, texts, file_digest) VALUES ('talk', 'file', 1, '{}', :digest)"
        ),
        {"digest": digest},
    )
    assert run("make", tmp_path / "copy").exit_code == 0
    assert run("verify", tmp_path / "copy").exit_code == 0
    (tmp_path / "copy.perks.tar").unlink()
    done = run("verify", tmp_path / "copy")
    assert done.exit_code == 1
    assert "1 files of perks are missing" in done.output
