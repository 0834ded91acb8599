"""`flask db`: migrations, by Flask-Migrate. Alembic is loaded when one of these commands runs, never in a web worker."""

from typing import Any

import click
from flask import current_app, g
from flask.cli import with_appcontext
from sqlalchemy.exc import OperationalError

from membership.cli.command import no_answer
from membership.config import ROOT
from membership.db import db as database

MIGRATIONS = str(ROOT / "migrations")


class Migrations(click.Group):
    """Flask-Migrate's own commands, found when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names."""
        return self._theirs().list_commands(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """One of them, on our tables and our folder."""
        return self._theirs().get_command(ctx, cmd_name)

    def invoke(self, ctx: click.Context) -> Any:
        """Run it; a database that cannot be reached is a sentence, what is wrong with a migration stays a traceback."""
        try:
            return super().invoke(ctx)
        except OperationalError as error:
            if error.statement:
                raise
            raise click.ClickException(no_answer(error)) from None

    def _theirs(self) -> click.Group:
        import flask_migrate.cli  # type: ignore[import-untyped]  # theirs has no types

        group: click.Group = flask_migrate.cli.db
        return group


@click.group("db", cls=Migrations, help="Migrations: flask db upgrade, current, history ...")
@with_appcontext
def db() -> None:
    """Join Flask-Migrate to the app for the command that follows."""
    from flask_migrate import Migrate  # the same

    Migrate(current_app, database, directory=MIGRATIONS)
    g.directory, g.x_arg = MIGRATIONS, []  # what their own group would have set
