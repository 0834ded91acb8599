"""Members in Chromium, with JavaScript and without: joining, signing in, perks; a card that fails; leaving and back.

With JavaScript each page on the way is looked at too: axe, both colour schemes, 320 px.
"""

from collections import Counter

from playwright.sync_api import expect

from tests.browser import members
from tests.browser.test_pages import DESK, Inspector

SAYS = {
    "join-filled": "What you agree to",
    "join-cancelled": "You came back before paying. Nothing was charged.",
    "join-thanks": "Welcome. You are a member now.",
    "join-thanks-processing": "please do not pay again",
    "join-thanks-failed": "Nothing was charged",
    "sign-in-errors": "e-mail",
    "sign-in-sent": "Please look into your mail",
    "sign-in-wrong-code": "This is not the code from the newest mail",
    "sign-in-link": "One press and you are in.",
    "sign-in-used": "This was used already",
    "account": "Good to have you with us",
    "perk-page": "who owns the new ferry",
    "perk-link": "https://meet.highland-dispatch.example/members",
    "perk-no-codes": "All codes are taken just now.",
    "perk-code-to-take": "One code for each member.",
    "perk-code": "It is yours alone",
    "account-plan-preview": "Paid today",
    "account-paused": "It is paused.",
    "withdraw-done": "everything that was paid goes back",
    "account-late": "The last payment did not go through.",
    "account-card-late": "The payment that waits is then made with it at once",
    "account-card-declined": "Its bank did not let the payment through.",
    "account-card-done": "Paid, and all is well",
    "account-leaving": "You have left.",
    "account-stayed": "You stay a member.",
    "perk-closed": "This is for members.",
    "account-ended": "Your membership has ended",
    "perk-open-again": "who owns the new ferry",
}
ONE_LOOK = (("dark", DESK),)


class Reader:
    """Reads each page that is shown and, where asked, inspects it."""

    def __init__(self, visitor, looks=True):
        self.visitor, self.seen = visitor, []
        self.inspector = Inspector(visitor, looks=ONE_LOOK) if looks else None

    def __call__(self, name):
        if name in SAYS:
            expect(self.visitor.tab.locator("main")).to_contain_text(SAYS[name])
        self.seen.append(name)
        if self.inspector:
            self.inspector(name)

    def is_content(self):
        assert self.seen
        found = self.inspector.found if self.inspector else []
        assert not found, "\n".join(found)


def test_from_the_article_to_the_perks(visit, demo, email, js):
    ana = visit(js=js)
    reader = Reader(ana, looks=js)
    reference = members.joining(ana, reader)
    welcome = members.mailed(demo, email, "/withdraw/")
    assert "Patron" in welcome["text"]
    members.signing_in(ana, reader)
    code = members.perks(ana, reader)
    reader.is_content()
    assert ana.opens(f"/account/perks/{members.TICKET}").locator("dd.code").inner_text() == code
    assert demo.rows("SELECT status FROM memberships WHERE reference = ?", reference) == [("active",)]
    assert demo.state(email)["charges"] == 1

    demo.time_passes(days=1)
    phone, other = visit(js=js), visit(js=js)
    path = f"/account/perks/{members.LETTER}"
    answer = phone.context.request.get(demo.url + path, max_redirects=0)
    assert (answer.status, answer.headers["location"]) == (303, f"/sign-in?next={path}")
    asks = Reader(other, looks=js)
    members.elsewhere(phone, other, asks, path)
    asks.is_content()
    for one in (phone, other):
        expect(one.tab.locator("main")).to_contain_text(SAYS["perk-page"])


def test_a_debit_that_the_bank_refuses(visit):
    ana = visit()
    reader = Reader(ana)
    members.debited(ana, reader)
    reader.is_content()


def test_every_page_of_the_account_and_everything_back(visit, demo, email):
    ana = visit()
    reader = Reader(ana)
    members.joins(ana)
    members.signs_in(ana)
    members.account(ana, reader)
    members.without_signing_in(ana, reader)
    assert demo.comes_true(demo.is_quiet)
    there = demo.state(email)
    assert (there["charged"], there["refunded"], there["subscriptions_live"]) == (1000, 1000, 0)
    reader.is_content()


def test_a_card_fails_then_leaving_and_coming_back(visit, demo, email, js):
    ana = visit(js=js)
    reader = Reader(ana, looks=js)
    members.mending(ana, reader)
    assert demo.comes_true(demo.is_quiet)
    assert subjects(demo, email) == {
        "Welcome": 1,
        "Your receipt": 1,
        "A payment did not go through": 1,
        "Your link to sign in": 1,
        "All is in order again: your receipt": 1,
    }
    members.leaving(ana, reader)
    assert demo.comes_true(demo.is_quiet)
    assert demo.state(email)["subscriptions_live"] == 1
    later = subjects(demo, email)
    assert (later["Welcome"], later["Your membership has ended"]) == (2, 1)
    reader.is_content()


def subjects(demo, email):
    return Counter(mail["subject"] for mail in demo.mails(email))
