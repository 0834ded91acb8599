"""What each mail is told: the `context` that `outbox.queue(template=..., context=...)` carries.

All of it is JSON. Amounts are {"minor", "currency"} and days are ISO dates: they are written out in the reader's
language when the mail is rendered. Every mail knows the newsroom's name and the address of its contact page without
being told; what else a context carries is left aside. A name is as its owner typed it, None where there is none.
"""

from typing import Literal, NotRequired, TypedDict

Interval = Literal["once", "month", "year"]


class Amount(TypedDict):
    """A sum in minor units."""

    minor: int
    currency: str


class DonationReceipt(TypedDict):
    """`donation-receipt`: a payment was made. `host` received it; `newsroom` runs the site."""

    name: str | None
    paid_by: str | None
    """The name on the payment, where it differs from the one typed with the gift."""
    amount: Amount
    charged: Amount
    covers_fee: bool
    interval: Interval
    fundraiser_title: str
    fundraiser_url: str
    newsroom: str
    host: str
    reference: str
    paid_on: str
    statement: str
    """What the bank statement will usually show."""
    leave_url: str | None
    """None for a single gift."""
    next_on: str | None
    tax_note: bool
    """Whether it says that it is not a tax receipt."""


class GiftRenewsSoon(TypedDict):
    """`gift-renews-soon`: a yearly gift renews in two weeks."""

    name: str | None
    amount: Amount
    renews_on: str
    leave_url: str
    fundraiser_title: str


class GiftFailed(TypedDict):
    """`gift-failed`: a recurring gift has ended because its payments failed; it can be started again."""

    name: str | None
    amount: Amount
    interval: Interval
    give_url: str
    fundraiser_title: str


class GiftStopped(TypedDict):
    """`gift-stopped`: nothing more is charged. Whoever was stopped for a country's laws is not asked again."""

    name: str | None
    amount: Amount
    interval: Interval
    stopped_on: str
    reason: Literal["donor", "country", "closed", "failed", "staff"]
    give_url: str | None
    fundraiser_title: NotRequired[str]


class LeaveLink(TypedDict):
    """One running gift, and the address that stops it."""

    url: str
    amount: Amount
    interval: Interval
    fundraiser_title: str


class LeaveMembership(TypedDict):
    """One running membership, and the address that ends it."""

    url: str
    plan: str
    amount: Amount | None
    interval: Interval | None
    ends_on: str | None
    """Where it is to end already."""


class LeaveConfirmation(TypedDict):
    """`leave-confirmation`: the ways out that somebody asked for with this address."""

    links: list[LeaveLink]
    memberships: NotRequired[list[LeaveMembership]]


class Account(TypedDict):
    """The host's bank account, as published."""

    holder: str
    iban: str
    bic: str
    bank: str


class TransferAnnounced(TypedDict):
    """`transfer-announced`: what to write on the transfer, to the one who announced it."""

    name: str | None
    amount: Amount
    reference: str
    account: Account
    fundraiser_title: str


class TransferAnnouncedStaff(TypedDict):
    """`transfer-announced-staff`: to the staff's address; it names nobody."""

    amount: Amount
    reference: str
    fundraiser_title: str


# --- members ---


class SignIn(TypedDict):
    """`sign-in`: a link and a code, each good once."""

    link: str
    code: str
    minutes: int
    is_staff: bool


class MembershipWelcome(TypedDict):
    """`membership-welcome`: it has begun. Where nothing is charged there is no interval, amount or way out."""

    name: str | None
    plan: str
    inside: list[str]
    """What the perks are called."""
    account_url: str
    withdraw_url: str | None
    withdraw_until: str | None
    leave_url: str | None
    interval: Interval | None
    next_on: str | None
    amount: Amount | None
    ends_on: str | None
    """Where it ends by itself."""


class MembershipReceipt(TypedDict):
    """`membership-receipt`, and `payment-recovered`: the receipt that says all is in order again."""

    name: str | None
    plan: str
    amount: Amount
    interval: Interval | None
    """None where it is not known for an old payment."""
    reference: str
    paid_on: str
    covers_until: str | None
    next_on: str | None
    host: str
    statement: str
    account_url: str
    leave_url: str | None
    tax_note: bool
    recovered: NotRequired[bool]


class PaymentFailed(TypedDict):
    """`payment-failed`: an invoice was not paid; where it was the first (`begin`), the membership has not begun.

    `pay_url` is Stripe's own page for this one invoice.
    """

    name: str | None
    plan: str
    amount: Amount
    attempt: int
    which: Literal["first", "again", "last", "begin"]
    tries_again_on: str | None
    perks_until: str | None
    fix_url: str
    pay_url: str | None
    leave_url: str | None


class MembershipEnded(TypedDict):
    """`membership-ended`: nothing more is charged; `refunded` is what was given back with it, `waits` what will be once
    a second person has looked at it.
    """

    name: str | None
    plan: str
    ended_on: str
    reason: Literal["member", "withdrawn", "failed", "double", "replaced", "staff", "over"]
    join_url: str | None
    refunded: Amount | None
    waits: NotRequired[Amount | None]
    credit: NotRequired[Amount | None]
    """What was left of it from a change to less: it goes back too, with a mail of its own."""


class MembershipLeaving(TypedDict):
    """`membership-leaving`: it ends with the time that is paid for, unless taken back; `credit` goes back then."""

    name: str | None
    plan: str
    ends_on: str
    under_way: NotRequired[Amount | None]
    """A debit that its bank has not answered yet: it pays for the time until then."""
    credit: NotRequired[Amount | None]
    undo_url: str


class MembershipRenewsSoon(TypedDict):
    """`membership-renews-soon`: a yearly membership renews in two weeks."""

    name: str | None
    plan: str
    amount: Amount
    renews_on: str
    leave_url: str
    account_url: str


class RefundNotice(TypedDict):
    """`refund-notice`: money went back (too-late: it came when a membership had ended), could not, or was transferred
    instead. `what` is a fundraiser's title or a plan's name.
    """

    name: str | None
    amount: Amount
    what: str
    status: Literal["sent", "too-late", "failed", "transferred"]
    reference: str
    statement: str


class SomeoneJoined(TypedDict):
    """`someone-joined-with-your-address`: to the owner. `plan` is the second one, `other_plan` the one that was there.

    `gives_way`: that one waits for a payment, and ends instead unless it comes in.
    """

    plan: str
    other_plan: str
    keep_url: str
    cancelled_on: str
    gives_way: NotRequired[bool]


class MembershipKept(TypedDict):
    """`membership-kept`: a second membership stays after all, because the other one has ended or is going to."""

    plan: str
    amount: Amount | None
    interval: Interval | None
    next_on: str | None
    withdraw_url: str | None
    withdraw_until: str | None
    leave_url: str


class WithdrawOne(TypedDict):
    """One membership that can still be withdrawn from, and the address that does."""

    url: str
    plan: str
    amount: Amount | None
    joined_on: str | None
    until: str


class WithdrawLink(TypedDict):
    """`withdraw-link`: what somebody asked for with this address; nothing where none is young enough."""

    links: list[WithdrawOne]


class EmailCorrection(TypedDict):
    """`email-correction`: to the old address, before another one takes its place."""

    masked_new: str
    by_newsroom: bool
    """Whether staff proposed it."""
    ripe_on: str
    cancel_url: str


class EmailCorrected(TypedDict):
    """`email-corrected`: to the new address, once it has taken the old one's place."""

    corrected_on: str
    sign_in_url: str


CONTEXTS: dict[str, type] = {
    "donation-receipt": DonationReceipt,
    "gift-renews-soon": GiftRenewsSoon,
    "gift-failed": GiftFailed,
    "gift-stopped": GiftStopped,
    "leave-confirmation": LeaveConfirmation,
    "transfer-announced": TransferAnnounced,
    "transfer-announced-staff": TransferAnnouncedStaff,
    "sign-in": SignIn,
    "membership-welcome": MembershipWelcome,
    "membership-receipt": MembershipReceipt,
    "payment-recovered": MembershipReceipt,
    "payment-failed": PaymentFailed,
    "membership-ended": MembershipEnded,
    "membership-leaving": MembershipLeaving,
    "membership-renews-soon": MembershipRenewsSoon,
    "refund-notice": RefundNotice,
    "someone-joined-with-your-address": SomeoneJoined,
    "membership-kept": MembershipKept,
    "withdraw-link": WithdrawLink,
    "email-correction": EmailCorrection,
    "email-corrected": EmailCorrected,
}
