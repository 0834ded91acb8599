"""The customer portal: who may enter, another card, an end, another plan, and where a flow leads."""

import re

import pytest
import stripe

from tests.sandbox import portal
from tests.sandbox.test_pages import fields, page

VISA, MASTERCARD = "4242424242424242", "5555555555554444"


def refused(call, *args):
    with pytest.raises(stripe.InvalidRequestError) as caught:
        call(*args)
    return caught.value


def default_of(bench, member):
    customer = bench.v1.customers.retrieve(member.customer)
    return customer.invoice_settings.default_payment_method


# configurations


def test_without_a_configuration_there_is_no_portal_until_the_dashboard_has_one(bench):
    member = bench.member()
    made = portal.configured(bench)
    assert made.is_default is False
    error = refused(bench.v1.billing_portal.sessions.create, {"customer": member.customer})
    assert "your test mode default configuration has not been created" in str(error)
    saved = bench.control("portal_default", {})
    assert bench.v1.billing_portal.configurations.list({"is_default": True}).data[0].id == saved["id"]
    assert bench.v1.billing_portal.sessions.create({"customer": member.customer}).configuration == saved["id"]
    assert bench.control("portal_default", {})["id"] == saved["id"]


def test_features_nobody_named_are_off_and_products_show_only_where_expanded(bench):
    member = bench.member()
    prices, feature = portal.changeable(bench, member, 900)
    made = portal.configured(bench, **feature)
    shown = made.features.to_dict()
    assert shown["subscription_update"]["proration_behavior"] == "none"
    assert "products" not in shown["subscription_update"]
    path = "features.subscription_update.products"
    found = bench.v1.billing_portal.configurations.retrieve(made.id, {"expand": [path]})
    assert found.features.subscription_update.products[0].prices == [prices[0].id]
    listed = bench.v1.billing_portal.configurations.list({"active": True, "expand": [f"data.{path}"]}).data[0]
    assert listed.features.subscription_update.products[0].product == prices[0].product


def test_an_update_changes_what_it_names_and_nothing_else(bench):
    made = portal.configured(bench)
    off = {"features": {"subscription_cancel": {"enabled": False}}, "metadata": {"a": "b"}}
    changed = bench.v1.billing_portal.configurations.update(made.id, off)
    assert changed.features.subscription_cancel.enabled is False
    assert changed.features.subscription_cancel.cancellation_reason.options == ["unused", "other"]
    assert changed.features.invoice_history.enabled is True
    bench.v1.billing_portal.configurations.update(made.id, {"active": False})
    assert bench.v1.billing_portal.configurations.list({"active": True}).data == []
    error = refused(portal.session, bench, bench.member(), None, made)
    assert error.param == "configuration"


ON = {"enabled": True}


@pytest.mark.parametrize(
    ("features", "param"),
    [
        (
            {"payment_method_update": {"payment_method_configuration": "pmc_1"}},
            "features[payment_method_update][payment_method_configuration]",
        ),
        ({"shoe_size": ON}, "features[shoe_size]"),
        ({"subscription_cancel": {**ON, "mode": "at_once"}}, "features[subscription_cancel][mode]"),
        (
            {"payment_method_update": ON, "subscription_update": ON},
            "features[subscription_update][default_allowed_updates]",
        ),
        (
            {
                "payment_method_update": ON,
                "subscription_update": {**ON, "default_allowed_updates": ["price"]},
            },
            "features[subscription_update][products]",
        ),
        (
            {"subscription_update": {"enabled": False, "products": [{"product": "prod_x", "prices": ["p"]}]}},
            "features[subscription_update][products][0][product]",
        ),
    ],
)
def test_configurations_refuse_what_stripe_refuses(bench, features, param):
    error = refused(bench.v1.billing_portal.configurations.create, {"features": features})
    assert error.param == param


def test_plans_can_change_only_where_cards_can_and_intervals_differ(bench):
    member = bench.member()
    _, feature = portal.changeable(bench, member, 900)
    error = refused(bench.v1.billing_portal.configurations.create, {"features": feature})
    assert "Cannot enable subscription updates while payment method update is disabled" in str(error)
    products = feature["subscription_update"]["products"]
    twin = {"currency": "eur", "unit_amount": 950, "recurring": {"interval": "month"}}
    products[0]["prices"].append(bench.v1.prices.create({**twin, "product": products[0]["product"]}).id)
    with pytest.raises(stripe.InvalidRequestError, match="unique billing intervals"):
        portal.configured(bench, **feature)


# sessions


def test_a_flow_must_be_switched_on_and_about_the_customers_own(bench):
    member, other = bench.member(), bench.member(amount=700)
    bare = bench.v1.billing_portal.configurations.create({"features": {"invoice_history": ON}})
    for kind in portal.FLOWS:
        error = refused(portal.session, bench, member, portal.flow(kind, member), bare)
        assert "is disabled" in str(error), kind
    error = refused(portal.session, bench, member, portal.flow("subscription_cancel", other))
    assert error.code == "resource_missing"
    error = refused(portal.session, bench, member, {"type": "subscription_cancel"})
    assert error.param == "flow_data[subscription_cancel]"
    bench.v1.subscriptions.update(member.id, {"cancel_at_period_end": True})
    error = refused(portal.session, bench, member, portal.flow("subscription_cancel", member))
    assert "already set to be canceled" in str(error)
    path = portal.opened(bench, other)
    bench.v1.customers.delete(other.customer)
    assert bench.browser.get(path).status_code == 410
    assert refused(portal.session, bench, other).code == "resource_missing"


def test_the_link_is_a_key_of_five_minutes_then_of_an_hour(bench):
    member = bench.member()
    path, unused = portal.opened(bench, member), portal.opened(bench, member)
    answer = bench.browser.get(path)
    page(answer)
    assert f'href="{portal.HOME}"' in answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'sha256-")
    bench.sandbox.advance(seconds=301)
    assert bench.browser.get(unused).status_code == 410
    assert bench.browser.get(path).status_code == 200
    bench.sandbox.advance(seconds=3600)
    assert bench.browser.get(path).status_code == 410
    assert portal.offer(bench, path, MASTERCARD).status_code == 410
    assert default_of(bench, member) is None


def test_a_wrong_link_and_a_foreign_subscription_lead_nowhere(bench):
    member, other = bench.member(), bench.member(amount=700)
    path = portal.opened(bench, member)
    ident = re.search(r"bps_[A-Za-z0-9]+", path)[0]
    for wrong in (f"/portal/{ident}", f"{path}x", f"/portal/{ident}_{'a' * 40}", "/portal/bps_x_y"):
        assert bench.browser.get(wrong).status_code in {404, 410}, wrong
        assert portal.offer(bench, wrong, MASTERCARD).status_code in {404, 410}, wrong
    for room in ("cancel", "plan", "keep"):
        assert bench.browser.post(f"{path}/{room}/{other.id}").status_code == 404
    assert bench.v1.subscriptions.retrieve(other.id).cancel_at is None
    assert bench.browser.get(path).text.count("/cancel/") == 1


def test_what_is_switched_off_afterwards_is_gone_from_open_pages(bench):
    member = bench.member()
    configuration = portal.configured(bench)
    path = portal.opened(bench, member, None, configuration)
    assert f"{path}/card" in bench.browser.get(path).text
    off = {"features": {"payment_method_update": {"enabled": False}}}
    bench.v1.billing_portal.configurations.update(configuration.id, off)
    assert f"{path}/card" not in bench.browser.get(path).text
    assert portal.offer(bench, path, MASTERCARD).status_code == 404


# the card


def test_a_new_card_is_the_customers_default_and_the_subscription_keeps_its_own(bench):
    member = bench.member()
    bench.control("card", {"subscription": member.id, "card_number": "4000000000000341"})
    bench.sandbox.advance(days=31)
    failing = bench.v1.subscriptions.retrieve(member.id)
    assert failing.status == "past_due"
    done = {"type": "redirect", "redirect": {"return_url": "http://127.0.0.1:8000/thanks"}}
    asked = {"type": "payment_method_update", "after_completion": done}
    path = portal.opened(bench, member, asked)
    shown = bench.browser.get(path)
    assert list(fields(page(shown))) == ["card_number", "exp", "cvc"]
    assert "form-action 'self' http://127.0.0.1:8000;" in shown.headers["Content-Security-Policy"]
    before = bench.events()
    answer = portal.offer(bench, path, MASTERCARD)
    assert (answer.status_code, answer.location) == (303, "http://127.0.0.1:8000/thanks")
    method = bench.v1.payment_methods.retrieve(default_of(bench, member))
    assert (method.card.last4, method.card.exp_year, method.customer) == ("4444", 2039, member.customer)
    after = bench.v1.subscriptions.retrieve(member.id)
    assert after.default_payment_method == failing.default_payment_method
    assert bench.v1.invoices.retrieve(after.latest_invoice).status == "open"
    assert bench.events()[len(before) :] == [
        "setup_intent.created",
        "payment_method.attached",
        "setup_intent.succeeded",
        "customer.updated",
    ]
    intent = bench.v1.setup_intents.list({"customer": member.customer, "expand": ["data.payment_method"]})
    assert intent.data[0].payment_method.id == method.id
    # pressed again, it only leads on
    assert portal.offer(bench, path, VISA).location == "http://127.0.0.1:8000/thanks"
    assert default_of(bench, member) == method.id


@pytest.mark.parametrize(
    "card", ["4000000000000002", "4000000000009995", "4100000000000019", "4111111111111111"]
)
def test_a_declined_card_says_so_and_changes_nothing(bench, card):
    member = bench.member()
    held = len(bench.v1.payment_methods.list({"customer": member.customer}).data)
    path = portal.opened(bench, member, {"type": "payment_method_update"})
    answer = portal.offer(bench, path, card)
    assert answer.status_code == 402
    assert "Nothing was changed" in answer.text
    assert card not in page(answer).find(".//{http://www.w3.org/1999/xhtml}form").itertext()
    assert default_of(bench, member) is None
    assert len(bench.v1.payment_methods.list({"customer": member.customer}).data) == held
    assert "payment_method.attached" not in bench.events()[-2:]
    assert portal.offer(bench, path, VISA).status_code == 303
    assert default_of(bench, member)


@pytest.mark.parametrize(
    ("typed", "field"),
    [({"card_number": ""}, "card_number"), ({"exp": "13/39"}, "exp"), ({"cvc": "1"}, "cvc")],
)
def test_an_incomplete_card_is_asked_for_again(bench, typed, field):
    path = portal.opened(bench, bench.member())
    form = {"card_number": VISA, "exp": "12/39", "cvc": "123", **typed}
    answer = bench.browser.post(f"{path}/card", data=form)
    assert answer.status_code == 422
    assert fields(page(answer))[field].get("aria-invalid") == "true"
    assert bench.v1.setup_intents.list().data == []


def test_the_card_that_fails_later_can_be_kept(bench):
    member = bench.member()
    assert portal.offer(bench, portal.opened(bench, member), "4000000000000341").status_code == 303
    assert bench.v1.payment_methods.retrieve(default_of(bench, member)).card.last4 == "0341"


def test_a_card_with_3d_secure_asks_the_bank_first(bench):
    member = bench.member()
    path = portal.opened(bench, member, {"type": "payment_method_update"})
    for outcome, status in (("fail", 402), ("approve", 303)):
        answer = portal.offer(bench, path, "4000002760003184")
        assert answer.location.endswith("/bank")
        page(bench.browser.get(portal.path_of(answer.location)))
        assert default_of(bench, member) is None
        assert bench.browser.post(f"{path}/bank", data={"outcome": outcome}).status_code == status
    assert bench.v1.payment_methods.retrieve(default_of(bench, member)).card.last4 == "3184"
    intents = bench.v1.setup_intents.list().data
    assert [one.status for one in intents] == ["succeeded"]
    assert intents[0].last_setup_error is None


# the end, and staying after all


@pytest.mark.parametrize("mode", ["flexible", "classic"])
def test_an_end_asked_for_comes_with_the_period_and_can_be_undone(bench, mode):
    member = bench.member(subscription_data={"billing_mode": {"type": mode}})
    path = portal.opened(bench, member)
    end = member["items"].data[0].current_period_end
    form = page(bench.browser.get(f"{path}/cancel/{member.id}"))
    assert sorted(fields(form)) == ["feedback"]
    said = {"feedback": "unused", "comment": "  no time  "}
    assert bench.browser.post(f"{path}/cancel/{member.id}", data=said).status_code == 303
    asked = bench.v1.subscriptions.retrieve(member.id)
    # Stripe's portal tells flexible subscriptions the moment alone
    assert (asked.status, asked.cancel_at, asked.cancel_at_period_end) == ("active", end, mode == "classic")
    details = asked.cancellation_details
    assert (details.reason, details.feedback, details.comment) == (
        "cancellation_requested",
        "unused",
        "no time",
    )
    assert bench.browser.post(f"{path}/keep/{member.id}").status_code == 303
    kept = bench.v1.subscriptions.retrieve(member.id)
    assert (kept.cancel_at, kept.canceled_at, kept.cancellation_details.reason) == (None, None, None)
    bench.browser.post(f"{path}/cancel/{member.id}", data={"feedback": "too_complex"})
    bench.sandbox.advance(days=32)
    gone = bench.v1.subscriptions.retrieve(member.id)
    assert (gone.status, gone.cancellation_details.feedback) == ("canceled", None)
    assert len(bench.v1.invoices.list().data) == 1


def test_a_configuration_may_end_it_at_once(bench):
    member = bench.member()
    configuration = portal.configured(bench, subscription_cancel={**ON, "mode": "immediately"})
    told = {"type": "hosted_confirmation", "hosted_confirmation": {"custom_message": "So long."}}
    asked = {**portal.flow("subscription_cancel", member), "after_completion": told}
    path = portal.opened(bench, member, asked, configuration)
    assert fields(page(bench.browser.get(path))) == {}
    assert bench.browser.post(path).status_code == 303
    assert bench.v1.subscriptions.retrieve(member.id).status == "canceled"
    over = bench.browser.get(path)
    page(over)
    assert "So long." in over.text
    assert portal.offer(bench, path, VISA).status_code == 200
    assert default_of(bench, member) is None


def test_a_flow_shows_its_page_alone_until_it_is_done(bench):
    member = bench.member()
    path = portal.opened(bench, member, portal.flow("subscription_cancel", member))
    assert portal.offer(bench, path, VISA).status_code == 404
    assert "invoice" not in bench.browser.get(path).text.lower()
    assert bench.browser.post(path, data={}).status_code == 303
    assert "Your cancellation is noted." in bench.browser.get(f"{path}?said=cancel").text
    assert portal.offer(bench, path, VISA).status_code == 303


# plans and details


def test_another_plan_is_chosen_among_those_of_the_configuration(bench):
    member = bench.member()
    prices, feature = portal.changeable(bench, member, 900, 1500)
    foreign = bench.v1.prices.create(
        {"currency": "eur", "product": prices[0].product, "unit_amount": 1, "recurring": {"interval": "year"}}
    )
    path = portal.opened(bench, member, None, portal.configured(bench, **feature))
    shown = page(bench.browser.get(f"{path}/plan/{member.id}"))
    assert [one.get("value") for one in shown.iter("{http://www.w3.org/1999/xhtml}input")] == [
        one.id for one in prices
    ]
    for wrong in ("", foreign.id):
        answer = bench.browser.post(f"{path}/plan/{member.id}", data={"price": wrong})
        assert answer.status_code == 422
    answer = bench.browser.post(f"{path}/plan/{member.id}", data={"price": prices[1].id})
    assert answer.status_code == 303
    assert bench.v1.subscriptions.retrieve(member.id)["items"].data[0].price.id == prices[1].id
    assert "€15.00 every month" in bench.browser.get(path).text


def test_a_change_to_be_confirmed_is_the_one_that_was_asked_for(bench):
    member = bench.member()
    prices, feature = portal.changeable(bench, member, 900, 1500)
    configuration = portal.configured(bench, **feature)
    item = member["items"].data[0].id

    def asked(**item):
        return portal.flow("subscription_update_confirm", member, items=[item])

    for wrong in ({"id": item}, {"id": item, "price": member["items"].data[0].price.id}, {"id": "si_x"}):
        assert refused(portal.session, bench, member, asked(**wrong), configuration).http_status in {400, 404}
    path = portal.opened(bench, member, asked(id=item, price=prices[0].id), configuration)
    assert prices[1].id not in bench.browser.get(path).text
    assert bench.browser.post(path, data={"price": prices[1].id}).status_code == 422
    assert bench.browser.post(path, data={"price": prices[0].id}).status_code == 303
    assert bench.v1.subscriptions.retrieve(member.id)["items"].data[0].price.id == prices[0].id


def test_a_change_that_cannot_be_paid_does_not_happen(bench):
    member = bench.member()
    prices, feature = portal.changeable(bench, member, 900)
    feature["subscription_update"]["proration_behavior"] = "always_invoice"
    path = portal.opened(bench, member, None, portal.configured(bench, **feature))
    bench.control("card", {"subscription": member.id, "card_number": "4000000000000341"})
    bench.sandbox.advance(days=10)
    path = portal.opened(bench, member, None, portal.configured(bench, **feature))
    answer = bench.browser.post(f"{path}/plan/{member.id}", data={"price": prices[0].id})
    assert answer.status_code == 402
    assert "Nothing was changed" in answer.text
    assert bench.v1.subscriptions.retrieve(member.id)["items"].data[0].price.unit_amount == 500
    bench.control("card", {"subscription": member.id, "card_number": VISA})
    assert bench.browser.post(f"{path}/plan/{member.id}", data={"price": prices[0].id}).status_code == 303
    changed = bench.v1.subscriptions.retrieve(member.id, {"expand": ["latest_invoice"]})
    assert changed["items"].data[0].price.unit_amount == 900
    assert (changed.latest_invoice.billing_reason, changed.latest_invoice.status) == (
        "subscription_update",
        "paid",
    )


def test_a_pause_ends_by_itself_or_by_the_member(bench):
    member = bench.member()
    path = portal.opened(bench, member, portal.flow("subscription_pause", member))
    assert "1 month" in page(bench.browser.get(path)).find(".//{http://www.w3.org/1999/xhtml}label").text
    assert bench.browser.post(path, data={"duration": "7"}).status_code == 422
    bench.sandbox.advance(days=10)  # so that coming back costs something
    path = portal.opened(bench, member, portal.flow("subscription_pause", member))
    assert bench.browser.post(path, data={"duration": "0"}).status_code == 303
    assert bench.v1.subscriptions.retrieve(member.id).status == "paused"
    assert bench.browser.post(f"{path}/resume/{member.id}").status_code == 303
    assert came_back(bench, member).amount_paid > 100
    bench.sandbox.advance(days=10)
    path = portal.opened(bench, member)
    assert bench.browser.post(f"{path}/pause/{member.id}", data={"duration": "0"}).status_code == 303
    bench.sandbox.advance(days=27)
    assert bench.v1.subscriptions.retrieve(member.id).status == "paused"
    bench.sandbox.advance(days=5)
    assert came_back(bench, member).amount_paid > 100


def test_a_pause_goes_on_while_nobody_pays_for_its_end(bench):
    member = bench.member()
    bench.sandbox.advance(days=10)
    path = portal.opened(bench, member)
    bench.browser.post(f"{path}/pause/{member.id}", data={"duration": "0"})
    bench.control("card", {"customer": member.customer, "card_number": "4000000000000341"})
    bench.sandbox.advance(days=26)
    path = portal.opened(bench, member)
    assert bench.browser.post(f"{path}/resume/{member.id}").status_code == 303
    bench.sandbox.advance(days=6)  # past the end that was chosen, within the tries
    assert bench.v1.subscriptions.retrieve(member.id).status == "paused"
    assert len(bench.v1.invoices.list({"status": "open"}).data) == 1


def came_back(bench, member):
    """The invoice that was paid, without anybody's doing, for a subscription that runs again."""
    back = bench.v1.subscriptions.retrieve(member.id, {"expand": ["latest_invoice"]})
    bill = back.latest_invoice
    assert (back.status, bill.billing_reason, bill.status) == ("active", "subscription_update", "paid")
    return bill


def test_details_change_as_far_as_the_configuration_lets_them(bench):
    member = bench.member()
    only = portal.configured(bench, customer_update={**ON, "allowed_updates": ["name"]})
    path = portal.opened(bench, member, {"type": "customer_update"}, only)
    assert list(fields(page(bench.browser.get(path)))) == ["name"]
    form = {"name": "ნინო ბ.", "email": "other@example.org"}
    assert bench.browser.post(path, data=form).status_code == 303
    customer = bench.v1.customers.retrieve(member.customer)
    assert (customer.name, customer.email) == ("ნინო ბ.", "nino@example.ge")


def test_the_overview_lists_invoices_by_their_pages(bench):
    member = bench.member()
    bill = bench.v1.invoices.list().data[0]
    assert f'href="{bill.hosted_invoice_url}"' in bench.browser.get(portal.opened(bench, member)).text
