"""Calls and refusals as the SDK sees them: errors, keys, lists, expanding, versions."""

import base64
import json
import threading

import pytest
import stripe

from tests.sandbox.bench import KEY, SUCCESS_URL

SESSIONS = "/v1/checkout/sessions"


def refused(call, *args, **kwargs):
    with pytest.raises(stripe.InvalidRequestError) as caught:
        call(*args, **kwargs)
    return caught.value


# who may call, and how


def test_a_wrong_key_and_no_key_are_401(bench):
    with pytest.raises(stripe.AuthenticationError, match="Invalid API Key provided: sk_test_"):
        bench.client("sk_test_somebody_else").v1.customers.list()
    assert bench.browser.get("/v1/customers").status_code == 401


def test_basic_auth_works_too(bench):
    token = base64.b64encode(f"{KEY}:".encode()).decode()
    assert bench.browser.get("/v1/customers", headers={"Authorization": f"Basic {token}"}).status_code == 200
    assert bench.browser.get("/v1/customers", headers={"Authorization": "Basic !!"}).status_code == 401


def test_the_version_is_echoed_and_another_one_refused(bench):
    good = bench.raw("GET", "/v1/customers", {"Stripe-Version": "2026-10-28.endive"})
    assert good.headers["Stripe-Version"] == "2026-10-28.endive"
    assert bench.raw("GET", "/v1/customers", {"Stripe-Version": "2020-08-27"}).status_code == 400


def test_connected_accounts_do_not_exist(bench):
    assert bench.raw("GET", "/v1/customers", {"Stripe-Account": "acct_1"}).status_code == 403


def test_an_unknown_address_is_404(bench):
    error = refused(bench.api.raw_request, "get", "/v1/no_such_things")
    assert "Unrecognized request URL (GET: /v1/no_such_things)" in str(error)


def test_an_id_cannot_climb_out_of_its_path(bench):
    assert refused(bench.v1.customers.retrieve, "../charges").http_status == 404


def test_headers_of_a_post(bench):
    made = bench.v1.customers.create({"email": "a@example.org"}, {"idempotency_key": "k1"})
    headers = made.last_response.headers
    assert headers["Request-Id"].startswith("req_")
    assert headers["Original-Request"] == headers["Request-Id"]
    assert headers["Idempotency-Key"] == "k1"
    assert headers["Stripe-Should-Retry"] == "false"
    assert "Idempotent-Replayed" not in headers


def test_json_bodies_are_refused(bench):
    assert bench.raw("POST", "/v1/customers", json={"email": "a@example.org"}).status_code == 400


# parameters


@pytest.mark.parametrize(
    ("query", "code", "param"),
    [
        ("limit=0", "parameter_invalid_integer", "limit"),
        ("limit=101", "parameter_invalid_integer", "limit"),
        ("limit=ten", "parameter_invalid_integer", "limit"),
        ("limit=", "parameter_invalid_empty", "limit"),
        ("limit[a]=1", "parameter_invalid_integer", "limit"),
        ("shoe_size=44", "parameter_unknown", "shoe_size"),
        ("created[around]=1", "parameter_unknown", "created[around]"),
        ("starting_after=cus_none", "resource_missing", "starting_after"),
    ],
)
def test_lists_refuse_what_stripe_refuses(bench, query, code, param):
    answer = bench.raw("GET", f"/v1/customers?{query}")
    assert answer.status_code == (404 if code == "resource_missing" else 400)
    assert (answer.json["error"]["code"], answer.json["error"]["param"]) == (code, param)
    assert answer.json["error"]["type"] == "invalid_request_error"
    assert answer.json["error"]["request_log_url"].endswith(answer.headers["Request-Id"])
    assert code.replace("_", "-") in answer.json["error"]["doc_url"]


def session_with(bench, **changes):
    params = {"mode": "payment", "success_url": SUCCESS_URL, "line_items": [bench.price()], **changes}
    return {key: value for key, value in params.items() if value is not None}


@pytest.mark.parametrize(
    ("changes", "code", "param"),
    [
        ({"success_url": None}, "parameter_missing", "success_url"),
        ({"mode": None}, "parameter_missing", "mode"),
        ({"line_items": None}, "parameter_missing", "line_items"),
        ({"mode": "setup"}, None, "mode"),
        (
            {"payment_method_types": ["card"]},
            "payment_method_types_no_longer_supported",
            "payment_method_types",
        ),
        ({"ui_mode": "hosted"}, None, "ui_mode"),
        ({"ui_mode": "embedded"}, None, "ui_mode"),
        ({"locale": "ka"}, None, "locale"),
        ({"locale": "hy"}, None, "locale"),
        ({"submit_type": "give"}, None, "submit_type"),
        ({"submit_type": "subscribe"}, None, "submit_type"),
        ({"customer": "cus_none"}, "resource_missing", "customer"),
        ({"customer_email": "not an address"}, None, "customer_email"),
        ({"customer_update": {"name": "auto"}}, None, "customer_update"),
        ({"subscription_data": {"metadata": {"a": "b"}}}, None, "subscription_data"),
        ({"payment_method_collection": "always"}, None, "payment_method_collection"),
        ({"success_url": "/thanks"}, None, "success_url"),
        ({"client_reference_id": "a b"}, None, "client_reference_id"),
        ({"expires_at": "soon"}, "parameter_invalid_integer", "expires_at"),
        ({"metadata": {"k" * 41: "v"}}, None, "metadata"),
        ({"metadata": {"k": "v" * 501}}, None, "metadata[k]"),
        ({"metadata": {f"k{n}": "v" for n in range(51)}}, None, "metadata"),
        ({"payment_intent_data": {"invoice": "in_1"}}, "parameter_unknown", "payment_intent_data[invoice]"),
        (
            {"payment_intent_data": {"statement_descriptor": "PRESSFUND"}},
            None,
            "payment_intent_data[statement_descriptor]",
        ),
        (
            {"payment_intent_data": {"statement_descriptor_suffix": "12345"}},
            None,
            "payment_intent_data[statement_descriptor_suffix]",
        ),
        (
            {"payment_intent_data": {"statement_descriptor_suffix": "a*b"}},
            None,
            "payment_intent_data[statement_descriptor_suffix]",
        ),
        ({"discounts": [{"coupon": "x"}]}, "parameter_unknown", "discounts"),
        ({"managed_payments": {"enabled": True}}, None, "managed_payments[enabled]"),
        ({"excluded_payment_method_types": ["card", "sepa_debit"]}, None, "excluded_payment_method_types"),
        (
            {"line_items": [{"price": "price_none", "quantity": 1}]},
            "resource_missing",
            "line_items[0][price]",
        ),
    ],
)
def test_sessions_refuse_what_stripe_refuses(bench, changes, code, param):
    error = refused(bench.v1.checkout.sessions.create, session_with(bench, **changes))
    assert (error.code, error.param) == (code, param)
    assert bench.control("state")["sessions"] == 0


@pytest.mark.parametrize(
    ("item", "code", "param"),
    [
        ({"quantity": 1}, "parameter_missing", "line_items[0][price]"),
        (
            {"price": "p", "price_data": {"currency": "eur"}, "quantity": 1},
            "parameters_exclusive",
            "line_items[0][price]",
        ),
        (
            {"price_data": {"currency": "eur", "unit_amount": 500, "product_data": {"name": "x"}}},
            "parameter_missing",
            "line_items[0][quantity]",
        ),
        (
            {"price_data": {"currency": "eur", "product_data": {"name": "x"}}, "quantity": 1},
            "parameter_missing",
            "line_items[0][price_data][unit_amount]",
        ),
        (
            {"price_data": {"unit_amount": 500, "product_data": {"name": "x"}}, "quantity": 1},
            "parameter_missing",
            "line_items[0][price_data][currency]",
        ),
        (
            {"price_data": {"currency": "eur", "unit_amount": 500}, "quantity": 1},
            "parameter_missing",
            "line_items[0][price_data][product]",
        ),
        (
            {
                "price_data": {"currency": "EUR", "unit_amount": 500, "product_data": {"name": "x"}},
                "quantity": 1,
            },
            None,
            "line_items[0][price_data][currency]",
        ),
        (
            {
                "price_data": {"currency": "eur", "unit_amount": "5.00", "product_data": {"name": "x"}},
                "quantity": 1,
            },
            "parameter_invalid_integer",
            "line_items[0][price_data][unit_amount]",
        ),
        (
            {
                "price_data": {"currency": "eur", "unit_amount": -5, "product_data": {"name": "x"}},
                "quantity": 1,
            },
            "parameter_invalid_integer",
            "line_items[0][price_data][unit_amount]",
        ),
    ],
)
def test_line_items_refuse_what_stripe_refuses(bench, item, code, param):
    error = refused(bench.v1.checkout.sessions.create, session_with(bench, line_items=[item]))
    assert (error.code, error.param) == (code, param)


def test_modes_and_recurring_prices_must_agree(bench):
    error = refused(
        bench.v1.checkout.sessions.create, session_with(bench, line_items=[bench.price(interval="month")])
    )
    assert "recurring" in str(error)
    error = refused(bench.v1.checkout.sessions.create, session_with(bench, mode="subscription"))
    assert "at least one recurring price" in str(error)
    error = refused(
        bench.v1.checkout.sessions.create,
        session_with(
            bench, mode="subscription", line_items=[bench.price(interval="month")], customer_creation="always"
        ),
    )
    assert error.param == "customer_creation"


def test_a_customer_and_an_email_exclude_each_other(bench):
    made = bench.v1.customers.create({"email": "a@example.org"})
    both = session_with(bench, customer=made.id, customer_email="a@example.org")
    assert refused(bench.v1.checkout.sessions.create, both).code == "parameters_exclusive"


@pytest.mark.parametrize(
    ("currency", "amount", "code"),
    [
        ("eur", 49, "amount_too_small"),
        ("eur", 50, None),
        ("usd", 50, "amount_too_small"),  # worth 0.46 euros, and euros are what counts
        ("usd", 55, None),
        ("gel", 140, "amount_too_small"),
        ("gel", 149, None),
        ("eur", 99_999_999, None),
        ("eur", 100_000_000, "amount_too_large"),
        ("jpy", 82, "amount_too_small"),
        ("jpy", 83, None),
        ("isk", 10_050, "invalid_charge_amount"),
        ("isk", 10_000, None),
        ("ugx", 500_001, "invalid_charge_amount"),
        ("kwd", 5_005, "invalid_charge_amount"),
        ("kwd", 5_010, None),
    ],
)
def test_amounts_have_stripes_limits(bench, currency, amount, code):
    params = session_with(bench, line_items=[bench.price(amount, currency)])
    if code is None:
        assert bench.v1.checkout.sessions.create(params).amount_total == amount
    else:
        assert refused(bench.v1.checkout.sessions.create, params).code == code


@pytest.mark.parametrize(("ahead", "fits"), [(1799, False), (1801, True), (86_399, True), (86_402, False)])
def test_a_session_lives_half_an_hour_to_a_day(bench, ahead, fits):
    params = session_with(bench, expires_at=bench.sandbox.now() + ahead)
    if fits:
        assert bench.v1.checkout.sessions.create(params).expires_at == params["expires_at"]
    else:
        assert refused(bench.v1.checkout.sessions.create, params).param == "expires_at"


@pytest.mark.parametrize(
    "text", ["ABCD", "x" * 23, "12345", "a<bcd", "a'bcd", 'a"bcd', "a*bcd", "a\\bcd", "აბგდე"]
)
def test_statement_descriptors_have_rules(bench, text):
    error = refused(bench.v1.products.create, {"name": "Gift", "statement_descriptor": text})
    assert error.param == "statement_descriptor"


def test_nested_brackets_in_every_spelling(bench):
    pairs = {
        "mode": "payment",
        "success_url": SUCCESS_URL,
        "line_items%5B0%5D%5Bprice_data%5D%5Bcurrency%5D": "eur",
        "line_items[0][price_data][unit_amount]": "700",
        "line_items[0][price_data][product_data][name]": "ქართული & co",
        "line_items[0][quantity]": "2",
        "expand[]": "line_items",
    }
    body = "&".join(f"{key}={value}".replace(" & ", "%20%26%20") for key, value in pairs.items())
    answer = bench.raw("POST", SESSIONS, data=body.encode(), content_type="application/x-www-form-urlencoded")
    assert answer.status_code == 200, answer.text
    assert answer.json["amount_total"] == 1400
    assert answer.json["line_items"]["data"][0]["description"] == "ქართული & co"


def test_broken_nesting_is_refused(bench):
    for body in ("metadata=x&metadata[a]=b", "metadata[a]=b&metadata=x", "metadata[a][b]=c", "metadata=x"):
        answer = bench.raw(
            "POST", "/v1/customers", data=body, content_type="application/x-www-form-urlencoded"
        )
        assert answer.status_code == 400, body


# idempotency


def test_a_key_replays_its_first_reply(bench):
    key = {"idempotency_key": "gift-1"}
    first = bench.v1.customers.create({"email": "a@example.org"}, key)
    again = bench.v1.customers.create({"email": "a@example.org"}, key)
    assert again.id == first.id
    assert again.last_response.headers["Idempotent-Replayed"] == "true"
    assert again.last_response.headers["Original-Request"] == first.last_response.headers["Request-Id"]
    assert bench.control("state")["customers"] == 1


def test_a_key_belongs_to_its_parameters_and_its_path(bench):
    key = {"idempotency_key": "gift-1"}
    bench.v1.customers.create({"email": "a@example.org"}, key)
    with pytest.raises(stripe.IdempotencyError, match="same parameters"):
        bench.v1.customers.create({"email": "b@example.org"}, key)
    with pytest.raises(stripe.IdempotencyError, match="same endpoint"):
        bench.v1.products.create({"name": "Gift"}, key)
    assert bench.control("state")["customers"] == 1


def test_a_key_is_forgotten_after_a_day_of_sandbox_time(bench):
    key = {"idempotency_key": "gift-1"}
    first = bench.v1.customers.create({"email": "a@example.org"}, key)
    bench.sandbox.advance(seconds=86_000)
    assert bench.v1.customers.create({"email": "a@example.org"}, key).id == first.id
    bench.sandbox.advance(seconds=800)
    assert bench.v1.customers.create({"email": "a@example.org"}, key).id != first.id


def test_a_refusal_before_the_work_does_not_use_the_key_up(bench):
    key = {"idempotency_key": "gift-1"}
    assert refused(bench.v1.customers.create, {"shoe_size": 44}, key).code == "parameter_unknown"
    assert bench.v1.customers.create({"email": "a@example.org"}, key).email == "a@example.org"


def test_a_refusal_of_the_work_is_kept(bench):
    key = {"idempotency_key": "gift-1"}
    params = {"charge": "ch_none"}
    first = refused(bench.v1.refunds.create, params, key)
    again = refused(bench.v1.refunds.create, params, key)
    assert again.http_status == 404
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.headers["Original-Request"] == first.headers["Request-Id"]


def test_a_key_of_256_letters_is_refused(bench):
    with pytest.raises(stripe.IdempotencyError, match="255"):
        bench.v1.customers.create({"email": "a@example.org"}, {"idempotency_key": "k" * 256})


def test_two_at_once_under_one_key_make_one_and_a_409(bench):
    """The first is held inside its work while the second knocks."""
    inside, go_on = threading.Event(), threading.Event()
    announce = bench.sandbox.account.announce

    def slowly(event):
        inside.set()
        assert go_on.wait(10)
        announce(event)

    bench.sandbox.account.announce = slowly
    made = []
    first = threading.Thread(
        target=lambda: made.append(bench.v1.customers.create({"name": "A"}, {"idempotency_key": "k"}))
    )
    first.start()
    assert inside.wait(10)
    with pytest.raises(stripe.APIError) as caught:
        bench.client(retries=0).v1.customers.create({"name": "A"}, {"idempotency_key": "k"})
    go_on.set()
    first.join()
    assert caught.value.http_status == 409
    assert caught.value.error.code == "idempotency_key_in_use"
    assert caught.value.headers["Stripe-Should-Retry"] == "true"
    assert bench.v1.customers.create({"name": "A"}, {"idempotency_key": "k"}).id == made[0].id


def test_sixteen_threads_and_one_key_make_one_customer(bench):
    answers = []

    def knock():
        answer = bench.raw("POST", "/v1/customers", {"Idempotency-Key": "k"}, data={"name": "A"})
        answers.append((answer.status_code, answer.json.get("id")))

    threads = [threading.Thread(target=knock) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {status for status, _ in answers} <= {200, 409}
    assert len({ident for status, ident in answers if status == 200}) == 1
    assert bench.control("state")["customers"] == 1


# lists and expanding


def test_lists_page_through_newest_first(bench):
    made = [bench.v1.customers.create({"name": str(n)}).id for n in range(23)]
    page = bench.v1.customers.list({"limit": 10})
    assert [one.id for one in page.data] == made[:-11:-1]
    assert page.has_more
    assert [one.id for one in page.auto_paging_iter()] == made[::-1]
    older = bench.v1.customers.list({"limit": 10, "starting_after": page.data[-1].id})
    back = bench.v1.customers.list({"limit": 10, "ending_before": older.data[0].id})
    assert [one.id for one in back.data] == [one.id for one in page.data]
    assert not back.has_more
    assert bench.v1.customers.list({"limit": 10, "ending_before": older.data[5].id}).has_more
    assert len(bench.v1.customers.list().data) == 10


def test_line_items_page_in_the_order_given(bench):
    items = [bench.price(amount) for amount in range(100, 113)]
    session = bench.open(line_items=items)
    listed = bench.v1.checkout.sessions.line_items.list(session.id, {"limit": 5})
    assert [one.amount_total for one in listed.auto_paging_iter()] == list(range(100, 113))
    third = bench.v1.checkout.sessions.line_items.list(
        session.id, {"limit": 3, "ending_before": listed.data[4].id}
    )
    assert [one.amount_total for one in third.data] == [101, 102, 103]
    assert third.has_more


def test_lists_narrow_by_time_and_email(bench):
    bench.v1.customers.create({"email": "a@example.org"})
    bench.sandbox.advance(seconds=100)
    later = bench.v1.customers.create({"email": "b@example.org"})
    since = bench.v1.customers.list({"created": {"gte": later.created}})
    assert [one.email for one in since.data] == ["b@example.org"]
    assert [one.email for one in bench.v1.customers.list({"email": "a@example.org"}).data] == [
        "a@example.org"
    ]
    assert len(bench.v1.customers.list({"created": {"lt": later.created}}).data) == 1


def test_expanding_needs_known_paths_of_four_levels(bench):
    session = bench.paid()
    found = bench.again(
        session, "line_items.data.price.product", "payment_intent.latest_charge.balance_transaction"
    )
    assert found.line_items.data[0].price.product.name == "Gift"
    assert found.payment_intent.latest_charge.balance_transaction.fee == 55
    for path in (
        "shoe_size",
        "payment_intent.charges",
        "payment_intent.invoice",
        "data.customer",
        "amount_total",
    ):
        assert "cannot be expanded" in str(refused(bench.again, session, path))
    deep = "payment_intent.latest_charge.balance_transaction.source.payment_intent"
    assert "more than 4 levels" in str(refused(bench.again, session, deep))
    listed = bench.v1.checkout.sessions.list({"expand": ["data.payment_intent"]})
    assert listed.data[0].payment_intent.status == "succeeded"
    assert "cannot be expanded" in str(
        refused(bench.v1.checkout.sessions.list, {"expand": ["payment_intent"]})
    )


def test_a_wrong_path_is_refused_also_where_nothing_stands(bench):
    session = bench.open()
    assert session.payment_intent is None
    assert bench.again(session, "payment_intent.latest_charge").payment_intent is None
    assert "cannot be expanded" in str(refused(bench.again, session, "payment_intent.charges"))


def test_refunds_of_a_charge_appear_only_when_asked(bench):
    charge = bench.charge_of(bench.paid())
    assert "refunds" not in charge
    bench.v1.refunds.create({"charge": charge.id, "amount": 500})
    assert bench.v1.charges.retrieve(charge.id, {"expand": ["refunds"]}).refunds.data[0].amount == 500


# events read back


def test_events_narrow_by_type_and_delivery(bench):
    bench.control("webhooks", {"modes": []})
    bench.paid()
    bench.control("webhooks", {"modes": ["drop"]})
    bench.v1.customers.create({"email": "a@example.org"})
    bench.sandbox.settle()
    assert [one.type for one in bench.v1.events.list({"delivery_success": False}).data] == [
        "customer.created"
    ]
    assert "charge.succeeded" in bench.events("charge.succeeded", "charge.failed")
    assert {one.type for one in bench.v1.events.list({"type": "charge.*"}).data} == {
        "charge.succeeded",
        "charge.updated",
    }
    assert refused(bench.v1.events.list, {"types": [f"a.{n}" for n in range(21)]}).http_status == 400
    missed = bench.last_event("customer.created")
    assert (missed.pending_webhooks, bench.last_event("charge.updated").pending_webhooks) == (1, 0)


def test_events_are_kept_for_thirty_days(bench):
    bench.v1.customers.create({"email": "a@example.org"})
    event = bench.last_event("customer.created")
    bench.sandbox.advance(days=31)
    assert bench.v1.events.list().data == []
    assert refused(bench.v1.events.retrieve, event.id).code == "resource_missing"


def test_an_event_names_the_request_that_made_it(bench):
    made = bench.v1.customers.create({"email": "a@example.org"}, {"idempotency_key": "k9"})
    event = bench.last_event("customer.created")
    assert event.request.idempotency_key == "k9"
    assert event.request.id == made.last_response.headers["Request-Id"]
    bench.paid()
    assert bench.last_event("charge.succeeded").request.id is None


# customers, products, prices


def test_a_deleted_customer_leaves_a_stub(bench):
    made = bench.v1.customers.create({"email": "a@example.org"})
    assert bench.v1.customers.delete(made.id).deleted
    stub = json.loads(str(bench.v1.customers.retrieve(made.id)))
    assert stub == {"id": made.id, "object": "customer", "deleted": True}
    assert bench.v1.customers.list().data == []
    assert refused(bench.v1.customers.update, made.id, {"name": "A"}).code == "resource_missing"
    assert bench.events()[-1] == "customer.deleted"


def test_metadata_merges_and_clears(bench):
    made = bench.v1.customers.create({"metadata": {"a": "1", "b": "2"}})
    changed = bench.v1.customers.update(made.id, {"metadata": {"a": "", "c": "3"}})
    assert changed.metadata.to_dict() == {"b": "2", "c": "3"}
    event = bench.last_event("customer.updated")
    assert event.data.previous_attributes["metadata"].to_dict() == {"a": "1", "c": None}
    assert bench.v1.customers.update(made.id, {"metadata": ""}).metadata.to_dict() == {}


def test_nothing_changed_says_nothing(bench):
    made = bench.v1.customers.create({"name": "A"})
    bench.v1.customers.update(made.id, {"name": "A"})
    assert bench.events() == ["customer.created"]


def test_products_and_prices(bench):
    product = bench.v1.products.create({"name": "Membership", "statement_descriptor": "PRESSFUND CLUB"})
    price = bench.v1.prices.create(
        {
            "product": product.id,
            "currency": "eur",
            "unit_amount": 500,
            "recurring": {"interval": "month"},
            "lookup_key": "m",
        }
    )
    assert bench.v1.prices.list({"lookup_keys": ["m"], "active": True}).data[0].id == price.id
    assert refused(
        bench.v1.prices.create,
        {"product": product.id, "currency": "eur", "lookup_key": "m", "unit_amount": 1},
    )
    assert refused(bench.v1.products.delete, product.id).http_status == 400
    bench.v1.prices.update(price.id, {"active": False})
    error = refused(
        bench.v1.checkout.sessions.create,
        session_with(bench, mode="subscription", line_items=[{"price": price.id, "quantity": 1}]),
    )
    assert error.param == "line_items[0][price]"
    assert bench.v1.prices.list({"product": product.id, "active": True}).data == []


def test_the_webhook_endpoint_can_be_read(bench):
    found = bench.v1.webhook_endpoints.list().data[0]
    assert (found.status, found.enabled_events) == ("enabled", ["*"])
    assert bench.v1.webhook_endpoints.retrieve(found.id).url == "http://127.0.0.1:8000/hooks/stripe"
