"""Error pages. None of them asks the database anything; the last one does not even need templates."""

from flask import Flask, Response, current_app, has_request_context, render_template
from flask.globals import request_ctx
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from markupsafe import escape
from werkzeug.exceptions import HTTPException, NotFound

from membership import errors
from membership.errors import N_
from membership.web import view

WORDS: dict[int, tuple[str, str]] = {
    400: (N_("We could not read this request"), N_("Please go back, load the page again and try once more.")),
    403: (N_("This page is not open to you"), N_("If you think it should be, please write to us.")),
    404: (N_("There is no such page"), N_("The address may be mistyped, or the page may have moved.")),
    405: (N_("This page does not work that way"), N_("Please open it from a link or with its own button.")),
    409: (
        N_("This has changed meanwhile"),
        N_("Please go back, load the page again and look at how it stands now."),
    ),
    413: (
        N_("This is too much to send at once"),
        N_("Nothing was stored. Please shorten what you wrote and try again."),
    ),
    422: (N_("We could not use what was sent"), N_("Nothing was stored. Please go back and try once more.")),
    429: (N_("That was a little fast"), N_("Nothing was done. Please wait a few minutes and try again.")),
    500: (
        N_("Something went wrong on our side"),
        N_("It has been noted. If you were paying: nobody is charged twice, and your receipt comes by mail."),
    ),
    503: (N_("This is not available just now"), N_("Please try again in a few minutes.")),
}
LAST_WORDS = "<!doctype html><html lang=en><title>Error</title><h1>Something went wrong on our side</h1><p>{}"


def page(code: int, said: str = "") -> Response:
    """The error page of this status; `said` is a sentence of our own in place of the usual one."""
    heading, sentence = WORDS.get(code) or (WORDS[500] if code >= 500 else WORDS[400])
    if has_request_context() and request_ctx.url_adapter is None:  # a host so odd that nothing can be linked
        return Response(LAST_WORDS.format(escape(sentence)), code, mimetype="text/html")
    html = render_template(
        "errors/error.html", heading=gettext(heading), sentence=said or gettext(sentence), code=code
    )
    return Response(html, code, mimetype="text/html")


def _http(error: HTTPException) -> ResponseReturnValue:
    if error.code is None or error.code < 400:
        return error.get_response()
    response = page(error.code)
    if error.code == 405 and error.get_response().headers.get("Allow"):
        response.headers["Allow"] = error.get_response().headers["Allow"]
    return response


def _domain(error: errors.DomainError) -> Response:
    codes = {errors.NotFound: 404, errors.NotAllowed: 403, errors.Conflict: 409, errors.Invalid: 422}
    code = next((code for kind, code in codes.items() if isinstance(error, kind)), 503)
    return page(code, "" if code == NotFound.code else view.sentence(error))


def _broken(_error: Exception) -> Response:
    """Flask has logged it already."""
    try:
        return page(500)
    except Exception:  # the page about the error must not be one
        current_app.logger.exception("the error page failed too")
        return Response(LAST_WORDS.format(escape(WORDS[500][1])), 500, mimetype="text/html")


def register(app: Flask) -> None:
    """Every refusal has a page."""
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(errors.DomainError, _domain)
    app.register_error_handler(500, _broken)
