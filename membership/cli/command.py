"""How our commands behave: a refusal is a sentence on stderr and exit code 1, never a traceback."""

from typing import Any

import click
from flask.cli import AppGroup
from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError, SQLAlchemyError

from membership.cli.newsroom_file import NewsroomFileError
from membership.config import SettingsError
from membership.db import SchemaBehind, check_schema, db
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
        except (OperationalError, ProgrammingError) as error:
            said = _of_the_database(error)
            if said is None:
                raise
            raise click.ClickException(said) from None


def _of_the_database(error: OperationalError | ProgrammingError) -> str | None:
    """What to say when the tables are older than this code, or the database does not answer; None for a fault of ours."""
    try:
        db.session.rollback()
        check_schema()
    except SchemaBehind as behind:
        return str(behind)
    except SQLAlchemyError:
        return no_answer(error)
    return (
        None if isinstance(error, ProgrammingError) else f"The database did not do it: {_first_line(error)}"
    )


def no_answer(error: DBAPIError) -> str:
    """What to say when no connection could be made."""
    return f"The database does not answer: is DATABASE_URL right? {_first_line(error)}"


def _first_line(error: DBAPIError) -> str:
    """What the database said first; further lines may tell of rows."""
    return next(iter(str(error.orig).splitlines()), "")


class Group(AppGroup):
    """Commands of one subject, each with the app at hand."""

    command_class = Command
