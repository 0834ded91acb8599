"""An account is made ready once; a second run changes nothing, a new list of events or version does what it must."""

import re

import pytest

from membership.billing import account, setup
from membership.billing.gateway import API_VERSION
from membership.billing.setup import Found
from membership.db import db
from membership.domain import plans
from tests import make

pytestmark = [
    pytest.mark.usefixtures("app", "stripe"),
    # another address than the one the pretend Stripe was started for: that one it tells everything by itself
    pytest.mark.settings(BASE_URL="http://127.0.0.1:8111"),
]
HOOK = "http://127.0.0.1:8111/hooks/stripe"


def run(app):
    db.session.commit()
    return app.test_cli_runner().invoke(args=["stripe-setup"])


def at_stripe():
    return account.here().gateway._client.v1


def ours():
    return [one for one in account.here().gateway.endpoints() if one.url == HOOK]


def found():
    db.session.commit()
    return {thing.kind: thing.found for thing in setup.prepare()}


def test_everything_is_made_once_and_the_secret_is_told_once(app):
    make.fundraiser()
    first = run(app)
    assert first.exit_code == 0, first.output
    assert len(re.findall(r"STRIPE_WEBHOOK_SECRET=whsec_\w+", first.output)) == 1
    (endpoint,) = ours()
    assert set(endpoint.events) == set(setup.HANDLED)
    assert endpoint.api_version == API_VERSION
    again = run(app)
    assert again.exit_code == 0, again.output
    assert "whsec" not in again.output
    assert ": made" not in again.output
    assert again.output.count(": there") == 2 + 1 + len(plans.all_plans())
    assert ours() == [endpoint]


def test_the_portal_lets_nobody_change_an_address_or_leave_past_us():
    db.session.commit()
    (portal,) = [thing for thing in setup.prepare() if thing.kind == "portal"]
    made = at_stripe().billing_portal.configurations.retrieve(portal.id)
    on = {name for name, feature in made.features.to_dict().items() if feature["enabled"]}
    assert on == {"payment_method_update", "invoice_history"}
    assert made.login_page.enabled is False


def test_another_list_of_events_changes_the_endpoint_and_so_does_a_hand_in_the_dashboard(monkeypatch):
    assert found()["endpoint"] is Found.MADE
    (before,) = ours()
    for events in (("charge.succeeded", "invoice.paid"), setup.HANDLED, ("charge.succeeded", "invoice.paid")):
        monkeypatch.setattr(setup, "HANDLED", events)
        assert found()["endpoint"] is Found.CHANGED
        assert [(one.id, set(one.events)) for one in ours()] == [(before.id, set(events))]
    at_stripe().webhook_endpoints.update(before.id, {"disabled": True})
    assert found()["endpoint"] is Found.CHANGED
    assert ours()[0].is_enabled


def test_another_version_stands_beside(app):
    old = at_stripe().webhook_endpoints.create({"url": HOOK, "enabled_events": ["charge.succeeded"]})
    done = run(app)
    assert done.exit_code == 0, done.output
    assert f"{old.id} stands beside it" in done.output
    assert {one.api_version for one in ours()} == {None, API_VERSION}
    assert f"{old.id} stands beside it" in run(app).output
    assert len(ours()) == 2


def test_what_was_taken_away_at_stripe_is_made_again():
    first = {thing.kind: thing.id for thing in setup_again()}
    at_stripe().webhook_endpoints.delete(first["endpoint"])
    at_stripe().billing_portal.configurations.update(first["portal"], {"active": False})
    second = {thing.kind: thing for thing in setup_again()}
    assert {kind for kind, thing in second.items() if thing.found is Found.MADE} == {"endpoint", "portal"}
    assert second["endpoint"].secret
    assert second["portal"].id != first["portal"]
    assert set(found().values()) == {Found.THERE}


def setup_again():
    db.session.commit()
    return [thing for thing in setup.prepare() if thing.kind != "product" or thing.id.startswith("gift_")]


def test_an_archived_product_is_told(app):
    setup_again()
    at_stripe().products.update(setup_again()[0].id, {"active": False})
    assert "activate it in the dashboard" in run(app).output
    at_stripe().products.delete(setup_again()[0].id)
    assert "set another STATEMENT_DESCRIPTOR" in run(app).output


@pytest.mark.settings(STRIPE_SECRET_KEY="sk_test_somebody_elses")
def test_a_key_that_stripe_does_not_take_is_a_sentence(app):
    done = run(app)
    assert done.exit_code == 1
    assert "is STRIPE_SECRET_KEY right?" in done.output
    assert "sk_test" not in done.output
    assert "Traceback" not in done.output
