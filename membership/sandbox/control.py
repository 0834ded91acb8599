"""The controls beside the pretend Stripe: time, faults, webhooks, and what a bank would do. JSON in and out.

Demo and tests only, from the same machine only. Whatever is misspelt is refused with a sentence. They stand in
`Control` under their names: `POST /_control/retries {"then": "unpaid"}`, say, sets what becomes of a subscription whose
retries are used up (cancel, as it begins; unpaid; past_due).
"""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from werkzeug.wrappers import Request, Response

from membership.sandbox import (
    balance,
    cards,
    checkout,
    disputes,
    faults,
    payment_methods,
    payments,
    portal_configurations,
    refunds,
    renewals,
    report,
    shapes,
    subscriptions,
)
from membership.sandbox.account import Account
from membership.sandbox.clock import DAY
from membership.sandbox.errors import ApiError, CardDeclined, ControlError
from membership.sandbox.store import Object, Where
from membership.sandbox.webhooks import MODES, Webhooks

Body = dict[str, Any]
_FURTHEST = 3700 * DAY


def _only(body: Body, *names: str) -> None:
    unknown = sorted(set(body) - set(names))
    if unknown:
        known = f"it takes {', '.join(names)}" if names else "it takes nothing"
        raise ControlError(f"This control does not know {', '.join(unknown)}; {known}.")


def _text(body: Body, name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise ControlError(f'Say which: "{name}" must be a text.')
    return value


def _number(body: Body, name: str, most: int) -> int:
    value = body.get(name, 0)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise ControlError(f'"{name}" must be a whole number from 0 to {most}.')
    return value


class Control:
    def __init__(self, account: Account, webhooks: Webhooks, advance: Callable[..., None]) -> None:
        self._account = account
        self._webhooks = webhooks
        self._advance = advance
        self._turns: dict[tuple[str, str], Callable[[Body], Body]] = {
            ("GET", "clock"): self._clock,
            ("POST", "clock"): self._move_clock,
            ("POST", "faults"): self._faults,
            ("POST", "retries"): self._retries,
            ("GET", "webhooks"): self._modes,
            ("POST", "webhooks"): self._set_modes,
            ("POST", "webhooks/release"): self._release,
            ("POST", "dispute"): self._in_one(self._dispute),
            ("POST", "refund_fail"): self._in_one(self._refund_fail),
            ("POST", "sepa"): self._in_one(self._sepa),
            ("POST", "payout"): self._in_one(self._payout),
            ("POST", "card"): self._in_one(self._card),
            ("POST", "portal_default"): self._in_one(self._portal_default),
            ("GET", "state"): self._state,
        }

    def answer(self, request: Request) -> Response:
        name = request.path.removeprefix("/_control/").strip("/")
        if request.remote_addr not in {"127.0.0.1", "::1", None}:
            return _json(403, {"error": "The controls answer this machine alone."})
        if not _is_here(request.headers.get("Origin")):
            return _json(403, {"error": "A page from elsewhere may not turn the controls."})
        turn = self._turns.get((request.method, name))
        if turn is None:
            return _json(404, {"error": f"There is no control {request.method} {name}."})
        try:
            return _json(200, turn(_body(request)))
        except ControlError as sentence:
            return _json(400, {"error": str(sentence)})
        except ApiError as refusal:
            return _json(400, {"error": refusal.message})

    def _in_one(self, turn: Callable[[Body], Object]) -> Callable[[Body], Body]:
        """Runs a control in one transaction, and lets the webhooks know."""

        def run(body: Body) -> Body:
            with self._account.store.transaction():
                result = shapes.public(turn(body))
            self._webhooks.wake()
            return result

        return run

    # time

    def _clock(self, body: Body) -> Body:
        _only(body)
        return {"now": self._account.now(), "offset": self._account.clock.offset}

    def _move_clock(self, body: Body) -> Body:
        _only(body, "advance_days", "advance_seconds")
        days, seconds = _number(body, "advance_days", 3700), _number(body, "advance_seconds", _FURTHEST)
        if not days and not seconds:
            raise ControlError('Say how far: "advance_days" or "advance_seconds", more than 0.')
        self._advance(days=days, seconds=seconds)
        return self._clock({})

    # faults and webhooks

    def _faults(self, body: Body) -> Body:
        _only(body, "next", "kind", "path")
        count = _number(body, "next", 1_000_000)
        kind = str(body.get("kind", "500"))
        if kind not in faults.KINDS:
            raise ControlError(f'"kind" must be one of {", ".join(faults.KINDS)}.')
        path = body.get("path", "/v1/")
        if not isinstance(path, str) or not path.startswith("/v1"):
            raise ControlError('"path" must start with /v1.')
        faults.order(self._account, count, kind, path)
        return {"next": count, "kind": kind, "path": path}

    def _retries(self, body: Body) -> Body:
        """Somebody sets in the dashboard what becomes of a subscription whose retries are used up."""
        _only(body, "then")
        then = _text(body, "then")
        if then not in renewals.AFTER_RETRIES:
            raise ControlError(f'"then" must be one of {", ".join(renewals.AFTER_RETRIES)}.')
        with self._account.store.transaction():
            self._account.store.set("after_retries", then)
        return {"then": then}

    def _modes(self, body: Body) -> Body:
        _only(body)
        rows = self._account.store.run("SELECT state, count(*) FROM deliveries GROUP BY state")
        return {"modes": self._webhooks.modes, "deliveries": dict(rows)}

    def _set_modes(self, body: Body) -> Body:
        _only(body, "modes")
        modes = body.get("modes")
        if not isinstance(modes, list) or any(mode not in MODES for mode in modes):
            raise ControlError(f'"modes" must be a list of {", ".join(MODES)}; [] is orderly.')
        with self._account.store.transaction():
            self._account.store.set("webhook_modes", modes)
        return self._modes({})

    def _release(self, body: Body) -> Body:
        _only(body)
        return {"released": self._webhooks.release()}

    # what the bank does

    def _dispute(self, body: Body) -> Object:
        _only(body, "charge", "reason", "dispute", "outcome")
        if "dispute" in body:
            outcome = _text(body, "outcome")
            if outcome not in {"won", "lost"}:
                raise ControlError('"outcome" must be won or lost.')
            return disputes.close(
                self._account, self._account.get("dispute", _text(body, "dispute")), outcome
            )
        charge = self._account.get("charge", _text(body, "charge"))
        reason = _text({"reason": "fraudulent", **body}, "reason")
        if reason == "early_fraud_warning":
            return disputes.warn(self._account, charge)
        return disputes.start(self._account, charge, reason)

    def _refund_fail(self, body: Body) -> Object:
        _only(body, "refund")
        return refunds.fail(self._account, self._account.get("refund", _text(body, "refund")))

    def _sepa(self, body: Body) -> Object:
        _only(body, "payment_intent", "outcome")
        outcome = _text(body, "outcome")
        if outcome not in {"succeed", "fail"}:
            raise ControlError('"outcome" must be succeed or fail.')
        intent = payments.debit_under_way(self._account, _text(body, "payment_intent"))
        checkout.debit(self._account, payment_intent=intent["id"], outcome=outcome)
        return self._account.get("payment_intent", intent["id"])

    def _payout(self, body: Body) -> Object:
        _only(body, "fails")
        fails = body.get("fails", False)
        if not isinstance(fails, bool):
            raise ControlError('"fails" must be true or false.')
        return balance.pay_out(self._account, fails=fails)

    def _card(self, body: Body) -> Object:
        """Another card for a member's next charges."""
        _only(body, "customer", "subscription", "card_number")
        try:
            means = cards.card_of(_text(body, "card_number"))
        except CardDeclined as refusal:
            raise ControlError(refusal.message) from refusal
        account = self._account
        if "subscription" in body:
            mine = [account.get("subscription", _text(body, "subscription"))]
            owner = mine[0]["customer"]
        else:
            owner = _text(body, "customer")
            mine = account.store.find(
                "subscription", Where("customer", "=", owner), Where("status", "!=", "canceled")
            )
        customer = account.get("customer", owner)
        if customer.get("deleted"):
            raise ControlError(f"{owner} was deleted.")
        method = payment_methods.make(account, means, email=customer["email"], name=customer["name"])
        payment_methods.attach(account, method, owner)
        settings = {**customer["invoice_settings"], "default_payment_method": method["id"]}
        account.change(customer, "customer.updated", invoice_settings=settings)
        for one in mine:
            subscriptions.swap_card(account, one, method)
        return account.get("payment_method", method["id"])

    def _portal_default(self, body: Body) -> Object:
        """Somebody saves the portal's settings in the dashboard."""
        _only(body)
        return portal_configurations.save_default(self._account)

    def _state(self, body: Body) -> Body:
        _only(body, "email")
        return dict(report.state(self._account, body.get("email") or None))


def _is_here(origin: str | None) -> bool:
    """Whether a request comes from no page at all, or from one on this machine."""
    return origin is None or urlsplit(origin).hostname in {"localhost", "127.0.0.1", "::1"}


def _body(request: Request) -> Body:
    if request.method == "GET":
        return dict(request.args)
    raw = request.get_data()
    if not raw:
        return {}
    try:
        body = json.loads(raw)
    except ValueError as fault:
        raise ControlError("The controls take JSON, and this is none.") from fault
    if not isinstance(body, dict):
        raise ControlError("The controls take a JSON object.")
    return body


def _json(status: int, body: Body) -> Response:
    return Response(json.dumps(body, ensure_ascii=False), status, content_type="application/json")
