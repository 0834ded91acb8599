"""Settings: every gap and every malformed value in one answer, and no password in it."""

import pytest

from membership import vault
from membership.config import Settings, SettingsError
from tests.databases import ENVIRONMENT


def gaps(**settings):
    with pytest.raises(SettingsError) as refused:
        Settings.from_environment(ENVIRONMENT | settings)
    return refused.value.gaps


def test_every_malformed_setting_is_named_at_once():
    wrong = {
        "BASE_URL": "give.example.org",
        "BOUNCE_MAILBOX": "imap://here",
        "CURRENCIES": "EUR,BITCOIN",
        "DATABASE_URL": "mysql://user:secret@host/name",
        "EMAIL_KEY": "short",
        "FEE_FORMULA": "a lot",
        "GRACE_DAYS": "-1",
        "LEDGER_CURRENCY": "euro",
        "LOCALES": "en,klingon",
        "MAIL_FROM": "the desk",
        "MAIL_URL": "mail.example.org",
        "STAFF_MAIL": "desk@",
        "STATEMENT_DESCRIPTOR": "*",
        "STRIPE_SECRET_KEY": "sk_live_pressfund",
        "TIMEZONE": "Mars/Base",
        "TRUSTED_PROXIES": "one",
    }
    said = gaps(**wrong)
    assert [name for name in wrong if not any(gap.startswith(name) for gap in said)] == []
    assert len(said) == len(wrong)
    assert "secret" not in " ".join(said).replace("STRIPE_SECRET_KEY", "")


@pytest.mark.parametrize("url", ["postgresql://user:secret@host:port/name", "sqlite://user:secret@host:p/x"])
def test_a_broken_address_of_a_database_is_a_gap_without_its_password(url):
    (said,) = gaps(DATABASE_URL=url)
    assert said.startswith("DATABASE_URL is malformed")
    assert "secret" not in said


def test_halves_of_two_pairs_of_keys_are_a_gap():
    (said,) = gaps(VAULT_PRIVATE_KEY=vault.new_keys()["VAULT_PRIVATE_KEY"])
    assert "no pair" in said
