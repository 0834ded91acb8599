"""A rule divides exactly, for as long as it is in force, and only once its partners have agreed."""

from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from membership.db import db, writing
from membership.domain import allocations, fundraisers, outlets
from membership.domain.allocations import FeeBearer
from membership.domain.ledger import UnknownAccount
from membership.errors import Invalid, NotFound
from membership.money import Money
from tests.records import history_of

in_app = pytest.mark.usefixtures("app")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = date(2026, 3, 1)


def partners(count=3):
    names = [f"outlet-{n}" for n in range(count)]
    return [outlets.describe(n, name=n, latin_name=n, country="GE", languages=["ka"]) for n in names]


def fundraiser(slug="caucasus"):
    return fundraisers.describe(
        slug,
        status="open",
        opens_on=DAY,
        closes_on=None,
        goal=Money(5000000, "EUR"),
        texts={"en": {"title": "Caucasus", "summary": "", "story": "", "stranded": ""}},
        causes=[],
        suggestions={},
        risk_notices={},
        refused_countries=[],
        ends_running=False,
    )


def propose(weights=(1, 1, 1), *, host=0, slug="caucasus", **more):
    of = [
        (outlet.id, outlet.slug, weight)
        for outlet, weight in zip(partners(len(weights)), weights, strict=True)
    ]
    facts = {"shares": of, "host_share_bp": host, "now": NOON} | more
    return allocations.propose(fundraiser(slug).id, fundraiser_slug=slug, **facts)


def in_force(*args, **more):
    return allocations.agree(propose(*args, **more), on=DAY, now=NOON)


@in_app
def test_a_rule_is_in_force_when_every_partner_agreed(at):
    rule = propose((2, 1))
    one, other = (share.outlet_id for share in allocations.shares_of(rule))
    assert allocations.find_rule_in_force(rule.fundraiser_id, NOON) is None
    allocations.agree(rule, on=DAY, outlet_id=one, now=NOON)
    assert allocations.find_rule_in_force(rule.fundraiser_id, NOON) is None
    later = at("2026-03-05 10:00")
    allocations.agree(rule, on=date(2026, 3, 4), outlet_id=other)
    assert (rule.in_force_at, rule.agreed_on) == (later, date(2026, 3, 4))
    assert allocations.find_rule_in_force(rule.fundraiser_id) is rule
    assert allocations.find_rule_in_force(rule.fundraiser_id, NOON) is None
    allocations.agree(rule, on=date(2026, 4, 1), now=later + timedelta(days=9))
    assert (rule.in_force_at, rule.agreed_on) == (later, date(2026, 3, 4))
    tags = [record.tag for record in history_of("fundraiser", "caucasus")]
    assert tags == ["rule.proposed", "rule.agreed", "rule.agreed"]


@in_app
def test_only_partners_agree():
    rule = propose()
    with pytest.raises(NotFound):
        allocations.agree(rule, on=DAY, outlet_id=10**6)


@in_app
def test_versions_follow_each_other_and_keep_their_tallies():
    first = in_force((2, 1))
    assert propose((2, 1)) is first
    second = propose((1, 1))
    assert (first.version, second.version) == (1, 2)
    assert allocations.find_rule_in_force(first.fundraiser_id, NOON) is first
    allocations.allocate(first, 300)
    allocations.agree(second, on=DAY, now=NOON)
    assert allocations.find_rule_in_force(first.fundraiser_id, NOON) is second
    assert [share.given_minor for share in allocations.shares_of(first)] == [200, 100]
    assert [share.given_minor for share in allocations.shares_of(second)] == [0, 0]
    assert propose((1, 1), fee_bearer="host").version == 3


@in_app
def test_an_amount_goes_to_the_accounts_of_the_shares():
    rule = in_force((2, 1), host=1000)
    assert allocations.allocate(rule, 1000) == {
        "share:caucasus:outlet-0": 600,
        "share:caucasus:outlet-1": 300,
        "host-share:caucasus": 100,
    }
    assert allocations.allocate(rule, 0) == {}
    assert allocations.held_account(rule) == "held:caucasus"
    assert rule.fee_bearer is FeeBearer.SHARES
    assert rule.fee_bearer == "shares"


@in_app
def test_fractions_are_exact():
    rule = in_force((2, 1), host=1000)
    assert list(allocations.fractions_of(rule).values()) == [
        Fraction(6, 10),
        Fraction(3, 10),
        Fraction(1, 10),
    ]
    assert None in allocations.fractions_of(rule)
    assert None not in allocations.fractions_of(in_force((2, 1), slug="other"))


@in_app
def test_the_host_may_stand_among_the_outlets_or_alone():
    one = partners(1)[0]
    both = propose(shares=[(None, "", 1), (one.id, one.slug, 1)], host=2000)
    assert allocations.fractions_of(both) == {one.id: Fraction(4, 10), None: Fraction(6, 10)}
    alone = in_force(shares=[], host=10000, slug="alone")
    assert alone.in_force_at == NOON
    assert allocations.allocate(alone, 7) == {"host-share:alone": 7}


@in_app
@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"weights": (1, 0)}, "above zero"),
        ({"weights": (1, -1)}, "above zero"),
        ({"weights": (10**13,)}, "above zero"),
        ({"weights": ()}, "somebody to share with"),
        ({"host": 10001}, "between 0 and 100"),
        ({"host": -1}, "between 0 and 100"),
        ({"shares": [(1, "a", 1), (1, "a", 2)]}, "once"),
        ({"shares": [(None, "", 1), (None, "", 2)]}, "once"),
    ],
)
def test_terms_that_make_no_rule(change, says):
    with pytest.raises(Invalid, match=says):
        propose(**change)


@in_app
def test_slugs_must_make_account_codes():
    with pytest.raises(UnknownAccount):
        propose(shares=[(1, "A b", 1)])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15, deadline=None)
@given(
    weights=st.lists(st.integers(1, 9) | st.integers(1, 10**12), min_size=1, max_size=4),
    host=st.integers(0, 10000),
    amounts=st.lists(st.integers(0, 9) | st.integers(0, 10**15), max_size=8),
)
def test_no_share_is_a_unit_from_its_due(app, weights, host, amounts):
    with db.session.begin_nested() as savepoint:
        rule = in_force(weights, host=host)
        given_so_far = {}
        for amount in amounts:
            parts = allocations.allocate(rule, amount)
            assert sum(parts.values()) == amount
            given_so_far = _add(given_so_far, parts)
        shares = allocations.shares_of(rule)
        assert {s.account: s.given_minor for s in shares if s.given_minor} == given_so_far
        fractions = allocations.fractions_of(rule)
        for share in shares:
            due = sum(amounts) * fractions.get(share.outlet_id, 0)
            assert abs(share.given_minor - due) < 1
        savepoint.rollback()


def _add(one, other):
    return {code: one.get(code, 0) + other.get(code, 0) for code in one | other}


def test_gifts_that_settle_together_are_tallied_one_after_the_other(real_database):
    rule_id = in_force((1, 1, 1)).id
    db.session.commit()

    def work():
        with writing():
            rule = db.session.get(allocations.Rule, rule_id)
            allocations.shares_of(rule)  # what was read before the lock must not be believed
            parts = [allocations.allocate(rule, 1) for _ in range(3)]
            db.session.commit()
            return parts

    answers = real_database.together(*[work] * 4)
    assert all(isinstance(parts, list) for parts in answers)
    rule = db.session.get(allocations.Rule, rule_id)
    assert [share.given_minor for share in allocations.shares_of(rule)] == [4, 4, 4]
