"""Starting for real: commands work before the newsroom can be shown, a web server refuses what is not complete."""

import os
import subprocess
import sys

import click
import pytest
from flask.cli import ScriptInfo

from membership.app import create_app
from membership.cli.work import Worker, timetable
from membership.config import NO_HOOK, SettingsError
from tests import databases as builder

SERVING = "import click\nwith click.Context(click.Command('granian')): import wsgi"
"""As a web server that has a command line of its own imports us."""


def production(databases_url, instance, *command):
    """A program of its own, with complete settings for production."""
    own = {name: value for name, value in builder.ENVIRONMENT.items() if name != "STRIPE_API_BASE"}
    own |= {
        "MODE": "production",
        "DATABASE_URL": databases_url,
        "INSTANCE_PATH": str(instance),
        "BASE_URL": "https://give.example.org",
        "STRIPE_SECRET_KEY": "sk_live_pressfund",
        "STATEMENT_DESCRIPTOR": "HIGHLAND FUND",
        "MAIL_URL": "smtp://127.0.0.1",
        "MAIL_FROM": "desk@example.org",
    }
    return subprocess.run(
        [sys.executable, *command],
        cwd=builder.ROOT,
        env=os.environ | own,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_new_newsroom_is_loaded_before_it_can_be_served(databases, tmp_path):
    url = databases.fresh("sqlite")
    empty = production(url, tmp_path, "-c", SERVING)
    assert empty.returncode == 1
    assert "/imprint is empty" in empty.stderr
    assert "Traceback" not in empty.stderr
    loaded = production(url, tmp_path, "-m", "flask", "newsroom", "load", "membership/cli/demo_newsroom.toml")
    assert (loaded.returncode, loaded.stderr) == (0, "")
    assert production(url, tmp_path, "-c", SERVING).returncode == 0


def test_a_new_database_is_made_by_command_and_not_served_before(tmp_path):
    url = f"sqlite:///{tmp_path / 'new.sqlite'}"
    unmade = production(url, tmp_path, "-c", SERVING)
    assert unmade.returncode == 1
    assert "flask db upgrade" in unmade.stderr
    assert "Traceback" not in unmade.stderr
    assert production(url, tmp_path, "-m", "flask", "db", "upgrade").returncode == 0


def test_a_production_installation_is_no_place_for_the_demo(databases, tmp_path):
    done = production(databases.fresh("sqlite"), tmp_path, "-m", "flask", "demo")
    assert done.returncode == 1
    assert done.stderr == "Error: This is a production installation: nothing was touched.\n"
    assert list(tmp_path.glob("demo.*")) == []


@pytest.fixture
def gaps(monkeypatch):
    """Production without a single setting."""
    for name in builder.ENVIRONMENT:
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("MODE", "production")


@pytest.mark.usefixtures("gaps")
def test_a_web_server_with_a_command_line_of_its_own_refuses_gaps():
    with click.Context(click.Command("granian")), pytest.raises(SettingsError) as refused:
        create_app()
    assert {"SECRET_KEY is missing", "EMAIL_KEY is missing"} <= set(refused.value.gaps)


@pytest.mark.usefixtures("gaps")
def test_the_development_server_refuses_gaps():
    with click.Context(click.Command("run"), info_name="run", obj=ScriptInfo()), pytest.raises(SettingsError):
        create_app()


@pytest.mark.usefixtures("gaps")
def test_with_gaps_every_command_says_them_and_new_keys_are_made():
    with click.Context(click.Group("flask"), obj=ScriptInfo()):
        app = create_app()
    said = app.test_cli_runner().invoke(args=["gifts", "stop", "--country", "BY"])
    assert said.exit_code == 1
    assert "SECRET_KEY is missing" in said.output
    made = app.test_cli_runner().invoke(args=["keys", "new"])
    assert made.exit_code == 0
    assert "SECRET_KEY=" in made.output


def test_commands_need_no_webhook_secret_since_one_of_them_makes_it(monkeypatch):
    for name, value in (builder.ENVIRONMENT | {"STRIPE_WEBHOOK_SECRET": ""}).items():
        monkeypatch.setenv(name, value)
    with click.Context(click.Group("flask"), obj=ScriptInfo()):
        app = create_app()
    assert app.config["SETTINGS"].stripe_webhook_secrets == ()
    said = app.test_cli_runner().invoke(args=["work", "--once"])  # which is half of what serves
    assert (said.exit_code, NO_HOOK in said.output) == (1, True)
    with click.Context(click.Command("granian")), pytest.raises(SettingsError) as refused:
        create_app()
    assert refused.value.gaps == [NO_HOOK]


@pytest.mark.usefixtures("gaps")
def test_commands_name_the_webhooks_secret_among_other_gaps():
    with click.Context(click.Group("flask"), obj=ScriptInfo()):
        app = create_app()
    said = app.test_cli_runner().invoke(args=["work"]).output
    assert NO_HOOK in said
    assert "EMAIL_KEY is missing" in said


def test_a_command_on_older_tables_says_what_to_do(tmp_path):
    with builder.app_at(f"sqlite:///{tmp_path / 'new.sqlite'}") as app:
        said = app.test_cli_runner().invoke(args=["ledger", "check"])
    assert said.exit_code == 1
    assert "flask db upgrade" in said.output


@pytest.mark.parametrize("command", ["ledger check", "db upgrade"])
def test_a_database_that_cannot_be_opened_is_a_sentence(tmp_path, command):
    (tmp_path / "file").touch()  # a file is no folder
    with builder.app_at(f"sqlite:///{tmp_path / 'file' / 'new.sqlite'}") as app:
        said = app.test_cli_runner().invoke(args=command.split())
    assert said.exit_code == 1
    assert "The database does not answer: is DATABASE_URL right?" in said.output
    assert isinstance(said.exception, SystemExit)


def test_a_worker_without_its_database_says_one_line_a_round(tmp_path, caplog):
    (tmp_path / "file").touch()
    with builder.app_at(f"sqlite:///{tmp_path / 'file' / 'new.sqlite'}") as app:
        worker = Worker(timetable(app.config["SETTINGS"]))
        with app.app_context():
            assert worker.round() == 0
    assert worker.failed
    assert [line.getMessage() for line in caplog.records if line.levelname == "ERROR"] == [
        "reaching the database failed: OperationalError"
    ]
