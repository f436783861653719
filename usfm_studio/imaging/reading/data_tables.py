"""The tables of a DATA folder: labels, subjects, spacing and the schema; each bad row is named, the others count."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from usfm_studio.document.errors import Unreadable, WrongUsage
from usfm_studio.document.schema import Schema
from usfm_studio.document.schema_file import schema_of
from usfm_studio.document.tables import table_rows
from usfm_studio.imaging.paths import portable

_LARGEST = 128 << 20


@dataclass(slots=True)
class Tables:
    """By image file name. `exclusive`: no image has two labels."""

    schema: Schema | None = None
    labels: dict[str, list[str]] = field(default_factory=dict)
    subjects: dict[str, str] = field(default_factory=dict)
    spacing: dict[str, tuple[float, float]] = field(default_factory=dict)
    failed: list[dict[str, str]] = field(default_factory=list)

    @property
    def exclusive(self) -> bool:
        """True where no image has two labels."""
        return all(len(names) < 2 for names in self.labels.values())

    def files(self) -> set[str]:
        """All files that a table names."""
        return {*self.labels, *self.subjects, *self.spacing}

    def fail(self, path: Path, row: int, why: str) -> None:
        """Note a row (counted from 1, below the head) that is left out."""
        self.failed.append({"path": portable(str(path)), "error": f"{path.name}, row {row}: {why}."})


def read_tables(data: Path) -> Tables:
    """All tables that are there. Raises Unreadable or WrongUsage where one cannot be used at all, naming it."""
    tables = Tables()
    schema = data / "schema.toml"
    if schema.is_file():
        try:
            tables.schema = schema_of(_text(schema))
        except WrongUsage as error:
            raise WrongUsage(f"{schema.name} cannot be used", error.why, error.hint) from error
    _labels(tables, data / "labels.csv")
    _subjects(tables, data / "subjects.csv")
    _spacing(tables, data / "spacing.csv")
    return tables


def _labels(tables: Tables, path: Path) -> None:
    known = {label.name for label in tables.schema.labels} if tables.schema else set()
    for row, file, cells in _rows(tables, path, ("file", "label")):
        label = cells["label"].strip()
        if not label:
            tables.fail(path, row, "it has no label")
        elif known and label not in known:
            tables.fail(path, row, f'the label "{label[:80]}" is not in schema.toml')
        elif label in tables.labels.setdefault(file, []):
            tables.fail(path, row, "the same row came before it")
        else:
            tables.labels[file].append(label)


def _subjects(tables: Tables, path: Path) -> None:
    for row, file, cells in _rows(tables, path, ("file", "subject")):
        subject = cells["subject"].strip()
        if not subject:
            tables.fail(path, row, "it has no subject")
        elif file in tables.subjects:
            tables.fail(path, row, "the same image came before it")
        else:
            tables.subjects[file] = subject


def _spacing(tables: Tables, path: Path) -> None:
    for row, file, cells in _rows(tables, path, ("file", "mm_per_px")):
        x = _positive(cells["mm_per_px"])
        second = cells.get("mm_per_px_y", "").strip()
        y = _positive(second) if second else x
        if x is None or y is None:
            tables.fail(path, row, "it is not a positive number of millimetres")
        elif file in tables.spacing:
            tables.fail(path, row, "the same image came before it")
        else:
            tables.spacing[file] = (x, y)


def _positive(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and value > 0 else None


def _rows(tables: Tables, path: Path, needed: tuple[str, ...]) -> Iterator[tuple[int, str, dict[str, str]]]:
    """(row number, file, cells) of a table that may be absent; rows without all needed cells are noted."""
    if not path.is_file():
        return
    try:
        rows = table_rows(_text(path), needed)
    except ValueError as error:
        raise Unreadable(f"Could not read {path.name}", str(error)) from error
    for number, cells in enumerate(rows, 1):
        if any(name not in cells for name in needed) or not cells["file"].strip():
            tables.fail(path, number, "it is not complete")
        else:
            yield number, cells["file"].strip(), cells


def _text(path: Path) -> str:
    what = f"Could not read {path.name}"
    try:
        if path.stat().st_size > _LARGEST:
            raise Unreadable(what, "it is larger than any table of this kind")
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable(what, "it is not UTF-8 text", "Save it again as UTF-8.") from error
    except OSError as error:
        raise Unreadable(what, (error.strerror or "it cannot be read").lower()) from error
