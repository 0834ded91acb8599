"""A newsroom comes from one file: complete or refused with every gap named, the same however often it is loaded."""

import tomllib

import pytest
from sqlalchemy import func, select

from membership import clock
from membership.cli import demo_files, newsroom_file
from membership.db import Base, db
from membership.domain import allocations, fundraisers, newsroom, outlets


def load(app, path):
    return app.test_cli_runner().invoke(args=["newsroom", "load", str(path)])


def everything():
    """Every row of what a file describes."""
    names = ("newsroom", "outlets", "fundraisers", "fundraiser_causes", *rule_tables())
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
        for old, new in pairs:
            assert old in text
            text = text.replace(old, new, 1)
        path = tmp_path / "newsroom.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return change


def test_the_demo_file_says_everything_in_every_language(app):
    data = tomllib.loads(demo_files.DATA.read_text(encoding="utf-8"))
    for locale in app.config["SETTINGS"].locales:
        assert data["newsroom"]["pages"][locale].keys() == set(newsroom.PAGES) - {"joining"}
        assert data["newsroom"]["joining_opens"][locale]
        assert all(outlet["about"][locale] for outlet in data["outlet"])
        (fundraiser,) = data["fundraiser"]
        assert len(fundraiser["texts"][locale]["story"].split()) > 200
        assert all(cause["title"][locale] for cause in fundraiser["cause"])


def test_the_demo_newsroom_loads(app):
    done = load(app, demo_files.DATA)
    assert done.exit_code == 0, done.output
    assert "5 outlets, 1 fundraisers" in done.output
    fundraiser = fundraisers.get_fundraiser("small-newsrooms")
    assert fundraiser.is_open()
    assert fundraiser.words("ka").title != fundraiser.words("en").title
    assert fundraiser.refused_countries == ["BY"]
    assert [notice.country for notice in fundraisers.notices(fundraiser, "ka")] == ["AZ"]
    assert len(fundraisers.suggested(fundraiser, "GEL", "month")) == 4
    assert len(fundraisers.causes_of(fundraiser, "en")) == 3
    assert outlets.get_outlet("alaznis-khma").name == "ალაზნის ხმა"
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


def test_an_empty_file_names_what_a_newsroom_needs(app, tmp_path):
    path = tmp_path / "empty.toml"
    path.write_text("")
    with pytest.raises(newsroom_file.NewsroomFileError) as refused:
        newsroom_file.read(path, app.config["SETTINGS"])
    assert {"newsroom.name is missing", "newsroom.pages.en.imprint is missing"} <= set(refused.value.gaps)


@pytest.mark.parametrize(("text", "says"), [(None, "cannot be read"), ("a = ", "is not TOML")])
def test_what_is_no_file_or_no_toml_is_a_sentence(app, tmp_path, text, says):
    path = tmp_path / "newsroom.toml"
    if text is not None:
        path.write_text(text)
    done = load(app, path)
    assert done.exit_code == 1
    assert says in done.output
    assert "Traceback" not in done.output


def test_plans_may_stand_in_the_file_already(app, changed):
    done = load(app, changed(("[[outlet]]", '[[plan]]\nslug = "reader"\n\n[[outlet]]')))
    assert done.exit_code == 0
    assert "a table called plan" in done.output
