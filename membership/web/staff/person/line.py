"""The history of a person in words: one line a fact, who did it, and where more of it stands."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from flask_babel import gettext

from membership.domain import reports
from membership.domain.donations import Donation
from membership.domain.memberships import Membership
from membership.domain.payments import PaymentStatus, RefundStatus
from membership.domain.people import Person
from membership.domain.personal_data import Fact
from membership.domain.reports import Named
from membership.errors import N_
from membership.money import Money
from membership.web import view
from membership.web.staff import words

MAILS = {
    "donation-receipt": N_("Receipt of a gift"),
    "gift-renews-soon": N_("A gift renews soon"),
    "gift-failed": N_("A gift's payment failed"),
    "gift-stopped": N_("A gift is stopped"),
    "leave-confirmation": N_("Links to leave"),
    "transfer-announced": N_("How to transfer"),
    "sign-in": N_("Link to sign in"),
    "membership-welcome": N_("Welcome"),
    "membership-receipt": N_("Receipt of a membership"),
    "payment-recovered": N_("Receipt after a failed payment"),
    "payment-failed": N_("A membership's payment failed"),
    "membership-ended": N_("The membership has ended"),
    "membership-leaving": N_("The membership will end"),
    "membership-renews-soon": N_("The membership renews soon"),
    "refund-notice": N_("Money goes back"),
    "someone-joined-with-your-address": N_("Somebody joined again with this address"),
    "membership-kept": N_("The second membership stays"),
    "withdraw-link": N_("Link to withdraw"),
    "email-correction": N_("The address shall be changed"),
    "email-corrected": N_("The address was changed"),
}
REFUNDS = {
    RefundStatus.PROPOSED: N_("waits for a second person"),
    RefundStatus.ASKED: N_("asked of Stripe"),
    RefundStatus.PENDING: N_("on its way"),
    RefundStatus.REQUIRES_ACTION: N_("waits for whoever paid"),
    RefundStatus.SUCCEEDED: N_("given back"),
    RefundStatus.FAILED: N_("failed"),
    RefundStatus.CANCELED: N_("taken back"),
}
RECORDS = {
    "donation.accepted": N_("Gift accepted after review"),
    "donation.refused": N_("Gift refused after review"),
    "donation.refunded": N_("Gift refunded"),
    "donation.stopped": N_("Gift stopped"),
    "donation.paused": N_("Gift paused"),
    "donation.resumed": N_("Gift resumed"),
    "payment.disputed": N_("Payment disputed"),
    "payment.set-apart": N_("Payment set apart"),
    "payment.placed": N_("Payment placed"),
    "membership.granted": N_("Membership given"),
    "membership.cancelled": N_("Membership cancelled"),
    "membership.withdrawn": N_("Withdrew from the membership"),
    "membership.left": N_("Left the membership"),
    "membership.returned": N_("Came back to the membership"),
    "membership.paused": N_("Membership paused"),
    "membership.resumed": N_("Membership resumed"),
    "membership.changed": N_("Membership changed"),
    "membership.extended": N_("Perks extended"),
    "membership.doubled": N_("A second membership on this address"),
    "membership.kept": N_("Second membership kept"),
    "refund.approved": N_("Refund approved"),
    "refund.withdrawn": N_("Refund taken back"),
    "refund.refused": N_("Refund refused"),
    "receipt.resent": N_("Receipt sent again"),
    "link.resent": N_("Sign-in link sent"),
    "signin.refused": N_("Sign-in refused"),
    "access.refused": N_("Access refused"),
    "session.started": N_("Signed in"),
    "session.confirmed": N_("Second factor shown again"),
    "sessions.ended": N_("Signed out everywhere"),
    "person.labelled": N_("Labels changed"),
    "email.proposed": N_("Another address proposed"),
    "email.corrected": N_("Address corrected"),
    "email.kept": N_("Address kept as it was"),
    "email.bounced": N_("Mail came back"),
    "bounce.lifted": N_("Mail arrives again"),
    "person.exported": N_("Personal data exported"),
    "person.erased": N_("Erased"),
    "role.granted": N_("Role given"),
    "role.revoked": N_("Role taken away"),
    "factor.enrolled": N_("Second factor set up"),
    "factor.recovered": N_("Recovery code used"),
    "factor.reset": N_("Second factor reset"),
}


class Names(Protocol):
    """The page, so far as the history asks it for names."""

    person: Person

    def plan(self, membership: Membership) -> str: ...
    def bought(self, paid: Any) -> str: ...
    def title(self, gift: Donation) -> str: ...
    def of(self, reference: str) -> Any: ...


@dataclass(frozen=True, slots=True)
class Line:
    """One fact: what happened, what belongs to it, and who did it (None: the person, or nobody)."""

    at: datetime
    kind: str
    text: str
    more: str = ""
    tone: str = ""
    by: Named | None = None


def lines_of(facts: list[Fact], shown: Names) -> list[Line]:
    """The facts in words; names of staff are asked for once."""
    staff = reports.named(_by(fact) for fact in facts)
    return [WORDS[fact.kind](fact, shown, staff) for fact in facts]


def _by(fact: Fact) -> int | None:
    """Who did it, where that is on record."""
    if fact.kind == "refund":
        asked: int | None = fact.row[0].asked_by_id
        return asked
    return getattr(fact.row, "by_id", None)


Wording = Callable[[Fact, Names, dict[int, Named]], Line]


def _joined(fact: Fact, shown: Names, _staff: dict[int, Named]) -> Line:
    held = fact.row
    kind = gettext(words.KINDS[held.kind]) if held.kind != "paid" else _amount(held.amount, held.interval)
    return Line(fact.at, "joined", gettext("Joined: %(plan)s", plan=shown.plan(held)), kind, "well")


def _ended(fact: Fact, shown: Names, _staff: dict[int, Named]) -> Line:
    why = words.ENDED_BY.get(fact.row.ended_by or "")
    text = gettext("Membership ended: %(plan)s", plan=shown.plan(fact.row))
    return Line(fact.at, "ended", text, gettext(why) if why else "", "over")


def _amount(amount: Money | None, interval: str | None) -> str:
    every = words.EVERY.get(interval or "")
    return ", ".join(
        part for part in (view.money(amount) if amount else "", gettext(every) if every else "") if part
    )


def _payment(fact: Fact, shown: Names, _staff: dict[int, Named]) -> Line:
    payment = fact.row
    amount = view.money(payment.amount)
    paid = shown.of(payment.reference)
    what = what_for(paid, shown) if paid is not None else ""
    if payment.status is PaymentStatus.FAILED:
        return Line(fact.at, "payment", gettext("Payment of %(amount)s failed", amount=amount), what, "bad")
    if payment.status is PaymentStatus.PENDING:
        return Line(
            fact.at, "payment", gettext("Payment of %(amount)s on its way", amount=amount), what, "rest"
        )
    return Line(fact.at, "payment", gettext("Paid %(amount)s", amount=amount), what, "well")


def what_for(paid: Any, shown: Names) -> str:
    """What a payment was for."""
    if paid.gift is not None:
        return shown.title(paid.gift)
    if paid.membership is not None:
        return shown.bought(paid)
    return gettext("nothing we know: set apart")


def _refund(fact: Fact, _shown: Names, staff: dict[int, Named]) -> Line:
    refund, payment = fact.row
    amount = view.money(Money(refund.amount_minor, payment.currency))
    if refund.bank_reference and refund.status is RefundStatus.SUCCEEDED:
        stands = gettext("returned by bank transfer: %(reference)s", reference=refund.bank_reference)
    else:
        stands = gettext(REFUNDS[refund.status])
    said = ", ".join(part for part in (stands, plain_reason(refund.reason)) if part)
    tone = "bad" if refund.status is RefundStatus.FAILED else "rest"
    return Line(
        fact.at,
        "refund",
        gettext("Refund of %(amount)s", amount=amount),
        said,
        tone,
        staff.get(refund.asked_by_id or 0),
    )


OURS = {
    "refused": N_("refused after review"),
    "withdrawn": N_("withdrew"),
    "double": N_("was a second one"),
    "credit": N_("credit that was left"),
    "after-end": N_("paid when it had ended"),
    "staff": "",
}


def plain_reason(reason: str) -> str:
    """Words that our own verbs leave are said in the reader's language; what staff wrote stays as it is."""
    if reason in OURS:
        return gettext(OURS[reason]) if OURS[reason] else ""
    return reason


def _mail(fact: Fact, _shown: Names, _staff: dict[int, Named]) -> Line:
    email = fact.row
    name = MAILS.get(email.template)
    if email.sent_at is not None:
        said, tone = "", ""
    elif email.dead:
        said, tone = gettext("not delivered"), "bad"
    else:
        said, tone = gettext("waiting to go"), "rest"
    return Line(
        fact.at, "mail", gettext("Mail: %(what)s", what=gettext(name) if name else email.template), said, tone
    )


def _note(fact: Fact, _shown: Names, staff: dict[int, Named]) -> Line:
    text = gettext("This note is sealed.") if fact.row.text is None else fact.row.text
    return Line(fact.at, "note", text, by=staff.get(fact.row.by_id))


def _record(fact: Fact, shown: Names, staff: dict[int, Named]) -> Line:
    record = fact.row
    name = RECORDS.get(record.tag)
    by = None if record.by_id == shown.person.id else staff.get(record.by_id or 0)
    return Line(fact.at, "record", gettext(name) if name else record.tag, record.reason, by=by)


WORDS: dict[str, Wording] = {
    "joined": _joined,
    "ended": _ended,
    "payment": _payment,
    "refund": _refund,
    "mail": _mail,
    "note": _note,
    "record": _record,
}
