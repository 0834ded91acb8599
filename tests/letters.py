"""What each mail is told in tests: MAILS has one full context a template."""

TWENTY = {"minor": 2000, "currency": "EUR"}
NAME = "ნინო ბერიძე"
GIFT = {"name": NAME, "amount": TWENTY, "interval": "month", "fundraiser_title": "Keep <five> & more"}
LEAVE = "http://127.0.0.1:8000/leave/token"
GIVE = "http://127.0.0.1:8000/give"
ACCOUNT = {"holder": "Fund", "iban": "DE89370400440532013000", "bic": "COBADEFFXXX", "bank": "Bank"}
RECEIPT = GIFT | {
    "paid_by": "N. Beridze",
    "charged": {"minor": 2056, "currency": "EUR"},
    "covers_fee": True,
    "fundraiser_url": "http://127.0.0.1:8000/fundraisers/five",
    "newsroom": "Highland Dispatch",
    "host": "Highland Dispatch e. V.",
    "reference": "r3f3r3nc3",
    "paid_on": "2026-03-01",
    "statement": "HIGHLAND FUND",
    "leave_url": LEAVE,
    "next_on": "2026-04-01",
    "tax_note": True,
}
HERE = "http://127.0.0.1:8000"
MEMBER = {
    "name": NAME,
    "plan": "Reader & friend",
    "amount": TWENTY,
    "interval": "month",
    "leave_url": LEAVE,
    "account_url": HERE + "/account",
}
PAID = MEMBER | {
    "reference": "r3f3r3nc3",
    "paid_on": "2026-03-01",
    "covers_until": "2026-04-01",
    "next_on": "2026-04-01",
    "host": "Highland Dispatch e. V.",
    "statement": "HIGHLAND FUND",
    "tax_note": True,
    "recovered": False,
}
FAILED = {key: value for key, value in MEMBER.items() if key != "account_url"}
MAILS = {
    "donation-receipt": RECEIPT,
    "gift-renews-soon": GIFT | {"renews_on": "2026-12-03", "leave_url": LEAVE},
    "gift-failed": GIFT | {"give_url": GIVE},
    "gift-stopped": GIFT | {"stopped_on": "2026-03-01", "reason": "donor", "give_url": GIVE},
    "leave-confirmation": {
        "links": [GIFT | {"url": LEAVE}, GIFT | {"url": LEAVE + "2", "interval": "year"}],
        "memberships": [
            {"url": LEAVE + "3", "plan": "Reader & friend", "amount": TWENTY, "interval": "month", "ends_on": None},
            {"url": LEAVE + "4", "plan": "Guest", "amount": None, "interval": None, "ends_on": "2026-12-03"},
        ],
    },
    "transfer-announced": {
        "name": NAME, "amount": TWENTY, "reference": "PF-7K3M-Q2XD-ABCD", "account": ACCOUNT, "fundraiser_title": "T",
    },
    "transfer-announced-staff": {"amount": TWENTY, "reference": "PF-7K3M-Q2XD-ABCD", "fundraiser_title": "T"},
    "sign-in": {"link": HERE + "/sign-in/token", "code": "417 203", "minutes": 10, "is_staff": False},
    "membership-welcome": MEMBER | {
        "inside": ["The <weekly> letter", "Meetings & talks"], "withdraw_url": HERE + "/withdraw?m=1",
        "withdraw_until": "2026-03-15", "next_on": "2026-04-01", "ends_on": None,
    },
    "membership-receipt": PAID,
    "payment-recovered": PAID | {"recovered": True},
    "payment-failed": FAILED | {
        "attempt": 1, "which": "first", "tries_again_on": "2026-03-04", "perks_until": "2026-03-15",
        "fix_url": HERE + "/account/card", "pay_url": "http://localhost:8001/invoice/1",
    },
    "membership-ended": {
        "name": NAME, "plan": "Reader & friend", "ended_on": "2026-03-01", "reason": "withdrawn",
        "join_url": HERE + "/join", "refunded": TWENTY, "credit": None,
    },
    "membership-leaving": {
        "name": NAME, "plan": "Reader & friend", "ends_on": "2026-12-03", "undo_url": HERE + "/account",
        "credit": TWENTY,
    },
    "membership-renews-soon": MEMBER | {"interval": "year", "renews_on": "2026-12-03"},
    "refund-notice": {
        "name": NAME, "amount": TWENTY, "what": "Reader & friend", "status": "sent", "reference": "r3f3r3nc3",
        "statement": "HIGHLAND FUND",
    },
    "someone-joined-with-your-address": {
        "plan": "Patron", "other_plan": "Reader & friend", "keep_url": HERE + "/account", "cancelled_on": "2026-03-04",
    },
    "membership-kept": {key: MEMBER[key] for key in ("plan", "amount", "interval", "leave_url")} | {
        "next_on": "2026-04-01", "withdraw_url": HERE + "/withdraw?m=1", "withdraw_until": "2026-03-15",
    },
    "withdraw-link": {
        "links": [{"url": HERE + "/withdraw?m=1", "plan": "Reader & friend", "amount": TWENTY,
                   "joined_on": "2026-03-01", "until": "2026-03-15"}],
    },
    "email-correction": {
        "masked_new": "n…@e…e.org", "by_newsroom": True, "ripe_on": "2026-03-08", "cancel_url": HERE + "/keep/token",
    },
    "email-corrected": {"corrected_on": "2026-03-08", "sign_in_url": HERE + "/sign-in"},
}  # fmt: skip
