"""The page of one person. Opening it is on record; an act's form is opened by `?do=...&of=...`, one at a time."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from flask import Response, request
from wtforms import Form

from membership import clock
from membership.db import db, writing
from membership.domain import (
    audit,
    corrections,
    fundraisers,
    limits,
    memberships,
    payments,
    people,
    personal_data,
    plans,
    reports,
    returns,
    roles,
)
from membership.domain.donations import Donation
from membership.domain.memberships import Membership
from membership.domain.payments import Refund, RefundStatus
from membership.domain.people import Person
from membership.domain.personal_data import Paid, Similar, Verdict
from membership.domain.roles import Ability
from membership.money import Money
from membership.web import attempts, locales, sheets, view
from membership.web.forms import person as forms
from membership.web.staff import access, bp, words
from membership.web.staff.access import allowed
from membership.web.staff.person import line

OPENED_ONCE_IN = timedelta(minutes=10)
ACTS: dict[str, tuple[type[Form], Ability]] = {
    "note": (forms.NoteForm, Ability.WRITE),
    "label": (forms.LabelForm, Ability.WRITE),
    "refund": (forms.RefundForm, Ability.REFUND),
    "decide": (forms.DecideForm, Ability.REFUND),
    "extend": (forms.ExtendForm, Ability.GRANT),
    "grant": (forms.GrantForm, Ability.GRANT),
    "end": (forms.EndForm, Ability.GRANT),
    "keep": (forms.KeepForm, Ability.GRANT),
    "double": (forms.DoubleForm, Ability.REFUND),
    "stop": (forms.StopForm, Ability.GRANT),
    "send": (forms.SendForm, Ability.WRITE),
    "arrives": (forms.ArriveForm, Ability.WRITE),
    "address": (forms.AddressForm, Ability.WRITE),
    "correct": (forms.DecideForm, Ability.WRITE),
    "export": (forms.ExportForm, Ability.PERSONAL_DATA),
    "erase": (forms.EraseForm, Ability.PERSONAL_DATA),
}


@dataclass(frozen=True, slots=True)
class Act:
    """The form that stands open; `refused` is the sentence that said no to it, `says` a word of ours."""

    name: str
    form: Any
    refused: str = ""
    says: str = ""

    @property
    def is_wrong(self) -> bool:
        """Whether something kept it from being done."""
        return bool(self.refused or self.says or self.form.errors)


def may_readdress(person_: Person) -> bool:
    """Whether whoever is here may correct this address: with a colleague's, the desk itself would be another's."""
    return access.may(Ability.ROLES) or roles.role_of(person_.id) is None


def beside(held: Iterable[Membership]) -> str:
    """What runs of these, as the form that gives another carries it."""
    return " ".join(sorted(one.reference for one in held if one.is_live))


@bp.get("/staff/people/<reference>")
@allowed(Ability.SEE)
def person(reference: str) -> Response:
    """Everything about one person; the opening is written down before anything is read."""
    db.session.rollback()
    with writing():
        _note_opened(people.get_person(reference))
        db.session.commit()
    shown = Shown(people.get_person(reference))
    return _drawn(shown, 200, _asked(shown))


def draw(reference: str, status: int, *, act: Act) -> Response:
    """The page again, around a form that did nothing: seeing it so is an opening as well."""
    db.session.rollback()
    _note_opened(people.get_person(reference))
    db.session.commit()
    return _drawn(Shown(people.get_person(reference)), status, act)


def _note_opened(shown: Person) -> None:
    """Once in ten minutes for each of the staff: an act leads back to the page, and that is no other opening."""
    me = access.person()
    if limits.hit("person-opened", f"{me.id} {shown.id}", most=1, per=OPENED_ONCE_IN, now=clock.now()):
        audit.record(
            audit.Tag.PERSON_REVEALED,
            subject_type="person",
            subject_id=shown.reference,
            by=me,
            now=clock.now(),
        )


def _asked(shown: "Shown") -> Act | None:
    """The act that the address opens, its form filled in as far as we can."""
    name, of = request.args.get("do", ""), request.args.get("of", "")
    if name not in ACTS or not access.may(ACTS[name][1]):
        return None
    told: dict[str, object] = {"of": of}
    if name == "refund":
        paid = next((one for one in shown.held.payments if one.payment.reference == of), None)
        if paid is None:
            return None
        told |= {"amount": view.plain(paid.remains), "seen": str(paid.remains.minor)}
    return Act(name, ACTS[name][0](data=told))


def _drawn(shown: "Shown", status: int, act: Act | None) -> Response:
    """The page, with fresh tokens."""
    return sheets.page("staff/person/page.html", status, attempt=attempts.fresh(), shown=shown, act=act)


class Shown:
    """What the page shows, worked out when it is asked for."""

    def __init__(self, person_: Person) -> None:
        self.person, self.now = person_, clock.now()
        self.held = personal_data.holding_of(person_, now=self.now)
        self.settings = view.settings()
        self.code = reports.code_of(person_.id)
        self.role = roles.role_of(person_.id)

    @cached_property
    def identity(self) -> tuple[str, str] | None:
        """(address, name), where this server opens them."""
        return personal_data.identity_of(self.person)

    @property
    def email(self) -> str:
        """The address, if it is open here."""
        return self.identity[0] if self.identity else ""

    @property
    def name(self) -> str:
        """The name, if there is one and it is open here."""
        return self.identity[1] if self.identity else ""

    @property
    def standing(self) -> tuple[str, str]:
        """(colour, words) of the standing as a member."""
        return words.STANDINGS[self.person.standing]

    @cached_property
    def memberships(self) -> list[Membership]:
        """Those that have begun."""
        return [one for one in self.held.memberships if one.started_at is not None]

    @cached_property
    def running(self) -> list[Membership]:
        """Those of them that go on."""
        return [one for one in self.memberships if one.is_live]

    @property
    def beside(self) -> str:
        """The same, as a form carries it."""
        return beside(self.running)

    @cached_property
    def gifts(self) -> list[Donation]:
        """Those that were paid or are about to be; pledges that came to nothing are only counted."""
        return [one for one in self.held.gifts if one.settled_at or one.status == "processing"]

    @property
    def unpaid(self) -> int:
        """How many gifts were begun and never paid."""
        return len(self.held.gifts) - len(self.gifts)

    @cached_property
    def similar(self) -> list[Similar]:
        """Payments that have an equal beside them."""
        return personal_data.similar_ones(self.held.payments, now=self.now)

    @cached_property
    def marked(self) -> set[int]:
        """Those of them by row that may have been charged by mistake; renewals and separate gifts are not."""
        suspect = (Verdict.TWICE, Verdict.CLOSE)
        groups = [group for group in self.similar if group.verdict in suspect]
        return {paid.payment.id for group in groups for paid in group.payments}

    @cached_property
    def proposals(self) -> list[tuple[Refund, Paid]]:
        """Refunds that wait for a second person."""
        return [
            (refund, paid)
            for paid in self.held.payments
            for refund in paid.refunds
            if refund.status is RefundStatus.PROPOSED
        ]

    @cached_property
    def unreturned(self) -> list[tuple[Money, datetime]]:
        """Refunds that failed and whose money is here still: how much, and since when."""
        return [
            (Money(refund.amount_minor, payment.currency), refund.asked_at)
            for refund, payment in payments.unreturned_refunds(person_id=self.person.id)
        ]

    def reason(self, refund: Refund) -> str:
        """Why it was asked for, in words."""
        return line.plain_reason(refund.reason)

    def left_bank(self, refund: Refund, paid: Paid) -> Money | None:
        """What left the bank account for a refund by transfer, where that is in another currency than the payment."""
        return returns.left_bank(refund, paid.payment)

    def wrote(self, left: Membership | Donation) -> str:
        """What its owner wrote on leaving or pausing."""
        return personal_data.reason_of(left)

    @cached_property
    def correction(self) -> corrections.Correction | None:
        """The address that somebody proposed."""
        return corrections.open_of(self.person)

    @property
    def may_readdress(self) -> bool:
        """Whether whoever looks here may correct the address."""
        return may_readdress(self.person)

    @property
    def new_address(self) -> str:
        """The proposed address: whole for whoever may decide, for others as its owner would know it."""
        if self.correction is None:
            return ""
        is_whole = access.may(ACTS["correct"][1])
        return corrections.proposed(self.correction) if is_whole else corrections.masked(self.correction)

    @cached_property
    def hindrance(self) -> str | None:
        """Why nobody can erase this person now."""
        return personal_data.hindrance(self.person)

    @cached_property
    def history(self) -> tuple[list[line.Line], str]:
        """The lines of the history, and from when the earlier ones are asked for."""
        before = _moment(request.args.get("before", ""))
        facts, more = personal_data.history_of(self.person, held=self.held, before=before)
        lines = line.lines_of(facts, self)
        return lines, facts[-1].at.isoformat() if more else ""

    @cached_property
    def _staff(self) -> dict[int, reports.Named]:
        ids = {refund.asked_by_id for refund, _ in self.proposals}
        if self.correction:
            ids.add(self.correction.proposed_by_id)
        return reports.named(ids)

    def named(self, person_id: int) -> str:
        """Who proposed something here, by name where it opens."""
        found = self._staff.get(person_id)
        return (found.name or found.code) if found else ""

    @property
    def me(self) -> int:
        """Whoever looks at the page."""
        return access.person().id

    @cached_property
    def plans(self) -> list[words.Offered]:
        """What can be given."""
        return words.offered()

    @cached_property
    def _titles(self) -> dict[int, str]:
        asked = fundraisers.fundraisers_by_id(one.fundraiser_id for one in self.held.gifts)
        return {number: one.words(locales.locale()).title for number, one in asked.items()}

    def title(self, gift: Donation) -> str:
        """What a gift was for."""
        return self._titles[gift.fundraiser_id]

    @cached_property
    def _plan_names(self) -> dict[int, str]:
        return {plan.id: plan.words(locales.locale()).name for plan in plans.all_plans()}

    def plan(self, membership: Membership) -> str:
        """The name of its plan."""
        return self._plan_names.get(membership.plan_id, "")

    def bought(self, paid: Paid) -> str:
        """The plan that was paid for and how often, which may be others by now."""
        assert paid.membership is not None
        name = self._plan_names.get(paid.payment.plan_id or paid.membership.plan_id, "")
        return words.bought(name, paid.payment.interval)

    def open_until(self, membership: Membership) -> datetime | None:
        """Until when its perks are open."""
        return memberships.open_until(membership, grace_days=self.settings.grace_days)

    def is_open(self, membership: Membership) -> bool:
        """Whether they are."""
        return memberships.is_open(membership, grace_days=self.settings.grace_days, now=self.now)

    def needs_second(self, paid: Paid) -> bool:
        """Whether giving back all that remains takes a second person."""
        return payments.needs_second(paid.payment, paid.remains, settings=self.settings)

    def gives_much_back(self, membership: Membership) -> bool:
        """Whether giving back everything paid for it takes a second person."""
        paid = [one.payment for one in self.held.payments if one.membership is membership]
        return payments.all_needs_second(paid, settings=self.settings)

    def of(self, reference: str) -> Any:
        """The payment, membership or gift that an act is about."""
        held = self.held
        paid = next((one for one in held.payments if one.payment.reference == reference), None)
        if paid is not None:
            return paid
        rows: list[Any] = [*held.memberships, *held.gifts]
        return next((one for one in rows if one.reference == reference), None)


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo and 1970 < found.year < 9000 else None
