"""Boxes open for the right key only, and an address has one key however it is typed."""

import dataclasses
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from membership import vault
from membership.errors import Invalid
from membership.vault import Keys

NINO = {"email": "nino@example.org", "name": "ნინო Əliyeva Արամ"}


def keys(**changes):
    fresh = vault.new_keys()
    made = Keys(
        public=fresh["VAULT_PUBLIC_KEY"],
        private=fresh["VAULT_PRIVATE_KEY"],
        email_key=fresh["EMAIL_KEY"],
        outbox_keys=(fresh["OUTBOX_KEY"],),
    )
    return dataclasses.replace(made, **changes)


@pytest.fixture(autouse=True)
def own_keys():
    before = vault._Vault.opened
    made = keys()
    vault.configure(made)
    yield made
    vault._Vault.opened = before


def test_what_was_sealed_and_locked_opens_again():
    assert vault.open_sealed(vault.seal(NINO)) == NINO
    assert vault.unlock(vault.lock(NINO)) == NINO


def test_text_is_sealed_as_it_stands():
    assert vault.open_sealed(vault.seal_text(b'{"name": "\\ud800", "of": [1, 2.50]}')) == {
        "name": "\ud800",
        "of": [1, 2.5],
    }


def test_a_box_says_nothing_of_what_it_holds():
    assert vault.seal(NINO) != vault.seal(NINO)
    for box in (vault.seal, vault.lock):
        assert b"nino" not in box(NINO)
        assert len(box({"name": "a"})) == len(box({"name": "a" * 100}))
        assert len(box({"name": "a" * 500})) - len(box({"name": "a"})) == 512 - 128


@given(st.dictionaries(st.text(max_size=8), st.text(max_size=300) | st.integers() | st.none(), max_size=4))
def test_any_object_survives(data):
    assert vault.unlock(vault.lock(data)) == vault.open_sealed(vault.seal(data)) == data


def test_a_server_without_the_private_key_seals_but_does_not_open(own_keys):
    vault.configure(dataclasses.replace(own_keys, private=None))
    box = vault.seal(NINO)
    with pytest.raises(vault.NoPrivateKey):
        vault.open_sealed(box)
    vault.configure(own_keys)
    assert vault.open_sealed(box) == NINO


def test_anothers_box_is_refused_with_a_sentence():
    sealed, locked = vault.seal(NINO), vault.lock(NINO)
    vault.configure(keys())
    with pytest.raises(vault.WrongKey, match="VAULT_PUBLIC_KEY"):
        vault.open_sealed(sealed)
    with pytest.raises(vault.WrongKey, match="OUTBOX_KEY"):
        vault.unlock(locked)


@pytest.mark.parametrize("damage", [b"", b"short", b"\0" * 200])
def test_damage_is_refused(damage):
    for opening in (vault.open_sealed, vault.unlock):
        with pytest.raises(vault.WrongKey):
            opening(damage)


def test_outbox_keys_rotate(own_keys):
    old = vault.lock(NINO)
    newer = vault.new_keys()["OUTBOX_KEY"]
    vault.configure(dataclasses.replace(own_keys, outbox_keys=(newer, *own_keys.outbox_keys)))
    fresh = vault.lock(NINO)
    assert vault.unlock(old) == vault.unlock(fresh) == NINO
    vault.configure(dataclasses.replace(own_keys, outbox_keys=(newer,)))
    assert vault.unlock(fresh) == NINO
    with pytest.raises(vault.WrongKey):
        vault.unlock(old)


def test_keys_that_are_no_keys_are_named(own_keys):
    for change, named in [
        ({"public": "abc"}, "VAULT_PUBLIC_KEY"),
        ({"private": "ü"}, "VAULT_PRIVATE_KEY"),
        ({"private": vault.new_keys()["VAULT_PRIVATE_KEY"]}, "VAULT_PRIVATE_KEY"),
        ({"email_key": b"short"}, "EMAIL_KEY"),
        ({"outbox_keys": ()}, "OUTBOX_KEY"),
    ]:
        with pytest.raises(vault.BadKey, match=named):
            vault.configure(dataclasses.replace(own_keys, **change))
    assert own_keys.email_key not in repr(own_keys)
    vault.configure(None)
    with pytest.raises(RuntimeError, match=r"vault\.configure"):
        vault.seal(NINO)


def test_keys_may_be_raw_bytes(own_keys):
    box = vault.seal(NINO)
    raw = {
        name: vault._key(value, name)
        for name, value in dataclasses.asdict(own_keys).items()
        if name != "outbox_keys"
    }
    vault.configure(Keys(**raw, outbox_keys=(b"k" * 32,)))
    assert vault.open_sealed(box) == NINO


# --- e-mail addresses --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "normal"),
    [
        ("reader@example.org", "reader@example.org"),
        ("a@b.test", "a@b.test"),
        ("ana@demo.example", "ana@demo.example"),
        ("staff@newsroom.localhost", "staff@newsroom.localhost"),
        ("  Nino@Example.ORG\r\n", "nino@example.org"),
        ("\u200bnino@example.org\ufeff", "nino@example.org"),
        ("ｎｉｎｏ＠example.org", "nino@example.org"),
        ("nino@BÜCHER.example", "nino@xn--bcher-kva.example"),
        ("nino@ფოსტა.გე", "nino@xn--lodzmeh.xn--node"),
        ("nino+gift@example.org", "nino+gift@example.org"),
        ("o'neil@example.org", "o'neil@example.org"),
        ("KIRK@example.org", "kirk@example.org"),
    ],
)
def test_addresses_that_are_taken(typed, normal):
    assert vault.normalise_email(typed) == normal
    assert vault.normalise_email(normal) == normal
    assert vault.email_key(typed) == vault.email_key(normal)


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("", "write your e-mail"),
        (" \n", "write your e-mail"),
        ("nino", "has an @"),
        ("ნინო@example.org", "Latin letters before the @"),
        ("josé@example.org", "Latin letters before the @"),
        ("nino@example.org\nBcc: all@example.org", "no spaces"),
        ("nino\r\n@example.org", "no spaces"),
        ("ni no@example.org", "no spaces"),
        ("nino\x00@example.org", "no spaces"),
        ("nino@exam\u200bple.org", "no spaces"),
        ('"ni"@example.org', "no spaces"),
        ("Nino <nino@example.org>", "no spaces"),
        ("<nino@example.org>", "does not look like"),
        ("nino@", "does not look like"),
        ("@example.org", "does not look like"),
        ("nino@@example.org", "does not look like"),
        ("nino@intranet", "does not look like"),
        ("nino@127.0.0.1", "does not look like"),
        ("nino@[127.0.0.1]", "does not look like"),
        ("nino@-a-.org", "does not look like"),
        ("nino@a..org", "does not look like"),
        (".nino@example.org", "does not look like"),
        ("nino@example.org,ana@example.org", "does not look like"),
        ("n" * 65 + "@example.org", "too long"),
        ("nino@" + "a." * 130 + "org", "too long"),
    ],
)
def test_addresses_that_are_refused(typed, says):
    with pytest.raises(Invalid, match=says) as refusal:
        vault.normalise_email(typed)
    assert refusal.value.field == "email"


def test_the_address_to_write_to_keeps_its_case():
    assert vault.clean_email(" Nino.Beridze@Example.ORG ") == "Nino.Beridze@example.org"


@given(st.text(max_size=40) | st.emails())
def test_any_text_is_an_address_or_a_sentence(typed):
    try:
        cleaned = vault.clean_email(typed)
    except Invalid:
        cleaned = "refused@example.org"
    assert cleaned.isascii()
    assert not re.search(r"[\s\x00-\x1f\x7f\"]", cleaned)
    assert vault.normalise_email(cleaned) == cleaned.casefold()


def test_another_key_hides_addresses_otherwise(own_keys):
    before = vault.email_key("nino@example.org")
    assert re.fullmatch("[0-9a-f]{64}", before)
    vault.configure(dataclasses.replace(own_keys, email_key=b"k" * 32))
    assert vault.email_key("nino@example.org") != before


@pytest.mark.parametrize(
    ("email", "masked"),
    [
        ("nino@example.org", "n…@e…e.org"),
        ("a@b.test", "a…@….test"),
        ("nino@mail.example.org", "n…@m…e.org"),
        ("root@localhost", "r…@l…t"),
    ],
)
def test_a_masked_address(email, masked):
    assert vault.mask(email) == masked
