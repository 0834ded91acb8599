"""What Stripe reported and what went wrong between Stripe, us and the mail: looked at, and tried again."""

from flask import Response, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from membership import clock
from membership.billing import events as inbox
from membership.db import db
from membership.domain import audit, outbox
from membership.domain.roles import Ability
from membership.errors import DomainError
from membership.web import attempts, sheets, view
from membership.web.staff import access, bp, frame
from membership.web.staff.access import allowed

MOST = 100


@bp.get("/staff/events")
@allowed(Ability.SEE_EVENTS)
def events() -> Response:
    """What is stuck, and the last events."""
    return _page()


def _page(status: int = 200, *, says: str = "") -> Response:
    now = clock.now()
    mails = outbox.dead_ones()
    return sheets.page(
        "staff/events.html",
        status,
        dead=inbox.dead_objects(),
        late=inbox.late_objects(),
        open_calls=inbox.open_calls(now=now),
        stale_calls=inbox.stale_calls(),
        mails=mails[:MOST],
        latest=inbox.last_events(),
        says=says,
    )


@bp.post("/staff/events")
@allowed(Ability.EVENTS)
def again() -> ResponseReturnValue:
    """Try one thing again: follow an object anew, or queue a mail again; or note that a call was seen to."""
    if not attempts.is_pressed():
        return _page(422, says="again")
    try:
        words = _do(request.form.get("what", ""), request.form)
    except DomainError as refusal:
        db.session.rollback()
        return _page(409, says=view.sentence(refusal))
    db.session.commit()
    frame.tell(words)
    return redirect(url_for("staff.events"), 303)


def _do(what: str, said: dict[str, str]) -> str:
    now, by = clock.now(), access.person()
    if what == "object":
        kind, _, number = said.get("object", "").partition(" ")
        inbox.replay(kind, number, by=by, now=now)
        return gettext("It is looked at again; that usually takes a few seconds.")
    if what == "call":
        inbox.settle(said.get("call", ""), by=by, reason=said.get("reason", ""), now=now)
        return gettext("Noted: somebody has seen to this request.")
    email = outbox.requeue(said.get("mail", ""), now=now)
    audit.record(
        audit.Tag.EMAIL_REQUEUED,
        subject_type="email",
        subject_id=email.dedupe_key[:100],
        by=by,
        details={"template": email.template},
        now=now,
    )
    return gettext("The mail is queued again.")
