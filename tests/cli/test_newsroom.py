"""A newsroom comes from one file: complete or refused with every gap named, the same however often it is loaded."""

import re
import tomllib
from dataclasses import replace

import pytest
from sqlalchemy import func, select

from membership import clock
from membership.cli import demo_files, newsroom_file
from membership.cli.newsroom import described
from membership.db import Base, db
from membership.domain import allocations, banners, fundraisers, newsroom, outlets, plans
from tests import make

once = pytest.mark.one_database("the file is read and refused without a database")

JOINING = ("plans", "prices", "perks", "plan_perks", "perk_codes", "drives")


def load(app, path):
    return app.test_cli_runner().invoke(args=["newsroom", "load", str(path)])


def everything():
    """Every row of what a file describes."""
    names = ("newsroom", "outlets", "fundraisers", "fundraiser_causes", *rule_tables(), *JOINING)
    db.session.expire_all()
    return {
        name: sorted(map(repr, db.session.execute(Base.metadata.tables[name].select()))) for name in names
    }


def rule_tables():
    return [name for name in Base.metadata.tables if "rule" in name or "share" in name]


@pytest.fixture
def changed(tmp_path):
    """The demo's file with lines exchanged, as a file of its own."""

    def change(*pairs):
        text = demo_files.DATA.read_text(encoding="utf-8")
        text = text.replace('"demo_perks/', f'"{demo_files.DATA.parent}/demo_perks/')
        for old, new in pairs:
            assert old in text
            text = text.replace(old, new, 1)
        path = tmp_path / "newsroom.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return change


@once
def test_the_demo_file_says_everything_in_every_language(app):
    data = tomllib.loads(demo_files.DATA.read_text(encoding="utf-8"))
    for locale in app.config["SETTINGS"].locales:
        assert data["newsroom"]["pages"][locale].keys() == set(newsroom.PAGES) - {"joining"}
        assert data["newsroom"]["joining"][locale]
        assert data["newsroom"]["banner"][locale]
        assert all(outlet["about"][locale] for outlet in data["outlet"])
        (fundraiser,) = data["fundraiser"]
        assert len(fundraiser["texts"][locale]["story"].split()) > 200
        assert all(cause["title"][locale] for cause in fundraiser["cause"])
        assert all(one["texts"][locale] for kind in ("plan", "perk", "drive") for one in data[kind])


def test_the_demo_newsroom_loads(app):
    done = load(app, demo_files.DATA)
    assert done.exit_code == 0, done.output
    assert "5 outlets, 1 fundraisers, 3 plans" in done.output
    fundraiser = fundraisers.get_fundraiser("small-newsrooms")
    assert fundraiser.is_open()
    assert fundraiser.words("ka").title != fundraiser.words("en").title
    assert fundraiser.refused_countries == ["BY"]
    assert [notice.country for notice in fundraisers.notices(fundraiser, "ka")] == ["AZ"]
    assert len(fundraisers.suggested(fundraiser, "GEL", "month")) == 4
    assert len(fundraisers.causes_of(fundraiser, "en")) == 3
    assert outlets.find_outlet("alaznis-khma").name == "ალაზნის ხმა"
    assert newsroom.get_newsroom().bank_account["iban"] == "DE89370400440532013000"
    assert allocations.find_rule_in_force(fundraiser.id, clock.now()) is not None


def test_loading_again_changes_nothing(app):
    load(app, demo_files.DATA)
    first = everything()
    assert load(app, demo_files.DATA).exit_code == 0
    assert everything() == first
    assert all(first.values())


def test_another_rule_is_a_new_version_and_the_same_one_is_not(app, changed):
    load(app, demo_files.DATA)
    assert load(app, changed(("kur-xeber = 14", "kur-xeber = 15"))).exit_code == 0
    count = select(func.count()).select_from(allocations.Rule)
    assert db.session.scalar(count) == 2
    assert load(app, changed(("kur-xeber = 14", "kur-xeber = 15"))).exit_code == 0
    assert db.session.scalar(count) == 2


@once
def test_a_broken_file_names_every_gap_and_changes_nothing(app, changed):
    path = changed(
        ('name = "Highland Dispatch"\n', ""),
        ("DE89 3704 0044 0532 0130 00", "DE89 3704 0044 0532 0130 01"),
        ('latin_name = "Alaznis Khma"', 'latin_name = "ალაზნის ხმა"'),
        ('country = "AM"', 'country = "Armenia"'),
        ('slug = "kur-xeber"', 'slug = "mtkvari-post"'),
        ('goal = "60000"', "goal = 60000.5"),
        ('title = "შევუნარჩუნოთ ხმა ხუთ პატარა რედაქციას"\n', ""),
        ("once = [15, 30, 60, 150]", "once = [1, 30, 60, 150]"),
        ("kur-xeber = 14", "kur-xeber = 0"),
        ('fee_bearer = "shares"', 'fee_bearer = "nobody"'),
        ('status = "open"', 'status = "open"\nstatsu = "open"'),
    )
    before = everything()
    done = load(app, path)
    assert done.exit_code == 1
    for gap in (
        "newsroom.name is missing",
        "newsroom.bank.iban is wrong: the check digits",
        "outlet[alaznis-khma].latin_name is wrong",
        "outlet[araksi-dzayn].country is wrong: 'Armenia'",
        "outlet has 'mtkvari-post' twice",
        "fundraiser[small-newsrooms].goal is wrong: 60000.5",
        "fundraiser[small-newsrooms].texts.ka.title is missing",
        "fundraiser[small-newsrooms].suggested.GEL.once is wrong: 1 is outside",
        "fundraiser[small-newsrooms].rule.shares is wrong",
        "fundraiser[small-newsrooms].rule.fee_bearer is wrong: 'nobody'",
        "fundraiser[small-newsrooms].statsu is not known here",
    ):
        assert gap in done.output
    assert done.output.count("\n  - ") == 11
    assert everything() == before


@once
def test_an_empty_file_names_what_a_newsroom_needs(app, tmp_path):
    path = tmp_path / "empty.toml"
    path.write_text("")
    with pytest.raises(newsroom_file.NewsroomFileError) as refused:
        newsroom_file.read(path, app.config["SETTINGS"])
    assert {"newsroom.name is missing", "newsroom.pages.en.imprint is missing"} <= set(refused.value.gaps)


@once
@pytest.mark.parametrize(("text", "says"), [(None, "cannot be read"), ("a = ", "is not TOML")])
def test_what_is_no_file_or_no_toml_is_a_sentence(app, tmp_path, text, says):
    path = tmp_path / "newsroom.toml"
    if text is not None:
        path.write_text(text)
    done = load(app, path)
    assert done.exit_code == 1
    assert says in done.output
    assert "Traceback" not in done.output


# Plans, perks, the drive, the banner


@once
def test_a_character_that_no_database_keeps_is_a_gap(app, changed):
    done = load(app, changed(('donee = "Highland', 'donee = "High\\u0000land')))
    assert done.exit_code == 1
    assert "newsroom.donee is wrong" in done.output


def test_the_demo_offers_plans_that_each_open_a_page(app):
    load(app, demo_files.DATA)
    offered = plans.open_plans()
    assert [plan.slug for plan in offered] == ["reader", "friend", "patron"]
    opened = plans.perks_by_plan()
    assert all("page" in [perk.kind for perk in opened[plan.id]] for plan in offered)
    assert {perk.kind.value for perk in opened[offered[-1].id]} == {"page", "file", "link", "code"}
    for plan in offered:
        assert len(plans.prices_of(plan)) == 2 * len(app.config["SETTINGS"].currencies)
    assert plans.codes_left(plans.get_perk("reading-evening")) == 20
    sheet = plans.file_path(plans.get_perk("winter-roads"), app.config["SETTINGS"].instance_path)
    assert sheet.read_bytes().startswith(b"%PDF")
    assert banners.current(clock.now()).goal == 500
    assert newsroom.get_newsroom().colours["accent"] == "#9b1b38"


def test_what_vanishes_from_the_file_closes_and_is_never_deleted(app, changed):
    load(app, demo_files.DATA)
    text = changed().read_text(encoding="utf-8")
    patron = text[text.index('[[plan]]\nslug = "patron"') : text.index("# A drive")]
    drive = text[text.index("[[drive]]") :]
    first = re.findall(r'"(HD-\w+)"', text)[0]
    mine = plans.take_code(plans.get_perk("reading-evening"), make.person())
    assert mine == first
    path = changed((patron, ""), (drive, ""), (f'"{first}", ', ""), ('slug = "friend"', 'slug = "fellow"'))
    assert load(app, path).exit_code == 0
    assert [(p.slug, p.status.value) for p in sorted(plans.all_plans(), key=lambda p: p.id)] == [
        ("reader", "open"),
        ("friend", "closed"),
        ("patron", "closed"),
        ("fellow", "open"),
    ]
    assert [perk.slug for perk in plans.perks_of(plans.get_plan("patron").id)][-1] == "reading-evening"
    assert plans.find_code(plans.get_perk("reading-evening"), make.person()) == mine
    assert banners.current(clock.now()) is None


def test_a_currency_that_is_given_up_closes_its_prices(app, changed):
    load(app, demo_files.DATA)
    text = changed().read_text(encoding="utf-8")
    path = changed(
        *((line + "\n", "") for line in re.findall(r"price\.GEL.*", text)),
        (re.search(r"\[fundraiser.suggested.GEL\]\n(?:.+\n)+", text)[0], ""),
    )
    settings = replace(app.config["SETTINGS"], currencies=("EUR", "USD", "GBP"))
    described(newsroom_file.read(path, settings))
    reader = plans.get_plan("reader")
    assert plans.prices_of(reader, "GEL") == []
    assert plans.prices_by_plan("EUR")[reader.id]["month"].amount == make.EUR("5")


@once
def test_gaps_in_what_can_be_joined_are_all_named(app, changed):
    path = changed(
        ('perks = ["editors-letter"]', 'perks = ["editors-lettre"]'),
        ('price.GBP = { month = "5", year = "50" }\n', ""),
        ('price.EUR = { month = "10", year = "100" }', 'price.EUR = { month = "1", year = 100.5 }'),
        ('name = "ქომაგი"\n', ""),
        ('kind = "link"', 'kind = "gift"'),
        ("winter-roads.pdf", "summer-roads.pdf"),
        ('"HD-', '"twice", "twice", "HD-'),
        ("goal = 500", "goal = 0"),
        ("ends_on = 2030-12-31", "ends_on = 2025-12-31"),
        ('accent = "#9b1b38"', 'accent = "#f5e6e6"'),
        ('ink = "#1c1a16"', 'ink = "black"'),
    )
    done = load(app, path)
    assert done.exit_code == 1
    for gap in (
        "plan[reader].perks names 'editors-lettre', which is no perk of this file",
        "plan[reader].price.GBP is missing: CURRENCIES lists it",
        "plan[friend].price.EUR.month is wrong: 1 is outside",
        "plan[friend].price.EUR.year is wrong: 100.5",
        "plan[patron].texts.ka.name is missing",
        "perk[open-meeting].kind is wrong: 'gift'",
        "perk[open-meeting].link is not known here",
        "perk[winter-roads].file is wrong:",
        "perk[reading-evening].codes is wrong: 'twice' stands there twice",
        "drive[five-hundred].goal is wrong: 0",
        "drive[five-hundred].ends_on is before begins_on",
        "newsroom.colours.accent is too close to paper: their contrast is 1.1, at least 3.0 is needed",
        "newsroom.colours.ink is wrong: 'black'",
    ):
        assert gap in done.output
    assert done.output.count("\n  - ") == 13


@once
@pytest.mark.parametrize(
    "link", ["http://a.example/", "javascript:alert(1)", "https://", "https:// a.example"]
)
def test_a_perks_link_is_one_that_a_browser_opens_safely(app, changed, link):
    done = load(app, changed(("https://meet.highland-dispatch.example/members", link)))
    assert "perk[open-meeting].link is wrong" in done.output
