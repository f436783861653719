"""What `predict` writes: label maps, probabilities, pictures, the table of labels; each file whole or not at all."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from usfm_studio.document.errors import StudioError, WrongUsage
from usfm_studio.document.mask import Ids
from usfm_studio.document.schema import Schema, Segment
from usfm_studio.document.schema_file import schema_text
from usfm_studio.document.tables import table_text
from usfm_studio.imaging.pictures import ids_from_png, png_bytes, png_pixels, with_text
from usfm_studio.imaging.writing.items import differs
from usfm_studio.imaging.writing.whole import put_whole

CERTAIN = 0.5
NOT_FOR_MEASUREMENT = "enhanced, not for measurement"
FIXED_COLUMNS = ("file", "label", "probability")


def write_predictions(
    items: Sequence[Mapping[str, Any]], out: Path, kind: str, segments: Mapping[int, str]
) -> dict[str, Any]:
    """Write some frames: `masks` and `enhanced` as STEM.png, `probabilities` as STEM.npz; `labels` writes nothing here.

    An item holds "stem" and, by kind, "ids" (rows, columns) uint8, "pixels" (rows, columns[, 3]) uint8 or
    "probabilities" (segments + 1, rows, columns) float. `schema.toml` beside the masks says what the ids mean. Answers
    {"files": [names]}. Raises DiskFull, StudioError, WrongUsage.
    """
    out, files = Path(out), []
    for item in items:
        stem = _checked(str(item["stem"]))
        if kind == "masks":
            files.append(_write_map(out / f"{stem}.png", item["ids"]))
        elif kind == "enhanced":
            files.append(_write_picture(out / f"{stem}.png", item["pixels"]))
        elif kind == "probabilities":
            files.append(_write_probabilities(out / f"{stem}.npz", item["probabilities"]))
    if kind == "masks" and files:
        schema = Schema(segments=tuple(Segment(value=int(v), name=name) for v, name in sorted(segments.items())))
        put_whole(out / "schema.toml", schema_text(schema).encode())
    return {"files": files}


def write_labels(
    rows: Sequence[Mapping[str, Any]], out: Path, labels: Sequence[str], *, exclusive: bool = True
) -> dict[str, Any]:
    """`labels.csv`: file, label, probability, and the probability of each class in a column of its name.

    A row holds "file" and "labels" (name -> probability). Exclusive labels: the likeliest, one row a file. Others: a
    row for each label of at least 0.5, or one row without a label. Answers {"files": ["labels.csv"]}.
    """
    head = [*FIXED_COLUMNS, *(f"{name} (class)" if name in FIXED_COLUMNS else name for name in labels)]
    lines: list[list[object]] = []
    for row in rows:
        given: Mapping[str, float] = row["labels"]
        each = [_rounded(given.get(name)) for name in labels]
        lines += [[row["file"], name, _rounded(given.get(name)), *each] for name in _chosen(given, labels, exclusive)]
    put_whole(Path(out) / "labels.csv", table_text(head, lines).encode())
    return {"files": ["labels.csv"]}


def _chosen(given: Mapping[str, float], labels: Sequence[str], exclusive: bool) -> list[str]:
    known = [name for name in labels if name in given]
    if not known:
        return [""]
    if exclusive:
        return [max(known, key=lambda name: given[name])]
    return [name for name in known if given[name] >= CERTAIN] or [""]


def _rounded(probability: float | None) -> float | None:
    return None if probability is None else round(float(probability), 6)


def _write_map(path: Path, ids: Ids) -> str:
    put_whole(path, png_bytes(ids))
    if not np.array_equal(ids_from_png(path.read_bytes()), ids):
        raise differs(path.name)
    return path.name


def _write_picture(path: Path, pixels: NDArray[np.uint8]) -> str:
    """The picture, which says in its metadata what it is not for."""
    content = with_text(png_bytes(pixels), "Description", NOT_FOR_MEASUREMENT)
    put_whole(path, content)
    if not np.array_equal(png_pixels(path.read_bytes()), pixels):
        raise differs(path.name)
    return path.name


def _write_probabilities(path: Path, probabilities: NDArray[np.floating[Any]]) -> str:
    if not np.isfinite(probabilities).all():
        raise StudioError(f"Could not write {path.name}", "the model gave values that are no numbers")
    buffer = io.BytesIO()
    np.savez_compressed(buffer, probabilities=probabilities.astype(np.float16))
    put_whole(path, buffer.getvalue())
    return path.name


def _checked(stem: str) -> str:
    """The stem, refused where it would leave the folder."""
    if not stem or stem in (".", "..") or any(mark in stem for mark in "/\\\0"):
        raise WrongUsage("A prediction was not written", f"{stem!r} cannot be a file's name")
    return stem
