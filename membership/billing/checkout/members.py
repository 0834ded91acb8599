"""A membership that is there: left, returned to, paused, ended, withdrawn from.

Each wish is recorded with its parameters before Stripe is asked. A newer wish replaces an older one that Stripe has
not answered, so a late answer never turns it back.
"""

import secrets
from calendar import monthrange
from datetime import datetime, timedelta
from typing import Any

from membership import clock
from membership.billing import account, calls, contacts, turns
from membership.billing.checkout import ahead, asking
from membership.billing.checkout.asking import Outcome
from membership.billing.facts import Contact
from membership.db import db, writing
from membership.domain import audit, memberships, payments
from membership.domain.donations import Donation
from membership.domain.memberships import Kind, Membership, MembershipStatus
from membership.domain.payments import PaymentStatus, RefundStatus
from membership.domain.people import Person
from membership.errors import N_, Conflict

MOST_MONTHS = 3


def leave(
    membership: Membership, *, by: Person | None = None, reason: str = "", now: datetime | None = None
) -> Outcome:
    """End it with the period that is paid; at once when none is. `by` is of staff; None is its member.

    What was paid a moment ago without our having seen it goes back: it was said to end at once. Where credit paid for
    it nothing could, so that time is had.
    """
    now = now or clock.now()
    unseen = ahead.find_unseen(membership, now)
    with writing():
        membership = _begin(membership)
        if is_closing(membership):  # sooner than with its period, for the reason that was given then
            db.session.commit()
            return Outcome.WAITING
        if not membership.is_live or (membership.ends_at is not None and not is_returning(membership)):
            db.session.commit()
            return Outcome.AGREED
        if unseen is not None and ahead.is_paid_by_credit(unseen):
            memberships.covered(membership, unseen.covers, invoice_id=unseen.id)
        membership.ended_by = "staff" if by else "member"
        tag = audit.Tag.MEMBERSHIP_CANCELLED if by else audit.Tag.MEMBERSHIP_LEFT
        _record(tag, membership, who=by, by=membership.ended_by, reason=reason, now=now)
        if not ahead.is_paid_ahead(membership, now):
            return _end(membership, now, unseen=unseen.id if unseen else None)
        calls.supersede(f"change:{membership.stripe_subscription_id}")  # nobody pays for one that is left
        if membership.late_invoice_id and membership.late_attempts:
            _note_unasked(membership.late_invoice_id, now)
        return _update(membership, "ends", {"cancel_at_period_end": True}, now)


def come_back(membership: Membership, *, now: datetime | None = None) -> Outcome:
    """Undo a leave while the paid period still runs."""
    now = now or clock.now()
    with writing():
        membership = _begin(membership)
        if not membership.is_live or membership.kind is not Kind.PAID or is_closing(membership):
            raise Conflict(N_("This membership has ended. You can join again."))
        if membership.ends_at is None and membership.ended_by is None:
            db.session.commit()
            return Outcome.AGREED
        if memberships.find_other(membership) is not None:
            raise Conflict(N_("You have joined again meanwhile, and one membership is enough."))
        left_by, membership.ended_by = membership.ended_by, None
        _record(audit.Tag.MEMBERSHIP_RETURNED, membership, now=now)
        return _update(membership, "ends", {"cancel_at_period_end": False}, now, left_by=left_by)


def skip(membership: Membership, *, months: int, now: datetime | None = None) -> Outcome:
    """Pay nothing for the next so many months; it goes on by itself afterwards."""
    now = now or clock.now()
    if not 1 <= months <= MOST_MONTHS:
        raise Conflict(N_("A membership can rest for one, two or three months."))
    with writing():
        membership = _begin(membership)
        if not _may_rest(membership):
            raise Conflict(N_("Only a monthly membership that goes on can rest."))
        if not may_pause(membership):  # should the debit fail, Stripe would ask for it again
            raise Conflict(N_("Once the payment that is due has gone through, you can also pause."))
        if calls.is_asked(f"change:{membership.stripe_subscription_id}"):
            # what is billed while it rests is void: it would be had for nothing
            raise Conflict(
                N_("The change you asked for has not been answered yet. Please try again in a few minutes.")
            )
        assert membership.next_at is not None
        resumes_at = _months_later(membership.next_at, months) - timedelta(days=1)
        _record(audit.Tag.MEMBERSHIP_PAUSED, membership, now=now)
        pause = {"behavior": "void", "resumes_at": int(resumes_at.timestamp())}
        return _update(membership, "pause", {"pause_collection": pause}, now)


def may_pause(membership: Membership) -> bool:
    """Whether it can rest: monthly, going on, nothing late and no debit under way."""
    return _may_rest(membership) and memberships.under_way(membership) is None


def _may_rest(membership: Membership) -> bool:
    goes_on = membership.status in (MembershipStatus.ACTIVE, MembershipStatus.PAUSED)
    is_left = membership.ended_by is not None or membership.next_at is None
    return goes_on and membership.interval == "month" and not is_left


def go_on(membership: Membership, *, now: datetime | None = None) -> Outcome:
    """End a pause: the next period is charged again."""
    now = now or clock.now()
    with writing():
        membership = _begin(membership)
        is_resting = calls.is_asked(f"pause:{membership.stripe_subscription_id}")
        if membership.status is not MembershipStatus.PAUSED and not is_resting:
            db.session.commit()
            return Outcome.AGREED
        _record(audit.Tag.MEMBERSHIP_RESUMED, membership, now=now)
        return _update(membership, "pause", {"pause_collection": ""}, now)


def end_now(
    membership: Membership,
    *,
    by: Person | None = None,
    reason: str = "",
    now: datetime | None = None,
) -> Outcome:
    """Staff end it at once, with the days that were given beyond it; nothing is refunded by this.

    One that is given back stays so.
    """
    now = now or clock.now()
    with writing():
        membership = _begin(membership)
        if not membership.is_live:
            db.session.commit()
            return Outcome.AGREED
        membership.extra_until = None
        known = membership.ended_by if memberships.is_given_back(membership) else None
        return _end_now(membership, ended_by=known or "staff", by=by, reason=reason, now=now)


def _end_now(
    membership: Membership, *, ended_by: str, by: Person | None = None, reason: str = "", now: datetime
) -> Outcome:
    membership.ended_by = ended_by
    _record(audit.Tag.MEMBERSHIP_CANCELLED, membership, who=by, by=ended_by, reason=reason, now=now)
    return _end(membership, now)


def withdraw(membership: Membership, *, now: datetime | None = None) -> Outcome:
    """Undo the joining within 14 days: it ends at once and all that was paid goes back."""
    now = now or clock.now()
    with writing():
        membership = _begin(membership)
        if membership.withdrawn_at is not None:
            db.session.commit()
            return Outcome.AGREED
        if not memberships.may_withdraw(membership, now):
            raise Conflict(
                N_("The 14 days have passed. You can leave at the end of the period you paid for.")
            )
        return _give_back(membership, "withdrawn", audit.Tag.MEMBERSHIP_WITHDRAWN, now)


def end_double(membership: Membership, *, by: Person | None = None, now: datetime | None = None) -> Outcome:
    """A second membership of one address that nobody kept: it ends at once and all that was paid goes back.

    Nothing more is charged, whatever it cost; above the review limit the refund is proposed and waits for a second
    person.
    """
    now = now or clock.now()
    contact = _contact_of(membership) if by is None else None
    with writing():
        membership = _begin(membership)
        other = memberships.find_other(membership)
        other = memberships.lock_membership(other.id) if other else None
        if by is None:
            here, to = account.here().settings, contact.email if contact else None
            memberships.look_again(membership.person_id, to=to, settings=here, now=now)
        if membership.doubled_at is None:
            db.session.commit()
            return Outcome.AGREED
        if by is None and other is not None and _is_replaced(other, membership):
            memberships.keep(membership, by=None, now=now)
            return _end_now(other, ended_by="replaced", now=now)
        return _give_back(membership, "double", audit.Tag.MEMBERSHIP_CANCELLED, now, who=by)


def _contact_of(membership: Membership) -> Contact | None:
    """Whom to tell, asked before anything is locked."""
    customer_id = membership.stripe_customer_id
    db.session.commit()
    return contacts.at_stripe(customer_id)


def _is_replaced(other: Membership, second: Membership) -> bool:
    """Whether the second takes the other one's place, which still waits for what was due before."""
    return other.status is MembershipStatus.PAST_DUE and memberships.gives_way(other, second)


def end_doubles(now: datetime | None = None) -> int:
    """End the second memberships that nobody kept in time. Returns how many Stripe agreed to."""
    now = now or clock.now()
    ids = [one.id for one in memberships.doubles_over(now)]
    db.session.commit()
    done = turns.each("membership", ids, lambda one: end_double(memberships.membership_of(one), now=now))
    return done.count(Outcome.AGREED)


def _give_back(
    membership: Membership, ended_by: str, tag: audit.Tag, now: datetime, *, who: Person | None = None
) -> Outcome:
    """Record the end and every refund in one transaction, then ask for all of them."""
    membership.ended_by, membership.extra_until, membership.doubled_at = ended_by, None, None
    if ended_by == "withdrawn":
        membership.withdrawn_at = now
    _record(tag, membership, who=who, by=ended_by, now=now)
    paid = payments.payments_of(membership_id=membership.id)
    second = _needs_second(ended_by, paid)
    keys = [
        key
        for payment in paid
        for key in note_give_back(payment, ended_by, by=who, needs_second=second, now=now)
    ]
    outcome = _end(membership, now)
    told = [asking.send(key, now) for key in keys]
    # it ends all the same: a refund that Stripe will not make stands at the desk
    return Outcome.WAITING if {Outcome.WAITING, Outcome.REFUSED} & set(told) else outcome


def _needs_second(ended_by: str | None, paid: list[payments.Payment]) -> bool:
    """Whoever withdraws has a right to their money; what was one membership too many is a refund like any other."""
    settings = account.here().settings
    return ended_by == "double" and payments.all_needs_second(paid, settings=settings)


def note_give_back(
    payment: payments.Payment,
    reason: str,
    *,
    by: Person | None = None,
    needs_second: bool = False,
    now: datetime,
) -> list[str]:
    """Record that all that is left of a payment goes back; the key of the call. Proposals that wait give way.

    `needs_second`: it is only proposed, and nothing is asked of Stripe yet.
    """
    payment = payments.lock_payment(payment.id)  # somebody may be giving back a part of it
    if payment.status is not PaymentStatus.SUCCEEDED:
        return []
    for refund in payments.refunds_of(payment):
        if refund.status is RefundStatus.PROPOSED:
            payments.withdraw_refund(refund, by=None, now=now)
    left = payment.amount - payments.refunded(payment)
    if not left.minor:
        return []
    asked = payments.ask_refund(payment, left, reason=reason, by=by, needs_second=needs_second, now=now)
    return [] if needs_second else [asking.note_refund(asked, now=now)]


def note_unwanted(
    membership: Membership, payment: payments.Payment, *, ended_at: datetime | None, now: datetime
) -> None:
    """Money came in for what was given back or has ended: record that it goes back, and that nothing more is taken."""
    reason = memberships.why_unwanted(membership, payment, ended_at=ended_at)
    if reason is None or payment.status is PaymentStatus.FAILED:
        return
    second = _needs_second(reason, payments.payments_of(membership_id=membership.id))
    note_give_back(payment, reason, needs_second=second, now=now)
    if not memberships.is_waived(membership, now):
        note_let_go(membership, now=now)


def note_let_go(subject: Donation | Membership, *, now: datetime) -> None:
    """Record that the subscription behind it ends: its first payment failed, or nobody wants it any more."""
    if subject.stripe_subscription_id is not None:
        calls.record_cancel(subject.stripe_subscription_id, now=now)


def note_unpayable(invoice_id: str, *, now: datetime) -> str:
    """Record that an invoice is void: its membership ends or has ended, and nobody pays for nothing. The call's key."""
    key = calls.fresh_key(f"void:{invoice_id}")
    return calls.record(key, "invoices.void", {"id": invoice_id}, now=now).idem_key


def _begin(membership: Membership) -> Membership:
    """A fresh transaction that writes, and the membership locked in it."""
    membership_id = membership.id
    db.session.commit()
    return memberships.lock_membership(membership_id)


def is_closing(membership: Membership) -> bool:
    """Whether it was asked to end at once, and goes on only until Stripe's answer is seen."""
    is_asked = calls.is_asked(f"cancel:{membership.stripe_subscription_id}")
    return membership.is_live and (memberships.is_given_back(membership) or is_asked)


def is_returning(membership: Membership) -> bool:
    """Whether its member has come back and Stripe has yet to answer: until then it has an end."""
    has_end = membership.ends_at is not None and membership.ended_by is None
    return has_end and calls.is_asked(f"ends:{membership.stripe_subscription_id}")


def _end(membership: Membership, now: datetime, *, unseen: str | None = None) -> Outcome:
    """End it at once: at Stripe where it is paid there, here where it was given."""
    if membership.stripe_subscription_id is None:
        membership.ends_at = now
        memberships.lapse(membership, settings=account.here().settings, now=now)
        db.session.commit()
        return Outcome.AGREED
    for family in ("ends", "pause", "card", "change"):
        calls.supersede(f"{family}:{membership.stripe_subscription_id}")
    bills = {membership.late_invoice_id}
    memberships.let_go(membership, unseen)
    bills.add(membership.late_invoice_id)
    voids = [_note_unasked(bill, now) for bill in sorted(filter(None, bills))]
    call = calls.record_cancel(membership.stripe_subscription_id, now=now)
    outcome = asking.send(call.idem_key, now)
    for void in voids if outcome is Outcome.AGREED else ():
        asking.send(void, now)  # one that was paid just now is refused, and its money goes back
    return outcome


def _note_unasked(invoice_id: str, now: datetime) -> str:
    """Record that nobody is asked to pay this invoice any more, be it with a new card. The call's key."""
    calls.supersede(f"pay:{invoice_id}")
    return note_unpayable(invoice_id, now=now)


def _update(
    membership: Membership, family: str, wish: dict[str, Any], now: datetime, *, left_by: str | None = None
) -> Outcome:
    """Ask for a change of the subscription; a newer wish of the family replaces older ones.

    `left_by`: who has left, should Stripe not let it go on; the key remembers it.
    """
    if membership.stripe_subscription_id is None:
        raise Conflict(N_("This membership is not paid through Stripe: staff can change it."))
    before = f"{left_by}:" if left_by else ""
    key = f"{family}:{membership.stripe_subscription_id}:{before}{secrets.token_hex(8)}"
    params = {"id": membership.stripe_subscription_id, **wish}
    return asking.send(calls.wish(key, "subscriptions.update", params, now=now).idem_key, now)


def _record(
    tag: audit.Tag,
    membership: Membership,
    *,
    now: datetime,
    who: Person | None = None,
    by: str = "member",
    reason: str = "",
) -> None:
    audit.record(
        tag,
        subject_type="membership",
        subject_id=membership.reference,
        by=who,
        reason=reason,
        details={"by": by},
        now=now,
    )


def _months_later(moment: datetime, months: int) -> datetime:
    """The same day so many months later, or the month's last."""
    year, month = divmod(moment.month - 1 + months, 12)
    year, month = moment.year + year, month + 1
    return moment.replace(year=year, month=month, day=min(moment.day, monthrange(year, month)[1]))
