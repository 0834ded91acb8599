"""Every page a reader can meet, in the order in which readers meet them.

A walk calls `show(name)` at each stop; what is done there (asking axe, taking a picture) is the caller's business.
"""

import re
from collections.abc import Callable
from urllib.parse import urlsplit

from playwright.sync_api import Route

from tests.browser.demo import FORM, SLUG
from tests.browser.visitor import BANK, DECLINED, GOOD, SECURE, SEPA, Visitor, click

Show = Callable[[str], None]

PLAIN = {
    "home": "/",
    "article": "/demo/article",
    "fundraiser": f"/fundraisers/{SLUG}",
    "form": FORM,
    "form-yearly-in-lari": f"{FORM}?interval=year&currency=GEL",
    "transfer": f"/fundraisers/{SLUG}/transfer",
    "join": "/join",
    "join-form": "/join/friend",
    "banner": "/embed/banner",
    "leave": "/leave",
    "leave-sent": "/leave?sent=yes",
    "imprint": "/imprint",
    "privacy": "/privacy",
    "terms": "/terms",
    "contact": "/contact",
    "not-found": "/no/such/page",
}


def reading(visitor: Visitor, show: Show, prefix: str = "") -> None:
    """What everybody may read, and the forms as they come."""
    for name, path in PLAIN.items():
        visitor.opens(prefix + path)
        show(name)


def erring(visitor: Visitor, show: Show, prefix: str = "") -> None:
    """Each form sent with mistakes in it; the gift form also with a token that is too old."""
    visitor.opens(prefix + FORM)
    visitor.fills()
    visitor.tab.evaluate("() => { document.querySelector('[name=csrf_token]').value = 'stale'; }")
    visitor.presses()
    visitor.tab.locator("#says").wait_for()
    show("form-press-again")
    visitor.opens(prefix + FORM)
    visitor.tab.locator("#email").fill("ana.example.org")
    visitor.tab.locator("#other_amount").fill("1,000")
    visitor.tab.locator("details.more summary").click()
    sent_with_errors(visitor)
    show("form-errors")
    visitor.opens(f"{prefix}/fundraisers/{SLUG}/transfer")
    sent_with_errors(visitor)
    show("transfer-errors")
    visitor.opens(f"{prefix}/join/friend")
    sent_with_errors(visitor)
    show("join-errors")
    visitor.opens(f"{prefix}/leave")
    sent_with_errors(visitor)
    show("leave-errors")


def unchecked(visitor: Visitor) -> None:
    """The browser's own checks are switched off, as they are in a browser that has none."""
    visitor.tab.evaluate("() => { for (const f of document.forms) f.noValidate = true; }")


def sent_with_errors(visitor: Visitor) -> None:
    unchecked(visitor)
    visitor.presses()
    visitor.tab.locator("#errors").wait_for()


def giving(visitor: Visitor, show: Show, prefix: str = "") -> str:
    """A gift with every mishap on its way; returns its reference."""
    visitor.opens(prefix + FORM)
    visitor.fills(name="ნინო კვარაცხელია-ჩიქოვანი")
    visitor.tab.locator("input[name=covers_fee]").check()
    with visitor.demo.faults("drop_reply", 3, "/v1/checkout/sessions"):
        visitor.presses()
        visitor.tab.locator("#says").wait_for()
    show("form-unreachable")
    click(visitor)
    visitor.is_at_stripe()
    show("stripe-pay")
    visitor.types_card(DECLINED)
    visitor.finishes()
    visitor.tab.locator("[role=alert]").wait_for()
    show("stripe-declined")
    visitor.finishes("a:text-is('Go back without paying')")
    visitor.tab.locator("#says").wait_for()
    show("form-cancelled")
    visitor.fills(name="ნინო კვარაცხელია-ჩიქოვანი")
    visitor.presses()
    visitor.is_at_stripe()
    paying = visitor.tab.url
    visitor.types_card(SECURE)
    visitor.finishes()
    visitor.tab.wait_for_url(BANK)
    show("stripe-bank")
    visitor.finishes("button[value=approve]")
    reference = visitor.is_thanked()
    show("thanks-paid")
    visitor.tab.goto(paying)
    show("stripe-paid-already")
    visitor.tab.goto(f"{visitor.demo.stripe_url}/pay/cs_test_none")
    show("stripe-not-found")
    return reference


def other_browser(visitor: Visitor, show: Show, reference: str, prefix: str = "") -> None:
    visitor.opens(f"{prefix}/thanks/{reference}")
    show("thanks-other-browser")


def waiting(visitor: Visitor, show: Show, prefix: str = "") -> None:
    """A bank debit, which takes its time; whenever the page looks again by itself, there is no news."""
    visitor.opens(prefix + FORM)
    visitor.fills()
    visitor.presses()
    visitor.is_at_stripe()
    visitor.tab.route("**/thanks/*", without_news)
    debits(visitor)
    visitor.is_thanked("processing")
    show("thanks-processing")
    visitor.tab.unroute("**/thanks/*")


def debits(visitor: Visitor) -> None:
    """Pays from a bank account, which takes seconds here and days elsewhere."""
    visitor.tab.locator("details summary").click()
    visitor.tab.locator("#name").fill("Ana")
    visitor.tab.locator("#iban").fill(SEPA)
    visitor.finishes()


def without_news(route: Route) -> None:
    """Answers the page's own question after news; the page itself comes from the demo."""
    if route.request.resource_type == "fetch":
        route.fulfill(body='<main data-status="processing">')
    else:
        route.continue_()


def expiring(visitor: Visitor, show: Show, prefix: str = "") -> None:
    """A payment page that was left open for too long."""
    visitor.opens(prefix + FORM)
    visitor.fills()
    visitor.presses()
    visitor.is_at_stripe()
    reference = visitor.tab.locator("a:text-is('Go back without paying')").get_attribute("href").split("=")[1]
    paying = visitor.tab.url
    visitor.demo.time_passes(seconds=2200)
    visitor.tab.goto(paying)
    show("stripe-expired")
    visitor.demo.comes_true(
        lambda: visitor.opens(f"{prefix}/thanks/{reference}").locator("[data-status=failed]").count()
    )
    visitor.is_thanked("failed")
    show("thanks-failed")


def transferring(visitor: Visitor, show: Show, prefix: str = "") -> None:
    """A bank transfer announced."""
    visitor.opens(f"{prefix}/fundraisers/{SLUG}/transfer")
    visitor.tab.locator("#amount").fill("250")
    visitor.tab.locator("#email").fill(visitor.email)
    visitor.presses()
    visitor.tab.wait_for_url("**announced=*")
    show("transfer-announced")


def leave_link(mail: dict[str, str]) -> str:
    """The address in a mail that stops the gift, without its host."""
    return urlsplit(re.search(r"http\S+/leave/\S+", mail["text"])[0]).path


def leaving(visitor: Visitor, show: Show, prefix: str = "") -> None:
    """A monthly gift: paid, paused and stopped from the link in its receipt."""
    visitor.opens(f"{prefix}{FORM}?interval=month")
    visitor.fills(interval="month")
    visitor.presses()
    visitor.is_at_stripe()
    show("stripe-subscribe")
    visitor.types_card(GOOD)
    visitor.finishes()
    visitor.is_thanked()
    show("thanks-paid-monthly")
    receipt = visitor.demo.mails_after_a_while(visitor.email)[0]
    link = leave_link(receipt)
    visitor.opens(link)
    show("leave-link")
    for action in ("pause", "stop"):
        visitor.tab.locator(f"button[value={action}]").click()
        visitor.tab.locator("h1").wait_for()
        show(f"leave-{action}")
    visitor.demo.mails_after_a_while(visitor.email, 2)
    visitor.opens(link)
    show("leave-ended")
    visitor.opens("/demo/mailbox")
    show("mailbox")
