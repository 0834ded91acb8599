"""The desk in Chromium: staff come in with a second factor and answer, give back, give and export; each page looked at."""

import csv
import io
from datetime import UTC, datetime, timedelta

import pytest
from openpyxl import load_workbook
from playwright.sync_api import expect

from tests.browser import desk, members
from tests.browser.test_members import Reader

NAME = "ნინო კვარაცხელია"


@pytest.fixture
def nino(visit, demo):
    """A member who also gave, the same amount: she asks whether she was charged twice."""
    one = visit(js=False)
    members.joins(one, name=NAME)
    demo.time_passes(days=1)
    desk.gives(one, "10", NAME)
    return one


@pytest.fixture
def clerk(visit, demo):
    """clerk("admin"): a browser of one of the sample staff."""

    def at(role, **more):
        return visit(email=desk.sample(demo, role)["email"], viewport={"width": 1280, "height": 900}, **more)

    return at


def shown(clerk):
    """The list on the screen: name, code, standing, plan of each row."""
    rows = clerk.tab.locator("main .ledger tbody tr")
    return [
        tuple(
            " ".join(cell.split())
            for cell in (
                row.locator("th b, th .quiet").first.inner_text(),
                row.locator("th .ref").inner_text(),
                row.locator("td").nth(0).inner_text(),
                row.locator("td").nth(1).inner_text(),
            )
        )
        for row in rows.all()
    ]


def test_was_i_charged_twice(demo, nino, clerk, email, js):
    assert demo.comes_true(demo.is_quiet)
    booked = demo.balance("membership*")
    role = "admin" if js else "treasurer"  # nobody waits for the next code of one app
    staff = clerk(role, js=js)
    desk.comes_in(staff, role)
    desk.finds(staff, "კვარაცხელია")
    expect(staff.tab.locator("main .ledger tbody th").first).to_contain_text(NAME)
    desk.finds(staff, email)
    main = staff.tab.locator("main")
    expect(main).to_contain_text("Not charged twice: 2 payments of €10 for different things.")

    paid = main.locator("section[aria-labelledby=payments] tbody tr", has_text="Friend")
    page = staff.tab.url
    paid.locator("a[href*='do=refund']").click()
    demo.time_passes(seconds=660)  # a second factor counts for ten minutes
    staff.tab.reload()
    desk.sends(staff, amount="5", code="000000")
    expect(staff.tab.locator("#do-code-wrong")).to_be_visible()
    assert demo.state(email)["refunded"] == 0
    desk.sends(staff, code=desk.code(demo, role))
    expect(staff.tab.locator("[role=status].told")).to_contain_text("€5 goes back")
    expect(paid).to_contain_text("€5")
    assert demo.state(email)["refunded"] == 500
    assert demo.comes_true(lambda: abs(demo.balance("membership*") - booked) == 500)
    assert len(demo.mails_after_a_while(email, 4)) == 4, [mail["subject"] for mail in demo.mails(email)]

    viewer = clerk("viewer", js=js)
    desk.comes_in(viewer, "viewer", page.removeprefix(demo.url))
    expect(viewer.tab.locator("main")).to_contain_text(NAME)
    expect(viewer.tab.locator("main a[href*='do=']")).to_have_count(0)
    for form in ("/staff/people/export", f"{page.removeprefix(demo.url)}/refund"):
        answer = viewer.context.request.post(demo.url + form)
        assert answer.status == 403, form


def test_a_month_for_somebody_and_the_list_as_files(demo, nino, clerk, visit, email):
    friend = visit(js=False, email=f"friend-{email}")
    desk.gives(friend, "25", "=HYPERLINK(1)")
    admin = clerk("admin")
    desk.comes_in(admin, "admin")
    desk.finds(admin, friend.email)
    desk.opens_the_form(admin, "grant")
    until = (datetime.fromtimestamp(demo.now(), UTC) + timedelta(days=30)).date().isoformat()
    desk.sends(admin, plan="reader", kind="complimentary", until=until, reason="a month to look around")
    expect(admin.tab.locator("section[aria-labelledby=memberships]")).to_contain_text("complimentary")
    members.signs_in(friend, f"/account/perks/{members.LETTER}")
    expect(friend.tab.locator("main")).to_contain_text("who owns the new ferry")

    demo.time_passes(seconds=660)
    admin.opens("/staff/people?status=active")
    listed = shown(admin)
    assert {row[0] for row in listed} >= {NAME, "=HYPERLINK(1)"}
    admin.tab.locator("details.aside summary").click()
    admin.tab.locator("details.aside #code").fill("000000")
    admin.tab.locator("details.aside button[value=csv]").click()
    expect(admin.tab.locator("#code-wrong")).to_be_visible()
    assert shown(admin) == listed
    file = desk.exports(admin, "csv", desk.code(demo, "admin"))
    rows = list(csv.reader(io.StringIO(file.path().read_text("utf-8-sig"))))
    admin.opens("/staff/people?status=active")
    sheet = load_workbook(io.BytesIO(desk.exports(admin, "xlsx").path().read_bytes())).active
    assert [["" if cell is None else cell for cell in row] for row in sheet.values] == rows
    wanted = [(f"'{row[0]}" if row[0].startswith("=") else row[0], *row[1:]) for row in listed]
    named = [("" if row[0].startswith("no name") else row[0], *row[1:]) for row in wanted]
    assert [tuple(row[:4]) for row in rows[1:]] == named


def test_every_page_of_the_desk(demo, nino, clerk, visit, email):
    held = visit(js=False, email=f"held-{email}")
    desk.gives(held, "1500", "გიორგი")
    admin = clerk("admin")
    reader = Reader(admin)
    desk.door(admin, reader)
    desk.lists(admin, reader)
    desk.person(admin, reader, email, acts=("grant", "end", "erase"))  # the others are of the same parts
    reader.is_content()


def test_every_page_at_the_door_of_the_desk(visit, clerk):
    viewer = clerk("viewer")
    desk.comes_in(viewer, "viewer")
    looks = Reader(viewer)
    desk.refused(viewer, looks)
    looks.is_content()
    new = visit()
    looks = Reader(new)
    desk.enrolling(new, looks)
    looks.is_content()
