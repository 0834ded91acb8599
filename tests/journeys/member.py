"""A member, through our pages and the pretend Stripe's: joins, signs in by the mailed link, opens, changes, leaves."""

import re
from email.message import EmailMessage
from urllib.parse import urlsplit

from werkzeug.test import TestResponse

from membership import clock, mail
from membership.db import db
from membership.domain import memberships, people, signins
from membership.domain.memberships import Membership
from tests import make
from tests.journeys.donor import GOOD, Donor, origin, path_of, settle
from tests.web.visitor import text


class Member(Donor):
    """One reader with one browser."""

    token = ""

    def joins(self, card: str = GOOD, plan: str = "friend", **fields: str) -> TestResponse:
        """From the form of a plan to the thanks page, until nothing is left to do."""
        path = f"/join/{plan}"
        told = {"price": "month-EUR", "email": self.email, "name": self.name, "other_amount": ""}
        self.open_form(path)
        begun = self.ours.post(path, data=self.form | told | fields)
        assert begun.status_code == 303, begun.text
        answer = self.thanks(self.pay(begun.location, card))
        settle(self.stripe)
        return answer

    def signs_in(self, mailbox: list[EmailMessage]) -> TestResponse:
        """Ask for the link, read it in the mailbox, press the button."""
        self.presses("/sign-in", email=self.email)
        signins.dispatch(make.settings(), clock.now())
        db.session.commit()
        mail.deliver()
        return self.presses(links(mailbox, "sign-in")[-1])

    def opens(self, path: str) -> str:
        """Look at a page: what it says."""
        answer = self.ours.get(path)
        assert answer.status_code == 200, (path, answer.status_code, answer.location)
        return text(self.ours)

    def presses(self, path: str, **fields: str) -> TestResponse:
        """Open a page and send its form."""
        assert self.ours.get(path).status_code == 200, path
        return self.sends(path, **fields)

    def sends(self, path: str, **fields: str) -> TestResponse:
        """Send a form with the token of the last page that had one, as fast as a person does."""
        if self.ours.page is not None and self.ours.page.find(".//input[@name='csrf_token']") is not None:
            self.token = self.ours.field("csrf_token")
        self.stripe.advance(seconds=3)
        return self.ours.post(path, data={"csrf_token": self.token} | fields)

    def follows(self, answer: TestResponse) -> str:
        """Where the answer leads: what that page says."""
        assert answer.status_code == 303, answer.text
        return self.opens(path_of(answer.location))

    def writes_card(self, url: str, card: str = GOOD) -> TestResponse:
        """Fill in Stripe's page for cards."""
        told = {"card_number": card, "exp": "12/34", "cvc": "123"}
        return self.theirs.post(urlsplit(url).path, base_url=origin(url), data=told)

    @property
    def membership(self) -> Membership:
        """The newest one of this address, as it is now."""
        db.session.expire_all()
        person = people.find_by_email(self.email)
        assert person is not None
        return memberships.memberships_of(person.id)[0]


def links(mailbox: list[EmailMessage], what: str) -> list[str]:
    """The paths of this kind in all mails, oldest first."""
    bodies = [one.get_body(("plain",)) for one in mailbox]
    told = "\n".join(body.get_content() for body in bodies if body is not None)
    return re.findall(rf"https?://[^/\s]+((?:/\w\w)?/{what}/\S+)", told)
