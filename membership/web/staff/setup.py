"""Setting up: a list that ticks itself, each line with what to do next. Looking changes nothing and asks nobody; DNS is
asked when somebody presses the button.
"""

from dataclasses import dataclass
from datetime import timedelta
from email.utils import parseaddr

from flask import Response, current_app, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from membership import clock
from membership.billing import setup as stripe
from membership.config import Settings
from membership.db import db
from membership.domain import audit
from membership.domain.reports import ready as progress
from membership.domain.reports.ready import Ready
from membership.domain.roles import Ability
from membership.mail import names
from membership.mail.names import Answer
from membership.web import attempts, sheets
from membership.web.forms.fields import refuse
from membership.web.forms.setup import DomainForm
from membership.web.staff import access, bp
from membership.web.staff.access import allowed

BACKUP_LASTS = timedelta(days=31)


@dataclass(frozen=True, slots=True)
class Step:
    """One line: what it is, whether it is done, what to do next, and the command that does it."""

    title: str
    is_done: bool
    words: str
    command: str = ""


@bp.get("/staff/setup")
@allowed(Ability.SETUP)
def setup() -> Response:
    """What is done and what is not."""
    return _page(DomainForm())


@bp.post("/staff/setup")
@allowed(Ability.SETUP)
def ask_names() -> ResponseReturnValue:
    """Ask DNS about the domain we write from, and keep what it said in the log."""
    form = DomainForm(request.form)
    if not attempts.is_pressed():
        return _page(form, 422, says="again")
    selector = form.name()
    if selector is None:
        refuse(
            form.selector,
            gettext("A selector is a short name such as mail or s1: your mail provider tells it."),
        )
        return _page(form, 422)
    db.session.rollback()  # nothing is open while others are asked
    found = names.look_up(_domain(), selector)
    details = {"selector": selector, "spf": found.spf, "dkim": found.dkim, "dmarc": found.dmarc}
    audit.record(
        audit.Tag.DOMAIN_CHECKED,
        subject_type="domain",
        subject_id=_domain(),
        by=access.person(),
        details=details,
        now=clock.now(),
    )
    db.session.commit()
    return redirect(url_for("staff.setup"), 303)


def _settings() -> Settings:
    settings: Settings = current_app.config["SETTINGS"]
    return settings


def _domain() -> str:
    return parseaddr(_settings().mail_from)[1].rpartition("@")[2][:100]


def _page(form: DomainForm, status: int = 200, says: str = "") -> Response:
    found = progress.ready(_domain())
    return sheets.page(
        "staff/setup.html",
        status,
        steps=[*_stripe(found), *_written(found), *_people(found), *_safety(found)],
        domain=_domain(),
        said=found.domain,
        is_domain_done=_is_domain_done(found),
        form=form,
        says=says,
    )


def _is_domain_done(found: Ready) -> bool:
    told = found.domain.details if found.domain else {}
    return all(told.get(name) == Answer.FOUND for name in ("spf", "dkim", "dmarc"))


def _stripe(found: Ready) -> list[Step]:
    return [
        Step(
            gettext("Keys and settings"),
            _settings().is_live,
            gettext(
                "Make secrets of your own, put them into .env with MODE=production, and keep a copy elsewhere."
            ),
            "flask keys new",
        ),
        Step(
            gettext("The Stripe account"),
            stripe.is_prepared(),
            gettext(
                "Products, the portal and the webhook endpoint are made by one command; it may be repeated."
            ),
            "flask stripe-setup",
        ),
        Step(
            gettext("Stripe reaches us"),
            stripe.is_hook_seen(),
            gettext(
                "No event has arrived by the webhook yet: put its secret into .env, restart, make a test gift."
            ),
        ),
        Step(
            gettext("A test gift"),
            found.gift,
            gettext("Give the smallest amount yourself, look at the receipt, then give it back at the desk."),
        ),
        Step(
            gettext("A test membership"),
            found.member,
            gettext("Join with an address of your own, open a perk, then leave."),
        ),
    ]


def _written(found: Ready) -> list[Step]:
    """What stands in the newsroom's file."""
    return [
        Step(
            gettext("Legal pages"),
            not found.pages,
            gettext(
                "Still empty: %(pages)s. Write them in the newsroom's file and load it again.",
                pages=", ".join(found.pages),
            ),
            "flask newsroom load FILE.toml",
        ),
        Step(
            gettext("Codes of perks"),
            not found.codes,
            gettext(
                "Used up: %(perks)s. Add some to the newsroom's file and load it again.",
                perks=", ".join(found.codes),
            ),
            "flask newsroom load FILE.toml",
        ),
    ]


def _people(found: Ready) -> list[Step]:
    return [
        Step(
            gettext("A second admin"),
            found.admins >= 2,
            gettext(
                "With one admin alone, a lost telephone closes the desk: name another one, who sets up a second factor."
            ),
            "flask staff add EMAIL --role admin",
        ),
        Step(
            gettext("Mail goes out"),
            found.mail,
            gettext("No mail has left yet: check MAIL_URL, and that flask work runs; then sign in once."),
        ),
        Step(
            gettext("Mail that comes back"),
            _settings().bounce_mailbox is not None,
            gettext(
                "Set BOUNCE_MAILBOX to the mailbox of MAIL_FROM, so that nobody writes to addresses that are no more."
            ),
        ),
    ]


def _safety(found: Ready) -> list[Step]:
    is_fresh = found.backup is not None and clock.now() - found.backup < BACKUP_LASTS
    words = gettext(
        "No copy was restored and checked within a month. Make one every night, check one every month."
    )
    return [Step(gettext("A checked copy"), is_fresh, words, "flask backup make && flask backup verify FILE")]
