"""What staff do about memberships: give one, extend it, end it, keep or end a second one."""

from datetime import date, datetime, time

from flask.typing import ResponseReturnValue
from flask_babel import gettext

from membership import clock
from membership.billing import checkout
from membership.billing.checkout import Outcome
from membership.domain import memberships, payments, people, personal_data, plans
from membership.domain.memberships import Kind, Membership
from membership.domain.people import Person
from membership.domain.roles import Ability
from membership.errors import N_, Conflict
from membership.web import presses, view
from membership.web.attempts import Attempt
from membership.web.forms.person import DoubleForm, EndForm, ExtendForm, GrantForm, KeepForm
from membership.web.staff import access, bp
from membership.web.staff.access import allowed
from membership.web.staff.person.contact import reach
from membership.web.staff.person.page import beside
from membership.web.staff.person.press import own, press
from membership.web.staff.words import short_day


@bp.post("/staff/people/<reference>/extend")
@allowed(Ability.GRANT)
def person_extend(reference: str) -> ResponseReturnValue:
    """Keep the perks open for some days more."""
    return press(reference, "extend", _extend)


@bp.post("/staff/people/<reference>/grant")
@allowed(Ability.GRANT)
def person_grant(reference: str) -> ResponseReturnValue:
    """Give a membership."""
    return press(reference, "grant", _grant)


@bp.post("/staff/people/<reference>/end")
@allowed(Ability.GRANT)
def person_end(reference: str) -> ResponseReturnValue:
    """End a membership, with its period or at once."""
    return press(reference, "end", _end)


@bp.post("/staff/people/<reference>/keep")
@allowed(Ability.GRANT)
def person_keep(reference: str) -> ResponseReturnValue:
    """Keep a second membership."""
    return press(reference, "keep", _keep)


@bp.post("/staff/people/<reference>/double")
@allowed(Ability.REFUND)
def person_double(reference: str) -> ResponseReturnValue:
    """End a second membership and give back everything paid for it."""
    return press(reference, "double", _end_double, grave=True)


def _membership(person: Person, reference: str) -> Membership:
    found: Membership = own(personal_data.holding_of(person, now=clock.now()).memberships, reference)
    return found


def _extend(person: Person, form: ExtendForm, _attempt: Attempt) -> str:
    extended = memberships.extend(
        _membership(person, form.of.data or ""),
        days=form.number,
        by=access.person(),
        reason=form.reason.data or "",
        settings=view.settings(),
        now=clock.now(),
    )
    return gettext("The perks stay open until %(day)s.", day=short_day(extended.extra_until))


def _grant(person: Person, form: GrantForm, attempt: Attempt) -> str:
    if person.erased_at is not None:
        raise Conflict(N_("This person has been erased."))
    contact = reach(person)
    _guard_what_runs(person, form)
    given = memberships.grant(
        person,
        plans.get_plan(form.plan.data or ""),
        kind=Kind(form.kind.data or ""),
        until=_end_of(form.day or date.min),
        by=access.person(),
        reason=form.reason.data or "",
        settings=view.settings(),
        attempt=f"desk-{attempt.id}",
        to=contact.email if contact else None,
        name=contact.name if contact else None,
        now=clock.now(),
    )
    if contact is None:
        return gettext("The membership runs until %(day)s. No address is known here, so nobody was told.",
                       day=short_day(given.ends_at))  # fmt: skip
    return gettext(
        "The membership runs until %(day)s. A welcome is on its way.", day=short_day(given.ends_at)
    )


def _guard_what_runs(person: Person, form: GrantForm) -> None:
    """Whoever gives has seen what runs already: another tab, or somebody else, may have given the same."""
    people.lock_unless_erased(person.id)  # two presses at once come one after the other
    if (form.beside.data or "") != beside(memberships.live_of(person.id)):
        raise Conflict(
            N_("What runs already has changed since you opened this form. Look at it and decide again.")
        )


def _end_of(day: date) -> datetime:
    """The last moment of a day where the newsroom is."""
    return datetime.combine(day, time(23, 59, 59), view.settings().timezone)


def _end(person: Person, form: EndForm, _attempt: Attempt) -> str:
    membership, now = _membership(person, form.of.data or ""), clock.now()
    if not membership.is_live:
        raise Conflict(N_("This membership has ended already."))
    if form.action.data == "now":
        said = _ended(membership)
        outcome = checkout.end_now(membership, by=access.person(), reason=form.reason.data or "", now=now)
    elif membership.ends_at is not None:
        raise Conflict(
            N_("It ends on %(day)s already. You can only end it sooner."), day=short_day(membership.ends_at)
        )
    else:
        outcome = checkout.leave(membership, by=access.person(), reason=form.reason.data or "", now=now)
        said = gettext("The membership ends with the period that is paid; nothing more is charged.")
    return _told(membership, outcome, said)


def _ended(membership: Membership) -> str:
    """What ending it now does, asked before."""
    if membership.extra_until is None:
        return gettext("The membership is ended. Nothing was refunded by this.")
    return gettext(
        "The membership is ended, and the days that were given beyond it with it. Nothing was refunded by this."
    )


def _doubled(person: Person, reference: str) -> Membership:
    membership = _membership(person, reference)
    if membership.doubled_at is None:
        raise Conflict(N_("This membership has been kept or ended already."))
    return membership


def _keep(person: Person, form: KeepForm, _attempt: Attempt) -> str:
    memberships.keep(_doubled(person, form.of.data or ""), by=access.person(), now=clock.now())
    return gettext("Both memberships stay.")


def _end_double(person: Person, form: DoubleForm, _attempt: Attempt) -> str:
    membership, now = _doubled(person, form.of.data or ""), clock.now()
    outcome = checkout.end_double(membership, by=access.person(), now=now)
    paid = payments.payments_of(membership_id=membership.id)
    if any(payments.set_aside(one) for one in paid):
        said = gettext(
            "The second membership is ended, and nothing more is charged. What was paid is above the review limit:"
            " it goes back when somebody else agrees."
        )
    else:
        said = gettext("The second membership is ended, and everything paid for it goes back.")
    return _told(membership, outcome, said)


def _told(membership: Membership, outcome: Outcome, said: str) -> str:
    if outcome is Outcome.REFUSED:
        return gettext("Stripe will not do this. Look at this membership in Stripe's dashboard.")
    if outcome is Outcome.WAITING:
        return gettext("Stripe has not answered yet. It is noted, and the worker asks again.")
    presses.follow(membership)
    return said
