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
    """`gift-failed`: a payment did not go through; `tries_again` where Stripe will try once more."""

    name: str | None
    amount: Amount
    interval: Interval
    give_url: str
    fundraiser_title: str
    tries_again: NotRequired[bool]
    leave_url: NotRequired[str | None]


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


class LeaveConfirmation(TypedDict):
    """`leave-confirmation`: the ways out that somebody asked for with this address."""

    links: list[LeaveLink]


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


CONTEXTS: dict[str, type] = {
    "donation-receipt": DonationReceipt,
    "gift-renews-soon": GiftRenewsSoon,
    "gift-failed": GiftFailed,
    "gift-stopped": GiftStopped,
    "leave-confirmation": LeaveConfirmation,
    "transfer-announced": TransferAnnounced,
    "transfer-announced-staff": TransferAnnouncedStaff,
}
