"""Stripe's events as they come in: a real one's shape, each with ids of its own, signed now."""

import hashlib
import hmac
import json
import time

EVENT_ID = "evt_benchmark"
OBJECT_ID = "ch_benchmark"


def template() -> str:
    """A `charge.succeeded` of the pretend Stripe, whole, with ids that can be put in place of."""
    from tests.sandbox.bench import Bench

    bench = Bench()
    try:
        bench.paid()
        bodies = [body.decode() for body, _ in bench.inbox]
    finally:
        bench.sandbox.close()
    body = next(body for body in bodies if json.loads(body)["type"] == "charge.succeeded")
    event = json.loads(body)
    return body.replace(event["id"], EVENT_ID).replace(event["data"]["object"]["id"], OBJECT_ID)


def posts(*, template: str, path: str, secret: str, first: int, count: int, livemode: bool) -> list[bytes]:
    """Whole requests: event number `first` and those after it, every one about an object of its own."""
    made = []
    if livemode:
        template = template.replace('"livemode": false', '"livemode": true')
    moment = str(int(time.time()))
    for number in range(first, first + count):
        body = (
            template.replace(EVENT_ID, f"evt_{number:014d}").replace(OBJECT_ID, f"ch_{number:014d}").encode()
        )
        signed = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
        made.append(
            (
                f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json; charset=utf-8\r\n"
                f"Stripe-Signature: t={moment},v1={signed}\r\nContent-Length: {len(body)}\r\n\r\n"
            ).encode()
            + body
        )
    return made
