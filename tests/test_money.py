"""Money is exact: what is typed, shown, charged for the card and divided."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import BigInteger, String, create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, composite, mapped_column

from membership import money
from membership.errors import DomainError, Invalid
from membership.money import CURRENCIES, BadAmount, BadFormula, CurrencyMismatch, FeeFormula, Money, divide

currencies = st.sampled_from(sorted(CURRENCIES))


def EUR(text):  # noqa: N802 - reads as money in the tests
    return money.parse(text, "EUR")


def test_the_table_is_stripes_and_not_isos():
    assert CURRENCIES["JPY"] == (0, 1)
    assert CURRENCIES["ISK"] == CURRENCIES["UGX"] == (2, 100)
    assert CURRENCIES["KWD"] == CURRENCIES["TND"] == (3, 10)
    assert all(
        CURRENCIES[code] == (2, 1) for code in ["EUR", "USD", "GEL", "AMD", "AZN", "HUF", "TWD", "UAH", "MDL"]
    )
    assert len(CURRENCIES) > 130


def test_money_adds_and_compares_within_its_currency():
    assert EUR("10") + EUR("0.56") == Money(1056, "EUR")
    assert EUR("10") - EUR("10.50") == Money(-50, "EUR")
    assert EUR("3") * 4 == 4 * EUR("3") == EUR("12")
    assert EUR("3") < EUR("3.01") <= EUR("3.01") < EUR("4")
    assert EUR("4") > EUR("3")
    assert sum([EUR("1"), EUR("2")], Money.zero("EUR")) == EUR("3")
    assert EUR("0.01")
    assert not Money.zero("GEL")
    assert (str(EUR("20")), -EUR("1")) == ("20.00 EUR", Money(-100, "EUR"))
    assert {EUR("1"): "a key"}[EUR("1.00")] == "a key"


def test_currencies_never_mix():
    one, other = EUR("1"), Money(100, "GEL")
    assert one != other
    for mixed in (lambda: one + other, lambda: one - other, lambda: one < other, lambda: one >= other):
        with pytest.raises(CurrencyMismatch):
            mixed()


@pytest.mark.parametrize("minor", [1.0, "1", True, None, Decimal(1)])
def test_only_whole_numbers_are_minor_units(minor):
    with pytest.raises(TypeError):
        Money(minor, "EUR")


@pytest.mark.parametrize("code", ["eur", "XXX", "", "EURO"])
def test_unknown_currencies_are_refused(code):
    for use in (lambda: Money(1, code), lambda: money.parse("1", code), lambda: money.stripe_minimum(code)):
        with pytest.raises(money.UnknownCurrency):
            use()


@given(minor=st.integers(), currency=currencies)
def test_major_units_are_exact(minor, currency):
    assert Fraction(Money(minor, currency).major) * 10 ** CURRENCIES[currency].exponent == minor


def test_the_least_that_stripe_charges():
    assert money.stripe_minimum("EUR") == Money(50, "EUR")
    assert money.stripe_minimum("JPY") == Money(50, "JPY")
    assert money.stripe_minimum("HUF") == Money(17500, "HUF")
    assert money.stripe_minimum("GEL") is None


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("10", "EUR", 1000),
        ("10.5", "EUR", 1050),
        ("10,50", "GEL", 1050),
        (" 20.56\n", "EUR", 2056),
        ("\N{NO-BREAK SPACE}7 ", "EUR", 700),
        ("0", "EUR", 0),
        ("007", "EUR", 700),
        ("19.99", "USD", 1999),
        ("500", "JPY", 500),
        ("5", "ISK", 500),
        ("5.00", "ISK", 500),
        ("1.5", "KWD", 1500),
        ("1.500", "KWD", 1500),
        ("999999999999.99", "EUR", 99999999999999),
    ],
)
def test_what_a_person_may_type(text, currency, minor):
    assert money.parse(text, currency) == Money(minor, currency)


@pytest.mark.parametrize(
    ("text", "currency", "says"),
    [
        ("", "EUR", "write an amount"),
        ("  ", "EUR", "write an amount"),
        ("ten", "EUR", "in digits, for example 10 or 10.50"),
        ("ten", "JPY", "in digits, for example 1000"),
        ("1e9", "EUR", "in digits"),
        ("NaN", "EUR", "in digits"),
        ("inf", "EUR", "in digits"),
        ("٣", "EUR", "in digits"),
        ("１０", "EUR", "in digits"),
        ("€10", "EUR", "in digits"),
        ("10.", "EUR", "in digits"),
        (".5", "EUR", "in digits"),
        ("1.2.3", "EUR", "in digits"),
        ("0x10", "EUR", "in digits"),
        ("1_0", "EUR", "in digits"),
        ("-5", "EUR", "plus or minus"),
        ("+5", "EUR", "plus or minus"),
        ("−5", "EUR", "plus or minus"),
        ("1,000", "EUR", "thousands"),
        ("10,505", "EUR", "thousands"),
        ("1.000", "EUR", "thousands"),
        ("1_000", "EUR", "thousands"),
        ("1 000", "EUR", "thousands"),
        ("1,000.00", "EUR", "thousands"),
        ("1.000.000", "JPY", "thousands"),
        ("1,500", "KWD", "thousands"),
        ("1.2345", "EUR", "two decimals"),
        ("1.505", "KWD", "two decimals"),
        ("5.5", "JPY", "whole amount"),
        ("5.50", "ISK", "whole amount"),
        ("1000000000000", "EUR", "too large"),
        ("9" * 5000, "EUR", "too large"),
    ],
)
def test_what_is_refused_with_a_sentence(text, currency, says):
    with pytest.raises(BadAmount) as refusal:
        money.parse(text, currency)
    assert says in str(refusal.value)
    assert isinstance(refusal.value, Invalid)


@given(text=st.text(max_size=12), currency=currencies)
def test_anything_typed_is_an_amount_or_a_sentence(text, currency):
    try:
        read = money.parse(text, currency)
    except DomainError as refusal:
        said = str(refusal)
    else:
        said = "An amount."
        assert read.minor >= 0
        assert read.minor % CURRENCIES[currency].multiple_of == 0
    assert said.endswith(".")


@given(minor=st.integers(0, 10**12 - 1), currency=currencies)
def test_an_amount_written_with_a_point_is_read_back(minor, currency):
    amount = Money(minor - minor % CURRENCIES[currency].multiple_of, currency)
    assert money.parse(f"{amount.major:f}", currency) == amount


@pytest.mark.parametrize(
    ("minor", "currency", "locale", "shown"),
    [
        (2000, "EUR", "en", "€20"),
        (2056, "EUR", "en", "€20.56"),
        (2050, "EUR", "de", "20,50 €"),
        (2000, "EUR", "de", "20 €"),
        (5000, "GEL", "en", "₾50"),
        (5000, "GEL", "ka", "50 ₾"),
        (123456789, "EUR", "ka", "1 234 567,89 €"),
        (100000000, "AMD", "hy", "1 000 000 ֏"),
        (1050, "AZN", "az", "10,50 ₼"),
        (2000, "EUR", "uk", "20 €"),
        (50000, "ISK", "en", "ISK 500"),
        (500, "JPY", "en", "¥500"),
        (1500, "KWD", "en", "KWD 1.500"),
        (1000, "CHF", "en", "CHF 10"),
        (1000, "CHF", "de-CH", "CHF 10"),
        (-2056, "EUR", "en", "-€20.56"),
        (0, "EUR", "en", "€0"),
    ],
)
def test_amounts_in_a_locale(minor, currency, locale, shown):
    text = money.format(Money(minor, currency), locale)
    assert text.replace("\N{NO-BREAK SPACE}", " ").replace("\N{NARROW NO-BREAK SPACE}", " ") == shown


@pytest.mark.parametrize(
    ("minor", "currency", "shown"),
    [(2000, "EUR", "€20.00"), (2056, "EUR", "€20.56"), (500, "JPY", "¥500"), (1000, "KWD", "KWD 1.000")],
)
def test_in_a_column_all_have_their_decimals(minor, currency, shown):
    assert (
        money.format(Money(minor, currency), "en", aligned=True).replace("\N{NO-BREAK SPACE}", " ") == shown
    )


@given(
    minor=st.integers(-(10**12), 10**12),
    currency=currencies,
    locale=st.sampled_from(["en", "de", "ka", "hy", "az", "ru"]),
)
def test_every_amount_can_be_shown_and_loses_no_digit(minor, currency, locale):
    shown = money.format(Money(minor, currency), locale)
    digits = "".join(c for c in shown if c.isdigit())
    exponent = CURRENCIES[currency].exponent
    kept = abs(minor) if minor % 10**exponent else abs(minor) // 10**exponent
    assert digits.lstrip("0") == str(kept).lstrip("0")
    assert "¤" not in shown


def test_currencies_have_names():
    assert money.name("EUR", "en") == "euros"
    assert money.name("GEL", "ka") == "ქართული ლარი"


def test_money_stands_in_a_table_as_one_value():
    class Base(DeclarativeBase):
        pass

    class Gift(Base):
        __tablename__ = "gifts"
        id: Mapped[int] = mapped_column(primary_key=True)
        amount_minor: Mapped[int | None] = mapped_column(BigInteger)
        currency: Mapped[str | None] = mapped_column(String(3))
        amount: Mapped[Money | None] = composite("amount_minor", "currency")

    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add_all([Gift(amount=EUR("20.56")), Gift()])
        session.commit()
        assert [gift.amount for gift in session.query(Gift).order_by(Gift.id)] == [EUR("20.56"), None]
        assert session.query(Gift).where(Gift.amount == EUR("20.56")).count() == 1
    engine.dispose()


# --- the card fee ------------------------------------------------------------------------------------------


def test_covering_the_fee():
    formula = FeeFormula.parse("1.5%+0.25")
    assert formula.gross_up(EUR("20")) == EUR("20.56")
    assert formula.fee(EUR("20.56")) == EUR("0.56")
    assert formula.gross_up(Money.zero("EUR")) == EUR("0.26")


def test_a_formula_per_currency():
    formula = FeeFormula.parse("EUR:1.5%+0.25, GEL:3%+1")
    assert formula.fee(Money(10000, "GEL")) == Money(400, "GEL")
    assert formula.fee(EUR("100")) == EUR("1.75")
    with pytest.raises(BadFormula, match="USD"):
        formula.fee(Money(1, "USD"))
    assert FeeFormula.parse("2%,JPY:10").fee(Money(1000, "JPY")) == Money(10, "JPY")
    assert FeeFormula.parse("2%,JPY:10").fee(EUR("1")) == EUR("0.02")
    assert FeeFormula.parse("0%+0").gross_up(EUR("7")) == EUR("7")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "%",
        "+",
        "1.5%+",
        "+0.25",
        "1.5%0.25",
        "100%",
        "-1%",
        "1e1%",
        "XXX:1%",
        "EUR:",
        "1%,2%",
        "eur:1%",
        "1,5%",
    ],
)
def test_a_formula_that_cannot_be_read(text):
    with pytest.raises(BadFormula) as refusal:
        FeeFormula.parse(text)
    assert isinstance(refusal.value, ValueError)


formulas = st.builds(
    lambda rate, fixed: f"{rate}%+{fixed}",
    st.decimals(0, Decimal("99.999999"), places=6),
    st.decimals(0, 100, places=6),
).map(FeeFormula.parse)


@given(formula=formulas, minor=st.integers(0, 10**15), currency=currencies)
def test_the_grossed_up_amount_is_enough_and_the_smallest(formula, minor, currency):
    wanted = Money(minor, currency)
    step = CURRENCIES[currency].multiple_of
    gross = formula.gross_up(wanted)
    assert gross.minor % step == 0
    assert gross - formula.fee(gross) >= wanted
    less = gross - Money(step, currency)
    assert less.minor < 0 or less - formula.fee(less) < wanted


# --- dividing ----------------------------------------------------------------------------------------------

weights_of = st.lists(st.integers(0, 12) | st.integers(0, 10**9), min_size=1, max_size=9).filter(any)
amounts = st.lists(st.integers(0, 30) | st.integers(0, 10**18), max_size=60)


@given(weights=weights_of, amounts=amounts)
def test_shares_are_exact_and_stay_within_one_unit_of_their_due(weights, amounts):
    given_so_far = [0] * len(weights)
    total = sum(weights)
    for amount in amounts:
        parts = divide(amount, weights, given_so_far)
        assert sum(parts) == amount
        assert min(parts) >= 0
        given_so_far = [had + part for had, part in zip(given_so_far, parts, strict=True)]
        reached = sum(given_so_far)
        for had, weight in zip(given_so_far, weights, strict=True):
            assert abs(had * total - reached * weight) < total
            assert weight or not had


@given(weights=st.lists(st.integers(1, 40), min_size=1, max_size=30))
def test_gifts_of_one_unit_go_round_once(weights):
    given_so_far = [0] * len(weights)
    for _ in range(sum(weights)):
        parts = divide(1, weights, given_so_far)
        given_so_far = [had + part for had, part in zip(given_so_far, parts, strict=True)]
    assert given_so_far == weights


@given(st.data())
def test_tallies_from_elsewhere_are_made_good_exactly(data):
    weights = data.draw(weights_of)
    had = data.draw(st.lists(st.integers(0, 10**6), min_size=len(weights), max_size=len(weights)))
    amount = data.draw(st.integers(0, 10**7))
    parts = divide(amount, weights, had)
    assert sum(parts) == amount
    assert min(parts) >= 0
    assert all(weight or not part for weight, part in zip(weights, parts, strict=True))


def test_a_huge_amount_is_divided_at_once():
    parts = divide(10**40, [1, 2, 4, 0], [0, 0, 0, 0])
    assert sum(parts) == 10**40
    assert parts[3] == 0
    assert parts[0] in (10**40 // 7, 10**40 // 7 + 1)


@pytest.mark.parametrize(
    ("amount", "weights", "had"),
    [
        (-1, [1], [0]),
        (1, [-1, 2], [0, 0]),
        (1, [0], [0]),
        (1, [], []),
        (1, [1], [0, 0]),
        (1, [1, 1], [-1, 1]),
    ],
)
def test_what_cannot_be_divided(amount, weights, had):
    with pytest.raises(ValueError, match="dividing needs"):
        divide(amount, weights, had)
