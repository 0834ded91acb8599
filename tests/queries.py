"""How often the database is asked: `with counted(app) as said:` lists the statements, for pages that must stay quick."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import Flask
from sqlalchemy import event

from membership.db import db


@contextmanager
def counted(app: Flask) -> Iterator[list[str]]:
    """The statements that are said meanwhile; savepoints are the tests' own."""
    said: list[str] = []

    def hear(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if "SAVEPOINT" not in statement:
            said.append(statement)

    engine = db._app_engines[app][None]
    event.listen(engine, "before_cursor_execute", hear)
    try:
        yield said
    finally:
        event.remove(engine, "before_cursor_execute", hear)
