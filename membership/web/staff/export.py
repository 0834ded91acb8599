"""A list of people as a file: exactly what its pages show, all of them, as CSV or as an Excel file.

Rows leave in batches along the list's own index, so a large newsroom's file needs no large memory. A cell never
begins like a formula: spreadsheets run those, and a name is written by a stranger. Who exported what, and how many, is
on record before the first row leaves.
"""

import csv
import io
import tempfile
from collections.abc import Iterator
from datetime import datetime
from typing import IO, Any

from flask import Response, request, stream_with_context
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from membership import clock
from membership.db import db
from membership.domain import audit, reports
from membership.domain.reports.people import Filter
from membership.domain.roles import Ability
from membership.money import Money
from membership.web import attempts, view
from membership.web.forms.desk import ExportForm
from membership.web.forms.fields import is_unseen
from membership.web.staff import access, bp
from membership.web.staff.access import allowed
from membership.web.staff.people import list_page, read
from membership.web.staff.words import Said, offered

CSV = "text/csv; charset=utf-8"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
IN_MEMORY = 4 * 1024 * 1024
PIECE = 64 * 1024


@bp.post("/staff/people/export")
@allowed(Ability.EXPORT)
def export() -> ResponseReturnValue:
    """The file; the second factor is asked again."""
    form = ExportForm(request.form)
    if not attempts.is_pressed():
        return list_page(request.form, 422, export=form, says="again")
    if not form.validate() or not access.confirm(form):
        return list_page(request.form, 422, export=form)
    plans = offered()
    asked = read(request.form, plans)
    audit.record(
        audit.Tag.PEOPLE_EXPORTED,
        subject_type="people",
        subject_id=str(form.format.data),
        by=access.person(),
        details={**asked.told, "people": reports.people.count(asked.filter, most=None)},
    )
    db.session.commit()
    rows = _rows(asked.filter, {plan.id: plan.name for plan in plans})
    is_csv = form.format.data == "csv"
    body = stream_with_context(as_csv(rows) if is_csv else as_xlsx(rows))
    name = f"people-{clock.now().astimezone(view.settings().timezone):%Y-%m-%d}.{form.format.data}"
    response = Response(body, mimetype=None, content_type=CSV if is_csv else XLSX)
    response.headers["Content-Disposition"] = f"attachment; filename={name}"
    return response


def _rows(asked: Filter, plans: dict[int, str]) -> Iterator[list[str]]:
    """The head, then a row for each person. Between batches no transaction stays open, however slow the reader."""
    yield [
        gettext("Person"),
        gettext("Code"),
        gettext("Standing"),
        gettext("Plan"),
        gettext("Joined"),
        gettext("Gifts"),
        gettext("Last payment"),
        gettext("Paid in all"),
        gettext("What comes next"),
        gettext("Mail"),
        gettext("Labels"),
    ]
    for batch in reports.people.batches(asked):
        yield from (_cells(Said(row, plans)) for row in batch)
        db.session.rollback()


def _cells(one: Said) -> list[str]:
    """What the list shows of somebody; days and amounts as a spreadsheet can sort them."""
    row = one.row
    return [
        plain(cell)
        for cell in (
            row.who.name or "",
            row.who.code,
            one.standing,
            one.plan,
            _day(row.member_since),
            one.gifts,
            _day(row.beside.last_paid_at),
            "; ".join(_amount(amount) for amount in row.beside.paid),
            one.next.replace("\xa0", " "),
            gettext("mail comes back") if row.bounced_at else "",
            ", ".join(row.beside.labels),
        )
    ]


def _day(moment: datetime | None) -> str:
    return f"{moment.astimezone(view.settings().timezone):%Y-%m-%d}" if moment else ""


def _amount(amount: Money) -> str:
    return f"{amount.major:f} {amount.currency}"


def plain(text: str) -> str:
    """A cell that no spreadsheet runs or chokes on: an apostrophe goes before what begins like a formula, and what is
    no letter is left out.
    """
    kept = "".join(letter for letter in text if letter == "\n" or not is_unseen(letter))
    return f"'{kept}" if kept.lstrip().startswith(FORMULA) or text[:1] in ("\t", "\r", "\n") else kept


def as_csv(rows: Iterator[list[str]]) -> Iterator[bytes]:
    """RFC 4180, in UTF-8 with the mark by which Excel knows it."""
    yield "\ufeff".encode()
    page = io.StringIO()
    writer = csv.writer(page, lineterminator="\r\n")
    for row in rows:
        writer.writerow(row)
        if page.tell() > PIECE:
            yield _taken(page)
    yield _taken(page)


def _taken(page: io.StringIO) -> bytes:
    written = page.getvalue().encode()
    page.seek(0)
    page.truncate()
    return written


def as_xlsx(rows: Iterator[list[str]]) -> Iterator[bytes]:
    """One sheet of texts. Its rows go to disk as they come; the file leaves when the last one is there."""
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell

    book = Workbook(write_only=True)
    sheet = book.create_sheet("People")
    sheet.freeze_panes = "A2"
    for row in rows:
        sheet.append([_text(WriteOnlyCell(sheet), cell) for cell in row])
    with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as file:
        book.save(file)
        yield from _pieces(file)


def _text(cell: Any, words: str) -> Any:
    """A cell typed as text, whatever stands in it."""
    cell.value = words
    cell.data_type = "s"
    return cell


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    file.seek(0)
    while piece := file.read(PIECE):
        yield piece
