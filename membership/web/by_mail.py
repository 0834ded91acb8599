"""Asking for a link by mail, without signing in: one form for leaving and for withdrawing, one answer whoever asks."""

from dataclasses import dataclass

from flask import Response, redirect, request, url_for
from flask.typing import ResponseReturnValue

from membership import clock
from membership.db import db
from membership.domain import leaving
from membership.domain.leaving import Way
from membership.web import attempts, brakes, locales, sheets
from membership.web.forms.leave import AskForm


@dataclass(frozen=True, slots=True)
class Asking:
    """What is asked for: how often one may is counted by its `way`; the worker mails the link, if there is one."""

    way: Way
    form: str
    sent: str

    def show(self) -> Response:
        """Where shall the link be sent?"""
        if request.args.get("sent"):
            return sheets.page(self.sent)
        key = (self.way, locales.locale(), request.script_root)
        sheet = sheets.shared(key, lambda: sheets.draw(self.form, form=AskForm(), says="", has_errors=False))
        return sheet.response(attempts.tokens(attempts.fresh()))

    def press(self) -> ResponseReturnValue:
        """The same answer after the same work, whether we know the address or not."""
        form = AskForm(request.form)
        if not attempts.is_pressed():
            return self._again(form, 422, says="again")
        if not form.validate():
            return self._again(form, 422)
        if not brakes.may_try(self.way, form.email.data or ""):
            db.session.commit()
            return self._again(form, 429, says="limit")
        leaving.ask(self.way, form.email.data or "", locale=locales.locale(), now=clock.now())
        db.session.commit()
        return redirect(url_for(".ask", sent="yes"), 303)

    def _again(self, form: AskForm, status: int, *, says: str = "") -> Response:
        return sheets.page(self.form, status, form=form, says=says, has_errors=bool(form.errors or says))
