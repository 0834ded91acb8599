"""What happens between a request and its answer: a slow Stripe, a reply that is lost, a process that dies."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event
from werkzeug import Response

from membership.db import db
from membership.sandbox import ReplyDropped


class Killed(BaseException):
    """The process is gone: nothing of ours may catch it."""


class Answered(Exception):
    """What `meanwhile` lets Stripe answer, instead of doing what it is asked."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(status)
        self.response = Response(json.dumps(body), status, mimetype="application/json")


LOST = ReplyDropped("timeout_after_commit")


@contextmanager
def slow(
    stripe: Any,
    path: str,
    meanwhile: Callable[[], object],
    *,
    then: BaseException | None = None,
    reads: bool = False,
) -> Iterator[None]:
    """The next change under this path reaches Stripe only when `meanwhile` has happened; `then` its reply is lost.

    `reads`: the next look at it is as slow.
    """
    real, waiting = stripe.wsgi, [meanwhile]

    def wsgi(environ: dict[str, Any], start_response: Any) -> Any:
        is_meant = environ["PATH_INFO"].startswith(path) and (reads or environ["REQUEST_METHOD"] != "GET")
        if not is_meant or not waiting:
            return real(environ, start_response)
        try:
            waiting.pop()()
        except Answered as other:
            return other.response(environ, start_response)
        answer = real(environ, start_response)
        if then is not None:
            raise then
        return answer

    stripe.wsgi = wsgi
    try:
        yield
    finally:
        stripe.wsgi = real
    assert not waiting, f"nothing was asked under {path}"


def dies_after(commits: int, act: Callable[[], object]) -> bool:
    """Whether the process died on the way: right after it had committed so many times."""
    left = [commits]

    def count(_session: Any) -> None:
        left[0] -= 1
        if not left[0]:
            raise Killed

    event.listen(db.session, "after_commit", count)
    try:
        act()
    except Killed:
        return True
    finally:
        event.remove(db.session, "after_commit", count)
        db.session.remove()
    return False
