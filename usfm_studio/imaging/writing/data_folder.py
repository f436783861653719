"""A DATA folder: pictures, masks and tables, from which any other program (and our own command line) can train."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from usfm_studio.document.schema_file import schema_text
from usfm_studio.imaging.pictures import png_bytes, png_pixels
from usfm_studio.imaging.writing.items import Item, Work, Written, differs
from usfm_studio.imaging.writing.label_maps import write_map
from usfm_studio.imaging.writing.tables import write_labels_table, write_table
from usfm_studio.imaging.writing.whole import put


def write(work: Work, folder: Path) -> Written:
    """`images/`, `masks/`, `targets/`, `labels.csv`, `subjects.csv`, `spacing.csv` and `schema.toml`."""
    for item in work.items:
        write_picture(work.pixels(item), folder / "images" / f"{item.name}.png")
        if item.sample.masked:
            write_map(work, item, folder / "masks" / f"{item.name}.png")
        target = work.snapshot.target_pixels(item.sample)
        if target is not None:
            write_picture(np.ascontiguousarray(target), folder / "targets" / f"{item.name}.png")
        work.step()
    write_labels_table(work, folder / "labels.csv", ".png")
    write_table(folder / "subjects.csv", ("file", "subject"), [(_file(i), i.sample.subject) for i in work.items])
    spacing = [(_file(i), *i.sample.mm_per_px_xy) for i in work.items if i.sample.mm_per_px_xy]
    if spacing:
        write_table(folder / "spacing.csv", ("file", "mm_per_px", "mm_per_px_y"), spacing)
    put(folder / "schema.toml", schema_text(work.schema).encode())
    return Written(frames=len(work.items))


def write_picture(pixels: NDArray[np.uint8], path: Path) -> None:
    """One picture without loss, read back and compared."""
    put(path, png_bytes(pixels))
    if not np.array_equal(png_pixels(path.read_bytes()), pixels):
        raise differs(path.name)


def _file(item: Item) -> str:
    return f"{item.name}.png"
