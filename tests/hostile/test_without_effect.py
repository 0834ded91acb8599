"""What hostile readers tried and what must stay without effect: others' gifts, scanners, forged events, floods."""

import json
import re
import uuid

import pytest
from sqlalchemy import func, select
from werkzeug.test import Client

from membership.billing.inbox import StripeEvent
from membership.db import db
from membership.domain import ledger
from membership.domain.donations import Donation, Schedule
from membership.domain.payments import Payment
from membership.web import brakes
from tests import make
from tests.journeys.donor import FORM, Donor, control, origin, path_of, settle, state
from tests.web.visitor import text, tokens

once = pytest.mark.one_database(
    "what is refused here is refused before a database is asked; the gifts are those of other tests"
)

SCRIPT = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"


@pytest.fixture
def donor(app, stripe):
    make.fundraiser()
    return Donor(app, stripe)


def count(table) -> int:
    return db.session.scalar(select(func.count()).select_from(table))


def test_the_same_payment_page_paid_four_times_is_one_charge(donor, stripe, mailbox):
    url = donor.start()
    answers = [donor.pay(url) for _ in range(4)]
    assert len({answer.location for answer in answers}) == 1
    assert donor.press().location == path_of(answers[0].location)
    assert donor.press(other_amount="33").location == path_of(answers[0].location)
    settle(stripe)
    assert (count(Payment), state(stripe)["charges"], len(mailbox)) == (1, 1, 1)
    assert ledger.balance("stripe") == state(stripe)["balance"]


@once
def test_somebody_elses_attempt_gives_nothing_away(app, donor, stripe):
    theirs = donor.start()
    thief = Donor(app, stripe, email="thief@example.org", name="Thief")
    thief.open_form()
    thief.form["attempt"] = donor.form["attempt"]
    answer = thief.press()
    assert answer.location != theirs
    page = Client(stripe.wsgi).get(path_of(answer.location), base_url=origin(answer.location))
    assert donor.email not in page.text
    assert donor.pay(theirs).status_code == 410  # the first page cannot be paid beside the second


@pytest.mark.parametrize("field", ["csrf_token", "attempt"])
@pytest.mark.parametrize("text_", [None, "", "x", "\x00", "WyJ4IiwxXQ.AAAA"])
def test_a_forged_form_comes_back_and_does_nothing(donor, stripe, field, text_):
    donor.open_form()
    donor.form.pop(field)
    answer = donor.press(**({} if text_ is None else {field: text_}))
    assert answer.status_code == 422
    assert donor.ours.field("email") == donor.email
    assert (count(Donation), state(stripe)["sessions"]) == (0, 0)


@once
def test_a_token_of_another_browser_is_worth_nothing(app, donor, stripe):
    donor.open_form()
    other = Donor(app, stripe)
    other.open_form()
    other.form = donor.form
    assert other.press().status_code == 422
    assert count(Donation) == 0


@once
def test_a_form_posted_from_another_site_does_nothing(donor, stripe):
    donor.open_form()
    told = {"amount": "20", "interval": "once", "currency": "EUR", "email": donor.email}
    answer = donor.ours.post(FORM, data=donor.form | told, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 422
    assert count(Donation) == 0


@once
def test_scanners_that_open_the_link_stop_nothing(app, donor, stripe, mailbox):
    donor.gives(interval="month")
    settle(stripe)
    link = re.search(r"https?://[^\s\"<>]*/leave/[\w-]+", mailbox[0].get_body(("plain",)).get_content())[0]
    assert link.startswith(app.config["SETTINGS"].base_url)
    scanner = app.test_client()
    for method in ("GET", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH"):
        scanner.open(path_of(link), method=method)
    page = scanner.get(path_of(link))
    assert donor.email not in page.text
    assert donor.name not in text(scanner)
    assert page.headers["Cache-Control"] == "no-store"
    scanner.post(path_of(link), data={"action": "stop"})  # without the page's own token
    assert state(stripe)["subscriptions_live"] == 1
    assert db.session.scalar(select(Donation.schedule)) is Schedule.RUNNING


@once
def test_leaving_tells_nobody_who_gives(app, donor, stripe):
    donor.gives(interval="month")
    settle(stripe)
    answers = []
    for email in (donor.email, "nobody@example.org"):
        browser = app.test_client()
        told = tokens(browser, "/leave") | {"email": email}
        answer = browser.post("/leave", data=told)
        kept = {k: v for k, v in answer.headers if k not in ("Set-Cookie", "Date")}
        answers.append((answer.status_code, kept, answer.text))
    assert answers[0] == answers[1]


@once
def test_a_stranger_with_the_address_sees_no_gift(app, donor, stripe):
    donor.gives(amount="", other_amount="47.11")
    settle(stripe)
    stranger = app.test_client()
    page = stranger.get(f"/thanks/{db.session.scalar(select(Donation.reference))}")
    assert page.status_code == 200
    assert "47.11" not in page.text
    assert donor.email not in page.text
    assert "data-status" not in page.text


@once
@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"X-Forwarded-Host": "evil.example"},
        {"X-Forwarded-Prefix": "/evil.example"},
        {"Forwarded": "host=evil.example"},
        {"X-Original-URL": "/evil.example"},
        {"Accept-Language": "evil.example"},
        {"Cookie": "session=evil.example"},
    ],
)
@pytest.mark.parametrize("path", ["/", "/give", "/fundraisers/small-newsrooms", "/ka/", "/imprint", "/no"])
def test_no_header_changes_what_everybody_sees(app, path, headers):
    make.fundraiser()
    db.session.commit()
    plain, forged = app.test_client().get(path), app.test_client().get(path, headers=headers)
    assert "evil.example" not in forged.text + str(forged.headers)
    assert (forged.status_code, forged.data) == (plain.status_code, plain.data)
    assert "Set-Cookie" not in forged.headers


@once
def test_mails_and_ways_back_name_our_own_host(app, donor, stripe, mailbox):
    donor.open_form()
    told = {"amount": "20", "interval": "month", "currency": "EUR", "email": donor.email}
    answer = donor.ours.post(FORM, data=donor.form | told, headers={"X-Forwarded-Host": "evil.example"})
    paid = donor.pay(answer.location)
    assert paid.location.startswith(app.config["SETTINGS"].base_url)
    settle(stripe)
    assert "evil.example" not in mailbox[0].as_string()


@once
def test_what_a_donor_types_is_never_markup_or_a_header(donor, stripe, mailbox):
    donor.name = f"ნინო\r\nBcc: evil@example.net {SCRIPT}"
    donor.gives()
    settle(stripe)
    (sent,) = mailbox
    assert sent["Bcc"] is None
    assert sent.get_all("To") == [donor.email]
    html = sent.get_body(("html",)).get_content()
    assert "<script" not in html
    assert "<img src=x" not in html
    assert "ნინო" in html


@pytest.mark.parametrize("field", ["other_amount", "email", "name", "message", "country"])
def test_nonsense_in_any_field_comes_back_as_text(donor, stripe, field):
    donor.open_form()
    answer = donor.press(**{field: f"{SCRIPT}\u202e'; DROP TABLE donations;--\U0001f600" * 20})
    assert answer.status_code == 422
    assert "<script>alert" not in donor.ours.get(FORM).text + answer.text
    assert state(stripe)["sessions"] == 0


@once
@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/hooks/stripe", 405), ("TRACE", "/", 405), ("PUT", FORM, 405), ("DELETE", "/leave", 405)]
    + [("GET", path, 404) for path in ("/ka/ka", "/ka//evil.example", "/%2e%2e/etc", "/x" * 3000)]
    + [("GET", path, 404) for path in ("/metrics", "/.git/config", "/static/page.css", "/assets/x/give.js")],
)  # fmt: skip
def test_wrong_ways_lead_to_a_page_that_says_so(app, method, path, status):
    make.fundraiser()
    browser = app.test_client()
    answer = browser.open(path, method=method)
    assert answer.status_code == status
    assert "Location" not in answer.headers
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Traceback" not in answer.text


@once
@pytest.mark.parametrize(
    "change",
    [
        {"Stripe-Signature": ""},
        {"Stripe-Signature": "t=1,v1=0"},
        {"Stripe-Signature": "t=x,v1=y"},
        {"Stripe-Signature": "v0=0"},
        {},
    ],
)
def test_events_that_stripe_did_not_sign_leave_no_trace(app, change):
    event = {"id": f"evt_{uuid.uuid4().hex}", "type": "charge.succeeded", "created": 1, "livemode": False,
             "data": {"object": {"id": "ch_1", "object": "charge"}}}  # fmt: skip
    answer = app.test_client().post("/hooks/stripe", data=json.dumps(event), headers=change)
    assert (answer.status_code, answer.data) == (400, b"")
    assert "Set-Cookie" not in answer.headers
    assert count(StripeEvent) == 0


@once
@pytest.mark.parametrize(
    ("path", "size"), [("/hooks/stripe", 5_000_000), (FORM, 70_000), ("/ka/leave", 70_000)]
)
def test_too_much_is_refused_before_it_is_read(app, path, size):
    make.fundraiser()
    db.session.commit()
    answer = app.test_client().post(path, data=b"x" * size, content_type="application/x-www-form-urlencoded")
    assert answer.status_code == 413
    assert ('<html lang="ka"' in answer.text) is path.startswith("/ka")


def test_a_forged_address_does_not_reset_the_count(app, donor, stripe, monkeypatch):
    monkeypatch.setattr(brakes, "PER_BROWSER", 3)
    answers = []
    for number in range(5):
        donor.open_form()
        told = {"amount": "20", "interval": "once", "currency": "EUR", "email": f"d{number}@example.org"}
        spoofed = {"X-Forwarded-For": f"10.0.{number}.1", "X-Real-IP": f"10.0.{number}.1"}
        answers.append(donor.ours.post(FORM, data=donor.form | told, headers=spoofed).status_code)
    assert answers == [303, 303, 303, 429, 429]


def test_no_table_names_anybody(donor, stripe, mailbox):
    donor.email, donor.name = "geheim@example.org", "ნინო საიდუმლო"
    donor.gives(interval="month", message="a secret message")
    donor.start(amount="30")
    control(stripe, "faults", next=50, kind="drop_reply", path="/v1/checkout/sessions")
    donor.open_form()
    donor.press(amount="10")
    control(stripe, "faults", next=0)
    settle(stripe)
    rows = [
        bytes(value) if isinstance(value, memoryview) else value
        for table in db.metadata.sorted_tables
        for row in db.session.connection().execute(table.select())
        for value in row
    ]
    kept = b"\n".join(value if isinstance(value, bytes) else str(value).encode() for value in rows)
    assert b"cs_test_" in kept  # we did look
    for name in ("geheim", "საიდუმლო", "secret message"):
        assert name.encode() not in kept
        assert name.encode("unicode_escape") not in kept
