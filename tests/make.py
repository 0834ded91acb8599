"""Things for tests to stand on: make.person(), make.fundraiser(partners=2), make.donation(settled=True).

Plain functions through the real verbs, each with defaults that make sense together. They flush as the verbs do and
never commit: the client commits before it opens a page.
"""

import uuid
from datetime import UTC, date, datetime

from flask import current_app

from membership import clock
from membership.domain import allocations, donations, fundraisers, newsroom, outlets, people, plans
from membership.domain.donations import Arrival, Donation, Interval, Pledge
from membership.domain.fundraisers import Fundraiser
from membership.domain.payments import Payment, PaymentStatus, Settlement
from membership.domain.people import Person
from membership.domain.plans import Perk, Plan
from membership.money import Money, parse

ACCOUNT = {"holder": "Highland Fund", "iban": "DE89370400440532013000", "bic": "COBADEFFXXX", "bank": "Bank"}
NAMES = ("Mtkvari Post", "Rioni Monitor", "ალაზნის ხმა", "Արփա", "Kür Xəbər")


def EUR(amount: str) -> Money:  # noqa: N802 - a currency's name is written so
    return parse(amount, "EUR")


def settings():
    return current_app.config["SETTINGS"]


def the_newsroom() -> newsroom.Newsroom:
    text = {"en": "A text.", "ka": "ტექსტი."}
    pages = dict.fromkeys(newsroom.PAGES, text)
    return newsroom.describe(
        name="Highland Dispatch", donee="Highland Fund e.V.", bank_account=ACCOUNT, pages=pages
    )


def person(email: str = "ana@example.org", name: str = "Ana") -> Person:
    return people.register(email, name=name, locale="en")


def outlet(slug: str, name: str = "An outlet", appears: str = "exact") -> outlets.Outlet:
    return outlets.describe(slug, name=name, latin_name=name, country="GE", languages=["ka"], appears=appears)


def fundraiser(
    slug: str = "small-newsrooms",
    *,
    partners: int = 2,
    weights: tuple[int, ...] = (),
    host_share_bp: int = 0,
    fee_bearer: str = "shares",
    status: str = "open",
    closes_on: date | None = None,
    refused: list[str] | None = None,
    ends_running: bool = False,
) -> Fundraiser:
    """An open fundraiser whose rule is in force among this many outlets."""
    the_newsroom()
    made = [outlet(f"outlet-{n}", NAMES[n % len(NAMES)]) for n in range(partners)]
    texts = {
        "title": "Keep small newsrooms publishing",
        "summary": "A summary.",
        "story": "A story.",
        "stranded": ".",
    }
    ka = {"title": "დავეხმაროთ მცირე რედაქციებს", "summary": "ტექსტი.", "story": "ამბავი.", "stranded": "."}
    interval = {"once": ["5", "10", "20", "50"], "month": ["3", "5", "10", "20"], "year": ["30", "60", "100"]}
    row = fundraisers.describe(
        slug,
        status=status,
        opens_on=date(2020, 1, 1),
        closes_on=closes_on,
        goal=EUR("75000"),
        texts={"en": texts, "ka": ka},
        causes=[("safety", EUR("30000"), {"en": "Safety equipment", "ka": "უსაფრთხოება"})],
        suggestions={
            "EUR": interval,
            "USD": interval,
            "GEL": {k: [a + "0" for a in v] for k, v in interval.items()},
        },
        risk_notices={},
        refused_countries=refused or [],
        ends_running=ends_running,
    )
    rule = allocations.propose(
        row.id,
        fundraiser_slug=slug,
        shares=[(one.id, one.slug, (weights or (1,) * partners)[n]) for n, one in enumerate(made)],
        host_share_bp=host_share_bp,
        fee_bearer=fee_bearer,
    )
    allocations.agree(rule, on=date(2020, 1, 1), now=datetime(2020, 1, 1, tzinfo=UTC))
    return row


def perk(slug: str = "letters", *, kind: str = "page", codes: tuple[str, ...] = (), **more: object) -> Perk:
    """A perk; a page unless said otherwise."""
    en = {"title": f"Perk {slug}", "teaser": f"Teaser of {slug}.", "body": f"Body of **{slug}**."}
    texts = {"en": en, "ka": {name: f"{text}-ka" for name, text in en.items()}}
    described = plans.describe_perk(slug, kind=kind, **({"position": 1, "texts": texts} | more))
    plans.stock(described, codes)
    return described


def plan(
    slug: str = "reader",
    *,
    name: str = "",
    prices: dict[str, str] | None = None,
    currencies: tuple[str, ...] = ("EUR",),
    perks: tuple[str, ...] = (),
    **more: object,
) -> Plan:
    """An open plan for 5 a month or 50 a year; perks that are not there yet are made, as pages."""
    for number, one in enumerate(perks):
        _ = plans.find_perk(one) or perk(one, position=number)
    en = {"name": name or slug.title(), "summary": f"Summary of {slug}.", "story": f"Story of {slug}."}
    told = {"status": "open", "position": 1, "texts": {"en": en, "ka": {k: f"{v}-ka" for k, v in en.items()}}}
    asked = (prices or {"month": "5", "year": "50"}).items()
    cost = {(interval, c): parse(amount, c) for interval, amount in asked for c in currencies}
    return plans.describe_plan(slug, prices=cost, perks=list(perks), **(told | more))


def pledge(**more: object) -> Pledge:
    told: dict[str, object] = {
        "attempt": str(uuid.uuid4()),
        "amount": EUR("20"),
        "interval": Interval.ONCE,
        "email": "ana@example.org",
        "locale": "en",
        "name": "Ana",
    }
    return Pledge(**(told | more))


def donation(
    fundraiser_row: Fundraiser | None = None, *, settled: bool = False, booked: bool = False, **more: object
) -> Donation:
    """A pledge; `settled` lets its charge succeed, `booked` its balance transaction arrive too."""
    row = fundraiser_row or fundraisers.find_fundraiser("small-newsrooms") or fundraiser()
    given = donations.pledge(row, pledge(**more), settings=settings())
    if settled or booked:
        paid = payment(given)
        if booked:
            donations.book(paid, settlement(paid), settings=settings(), now=clock.now())
    return given


def arrival(given: Donation, **more: object) -> Arrival:
    told: dict[str, object] = {
        "charge_id": f"ch_{uuid.uuid4().hex}",
        "amount": given.charged,
        "status": PaymentStatus.SUCCEEDED,
        "paid_at": clock.now(),
        "payment_intent_id": f"pi_{uuid.uuid4().hex}",
        "invoice_id": None,
        "card_country": "DE",
        "customer_id": f"cus_{uuid.uuid4().hex}",
        "to": "ana@example.org",
        "name": "Ana",
    }
    return Arrival(**(told | more))


def payment(given: Donation, **more: object) -> Payment:
    paid = donations.arrived(given, arrival(given, **more), settings=settings(), now=clock.now())
    assert paid is not None
    return paid


def settlement(
    paid: Payment, *, fee: int | None = None, amount: int | None = None, **more: object
) -> Settlement:
    """The balance transaction of a payment: 1.5 % and 0.25 unless said otherwise."""
    gross = paid.amount_minor if amount is None else amount
    cost = (gross * 15 + 500) // 1000 + 25 if fee is None else fee
    told = {"id": f"txn_{uuid.uuid4().hex}", "currency": "EUR", "created": clock.now()}
    return Settlement(**(told | {"amount": gross, "fee": cost, "net": gross - cost} | more))
