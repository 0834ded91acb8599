"""A gift from the article to the receipt: in a browser, through the running demo, with whatever goes wrong."""

import re
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from playwright.sync_api import expect

from tests.browser.demo import FORM
from tests.browser.visitor import (
    BANK,
    PAYING,
    SECURE,
    Visitor,
    asks_the_bank,
    click,
    double_click,
    is_declined_then_pays,
    pays,
    submit_twice,
)
from tests.browser.walks import debits, leave_link

GEORGIAN = re.compile("[ა-ჰ]")


@dataclass(frozen=True)
class Journey:
    """How a gift goes when nothing is in its way."""

    at_stripe: Callable[[Visitor], str] = pays
    interval: str = "once"
    prefix: str = ""

    def begins(self, ana: Visitor) -> None:
        ana.reads(self.prefix)
        ana.fills(interval=self.interval)


JOURNEYS = {
    "once": Journey(),
    "declined": Journey(is_declined_then_pays),
    "bank": Journey(asks_the_bank),
    "month": Journey(interval="month"),
    "georgian": Journey(prefix="/ka"),
}
each = pytest.mark.parametrize("journey", JOURNEYS.values(), ids=JOURNEYS.keys())


def one_gift(demo, email, reference, journey=JOURNEYS["once"]):
    """One session, one charge, one payment in the books, one receipt: the receipt."""
    demo.mails_after_a_while(email)
    booked = [("succeeded", 2000, 1945)]
    assert demo.comes_true(lambda: demo.payments_of(reference) == booked), demo.payments_of(reference)
    assert demo.comes_true(demo.is_quiet)
    there = demo.state(email)
    assert (there["customers"], there["sessions"], there["charges"], there["charged"]) == (1, 1, 1, 2000)
    assert there["subscriptions_live"] == (journey.interval == "month")
    assert there["balance"] == 1945
    receipts = demo.mails(email)
    assert len(receipts) == 1
    receipt = receipts[0]
    assert bool(GEORGIAN.search(receipt["subject"])) == bool(journey.prefix), receipt["subject"]
    assert ("20 €" if journey.prefix else "€20") in receipt["text"].replace("\xa0", " ")
    assert ("/leave/" in receipt["text"]) == ("/leave/" in receipt["html"]) == (journey.interval == "month")
    return receipt


@each
def test_from_the_article_to_the_receipt(visit, demo, email, js, journey):
    ana = visit(js=js)
    journey.begins(ana)
    if not journey.prefix:
        says = {"once": "Give €20 once", "month": "Give €20 every month"}[journey.interval]
        expect(ana.button).to_have_text(says if js else "Continue to payment")
    ana.presses()
    ana.finishes(journey.at_stripe(ana))
    reference = ana.is_thanked()
    expect(ana.tab.locator("html")).to_have_attribute("lang", journey.prefix[1:] or "en")
    expect(ana.tab.locator("h1")).to_have_text(
        GEORGIAN if journey.prefix else "Thank you. Your gift has arrived."
    )
    one_gift(demo, email, reference, journey)


def test_the_page_of_a_debit_looks_again_until_it_is_paid(visit):
    ana = visit()
    JOURNEYS["once"].begins(ana)
    ana.presses()
    ana.is_at_stripe()
    debits(ana)
    expect(ana.tab.locator("main[data-status=processing]")).to_be_visible()
    expect(ana.tab.locator("main[data-status=paid]")).to_be_visible()


def test_the_bank_says_no_then_another_card(visit, demo, email, js):
    ana = visit(js=js)
    JOURNEYS["once"].begins(ana)
    ana.presses()
    ana.finishes(pays(ana, SECURE))
    ana.tab.wait_for_url(BANK)
    ana.finishes("button[value=fail]")
    expect(ana.tab.locator("[role=alert]")).to_contain_text("Nothing was paid")
    assert demo.state(email)["charges"] == 0
    ana.finishes("text=Go back without paying")
    expect(ana.tab.locator("#says")).to_contain_text("Nothing was charged")
    expect(ana.tab.locator("input[name=amount]:checked")).to_have_value("20")
    ana.fills()
    ana.presses()
    ana.finishes(pays(ana))
    one_gift(demo, email, ana.is_thanked())


def press_unanswered(ana):
    """Stripe accepts, and its replies are lost: the page says that nothing was charged."""
    with ana.demo.faults("drop_reply", 3, "/v1/checkout/sessions"):
        ana.presses()
        expect(ana.tab.locator("#says")).to_contain_text("")
    assert FORM in ana.tab.url
    assert ana.demo.state(ana.email)["charges"] == 0


@pytest.mark.parametrize("twice", [double_click, submit_twice])
def test_pressed_twice(visit, demo, email, js, twice):
    ana = visit(js=js)
    JOURNEYS["once"].begins(ana)
    ana.presses(twice)
    ana.finishes(pays(ana))
    one_gift(demo, email, ana.is_thanked())


def test_the_reply_is_lost_and_the_button_pressed_again(visit, demo, email, js):
    ana = visit(js=js)
    JOURNEYS["once"].begins(ana)
    press_unanswered(ana)
    expect(ana.tab.locator("#says")).to_have_text(re.compile("Nothing was charged. Please press again."))
    expect(ana.tab.locator("#email")).to_have_value(email)
    click(ana)
    ana.finishes(pays(ana))
    one_gift(demo, email, ana.is_thanked())


def test_no_webhook_comes_and_the_browser_is_closed(visit, demo, email, js):
    with demo.webhooks("drop"):
        ana = visit(js=js)
        JOURNEYS["once"].begins(ana)
        ana.presses()
        reference = ana.finishes_and_is_gone(pays(ana))
        demo.time_passes(seconds=601)  # the worker asks for what it missed
        one_gift(demo, email, reference)


@each
def test_a_bad_day(visit, demo, email, journey):
    """Lost replies, then a double click, no webhooks, and the browser closed at the payment page."""
    with demo.webhooks("drop"):
        ana = visit(js=journey.interval == "once")
        journey.begins(ana)
        press_unanswered(ana)
        double_click(ana)
        reference = ana.finishes_and_is_gone(journey.at_stripe(ana))
        demo.time_passes(seconds=601)
        one_gift(demo, email, reference, journey)


def test_monthly_renews_and_stops_from_the_receipt(visit, demo, email, js):
    ana = visit(js=js)
    JOURNEYS["month"].begins(ana)
    ana.presses()
    ana.finishes(pays(ana))
    reference = ana.is_thanked()
    demo.mails_after_a_while(email)
    demo.time_passes(days=32)  # a month of 31 days, and the hour for which Stripe keeps the bill a draft
    second = demo.mails_after_a_while(email, 2)[1]
    assert "receipt" in second["subject"].lower()
    assert demo.comes_true(lambda: demo.payments_of(reference) == [("succeeded", 2000, 1945)] * 2)
    link = leave_link(second)
    ana.opens(link)
    expect(ana.tab.locator("main")).to_contain_text("€20 every month")
    assert demo.state(email)["subscriptions_live"] == 1, "a GET must not stop anything"
    ana.tab.locator("button[value=stop]").click()
    expect(ana.tab.locator("h1")).to_have_text("Your gift is stopped")
    assert demo.state(email)["subscriptions_live"] == 0
    last = demo.mails_after_a_while(email, 3)[2]
    assert "stopped" in last["subject"].lower(), last["subject"]
    demo.time_passes(days=31)
    assert demo.state(email)["charges"] == 2
    assert len(demo.mails(email)) == 3
    assert ana.opens(link).locator("h1").inner_text() == "This gift has ended"


def test_an_expired_payment_page_leads_back_to_another(visit, demo, email):
    ana = visit(js=False)
    JOURNEYS["once"].begins(ana)
    ana.presses()
    ana.is_at_stripe()
    first = ana.tab.url
    demo.time_passes(seconds=2200)
    ana.tab.reload()
    ana.finishes("a:text-is('Go back')")
    ana.tab.locator("#email").fill(email)
    ana.presses()
    ana.tab.wait_for_url(lambda url: PAYING.search(url) and url != first)
    ana.finishes(pays(ana))
    reference = ana.is_thanked()
    assert len(demo.mails_after_a_while(email)) == 1
    assert [row[:2] for row in demo.payments_of(reference)] == [("succeeded", 2000)]
    assert demo.state(email)["charges"] == 1
