"""The audit log keeps what was done, and nothing that names a person."""

import re
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from sqlalchemy import delete, update
from sqlalchemy.exc import IntegrityError

from membership.db import db
from membership.domain import audit
from membership.domain.audit import Tag
from membership.errors import Invalid
from tests.records import history_of, records

in_app = pytest.mark.usefixtures("app")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def refund(reference="abc", **more):
    return audit.record(Tag.DONATION_REFUNDED, subject_type="donation", subject_id=reference, **more)


@in_app
def test_what_was_done_is_kept_in_order(at):
    moment = at("2026-03-02 10:00")
    first = refund(by=SimpleNamespace(id=7), reason=" asked by phone ", details={"minor": 2056})
    second = audit.record("donation.stopped", subject_type="donation", subject_id="abc", now=NOON)
    refund("other")
    assert history_of("donation", "abc") == [first, second]
    assert (first.tag, first.by_id, first.reason, first.details) == (
        "donation.refunded",
        7,
        "asked by phone",
        {"minor": 2056},
    )
    assert (first.at, second.at, second.by_id) == (moment, NOON, None)


@in_app
def test_records_are_never_changed_or_deleted():
    refund()
    for statement in (update(audit.Record).values(reason="other"), delete(audit.Record)):
        with pytest.raises(IntegrityError, match="only ever added"), db.session.begin_nested():
            db.session.execute(statement)
    assert history_of("donation", "abc")[0].reason == ""
    assert audit.check() == []


@in_app
def test_addresses_stay_out():
    with pytest.raises(Invalid, match="leave e-mail addresses out") as refusal:
        refund(reason="asked by nino@example.org")
    assert refusal.value.field == "reason"
    with pytest.raises(ValueError, match="never an address"):
        refund(details={"to": ["nino@example.org"]})
    with pytest.raises(Invalid, match="1000"):
        refund(reason="because " * 200)
    assert records() == []


def test_tags_are_noun_and_past():
    assert all(re.fullmatch(r"[a-z]+\.[a-z]+(-[a-z]+)?", tag) for tag in Tag)
    assert all(tag.name == re.sub(r"[.-]", "_", tag.value).upper() for tag in Tag)
    with pytest.raises(ValueError, match=r"donation\.eaten"):
        audit.record("donation.eaten", subject_type="donation", subject_id="abc")
