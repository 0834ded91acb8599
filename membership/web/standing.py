"""How a membership stands, as its member reads it: a state in one word, the days that matter, and what may be pressed.

Between a press and Stripe's answer our row may be behind; what the member asked for is what they read.
"""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from membership import clock
from membership.billing import checkout
from membership.domain import memberships, plans
from membership.domain.memberships import Kind, Membership, MembershipStatus
from membership.domain.plans import Perk, PerkWords, Plan, PlanWords
from membership.money import Money
from membership.web import locales, view

STATES = {
    MembershipStatus.PAST_DUE: "late",
    MembershipStatus.PAUSED: "paused",
    MembershipStatus.ENDED: "ended",
}
AT_ONCE = ("withdrawn", "double", "replaced", "failed")


@dataclass(frozen=True)
class Standing:
    """One membership and what its member may do with it."""

    membership: Membership
    now: datetime

    @classmethod
    def of(cls, membership: Membership) -> "Standing":
        """As it stands now."""
        return cls(membership, clock.now())

    @cached_property
    def plan(self) -> Plan:
        """Its plan."""
        return plans.plan_of(self.membership.plan_id)

    @property
    def words(self) -> PlanWords:
        """The plan in the reader's language."""
        return self.plan.words(locales.locale())

    @property
    def reference(self) -> str:
        """Its public id, for buttons and addresses."""
        return self.membership.reference

    @cached_property
    def state(self) -> str:
        """late, paused, ended, closing (withdrawn or cancelled, not yet ended), ending, given or running."""
        held = self.membership
        if not held.is_live:
            return "ended"
        if not self.is_paid:
            return "given"
        if held.withdrawn_at or held.ended_by in AT_ONCE or (held.ended_by and checkout.is_closing(held)):
            return "closing"
        if held.ended_by or (held.ends_at and not self.is_returning):
            return "ending"
        return STATES.get(held.status, "running")

    @cached_property
    def is_returning(self) -> bool:
        """Whether its member has come back, and Stripe has yet to hear of it."""
        return checkout.is_returning(self.membership)

    @property
    def is_paid(self) -> bool:
        """Whether it is paid through Stripe."""
        return self.membership.kind is Kind.PAID

    @cached_property
    def open_until(self) -> datetime | None:
        """Until when its perks are open; None when they are not."""
        until = memberships.open_until(self.membership, grace_days=view.settings().grace_days)
        return until if until is not None and until > self.now else None

    @cached_property
    def under_way(self) -> Money | None:
        """A debit that its bank has not answered yet: it pays for the period that runs, or for a change of it."""
        if not self.is_paid or not self.membership.is_live:
            return None
        found = memberships.under_way(self.membership)
        return found.amount if found is not None else None

    @property
    def ends_at_once(self) -> bool:
        """Whether it does for whoever leaves now: nothing of its time is paid."""
        return self.state == "late" and not checkout.is_paid_ahead(self.membership, self.now)

    @property
    def pays_until(self) -> datetime | None:
        """The end of what is paid, or of what a debit that is under way pays for."""
        held = self.membership
        return (held.next_at if self.under_way else None) or held.paid_until

    @property
    def ends_on(self) -> datetime | None:
        """The day on which it ends, where that is settled; one that is closing ends as soon as Stripe has heard."""
        held = self.membership
        if self.state == "closing" or self.is_returning:
            return None
        return (held.ends_at or self.pays_until) if self.state == "ending" else held.ends_at

    @property
    def open_to_leaver(self) -> datetime | None:
        """Until when everything stays open to whoever has left: the end, or what staff gave beyond it."""
        days = (self.ends_on, self.membership.extra_until) if self.state == "ending" else ()
        return max((day for day in days if day), default=None)

    @property
    def may_change(self) -> bool:
        """Whether plan and amount can be changed."""
        return self.is_paid and self.state == "running"

    @property
    def may_pause(self) -> bool:
        """Whether it can rest for some months."""
        return self.may_change and checkout.may_pause(self.membership)

    @property
    def may_pause_later(self) -> bool:
        """Whether it can rest once a bank has answered."""
        return self.may_change and self.membership.interval == "month" and self.under_way is not None

    @property
    def may_mend(self) -> bool:
        """Whether there is a card to change."""
        return self.is_paid and self.state in ("running", "late", "paused")

    @property
    def may_leave(self) -> bool:
        """Whether it goes on and can be left."""
        return self.is_paid and self.state in ("running", "late", "paused")

    @property
    def may_return(self) -> bool:
        """Whether leaving can be taken back: not where another membership goes on instead."""
        return self.state == "ending" and memberships.find_other(self.membership) is None

    @property
    def withdraw_until(self) -> datetime | None:
        """Until when joining can be undone; None when it cannot."""
        if not memberships.may_withdraw(self.membership, self.now):
            return None
        return memberships.withdraw_until(self.membership)

    @property
    def decided_on(self) -> datetime | None:
        """The day on which a second membership ends and is given back, unless it is kept."""
        doubled_at = self.membership.doubled_at
        if doubled_at is None or not self.membership.is_live:
            return None
        return doubled_at + memberships.KEPT_WITHIN

    @cached_property
    def gives_way(self) -> "Standing | None":
        """The other one, where that ends instead of this second one unless its payment comes in."""
        other = memberships.find_other(self.membership)
        if other is None or not memberships.gives_way(other, self.membership):
            return None
        return Standing(other, self.now)

    @cached_property
    def second(self) -> "Standing | None":
        """A second one that waits to be kept, and stays once this one goes."""
        found = memberships.find_second(self.membership)
        return Standing(found, self.now) if found is not None else None

    @cached_property
    def credit(self) -> Money:
        """What of its credit goes back once it has ended, or has yet to."""
        return memberships.credit_due(self.membership)

    @cached_property
    def credit_returned(self) -> Money:
        """What of its credit went back."""
        return memberships.credit_returned(self.membership)

    @property
    def is_given_back(self) -> bool:
        """Whether everything paid for it goes back."""
        return memberships.is_given_back(self.membership)


@dataclass(frozen=True, slots=True)
class OpenPerk:
    """A perk and what it is called here."""

    perk: Perk
    words: PerkWords


def perks_open_to(person_id: int) -> list[OpenPerk]:
    """What is open to somebody now, each perk once, in order."""
    opening = memberships.plans_open_to(person_id, grace_days=view.settings().grace_days, now=clock.now())
    found = {perk.id: perk for listed in plans.perks_by_plan(opening).values() for perk in listed}
    ordered = sorted(found.values(), key=lambda perk: (perk.position, perk.id))
    return [OpenPerk(perk, perk.words(locales.locale())) for perk in ordered]
