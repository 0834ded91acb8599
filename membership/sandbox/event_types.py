"""The names of events that an endpoint may ask for, by what they are about.

Those of Stripe's other trades (issuing, terminals, banking ...) are unknown here and refused.
"""

_NAMES = {
    "balance": "available",
    "billing_portal": "configuration.created configuration.updated session.created",
    "charge": """captured dispute.closed dispute.created dispute.funds_reinstated dispute.funds_withdrawn
        dispute.updated expired failed pending refund.updated refunded succeeded updated""",
    "checkout": """session.async_payment_failed session.async_payment_succeeded session.completed
        session.expired""",
    "coupon": "created deleted updated",
    "credit_note": "created updated voided",
    "customer": """created deleted discount.created discount.deleted discount.updated source.created
        source.deleted source.expiring source.updated subscription.created subscription.deleted
        subscription.paused subscription.pending_update_applied subscription.pending_update_expired
        subscription.resumed subscription.trial_will_end subscription.updated tax_id.created tax_id.deleted
        tax_id.updated updated""",
    "invoice": """created deleted finalization_failed finalized marked_uncollectible overdue overpaid paid
        payment_action_required payment_attempt_required payment_failed payment_succeeded sent upcoming updated
        voided will_be_due""",
    "invoice_payment": "paid",
    "invoiceitem": "created deleted",
    "mandate": "updated",
    "payment_intent": """amount_capturable_updated canceled created partially_funded payment_failed processing
        requires_action succeeded""",
    "payment_link": "created updated",
    "payment_method": "attached automatically_updated detached updated",
    "payout": "canceled created failed paid reconciliation_completed updated",
    "plan": "created deleted updated",
    "price": "created deleted updated",
    "product": "created deleted updated",
    "promotion_code": "created updated",
    "radar": "early_fraud_warning.created early_fraud_warning.updated",
    "refund": "created failed updated",
    "review": "closed opened",
    "setup_intent": "canceled created requires_action setup_failed succeeded",
    "subscription_schedule": "aborted canceled completed created expiring released updated",
}
NAMES = tuple(f"{about}.{what}" for about, listed in _NAMES.items() for what in listed.split())
