"""No form does anything unless it was sent from our page: every address that takes one, with no token or another's.

Each is pressed rightly as well, so that what it is filled in with is known to do something. A new address fails here
until somebody has written down how it is pressed.
"""

import hashlib
import re
from datetime import timedelta

import pyotp
import pytest

from membership import clock, vault
from membership.billing import checkout
from membership.db import db
from membership.domain import corrections, donations, outbox, payments, people, reports, roles, signins
from membership.domain.donations import Review
from membership.web import attempts
from tests import make, signed_in
from tests.journeys.donor import Donor, settle
from tests.journeys.joiner import Joiner
from tests.name_server import NameServer
from tests.reader import text_of
from tests.records import all_rows
from tests.web.visitor import text, wait

AGAIN = "We could not be sure that this came from you"
HOOK = "/hooks/stripe"
"""Takes no form: what comes there is signed."""
LINK = "a-token-from-a-mail"
TOLD = {"reason": "asked by telephone", "email": "new@example.org", "name": "Nino"}
"""What many forms have; each looks for its own fields."""
LOOKS = {"/account/plan"}
"""What a right press only leads on: here to what the change comes to."""


class World:
    """Ana gives every month and has joined twice; Bea rests and leaves; some things wait for a decision."""

    def __init__(self, app, stripe):
        make.fundraiser()
        make.perk("ticket", kind="code", codes=("A-1",))
        make.plan("friend", perks=("ticket",))
        make.plan("patron", position=2)
        db.session.commit()
        bea = Joiner(stripe, email="bea@example.org", name="Bea")
        checkout.skip(bea.joins(), months=1)
        settle(stripe)
        checkout.leave(bea.membership)
        Donor(app, stripe).gives(interval="month")
        settle(stripe)
        self.first, self.second = (Joiner(stripe).joins(plan=plan) for plan in ("friend", "patron"))
        self.ana, self.bea = people.find_by_email("ana@example.org"), people.find_by_email("bea@example.org")
        (self.gift,) = donations.gifts_of(self.ana.id)
        (self.paid,) = payments.payments_of(self.gift.id)
        self.wait_for_the_desk()

    def wait_for_the_desk(self):
        self.admin = signed_in.staff("admin")
        self.enrol = roles.invite(roles.find_staff(self.admin.id))
        self.gone = make.person("gone@example.org")
        self.gone.bounced_at = clock.now()
        self.held = make.donation(settled=True, email="held@example.org")
        self.held.review = Review.HELD
        charge = make.arrival(self.gift, amount=make.EUR("10"))
        self.nobodys = donations.arrived(None, charge, settings=make.settings(), now=clock.now())
        asked = signins.ask("ana@example.org", nonce="", locale="en")
        self.sign_in = vault.unlock(asked.locked)
        signins.dispatch(make.settings())
        helper = signed_in.staff("treasurer")
        (bought,) = payments.payments_of(membership_id=self.first.id)
        self.refund = payments.ask_refund(bought, make.EUR("1"), by=helper, needs_second=True)
        other = {"by": helper, "old_email": "bea@example.org", "settings": make.settings()}
        self.correction = corrections.propose(self.bea, "b@example.org", **other)
        self.correction.cancel_hash = hashlib.sha256(LINK.encode()).hexdigest()
        outbox.queue(key="x:1", template="sign-in", to="a@example.org", locale="en", context={})
        db.session.get(outbox.Email, "x:1").dead = True
        db.session.commit()

    def enter(self, app, who):
        """A fresh browser of theirs."""
        browser = app.test_client()
        if who == "admin":
            signed_in.as_staff(browser)
        elif who is not None:
            signed_in.as_member(browser, who)
        return browser

    def presses(self):
        """(who, address, what is filled in); a field in angle brackets stands in the address."""
        for who, told in (
            (None, self.of_strangers()),
            (self.ana, self.of_ana()),
            (self.bea, {"/account/return": {}, "/account/go-on": {}}),
            ("admin", self.of_the_desk() | self.of_a_person()),
        ):
            for address, fields in told.items():
                yield who, address, TOLD | fields

    def of_strangers(self):
        give = {"amount": "20", "interval": "once", "currency": "EUR", "<slug>": "small-newsrooms"}
        return {
            "/fundraisers/<slug>/give": give,
            "/fundraisers/<slug>/transfer": give,
            "/join/<slug>": {"<slug>": "friend", "price": "month-EUR"},
            "/leave": {},
            "/leave/<token>": {"<token>": self.gift.leave_token, "action": "stop"},
            "/withdraw": {},
            "/withdraw/<token>": {"<token>": self.first.leave_token},
            "/account/keep-email/<token>": {"<token>": LINK},
            "/sign-in": {},
            "/sign-in?with=code": {"code": self.sign_in["code"]},
            "/sign-in/<token>": {"<token>": self.sign_in["token"], "confirmed": "yes"},
        }

    def of_ana(self):
        return {
            "/sign-out": {},
            "/account/card": {},
            "/account/gifts/<reference>": {"<reference>": self.gift.reference, "action": "stop"},
            "/account/keep": {"membership": self.second.reference},
            "/account/language": {"language": "ka"},
            "/account/plan": {
                "price": "patron-year"
            },  # while Stripe, where nothing is rolled back, has not heard more
            "/account/leave": {},
            "/account/pause": {"months": "1"},
            "/account/perks/<slug>": {"<slug>": "ticket"},
            "/account/receipts/<reference>": {"<reference>": self.paid.reference},
            "/account/sessions": {"session": "others"},
            "/account/withdraw": {},
        }

    def of_the_desk(self):
        return {
            "/staff/people": {"q": "ana@example.org"},
            "/staff/people/export": {"format": "csv"},
            "/staff/payments/<reference>": {"<reference>": self.nobodys.reference, "amount": "1", "seen": "1000"},
            "/staff/refunds/<reference>": {"<reference>": self.refund.reference, "action": "withdraw"},
            "/staff/review/<reference>": {"<reference>": self.held.reference, "action": "accept"},
            "/staff/events": {"what": "mail", "mail": "x:1"},
            "/staff/setup": {"selector": "s1"},
            "/staff/factor": {"code": signed_in.code()},
            "/staff/enrol/<token>": {"<token>": self.enrol, "code": pyotp.TOTP(roles.secret_of(self.enrol)).now()},
        }  # fmt: skip

    def of_a_person(self):
        of_ana = {
            "note": {"text": "Called."},
            "label": {"label": "patron"},
            "send": {},
            "address": {},
            "extend": {"of": self.first.reference, "days": "3"},
            "end": {"of": self.first.reference, "action": "now"},
            "keep": {"of": self.second.reference},
            "double": {"of": self.second.reference},
            "stop": {"of": self.gift.reference},
            "refund": {"of": self.paid.reference, "amount": "1", "seen": str(self.paid.amount_minor)},
            "decide": {"of": self.refund.reference, "action": "withdraw"},
            "export": {},
        }
        of_others = {
            "correct": {
                "<reference>": self.bea.reference,
                "of": self.correction.reference,
                "action": "withdraw",
            },
            "arrives": {"<reference>": self.gone.reference},
            "grant": {
                "<reference>": self.gone.reference,
                "plan": "patron",
                "kind": "gift",
                "until": f"{clock.now() + timedelta(days=90):%Y-%m-%d}",
            },
            "erase": {"<reference>": self.gone.reference, "short": reports.code_of(self.gone.id)},
        }
        acts = {act: {"<reference>": self.ana.reference} | told for act, told in (of_ana | of_others).items()}
        return {f"/staff/people/<reference>/{act}": told for act, told in acts.items()}


@pytest.fixture
def world(app, stripe):
    made = World(app, stripe)
    moment = clock.now()
    clock.use(lambda: moment)  # what is written once in a while is not written twice
    return made


@pytest.mark.one_database("what is looked at is the token, before any database")
def test_nothing_is_done_without_a_token_of_ones_own(app, world):
    taken = {rule.rule for rule in app.url_map.iter_rules() if "POST" in rule.methods}
    presses = list(world.presses())
    assert {address.partition("?")[0] for _, address, _ in presses} == taken - {HOOK}
    stranger = app.test_client()
    stranger.get("/leave")
    anothers = stranger.field("csrf_token")
    with NameServer({}):
        for who, address, told in presses:
            browser = world.enter(app, who)
            browser.get("/leave")
            own = browser.field("csrf_token")
            path = re.sub(r"<\w+>", lambda found, told=told: told[found[0]], address)
            if path.startswith("/staff/people/"):
                browser.get(path.rpartition("/")[0])  # that it was opened is on record
            told["attempt"] = attempts.fresh().text
            wait(3)
            before = all_rows()
            for forged in ({}, {"csrf_token": anothers}):
                answer = browser.post(path, data=told | forged)
                assert (answer.status_code, AGAIN in text_of(answer)) == (422, True), address
            assert all_rows() == before, address
            tried = db.engine.begin_nested()
            answer = browser.post(path, data=told | {"csrf_token": own})
            assert answer.status_code in (200, 303), (address, text(browser))
            assert address in LOOKS or all_rows() != before, address
            tried.rollback()
            db.session.expire_all()
