"""Every call the pretend Stripe answers: its address, what it takes, who answers, what comes back."""

import re
from collections.abc import Callable
from typing import NamedTuple

from membership.sandbox import (
    balance_calls,
    catalogue,
    customer_balance,
    customers,
    disputes,
    endpoints,
    events,
    invoice_calls,
    listing,
    method_calls,
    pausing,
    payment_calls,
    payments,
    portal,
    portal_configurations,
    portal_parameters,
    previews,
    refunds,
    session_parameters,
    sessions,
    setup_intents,
    subscription_creation,
    subscription_parameters,
    subscriptions,
)
from membership.sandbox.listing import Page
from membership.sandbox.parameters import Shape, takes
from membership.sandbox.store import Object

PLAIN = takes()
NOTHING = Shape()
Run = Callable[..., Object | Page]


class Route(NamedTuple):
    """`kind` is what comes back: one object of it, or a list when `many`."""

    method: str
    path: str
    kind: str
    takes: Shape
    run: Run
    many: bool = False

    def match(self, path: str) -> tuple[str, ...] | None:
        found = re.fullmatch(re.sub(r"<\w+>", "([^/]+)", self.path), path)
        return found.groups() if found else None


def _read(path: str, kind: str, run: Run) -> Route:
    return Route("GET", f"{path}/<id>", kind, PLAIN, run)


def _list(path: str, kind: str, shape: Shape, run: Run) -> Route:
    return Route("GET", path, kind, shape, run, many=True)


ROUTES = (
    Route("POST", "/v1/customers", "customer", customers.CREATE, customers.create),
    _list("/v1/customers", "customer", customers.LIST, customers.catalogue),
    _read("/v1/customers", "customer", customers.retrieve),
    Route("POST", "/v1/customers/<id>", "customer", customers.UPDATE, customers.update),
    Route("DELETE", "/v1/customers/<id>", "customer", NOTHING, customers.delete),
    _list(
        "/v1/customers/<id>/payment_methods",
        "payment_method",
        payment_calls.OF_CUSTOMER,
        payment_calls.methods_of_customer,
    ),
    Route(
        "POST",
        "/v1/customers/<id>/balance_transactions",
        customer_balance.KIND,
        customers.BALANCE_CREATE,
        customers.move_balance,
    ),
    _list(
        "/v1/customers/<id>/balance_transactions",
        customer_balance.KIND,
        customers.BALANCE_LIST,
        customers.list_movements,
    ),
    _read("/v1/customers/<id>/balance_transactions", customer_balance.KIND, customers.retrieve_movement),
    Route("POST", "/v1/products", "product", catalogue.PRODUCT_CREATE, catalogue.create_product),
    _list("/v1/products", "product", catalogue.PRODUCT_LIST, catalogue.list_products),
    _read("/v1/products", "product", catalogue.retrieve_product),
    Route("POST", "/v1/products/<id>", "product", catalogue.PRODUCT_UPDATE, catalogue.update_product),
    Route("DELETE", "/v1/products/<id>", "product", NOTHING, catalogue.delete_product),
    Route("POST", "/v1/prices", "price", catalogue.PRICE_CREATE, catalogue.create_price),
    _list("/v1/prices", "price", catalogue.PRICE_LIST, catalogue.list_prices),
    _read("/v1/prices", "price", catalogue.retrieve_price),
    Route("POST", "/v1/prices/<id>", "price", catalogue.PRICE_UPDATE, catalogue.update_price),
    Route("POST", "/v1/checkout/sessions", "checkout.session", session_parameters.CREATE, sessions.create),
    _list("/v1/checkout/sessions", "checkout.session", sessions.LIST, sessions.catalogue_of),
    _read("/v1/checkout/sessions", "checkout.session", sessions.retrieve),
    Route("POST", "/v1/checkout/sessions/<id>/expire", "checkout.session", PLAIN, sessions.expire),
    _list("/v1/checkout/sessions/<id>/line_items", "item", listing.pages(False), sessions.line_items),
    _list("/v1/payment_intents", "payment_intent", payment_calls.INTENTS, payment_calls.list_intents),
    _read("/v1/payment_intents", "payment_intent", payment_calls.retrieve_intent),
    Route("POST", "/v1/payment_intents/<id>/cancel", "payment_intent", payment_calls.CANCEL, payments.cancel),
    _list("/v1/charges", "charge", payment_calls.CHARGES, payment_calls.list_charges),
    _read("/v1/charges", "charge", payment_calls.retrieve_charge),
    _list("/v1/payment_methods", "payment_method", payment_calls.METHODS, payment_calls.list_methods),
    _read("/v1/payment_methods", "payment_method", payment_calls.retrieve_method),
    Route("POST", "/v1/payment_methods/<id>", "payment_method", method_calls.UPDATE, method_calls.update),
    Route(
        "POST", "/v1/payment_methods/<id>/attach", "payment_method", method_calls.ATTACH, method_calls.attach
    ),
    Route("POST", "/v1/payment_methods/<id>/detach", "payment_method", PLAIN, method_calls.detach),
    _list("/v1/setup_intents", "setup_intent", setup_intents.LIST, setup_intents.catalogue_of),
    _read("/v1/setup_intents", "setup_intent", setup_intents.retrieve),
    Route(
        "POST",
        "/v1/billing_portal/configurations",
        portal_configurations.KIND,
        portal_parameters.CREATE,
        portal_configurations.create,
    ),
    _list(
        "/v1/billing_portal/configurations",
        portal_configurations.KIND,
        portal_parameters.LIST,
        portal_configurations.catalogue_of,
    ),
    _read("/v1/billing_portal/configurations", portal_configurations.KIND, portal_configurations.retrieve),
    Route(
        "POST",
        "/v1/billing_portal/configurations/<id>",
        portal_configurations.KIND,
        portal_parameters.UPDATE,
        portal_configurations.update,
    ),
    Route("POST", "/v1/billing_portal/sessions", portal.KIND, portal_parameters.OPEN, portal.create),
    Route("POST", "/v1/refunds", "refund", refunds.CREATE, refunds.create),
    _list("/v1/refunds", "refund", refunds.LIST, refunds.catalogue_of),
    _read("/v1/refunds", "refund", refunds.retrieve),
    Route("POST", "/v1/refunds/<id>", "refund", refunds.UPDATE, refunds.update),
    Route("POST", "/v1/refunds/<id>/cancel", "refund", PLAIN, refunds.cancel),
    Route("GET", "/v1/balance", "balance", PLAIN, balance_calls.retrieve_balance),
    _list(
        "/v1/balance_transactions",
        "balance_transaction",
        balance_calls.MOVEMENTS,
        balance_calls.list_movements,
    ),
    _read("/v1/balance_transactions", "balance_transaction", balance_calls.retrieve_movement),
    _list("/v1/payouts", "payout", balance_calls.PAYOUTS, balance_calls.list_payouts),
    _read("/v1/payouts", "payout", balance_calls.retrieve_payout),
    Route(
        "POST",
        "/v1/subscriptions",
        "subscription",
        subscription_parameters.CREATE,
        subscription_creation.create,
    ),
    _list("/v1/subscriptions", "subscription", subscription_parameters.LIST, subscriptions.catalogue_of),
    _read("/v1/subscriptions", "subscription", subscriptions.retrieve),
    Route(
        "POST", "/v1/subscriptions/<id>", "subscription", subscription_parameters.UPDATE, subscriptions.update
    ),
    Route(
        "DELETE",
        "/v1/subscriptions/<id>",
        "subscription",
        subscription_parameters.CANCEL,
        subscriptions.cancel,
    ),
    Route(
        "POST", "/v1/subscriptions/<id>/pause", "subscription", subscription_parameters.PAUSE, pausing.pause
    ),
    Route(
        "POST",
        "/v1/subscriptions/<id>/resume",
        "subscription",
        subscription_parameters.RESUME,
        pausing.resume,
    ),
    _list("/v1/invoices", "invoice", invoice_calls.LIST, invoice_calls.catalogue_of),
    _read("/v1/invoices", "invoice", invoice_calls.retrieve),
    Route("POST", "/v1/invoices/create_preview", "invoice", subscription_parameters.PREVIEW, previews.create),
    Route("POST", "/v1/invoices/<id>/pay", "invoice", invoice_calls.PAY, invoice_calls.pay),
    Route("POST", "/v1/invoices/<id>/void", "invoice", PLAIN, invoice_calls.void),
    Route("POST", "/v1/invoices/<id>/mark_uncollectible", "invoice", PLAIN, invoice_calls.mark_uncollectible),
    _list(
        "/v1/invoice_payments", "invoice_payment", invoice_calls.PAYMENTS_LIST, invoice_calls.list_payments
    ),
    _read("/v1/invoice_payments", "invoice_payment", invoice_calls.retrieve_payment),
    _list("/v1/disputes", "dispute", disputes.LIST, disputes.catalogue_of),
    _read("/v1/disputes", "dispute", disputes.retrieve),
    _list(
        "/v1/radar/early_fraud_warnings",
        "radar.early_fraud_warning",
        disputes.WARNINGS_LIST,
        disputes.list_warnings,
    ),
    _read("/v1/radar/early_fraud_warnings", "radar.early_fraud_warning", disputes.retrieve_warning),
    _list("/v1/events", "event", events.LIST, events.catalogue_of),
    _read("/v1/events", "event", events.retrieve),
    Route("POST", "/v1/webhook_endpoints", endpoints.KIND, endpoints.CREATE, endpoints.create),
    _list("/v1/webhook_endpoints", endpoints.KIND, endpoints.LIST, endpoints.catalogue_of),
    _read("/v1/webhook_endpoints", endpoints.KIND, endpoints.retrieve),
    Route("POST", "/v1/webhook_endpoints/<id>", endpoints.KIND, endpoints.UPDATE, endpoints.update),
    Route("DELETE", "/v1/webhook_endpoints/<id>", endpoints.KIND, NOTHING, endpoints.delete),
)


def find(method: str, path: str) -> tuple[Route, tuple[str, ...]] | None:
    for route in ROUTES:
        if route.method == method and (ids := route.match(path)) is not None:
            return route, ids
    return None
