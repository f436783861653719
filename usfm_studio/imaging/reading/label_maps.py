"""PNG label maps out of arrays, one by one: what `predict` leaves behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from usfm_studio.children.arrays import ArrayRef, attach
from usfm_studio.children.serve import Context
from usfm_studio.document.errors import StudioError
from usfm_studio.imaging.paths import native
from usfm_studio.imaging.pictures import ids_from_png, png_bytes
from usfm_studio.imaging.writing.whole import put_whole


def write_label_maps(items: list[dict[str, Any]], context: Context) -> dict[str, Any]:
    """Write each item's ids ("ref": a shared array, or "file": an .npy) to "out"; each is read back and compared.

    Raises DiskFull or StudioError; files written before stay, each whole.
    """
    files = []
    for item in items:
        context.check()
        out = Path(native(item["out"]))
        ids = _ids(item)
        put_whole(out, png_bytes(ids))
        if not np.array_equal(ids_from_png(out.read_bytes()), ids):
            raise StudioError(f"Could not write {out.name}", "what was read back differs from what was written")
        files.append(item["out"])
    return {"files": files}


def _ids(item: dict[str, Any]) -> NDArray[np.uint8]:
    source = attach(ArrayRef.from_json(item["ref"])) if "ref" in item else np.load(item["file"], allow_pickle=False)
    return np.ascontiguousarray(source, np.uint8)
