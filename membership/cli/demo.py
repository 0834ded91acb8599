"""`flask demo`: everything on this machine, with a pretend Stripe and sample data; no accounts, no keys, no Docker.

Three processes in the foreground (web server, pretend Stripe, worker), on loopback only. Ctrl-C stops them; what was
done stays in the instance folder and is there again at the next start.
"""

import os
import socket
import sys
import time
from collections.abc import Callable, Mapping
from http.client import HTTPException
from urllib.request import urlopen

import click
from flask import current_app
from flask.cli import with_appcontext

from membership.cli import demo_files
from membership.cli.supervisor import Child, Supervisor, TooManyDeaths
from membership.config import ROOT, environment

HOST = "127.0.0.1"
LATE = 30  # seconds after which a start that is not ready says so


@click.command("demo")
@click.option(
    "--port", type=click.IntRange(1, 65534), envvar="PORT", default=demo_files.PORT, show_default=True
)
@with_appcontext
def demo(port: int) -> None:
    """Start the web server, the pretend Stripe (PORT + 1) and the worker with sample data."""
    if current_app.config["SETTINGS"].is_live:
        raise click.ClickException("This is a production installation: nothing was touched.")
    for taken in (port, port + 1):
        if not _is_free(taken):
            raise click.ClickException(
                f"Port {taken} is in use: stop what uses it, or choose another with PORT=9000."
            )
    instance = demo_files.instance_of(os.environ)
    settings = {"INSTANCE_PATH": str(instance), **demo_files.settings(instance, port)}
    _begin_again_unless_ours(settings, port)
    demo_files.about(instance, settings)
    try:
        Supervisor(_children(port, settings)).run(_announcer(port), meanwhile=demo_files.database)
    except TooManyDeaths as error:
        raise click.ClickException(f"{error} Everything is stopped.") from None


def _begin_again_unless_ours(settings: Mapping[str, str], port: int) -> None:
    """This process prepares the demo's database: where a .env or the environment names another one, it begins again."""
    merged = environment(os.environ)
    if any(merged.get(name) != value for name, value in settings.items() if name != "INSTANCE_PATH"):
        os.chdir(ROOT)
        command = [sys.executable, "-m", "flask", "demo", "--port", str(port)]
        os.execve(sys.executable, command, _environment(settings))  # noqa: S606 - our own command


def _environment(settings: Mapping[str, str]) -> dict[str, str]:
    return {**os.environ, **settings, "FLASK_APP": "wsgi.py", "PYTHONUNBUFFERED": "1"}


def _is_free(port: int) -> bool:
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((HOST, port))
        except OSError:
            return False
    return True


def _children(port: int, settings: Mapping[str, str]) -> list[Child]:
    """The three processes. Their settings come from here alone, whatever a .env says."""
    flask = (sys.executable, "-m", "flask")
    granian = ("-m", "granian", "--interface", "wsgi", "--host", HOST, "--port", str(port), "--workers", "1")
    quiet = ("--blocking-threads", "32", "--no-ws", "--log-level", "error", "--no-access-log")
    commands = {
        "web server": (sys.executable, *granian, *quiet, "wsgi:app"),
        "pretend Stripe": (*flask, "sandbox", "--port", str(port + 1)),
        "worker": (*flask, "work"),
    }
    return [Child(name, command, _environment(settings), str(ROOT)) for name, command in commands.items()]


def _announcer(port: int) -> Callable[[], None]:
    """Asks both servers until they answer, then says so once."""
    waiting = [f"http://{HOST}:{port}/readyz", f"http://{HOST}:{port + 1}/healthz"]
    begun, said_late = time.monotonic(), False

    def ask() -> None:
        nonlocal said_late
        if not waiting:
            return
        if _answers(waiting[0]):
            waiting.pop(0)
            if not waiting:
                _say_ready(port)
        elif not said_late and time.monotonic() - begun > LATE:
            said_late = True
            click.echo(f"Still waiting for {waiting[0]}", err=True)

    return ask


def _answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=1) as answer:  # noqa: S310 - our own loopback address
            return bool(answer.status == 200)
    except (OSError, HTTPException):  # URLError is an OSError
        return False


def _say_ready(port: int) -> None:
    site = f"http://{HOST}:{port}"
    click.echo(f"""
  The site         {site}/
  Give             {site}/give
  Join             {site}/join
  An article       {site}/demo/article
  Sign in          {site}/sign-in   (the mail arrives below)
  Mails sent       {site}/demo/mailbox
  The desk         {site}/staff/   (admin@highland-dispatch.example; then the code of: flask staff code)
  Pretend Stripe   http://localhost:{port + 1}/   (card 4242 4242 4242 4242, any later date, any code)

  Ctrl-C stops everything and keeps the data; make demo-reset forgets it.
""")
    click.echo(f"Ready: {site}")
    sys.stdout.flush()
