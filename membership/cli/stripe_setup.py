"""`flask stripe-setup`: what the Stripe account needs. Whatever is there already stays; a second run does nothing."""

import click
from flask.cli import with_appcontext

from membership.billing import setup
from membership.billing.gateway import API_VERSION, StripeRefused, StripeUnavailable
from membership.billing.setup import Found, Thing
from membership.cli.command import Command

NAMES = {"product": "Product", "portal": "Portal configuration", "endpoint": "Webhook endpoint"}


@click.command("stripe-setup", cls=Command)
@with_appcontext
def stripe_setup() -> None:
    """Make products, the portal's configuration and the webhook endpoint in the Stripe account; safe to repeat."""
    try:
        things = setup.prepare()
    except StripeUnavailable as error:
        raise click.ClickException(
            f"Stripe did not do it ({error.code or 'no answer'}): is STRIPE_SECRET_KEY right? "
            "Nothing is lost; run this again."
        ) from None
    except StripeRefused as error:
        raise click.ClickException(
            f"Stripe said no ({error.status} {error.code}). What was made before this stays; a webhook endpoint needs "
            "a BASE_URL that can be reached from outside, over https."
        ) from None
    for thing in things:
        click.echo(f"{NAMES[thing.kind]} {thing.id}: {thing.found.value}")
        _say_more(thing)


def _say_more(thing: Thing) -> None:
    if thing.found is Found.ARCHIVED:
        click.echo(
            "  It is archived at Stripe, so nothing can be paid: activate it in the dashboard. Where it is deleted,"
        )
        click.echo("  set another STATEMENT_DESCRIPTOR: its product is another one.")
    if thing.secret:
        click.echo("  Put this into .env, in front of others, separated by a comma; it is shown only now:")
        click.echo(f"  STRIPE_WEBHOOK_SECRET={thing.secret}")
    for old in thing.beside:
        click.echo(
            f"  {old.id} stands beside it in version {old.api_version or 'of the account'}, ours is {API_VERSION}: "
            "restart with both secrets, then disable that one in Stripe's dashboard."
        )
