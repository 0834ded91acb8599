"""Payment methods by the API: attached, made default, detached, updated."""

import pytest
import stripe

from tests.sandbox import portal


def customer(bench):
    return bench.v1.customers.create({"email": "a@example.org", "name": "Anna"}).id


def test_a_method_is_attached_made_default_and_detached(bench):
    owner = customer(bench)
    method = bench.v1.payment_methods.attach("pm_card_visa", {"customer": owner})
    assert method.id != "pm_card_visa"
    assert method.customer == owner
    default = {"invoice_settings": {"default_payment_method": method.id}}
    assert bench.v1.customers.update(owner, default).invoice_settings.default_payment_method == method.id
    assert bench.v1.payment_methods.detach(method.id).customer is None
    assert bench.v1.customers.retrieve(owner).invoice_settings.default_payment_method is None
    event = bench.last_event("payment_method.detached")
    assert event.data.previous_attributes["customer"] == owner
    assert bench.v1.payment_methods.list({"customer": owner}).data == []
    for call, params in (("attach", {"customer": owner}), ("detach", {})):
        with pytest.raises(stripe.InvalidRequestError):
            getattr(bench.v1.payment_methods, call)(method.id, params)


def test_a_method_belongs_to_one_customer(bench):
    one, other = customer(bench), customer(bench)
    method = bench.v1.payment_methods.attach("pm_card_mastercard", {"customer": one})
    assert bench.v1.payment_methods.attach(method.id, {"customer": one}).customer == one
    with pytest.raises(stripe.InvalidRequestError, match="already been attached"):
        bench.v1.payment_methods.attach(method.id, {"customer": other})
    with pytest.raises(stripe.InvalidRequestError) as caught:
        bench.v1.customers.update(other, {"invoice_settings": {"default_payment_method": method.id}})
    assert caught.value.code == "resource_missing"
    used = bench.charge_of(bench.paid()).payment_method
    with pytest.raises(stripe.InvalidRequestError, match="previously used without being attached"):
        bench.v1.payment_methods.attach(used, {"customer": one})


def test_what_the_bank_refuses_is_attached_to_nobody(bench):
    owner = customer(bench)
    with pytest.raises(stripe.CardError) as caught:
        bench.v1.payment_methods.attach("pm_card_chargeDeclined", {"customer": owner})
    assert (caught.value.code, caught.value.error.decline_code) == ("card_declined", "generic_decline")
    assert bench.v1.payment_methods.list({"customer": owner}).data == []
    kept = bench.v1.payment_methods.attach("pm_card_chargeCustomerFail", {"customer": owner})
    assert kept.card.last4 == "0341"


def test_a_detached_method_is_no_subscriptions_own_any_more(bench):
    member = bench.member()
    bench.v1.payment_methods.detach(member.default_payment_method)
    assert bench.v1.subscriptions.retrieve(member.id).default_payment_method is None
    portal.offer(bench, portal.opened(bench, member), "5555555555554444")
    bench.sandbox.advance(days=31)
    paid = bench.v1.charges.list({"customer": member.customer}).data[0]
    assert (paid.status, paid.payment_method_details.card.last4) == ("succeeded", "4444")


def test_a_method_is_updated_where_it_is_somebodys(bench):
    method = bench.v1.payment_methods.attach("pm_card_visa", {"customer": customer(bench)})
    changes = {
        "billing_details": {"name": "Anna", "address": {"country": "GE"}},
        "card": {"exp_month": 3, "exp_year": 2044},
        "metadata": {"a": "b"},
    }
    changed = bench.v1.payment_methods.update(method.id, changes)
    assert (changed.billing_details.name, changed.billing_details.address.country) == ("Anna", "GE")
    assert (changed.card.exp_month, changed.card.exp_year, changed.card.last4) == (3, 2044, "4242")
    assert bench.events()[-1] == "payment_method.updated"
    bench.v1.payment_methods.detach(method.id)
    with pytest.raises(stripe.InvalidRequestError, match="save this PaymentMethod"):
        bench.v1.payment_methods.update(method.id, changes)
