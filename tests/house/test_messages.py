"""Every sentence a reader sees stands in every catalogue, whole, with the same places to fill."""

import re

import pytest

from tests.house import catalogues

GEORGIAN = re.compile("[\u10a0-\u10ff]")  # Mkhedruli; capitals (Mtavruli) are missing from most fonts
PLACE = re.compile(r"%\((\w+)\)[sd]|%[sd%]")

# Translations that are right without a Georgian letter, each with its reason.
NOT_GEORGIAN: dict[str, str] = {
    "Stripe": "a name",
    "CSV": "a file format",
    "JSONL": "a file format",
    "IBAN": "the same letters everywhere",
    "BIC": "the same letters everywhere",
}


@pytest.fixture(scope="module")
def sentences():
    found = {(m.context, m.id[0] if m.pluralizable else m.id): m for m in catalogues.gather() if m.id}
    assert len(found) > 20, "nothing was gathered: has babel.cfg lost its way?"
    return found


@pytest.fixture(scope="module", params=catalogues.catalogue_files(), ids=lambda file: file.parents[1].name)
def catalogue(request):
    return catalogues.read(request.param)


def places(text):
    return sorted(PLACE.findall(text))


def test_every_sentence_is_there(sentences, catalogue):
    known = {(m.context, m.id[0] if m.pluralizable else m.id) for m in catalogue if m.id}
    assert sorted(map(str, sentences.keys() - known)) == [], "make messages gathers them"
    assert sorted(map(str, known - sentences.keys())) == [], "nobody says these any more: make messages"


def test_every_sentence_is_translated_and_nothing_is_guessed(catalogue):
    assert [m.id for m in catalogue if m.id and (m.fuzzy or not catalogues.message_is_whole(m.string))] == []


def test_plural_forms_are_all_filled(catalogue):
    plural = [m for m in catalogue if m.pluralizable]
    assert [m.id for m in plural if len(m.string) != catalogue.num_plurals or not all(m.string)] == []


def test_places_to_fill_are_the_same(catalogue):
    def differs(message):
        said = message.id if message.pluralizable else [message.id]
        translated = message.string if message.pluralizable else [message.string]
        wanted = [places(text) for text in said]
        return any(places(text) not in wanted for text in translated if text)

    assert [m.id for m in catalogue if m.id and differs(m)] == []


def test_georgian_is_written_in_georgian():
    catalogue = catalogues.read(catalogues.TRANSLATIONS / "ka" / "LC_MESSAGES" / "messages.po")
    strings = [
        (m.id, text) for m in catalogue if m.id for text in (m.string if m.pluralizable else [m.string])
    ]
    latin = [(said, text) for said, text in strings if text and not GEORGIAN.search(text)]
    assert [pair for pair in latin if pair[0] not in NOT_GEORGIAN] == []
