"""PNG label maps: one grey picture a frame with the segment ids, beside it what the ids mean."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from usfm_studio.document.schema_file import schema_text
from usfm_studio.imaging.pictures import ids_from_png, png_bytes
from usfm_studio.imaging.writing.items import Item, Work, Written, differs
from usfm_studio.imaging.writing.tables import write_labels_table
from usfm_studio.imaging.writing.whole import put


def write(work: Work, folder: Path) -> Written:
    """STEM.png or STEM_f000.png of each frame with a mask, `schema.toml`, and `labels.csv` where there are labels."""
    for item in work.items:
        if item.sample.masked:
            write_map(work, item, folder / f"{item.name}.png")
        work.step()
    put(folder / "schema.toml", schema_text(work.schema).encode())
    write_labels_table(work, folder / "labels.csv", ".png")
    return Written(frames=sum(i.sample.masked or i.sample.labels is not None for i in work.items))


def write_map(work: Work, item: Item, path: Path) -> None:
    """One label map, read back and compared."""
    ids = work.ids(item)
    put(path, png_bytes(ids))
    if not np.array_equal(ids_from_png(path.read_bytes()), ids):
        raise differs(path.name)
