"""The sentences of the house and their catalogues. As a program (make messages) it brings the catalogues up to date."""

import io
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parents[2]
TRANSLATIONS = ROOT / "membership" / "translations"
KEYWORDS = DEFAULT_KEYWORDS | {"lazy_gettext": None, "lazy_ngettext": (1, 2), "lazy_pgettext": ((1, "c"), 2)}
WIDTH = 110
LOCALES = ("ka",)  # English is what the code says


def catalogue_files() -> list[Path]:
    return [TRANSLATIONS / locale / "LC_MESSAGES" / "messages.po" for locale in LOCALES]


def gather() -> Catalog:
    """Every sentence in code and templates, as a fresh template without translations."""
    methods, options = parse_mapping_cfg(io.StringIO((TRANSLATIONS / "babel.cfg").read_text()))
    found = extract_from_dir(
        ROOT,
        methods,
        options,
        KEYWORDS,
        comment_tags=("i18n:",),
        strip_comment_tags=True,
        directory_filter=_is_ours,
    )
    catalogue = Catalog(project="Pressfund", charset="utf-8")
    for file, _line, message, comments, context in sorted(found, key=lambda row: row[:2]):
        catalogue.add(message, None, [(Path(file).as_posix(), 0)], auto_comments=comments, context=context)
    return catalogue


def _is_ours(folder: str | Path) -> bool:
    parts = Path(folder).relative_to(ROOT).parts
    return not parts or (parts[0] in {"membership", "templates"} and parts[-1] != "__pycache__")


def read(file: Path) -> Catalog:
    if not file.exists():
        return Catalog(locale=file.parents[1].name, project="Pressfund", charset="utf-8", fuzzy=False)
    with file.open("rb") as stream:
        return read_po(stream, locale=file.parents[1].name)


def update(file: Path) -> None:
    """New sentences come in untranslated, gone ones go; nothing is guessed, so nothing is fuzzy."""
    catalogue = read(file)
    catalogue.update(gather(), no_fuzzy_matching=True, update_creation_date=False)
    catalogue.obsolete.clear()
    catalogue.fuzzy = False
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("wb") as stream:
        write_po(stream, catalogue, width=WIDTH, include_lineno=False, sort_by_file=True)
    missing = sum(1 for message in catalogue if message.id and not message_is_whole(message.string))
    print(f"{file.relative_to(ROOT)}: {len(catalogue)} sentences, {missing} without a translation")


def message_is_whole(translation: str | tuple[str, ...]) -> bool:
    return all(translation) if isinstance(translation, tuple) else bool(translation)


if __name__ == "__main__":
    for catalogue_file in catalogue_files():
        update(catalogue_file)
