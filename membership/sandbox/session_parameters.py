"""What `POST /v1/checkout/sessions` takes, and the sentences for what Stripe has removed."""

from membership.sandbox.catalogue import RECURRING
from membership.sandbox.parameters import (
    EMAIL,
    ID,
    URL,
    Bag,
    Choice,
    Descriptor,
    Flag,
    Items,
    Shape,
    Text,
    Whole,
    takes,
)

LOCALES = (
    "auto",
    "bg",
    "cs",
    "da",
    "de",
    "el",
    "en",
    "en-GB",
    "es",
    "es-419",
    "et",
    "fi",
    "fil",
    "fr",
    "fr-CA",
    "hi-IN",
    "hr",
    "hu",
    "id",
    "it",
    "ja",
    "ko",
    "lt",
    "lv",
    "ms",
    "mt",
    "nb",
    "nl",
    "pl",
    "pt",
    "pt-BR",
    "ro",
    "ru",
    "sk",
    "sl",
    "sv",
    "th",
    "tr",
    "vi",
    "zh",
    "zh-HK",
    "zh-TW",
)
_MESSAGE = Shape(clears=True, fields={"message": Text(required=True, most=1200)})
_OFF = Shape(fields={"enabled": Flag(required=True, only=False)})

_PRICE_DATA = Shape(
    fields={
        "currency": Text(required=True),
        "product": ID,
        "product_data": Shape(
            fields={
                "name": Text(required=True),
                "description": Text(most=40_000),
                "images": Items(of=URL, most=8),
                "metadata": Bag(),
            }
        ),
        "recurring": RECURRING,
        "tax_behavior": Choice(of=("exclusive", "inclusive", "unspecified")),
        "unit_amount": Whole(),
    }
)
_LINE_ITEM = Shape(
    fields={
        "metadata": Bag(),
        "price": ID,
        "price_data": _PRICE_DATA,
        "quantity": Whole(least=1, most=999_999),
    }
)
_PAYMENT_INTENT_DATA = Shape(
    fields={
        "description": Text(most=1000),
        "metadata": Bag(),
        "receipt_email": EMAIL,
        "setup_future_usage": Choice(of=("off_session", "on_session")),
        "statement_descriptor": Descriptor(),
        "statement_descriptor_suffix": Descriptor(least=1),
    }
)
_SUBSCRIPTION_DATA = Shape(
    fields={
        "billing_mode": Shape(fields={"type": Choice(of=("classic", "flexible"), required=True)}),
        "description": Text(most=500),
        "metadata": Bag(),
    }
)

_GONE = {
    "payment_method_types": (
        "payment_method_types_no_longer_supported",
        "`payment_method_types` is no longer supported; use dynamic payment methods or filter the allowed ones.",
    ),
}
CREATE = takes(
    _GONE,
    adaptive_pricing=Shape(fields={"enabled": Flag()}),
    after_expiration=Shape(
        fields={
            "recovery": Shape(
                fields={"enabled": Flag(required=True), "allow_promotion_codes": Flag(only=False)}
            ),
        }
    ),
    allow_promotion_codes=Flag(only=False),
    allowed_payment_method_types=Items(of=Text()),
    automatic_tax=_OFF,
    billing_address_collection=Choice(of=("auto",)),
    cancel_url=URL,
    client_reference_id=Text(
        most=200, pattern=r"[A-Za-z0-9_-]+", says="must be alphanumeric, dashes and underscores"
    ),
    currency=Text(),
    custom_text=Shape(
        fields=dict.fromkeys(
            ("after_submit", "shipping_address", "submit", "terms_of_service_acceptance"), _MESSAGE
        )
    ),
    customer=ID,
    customer_creation=Choice(of=("always", "if_required")),
    customer_email=EMAIL,
    customer_update=Shape(
        fields={"address": Choice(of=("auto", "never")), "name": Choice(of=("auto", "never"))}
    ),
    excluded_payment_method_types=Items(of=Text()),
    expires_at=Whole(),
    invoice_creation=_OFF,
    line_items=Items(of=_LINE_ITEM, most=100, required=True),
    locale=Choice(of=LOCALES),
    managed_payments=Shape(fields={"enabled": Flag(only=False)}),
    metadata=Bag(),
    mode=Choice(of=("payment", "subscription"), required=True),
    origin_context=Choice(of=("mobile_app", "web")),
    payment_intent_data=_PAYMENT_INTENT_DATA,
    payment_method_collection=Choice(of=("always", "if_required")),
    phone_number_collection=_OFF,
    saved_payment_method_options=Shape(
        fields={
            "allow_redisplay_filters": Items(of=Choice(of=("always", "limited", "unspecified"))),
            "payment_method_remove": Choice(of=("disabled", "enabled")),
            "payment_method_save": Choice(of=("disabled", "enabled")),
        }
    ),
    submit_type=Choice(of=("auto", "book", "donate", "pay", "subscribe")),
    subscription_data=_SUBSCRIPTION_DATA,
    success_url=Text(required=True, pattern=URL.pattern, says=URL.says),
    tax_id_collection=_OFF,
    ui_mode=Choice(of=("hosted_page",)),
)
