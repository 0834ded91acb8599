"""What staff write about people: sealed notes, plain labels."""

import pytest

from membership import vault
from membership.domain import notes, people
from membership.errors import Conflict, Invalid
from tests import make
from tests.records import history_of


@pytest.fixture
def ana(app):
    return make.person()


@pytest.fixture
def tamar(app):
    return make.person("tamar@example.org", "Tamar")


def test_a_note_is_sealed_and_opens_where_the_key_is(ana, tamar):
    note = notes.write(ana, " Asked by phone about her card.\n", by=tamar)
    assert b"card" not in note.sealed_text
    (read,) = notes.notes_of(ana)
    assert (read.text, read.by_id) == ("Asked by phone about her card.", tamar.id)
    (record,) = history_of("person", ana.reference)
    assert (record.tag, record.by_id) == ("person.noted", tamar.id)
    assert "card" not in str(record.details)


def test_without_the_key_a_note_stays_closed(ana, tamar):
    settings = make.settings()
    notes.write(ana, "Something", by=tamar)
    told = settings.vault_public_key, None, settings.email_key, settings.outbox_keys
    vault.configure(vault.Keys(*told))
    try:
        assert [note.text for note in notes.notes_of(ana)] == [None]
    finally:
        vault.configure(vault.Keys(told[0], settings.vault_private_key, *told[2:]))


@pytest.mark.parametrize("text", ["", "  \n", "x" * 2001])
def test_a_note_has_words_and_an_end(ana, tamar, text):
    with pytest.raises(Invalid):
        notes.write(ana, text, by=tamar)


def test_a_label_is_put_on_once_and_taken_off(ana, tamar):
    notes.label(ana, "  long   standing ", by=tamar)
    notes.label(ana, "long standing", by=tamar)
    notes.label(ana, "დიასპორა", by=tamar)
    assert notes.labels_of(ana) == ["long standing", "დიასპორა"]
    notes.unlabel(ana, "long standing", by=tamar)
    notes.unlabel(ana, "long standing", by=tamar)
    assert notes.labels_of(ana) == ["დიასპორა"]
    assert len(history_of("person", ana.reference)) == 3  # what changed nothing is no deed


@pytest.mark.parametrize("text", [" ", "x" * 41, "nino@example.org"])
def test_a_label_is_a_word_or_two_and_no_address(ana, tamar, text):
    with pytest.raises(Invalid):
        notes.label(ana, text, by=tamar)


def test_nothing_is_written_about_somebody_who_has_been_erased_meanwhile(ana, tamar):
    people.forget(people.person_of(ana.id))
    for write in (notes.write, notes.label):
        with pytest.raises(Conflict):
            write(ana, "press", by=tamar)
    assert (notes.notes_of(ana), notes.labels_of(ana), history_of("person", ana.reference)) == ([], [], [])
