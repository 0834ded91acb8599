"""Mails leave once, whole, in the reader's language, and tell nothing to whom it does not concern."""

import json
import re
import stat
from datetime import UTC, datetime, timedelta

import pytest
from flask import current_app

from membership import mail
from membership.db import db
from membership.domain import outbox
from membership.mail import letter, ways
from membership.mail.contexts import CONTEXTS
from tests.letters import GIVE, MAILS, NAME, TWENTY

pytestmark = pytest.mark.usefixtures("app", "mailbox")

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def rendered(template, locale="en", **more):
    return letter.render(template, locale, MAILS[template] | more, current_app.config["SETTINGS"])


def queued(key="receipt:ch_1", template="donation-receipt", to="nino@example.org", locale="en", **more):
    context = MAILS[template] | more
    outbox.queue(key=key, template=template, to=to, locale=locale, context=context, now=NOON)
    db.session.commit()
    return key


def row(key):
    db.session.expire_all()
    return db.session.get(outbox.Email, key)


def as_text(html):
    """What a reader of the HTML reads, in the form the text has."""
    body = html.partition("<body>")[2]
    body = re.sub(r'<a href="([^"]*)">(.*?)</a>', r"\2: \1", body)
    body = re.sub(r"</th>\s*<td>", ": ", body)
    body = re.sub(r"<[^>]+>", " ", body)
    for entity, char in (("&lt;", "<"), ("&gt;", ">"), ("&#39;", "'"), ("&#34;", '"'), ("&amp;", "&")):
        body = body.replace(entity, char)
    return body.split()


def test_every_mail_has_its_context_and_templates(app):
    folders = {path.rsplit("/", 2)[1] for path in app.jinja_env.list_templates() if path.startswith("email/")}
    assert folders - {"_base"} == set(CONTEXTS) == set(MAILS)


@pytest.mark.parametrize("locale", ["en", "ka"])
@pytest.mark.parametrize("template", MAILS)
def test_text_and_html_say_the_same(template, locale):
    made = rendered(template, locale)
    text = [word for word in made.text.split() if not set(word) <= {"-"}]
    assert as_text(made.html) == text
    assert "20" in made.text
    for url in re.findall(r'"(http[^"]+)"', json.dumps(MAILS[template])):
        assert url in made.text
        assert f'href="{url}"' in made.html
    for form in (made.subject, made.text, made.html):
        assert "None" not in form
        assert "%(" not in form
        assert "{" not in form.partition("<body>")[2]
    assert f'<html lang="{locale}">' in made.html
    assert "<img" not in made.html
    assert "\n" not in made.subject


@pytest.mark.parametrize("template", MAILS)
def test_a_subject_names_nothing_that_could_harm(template):
    subject = rendered(template).subject
    assert subject
    assert not any(word in subject for word in ("Highland", "five", "ნინო", "20", "r3f", "PF-"))


def test_a_receipt_says_what_was_paid_and_what_it_is_not():
    text = rendered("donation-receipt").text
    assert "Gift: €20\nAdded to cover the payment fee: €0.56\nPaid in all: €20.56\n" in text
    assert "Next payment: 1 April 2026\nPaid on: 1 March 2026\n" in text
    assert f"Name: {NAME}\nPaid by: N. Beridze\n" in text
    assert "It is not a tax receipt." in text
    assert "shared by this rule" in text
    single = rendered("donation-receipt", leave_url=None, next_on=None, interval="once", covers_fee=False,
                      charged=TWENTY, paid_by=None, name=None, tax_note=False).text  # fmt: skip
    assert "nothing to stop" in single
    for gone in ("Next payment", "Paid in all", "Name:", "Paid by", "tax receipt", "Hello", "/leave/"):
        assert gone not in single


def test_days_and_amounts_are_written_as_each_language_does():
    assert "3 December" in rendered("gift-renews-soon").subject
    georgian = rendered("gift-renews-soon", "ka")
    assert "3 დეკემბერი" in georgian.subject
    assert "20" in georgian.text
    assert "€20" not in georgian.text


@pytest.mark.parametrize(
    ("reason", "says"),
    [("donor", "You stopped"), ("country", "some countries"), ("closed", "has closed"), ("failed", "several times"),
     ("staff", "The gift below has stopped")],
)  # fmt: skip
def test_an_end_says_why(reason, says):
    text = rendered("gift-stopped", reason=reason).text
    assert says in text
    assert (GIVE in text) == (reason != "country")


def test_a_gift_that_ended_for_its_payments_can_be_started_again_and_needs_no_stopping():
    text = rendered("gift-failed").text
    assert "We will not try again." in text
    assert GIVE in text
    assert "there is nothing to stop" in text


def test_staff_are_told_without_names():
    assert NAME not in rendered("transfer-announced-staff", name=NAME).html


def test_a_mail_arrives_by_smtp(mailbox):
    key = queued(to="nino@example.org")
    assert mail.deliver(now=NOON) == 1
    (message,) = mailbox
    assert message["To"] == message["X-Envelope-To"] == "nino@example.org"
    assert message["Subject"] == "Your receipt"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Date"].datetime == NOON
    assert message["Message-ID"]
    assert message.get_content_type() == "multipart/alternative"
    assert NAME in message.get_body(("plain",)).get_content()
    assert NAME in message.get_body(("html",)).get_content()
    assert row(key).sent_at == NOON
    assert row(key).sealed is None
    assert mail.deliver(now=NOON) == 0
    assert len(mailbox) == 1


def test_names_of_all_scripts_arrive_as_typed(mailbox):
    names = ["Արմեն Սարգսյան", "Əli Güləşov", "ნინო ბერიძე", "Ольга", "O'Brien & Söhne"]
    for number, name in enumerate(names):
        queued(key=f"receipt:{number}", name=name, paid_by=None)
    assert mail.deliver(now=NOON) == len(names)
    texts = [message.get_body(("plain",)).get_content().splitlines() for message in mailbox]
    assert all(any(f"Name: {name}" in text for text in texts) for name in names)


def test_many_mails_share_one_connection(mailbox, monkeypatch):
    made = []
    connect = ways._Server._connect
    monkeypatch.setattr(ways._Server, "_connect", lambda server: made.append(1) or connect(server))
    for number in range(5):
        queued(key=f"receipt:{number}")
    assert mail.deliver(limit=3, now=NOON) == 3
    assert len(made) == 1
    assert mail.deliver(now=NOON) == 2
    assert len({message["Message-ID"] for message in mailbox}) == 5


def test_nothing_typed_becomes_a_header_or_a_line(mailbox):
    queued(name="Ana\r\nBcc: other@example.org\r\n\r\nOwn text", fundraiser_title="A\nSubject: B\u2028C")
    assert mail.deliver(now=NOON) == 1
    (message,) = mailbox
    assert message["Bcc"] is None
    assert message["X-Envelope-To"] == "nino@example.org"
    assert message["Subject"] == "Your receipt"
    lines = message.get_body(("plain",)).get_content().splitlines()
    assert "Name: Ana Bcc: other@example.org Own text" in lines
    assert "Fundraiser: A Subject: B C" in lines


def test_an_address_with_a_line_break_sends_nothing(mailbox):
    key = queued(to="ana@example.org\nBcc: other@example.org")
    queued(key="receipt:2")
    assert mail.deliver(now=NOON) == 1
    assert [message["X-Envelope-To"] for message in mailbox] == ["nino@example.org"]
    assert row(key).sent_at is None
    assert row(key).last_error == "ValueError"


def test_markup_in_a_name_stays_text():
    html = rendered("donation-receipt", name="<script>alert(1)</script>").html
    assert "<script" not in html
    assert "&lt;script&gt;" in html


def test_killed_between_the_servers_yes_and_our_note_it_repeats_with_the_same_id(mailbox, monkeypatch):
    class Killed(BaseException):
        pass

    def die(*_args, **_more):
        raise Killed

    key = queued()
    with monkeypatch.context() as patched:
        patched.setattr(outbox, "sent", die)
        with pytest.raises(Killed):
            mail.deliver(now=NOON)
    db.session.rollback()
    assert len(mailbox) == 1
    assert row(key).sent_at is None
    assert mail.deliver(now=NOON + timedelta(hours=1)) == 1
    assert len(mailbox) == 2
    assert mailbox[0]["Message-ID"] == mailbox[1]["Message-ID"]


def test_a_refused_mail_is_tried_later_and_told_by_code_only(mail_server, caplog):
    key = queued(to="secret.person@example.org")
    mail_server.refuse = "451 try later secret.person@example.org"
    try:
        assert mail.deliver(now=NOON) == 0
    finally:
        mail_server.refuse = None
    failed = row(key)
    assert failed.last_error == "SMTPDataError 451"
    assert not failed.dead
    assert failed.sealed is not None
    assert "secret.person" not in caplog.text
    assert mail.deliver(now=NOON) == 0
    assert mail.deliver(now=NOON + timedelta(days=1)) == 1


def test_an_address_that_will_never_take_it_is_given_up(mail_server, monkeypatch):
    key = queued()

    async def no(*_args):
        return "550 no such user"

    monkeypatch.setattr(type(mail_server), "handle_RCPT", no, raising=False)
    mail_server.controller.handler = mail_server
    assert mail.deliver(now=NOON) == 0
    assert row(key).dead
    assert row(key).last_error == "SMTPRecipientsRefused 550"


def test_a_server_that_is_down_costs_one_try_not_fifty(monkeypatch):
    use(monkeypatch, "smtp://127.0.0.1:9")
    first, second = queued(), queued(key="receipt:2")
    assert mail.deliver(now=NOON) == 0
    errors = sorted(str(row(key).last_error) for key in (first, second))
    assert errors == ["ConnectionRefusedError", "None"]


def test_a_mail_that_cannot_be_rendered_does_not_stop_the_others():
    key = "odd:1"
    outbox.queue(key=key, template="no-such-mail", to="a@example.org", locale="en", context={}, now=NOON)
    queued(key="receipt:2")
    assert mail.deliver(now=NOON) == 1
    assert row(key).last_error == "KeyError"


def test_it_stops_after_the_current_one(mailbox):
    for number in range(3):
        queued(key=f"receipt:{number}")
    assert mail.deliver(now=NOON, until=lambda: len(mailbox) > 0) == 1


def test_file_keeps_one_json_a_message(tmp_path, monkeypatch):
    use(monkeypatch, f"file:{tmp_path}/post")
    queued(key="receipt:1")
    queued(key="receipt:2", template="gift-renews-soon", to="giorgi@example.org", locale="ka")
    assert mail.deliver(limit=1, now=NOON) == 1
    assert mail.deliver(limit=1, now=NOON + timedelta(minutes=1)) == 1
    newest, oldest = mail.kept()
    assert (newest["to"], oldest["to"]) == ("giorgi@example.org", "nino@example.org")
    assert oldest["subject"] == "Your receipt"
    assert NAME in oldest["text"]
    assert "<table>" in oldest["html"]
    assert datetime.fromisoformat(newest["at"]) == NOON + timedelta(minutes=1)
    files = list((tmp_path / "post").iterdir())
    assert len(files) == 2
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_console_prints(capsys, monkeypatch):
    use(monkeypatch, "console:")
    queued()
    assert mail.deliver(now=NOON) == 1
    printed = capsys.readouterr().out
    assert printed.startswith("To: nino@example.org\nSubject: Your receipt\n")
    assert NAME in printed
    assert mail.kept() == []


def use(monkeypatch, url):
    """Send another way for this test."""
    from dataclasses import replace

    settings = replace(current_app.config["SETTINGS"], mail_url=url)
    monkeypatch.setitem(current_app.config, "SETTINGS", settings)
