"""The thanks page: plain words for the browser that gave, nothing for any other."""

import pytest
from sqlalchemy import select

from membership.db import db
from membership.domain import donations
from membership.domain.donations import Donation, Status
from tests import make
from tests.journeys.donor import DECLINED, SEPA_FAILING, SEPA_GOOD, Donor, control, settle
from tests.web.visitor import FORM, text, tokens


@pytest.fixture
def donor(app, stripe):
    make.fundraiser()
    return Donor(app, stripe)


def status(client) -> str | None:
    return next(client.page.iter("main")).get("data-status")


def scripts(client) -> list[str]:
    return [s.get("src") for s in client.page.iter("script")]


def links(client, words: str) -> list[str]:
    return [a.get("href") for a in client.page.iter("a") if words in "".join(a.itertext())]


def reference() -> str:
    return db.session.scalar(select(Donation.reference))


def test_paid_at_once_though_no_webhook_came(donor):
    answer = donor.gives()
    assert answer.status_code == 200
    assert status(donor.ours) == "paid"
    assert "€20 was paid once." in text(donor.ours)
    assert "The host sets it aside for the newsrooms, shared by this rule" in text(donor.ours)
    assert answer.headers["Cache-Control"] == "no-store"
    assert scripts(donor.ours) == []


def test_a_monthly_gift_says_how_it_is_stopped(donor):
    donor.gives(interval="month")
    assert status(donor.ours) == "paid"
    assert "€20 was paid, and will be paid every month." in text(donor.ours)
    assert "Each receipt has a link that stops or pauses the gift" in text(donor.ours)


def test_the_fee_is_in_the_sum_that_was_paid(donor):
    donor.gives(covers_fee="yes")
    assert "€20.56 was paid once." in text(donor.ours)


def test_another_browser_learns_nothing(app, donor):
    donor.gives()
    other = app.test_client()
    answer = other.get(f"/thanks/{reference()}")
    assert answer.status_code == 200
    assert status(other) is None
    for secret in ("€20", "Ana", "newsrooms publishing", "paid once", "a gift"):
        assert secret not in text(other)
    assert answer.headers["Cache-Control"] == "no-store"


def test_an_unknown_reference(client):
    make.fundraiser()
    assert client.get("/thanks/nothing").status_code == 404


def test_a_debit_that_takes_days_offers_to_look_again_and_never_turns_by_itself(donor):
    url = donor.start()
    donor.thanks(donor.pay(url, iban=SEPA_GOOD, card=""))
    assert status(donor.ours) == "processing"
    assert links(donor.ours, "Look again") == [f"/thanks/{reference()}"]
    assert [m for m in donor.ours.page.iter("meta") if m.get("http-equiv")] == []
    (script,) = scripts(donor.ours)
    assert donor.ours.get(script).status_code == 200


def test_stripe_down_on_the_way_back_is_on_its_way(donor, stripe):
    donor.pay(donor.start())
    control(stripe, "faults", next=9, kind="500", path="/v1/")
    donor.ours.get(f"/thanks/{reference()}")
    assert status(donor.ours) == "processing"
    control(stripe, "faults", next=0, kind="500", path="/v1/")


@pytest.mark.parametrize(
    ("ended", "sentence"),
    [
        (Status.FAILED, "The bank did not let the payment through."),
        (Status.EXPIRED, "The payment page was open for too long"),
    ],
)
def test_what_failed_says_so_and_offers_the_way_on(donor, ended, sentence):
    donor.start()
    donations.get_donation(reference()).status = ended
    donor.ours.get(f"/thanks/{reference()}")
    assert status(donor.ours) == "failed"
    assert "Nothing was charged" in text(donor.ours)
    assert sentence in text(donor.ours)
    on = links(donor.ours, "Try once more")
    assert on == [f"{FORM}?cancelled={reference()}"]
    assert donor.ours.get(on[0]).status_code == 200


def test_a_declined_card_stays_on_the_payment_page(donor):
    answer = donor.pay(donor.start(), DECLINED)
    assert answer.status_code != 303
    donor.ours.get(f"/thanks/{reference()}")
    assert status(donor.ours) == "failed"  # Stripe was asked: nothing was paid, its page is still open
    assert "Nothing was charged" in text(donor.ours)


def test_whoever_paid_by_a_debit_that_failed_is_not_said_to_have_turned_back(donor, stripe):
    donor.pay(donor.start(), iban=SEPA_FAILING, card="")
    settle(stripe)
    donor.ours.get(f"/thanks/{reference()}")
    assert "Often another way to pay helps" in text(donor.ours)
    donor.ours.get(f"{FORM}?cancelled={reference()}")
    assert "The bank did not let the payment through. Nothing was charged." in text(donor.ours)
    assert "before paying" not in text(donor.ours)


def test_the_same_press_after_paying_leads_to_thanks(donor):
    donor.gives()
    answer = donor.press()
    assert answer.status_code == 303
    assert answer.location == f"/thanks/{reference()}"


def test_a_browser_remembers_its_last_twenty_gifts(donor):
    for _ in range(22):
        donor.start()
    with donor.ours.session_transaction(base_url=make.settings().base_url) as session:
        assert len(session["gifts"]) == 20
    assert tokens(donor.ours)["attempt"]
