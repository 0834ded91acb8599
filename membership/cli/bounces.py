"""`flask bounces`: mail that came back. What is printed are counts, never an address."""

import click
from flask import current_app

from membership.cli.command import Group
from membership.config import mailbox_url
from membership.mail import bounces as returned
from membership.mail.bounces import Told

bounces = Group("bounces", help="Mail that came back.")

SAID = {
    Told.GONE: "addresses take no mail any more: nothing is written to them until they are corrected",
    Told.KNOWN: "were known already",
    Told.WAITING: "have arrived, or may, or the next ones may",
    Told.REFUSED: "were refused for the mail or its sender: look at SPF, DKIM and DMARC on /staff/setup",
    Told.FOREIGN: "are about no mail that we sent to that address",
    Told.MALFORMED: "could not be read",
    Told.LARGE: "are too large to be reports; left unread",
    Told.OTHER: "are other mails; left unread",
}


@bounces.command("read")
@click.argument("mailbox", required=False)
def read(mailbox: str | None) -> None:
    """Read the reports in MAILBOX, else in BOUNCE_MAILBOX: maildir:/path, mbox:/path, imaps://user:password@host/INBOX."""
    try:
        url = mailbox_url(mailbox) if mailbox else current_app.config["SETTINGS"].bounce_mailbox
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if not url:
        raise click.UsageError("Name a mailbox, or set BOUNCE_MAILBOX.")
    told = returned.read(url)
    for kind, words in SAID.items():
        if told[kind]:
            click.echo(f"{told[kind]} {words}.")
    if not told:
        click.echo("Nothing unread.")
