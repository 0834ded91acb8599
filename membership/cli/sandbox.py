"""`flask sandbox`: the pretend Stripe alone, for the demo and for tests. Never with a live key, never off loopback."""

import click
from flask import current_app
from flask.cli import with_appcontext

from membership.cli.command import Command
from membership.config import Settings

HOST = "127.0.0.1"


@click.command("sandbox", cls=Command)
@click.option("--port", type=click.IntRange(1, 65535), required=True, help="Where it listens, on loopback.")
@with_appcontext
def sandbox(port: int) -> None:
    """Run the pretend Stripe; it keeps what happened in instance/sandbox.sqlite."""
    from membership.sandbox import Sandbox
    from membership.sandbox.serve import serve

    settings: Settings = current_app.config["SETTINGS"]
    if settings.is_live:
        raise click.ClickException("The pretend Stripe runs in demo and tests only.")
    if not settings.stripe_webhook_secrets:
        raise click.ClickException("STRIPE_WEBHOOK_SECRET is missing: the pretend Stripe signs with it.")
    settings.instance_path.mkdir(mode=0o700, parents=True, exist_ok=True)
    pretend = Sandbox(
        str(settings.instance_path / "sandbox.sqlite"),
        public_url=f"http://localhost:{port}",
        webhook_url=f"{settings.base_url}/hooks/stripe",
        webhook_secret=settings.stripe_webhook_secrets[0],
        api_key=settings.stripe_secret_key,
        background=True,
    )
    serve(HOST, port, pretend)
