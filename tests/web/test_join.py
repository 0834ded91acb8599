"""Joining: the comparison, the form, what it refuses and keeps, and where it leads."""

import pytest
from sqlalchemy import func, select

from membership.db import db
from membership.domain import banners, memberships, plans
from membership.domain.memberships import Join, Membership, MembershipStatus
from membership.web import brakes, guards
from tests import make
from tests.journeys.donor import SEPA_FAILING, Donor, settle
from tests.journeys.donor import control as knob
from tests.signed_in import as_member
from tests.web.visitor import beside, control, text, title, tokens, value

FORM = "/join/reader"
GOOD = {"price": "month-EUR", "email": "ana@example.org", "name": "Ana"}


@pytest.fixture(autouse=True)
def _open(app):
    make.the_newsroom()
    make.plan("reader", currencies=("EUR", "GEL"), perks=("letters",))
    make.plan("patron", position=2, prices={"month": "25", "year": "250"}, perks=("letters", "visit"))


def joined() -> int:
    return db.session.scalar(select(func.count()).select_from(Membership))


def press(client, path=FORM, **fields):
    """Send a good form, but for these fields; None leaves one out."""
    told = tokens(client, path) | GOOD | fields
    return client.post(path, data={name: value for name, value in told.items() if value is not None})


# The comparison


def test_the_comparison_says_what_it_costs_opens_and_binds_to(client, at):
    at("2026-01-31 12:00")
    client.get("/join")
    page = text(client)
    for said in (
        "€5 a month",
        "or €50 a year",
        "A year costs €60 when it is paid monthly, €50 when it is paid at once.",
        "Perk visit Teaser of visit.",
        "a monthly membership is paid again on 28 February 2026 and a yearly one on 31 January 2027",
        "you can withdraw until 14 February 2026",
    ):
        assert said in page
    assert page.count("Perk letters") == 2
    assert page.count("Teaser of letters.") == 1  # said once, where it is new
    links = [a.get("href") for a in client.page.iter("a")]
    assert {"/join/reader", "/join/patron", "/leave", "/withdraw"} <= set(links)
    assert not list(client.page.iter("input"))


def test_a_plan_with_a_monthly_price_alone_says_what_a_year_costs(client):
    make.plan("reader", prices={"month": "5"})
    client.get("/join")
    assert "€5 a month A year costs €60. Join" in text(client)


def test_another_currency_is_shown_only_where_it_has_a_price(client):
    client.get("/join?currency=GEL")
    assert "₾5 a month" in text(client)
    links = {a.get("href") for a in client.page.iter("a")}
    assert "/join/reader?currency=GEL" in links
    assert "/join/patron?currency=GEL" not in links
    assert "/ka/join?currency=GEL" in links


@pytest.mark.parametrize("query", ["?currency=XXX", "?currency=%3Cb%3E", "?currency=GEL&utm_source=x"])
def test_any_other_query_is_the_usual_page(client, query):
    assert client.get("/join" + query).text == client.get("/join").text


def test_a_closed_plan_is_not_compared_and_its_form_says_so(client):
    make.plan("reader", status="closed")
    client.get("/join")
    assert "Reader" not in text(client)
    assert client.get(FORM).status_code == 200
    assert "This membership takes no new members" in text(client)
    assert client.get("/join/nothing").status_code == 404


def test_where_nothing_is_open_the_page_leads_to_the_fundraiser(client):
    make.fundraiser()
    plans.close_others([])
    client.get("/join")
    assert "No membership is open just now" in text(client)
    assert "/fundraisers/small-newsrooms" in {a.get("href") for a in client.page.iter("a")}


def test_the_drive_shows_a_rounded_count(client, at):
    now = at("2026-03-01 12:00")
    texts = {"en": {"title": "Two hundred members", "story": "For one more reporter."}}
    days = {"begins_on": now.date(), "ends_on": now.date().replace(day=11)}
    drive = banners.describe("spring", goal=200, **days, texts=texts)
    client.get("/join")
    assert "Goal: 200 members" in text(client)
    drive.shown_members = 120
    for path in ("/join", "/"):
        client.get(path)
        assert "About 120 of 200 members" in text(client)
        assert "10 days left" in text(client)
        assert next(bar for bar in client.page.iter("progress")).get("value") == "60"


# The form


def test_nothing_is_chosen_for_anybody(client):
    client.get(FORM)
    assert [e.get("value") for e in client.page.iter("input") if e.get("name") == "price"] == [
        "month-EUR",
        "year-EUR",
    ]
    assert value(client, "price") is None
    assert value(client, "other_amount") == ""
    words = text(client)
    statement, email = words.index("Your bank statement will usually show"), words.index("E-mail, for your")
    assert statement < email < words.index("This costs money.") < words.index("this costs money")


def test_the_form_leads_to_the_payment_page(client, stripe):
    answer = press(client)
    assert answer.status_code == 303
    assert guards.is_payment_page(answer.location, make.settings())
    (made,) = db.session.scalars(select(Membership))
    assert (made.interval, made.amount, made.plan_id) == ("month", make.EUR("5"), plans.get_plan("reader").id)


def test_more_than_the_price_counts_in_the_currency_of_the_price(client, stripe):
    assert press(client, f"{FORM}?currency=GEL", price="year-GEL", other_amount="70,50").status_code == 303
    (made,) = db.session.scalars(select(Membership))
    assert (made.interval, str(made.amount)) == ("year", "70.50 GEL")


def test_the_same_press_twice_is_one_membership(client, stripe):
    told = tokens(client, FORM) | GOOD
    first, second = client.post(FORM, data=told), client.post(FORM, data=told)
    assert (first.location, joined()) == (second.location, 1)


REFUSED = {
    "price": [(None, "Please choose how you would like"), ("week-EUR", "Please choose one of these."),
              ("year-USD", "Please choose one of these.")],
    "other_amount": [("4.99", "This plan costs €5 or more."), ("0", "This plan costs €5 or more."),
                     ("ten", "in digits"), ("90000", "The largest amount by card is €20,000.")],
    "email": [("", "Please write your e-mail address."), ("ana", "has an @ in it")],
}  # fmt: skip


@pytest.mark.parametrize(
    ("field", "typed", "says"), [(name, *pair) for name, pairs in REFUSED.items() for pair in pairs]
)
def test_what_cannot_be_taken_is_said_beside_its_field(client, field, typed, says):
    answer = press(client, **{field: typed})
    assert answer.status_code == 422
    assert says in beside(client, field)
    assert title(client).startswith("Error:")
    kept = {name: said for name, said in GOOD.items() if name != field}
    assert {name: value(client, name) for name in kept} == kept
    assert joined() == 0


@pytest.mark.parametrize(
    "fields", [{"csrf_token": "made-up"}, {"attempt": None}, {"homepage": "https://spam.example"}]
)
def test_what_a_person_may_not_have_sent_comes_back_to_be_pressed_again(client, fields):
    answer = press(client, other_amount="7", **fields)
    assert answer.status_code == 422
    assert "Please press again." in text(client)
    assert (value(client, "price"), value(client, "other_amount")) == ("month-EUR", "7")
    assert joined() == 0


def test_a_plan_that_closes_while_the_form_is_open(client):
    told = tokens(client, FORM) | GOOD
    plans.close_others([])
    assert client.post(FORM, data=told).status_code == 422
    assert "This membership takes no new members" in text(client)
    assert joined() == 0


def test_an_amount_below_the_price(client):
    make.plan("reader", prices={"month": "6", "year": "60"})
    told = tokens(client, FORM) | GOOD | {"other_amount": "5"}
    assert client.post(FORM, data=told).status_code == 422
    assert (
        beside(client, "other_amount")
        == "At least the price above; it opens the same things. This plan costs €6 or more."
    )


def test_too_many_tries(client, monkeypatch):
    monkeypatch.setattr(brakes, "PER_BROWSER", 0)
    assert press(client).status_code == 429
    assert value(client, "price") == "month-EUR"
    assert joined() == 0


def test_stripe_out_of_reach_keeps_everything(client, stripe):
    knob(stripe, "faults", next=9, kind="drop_reply", path="/v1/checkout/sessions")
    answer = press(client)
    assert answer.status_code == 503
    assert "Nothing was charged. Please press again." in text(client)
    assert value(client, "email") == GOOD["email"]


def test_back_from_the_payment_page_the_choice_is_as_it_was(client, stripe):
    press(client, price="year-EUR", other_amount="75")
    (made,) = db.session.scalars(select(Membership))
    client.get(f"{FORM}?cancelled={made.reference}")
    assert (value(client, "price"), value(client, "other_amount")) == ("year-EUR", "75")
    assert "You came back before paying." in text(client)
    assert value(client, "email") == ""
    assert client.get(f"{FORM}?cancelled={made.reference}").status_code == 200


def test_whoever_paid_and_opens_the_way_back_reads_that_it_was_paid(app, stripe):
    ana = Donor(app, stripe)
    ana.pay(ana.start(FORM, price="month-EUR"))  # and neither the way on nor a webhook has come
    (made,) = db.session.scalars(select(Membership))
    assert ana.ours.get(f"{FORM}?cancelled={made.reference}").location == f"/thanks/{made.reference}"
    assert ana.status(made.reference) == "paid"


def test_whoever_paid_by_a_debit_that_failed_is_not_said_to_have_turned_back(app, stripe):
    ana = Donor(app, stripe)
    ana.pay(ana.start(FORM, price="month-EUR"), card="", iban=SEPA_FAILING)
    settle(stripe)
    (made,) = db.session.scalars(select(Membership))
    assert ana.status(made.reference) == "failed"
    assert "Often another way to pay helps" in text(ana.ours)
    ana.ours.get(f"{FORM}?cancelled={made.reference}")
    assert "The bank did not let the payment through. Nothing was charged." in text(ana.ours)
    assert "before paying" not in text(ana.ours)


def test_another_browser_learns_nothing_of_it(app, client, stripe):
    press(client)
    (made,) = db.session.scalars(select(Membership))
    other = app.test_client()
    other.get(f"{FORM}?cancelled={made.reference}")
    assert "You came back" not in text(other)
    assert control(other, "price").get("checked") is None


def test_whoever_pays_already_is_offered_the_change_instead(client):
    as_member(client, make.person())
    assert client.get(FORM).status_code == 200
    assert value(client, "email") == ""
    told = tokens(client, FORM) | GOOD
    plan = plans.get_plan("reader")
    price = plans.prices_by_plan("EUR")[plan.id]["month"]
    wish = Join(
        attempt="one", plan=plan, price=price, amount=price.amount, email="ana@example.org", locale="en"
    )
    memberships.join(wish, settings=make.settings()).status = MembershipStatus.ACTIVE
    assert client.get(FORM).status_code == 200
    assert "/account/plan" in {a.get("href") for a in client.page.iter("a")}
    assert client.post(FORM, data=told).status_code == 422
    assert joined() == 1


def test_a_price_that_has_changed_meanwhile_is_shown_before_anybody_pays_it(client):
    told = tokens(client, FORM) | GOOD | {"seen": "month-EUR:500 year-EUR:5000"}
    make.plan("reader", prices={"month": "8", "year": "80"}, currencies=("EUR", "GEL"), perks=("letters",))
    db.session.commit()
    assert client.post(FORM, data=told).status_code == 422
    assert "The prices have changed while this page was open." in text(client)
    assert joined() == 0
    assert value(client, "email") == "ana@example.org"
