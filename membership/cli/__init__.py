"""The commands: arguments, one verb, a commit, a line on stdout. `flask --help` lists them."""

import click
from flask import Flask

from membership.cli.backup import backup
from membership.cli.bounces import bounces
from membership.cli.database import db
from membership.cli.demo import demo
from membership.cli.gifts import gifts
from membership.cli.keys import keys
from membership.cli.newsroom import newsroom
from membership.cli.sandbox import sandbox
from membership.cli.staff import staff
from membership.cli.stripe_setup import stripe_setup
from membership.cli.treasury import ledger
from membership.cli.work import work
from membership.config import SettingsError

COMMANDS = (backup, bounces, db, demo, gifts, keys, ledger, newsroom, sandbox, staff, stripe_setup, work)


def register(app: Flask) -> None:
    """Give the app its commands."""
    for command in COMMANDS:
        app.cli.add_command(command)


def register_without_settings(app: Flask, gaps: SettingsError) -> None:
    """New keys can be made without settings. Every other command says all that is missing, whatever it is given."""
    for command in COMMANDS:
        app.cli.add_command(command if command is keys else _waiting(command, str(gaps)))


def _waiting(command: click.Command, gaps: str) -> click.Command:
    def refuse() -> None:
        raise click.ClickException(gaps)

    anything = {"ignore_unknown_options": True, "allow_extra_args": True}
    return click.Command(command.name, help=command.help, callback=refuse, context_settings=anything)
