"""A member's ways in a browser: joining, signing in, perks, the account, a card that fails, leaving and coming back.

Each walk calls `show(name)` at its stops, as those of `walks` do; what its pages must say is the caller's business.
Nothing here reads a sentence, so the same walks lead through every language.
"""

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from urllib.parse import urlsplit

from playwright.sync_api import expect

from tests.browser.demo import Demo
from tests.browser.visitor import GOOD, Visitor, pays, reference_of
from tests.browser.walks import Show, sent_with_errors, unchecked, without_news

FAILS_LATER = "4000000000000341"
NO_MONEY = "AT86 1904 3002 3547 3202"
SIGN_IN, LINK = re.compile(r"/sign-in(\?|$)"), "/sign-in/"
LETTER, SHEET, MEETING, TICKET = "editors-letter", "winter-roads", "open-meeting", "reading-evening"


def goes(visitor: Visitor, path: str) -> None:
    """Press the first link of the page that leads there."""
    visitor.tab.locator(f"main a[href='{path}']").first.click()
    visitor.tab.wait_for_url(f"**{path}")


def presses(visitor: Visitor, action: str) -> None:
    """Press the first button of the form that is sent there, and see the page that follows."""
    visitor.tab.locator(f"main form[action$='{action}'] button").first.click()
    expect(visitor.tab.locator("h1")).to_be_visible()


# joining


def fills(visitor: Visitor, price: str, name: str = "") -> None:
    chosen = visitor.tab.locator(f"input[name=price][value={price}]").get_attribute("id")
    visitor.tab.locator(f"label[for={chosen}]").click()
    visitor.tab.locator("#email").fill(visitor.email)
    visitor.tab.locator("#name").fill(name)


def joins(visitor: Visitor, plan: str = "friend", *, prefix: str = "", name: str = "") -> str:
    """From the form of a plan to the thanks page; its reference."""
    visitor.opens(f"{prefix}/join/{plan}")
    fills(visitor, "month-EUR", name)
    visitor.presses()
    visitor.finishes(pays(visitor))
    return visitor.is_thanked()


def joining(visitor: Visitor, show: Show, prefix: str = "") -> str:
    """From the article, with a change of mind at the payment page, to the thanks page; its reference."""
    visitor.opens(f"{prefix}/demo/article")
    goes(visitor, f"{prefix}/join")
    goes(visitor, f"{prefix}/join/patron")
    fills(visitor, "month-EUR", "ნინო კვარაცხელია-ჩიქოვანი")
    show("join-filled")
    visitor.presses()
    visitor.is_at_stripe()
    visitor.tab.locator("a[href*='cancelled=']").click()
    visitor.tab.locator("#says").wait_for()
    show("join-cancelled")
    fills(visitor, "month-EUR", "ნინო კვარაცხელია-ჩიქოვანი")
    visitor.presses()
    visitor.finishes(pays(visitor))
    reference = visitor.is_thanked()
    show("join-thanks")
    return reference


def debited(visitor: Visitor, show: Show, prefix: str = "") -> None:
    """Joined by a bank debit, which is on its way until the bank says no."""
    visitor.opens(f"{prefix}/join/reader")
    fills(visitor, "month-EUR")
    visitor.presses()
    visitor.is_at_stripe()
    visitor.tab.route("**/thanks/*", without_news)
    visitor.tab.locator("details summary").click()
    visitor.tab.locator("#name").fill("Ana")
    visitor.tab.locator("#iban").fill(NO_MONEY)
    visitor.finishes()
    visitor.is_thanked("processing")
    show("join-thanks-processing")
    visitor.demo.comes_true(
        lambda: visitor.tab.reload() and visitor.tab.locator("[data-status=failed]").count()
    )
    visitor.is_thanked("failed")
    show("join-thanks-failed")


# signing in


def mailed(demo: Demo, email: str, what: str, *, after: int = 0) -> dict[str, str]:
    """The newest mail with such an address in it, once there is one beyond the first `after` of them."""

    def found() -> list[dict[str, str]]:
        return [mail for mail in demo.mails(email) if what in mail["text"]]

    assert demo.comes_true(lambda: len(found()) > after), f"no mail with {what} came to {email}"
    return found()[-1]


def link_in(mail: dict[str, str], what: str) -> str:
    """The address of this kind in a mail, without its host."""
    parts = urlsplit(re.search(rf"http\S+{what}\S*", mail["text"])[0])
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def code_in(mail: dict[str, str]) -> str:
    return re.search(r"^\s*([A-Z0-9]{4}-[A-Z0-9]{4})\s*$", mail["text"], re.MULTILINE)[1]


def asks_to_sign_in(visitor: Visitor) -> dict[str, str]:
    """On the page that asks for the address: write it; the mail that comes."""
    before = sum(LINK in mail["text"] for mail in visitor.demo.mails(visitor.email))
    visitor.tab.locator("#email").fill(visitor.email)
    click_main(visitor)
    expect(visitor.tab.locator("#code")).to_be_visible()
    return mailed(visitor.demo, visitor.email, LINK, after=before)


def click_main(visitor: Visitor) -> None:
    visitor.tab.locator("main form button.go").first.click()


def signs_in(visitor: Visitor, path: str = "/account") -> None:
    """Open a page that is closed, and come in by the mailed link."""
    visitor.opens(path)
    visitor.tab.wait_for_url(SIGN_IN)
    mail = asks_to_sign_in(visitor)
    visitor.tab.goto(visitor.demo.url + link_in(mail, LINK))
    click_main(visitor)
    visitor.tab.wait_for_url(f"**{path}")


def signing_in(visitor: Visitor, show: Show, prefix: str = "") -> None:
    """From the thanks page by the link in the mail, with every mistake on the way."""
    visitor.tab.locator(f"main a[href^='{prefix}/sign-in']").click()
    show("sign-in")
    unchecked(visitor)
    click_main(visitor)
    visitor.tab.locator("#errors").wait_for()
    show("sign-in-errors")
    mail = asks_to_sign_in(visitor)
    show("sign-in-sent")
    visitor.tab.locator("#code").fill("AAAA-AAAA")
    click_main(visitor)
    visitor.tab.locator("#errors").wait_for()
    show("sign-in-wrong-code")
    link = visitor.demo.url + link_in(mail, LINK)
    visitor.tab.goto(link)
    show("sign-in-link")
    click_main(visitor)
    visitor.tab.wait_for_url(f"**{prefix}/account")
    show("account")
    visitor.tab.goto(link)
    show("sign-in-used")


def elsewhere(phone: Visitor, stranger: Visitor, show: Show, path: str) -> None:
    """Two more browsers on another day: the link that one asked for is opened in the other; then one comes in by code."""
    phone.opens(path)
    mail = asks_to_sign_in(phone)
    stranger.tab.goto(phone.demo.url + link_in(mail, LINK))
    show("sign-in-elsewhere")
    click_main(stranger)
    stranger.tab.wait_for_url(f"**{path}")
    phone.opens(f"{path.partition('/account')[0]}/sign-in?again=yes&next={path}")
    mail = asks_to_sign_in(phone)
    phone.tab.locator("#code").fill(code_in(mail).lower())
    click_main(phone)
    phone.tab.wait_for_url(f"**{path}")


# what a member has


@contextmanager
def no_codes_left(demo: Demo) -> Iterator[None]:
    """Every code that is free counts as taken for a while."""
    told = "UPDATE perk_codes SET taken_at = ? WHERE person_id IS NULL AND taken_at IS ?"
    for after, before in (("2000-01-01 00:00:00", None), (None, "2000-01-01 00:00:00")):
        with closing(sqlite3.connect(demo.instance / "demo.sqlite", timeout=20)) as database, database:
            database.execute(told, (after, before))
        if after:
            yield


def perks(visitor: Visitor, show: Show, prefix: str = "") -> str:
    """Each kind of perk from the account; the file is downloaded, the code taken. Returns the code."""
    account = f"{prefix}/account"
    for slug, name in ((LETTER, "perk-page"), (MEETING, "perk-link"), (SHEET, "perk-file")):
        visitor.opens(account)
        goes(visitor, f"{account}/perks/{slug}")
        show(name)
    with visitor.tab.expect_download() as coming:
        visitor.tab.locator(f"main a[href$='/{SHEET}/file']").click()
    assert coming.value.path().read_bytes().startswith(b"%PDF-"), coming.value.suggested_filename
    visitor.opens(f"{account}/perks/{TICKET}")
    with no_codes_left(visitor.demo):
        visitor.tab.reload()
        show("perk-no-codes")
    visitor.tab.reload()
    show("perk-code-to-take")
    click_main(visitor)
    visitor.tab.locator("dd.code").wait_for()
    show("perk-code")
    return visitor.tab.locator("dd.code").inner_text()


def account(visitor: Visitor, show: Show, prefix: str = "") -> None:
    """Every page of the account; a change looked at, a pause begun and ended, then everything given back."""
    here = f"{prefix}/account"
    for name in ("card", "leave", "pause", "withdraw", "gifts", "receipts", "language", "sessions"):
        visitor.opens(here)
        visitor.tab.locator(f"main a[href^='{here}/{name}']").first.click()
        show(f"account-{name}")
        if name == "receipts":
            visitor.tab.locator(f"main a[href^='{here}/receipts/']").first.click()
            show("account-receipt")
    visitor.opens(here)
    visitor.tab.locator(f"main a[href^='{here}/plan']").first.click()
    show("account-plan")
    visitor.tab.locator("#other_amount").fill("0,001")
    unchecked(visitor)
    click_main(visitor)
    show("account-plan-errors")
    visitor.tab.locator("#other_amount").fill("")
    visitor.tab.locator("input[name=price]").last.check()
    click_main(visitor)
    visitor.tab.locator("input[name=agreed]").wait_for(state="attached")
    show("account-plan-preview")
    visitor.opens(here)
    visitor.tab.locator(f"main a[href^='{here}/pause']").first.click()
    click_main(visitor)
    visitor.tab.locator("#did").wait_for()
    show("account-paused")
    presses(visitor, "/account/go-on")


def without_signing_in(visitor: Visitor, show: Show, prefix: str = "") -> None:
    """Leaving and withdrawing by the links in the welcome, and by the pages that ask for an address."""
    welcome = mailed(visitor.demo, visitor.email, "/withdraw/")
    visitor.opens(link_in(welcome, "/leave/"))
    show("leave-membership")
    visitor.opens(f"{prefix}/withdraw")
    sent_with_errors(visitor)
    show("withdraw-errors")
    visitor.tab.locator("#email").fill(visitor.email)
    visitor.presses()
    visitor.tab.wait_for_url("**sent=yes")
    show("withdraw-sent")
    visitor.opens(link_in(welcome, "/withdraw/"))
    show("withdraw-membership")
    click_main(visitor)
    expect(visitor.tab.locator("main form")).to_have_count(0)
    show("withdraw-done")


# a card that fails; leaving and coming back


def card_fails(visitor: Visitor) -> None:
    """From now on the card says no; a month and the hour of a bill's draft go by."""
    subscription = visitor.demo.rows(
        "SELECT stripe_subscription_id FROM memberships WHERE reference = ?", reference_of(visitor.tab.url)
    )[0][0]
    visitor.demo.control("card", subscription=subscription, card_number=FAILS_LATER)
    visitor.demo.time_passes(days=32)


def writes_card(visitor: Visitor, card: str, seen: Callable[[], None] = lambda: None) -> None:
    """From our page to Stripe's page for cards and back, with this card."""
    click_main(visitor)
    visitor.tab.wait_for_url("**/portal/**")
    seen()
    for name, text in (("card_number", card), ("exp", "12/34"), ("cvc", "123")):
        visitor.tab.locator(f"#{name}").fill(text)
    visitor.finishes()
    visitor.tab.wait_for_url("**/account/card/done**")


def mending(visitor: Visitor, show: Show, prefix: str = "") -> None:
    """The card fails; the mail leads to the account, the account to Stripe's page for cards; the second card pays."""
    joins(visitor, prefix=prefix)
    card_fails(visitor)
    mail = mailed(visitor.demo, visitor.email, "/account/card")
    signs_in(visitor, f"{prefix}/account")
    show("account-late")
    visitor.opens(link_in(mail, "/account/card"))
    show("account-card-late")
    writes_card(visitor, FAILS_LATER)
    show("account-card-declined")
    visitor.tab.locator("main a.go").first.click()
    writes_card(visitor, GOOD, lambda: show("stripe-card"))
    show("account-card-done")


def leaving(visitor: Visitor, show: Show, prefix: str = "") -> None:
    """Left, taken back, left again; the period runs out, the perk closes; joined again, it is open."""
    here = f"{prefix}/account"
    for once_more in (False, True):
        visitor.opens(here)
        visitor.tab.locator(f"main a[href^='{here}/leave']").first.click()
        click_main(visitor)
        visitor.tab.locator("#did").wait_for()
        if not once_more:
            show("account-leaving")
            presses(visitor, "/account/return")
            show("account-stayed")
    for _half in range(2):
        visitor.demo.time_passes(days=16)
        visitor.opens(here)
    assert visitor.demo.comes_true(
        lambda: visitor.opens(f"{here}/perks/{LETTER}").locator("main .doors a[href*='/join/']").count()
    )
    show("perk-closed")
    visitor.opens(here)
    show("account-ended")
    goes(visitor, f"{prefix}/join/friend")
    fills(visitor, "month-EUR")
    visitor.presses()
    visitor.finishes(pays(visitor))
    visitor.is_thanked()
    visitor.opens(f"{here}/perks/{LETTER}")
    show("perk-open-again")
