"""Asking for a link by mail, without signing in: one form for leaving and for withdrawing, one answer whoever asks."""

from collections.abc import Callable
from dataclasses import dataclass

from flask import Response, redirect, request, url_for
from flask.typing import ResponseReturnValue

from membership.db import db
from membership.web import attempts, brakes, locales, sheets, view
from membership.web.forms.leave import AskForm


@dataclass(frozen=True, slots=True)
class Asking:
    """What is asked for: how often one may is counted by `kind`; `deed` mails the link, if there is one."""

    kind: str
    form: str
    sent: str
    deed: Callable[..., None]

    def show(self) -> Response:
        """Where shall the link be sent?"""
        if request.args.get("sent"):
            return sheets.page(self.sent)
        key = (self.kind, locales.locale(), request.script_root)
        sheet = sheets.shared(key, lambda: sheets.draw(self.form, form=AskForm(), says="", has_errors=False))
        return sheet.response(attempts.tokens(attempts.fresh()))

    def press(self) -> ResponseReturnValue:
        """The same answer, whether we know the address or not."""
        form = AskForm(request.form)
        if not attempts.is_pressed():
            return self._again(form, 422, says="again")
        if not form.validate():
            return self._again(form, 422)
        if not brakes.may_try(self.kind, form.email.data or ""):
            db.session.commit()
            return self._again(form, 429, says="limit")
        self.deed(form.email.data or "", locales.locale(), settings=view.settings())
        db.session.commit()
        return redirect(url_for(".ask", sent="yes"), 303)

    def _again(self, form: AskForm, status: int, *, says: str = "") -> Response:
        return sheets.page(self.form, status, form=form, says=says, has_errors=bool(form.errors or says))
