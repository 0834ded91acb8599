"""What templates say: dates, percent, amounts and staff's Markdown."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from membership.errors import Invalid
from membership.web import style, view
from tests import make


@pytest.fixture(params=["en", "ka"])
def spoken(app, request):
    with app.test_request_context("/", environ_overrides={"pressfund.locale": request.param}):
        yield request.param


def test_dates_percent_and_amounts_by_language(spoken):
    said = (view.day(date(2026, 11, 20)), view.percent(Decimal("28.5")), view.percent(Decimal("24.0")))
    assert (
        said == {"en": ("20\xa0November", "28.5%", "24%"), "ka": ("20\xa0ნოემბერი", "28,5%", "24%")}[spoken]
    )
    assert view.money(make.EUR("20")) == {"en": "€20", "ka": "20\xa0€"}[spoken]


def test_a_moment_is_a_day_where_the_newsroom_is(app):
    with app.test_request_context("/"):
        assert view.full_day(datetime(2026, 11, 20, 22, tzinfo=UTC)) == "21\xa0November 2026"


def test_a_written_moment_is_told_with_its_time(spoken):
    said = view.moment("2026-11-20T22:05:09+00:00")
    assert said == {"en": "21\xa0November 2026, 02:05", "ka": "21\xa0ნოემბერი, 2026, 02:05"}[spoken]


def test_currencies_have_short_names(spoken):
    names = [view.currency_name(code) for code in ("EUR", "USD", "GBP", "GEL", "CHF")]
    assert (
        names
        == {
            "en": ["euros", "dollars", "pounds", "lari", "Swiss francs"],
            "ka": ["ევრო", "დოლარი", "ფუნტი", "ლარი", "შვეიცარიული ფრანკი"],
        }[spoken]
    )


def test_amounts_inside_refusals_are_written_as_the_language_does(spoken):
    error = Invalid("The smallest gift is %(amount)s.", amount=make.EUR("3"))
    assert view.money(make.EUR("3")) in view.sentence(error)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("# Title", "<h2>Title</h2>\n"),
        ("### Part", "<h3>Part</h3>\n"),
        ("<script>x</script>", "<p>&lt;script&gt;x&lt;/script&gt;</p>\n"),
        ("[x](javascript:alert)", "<p>[x](javascript:alert)</p>\n"),
        ("[x](https://example.org)", '<p><a href="https://example.org">x</a></p>\n'),
    ],
)
def test_markdown_of_staff(written, shown):
    assert view.markdown(written) == shown


def test_pictures_are_not_fetched_from_anywhere():
    assert "<img" not in view.markdown("![x](https://example.org/x.png)")


def test_a_small_stylesheet_means_the_same():
    css = "/* a */ a:hover , b > c { color : red ; margin: calc(1px + 2px) }\n\n@media (min-width: 3rem) { d { e: f; } }"
    assert style.small(css) == "a:hover,b>c{color :red;margin:calc(1px + 2px)}@media (min-width:3rem){d{e:f}}"
