"""Staff in a browser: in by mailed link and second factor, finding somebody, giving back, giving, lists as files.

As in `members`, a walk calls `show(name)` at its stops and reads no sentence.
"""

import json
import re
import time
from urllib.parse import urlsplit

import pyotp
from playwright.sync_api import Download, expect

from tests.browser import members
from tests.browser.demo import FORM, Demo
from tests.browser.visitor import Visitor, pays
from tests.browser.walks import Show, unchecked

ACTS = ("end", "extend", "grant", "address", "export", "erase", "send")
STEP = 30  # seconds for which an authenticator app shows one code


def sample(demo: Demo, role: str) -> dict[str, str]:
    """One of the sample staff: email, role, totp_secret."""
    told = json.loads((demo.instance / "demo.json").read_text())
    return next(one for one in told["staff"] if one["role"] == role)


def code(demo: Demo, role: str) -> str:
    """The next code of their app that was not taken yet, as somebody sees it who waits for it."""
    newest = "SELECT max(last_counter) FROM staff_members WHERE role = ?"
    after = demo.rows(newest, role)[0][0] or 0
    wanted = max(int(time.time()) // STEP, after + 1)
    while wanted > int(time.time()) // STEP + 1:
        time.sleep(0.5)
    return pyotp.TOTP(sample(demo, role)["totp_secret"]).generate_otp(wanted)


def comes_in(clerk: Visitor, role: str, path: str = "/staff/") -> None:
    """To a page of the desk by the mailed link, then by the code of the app."""
    comes_to_the_door(clerk, path)
    clerk.tab.locator("#code").fill(code(clerk.demo, role))
    members.click_main(clerk)
    clerk.tab.wait_for_url(f"**{path}")


def comes_to_the_door(clerk: Visitor, path: str = "/staff/") -> None:
    """By the mailed link as far as the question for the second factor."""
    clerk.opens(path)
    clerk.tab.wait_for_url(members.SIGN_IN)
    mail = members.asks_to_sign_in(clerk)
    clerk.opens(members.link_in(mail, members.LINK))
    members.click_main(clerk)
    clerk.tab.wait_for_url("**/staff/factor**")


def finds(clerk: Visitor, words: str, prefix: str = "") -> None:
    clerk.opens(f"{prefix}/staff/people")
    clerk.tab.locator("#q").fill(words)
    clerk.tab.locator("form[role=search] button").click()


def opens_the_form(clerk: Visitor, act: str) -> None:
    """Press what leads to the form of an act on a person's page."""
    clerk.tab.locator(f"main a[href*='do={act}']").first.click()
    expect(clerk.tab.locator("#do")).to_be_visible()


def sends(clerk: Visitor, **typed: str) -> None:
    """Fill in the open form and press its first button, as fast as a person does."""
    for name, text in typed.items():
        field = clerk.tab.locator(f"#do [name={name}]")
        if name in ("plan", "kind"):
            field.select_option(text)
        else:
            field.fill(text)
    clerk.tab.locator("#do form button").first.click()
    expect(clerk.tab.locator("h1")).to_be_visible()


def exports(clerk: Visitor, kind: str, second_factor: str = "") -> Download:
    """The list as a file."""
    summary = clerk.tab.locator("details.aside summary")
    if clerk.tab.locator("details.aside").get_attribute("open") is None:
        summary.click()
    if second_factor:
        clerk.tab.locator("details.aside #code").fill(second_factor)
    with clerk.tab.expect_download() as coming:
        clerk.tab.locator(f"details.aside button[value={kind}]").click()
    return coming.value


def gives(visitor: Visitor, amount: str, name: str = "") -> None:
    """A gift of one's own amount, paid."""
    visitor.opens(FORM)
    visitor.fills(name=name)
    visitor.tab.locator("#other_amount").fill(amount)
    visitor.presses()
    visitor.finishes(pays(visitor))
    visitor.is_thanked()


def door(clerk: Visitor, show: Show, prefix: str = "") -> None:
    """The second factor, asked for and mistyped, up to the desk."""
    comes_to_the_door(clerk, f"{prefix}/staff/")
    show("factor")
    unchecked(clerk)
    clerk.tab.locator("#code").fill("12345")
    members.click_main(clerk)
    clerk.tab.locator("#errors").wait_for()
    show("factor-wrong")
    clerk.tab.locator("#code").fill(code(clerk.demo, "admin"))
    members.click_main(clerk)
    clerk.tab.wait_for_url(f"**{prefix}/staff/")
    show("desk-home")


def lists(clerk: Visitor, show: Show, prefix: str = "") -> None:
    """Every list of the desk, a filter that finds nobody, and a search by name."""
    desk = f"{prefix}/staff"
    for name in ("people", "payments", "review", "events", "audit", "setup"):
        clerk.opens(f"{desk}/{name}")
        show(f"desk-{name}")
    clerk.opens(f"{desk}/people?status=paused&plan=patron&kind=offline")
    show("desk-people-none")
    finds(clerk, "კვარაცხელია", prefix)
    show("desk-found")
    finds(clerk, "nobody@example.net", prefix)
    show("desk-not-found")
    clerk.opens(f"{desk}/review")
    clerk.tab.locator("td.decision summary").first.click()
    show("desk-review-decision")


def person(clerk: Visitor, show: Show, email: str, prefix: str = "", acts: tuple[str, ...] = ACTS) -> None:
    """One person, the forms of these acts, and a refund with mistakes in it."""
    finds(clerk, email, prefix)
    clerk.tab.wait_for_url("**/staff/people/*")
    show("desk-person")
    page = urlsplit(clerk.tab.url).path
    for act in acts:
        clerk.opens(page)
        opens_the_form(clerk, act)
        show(f"desk-person-{act}")
    clerk.demo.time_passes(seconds=660)  # the second factor counts for ten minutes
    clerk.opens(page)
    opens_the_form(clerk, "refund")
    show("desk-person-refund")
    unchecked(clerk)
    sends(clerk, amount="a lot")
    show("desk-person-refund-errors")


def refused(viewer: Visitor, show: Show) -> None:
    """A page that a role does not include, and one that is not there."""
    viewer.opens("/staff/audit")
    show("desk-refused")
    viewer.opens("/staff/people/AAAAAAAAAAAAAAAAAAAAAA")
    show("desk-not-there")


def enrolling(new: Visitor, show: Show) -> None:
    """Somebody new on the staff: the link handed over, the picture, a wrong code, the recovery codes."""
    told = new.demo.flask("staff", "add", new.email, "--role", "auditor")
    assert told.returncode == 0, told.stderr
    link = urlsplit(re.search(r"http\S+/staff/enrol/\S+", told.stdout)[0]).path
    new.opens(link)
    mail = members.asks_to_sign_in(new)
    new.opens(members.link_in(mail, members.LINK))
    members.click_main(new)
    new.tab.wait_for_url("**/staff/enrol/**")
    new.tab.locator("details.more summary").click()
    show("enrol")
    secret = re.sub(r"\s", "", new.tab.locator("details.more .code").inner_text())
    new.tab.locator("#code").fill("000000")
    members.click_main(new)
    new.tab.locator("#errors").wait_for()
    show("enrol-errors")
    new.tab.locator("#code").fill(pyotp.TOTP(secret).now())
    members.click_main(new)
    new.tab.locator(".recovery").wait_for()
    show("recovery-codes")
