"""What the payer sees and does: the pay page, 3-D Secure, and pages with nothing to pay."""

import re
import threading

import html5lib
import pytest

VISA = "4242424242424242"
DECLINES = {
    "4000000000000002": ("card_declined", "generic_decline"),
    "4000000000000341": ("card_declined", "generic_decline"),
    "4000000000009995": ("card_declined", "insufficient_funds"),
    "4000000000009987": ("card_declined", "lost_card"),
    "4000000000009979": ("card_declined", "stolen_card"),
    "4000000000000069": ("expired_card", "expired_card"),
    "4000000000000127": ("incorrect_cvc", "incorrect_cvc"),
    "4000000000000119": ("processing_error", "processing_error"),
    "4000000000006975": ("card_declined", "card_velocity_exceeded"),
    "4100000000000019": ("card_declined", "fraudulent"),
    "4000000000004954": ("card_declined", "fraudulent"),
}
XHTML = "{http://www.w3.org/1999/xhtml}"


def page(answer):
    """The page, parsed strictly, with what every page must have."""
    parser = html5lib.HTMLParser(strict=True)
    root = parser.parse(answer.get_data(as_text=True))
    assert root.get("lang") == "en"
    assert len(root.findall(f".//{XHTML}h1")) == 1
    assert root.find(f".//{XHTML}title").text.strip()
    assert "TEST MODE" in answer.text
    assert root.findall(f".//{XHTML}script") == []
    labels = {label.get("for") for label in root.findall(f".//{XHTML}label")}
    for field in root.findall(f".//{XHTML}input"):
        assert field.get("id") in labels
        assert field.get("style") is None
    return root


def fields(root):
    return {field.get("name"): field for field in root.findall(f".//{XHTML}input")}


def test_the_page_says_what_is_paid_and_asks_exactly_six_things(bench):
    session = bench.open(amount=123_456)
    answer = bench.browser.get(f"/pay/{session.id}")
    root = page(answer)
    assert session.url == f"http://localhost:8001/pay/{session.id}"
    assert list(fields(root)) == ["email", "name", "card_number", "exp", "cvc", "iban"]
    assert "€1,234.56" in answer.text
    assert "Gift" in answer.text
    assert 'href="http://127.0.0.1:8000/give"' in answer.text
    assert "every month" in bench.browser.get(f"/pay/{bench.open(interval='month').id}").text
    assert "1,500 ISK" in bench.browser.get(f"/pay/{bench.open(amount=150_000, currency='isk').id}").text


def test_the_page_has_a_policy_of_its_own_and_no_script(bench):
    headers = bench.browser.get(f"/pay/{bench.open().id}").headers
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "form-action 'self' http://127.0.0.1:8000;" in policy
    assert "script-src" not in policy
    assert headers["Cache-Control"] == "no-store"


def test_outside_the_euro_there_is_no_bank_debit(bench):
    root = page(bench.browser.get(f"/pay/{bench.open(currency='usd').id}"))
    assert "iban" not in fields(root)
    session = bench.open(excluded_payment_method_types=["sepa_debit"])
    assert bench.pay(session, "", iban="AT611904300234573201").status_code == 422


def test_paying_goes_to_the_success_page_once(bench):
    session = bench.open()
    answer = bench.pay(session, name="  ნინო “Nino” O'Neill-Ğ  ")
    assert (answer.status_code, answer.location) == (303, f"http://127.0.0.1:8000/thanks/x?s={session.id}")
    done = bench.again(session, "payment_intent.latest_charge")
    assert (done.status, done.payment_status, done.url) == ("complete", "paid", None)
    assert done.customer_details.name == "  ნინო “Nino” O'Neill-Ğ  "
    assert done.payment_intent.latest_charge.billing_details.name == "  ნინო “Nino” O'Neill-Ğ  "
    again = bench.pay(session)
    assert (again.status_code, again.location) == (303, answer.location)
    assert bench.control("state")["charges"] == 1
    page(bench.browser.get(f"/pay/{session.id}"))


def test_pressing_sixteen_times_at_once_charges_once(bench):
    session = bench.open()
    answers = []
    threads = [
        threading.Thread(target=lambda: answers.append(bench.pay(session).status_code)) for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [303] * 16
    assert bench.control("state")["charges"] == 1


def test_the_payment_intent_appears_when_the_payer_presses(bench):
    session = bench.open(payment_intent_data={"metadata": {"attempt": "7"}}, metadata={"tenant": "x"})
    assert session.payment_intent is None
    bench.pay(session, "4000000000000002")
    tried = bench.again(session, "payment_intent")
    assert tried.status == "open"
    assert tried.payment_intent.status == "requires_payment_method"
    assert tried.payment_intent.metadata.to_dict() == {"attempt": "7"}
    bench.pay(session)
    charge = bench.charge_of(session)
    assert charge.metadata.to_dict() == {"attempt": "7"}
    assert bench.again(session).metadata.to_dict() == {"tenant": "x"}


@pytest.mark.parametrize("card", DECLINES)
def test_declines_leave_the_session_open_for_another_card(bench, card):
    session = bench.open(customer_creation="always")
    answer = bench.pay(session, card)
    assert answer.status_code == 402
    root = page(answer)
    assert root.find(f".//{XHTML}title").text.startswith("Error: ")
    assert fields(root)["email"].get("value") == "nino@example.ge"
    assert fields(root)["card_number"].get("value") == ""
    error = bench.again(session, "payment_intent").payment_intent.last_payment_error
    assert (error.code, error.decline_code) == DECLINES[card]
    charge = bench.charge_of(session)
    assert (charge.status, charge.paid, charge.balance_transaction) == ("failed", False, None)
    assert bench.control("state")["customers"] == 0
    assert bench.pay(session).status_code == 303
    done = bench.again(session, "payment_intent")
    assert done.payment_intent.last_payment_error is None
    assert len(bench.v1.charges.list({"payment_intent": done.payment_intent.id}).data) == 2
    kinds = bench.events()
    assert kinds.count("payment_intent.created") == 1
    assert (
        kinds.index("charge.failed")
        < kinds.index("payment_intent.payment_failed")
        < kinds.index("charge.succeeded")
    )


def test_blocked_cards_never_reach_the_bank(bench):
    session = bench.open()
    bench.pay(session, "4100000000000019")
    assert bench.charge_of(session).outcome.type == "blocked"


@pytest.mark.parametrize("number", ["4242424242424241", "1234", "ABC", "4111111111111111"])
def test_numbers_that_are_no_test_cards_make_nothing(bench, number):
    session = bench.open()
    answer = bench.pay(session, number)
    assert answer.status_code == 402
    assert number not in answer.text.replace("4242 4242 4242 4242", "")
    assert bench.again(session).payment_intent is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", "nobody"),
        ("email", ""),
        ("email", "a b@example.org"),
        ("name", " "),
        ("card_number", ""),
        ("exp", "13/39"),
        ("exp", "1/20"),
        ("exp", "soon"),
        ("cvc", "12"),
        ("cvc", "1234"),
    ],
)
def test_a_field_to_mend_keeps_the_rest(bench, field, value):
    session = bench.open()
    answer = bench.pay(
        session, **{"email": "nino@example.ge", "name": "Nino", "card": VISA} | _as(field, value)
    )
    assert answer.status_code == 422
    root = page(answer)
    assert fields(root)[field].get("aria-invalid") == "true"
    assert root.find(f".//*[@id='{field}-problem']").text
    if field != "name":
        assert fields(root)["name"].get("value") == "Nino"
    assert bench.again(session).payment_intent is None


def _as(field, value):
    return {"card" if field == "card_number" else field: value}


def test_the_american_card_has_a_code_of_four(bench):
    session = bench.open()
    assert bench.pay(session, "378282246310005").status_code == 422
    assert bench.pay(session, "378282246310005", cvc="1234").status_code == 303
    assert bench.charge_of(session).payment_method_details.card.brand == "amex"


def test_expiry_follows_the_sandbox_clock(bench):
    bench.sandbox.advance(days=3600)
    bench.sandbox.advance(days=3600)
    assert bench.pay(bench.open()).status_code == 422


def test_a_given_address_cannot_be_changed(bench):
    session = bench.open(customer_email="given@example.org")
    assert fields(page(bench.browser.get(f"/pay/{session.id}")))["email"].get("readonly") is not None
    bench.pay(session, email="other@example.org")
    assert bench.again(session).customer_details.email == "given@example.org"
    customer = bench.v1.customers.create({"email": "kept@example.org", "name": "Old"})
    session = bench.open(customer=customer.id, customer_update={"name": "auto"})
    bench.pay(session, email="other@example.org", name="New")
    assert bench.again(session).customer_details.email == "kept@example.org"
    assert bench.v1.customers.retrieve(customer.id).name == "New"


def test_customers_are_made_by_the_rules(bench):
    guest = bench.paid()
    assert guest.customer is None
    assert guest.payment_intent.customer is None
    kept = bench.paid(customer_creation="always", locale="ru")
    customer = bench.v1.customers.retrieve(kept.customer)
    assert (customer.email, customer.name, customer.preferred_locales) == ("nino@example.ge", "ნინო", ["ru"])
    assert kept.payment_intent.latest_charge.customer == customer.id
    assert bench.events("customer.created") == ["customer.created"]


# 3-D Secure


@pytest.mark.parametrize("card", ["4000002760003184", "4000002500003155"])
def test_the_bank_approves(bench, card):
    session = bench.open()
    answer = bench.pay(session, card)
    assert (answer.status_code, answer.location) == (303, f"http://localhost:8001/pay/{session.id}/3ds")
    waiting = bench.again(session, "payment_intent").payment_intent
    assert waiting.status == "requires_action"
    assert waiting.next_action.redirect_to_url.url == answer.location
    root = page(bench.browser.get(f"/pay/{session.id}/3ds"))
    assert [button.get("value") for button in root.findall(f".//{XHTML}button")] == ["approve", "fail"]
    assert bench.answer_bank(session, "approve").status_code == 303
    assert bench.charge_of(session).payment_method_details.card.three_d_secure.result == "authenticated"
    assert bench.answer_bank(session, "approve").location.startswith("http://127.0.0.1:8000/thanks/")
    assert bench.control("state")["charges"] == 1


def test_the_bank_says_no_and_another_card_pays(bench):
    session = bench.open()
    bench.pay(session, "4000002760003184")
    answer = bench.answer_bank(session, "fail")
    assert answer.status_code == 402
    page(answer)
    intent = bench.again(session, "payment_intent").payment_intent
    assert intent.last_payment_error.code == "payment_intent_authentication_failure"
    assert intent.latest_charge is None
    assert bench.browser.get(f"/pay/{session.id}/3ds").status_code == 303
    assert bench.pay(session).status_code == 303


def test_approved_and_then_declined(bench):
    session = bench.open()
    bench.pay(session, "4000008400001629")
    answer = bench.answer_bank(session, "approve")
    assert answer.status_code == 402
    assert bench.charge_of(session).failure_code == "card_declined"
    assert bench.again(session).status == "open"


def test_a_strange_answer_of_the_bank_changes_nothing(bench):
    session = bench.open()
    bench.pay(session, "4000002760003184")
    assert bench.answer_bank(session, "perhaps").status_code == 200
    assert bench.again(session, "payment_intent").payment_intent.status == "requires_action"


# bank debits


def test_a_debit_is_unpaid_until_it_succeeds(bench):
    bench.sandbox.account.clock.stand_at(bench.sandbox.now())  # a debit is a matter of seconds
    session = bench.open()
    assert bench.pay(session, "", iban="at61 1904 3002 3457 3201").status_code == 303
    bench.sandbox.settle()
    waiting = bench.again(session, "payment_intent.latest_charge")
    assert (waiting.status, waiting.payment_status) == ("complete", "unpaid")
    assert waiting.payment_intent.status == "processing"
    charge = waiting.payment_intent.latest_charge
    assert charge.id.startswith("py_")
    assert (charge.status, charge.paid) == ("pending", False)
    bench.sandbox.advance(seconds=4)
    done = bench.again(session, "payment_intent.latest_charge.balance_transaction")
    assert done.payment_status == "paid"
    assert done.payment_intent.latest_charge.balance_transaction.type == "payment"
    kinds = bench.events()
    assert kinds.index("checkout.session.completed") < kinds.index("checkout.session.async_payment_succeeded")


def test_a_debit_fails(bench):
    session = bench.open()
    bench.pay(session, "", iban="AT861904300235473202")
    bench.sandbox.advance(seconds=4)
    failed = bench.again(session, "payment_intent.latest_charge")
    assert (failed.status, failed.payment_status) == ("complete", "unpaid")
    assert failed.payment_intent.latest_charge.status == "failed"
    assert failed.payment_intent.status == "requires_payment_method"
    assert bench.events()[-1] == "checkout.session.async_payment_failed"


@pytest.mark.parametrize(("outcome", "status"), [("succeed", "paid"), ("fail", "unpaid")])
def test_a_slow_debit_is_decided_by_hand_once(bench, outcome, status):
    session = bench.open()
    bench.pay(session, "", iban="AT321904300235473204")
    bench.sandbox.advance(seconds=60)
    intent = bench.again(session).payment_intent
    assert bench.v1.payment_intents.retrieve(intent).status == "processing"
    bench.control("sepa", {"payment_intent": intent, "outcome": outcome})
    assert bench.again(session).payment_status == status
    bench.control("sepa", {"payment_intent": intent, "outcome": "succeed"}, status=400)
    bench.sandbox.advance(days=2)
    assert bench.again(session).payment_status == status


def test_a_disputed_debit_is_lost_at_once(bench):
    bench.pay(bench.open(), "", iban="AT591904300235473203")
    bench.sandbox.advance(seconds=10)
    dispute = bench.v1.disputes.list().data[0]
    assert dispute.status == "lost"
    assert bench.control("state")["disputes"] == 1


def test_an_unknown_account_is_refused(bench):
    session = bench.open()
    assert bench.pay(session, "", iban="DE89370400440532013000").status_code == 402
    assert bench.again(session).payment_intent is None


# nothing to pay


def test_an_expired_session_says_so(bench):
    session = bench.open(after_expiration={"recovery": {"enabled": True}})
    bench.pay(session, "4000000000000002")
    bench.sandbox.advance(days=1)
    expired = bench.again(session, "payment_intent")
    assert (expired.status, expired.url) == ("expired", None)
    assert expired.payment_intent.status == "canceled"
    assert bench.events()[-2:] == ["payment_intent.canceled", "checkout.session.expired"]
    page(bench.browser.get(f"/pay/{session.id}"))
    assert bench.pay(session).status_code == 410
    assert bench.control("state")["charges"] == 0


def test_expiring_by_hand_happens_once(bench):
    session = bench.open()
    assert bench.v1.checkout.sessions.expire(session.id).status == "expired"
    answer = bench.raw("POST", f"/v1/checkout/sessions/{session.id}/expire")
    assert answer.status_code == 400
    bench.sandbox.advance(days=2)
    assert bench.events("checkout.session.expired") == ["checkout.session.expired"]


def test_a_session_past_its_time_takes_no_money_even_before_the_clock_says_so(bench):
    session = bench.open()
    bench.sandbox.account.clock.offset += 90_000
    assert bench.pay(session).status_code == 410
    assert bench.again(session).status == "expired"


def test_an_expired_session_can_be_taken_up_again(bench):
    session = bench.open(after_expiration={"recovery": {"enabled": True}})
    bench.sandbox.advance(days=1)
    recovery = bench.again(session).after_expiration.recovery
    answer = bench.browser.get(recovery.url.removeprefix("http://localhost:8001"))
    assert answer.status_code == 303
    new = re.search(r"cs_test_\w+", answer.location)[0]
    found = bench.v1.checkout.sessions.retrieve(new)
    assert (found.recovered_from, found.status, found.amount_total) == (session.id, "open", 2000)
    assert bench.pay(found).status_code == 303
    assert bench.browser.get(f"/recover/{session.id}_wrong").status_code == 410


@pytest.mark.parametrize(
    "path", ["/", "/pay/cs_test_none", "/pay/../v1/customers", "/nowhere", "/recover/cs_test_x"]
)
def test_other_links_lead_nowhere(bench, path):
    answer = bench.browser.get(path)
    assert answer.status_code == 404
    page(answer)


def test_a_customer_deleted_meanwhile_pays_nothing(bench):
    customer = bench.v1.customers.create({"email": "a@example.org"})
    session, asked = bench.open(customer=customer.id), bench.open(customer=customer.id)
    bench.pay(asked, "4000002760003184")
    bench.v1.customers.delete(customer.id)
    assert bench.pay(session).status_code == 410
    assert bench.answer_bank(asked, "approve").status_code in {200, 303}
    assert bench.control("state")["charges"] == 0
