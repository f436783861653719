"""A DATA folder (images, masks, tables) as the snapshot folder that training and scoring take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from usfm_studio.children.serve import Context
from usfm_studio.document.errors import NotFound, StudioError, Unreadable, WrongUsage
from usfm_studio.document.frame import Instance
from usfm_studio.document.mask import Ids
from usfm_studio.document.schema import Label, Schema, Segment
from usfm_studio.document.snapshot import Sample, SnapshotWriter
from usfm_studio.imaging.disk import translated
from usfm_studio.imaging.paths import portable
from usfm_studio.imaging.pictures import as_plain_ids, ids_from_png, png_shape
from usfm_studio.imaging.reading.colour import to_8_bit
from usfm_studio.imaging.reading.data_tables import Tables, read_tables
from usfm_studio.imaging.reading.describe import describe
from usfm_studio.imaging.reading.elements import PARSE_ERRORS
from usfm_studio.imaging.reading.frames import frame_pixels

IMAGES = frozenset({".png", ".jpg", ".jpeg", ".dcm"})
TARGETS = (".png", ".jpg", ".jpeg")
_WHAT = "Could not prepare the training data"


@dataclass(slots=True)
class _Work:
    data: Path
    tables: Tables
    writer: SnapshotWriter
    values: set[int] = field(default_factory=set)
    stems: set[str] = field(default_factory=set)
    masks_used: set[str] = field(default_factory=set)
    failed: list[dict[str, str]] = field(default_factory=list)

    def fail(self, path: Path | str, why: str) -> None:
        self.failed.append({"path": portable(str(path)), "error": why})


def data_folder_to_snapshot(data: Path, out: Path, skip: Mapping[str, str], context: Context) -> dict[str, Any]:
    """{"folder", "failed": [{path, error}], "frames"}. What cannot be used is left out and named; the rest is taken.

    `skip` names images (by file name) that are not opened, with the reason. Raises NotFound, WrongUsage, Unreadable
    where the folder as a whole cannot be used, DiskFull or StudioError where nothing can be written.
    """
    images = _images(data)
    tables = read_tables(data)
    with translated(_WHAT):
        work = _Work(data, tables, SnapshotWriter(out, tables.schema or Schema()))
    work.failed += tables.failed
    known = {image.name for image in images}
    for file in tables.files() - known:
        work.fail(data / "images" / file, f"{file} is in a table, but there is no such image.")
    for n, image in enumerate(images):
        context.check()
        name = portable(image.name)
        context.progress({"file": name, "done": n, "total": len(images)})
        if name in skip:
            work.fail(image, skip[name])
        else:
            _image(work, image)
    if not work.writer.samples:
        first = work.failed[0]["error"] if work.failed else "there is no image in it"
        raise Unreadable(f"{data.name} cannot be used as training data", first)
    _note_unused_masks(work)
    work.writer.schema = _schema(work)
    with translated(_WHAT):
        snapshot = work.writer.finish()
    return {"folder": str(out), "failed": work.failed, "frames": len(snapshot.samples), "digest": snapshot.digest}


def _images(data: Path) -> list[Path]:
    folder = data / "images"
    if not folder.is_dir():
        raise NotFound(
            f"{data.name} is not a DATA folder", "it has no folder named images", "See the layout in the documentation."
        )
    try:
        return sorted(path for path in folder.iterdir() if path.suffix.casefold() in IMAGES)
    except OSError as error:
        raise Unreadable(f"Could not read {data.name}", "you may not read its images") from error


def _image(work: _Work, image: Path) -> None:
    path = portable(str(image))
    description = describe(path, digest=True)
    if description.instance is None:
        work.fail(image, description.not_imported or "It holds no image.")
        return
    instance = description.instance
    for index in range(instance.frames):
        with translated(_WHAT):  # what cannot be read is told by its own error, so this is the writing
            try:
                _frame(work, image, instance, index)
            except StudioError as error:
                work.fail(image, str(error))


def _frame(work: _Work, image: Path, instance: Instance, index: int) -> None:
    loop = instance.frames > 1
    stem = portable(image.stem) + (f"_f{index:03d}" if loop else "")
    file = portable(image.name)
    if stem in work.stems:
        raise Unreadable(f"Could not use {file}", "another image has the same name before its ending", "Rename one.")
    work.stems.add(stem)
    pixels, _ = frame_pixels(instance, index)
    shown = as_trained(pixels, instance.bits)
    shape = (instance.rows, instance.columns)
    mask = _mask(work, stem, shape)
    labels = work.tables.labels.get(file)
    scale = instance.scale_at(instance.columns / 2, instance.rows / 2)
    sample = Sample(
        stem=stem,
        name=f"{file}#{index}" if loop else file,
        subject=work.tables.subjects.get(file) or portable(image.stem),
        rows=instance.rows,
        columns=instance.columns,
        labels=None if labels is None else tuple(labels),
        mm_per_px_xy=work.tables.spacing.get(file) or (scale.mm_per_px_xy if scale else None),
        source_digest=instance.digest,
        frame_key=instance.frame_id(index).key,
    )
    work.writer.add(sample, shown, mask, _target(work, stem, shape))


def as_trained(pixels: NDArray[Any], bits: int) -> NDArray[np.uint8]:
    """8 bit; colour only where the three channels differ somewhere."""
    shown = to_8_bit(pixels, bits)
    if shown.ndim == 3 and not (np.ptp(shown, axis=2) > 0).any():
        shown = shown[..., 0]
    return np.ascontiguousarray(shown)


def _mask(work: _Work, stem: str, shape_rc: tuple[int, int]) -> Ids | None:
    """The mask of one image; None where there is none, or where it cannot be used (which is noted)."""
    path = work.data / "masks" / f"{stem}.png"
    if not path.is_file():
        return None
    work.masks_used.add(path.name)
    try:
        content = path.read_bytes()
        have = png_shape(content)
        if have != shape_rc:
            raise ValueError(f"it is {have[1]} x {have[0]} pixels, its image {shape_rc[1]} x {shape_rc[0]}")
        schema = work.tables.schema
        known = frozenset(s.value for s in schema.segments) if schema else frozenset()
        ids = as_plain_ids(ids_from_png(content), known)
        present = {int(v) for v in np.unique(ids) if v}
        if known and not present <= known:
            raise ValueError(f"it holds the segment value {min(present - known)}, which schema.toml does not have")
    except (OSError, *PARSE_ERRORS) as error:
        reason = str(error) if isinstance(error, ValueError) else "it cannot be read"
        work.fail(path, str(Unreadable(f"Could not use the mask {path.name}", reason)))
        return None
    work.values |= present
    return ids


def _target(work: _Work, stem: str, shape_rc: tuple[int, int]) -> NDArray[np.uint8] | None:
    """The high-quality image of an enhancement pair, or None."""
    folder = work.data / "targets"
    path = next((p for ending in TARGETS if (p := folder / f"{stem}{ending}").is_file()), None)
    if path is None:
        return None
    instance = describe(portable(str(path))).instance
    if instance is None or (instance.rows, instance.columns) != shape_rc:
        work.fail(
            path, str(Unreadable(f"Could not use the target {path.name}", "it is not a picture of the same size"))
        )
        return None
    return as_trained(frame_pixels(instance, 0)[0], instance.bits)


def _note_unused_masks(work: _Work) -> None:
    folder = work.data / "masks"
    if not folder.is_dir():
        return
    for path in sorted(folder.iterdir()):
        if path.suffix.casefold() != ".png":
            if path.is_file() and not path.name.startswith("."):
                work.fail(path, f"{path.name} is not used: masks are PNG files.")
        elif path.name not in work.masks_used:
            work.fail(path, f"{path.name} is not used: there is no image of that name.")


def _schema(work: _Work) -> Schema:
    """The folder's own schema; what it leaves open is taken from what occurs."""
    stated = work.tables.schema or Schema()
    segments = stated.segments or tuple(Segment(value=v, name=f"Segment {v}") for v in sorted(work.values))
    used = sorted({name for names in work.tables.labels.values() for name in names})
    labels = stated.labels or tuple(Label(name=name) for name in used)
    exclusive = stated.exclusive_labels if work.tables.schema else work.tables.exclusive
    try:
        return Schema(segments=segments, labels=labels, exclusive_labels=exclusive)
    except WrongUsage as error:
        raise WrongUsage(f"{work.data.name} cannot be used as training data", error.why, error.hint) from error
