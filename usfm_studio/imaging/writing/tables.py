"""Labels as tables, and the table export."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from usfm_studio.document.tables import table_rows, table_text
from usfm_studio.imaging.writing.items import Work, Written, differs
from usfm_studio.imaging.writing.whole import put


def write_table(path: Path, head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """One CSV, read back and compared cell by cell."""
    put(path, table_text(head, rows).encode())
    wanted = [["" if cell is None else str(cell) for cell in row] for row in rows]
    read = [list(row.values()) for row in table_rows(path.read_bytes().decode(), head)]
    if read != [row for row in wanted if any(row)]:
        raise differs(path.name)


def write_labels_table(work: Work, path: Path, ending: str) -> None:
    """`file,label`, one row a label; no file where nobody labelled anything."""
    if any(item.sample.labels is not None for item in work.items):
        rows = [(f"{item.name}{ending}", label) for item in work.items for label in item.sample.labels or ()]
        write_table(path, ("file", "label"), rows)


def write(work: Work, folder: Path) -> Written:
    """`labels.csv` (file, frame, subject, label) and `segments.csv` (file, frame, subject, value, segment, area_px).

    `file` is the source's stem; `frame` counts from 0 and is empty for stills.
    """
    labels: list[tuple[object, ...]] = []
    segments: list[tuple[object, ...]] = []
    for item in work.items:
        where = (item.stem, item.frame, item.sample.subject)
        labels += [(*where, label) for label in item.sample.labels or ()]
        if item.sample.masked:
            counts = np.bincount(work.ids(item).ravel(), minlength=256)
            for value in (np.flatnonzero(counts[1:]) + 1).tolist():
                segment = work.schema.segment(value)
                segments.append((*where, value, segment.name if segment else "", int(counts[value])))
        work.step()
    write_table(folder / "labels.csv", ("file", "frame", "subject", "label"), labels)
    write_table(folder / "segments.csv", ("file", "frame", "subject", "value", "segment", "area_px"), segments)
    return Written(frames=len(work.items))
