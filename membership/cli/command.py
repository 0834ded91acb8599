"""How our commands behave: a refusal is a sentence on stderr and exit code 1, never a traceback."""

from typing import Any

import click
from flask.cli import AppGroup

from membership.cli.newsroom_file import NewsroomFileError
from membership.config import SettingsError
from membership.errors import DomainError

REFUSALS = (DomainError, NewsroomFileError, SettingsError)


class Command(click.Command):
    """A command that says refusals as sentences."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run it; what the rules refuse becomes click's own error."""
        try:
            return super().invoke(ctx)
        except REFUSALS as refusal:
            raise click.ClickException(str(refusal)) from None


class Group(AppGroup):
    """Commands of one subject, each with the app at hand."""

    command_class = Command
