"""Stripe's currencies, how they count, and what they are worth in the account's own (euros).

Amounts are integers in Stripe's units: two decimals, except those without decimals, those with three (the
last always 0), and ISK and UGX, which are sent with two that must be 00. Rates are invented and fixed.
"""

from decimal import ROUND_HALF_UP, Decimal

from membership.sandbox.errors import ApiError, invalid

SETTLEMENT = "eur"
SMALLEST = 50  # in settlement units
LARGEST = 99_999_999

_WITHOUT_DECIMALS = frozenset(
    ["bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf"]
)
_THREE_DECIMALS = frozenset(("bhd", "jod", "kwd", "omr", "tnd"))
_WHOLE_ONLY = frozenset(("isk", "ugx"))

# what one unit is worth in euros
_RATES = {
    "aed": "0.2484",
    "all": "0.0101",
    "amd": "0.00238",
    "aud": "0.6021",
    "azn": "0.5366",
    "bam": "0.5113",
    "bgn": "0.5113",
    "bhd": "2.4198",
    "bif": "0.00031",
    "brl": "0.1652",
    "byn": "0.2791",
    "cad": "0.6613",
    "chf": "1.0662",
    "clp": "0.00096",
    "czk": "0.0409",
    "djf": "0.00512",
    "dkk": "0.1340",
    "eur": "1",
    "gbp": "1.1687",
    "gel": "0.3358",
    "gnf": "0.000105",
    "hkd": "0.1172",
    "huf": "0.00247",
    "ils": "0.2498",
    "inr": "0.01043",
    "isk": "0.00691",
    "jod": "1.2863",
    "jpy": "0.00607",
    "kgs": "0.01043",
    "kmf": "0.00203",
    "krw": "0.00066",
    "kwd": "2.9704",
    "kzt": "0.00176",
    "mdl": "0.0516",
    "mga": "0.000203",
    "mkd": "0.01626",
    "mxn": "0.0487",
    "myr": "0.2141",
    "nok": "0.0859",
    "nzd": "0.5422",
    "omr": "2.3694",
    "php": "0.01587",
    "pln": "0.2348",
    "pyg": "0.000121",
    "ron": "0.2009",
    "rsd": "0.00854",
    "rub": "0.00978",
    "rwf": "0.00063",
    "sek": "0.0892",
    "sgd": "0.7048",
    "thb": "0.0279",
    "tjs": "0.0938",
    "tnd": "0.2968",
    "try": "0.0221",
    "twd": "0.0286",
    "uah": "0.0213",
    "ugx": "0.00025",
    "usd": "0.9124",
    "uzs": "0.000074",
    "vnd": "0.0000352",
    "vuv": "0.00749",
    "xaf": "0.00152",
    "xof": "0.00152",
    "xpf": "0.00838",
    "zar": "0.0512",
}


def exponent(currency: str) -> int:
    if currency in _WITHOUT_DECIMALS:
        return 0
    return 3 if currency in _THREE_DECIMALS else 2


def check_currency(currency: str, param: str) -> str:
    if currency not in _RATES:
        raise invalid(
            f"Invalid currency: {currency}. Stripe currently supports these currencies: {', '.join(sorted(_RATES))}",
            param,
        )
    return currency


def _step(currency: str) -> int:
    return 100 if currency in _WHOLE_ONLY else 10 if currency in _THREE_DECIMALS else 1


def part_of(amount: int, part: int, whole: int, currency: str) -> int:
    """A share of a sum in units that can be charged, half away from zero."""
    steps = Decimal(amount) * part / whole / _step(currency)
    return int(steps.quantize(Decimal(1), ROUND_HALF_UP)) * _step(currency)


def check_multiple(amount: int, currency: str, param: str) -> None:
    step = _step(currency)
    if amount % step:
        raise invalid(
            f"Invalid amount {amount} in {currency.upper()}: it must be a multiple of {step}.",
            param,
            "invalid_charge_amount",
        )


def check_amount(amount: int, currency: str, param: str) -> None:
    """A sum that could be charged: within Stripe's limits once it is worth euros."""
    check_multiple(amount, currency, param)
    if amount > LARGEST:
        raise invalid(f"Amount must be no more than {LARGEST}", param, "amount_too_large")
    if is_too_small(amount, currency):
        raise ApiError(
            400,
            f"The Checkout Session's total amount due must add up to at least €0.50 {SETTLEMENT}",
            code="amount_too_small",
            param=param,
        )


def is_too_small(amount: int, currency: str) -> bool:
    return _worth(amount, currency) < SMALLEST  # before rounding: 49.7 cents are too few


def rate(currency: str, *, outward: bool = False) -> Decimal:
    """What one unit becomes in euros; going back out (refunds, disputes) costs a little more."""
    base = Decimal(_RATES[currency])
    return (base * Decimal("1.004")).quantize(Decimal("0.00000001")) if outward and base != 1 else base


def _worth(amount: int, currency: str, *, outward: bool = False) -> Decimal:
    units = Decimal(amount).scaleb(-exponent(currency)) * rate(currency, outward=outward)
    return units.scaleb(exponent(SETTLEMENT))


def settled(amount: int, currency: str, *, outward: bool = False) -> int:
    return int(_worth(amount, currency, outward=outward).quantize(Decimal(1), ROUND_HALF_UP))


def shown(amount: int, currency: str) -> str:
    """How a page says a sum."""
    digits = 0 if currency in _WHOLE_ONLY else exponent(currency)
    number = f"{Decimal(amount).scaleb(-exponent(currency)):,.{digits}f}"
    sign = {"eur": "€", "usd": "$", "gbp": "£"}.get(currency)
    return f"{sign}{number}" if sign else f"{number} {currency.upper()}"
