"""Mail that came back for good ends writing to its address; nothing else that lies in the mailbox does anything."""

import mailbox as boxes
from collections import Counter
from datetime import UTC, datetime

import pytest
from flask import current_app
from sqlalchemy import select

from membership import mail, vault
from membership.cli.work import timetable
from membership.config import SettingsError
from membership.db import db
from membership.domain import audit, outbox, people
from membership.domain.outbox import Bounce
from membership.mail import bounces
from membership.mail.bounces import Told
from tests import databases, make, returned_mail
from tests.imap_server import ImapServer
from tests.letters import MAILS
from tests.records import history_of

pytestmark = pytest.mark.usefixtures("app")

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NINO = "nino@example.org"


@pytest.fixture
def sent(mailbox):
    """The Message-ID of a mail that went to Nino, whom we know."""
    people.register(NINO, name="Nino", locale="en", now=NOON)
    outbox.queue(key="receipt:ch_1", template="donation-receipt", to=NINO, locale="en",
                 context=MAILS["donation-receipt"], now=NOON)  # fmt: skip
    db.session.commit()
    assert mail.deliver(now=NOON) == 1
    return str(mailbox[0]["Message-ID"])


def heard(text):
    return bounces._heard(text.encode() if isinstance(text, str) else text, NOON)


def gone():
    return list(db.session.scalars(select(Bounce.email_key)))


@pytest.mark.parametrize("server", returned_mail.SERVERS)
def test_an_address_that_is_no_more_is_written_to_no_more(server, sent):
    assert heard(server(sent)) is Told.GONE
    person = people.find_by_email(NINO)
    assert (gone(), person.bounced_at) == ([vault.email_key(NINO)], NOON)
    outbox.queue(key="receipt:ch_2", template="donation-receipt", to=NINO, locale="en", context={}, now=NOON)
    db.session.commit()
    assert mail.deliver(now=NOON) == 0
    assert db.session.get(outbox.Email, "receipt:ch_2").dead
    (record,) = history_of("person", person.reference)
    assert record.tag == audit.Tag.EMAIL_BOUNCED
    assert record.details["mail"] == "donation-receipt"
    assert heard(server(sent)) is Told.KNOWN
    assert len(history_of("person", person.reference)) == 1


@pytest.mark.parametrize("server", returned_mail.SERVERS)
@pytest.mark.parametrize(
    ("told", "changes"),
    [(Told.WAITING, {"action": "delayed", "status": "4.4.1"}),
     (Told.WAITING, {"action": "failed", "status": "4.2.2"}),
     (Told.WAITING, {"action": "delivered", "status": "2.0.0"}),
     (Told.WAITING, {"status": "5.2.2"}),
     (Told.WAITING, {"status": "5.4.4"}),
     (Told.REFUSED, {"status": "5.7.1"}),
     (Told.REFUSED, {"status": "5.1.8"}),
     (Told.FOREIGN, {"to": "ana@example.org"}),
     (Told.FOREIGN, {"to": "nino@example.org, ana@example.org"})],
)  # fmt: skip
def test_what_is_not_about_that_address_for_good_changes_nothing(server, told, changes, sent):
    assert heard(server(sent, **changes)) is told
    assert gone() == []
    assert people.find_by_email(NINO).bounced_at is None


def test_a_forged_report_changes_nothing(sent):
    forged = "<" + "0123456789abcdef0123456789abcdef01234567" + "@newsroom.example>"
    assert heard(returned_mail.postfix(forged)) is Told.FOREIGN
    assert heard(returned_mail.postfix("")) is Told.FOREIGN
    # a mail that has not gone out cannot have come back
    outbox.queue(key="receipt:2", template="donation-receipt", to=NINO, locale="en", context={}, now=NOON)
    assert heard(returned_mail.postfix(outbox.message_id("receipt:2", "x"))) is Told.FOREIGN
    assert gone() == []


def test_the_address_it_was_first_sent_to_counts_where_it_was_forwarded(sent):
    report = returned_mail.postfix(sent).replace(
        f"Final-Recipient: rfc822; {NINO}", "Final-Recipient: rfc822; x@y.org"
    )
    assert heard(report) is Told.GONE


@pytest.mark.parametrize(
    "text",
    ["", "\0\xff" * 99, "Content-Type: multipart/report; report-type=delivery-status\n\nno parts",
     returned_mail.ABSENCE, returned_mail.ABSENCE.replace("Auto", "Content-Type: multipart/mixed; boundary=x\nAuto"),
     "Content-Type: multipart/report; report-type=delivery-status; boundary=x\n\n--x\n\nhello\n--x--\n",
     "".join(f'Content-Type: multipart/report; report-type=delivery-status; boundary="{n}"\n\n--{n}\n' for n in range(3000)),
     "Content-Type: multipart/report; report-type=delivery-status; " + 'a="b";' * 50_000 + "\n\nx"],
)  # fmt: skip
def test_what_is_no_report_is_passed_by(text):
    assert heard(text) in (Told.MALFORMED, Told.OTHER)
    assert gone() == []


# the mailboxes, read by the command


def read(app, url):
    db.session.commit()
    done = app.test_cli_runner().invoke(args=["bounces", "read", url])
    assert "@" not in done.output
    return done


def letters_of(sent):
    large = returned_mail.ABSENCE + "x" * 600_000
    return [
        text.encode()
        for text in (returned_mail.ABSENCE, returned_mail.postfix(sent), large, returned_mail.gmail(sent))
    ]


SAID = ["1 addresses take no mail any more", "1 were known already", "1 are too large", "1 are other mails"]


def check_twice(app, url):
    """Reports are read once; what is none stays unread."""
    first = read(app, url)
    assert first.exit_code == 0, first.output
    assert all(words in first.output for words in SAID), first.output
    assert len(gone()) == 1
    again = read(app, url).output
    assert "any more" not in again
    assert "known" not in again
    assert "1 are other mails" in again


def test_a_maildir_is_read_once(app, sent, tmp_path):
    box = boxes.Maildir(tmp_path / "box", create=True)
    for letter in letters_of(sent):
        box.add(letter)
    check_twice(app, f"maildir:{tmp_path}/box")
    assert sorted(message.get_flags() for message in boxes.Maildir(tmp_path / "box")) == ["", "", "S", "S"]


def test_an_mbox_is_read_once(app, sent, tmp_path):
    box = boxes.mbox(tmp_path / "box", create=True)
    for letter in letters_of(sent):
        box.add(letter)
    box.close()
    check_twice(app, f"mbox:{tmp_path}/box")
    box = boxes.mbox(tmp_path / "box")
    assert [message.get_flags() for message in box] == ["", "R", "", "R"]
    box.close()


def test_a_mail_server_is_read_once(app, sent):
    with ImapServer(letters_of(sent)) as server:
        check_twice(app, f"imap://desk:p%40ss%20word@127.0.0.1:{server.port}/INBOX")
        assert server.seen == {2, 4}


def test_a_mailbox_that_cannot_be_read_is_a_sentence_without_its_password(app, tmp_path):
    with ImapServer([]) as server:
        wrong = read(app, f"imap://desk:secret@127.0.0.1:{server.port}/INBOX")
    for done in (wrong, read(app, f"maildir:{tmp_path}/none"), read(app, f"mbox:{tmp_path}/none")):
        assert done.exit_code == 1
        assert "The mailbox for returned mail cannot be read" in done.output
        assert "secret" not in done.output
        assert "Traceback" not in done.output
    assert read(app, "pop3:secret").exit_code == 2
    assert read(app, "").exit_code == 2


def test_the_setting_is_checked_without_being_repeated_and_puts_it_in_the_timetable():
    with pytest.raises(SettingsError) as gaps:
        databases.settings("sqlite://", BOUNCE_MAILBOX="imaps://desk:secret@")
    assert "BOUNCE_MAILBOX" in str(gaps.value)
    assert "secret" not in str(gaps.value)
    wanted = databases.settings("sqlite://", BOUNCE_MAILBOX="maildir:/var/mail/bounces")
    names = Counter(task.name for task in timetable(wanted)) - Counter(
        task.name for task in timetable(make.settings())
    )
    assert list(names) == ["read mail that came back"]
    assert current_app.config["SETTINGS"].bounce_mailbox is None
