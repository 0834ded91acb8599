"""One of the staff at one browser, on the page of a person: opens it, opens the form of an act, presses."""

from membership.db import db
from tests import signed_in
from tests.records import history_of
from tests.web.visitor import text


class Desk:
    """One of the staff at one browser."""

    def __init__(self, app, role="admin", email=None):
        self.browser = app.test_client()
        self.me = signed_in.as_staff(self.browser, role, email=email)

    def opens(self, person, **query):
        answer = self.browser.get(path(person), query_string=query)
        assert answer.status_code == 200
        return text(self.browser)

    def posts(self, person, act, **fields):
        """Press a button of the page that is open."""
        hidden = {name: self.browser.field(name) for name in ("csrf_token", "attempt")}
        return self.browser.post(f"{path(person)}/{act}", data=hidden | fields)

    def does(self, person, act, of="", **fields):
        """Open the form of an act, fill it in, press: what the page says then."""
        self.opens(person, do=act, of=of)
        if act == "refund":
            fields = {"seen": self.browser.field("seen"), "amount": self.browser.field("amount")} | fields
        answer = self.posts(person, act, of=of, **fields)
        assert answer.status_code == 303, (answer.status_code, text(self.browser))
        return self.opens(person)


def path(person):
    return f"/staff/people/{person.reference}"


def tags(kind, reference):
    """What is on record about one thing, oldest first."""
    db.session.expire_all()
    return [record.tag for record in history_of(kind, reference)]
