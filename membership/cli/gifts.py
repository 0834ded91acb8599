"""`flask gifts`: what waits for staff, and what must stop at once. It names nobody: gifts are known by reference."""

import click
from flask import current_app

from membership import clock
from membership.billing import checkout
from membership.billing.checkout import Outcome
from membership.cli.command import Group
from membership.cli.newsroom_file import shapes
from membership.config import Settings
from membership.db import db, writing
from membership.domain import audit, donations, payments
from membership.domain.donations import Donation, Review
from membership.domain.payments import PaymentStatus, Refund
from membership.money import format as format_money

ANY_REFERENCE = {"ignore_unknown_options": True}  # a random reference may begin with a hyphen

gifts = Group("gifts", help="Gifts that wait for a decision, refunds, gifts of a country.")


@gifts.command("held")
def held() -> None:
    """List the gifts that are held for review, oldest first."""
    waiting = donations.held_ones()
    for donation in waiting:
        amount = format_money(donation.charged, _settings().locales[0])
        card, said = donation.card_country or "?", donation.country or "?"
        day = clock.day(donation.settled_at) if donation.settled_at else "?"
        click.echo(
            f"{donation.reference}  {amount}  {donation.interval}  paid {day}  card {card}  declared {said}"
        )
    if not waiting:
        click.echo("No gift is held.")


@gifts.command("accept", context_settings=ANY_REFERENCE)
@click.argument("reference")
def accept(reference: str) -> None:
    """Accept a held gift: its money reaches the shares."""
    with writing():
        donations.accept(donations.get_donation(reference))
        db.session.commit()
    click.echo(f"{reference} is accepted.")


@gifts.command("refund", context_settings=ANY_REFERENCE)
@click.argument("reference")
@click.option("--all", "every", is_flag=True, help="Every payment of a gift that repeats.")
def refund(reference: str, *, every: bool) -> None:
    """Give a gift back. A held one is refused by this, and ends if it repeats."""
    with writing():
        donation = donations.get_donation(reference)
        was_held = donation.review is Review.HELD
        asked = donations.refuse(donation) if was_held else _remains(donation, every=every)
        for one in asked:  # noted with the decision: a crash after this forgets nothing
            checkout.note_refund(one, now=clock.now())
        if was_held and donation.is_recurring:
            checkout.note_stop(donation, by="staff", now=clock.now())
        db.session.commit()
    outcomes = [checkout.refund(one) for one in asked]
    if was_held and donation.is_recurring:
        checkout.stop(donation, by="staff")
    click.echo(_said(reference, outcomes))
    if Outcome.REFUSED in outcomes:
        raise SystemExit(1)


def _said(reference: str, outcomes: list[Outcome]) -> str:
    if not outcomes:
        return f"{reference} has nothing left to refund."
    if Outcome.REFUSED in outcomes:
        return f"{reference}: Stripe will not refund this payment (disputed, or refunded there already)."
    if Outcome.WAITING in outcomes:
        return f"{reference}: Stripe has not answered yet. The request is noted and the worker asks again."
    return f"{reference} is being refunded: Stripe has agreed."


def _country(_context: click.Context, _option: click.Parameter, said: str) -> str:
    """A slip of the pen must not look like a country from where nobody gives."""
    try:
        return shapes.country(said.upper())
    except shapes.Wrong as wrong:
        raise click.BadParameter(str(wrong)) from None


@gifts.command("stop")
@click.option(
    "--country",
    required=True,
    metavar="XX",
    callback=_country,
    help="Two letters, as declared or as the card says.",
)
def stop(country: str) -> None:
    """Stop every running gift of a country, with a mail to each donor."""
    running = [donation.id for donation in donations.running_from(country)]
    db.session.commit()
    agreed = [checkout.stop(donations.gift_of(one), by="country") for one in running].count(Outcome.AGREED)
    with writing():
        audit.record(
            audit.Tag.DONATIONS_STOPPED,
            subject_type="country",
            subject_id=country,
            details={"running": len(running), "stopped": agreed},
        )
        db.session.commit()
    click.echo(f"{country}: {len(running)} running, {agreed} stopped.")
    if agreed < len(running):
        click.echo("The others are noted; the worker asks Stripe again until they have stopped.", err=True)


def _remains(donation: Donation, *, every: bool) -> list[Refund]:
    """Ask back what is left of a gift's payments; several only when that was said."""
    left = [
        (payment, payment.amount - payments.refunded(payment))
        for payment in payments.payments_of(donation.id)
        if payment.status is PaymentStatus.SUCCEEDED
    ]
    left = [(payment, amount) for payment, amount in left if amount.minor > 0]
    if len(left) > 1 and not every:
        raise click.UsageError(f"This gift has {len(left)} payments: say --all to refund every one.")
    if left:
        audit.record(audit.Tag.DONATION_REFUNDED, subject_type="donation", subject_id=donation.reference)
    return [payments.ask_refund(payment, amount, reason="staff") for payment, amount in left]


def _settings() -> Settings:
    settings: Settings = current_app.config["SETTINGS"]
    return settings
