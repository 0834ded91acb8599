"""The gift form: what it refuses, what it keeps, and where it leads."""

import logging

import pytest
from sqlalchemy import func, select

from membership.db import db
from membership.domain import fundraisers
from membership.domain.donations import Donation
from membership.web import attempts, brakes, guards
from tests import make
from tests.journeys.donor import Donor
from tests.journeys.donor import control as knob
from tests.web.visitor import FORM, GOOD, beside, control, press, text, title, tokens, value, wait


@pytest.fixture(autouse=True)
def _open(app):
    return make.fundraiser()


def gifts() -> int:
    return db.session.scalar(select(func.count()).select_from(Donation))


def test_the_form_leads_to_the_payment_page(client, stripe):
    answer = press(client)
    assert answer.status_code == 303
    assert guards.is_payment_page(answer.location, make.settings())
    assert gifts() == 1


def test_what_is_chosen_before_anybody_chose(client):
    client.get(FORM)
    assert (value(client, "interval"), value(client, "amount")) == ("once", "20")
    assert value(client, "covers_fee") is None
    assert value(client, "shown") is None
    assert "Add about €0.56 for the card fee, so that about €20 is left to share" in text(client)


def test_the_address_chooses_currency_and_interval(client):
    client.get(FORM + "?currency=GEL&interval=month")
    assert value(client, "currency") == "GEL"
    assert (value(client, "interval"), value(client, "amount")) == ("month", "100")


@pytest.mark.parametrize("query", ["?currency=XXX", "?interval=daily", "?currency=<b>", "?cancelled=nothing"])
def test_an_address_that_says_nothing_of_ours_shows_the_usual_form(client, query):
    assert client.get(FORM + query).status_code == 200
    assert (value(client, "currency"), value(client, "interval")) == ("EUR", "once")


BAD_AMOUNTS = {
    "0": "The smallest gift is €3.",
    "-5": "Please write the amount without a plus or minus sign.",
    "+5": "Please write the amount without a plus or minus sign.",
    "1e9": "Please write the amount in digits, for example 10 or 10.50.",
    "ten": "Please write the amount in digits, for example 10 or 10.50.",
    "NaN": "Please write the amount in digits, for example 10 or 10.50.",
    "١٠": "Please write the amount in digits, for example 10 or 10.50.",
    "1,000": "Please write the amount without thousands separators, for example 1000 or 1000.50.",
    "10,505": "Please write the amount without thousands separators, for example 1000 or 1000.50.",
    "1_000": "Please write the amount without thousands separators, for example 1000 or 1000.50.",
    "10.5055": "Please write the amount with at most two decimals, for example 10.50.",
    "2.99": "The smallest gift is €3.",
    "20000.01": "The largest gift by card is €20,000. For more, please use a bank transfer.",
    "1000000000": "The largest gift by card is €20,000. For more, please use a bank transfer.",
    "9" * 30: "This amount is too large.",
    "9" * 60: "Please write at most 40 characters here.",
}


@pytest.mark.parametrize(("typed", "sentence"), BAD_AMOUNTS.items())
def test_an_amount_that_cannot_be_taken_is_said_beside_the_field(client, typed, sentence):
    answer = press(client, other_amount=typed)
    assert answer.status_code == 422
    assert beside(client, "other_amount") == sentence
    assert value(client, "other_amount") == typed
    assert value(client, "email") == GOOD["email"]
    assert title(client).startswith("Error:")
    assert gifts() == 0


def test_what_is_no_letter_is_not_kept_of_a_name(client):
    press(client, other_amount="ten", name="ნი\uffff\x07\ufdd0ნო")
    assert value(client, "name") == "ნინო"


def test_the_summary_takes_focus_and_leads_to_the_field(client):
    press(client, other_amount="ten")
    summary = next(e for e in client.page.iter("div") if e.get("id") == "errors")
    assert summary.get("tabindex") == "-1"
    assert summary.get("autofocus") is not None
    assert [a.get("href") for a in summary.iter("a")] == ["#other_amount"]


def test_no_amount_at_all_and_none_is_chosen_for_the_reader(client):
    press(client, amount=None)
    assert beside(client, "other_amount") == "Please choose an amount or write your own."
    assert control(client, "amount").get("checked") is None


def test_an_amount_that_no_card_shows_moves_into_the_field(client):
    press(client, amount="7", email="nobody")
    assert value(client, "other_amount") == "7"


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "ana",
        "@example.org",
        "ana@",
        "ana@host..org",
        "a b@example.org",
        "ანა@example.org",
        "ana@exa_mple.org",
    ],
)
def test_an_address_that_cannot_be_one(client, typed):
    assert press(client, email=typed).status_code == 422
    assert beside(client, "email")
    assert value(client, "email") == typed.strip()
    assert gifts() == 0


def test_an_international_domain_is_one(client, stripe):
    assert press(client, email="ana@მაგალითი.გე").status_code == 303


@pytest.mark.parametrize("interval", ["", "daily", None])
def test_an_interval_that_is_not_offered(client, interval):
    assert press(client, interval=interval).status_code == 422
    assert "Please choose one of these." in text(client)
    assert gifts() == 0


@pytest.mark.parametrize("currency", ["XXX", "eur", "SEK"])
def test_a_currency_that_is_not_offered(client, currency):
    assert press(client, currency=currency).status_code == 422
    assert "We cannot take this currency." in text(client)
    assert gifts() == 0


def test_an_unknown_fundraiser(client):
    told = tokens(client) | GOOD
    assert client.get("/fundraisers/nothing/give").status_code == 404
    assert client.post("/fundraisers/nothing/give", data=told).status_code == 404


def test_a_draft_is_not_there(client):
    make.fundraiser("draft", status="draft")
    assert client.get("/fundraisers/draft/give").status_code == 404


def test_a_fundraiser_that_closes_while_the_form_is_open(client):
    told = tokens(client) | GOOD
    fundraisers.find_fundraiser("small-newsrooms").status = fundraisers.FundraiserStatus.CLOSED
    answer = client.post(FORM, data=told)
    assert answer.status_code == 422
    assert "This fundraiser takes no gifts now" in text(client)
    assert client.get(FORM).status_code == 200
    assert "This fundraiser takes no gifts now" in text(client)
    assert gifts() == 0


def test_a_refused_country_is_said_beside_the_field(client):
    make.fundraiser(refused=["BY"])
    press(client, country="BY")
    assert beside(client, "country") == "For their own safety, we take no gifts from people who live there."
    assert value(client, "country") == "BY"


def test_a_name_keeps_every_letter(client, stripe):
    name = "გიორგი ჩიქოვანი-ბარათაშვილი, Արփինե Əliyeva O’Brien"
    press(client, email="nobody", name=f"  {name} ")
    assert value(client, "name") == name


# Pressed again: never refused outright, nothing done, nothing lost


def again(client, answer) -> None:
    assert answer.status_code == 422
    assert "Please press again." in text(client)
    assert title(client).startswith("Error:")
    assert (value(client, "email"), value(client, "name"), value(client, "amount")) == (
        "ana@example.org",
        "Ana",
        "20",
    )
    assert gifts() == 0


@pytest.mark.parametrize("token", [None, "", "made-up", "ImEi.YQ.x"])
def test_a_missing_or_broken_token(client, token):
    again(client, press(client, csrf_token=token))


def test_a_token_of_somebody_else(app, client):
    stranger = app.test_client()
    again(client, press(client, csrf_token=tokens(stranger)["csrf_token"]))


def test_a_stale_token_and_the_fresh_one_works(app, client, stripe, monkeypatch):
    monkeypatch.setitem(app.config, "WTF_CSRF_TIME_LIMIT", -1)
    again(client, press(client))
    monkeypatch.setitem(app.config, "WTF_CSRF_TIME_LIMIT", 3600)
    fresh = {"csrf_token": client.field("csrf_token"), "attempt": client.field("attempt")}
    assert client.post(FORM, data=GOOD | fresh).status_code == 303


def test_a_form_from_another_site(client):
    told = tokens(client) | GOOD
    again(client, client.post(FORM, data=told, headers={"Sec-Fetch-Site": "cross-site"}))


def test_a_filled_trap(client):
    again(client, press(client, homepage="https://spam.example"))


def test_faster_than_a_person(client, stripe):
    told = tokens(client) | GOOD
    wait(-59.5)
    again(client, client.post(FORM, data=told))
    wait(2)
    assert client.post(FORM, data=told | {"csrf_token": client.field("csrf_token")}).status_code == 303


@pytest.mark.parametrize("attempt", [None, "", "0123", "WyJhIiwxXQ.tampered"])
def test_a_tampered_attempt_is_replaced(client, attempt):
    again(client, press(client, attempt=attempt))
    assert attempts.read(client.field("attempt")) is not None


def test_an_attempt_is_kept_while_it_is_mended(client):
    told = tokens(client) | GOOD | {"email": "nobody"}
    client.post(FORM, data=told)
    assert client.field("attempt") == told["attempt"]


def test_the_same_press_twice_is_one_gift(client, stripe):
    told = tokens(client) | GOOD
    first, second = client.post(FORM, data=told), client.post(FORM, data=told)
    assert first.location == second.location
    assert gifts() == 1


# Stripe, limits, the way back


def test_stripe_down_keeps_everything_and_the_attempt(client, stripe):
    told = tokens(client) | GOOD
    knob(stripe, "faults", next=9, kind="429", path="/v1/")
    answer = client.post(FORM, data=told)
    assert answer.status_code == 503
    assert "The payment page cannot be reached just now. Nothing was charged. Please press again." in text(
        client
    )
    assert client.field("attempt") == told["attempt"]
    assert value(client, "email") == GOOD["email"]
    knob(stripe, "faults", next=0, kind="429", path="/v1/")
    assert client.post(FORM, data=told | {"csrf_token": client.field("csrf_token")}).status_code == 303
    assert gifts() == 1


def test_a_payment_page_elsewhere_is_never_followed(app):
    settings = make.settings()
    for url in (
        "https://checkout.stripe.com.evil.example/x",
        "http://checkout.stripe.com/x",
        "//evil.example",
        "/x",
    ):
        assert not guards.is_payment_page(url, settings)
    assert guards.is_payment_page("https://checkout.stripe.com/c/pay/cs_1", settings)
    assert guards.is_payment_page("http://localhost:8001/pay/cs_1", settings)


def test_too_many_tries_of_one_browser_keep_the_form(client, monkeypatch):
    monkeypatch.setattr(brakes, "PER_BROWSER", 0)
    answer = press(client)
    assert answer.status_code == 429
    assert value(client, "email") == GOOD["email"]
    assert "Nothing was done and nothing you wrote is lost." in text(client)
    assert gifts() == 0


def test_too_many_tries_of_one_address(app, client, stripe, monkeypatch):
    monkeypatch.setattr(brakes, "PER_EMAIL", 1)
    assert press(client).status_code == 303
    assert press(app.test_client(), email="ANA@example.org").status_code == 429
    assert press(app.test_client(), email="nino@example.org").status_code == 303


def test_two_hundred_readers_behind_one_address_get_through(client):
    assert brakes.PER_NETWORK >= 200


def test_a_neighbourhood_is_a_24_or_a_64(app):
    for address, network in {
        "192.0.2.77": "192.0.2.0/24",
        "2001:db8:1:2:3::4": "2001:db8:1:2::/64",
        "": "unknown",
    }.items():
        with app.test_request_context(environ_base={"REMOTE_ADDR": address}) as context:
            assert guards.network_of(context.request) == network


def test_the_ceiling_for_all_is_told_to_staff(client, monkeypatch, caplog):
    monkeypatch.setattr(brakes, "IN_ALL", 0)
    with caplog.at_level(logging.ERROR):
        assert press(client).status_code == 429
    assert "gift: more than 0 tries in ten minutes" in caplog.text


def test_back_from_the_payment_page_nothing_was_charged(client, stripe):
    press(client, other_amount="12.50", covers_fee="yes", interval="month")
    reference = db.session.scalar(select(Donation.reference))
    attempt = db.session.scalar(select(Donation.attempt))
    assert client.get(f"{FORM}?cancelled={reference}").status_code == 200
    assert "Nothing was charged." in text(client)
    assert value(client, "other_amount") == "12.50"
    assert (value(client, "interval"), value(client, "covers_fee")) == ("month", "yes")
    assert attempts.read(client.field("attempt")).id == attempt
    assert value(client, "email") == ""


def test_whoever_paid_and_opens_the_way_back_reads_that_it_was_paid(app, stripe):
    donor = Donor(app, stripe)
    donor.pay(donor.start(interval="month"))  # and neither the way on nor a webhook has come
    reference = db.session.scalar(select(Donation.reference))
    back = donor.ours.get(f"{FORM}?cancelled={reference}")
    assert (back.status_code, back.location) == (303, f"/thanks/{reference}")
    assert donor.status(reference) == "paid"


def test_back_while_stripe_does_not_answer_nothing_is_said_of_the_charge(app, stripe):
    donor = Donor(app, stripe)
    donor.pay(donor.start(amount="50"))
    knob(stripe, "faults", next=9, kind="timeout", path="/v1/checkout")
    donor.ours.get(f"{FORM}?cancelled={db.session.scalar(select(Donation.reference))}")
    assert "Nothing was charged." not in text(donor.ours)
    assert value(donor.ours, "amount") == "50"


def test_back_from_the_payment_page_in_another_browser_shows_the_usual_form(app, client, stripe):
    press(client, other_amount="12.50")
    reference = db.session.scalar(select(Donation.reference))
    other = app.test_client()
    other.get(f"{FORM}?cancelled={reference}")
    assert value(other, "other_amount") == ""
    assert "Nothing was charged." not in text(other)


def test_the_notice_stands_above_the_address(client):
    page = client.get(FORM).text
    assert page.index(make.settings().statement_descriptor) < page.index('name="email"')


def test_the_form_is_not_kept_by_anybody_else_and_back_works(client):
    headers = client.get(FORM).headers
    assert headers["Cache-Control"] == "private, no-cache"
    assert "Cookie" not in headers["Vary"]
