"""The customer portal's pages: an overview, and one page for each thing a customer may do.

The last part of the address is the key; a wrong one and one whose time is over are answered alike. A session with
a flow shows that flow's page alone, and goes where the flow says once it is done.
"""

import re
from collections.abc import Callable

from werkzeug.wrappers import Request, Response

from membership.sandbox import frame, portal, portal_acts, portal_configurations
from membership.sandbox.account import Account
from membership.sandbox.card_fields import FormProblem
from membership.sandbox.errors import ApiError, CardDeclined
from membership.sandbox.parameters import EMAIL
from membership.sandbox.store import Object, Where

_ADDRESS = re.compile(
    r"/portal/(bps_[A-Za-z0-9]+_[A-Za-z0-9]+)(?:/([a-z]+))?(?:/(sub_[A-Za-z0-9]+))?", re.ASCII
)
# a flow's page
_ROOMS = {
    "customer_update": "details",
    "payment_method_update": "card",
    "subscription_cancel": "cancel",
    "subscription_pause": "pause",
    "subscription_update": "plan",
    "subscription_update_confirm": "plan",
}
_FEATURES = {
    "card": "payment_method_update",
    "bank": "payment_method_update",
    "cancel": "subscription_cancel",
    "keep": "subscription_cancel",
    "pause": "subscription_pause",
    "resume": "subscription_pause",
    "plan": "subscription_update",
    "details": "customer_update",
}
_SAID = {
    "card": "Your new card is saved.",
    "cancel": "Your cancellation is noted.",
    "keep": "Your cancellation is undone.",
    "pause": "Your subscription is paused.",
    "plan": "Your plan is changed.",
    "resume": "Your subscription goes on.",
    "details": "Your details are changed.",
}
REASON_WORDS = {
    "customer_service": "The service was not what I expected",
    "low_quality": "The quality was not what I expected",
    "missing_features": "Something is missing",
    "other": "Another reason",
    "switched_service": "I have found something else",
    "too_complex": "It is too complicated",
    "too_expensive": "It is too expensive",
    "unused": "I do not use it enough",
}


class PortalPages:
    def __init__(self, account: Account) -> None:
        self._account = account
        self._rooms: dict[str, Callable[[Request, Object, str | None], Response]] = {
            "card": self._card,
            "bank": self._bank,
            "cancel": self._cancel,
            "keep": self._keep,
            "pause": self._pause,
            "resume": self._resume,
            "plan": self._plan,
            "details": self._details,
        }

    def answer(self, request: Request) -> Response:
        found = _ADDRESS.fullmatch(request.path)
        if found is None or request.method not in {"GET", "HEAD", "POST"}:
            return frame.nowhere(self._shop)
        token, room, ident = found.groups()
        with self._account.store.lock:
            session = portal.of_page(self._account, token)
            if session is None:
                told = "Nothing was changed. Please go back and open this page again."
                return frame.page(
                    "sentence.html",
                    410,
                    shop=self._shop,
                    title="This link has expired",
                    sentence=told,
                    back=None,
                )
            return self._in_room(request, session, room, ident)

    def _in_room(self, request: Request, session: Object, room: str | None, ident: str | None) -> Response:
        flow = portal.current_flow(session)
        if flow and session["_done"]:
            return self._over(session, flow)
        if flow and room is None:
            room, ident = _ROOMS[flow["type"]], (flow.get(flow["type"]) or {}).get("subscription")
        if room is None:
            return self._home(request, session)
        feature = _FEATURES.get(room)
        if feature is None or not portal.may(self._account, session, feature):
            return frame.nowhere(self._shop)
        return self._rooms[room](request, session, ident)

    # the overview

    def _home(self, request: Request, session: Object) -> Response:
        account, customer = self._account, self._account.get("customer", session["customer"])
        ident = customer["invoice_settings"]["default_payment_method"]
        owned = account.store.find("subscription", Where("customer", "=", customer["id"]))
        subscriptions = [one for one in owned if portal.subscription_of(account, session, one["id"])]
        bills: list[Object] = []
        if portal.may(account, session, "invoice_history"):
            bills = account.store.find(
                "invoice", Where("customer", "=", customer["id"]), Where("status", "!=", "draft"), limit=24
            )
        return self._page(
            "portal.html",
            200,
            session,
            bills=bills,
            customer=customer,
            headline=portal.configuration_of(account, session)["business_profile"]["headline"],
            may={name: portal.may(account, session, name) for name in set(_FEATURES.values())},
            means=account.store.get(ident or ""),
            said=_SAID.get(request.args.get("said", "")),
            subscriptions=[self._shown(one) for one in subscriptions],
        )

    def _shown(self, subscription: Object) -> Object:
        """A subscription with what it is called, and how it would be paid."""
        item = subscription["items"]["data"][0]
        product = self._account.get("product", item["price"]["product"])
        own = self._account.store.get(subscription["default_payment_method"] or "")
        told = {"ending": portal.ending(subscription), "paused": portal.is_paused(subscription)}
        end = subscription["cancel_at"] or item["current_period_end"]
        return {**subscription, **told, "item": item, "title": product["name"], "own": own, "until": end}

    # the card

    def _card(self, request: Request, session: Object, _ident: str | None) -> Response:
        if request.method != "POST":
            return self._card_form(session, 200)
        typed = {name: request.form.get(field, "") for name, field in _CARD_FIELDS.items()}
        try:
            with self._account.store.transaction():
                decline = portal_acts.offer_card(self._account, session, **typed)
        except FormProblem as problem:
            return self._card_form(session, 422, str(problem), problem.field)
        except CardDeclined as declined:
            return self._card_form(session, 402, declined.message)
        if decline:
            return self._card_form(session, 402, decline.message)
        if portal_acts.asked_bank(self._account, session):
            return frame.see(f"{self._here(session)}/bank")
        return self._done(session, "card")

    def _card_form(
        self, session: Object, status: int, problem: str | None = None, field: str = "card_number"
    ) -> Response:
        return self._page("portal_card.html", status, session, problem=problem, field=field)

    def _bank(self, request: Request, session: Object, _ident: str | None) -> Response:
        intent = portal_acts.asked_bank(self._account, session)
        if intent is None:
            return frame.see(self._here(session))
        outcome = request.form.get("outcome", "") if request.method == "POST" else ""
        if outcome not in {"approve", "fail"}:
            return self._page("bank.html", 200, session, total=None, action=f"{self._here(session)}/bank")
        with self._account.store.transaction():
            decline = portal_acts.hear_bank(self._account, intent, approved=outcome == "approve")
        return self._card_form(session, 402, decline.message) if decline else self._done(session, "card")

    # the subscription

    def _cancel(self, request: Request, session: Object, ident: str | None) -> Response:
        subscription = portal.subscription_of(self._account, session, ident or "")
        if subscription is None:
            return frame.nowhere(self._shop)
        if portal.ending(subscription):
            told = f"It will not renew, and ends on {frame.day(self._shown(subscription)['until'])}."
            return self._sentence(session, "Already set to end", told)
        configuration = portal.configuration_of(self._account, session)
        feature = configuration["features"]["subscription_cancel"]
        reasons = (
            feature["cancellation_reason"]["options"] if feature["cancellation_reason"]["enabled"] else []
        )
        if request.method != "POST":
            words = [(name, REASON_WORDS[name]) for name in reasons]
            shown = self._shown(subscription)
            return self._page(
                "portal_cancel.html", 200, session, reasons=words, one=shown, mode=feature["mode"]
            )
        feedback = request.form.get("feedback")
        comment = request.form.get("comment", "").strip()[:5000] if reasons else ""
        said = {"feedback": feedback if feedback in reasons else None, "comment": comment or None}
        with self._account.store.transaction():
            portal_acts.cancel(self._account, configuration, subscription, said)
        return self._done(session, "cancel")

    def _keep(self, request: Request, session: Object, ident: str | None) -> Response:
        subscription = portal.subscription_of(self._account, session, ident or "")
        if subscription is None or request.method != "POST":
            return frame.nowhere(self._shop)
        if portal.ending(subscription):
            with self._account.store.transaction():
                portal_acts.keep(self._account, subscription)
        return self._done(session, "keep")

    def _plan(self, request: Request, session: Object, ident: str | None) -> Response:
        subscription = portal.subscription_of(self._account, session, ident or "")
        if subscription is None:
            return frame.nowhere(self._shop)
        configuration = portal.configuration_of(self._account, session)
        offered = self._offered(session, configuration, subscription)
        if request.method != "POST":
            return self._plan_form(session, subscription, offered, 200)
        price = request.form.get("price") or (offered[0]["id"] if len(offered) == 1 else "")
        if price not in [one["id"] for one in offered]:
            return self._plan_form(session, subscription, offered, 422, "Please choose a plan.")
        refusal = self._tried(
            lambda: portal_acts.change_plan(self._account, configuration, subscription, price)
        )
        if refusal:
            status = 402 if refusal.status == 402 else 422
            return self._plan_form(session, subscription, offered, status, refusal.message)
        return self._done(session, "plan")

    def _tried(self, act: Callable[[], None]) -> ApiError | None:
        """Does something altogether or not at all; why it was refused, if it was."""
        try:
            with self._account.store.transaction():
                act()
        except ApiError as refusal:
            return refusal
        return None

    def _offered(self, session: Object, configuration: Object, subscription: Object) -> list[Object]:
        """The prices to choose from; a flow to be confirmed has one."""
        own = subscription["items"]["data"][0]["price"]["id"]
        found = portal_configurations.prices(self._account, configuration, subscription)
        flow = portal.current_flow(session)
        fixed = flow and flow["subscription_update_confirm"]
        if fixed:
            found = [one for one in found if one["id"] == fixed["items"][0]["price"]]
        names = {one["product"]: self._account.get("product", one["product"])["name"] for one in found}
        return [{**one, "title": names[one["product"]]} for one in found if one["id"] != own]

    def _plan_form(
        self,
        session: Object,
        subscription: Object,
        offered: list[Object],
        status: int,
        problem: str | None = None,
    ) -> Response:
        shown = self._shown(subscription)
        return self._page(
            "portal_plan.html", status, session, one=shown, offered=offered, problem=problem, field="price"
        )

    def _pause(self, request: Request, session: Object, ident: str | None) -> Response:
        subscription = portal.subscription_of(self._account, session, ident or "")
        if subscription is None:
            return frame.nowhere(self._shop)
        configuration = portal.configuration_of(self._account, session)
        options = configuration["features"]["subscription_pause"]["duration"]["interval_options"]
        choice = request.form.get("duration", "0")
        refusal: ApiError | None = None
        if request.method == "POST" and (not options or choice in map(str, range(len(options)))):
            refusal = self._tried(
                lambda: portal_acts.pause(self._account, configuration, subscription, choice)
            )
            if refusal is None:
                return self._done(session, "pause")
        return self._page(
            "portal_pause.html",
            422 if request.method == "POST" else 200,
            session,
            one=self._shown(subscription),
            options=options,
            problem=refusal.message if refusal else None,
            field="duration",
        )

    def _resume(self, request: Request, session: Object, ident: str | None) -> Response:
        subscription = portal.subscription_of(self._account, session, ident or "")
        if subscription is None or request.method != "POST":
            return frame.nowhere(self._shop)
        refusal = self._tried(lambda: portal_acts.resume(self._account, subscription))
        return (
            self._sentence(session, "It does not go on", refusal.message)
            if refusal
            else self._done(session, "resume")
        )

    # the customer

    def _details(self, request: Request, session: Object, _ident: str | None) -> Response:
        customer = self._account.get("customer", session["customer"])
        feature = portal.configuration_of(self._account, session)["features"]["customer_update"]
        names = [name for name in portal_acts.DETAILS if name in feature["allowed_updates"]]
        values = {name: customer[name] or "" for name in names}
        problem = None
        if request.method == "POST":
            values = {name: request.form.get(name, "").strip()[:256] for name in names}
            if "email" not in values or re.fullmatch(EMAIL.pattern or "", values["email"]):
                with self._account.store.transaction():
                    portal_acts.change_details(self._account, session, values)
                return self._done(session, "details")
            problem = "Your email is incomplete."
        status = 422 if problem else 200
        return self._page(
            "portal_details.html", status, session, values=values, problem=problem, field="email"
        )

    # answering

    def _done(self, session: Object, what: str) -> Response:
        """On to where the flow leads, or back to the overview."""
        flow = portal.current_flow(session)
        if flow:
            with self._account.store.transaction():
                self._account.change(session, None, _done=True)
            if flow["after_completion"]["type"] != "portal_homepage":
                return self._over(session, flow, pressed=True)
        return frame.see(f"{self._here(session)}?said={what}")

    def _over(self, session: Object, flow: Object, *, pressed: bool = False) -> Response:
        after = flow["after_completion"]
        if after["redirect"]:
            return frame.see(after["redirect"]["return_url"])
        if pressed:
            return frame.see(self._here(session))
        told = after["hosted_confirmation"]["custom_message"] or "You may close this page."
        return self._sentence(session, "That is done", told)

    @property
    def _shop(self) -> str:
        return self._account.settings.name

    def _here(self, session: Object) -> str:
        return portal_acts.page_of(session)

    def _sentence(self, session: Object, title: str, told: str) -> Response:
        back = session["return_url"]
        return self._page("sentence.html", 200, session, title=title, sentence=told, back=back)

    def _page(self, template: str, status: int, session: Object, **values: object) -> Response:
        flow = session["flow"] or {}
        redirect = (flow.get("after_completion") or {}).get("redirect") or {}
        return frame.page(
            template,
            status,
            shop=self._shop,
            onward=[redirect.get("return_url")],
            here=self._here(session),
            return_url=session["return_url"],
            in_flow=portal.current_flow(session) is not None,
            **values,
        )


_CARD_FIELDS = {"number": "card_number", "exp": "exp", "cvc": "cvc"}
