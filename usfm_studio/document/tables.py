"""Tables as CSV that a spreadsheet may open: no cell can become a formula, and reading gives back what was written."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

_FORMULA = frozenset("=+-@\t\r")


def quoted(text: str) -> str:
    """The text as a cell: an apostrophe goes before what a spreadsheet would take for a formula."""
    return f"'{text}" if text.lstrip("'")[:1] in _FORMULA and text else text


def unquoted(cell: str) -> str:
    """Inverse of `quoted`."""
    return cell[1:] if cell.startswith("'") and cell.lstrip("'")[:1] in _FORMULA else cell


def table_text(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A CSV with a head. Text cells are quoted against formulas, numbers stand as they are, None is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    for row in rows:
        writer.writerow(["" if v is None else quoted(v) if isinstance(v, str) else v for v in row])
    return text.getvalue()


def table_rows(text: str, needed: Sequence[str]) -> list[dict[str, str]]:
    """Rows of a CSV by column name; columns are found apart from letter case and a byte order mark.

    Raises ValueError where one of the `needed` columns is missing, naming it, or where the text is no CSV.
    """
    try:
        reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""))
        head = [name.strip().casefold() for name in next(reader, [])]
        missing = [name for name in needed if name not in head]
        if missing:
            raise ValueError(f"it has no column {missing[0]}")
        return [{name: unquoted(cell) for name, cell in zip(head, row, strict=False)} for row in reader if any(row)]
    except csv.Error as error:
        raise ValueError(f"it is no table: {error}") from error
