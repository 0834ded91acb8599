"""`flask backup`: a consistent copy, and a copy restored beside and checked. A copy nobody restored is a hope."""

from pathlib import Path

import click
from flask import current_app

from membership import clock
from membership.cli import copies
from membership.cli.command import Group
from membership.config import Settings
from membership.db import db, writing
from membership.domain import audit

backup = Group("backup", help="Copies of the database.")
FOLDER = "backups"


@backup.command("make")
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
def make(file: Path | None) -> None:
    """Copy the database to FILE while everything runs (else into backups/ of the instance), and perks' files beside it."""
    settings = _settings()
    if file is None:
        ending = "sqlite" if settings.database_url.startswith("sqlite") else "dump"
        file = settings.instance_path / FOLDER / f"pressfund-{clock.now():%Y%m%d-%H%M%S}.{ending}"
    for made in copies.make(file, settings):
        click.echo(f"{made} ({made.stat().st_size:,} bytes)")
    click.echo("The keys in .env are not in it: keep them elsewhere. Now check it: flask backup verify FILE")


@backup.command("verify")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def verify(file: Path) -> None:
    """Restore FILE beside, check it, throw that away again; exit code 1 when something is not as it must be."""
    checked = copies.verify(file, _settings())
    for name, rows in checked.rows.items():
        click.echo(f"{name}: {rows}")
    if checked.breaches:
        for breach in checked.breaches:
            click.echo(breach, err=True)
        raise SystemExit(1)
    with writing():
        audit.record(
            audit.Tag.BACKUP_VERIFIED, subject_type="backup", subject_id=file.name[:100], details=checked.rows
        )
        db.session.commit()
    click.echo("The copy can be restored, and its books hold.")


def _settings() -> Settings:
    settings: Settings = current_app.config["SETTINGS"]
    return settings
