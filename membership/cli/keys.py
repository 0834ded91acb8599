"""`flask keys`: secrets for a new deployment."""

import click

from membership import vault
from membership.cli.command import Group

keys = Group("keys", help="Secrets of a deployment.")


@keys.command("new")
def new() -> None:
    """Print fresh secrets for .env. Nothing is stored: keep them safe, what they sealed opens with nothing else."""
    for name, value in vault.new_keys().items():
        click.echo(f"{name}={value}")
