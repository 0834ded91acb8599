"""The ledger balances, never forgets, and takes each fact once."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, insert, text, update
from sqlalchemy.exc import DatabaseError, IntegrityError

from membership import triggers
from membership.db import db, writing
from membership.domain import audit, ledger
from membership.errors import Conflict
from membership.money import UnknownCurrency

in_app = pytest.mark.usefixtures("app")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
GIFT = {
    "stripe": 1945,
    "fees": 55,
    "fees:shares": -55,
    "share:caucasus:chai": -1297,
    "share:caucasus:mtavari": -648,
}


def gift(source="bt:txn_1", postings=GIFT, **changes):
    facts = {"kind": "gift", "happened_at": NOON, "currency": "EUR"} | changes
    return ledger.post(source=source, postings=postings, **facts)


@in_app
def test_a_gift_is_posted_and_read_back(at):
    moment = at("2026-03-02 09:00")
    entry = gift(subject="payment:1")
    assert (entry.source, entry.kind, entry.happened_at, entry.posted_at) == (
        "bt:txn_1",
        "gift",
        NOON,
        moment,
    )
    assert ledger.postings_of(entry) == GIFT
    assert ledger.find_entry("bt:txn_1") is entry
    assert ledger.find_entry("bt:txn_2") is None
    assert ledger.entries_of("payment:1") == [entry]
    assert ledger.balance("stripe") == 1945
    assert ledger.balance("bank") == 0
    assert ledger.balances("share:caucasus") == {"share:caucasus:chai": -1297, "share:caucasus:mtavari": -648}
    assert ledger.balance("share:caucasus") == 0
    assert ledger.balances("fees") == {"fees": 55, "fees:shares": -55}
    assert ledger.check() == []


@in_app
def test_the_same_source_is_posted_once():
    entry = gift()
    assert gift() is entry
    assert gift(postings=GIFT | {"exchange": 0}) is entry
    assert ledger.balance("stripe") == 1945


@pytest.mark.parametrize(
    "change", [{"postings": {"stripe": 1, "set-apart": -1}}, {"kind": "refund"}, {"currency": "USD"}]
)
@in_app
def test_a_known_source_with_other_figures_is_refused(change):
    gift()
    with pytest.raises(Conflict, match="bt:txn_1"):
        gift(**change)


@pytest.mark.parametrize("postings", [{}, {"stripe": 5}, {"stripe": 5, "bank": -4}, {"stripe": 0, "bank": 0}])
@in_app
def test_what_does_not_balance_is_refused(postings):
    with pytest.raises(ledger.Unbalanced):
        gift(postings=postings)
    assert ledger.find_entry("bt:txn_1") is None


@pytest.mark.parametrize(
    "code",
    ["", "paypal", "stripe:", "share", "share:a", "share:a:b:c", "share::b", "held:", "share:A:b", "fees:x"],
)
@in_app
def test_unknown_accounts_are_refused(code):
    with pytest.raises(ledger.UnknownAccount):
        gift(postings={"stripe": 5, code: -5})


@in_app
def test_unknown_currencies_are_refused():
    with pytest.raises(UnknownCurrency):
        gift(currency="eur")


@in_app
def test_accounts_know_what_they_are():
    assert ledger.kind_of("stripe") is ledger.Kind.ASSET
    assert ledger.kind_of("share:caucasus-2026:chai_khana") is ledger.Kind.LIABILITY
    assert ledger.kind_of("fees:shares") is ledger.Kind.EXPENSE
    assert ledger.kind_of("host-share:caucasus") is ledger.Kind.INCOME


@in_app
def test_what_was_wrong_is_reversed():
    entry = gift(subject="payment:1")
    back = ledger.reverse(entry, source="undo:txn_1", happened_at=NOON, memo="posted in error")
    assert back.reverses_id == entry.id
    assert ledger.postings_of(back) == {code: -amount for code, amount in GIFT.items()}
    assert ledger.entries_of("payment:1") == [entry, back]
    assert set(ledger.balances("share").values()) == {0}
    assert ledger.reverse(entry, source="undo:txn_1", happened_at=NOON) is back


@in_app
def test_huge_sums_stay_exact():
    for n in range(3):
        gift(f"bt:{n}", {"stripe": 2**61 + 1, "set-apart": -(2**61) - 1})
    assert ledger.balance("stripe") == 3 * (2**61 + 1)


# --- append-only -------------------------------------------------------------------------------------------

TABLES = [ledger.Account, ledger.Entry, ledger.Posting]


@pytest.mark.parametrize("table", TABLES)
@in_app
def test_rows_are_never_changed_or_deleted(table):
    gift()
    for statement in (update(table).values(id=table.id), delete(table)):
        with pytest.raises(IntegrityError, match="only ever added"), db.session.begin_nested():
            db.session.execute(statement)
    assert ledger.balance("stripe") == 1945


@in_app
def test_a_changed_object_is_refused_too():
    entry = gift()
    entry.memo = "better"
    with pytest.raises(IntegrityError, match="only ever added"):
        db.session.flush()
    db.session.rollback()
    gift()
    assert ledger.find_entry("bt:txn_1").memo == ""


@in_app
def test_nothing_passes_by_the_triggers(database):
    gift()
    entry, posting = (
        "source, kind, happened_at, posted_at, memo",
        "entry_id, account_id, amount_minor, currency",
    )
    if database == "sqlite":
        ways = [
            "INSERT OR REPLACE INTO ledger_entries SELECT * FROM ledger_entries",
            f"INSERT OR REPLACE INTO ledger_entries ({entry}) SELECT {entry} FROM ledger_entries",
            f"INSERT OR REPLACE INTO ledger_postings ({posting}) SELECT {posting} FROM ledger_postings",
            "REPLACE INTO ledger_accounts SELECT * FROM ledger_accounts",
            "UPDATE OR REPLACE ledger_postings SET amount_minor = 7",
        ]
    else:
        ways = ["TRUNCATE ledger_postings", "TRUNCATE ledger_accounts CASCADE"]
    for way in ways:
        with pytest.raises(DatabaseError, match="only ever added"), db.session.begin_nested():
            db.session.execute(text(way))
    assert ledger.balance("stripe") == 1945


@in_app
def test_triggers_can_be_dropped_and_set_again(database):
    connection = db.session.connection()
    for _ in range(2):
        for table in triggers.KEYS:
            for statement in triggers.drop_append_only(table, database):
                connection.execute(text(statement))
        assert triggers.unguarded(connection, "") == list(triggers.KEYS)
    assert "ledger_entries can be changed: its triggers are missing" in ledger.check()
    for table in triggers.KEYS:
        for statement in triggers.append_only(table, database):
            connection.execute(text(statement))
    assert triggers.unguarded(connection, "") == []


def test_the_list_of_keys_is_the_tables_own():
    kept = {model.__tablename__: model.__table__ for model in (*TABLES, audit.Record)}
    assert kept.keys() == triggers.KEYS.keys()
    for name, table in kept.items():
        unique = {tuple(c.name for c in table.primary_key.columns)}
        unique |= {(column.name,) for column in table.columns if column.unique}
        unique |= {
            tuple(c.columns.keys()) for c in table.constraints if type(c).__name__ == "UniqueConstraint"
        }
        assert set(triggers.KEYS[name]) == unique


@pytest.mark.no_ledger_check
@in_app
def test_the_check_names_each_breach():
    gift()
    rows = {"entry_id": ledger.find_entry("bt:txn_1").id, "currency": "USD"}
    db.session.execute(insert(ledger.Account).values(code="bank", kind=ledger.Kind.EXPENSE))
    bank = db.session.query(ledger.Account.id).where(ledger.Account.code == "bank").scalar()
    db.session.execute(insert(ledger.Posting).values(account_id=bank, amount_minor=9, **rows))
    db.session.execute(
        insert(ledger.Entry).values(source="x", kind="y", happened_at=NOON, posted_at=NOON, memo="")
    )
    assert ledger.check() == [
        "entry bt:txn_1 has 6 postings that sum to 9",
        "entry x has 0 postings that sum to 0",
        "the ledger holds more than one currency: EUR, USD",
        "account bank is kept as expense, which its code does not say",
    ]


def test_two_workers_post_the_same_fact_once(real_database):
    def work():
        with writing():
            entry = gift()
            db.session.commit()
            return entry.id

    ids = real_database.together(*[work] * 4)
    assert len(set(ids)) == 1
    assert isinstance(ids[0], int)
    assert ledger.balance("stripe") == 1945


# --- taking back -------------------------------------------------------------------------------------------

sizes_of = st.integers(0, 40) | st.integers(0, 10**12)
parts_of = st.dictionaries(st.sampled_from("abcdefgh"), sizes_of, min_size=1).filter(
    lambda p: any(p.values())
)


@given(parts=parts_of, sizes=st.lists(st.integers(1, 3) | st.integers(1, 10**12), max_size=20))
def test_partial_refunds_are_exact_together(parts, sizes):
    total = sum(parts.values())
    back = dict.fromkeys(parts, 0)
    for size in [*sizes, total]:
        amount = min(size, total - sum(back.values()))
        step = ledger.portion_to_reverse(parts, back, amount)
        assert sum(step.values()) == amount
        assert all(part > 0 for part in step.values())
        back = {code: had + step.get(code, 0) for code, had in back.items()}
        gone = sum(back.values())
        for code, part in parts.items():
            assert back[code] <= part
            assert abs(back[code] * total - gone * part) < total
    assert back == parts
    assert ledger.portion_to_reverse(parts, back, 0) == {}


@given(parts=parts_of, data=st.data())
def test_after_a_refund_that_failed_the_rest_still_comes_back_exactly(parts, data):
    back = {code: data.draw(st.integers(0, part)) for code, part in parts.items()}
    left = sum(parts.values()) - sum(back.values())
    first = data.draw(st.integers(0, left))
    for amount in (first, left - first):
        for code, step in ledger.portion_to_reverse(parts, back, amount).items():
            back[code] += step
            assert back[code] <= parts[code]
    assert back == parts


def test_more_than_was_recorded_is_refused():
    with pytest.raises(ledger.TooMuch):
        ledger.portion_to_reverse({"a": 5, "b": 5}, {"a": 1}, 10)
