"""Time, faults, state, restarts, and what this sandbox refuses to be."""

import json
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests
import stripe

from membership.sandbox import ReplyDropped, Sandbox
from membership.sandbox.serve import bind
from tests.sandbox.bench import KEY, Bench

# the clock


def test_the_clock_moves_forward_and_says_where_it_is(bench):
    moved, began = 31 * 86_400 + 5, int(time.time())
    before = bench.control("clock")
    after = bench.control("clock", {"advance_days": 31, "advance_seconds": 5})
    ours, ended = bench.sandbox.now(), int(time.time())
    assert (before["offset"], after["offset"]) == (0, moved)
    assert began <= before["now"] <= after["now"] - moved <= ours - moved <= ended


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"advance_days": 0},
        {"advance_days": -1},
        {"advance_days": "31"},
        {"advance_days": 1.5},
        {"advance_days": True},
        {"advance_days": 99_999},
        {"days": 31},
    ],
)
def test_the_clock_refuses_with_a_sentence(bench, body):
    assert bench.control("clock", body, status=400)["error"].endswith(".")
    assert bench.control("clock")["offset"] == 0


@pytest.mark.parametrize("turn", ["control", "call"])
def test_whole_days_charge_the_renewals_that_fell_due(bench, turn):
    start = int(datetime(2027, 1, 10, 12, tzinfo=UTC).timestamp())
    bench.sandbox.advance(seconds=start - bench.sandbox.now())
    member = bench.member()
    end = member["items"].data[0].current_period_end
    if turn == "control":
        after = bench.control("clock", {"advance_days": 31})
    else:
        bench.sandbox.advance(days=31)
        after = bench.control("clock")
    assert end + 3600 <= after["now"] <= end + 2 * 3600
    assert after["now"] == pytest.approx(bench.sandbox.now(), abs=1)
    assert [bill.status for bill in bench.v1.invoices.list().data] == ["paid", "paid"]
    assert bench.control("state")["charges"] == 2
    assert bench.v1.subscriptions.retrieve(member.id)["items"].data[0].current_period_start == end


def test_seconds_are_exact(bench):
    bench.member()
    bench.sandbox.advance(seconds=31 * 86_400)
    assert bench.control("clock")["offset"] == 31 * 86_400


def test_steps_carry_their_own_time_however_far_the_clock_jumps(bench):
    session = bench.open()
    bench.pay(session)
    started = bench.sandbox.now()
    bench.sandbox.advance(days=100)
    charge = bench.charge_of(session, "balance_transaction")
    assert charge.balance_transaction.created - started in {0, 1}


def test_two_may_turn_the_clock_at_once(bench):
    bench.member()
    threads = [
        threading.Thread(target=lambda: bench.control("clock", {"advance_days": 40})) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    renewals = bench.v1.invoices.list({"limit": 100}).data
    periods = [bill.lines.data[0].period.start for bill in renewals]
    assert len(set(periods)) == len(periods)
    assert all(bill.status in {"paid", "draft"} for bill in renewals)


# who may turn the controls


def test_controls_answer_this_machine_alone(bench):
    answer = bench.browser.get("/_control/state", environ_base={"REMOTE_ADDR": "10.0.0.7"})
    assert answer.status_code == 403
    answer = bench.browser.post("/_control/payout", headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403
    assert (
        bench.browser.get("/_control/state", headers={"Origin": "http://127.0.0.1:8000"}).status_code == 200
    )


def test_controls_refuse_what_they_do_not_understand(bench):
    for data in ("{", "[1]", '"x"'):
        answer = bench.browser.post("/_control/payout", data=data, content_type="application/json")
        assert answer.status_code == 400, data
        assert answer.json["error"].endswith(".")
    bench.control("payout", {"amount": 5}, status=400)
    bench.control("no_such_thing", {}, status=404)
    bench.control("sepa", {"payment_intent": "pi_none", "outcome": "succeed"}, status=400)
    assert bench.browser.put("/_control/clock").status_code == 404
    assert bench.browser.get("/_control/state?shoe=44").status_code == 400


def test_the_state_of_an_empty_account_is_zeros(bench):
    state = bench.control("state")
    assert set(state) == {
        "customers",
        "sessions",
        "charges",
        "charged",
        "refunds",
        "refunded",
        "disputes",
        "subscriptions_live",
        "balance",
    }
    assert set(state.values()) == {0}


# faults


def order(bench, kind, count=1, path="/v1/"):
    bench.control("faults", {"next": count, "kind": kind, "path": path})


def test_a_500_is_kept_under_its_key(bench):
    order(bench, "500", path="/v1/customers")
    key = {"idempotency_key": "k"}
    assert bench.v1.products.create({"name": "Gift"}).name == "Gift"
    for _ in range(2):
        with pytest.raises(stripe.APIError) as caught:
            bench.v1.customers.create({"name": "A"}, key)
        assert caught.value.http_status == 500
    assert caught.value.headers["Idempotent-Replayed"] == "true"
    assert bench.v1.customers.create({"name": "A"}).name == "A"
    assert bench.control("state")["customers"] == 1


def test_the_sdk_gets_past_500s_when_it_only_reads(bench):
    order(bench, "500", count=2)
    assert bench.v1.customers.list().data == []


def test_a_429_did_nothing_and_is_not_kept(bench):
    order(bench, "429")
    key = {"idempotency_key": "k"}
    with pytest.raises(stripe.RateLimitError) as caught:
        bench.v1.customers.create({"name": "A"}, key)
    assert caught.value.error.code == "rate_limit"
    assert bench.v1.customers.create({"name": "A"}, key).name == "A"


@pytest.mark.parametrize("kind", ["timeout_after_commit", "drop_reply"])
def test_a_lost_reply_leaves_the_work_done_and_its_key_finds_it(bench, kind):
    order(bench, kind)
    key = {"idempotency_key": "k"}
    with pytest.raises(stripe.APIConnectionError):
        bench.client(retries=0).v1.customers.create({"name": "A"}, key)
    assert bench.control("state")["customers"] == 1
    assert (
        bench.v1.customers.create({"name": "A"}, key).last_response.headers["Idempotent-Replayed"] == "true"
    )
    assert bench.control("state")["customers"] == 1


def test_a_timeout_leaves_nothing_done(bench):
    order(bench, "timeout")
    with pytest.raises(stripe.APIConnectionError):
        bench.client(retries=0).v1.customers.create({"name": "A"})
    assert bench.control("state")["customers"] == 0


def test_the_sdk_retries_a_lost_reply_under_its_own_key(bench):
    order(bench, "drop_reply")
    assert bench.v1.customers.create({"name": "A"}).name == "A"
    assert bench.control("state")["customers"] == 1


def test_faults_are_counted_and_cleared(bench):
    order(bench, "429", count=5, path="/v1/charges")
    bench.control("faults", {"next": 0})
    assert bench.v1.charges.list().data == []
    for body in ({"next": 1, "kind": "fire"}, {"next": -1}, {"next": 1, "path": "/pay"}, {"many": 1}):
        bench.control("faults", body, status=400)


def test_a_dropped_reply_comes_out_of_the_wsgi_call(bench):
    order(bench, "drop_reply")
    with pytest.raises(ReplyDropped) as caught:
        bench.raw("GET", "/v1/customers")
    assert caught.value.kind == "drop_reply"


# what it refuses to be


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"api_key": "sk_live_abc"}, "live"),
        ({"api_key": "rk_live_abc"}, "live"),
        ({"api_key": ""}, "test key"),
        ({"webhook_url": "https://example.org/hooks"}, "this machine"),
        ({"webhook_url": "http://10.0.0.1/hooks"}, "this machine"),
        ({"public_url": "http://0.0.0.0:8001"}, "this machine"),
        ({"public_url": "https://checkout.stripe.com"}, "this machine"),
    ],
)
def test_it_refuses_live_keys_and_other_machines(settings, word):
    with pytest.raises(ValueError, match=word):
        Sandbox(**settings)


def test_it_serves_no_other_machine(bench):
    with pytest.raises(ValueError, match="this machine alone"):
        bind("0.0.0.0", 0, bench.sandbox)


# restarts


def test_everything_survives_a_restart(tmp_path):
    path = str(tmp_path / "sandbox.sqlite")
    bench = Bench(store=path)
    member = bench.member()
    bench.control("webhooks", {"modes": ["hold"]})
    bench.control("faults", {"next": 2, "kind": "429", "path": "/v1/refunds"})
    made = bench.v1.customers.create({"name": "A"}, {"idempotency_key": "k"})
    bench.sandbox.advance(days=3)
    state, clock = bench.control("state"), bench.control("clock")
    bench.sandbox.close()

    again = Bench(store=path)
    assert again.control("state") == state
    assert again.control("clock")["offset"] == clock["offset"]
    assert again.control("webhooks")["modes"] == ["hold"]
    with pytest.raises(stripe.RateLimitError):
        again.v1.refunds.list()
    again.sandbox.advance(days=1)
    assert again.v1.customers.create({"name": "B"}).id != made.id
    again.control("webhooks/release", {})
    again.sandbox.settle()
    assert [json.loads(body)["type"] for body, _ in again.inbox].count("customer.created") >= 1
    again.sandbox.advance(days=30)
    assert again.v1.invoices.list({"subscription": member.id}).data[0].billing_reason == "subscription_cycle"
    again.sandbox.close()


def test_a_key_survives_a_restart(tmp_path):
    path = str(tmp_path / "sandbox.sqlite")
    bench = Bench(store=path)
    made = bench.v1.customers.create({"name": "A"}, {"idempotency_key": "k"})
    bench.sandbox.close()
    again = Bench(store=path)
    assert again.v1.customers.create({"name": "A"}, {"idempotency_key": "k"}).id == made.id
    again.sandbox.close()


# what the first release did not write yet
SINCE = {
    "subscription": ("status_details", "_since", "_billed", "_pending", "_resumption"),
    "invoice": ("status_details", "_resumes", "_secret"),
}


def as_the_first_release_wrote_it(path):
    with closing(sqlite3.connect(path)) as file:
        for kind, names in SINCE.items():
            for name in names:
                gone = f"json_remove(body, '$.{name}')"
                file.execute(f"UPDATE objects SET body = {gone} WHERE kind = ?", (kind,))
        pages = "json_set(body, '$.hosted_invoice_url', 'http://localhost:8001/invoice/' || id)"
        file.execute(f"UPDATE objects SET body = {pages} WHERE kind = 'invoice'")
        file.execute("DELETE FROM objects WHERE kind = 'webhook_endpoint'")
        file.execute("ALTER TABLE deliveries DROP COLUMN endpoint")
        file.commit()


def test_a_file_of_the_first_release_goes_on(tmp_path):
    path = str(tmp_path / "sandbox.sqlite")
    bench = Bench(store=path)
    member, late = bench.member(), bench.member()
    bench.control("card", {"subscription": late.id, "card_number": "4000000000000341"})
    bench.sandbox.advance(days=32)
    bench.sandbox.close()
    as_the_first_release_wrote_it(path)

    again = Bench(store=path)
    unpaid = again.v1.invoices.list({"subscription": late.id, "status": "open"}).data[0]
    page = unpaid.hosted_invoice_url.removeprefix("http://localhost:8001")
    card = {"card_number": "4242424242424242", "exp": "12/39", "cvc": "123"}
    assert again.browser.post(page, data=card).status_code == 303
    assert again.v1.subscriptions.retrieve(late.id).status == "active"
    # what was charged before is known: a change gives it back
    item = again.v1.subscriptions.retrieve(member.id)["items"].data[0]
    dearer = {"currency": "eur", "product": item.price.product, "unit_amount": 900}
    change = {"id": item.id, "price_data": {**dearer, "recurring": {"interval": "month"}}}
    again.v1.subscriptions.update(
        member.id,
        {
            "items": [change],
            "proration_behavior": "always_invoice",
            "proration_date": item.current_period_start,
        },
    )
    assert again.v1.invoices.list({"subscription": member.id}).data[0].total == 400
    again.sandbox.advance(days=32)
    renewed = again.v1.invoices.list({"subscription": member.id}).data[0]
    assert (renewed.billing_reason, renewed.amount_paid) == ("subscription_cycle", 900)
    again.sandbox.close()


class Receiver:
    """An application that takes webhooks over a real socket."""

    def __init__(self):
        self.kinds = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.kinds.append(json.loads(body)["type"])
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hooks/stripe"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


SERVER = """
import sys
from membership.sandbox import Sandbox
from membership.sandbox.serve import bind
sandbox = Sandbox(sys.argv[1], webhook_url=sys.argv[2], api_key="sk_test_bench", background=True)
server = bind("127.0.0.1", 0, sandbox)
print(server.server_port, flush=True)
server.serve_forever()
"""


def started(path, url):
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER, path, url], stdout=subprocess.PIPE, cwd=Path.cwd()
    )
    port = int(process.stdout.readline())
    return process, f"http://127.0.0.1:{port}"


def ended(process, how):
    process.send_signal(how)
    process.wait(20)
    process.stdout.close()


def test_killed_outright_it_still_has_everything_and_tells_it(tmp_path):
    path, receiver = str(tmp_path / "sandbox.sqlite"), Receiver()
    process, base = started(path, "http://127.0.0.1:9/away")
    auth = {"Authorization": f"Bearer {KEY}", "Idempotency-Key": "k"}
    made = requests.post(f"{base}/v1/customers", data={"name": "A"}, headers=auth, timeout=60).json()
    ended(process, signal.SIGKILL)
    process, base = started(path, receiver.url)
    again = requests.post(f"{base}/v1/customers", data={"name": "A"}, headers=auth, timeout=60).json()
    assert again["id"] == made["id"]
    until = time.monotonic() + 60
    while time.monotonic() < until and receiver.kinds.count("customer.created") < 2:
        time.sleep(0.1)
    ended(process, signal.SIGKILL)
    receiver.close()
    assert receiver.kinds == ["customer.created"] * 2


def test_served_for_real_a_dropped_reply_closes_the_socket(bench):
    server = bind("127.0.0.1", 0, bench.sandbox)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    base = f"http://127.0.0.1:{server.server_port}"
    auth = {"Authorization": f"Bearer {KEY}"}
    try:
        assert requests.get(f"{base}/v1/customers", headers=auth, timeout=60).status_code == 200
        order(bench, "drop_reply")
        with pytest.raises(requests.ConnectionError):
            requests.post(f"{base}/v1/customers", data={"name": "A"}, headers=auth, timeout=60)
        order(bench, "timeout")
        with pytest.raises(requests.Timeout):
            requests.post(f"{base}/v1/customers", data={"name": "B"}, headers=auth, timeout=(1, 1))
        assert requests.get(f"{base}/_control/state", timeout=60).json()["customers"] == 1
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
