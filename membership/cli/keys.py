"""`flask keys`: secrets for a new deployment. It needs no settings at all."""

import secrets

import click

from membership import vault
from membership.cli.command import Group

keys = Group("keys", help="Secrets of a deployment.")


@keys.command("new", with_appcontext=False)
def new() -> None:
    """Print fresh secrets for .env. Nothing is stored: keep them safe, what they sealed opens with nothing else."""
    fresh = {
        "SECRET_KEY": secrets.token_urlsafe(48),
        **vault.new_keys(),
        "METRICS_TOKEN": secrets.token_urlsafe(24),
    }
    for name, value in fresh.items():
        click.echo(f"{name}={value}")
