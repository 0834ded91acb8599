"""An address is corrected by two people and a week, and its owner can stop it."""

from datetime import timedelta

import pytest
from sqlalchemy import event

from membership import clock, vault
from membership.db import db
from membership.domain import corrections, outbox, people, signins
from membership.domain.corrections import CorrectionStatus
from membership.domain.outbox import Email
from membership.errors import Conflict, Invalid, NotAllowed
from tests import make
from tests.records import history_of

WEEK = timedelta(days=7)


@pytest.fixture
def ana(app):
    return make.person()


@pytest.fixture
def tamar(app):
    return make.person("tamar@example.org", "Tamar")


@pytest.fixture
def giorgi(app):
    return make.person("giorgi@example.org", "Giorgi")


def proposed(ana, tamar, email="nino@example.net"):
    return corrections.propose(ana, email, by=tamar, old_email="ana@example.org", settings=make.settings())


def approved(correction, **more):
    return corrections.approve(correction, settings=make.settings(), **more)


def notice():
    (mail,) = db.session.query(Email).filter_by(template="email-correction")
    return vault.unlock(mail.sealed)


def test_the_old_address_is_told_once_and_learns_only_what_its_owner_knows(ana, tamar):
    first = proposed(ana, tamar)
    assert proposed(ana, tamar, " NINO@example.net ") is first
    told = notice()
    assert told["to"] == "ana@example.org"
    assert told["context"]["masked_new"] == "n…@e…e.net"
    with pytest.raises(Conflict):
        proposed(ana, tamar, "another@example.net")


def test_after_a_week_another_person_makes_it_so(ana, tamar, giorgi):
    _session, _token = signins.start(ana, kind=signins.SessionKind.MEMBER)
    correction, later = proposed(ana, tamar), clock.now() + WEEK
    with pytest.raises(Conflict, match="week"):
        approved(correction, by=giorgi)
    with pytest.raises(NotAllowed):
        approved(correction, by=tamar, now=later)
    assert approved(correction, by=giorgi, now=later) == "nino@example.net"
    assert people.find_by_email("nino@example.net") is ana
    assert vault.open_sealed(ana.sealed_identity) == {"email": "nino@example.net", "name": "Ana"}
    assert signins.sessions_of(ana) == []
    assert correction.locked_email is None
    with pytest.raises(Conflict):
        approved(correction, by=giorgi, now=later)
    tags = [record.tag for record in history_of("person", ana.reference)]
    assert tags == ["session.started", "email.proposed", "sessions.ended", "email.corrected"]


def test_the_new_address_is_told_in_its_owners_language_how_to_sign_in(ana, tamar, giorgi):
    ana.locale = "ka"
    correction = proposed(ana, tamar)
    assert db.session.query(Email).filter_by(template="email-corrected").count() == 0
    approved(correction, by=giorgi, now=clock.now() + WEEK)
    (mail,) = db.session.query(Email).filter_by(template="email-corrected")
    told = vault.unlock(mail.sealed)
    assert (told["to"], mail.locale) == ("nino@example.net", "ka")
    assert told["context"]["sign_in_url"].endswith("/ka/sign-in")
    assert "ana@example.org" not in str(told)


def test_mails_and_bounces_go_with_the_correction(ana, tamar, giorgi):
    outbox.queue(key="receipt:1", template="donation-receipt", to="ana@example.org", locale="en", context={})
    db.session.add(outbox.Bounce(email_key=ana.email_key, since=clock.now(), status="5.1.1"))
    ana.bounced_at = clock.now()
    approved(proposed(ana, tamar), by=giorgi, now=clock.now() + WEEK)
    waiting = db.session.get(Email, "receipt:1")
    assert (waiting.recipient_key, vault.unlock(waiting.sealed)["to"]) == (ana.email_key, "nino@example.net")
    assert ana.bounced_at is None
    assert db.session.query(outbox.Bounce).count() == 0


def test_two_of_the_staff_vouch_for_an_address_so_mail_goes_there_again(ana, tamar, giorgi):
    outbox.bounced(vault.email_key("nino@example.net"), "5.1.1")
    approved(proposed(ana, tamar), by=giorgi, now=clock.now() + WEEK)
    later = clock.now() + WEEK
    going = [email.template for email in iter(lambda: outbox.claim(later, "mine"), None)]
    assert going == ["email-correction", "email-corrected"]


def test_the_owner_of_the_old_address_stops_it(ana, tamar, client):
    proposed(ana, tamar)
    path = notice()["context"]["cancel_url"].removeprefix(make.settings().base_url)
    before = ana.email_key
    page = client.get(path)
    assert page.status_code == 200
    assert "example" not in "".join(client.page.find(".//main").itertext())
    assert corrections.open_of(ana) is not None  # looking does nothing
    assert client.post(path).status_code == 422
    assert client.post(path, data={"csrf_token": client.field("csrf_token")}).status_code == 303
    assert "stays as it is" in client.get(path).text
    db.session.expire_all()
    assert (corrections.open_of(ana), ana.email_key) == (None, before)
    last = history_of("person", ana.reference)[-1]
    assert (last.tag, last.by_id) == ("email.kept", None)
    assert client.get("/account/keep-email/nothing").status_code == 404


def test_an_address_in_use_is_refused_without_saying_whose(ana, tamar, giorgi):
    with pytest.raises(Conflict) as refused:
        proposed(ana, tamar, "giorgi@example.org")
    assert "giorgi" not in str(refused.value).lower()
    correction = proposed(ana, tamar)
    make.person("nino@example.net", "Nino")  # meanwhile
    with pytest.raises(Conflict):
        approved(correction, by=giorgi, now=clock.now() + WEEK)
    assert correction.status is CorrectionStatus.PROPOSED


def test_an_address_that_somebody_takes_while_it_is_approved_is_in_use_too(ana, tamar, giorgi):
    """They come after nobody was found to have it, and before it is written."""
    correction, before = proposed(ana, tamar), ana.email_key
    came = []

    def take(_connection, _cursor, statement, *_rest):
        if "WHERE people.email_key" in statement and not came:
            came.append("nino@example.net")
            make.person(came[0], "Nino")

    event.listen(db.session.get_bind(), "after_cursor_execute", take)  # this test's own connection
    with pytest.raises(Conflict, match="in use already"):
        approved(correction, by=giorgi, now=clock.now() + WEEK)
    assert (came, correction.status) == (["nino@example.net"], CorrectionStatus.PROPOSED)
    assert (ana.email_key, correction.locked_email is None) == (before, False)


@pytest.mark.parametrize("email", ["nothing", "ana@example.org"])
def test_what_is_no_other_address_is_refused(ana, tamar, email):
    with pytest.raises(Invalid):
        proposed(ana, tamar, email)


def test_nobody_who_is_erased_gets_an_address(ana, tamar, giorgi):
    correction = proposed(ana, tamar)
    people.forget(ana)
    for decide in (approved, corrections.keep):
        with pytest.raises(Conflict, match="erased"):
            decide(correction, by=giorgi, now=clock.now() + WEEK)
    assert (ana.email_key, ana.sealed_identity) == (None, None)
