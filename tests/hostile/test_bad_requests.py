"""Requests that are made to hurt: slow bodies, forged hosts, odd bytes, signed nonsense."""

import hashlib
import hmac
import io
import sqlite3
from contextlib import closing

import pytest
from sqlalchemy import func, select

from membership import clock, mail
from membership.db import db
from membership.domain.donations import Donation
from membership.domain.transfers import Transfer
from tests import make, signed_in
from tests.databases import ENVIRONMENT
from tests.journeys.donor import FORM, Donor, control, settle
from tests.web.visitor import beside, tokens

once = pytest.mark.one_database(
    "what is asked is answered before a database is, or by queries that other tests run on both"
)

TRANSFER = "/fundraisers/small-newsrooms/transfer"


class Watched(io.BytesIO):
    """A body that looks, whenever it is read, whether somebody else could write to the database now."""

    def __init__(self, body, path):
        super().__init__(body)
        self.path, self.free = path, []

    def look(self):
        with closing(sqlite3.connect(self.path, timeout=0.2, isolation_level=None)) as other:
            try:
                other.execute("BEGIN IMMEDIATE")
                other.execute("ROLLBACK")
                self.free.append(True)
            except sqlite3.OperationalError:
                self.free.append(False)

    def read(self, size=-1):
        self.look()
        return super().read(size)

    def readinto(self, room):
        self.look()
        return super().readinto(room)


@pytest.fixture
def on_files(real_database):
    make.fundraiser()
    return real_database


def sent_slowly(on_files, path):
    db.session.commit()
    db.session.remove()
    if on_files.kind != "sqlite":
        return [True]  # PostgreSQL locks rows
    body = b"amount=5&email=a%40example.org&action=stop"
    watched = Watched(body, on_files.url.partition("///")[2])
    on_files.app.test_client().post(
        path,
        input_stream=watched,
        content_length=len(body),
        content_type="application/x-www-form-urlencoded",
    )
    return watched.free


@pytest.mark.one_database("PostgreSQL locks rows")
@pytest.mark.parametrize("path", [FORM, TRANSFER, "/leave"])
def test_a_slow_body_keeps_nobody_from_writing(on_files, path):
    assert set(sent_slowly(on_files, path)) == {True}


@pytest.mark.one_database("PostgreSQL locks rows")
def test_a_slow_body_to_a_leave_link_keeps_nobody_from_writing(on_files, stripe):
    donor = Donor(on_files.app, stripe)
    donor.pay(donor.start(interval="month"))
    settle(stripe)
    token = db.session.scalar(select(Donation.leave_token))
    assert set(sent_slowly(on_files, f"/leave/{token}")) == {True}


@once
@pytest.mark.parametrize("path", ["/fundraisers//small-newsrooms", "/ka/fundraisers//small-newsrooms/give"])
def test_redirects_stay_here_whatever_the_host_header_says(app, path):
    make.fundraiser()
    db.session.commit()
    answer = app.test_client().get(path, base_url="http://evil.example")
    assert "evil.example" not in answer.headers.get("Location", "") + answer.text


@once
@pytest.mark.no_ledger_check  # nothing is written
@pytest.mark.parametrize("host", ["..", "x" * 3000, "a..b"])
def test_an_impossible_host_is_a_bad_request(app, host):
    answer = app.test_client().get("/imprint", headers={"Host": host})
    assert answer.status_code == 400


@pytest.mark.parametrize("typed", ["10\t50", "1\r\n0", "10\x0050"])
def test_amounts_are_never_glued_together(client, app, typed):
    make.fundraiser()
    answer = client.post(FORM, data=tokens(client) | {
        "interval": "once", "currency": "EUR", "email": "a@example.org", "other_amount": typed,
    })  # fmt: skip
    assert answer.status_code == 422
    assert beside(client, "other_amount")


@once
@pytest.mark.parametrize("email", ["ana@localhost", "ana@test", "ana@example"])
def test_addresses_that_no_mail_reaches_are_refused_by_us(app, stripe, email):
    make.fundraiser()
    donor = Donor(app, stripe, email=email)
    donor.open_form()
    assert donor.press().status_code == 422


@pytest.mark.parametrize("country", ["ZZ", "by", "'\"", "\x00B"])
def test_only_countries_that_were_offered(app, stripe, country):
    make.fundraiser(refused=["BY"])
    donor = Donor(app, stripe)
    donor.open_form()
    assert donor.press(country=country).status_code == 422


NONSENSE = {
    "deep": "[" * 100_000 + "]" * 100_000,
    "a number beyond all": '{"id":"evt_1","type":"t","created":9e99,"livemode":false,"data":{"object":{"id":"ch_1","object":"charge"}}}'.replace("9e99", "9" * 30),
    "an id that is none": '{"id":"evt_2","type":"t","created":1,"livemode":false,"data":{"object":{"id":{"a":1},"object":"charge"}}}',
    "half a letter": '{"id":"evt_\\ud800","type":"t","created":1,"livemode":false,"data":{"object":{"id":"ch_1","object":"charge"}}}',
    "not a number": '{"id":"evt_3","type":"t","created":1,"livemode":false,"data":{"object":{"id":"ch_1","object":"charge","x":NaN}}}',
    "a hole in a word": '{"id":"evt_4","type":"t\\u0000","created":1,"livemode":false,"data":{"object":{"id":"ch_1","object":"charge"}}}',
    "half a letter in a word": '{"id":"evt_5","type":"t","created":1,"livemode":false,"api_version":"\\ud800","data":{"object":{"id":"ch_1","object":"charge"}}}',
    "nothing at all": '{"id":"evt_\\u0000","type":"t","created":1,"livemode":false,"data":{"object":{"id":"ch_\\u0000","object":"charge"}}}',
}  # fmt: skip


def signed(body: bytes) -> dict[str, str]:
    moment = int(clock.now().timestamp())
    secret = ENVIRONMENT["STRIPE_WEBHOOK_SECRET"].encode()
    digest = hmac.new(secret, f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    return {"Stripe-Signature": f"t={moment},v1={digest}"}


@pytest.mark.parametrize("which", list(NONSENSE))
def test_signed_nonsense_is_refused_not_fallen_over(app, stripe, which):
    body = NONSENSE[which].encode()
    assert app.test_client().post("/hooks/stripe", data=body, headers=signed(body)).status_code == 400


def test_a_double_click_announces_one_transfer(client, app):
    make.fundraiser()
    told = tokens(client, TRANSFER) | {"amount": "50", "email": "ana@example.org"}
    cookie = client.get_cookie("session", domain="127.0.0.1") or client.get_cookie("session")
    for _ in range(2):
        other = app.test_client()
        other.set_cookie("session", cookie.value, domain="127.0.0.1")
        assert other.post(TRANSFER, data=told).status_code == 303
    assert db.session.scalar(select(func.count()).select_from(Transfer)) == 1


@once
def test_the_transfer_form_writes_to_no_stranger_what_somebody_typed(client, app, mailbox):
    make.fundraiser()
    told = {"amount": "50", "email": "stranger@example.org", "name": "You won: http://evil.example/"}
    client.post(TRANSFER, data=tokens(client, TRANSFER) | told)
    mail.deliver()
    sent = [one for one in mailbox if one["To"] == "stranger@example.org"]
    assert "evil.example" not in "".join(str(part) for one in sent for part in [one.get_body().get_content()])


def test_one_address_is_not_flooded_with_transfer_mails(app, mailbox, at):
    at("2026-03-01 10:05")  # far from the end of the hour in which tries are counted
    make.fundraiser()
    for _ in range(12):
        browser = app.test_client()
        browser.post(
            TRANSFER, data=tokens(browser, TRANSFER) | {"amount": "50", "email": "stranger@example.org"}
        )
    mail.deliver()
    assert len([one for one in mailbox if one["To"] == "stranger@example.org"]) <= 5


@once
@pytest.mark.parametrize("path", ["/", "/fundraisers/small-newsrooms", FORM, "/no-such-page"])
@pytest.mark.parametrize("accepted", ["gzip;q=0", "identity, gzip;q=0", "xgzipx"])
def test_who_takes_no_gzip_gets_none(app, path, accepted):
    make.fundraiser()
    db.session.commit()
    answer = app.test_client().get(path, headers={"Accept-Encoding": accepted})
    assert "Content-Encoding" not in answer.headers


@once
def test_looking_again_and_again_does_not_ask_stripe_each_time(app, stripe):
    make.fundraiser()
    donor = Donor(app, stripe)
    answer = donor.pay(donor.start())
    control(stripe, "faults", next=1000, kind="429", path="/v1/checkout/sessions/")  # it stays on its way
    asked, real = [], stripe.wsgi

    def counted(environ, start_response):
        asked.append(environ["PATH_INFO"])
        return real(environ, start_response)

    stripe.wsgi = counted
    stripe.account.clock.stand_at(stripe.now())  # all in one moment, however busy the machine
    for _ in range(20):
        donor.thanks(answer)
    assert len([path for path in asked if path.startswith("/v1/checkout/sessions/")]) <= 3


@pytest.mark.parametrize("path", ["/thanks/%00", "/leave/%00", "/fundraisers/%00", "/fundraisers/%00/give"])
def test_a_nought_in_an_address_leads_nowhere(app, path):
    assert app.test_client().get(path).status_code == 404


def test_a_nought_in_what_a_page_is_asked_for_leads_nowhere(app):
    desk = app.test_client()
    signed_in.as_staff(desk)
    for path in ("/staff/payments?payment=%00", "/staff/audit?person=%00", "/account/receipts?before=a%00"):
        assert desk.get(path).status_code == 404, path
    desk.get("/staff/people")
    token = {"csrf_token": desk.field("csrf_token")}
    for path, named in (
        ("/staff/events", {"what": "call", "call": "\0"}),
        ("/account/keep", {"membership": "\0"}),
    ):
        assert desk.post(path, data=token | named).status_code == 400, path
