"""`flask staff`: who has a role at the desk. The second factor is set up through a link, handed over by hand."""

import click
import pyotp
from flask import current_app

from membership import clock, vault
from membership.cli import demo_files
from membership.cli.command import Group
from membership.config import Settings
from membership.db import db, writing
from membership.domain import people, roles, signins
from membership.domain.people import Person
from membership.domain.roles import Role
from membership.domain.signins import SessionKind
from membership.errors import N_, NotFound

staff = Group("staff", help="Roles at the desk, and the second factor that opens it.")


@staff.command("add")
@click.argument("email")
@click.option("--role", required=True, type=click.Choice([role.value for role in Role]))
def add(email: str, role: str) -> None:
    """Give a role, or another one; prints the link that sets up the second factor."""
    with writing():
        now = clock.now()
        person = people.register(email, locale=_settings().locales[0], now=now)
        member = roles.grant(person, Role(role), by=None, now=now)
        if member.granted_at == now:
            signins.end_all(person, kind=SessionKind.STAFF, now=now)
        token = None if member.enrolled_at else roles.invite(member, now=now)
        db.session.commit()
    click.echo(f"{vault.mask(email)} is {role} now.")
    _say_link(token)


@staff.command("list")
def list_() -> None:
    """Everybody with a role, oldest first."""
    members = roles.staff()
    for member in members:
        person = people.person_of(member.person_id)
        factor = "second factor set up" if member.enrolled_at else "no second factor yet"
        click.echo(f"{member.role:<10} since {clock.day(member.granted_at)}  {factor}  {_named(person)}")
    if not members:
        click.echo("Nobody has a role yet: flask staff add EMAIL --role admin")


@staff.command("revoke")
@click.argument("email")
def revoke(email: str) -> None:
    """Take the role away; whoever is at the desk with it is out at once."""
    with writing():
        now, person = clock.now(), _known(email)
        roles.revoke(person, by=None, now=now)
        signins.end_all(person, kind=SessionKind.STAFF, now=now)
        db.session.commit()
    click.echo(f"{vault.mask(email)} has no role any more.")


@staff.command("reset")
@click.argument("email")
def reset(email: str) -> None:
    """Forget the second factor (a lost telephone); prints the link that sets up another."""
    with writing():
        now, person = clock.now(), _known(email)
        token = roles.reset(person, by=None, now=now)
        signins.end_all(person, kind=SessionKind.STAFF, now=now)
        db.session.commit()
    click.echo(f"The second factor of {vault.mask(email)} is forgotten.")
    _say_link(token)


@staff.command("code")
@click.argument("email", default="admin@highland-dispatch.example")
def code(email: str) -> None:
    """Demo only: what the authenticator app of a member of the sample staff would show now."""
    sample = demo_files.sample_staff(_settings().instance_path) if _settings().mode == "demo" else []
    secret = next((one["totp_secret"] for one in sample if one["email"] == email), None)
    if secret is None:
        raise click.ClickException("Only the demo knows the codes of its sample staff.")
    click.echo(pyotp.TOTP(secret).at(clock.outside()))


def _say_link(token: str | None) -> None:
    if token is None:
        click.echo("The second factor stays as it is; flask staff reset EMAIL gives a link for another.")
        return
    days = roles.ENROL_WITHIN.days
    click.echo(f"The second factor is set up here, signed in with that address, within {days} days:")
    click.echo(_settings().link(f"/staff/enrol/{token}", _settings().locales[0]))


def _known(email: str) -> Person:
    person = people.find_by_email(email)
    if person is None:
        raise NotFound(N_("Nobody here has this address."))
    return person


def _named(person: Person) -> str:
    """The address in short, where this server can open it; else the reference."""
    try:
        return vault.mask(vault.open_sealed(person.sealed_identity or b"")["email"])
    except (vault.NoPrivateKey, vault.WrongKey):
        return person.reference


def _settings() -> Settings:
    settings: Settings = current_app.config["SETTINGS"]
    return settings
