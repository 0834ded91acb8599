"""One API call from bytes to bytes: who asks, which call, was it asked before, do it, say it.

Work and the reply kept under its idempotency key are one transaction.
"""

import base64
import json
from typing import Any, NamedTuple

from werkzeug.wrappers import Request, Response

from membership.sandbox import expand, faults, routes, shapes
from membership.sandbox.account import API_VERSION, Account, Cause
from membership.sandbox.errors import ApiError, PaymentFailed, ReplyDropped
from membership.sandbox.idempotency import Keys, Reply, canonical
from membership.sandbox.ids import new_id
from membership.sandbox.listing import Page
from membership.sandbox.parameters import decode


class Call(NamedTuple):
    """One request, understood."""

    method: str
    path: str
    params: dict[str, Any]
    key: str | None
    request_id: str


class Api:
    def __init__(self, account: Account) -> None:
        self._account = account
        self._keys = Keys(account)

    def answer(self, request: Request) -> Response:
        request_id = new_id("req")
        key = request.headers.get("Idempotency-Key") if request.method == "POST" else None
        try:
            _check_caller(self._account, request)
            call = Call(request.method, request.path, decode(_pairs(request)), key, request_id)
            reply, replayed = self._under_key(call)
        except ApiError as refusal:
            text = json.dumps(refusal.body(request_id, self._account.settings.account_id), indent=2)
            reply, replayed = Reply(refusal.status, text, request_id), False
        return self._response(request, reply, key, request_id, replayed=replayed)

    def _under_key(self, call: Call) -> tuple[Reply, bool]:
        if not call.key:
            return self._with_faults(call), False
        self._keys.take_off(call.key)
        try:
            with self._account.store.transaction():
                before = self._keys.find(call.key, call.method, call.path, canonical(call.params))
            if before:
                self._lose_reply(call)
                return before, True
            return self._with_faults(call), False
        finally:
            self._keys.land(call.key)

    def _lose_reply(self, call: Call) -> None:
        """A reply told again can be lost on its way like any other."""
        fault = faults.take(self._account, call.path, only=faults.SILENT)
        if fault:
            raise ReplyDropped(fault)

    def _with_faults(self, call: Call) -> Reply:
        fault = faults.take(self._account, call.path)
        if fault == "timeout":
            raise ReplyDropped(fault)
        if fault == "429":
            raise ApiError(429, "Request rate limit exceeded. You can retry in a moment.", code="rate_limit")
        if fault == "500":
            broken = ApiError(
                500, "An unknown error occurred. (The pretend Stripe was told to.)", kind="api_error"
            )
            with self._account.store.transaction():
                return self._refused(call, broken)
        reply = self._perform(call)
        if fault in faults.SILENT_AFTER:
            raise ReplyDropped(fault)
        return reply

    def _perform(self, call: Call) -> Reply:
        found = routes.find(call.method, call.path)
        if found is None:
            raise ApiError(
                404,
                f"Unrecognized request URL ({call.method}: {call.path}). Please see https://stripe.com/docs or we can "
                "help at https://support.stripe.com/.",
            )
        route, ids = found
        params = route.takes.parse(call.params, "")
        paths = expand.check(route.kind, params.pop("expand", []), in_list=route.many)
        account = self._account
        try:
            with account.store.transaction():
                account.cause = Cause(call.request_id, call.key)
                try:
                    body = self._shown(route.run(account, params, *ids), paths)
                except PaymentFailed as refusal:
                    return self._refused(call, refusal)  # the failed try is kept, not undone
                finally:
                    account.cause = Cause()
                reply = Reply(200, json.dumps(body, indent=2, ensure_ascii=False), call.request_id)
                self._keep(call, reply)
                return reply
        except ApiError as refusal:
            with account.store.transaction():
                return self._refused(call, refusal)

    def _shown(self, result: dict[str, Any] | Page, paths: list[str]) -> dict[str, Any]:
        if isinstance(result, Page):
            data = [expand.render(self._account, one, paths) for one in result.data]
            return shapes.listed(data, result.url, has_more=result.has_more)
        return expand.render(self._account, result, paths)

    def _refused(self, call: Call, refusal: ApiError) -> Reply:
        text = json.dumps(refusal.body(call.request_id, self._account.settings.account_id), indent=2)
        reply = Reply(refusal.status, text, call.request_id)
        self._keep(call, reply)
        return reply

    def _keep(self, call: Call, reply: Reply) -> None:
        if call.key:
            self._keys.keep(call.key, call.method, call.path, canonical(call.params), reply)

    def _response(
        self, request: Request, reply: Reply, key: str | None, request_id: str, *, replayed: bool
    ) -> Response:
        response = Response(reply.body, reply.status, content_type="application/json")
        response.headers["Request-Id"] = request_id
        response.headers["Stripe-Version"] = API_VERSION
        response.headers["Cache-Control"] = "no-cache, no-store"
        if request.method == "POST":
            # a request that met its twin in flight may be asked again; whatever ran may not
            response.headers["Stripe-Should-Retry"] = "true" if reply.status == 409 else "false"
        if key:
            response.headers["Idempotency-Key"] = key
            response.headers["Original-Request"] = reply.request_id
        if replayed:
            response.headers["Idempotent-Replayed"] = "true"
        return response


def _pairs(request: Request) -> list[tuple[str, str]]:
    """Query and form alike, in their order."""
    pairs = list(request.args.items(multi=True))
    if request.method == "POST":
        if request.mimetype not in {"", "application/x-www-form-urlencoded"}:
            raise ApiError(400, "Request bodies must be application/x-www-form-urlencoded.")
        pairs += list(request.form.items(multi=True))
    return pairs


def _check_caller(account: Account, request: Request) -> None:
    given = _key_given(request)
    if not given:
        raise ApiError(
            401,
            "You did not provide an API key. You need to provide your API key in the Authorization header, using "
            "Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').",
        )
    if given != account.settings.api_key:
        hidden = (
            f"{given[:8]}{'*' * max(0, len(given) - 12)}{given[-4:]}" if len(given) > 12 else "*" * len(given)
        )
        raise ApiError(401, f"Invalid API Key provided: {hidden}")
    version = request.headers.get("Stripe-Version", API_VERSION)
    if version != API_VERSION:
        raise ApiError(
            400, f"Invalid Stripe API version: {version}. This sandbox speaks {API_VERSION} alone."
        )
    for header in ("Stripe-Account", "Stripe-Context"):
        if request.headers.get(header):
            raise ApiError(403, f"The pretend Stripe has no connected accounts; do not send {header}.")


def _key_given(request: Request) -> str:
    scheme, _, rest = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(rest, validate=True).decode().partition(":")[0]
        except ValueError:
            return ""
    return ""
