"""The folder from which a model learns: decoded frames, masks and labels as they stood at one moment.

This file is its only reader and writer. A project, `--data` and `export --format data` all meet in this form.

    manifest.json       schema, frames, digest
    frames/N.npy        pixels (rows, columns[, 3]) uint8, or uint16 as decoded
    masks/N.npy         segment ids (rows, columns) uint8; absent where the frame has no mask
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from usfm_studio.document.errors import Damaged, WrongUsage
from usfm_studio.document.frame import Pixels
from usfm_studio.document.mask import Ids
from usfm_studio.document.schema import Code, Label, Schema, Segment

MANIFEST = "manifest.json"
SNAPSHOT_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One frame of a snapshot. `stem` is unique in the snapshot and names its files.

    `masked` says whether a mask is stored (an empty one means "nothing to mark"); `labels` is None where nobody
    labelled the frame. `source_digest` is the sha256 of the file that it came from.
    """

    stem: str
    name: str
    subject: str
    rows: int
    columns: int
    masked: bool = False
    labels: tuple[str, ...] | None = None
    mm_per_px_xy: tuple[float, float] | None = None
    source_digest: str = ""
    frame_key: str = ""  # FrameId.key in a project
    target: bool = False  # targets/N.npy: the high-quality image of an enhancement pair


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot on disk. Arrays are read when asked for and are read-only."""

    folder: Path
    schema: Schema
    samples: tuple[Sample, ...]
    digest: str

    @classmethod
    def load(cls, folder: Path) -> Snapshot:
        """Read the manifest. Raises Damaged where it is missing or malformed."""
        try:
            body = json.loads((folder / MANIFEST).read_text("utf-8"))
            if body["version"] != SNAPSHOT_VERSION:
                raise ValueError(f"its version is {body['version']}, this program knows {SNAPSHOT_VERSION}")
            samples = tuple(_sample(item) for item in body["samples"])
            return cls(folder, schema_from(body["schema"]), samples, body["digest"])
        except (OSError, ValueError, KeyError, TypeError, WrongUsage) as error:
            raise Damaged("The training snapshot cannot be read", str(error), "Start the fine-tuning again.") from error

    def pixels(self, sample: Sample) -> Pixels:
        """(rows, columns) or (rows, columns, 3) uint8 or uint16, memory-mapped."""
        array: Pixels = np.load(self.folder / "frames" / f"{sample.stem}.npy", mmap_mode="r")
        return array

    def mask(self, sample: Sample) -> Ids | None:
        """(rows, columns) segment ids, memory-mapped; None where the frame has no mask."""
        if not sample.masked:
            return None
        array: Ids = np.load(self.folder / "masks" / f"{sample.stem}.npy", mmap_mode="r")
        return array

    def target_pixels(self, sample: Sample) -> NDArray[np.uint8] | None:
        """The high-quality image of an enhancement pair, or None."""
        if not sample.target:
            return None
        array: NDArray[np.uint8] = np.load(self.folder / "targets" / f"{sample.stem}.npy", mmap_mode="r")
        return array

    def of_subjects(self, subjects: Sequence[str]) -> tuple[Sample, ...]:
        """The samples of these subjects, in the snapshot's order."""
        wanted = set(subjects)
        return tuple(s for s in self.samples if s.subject in wanted)

    @property
    def subjects(self) -> tuple[str, ...]:
        """Distinct subjects in the snapshot's order (in a project: the order in which they joined)."""
        return tuple(dict.fromkeys(s.subject for s in self.samples))

    def classes_of(self) -> dict[str, set[str]]:
        """Subject -> label names that occur on its frames."""
        found: dict[str, set[str]] = {}
        for sample in self.samples:
            if sample.labels:
                found.setdefault(sample.subject, set()).update(sample.labels)
        return found


class SnapshotWriter:
    """Writes a snapshot folder frame by frame; `finish` makes it valid (the manifest comes last)."""

    def __init__(self, folder: Path, schema: Schema) -> None:
        self.folder = folder
        self.schema = schema
        self.samples: list[Sample] = []
        for name in ("frames", "masks"):
            (folder / name).mkdir(parents=True, exist_ok=True)

    def add(
        self,
        sample: Sample,
        pixels: Pixels,
        mask: Ids | None = None,
        target: NDArray[np.uint8] | None = None,
    ) -> None:
        """Store one frame. `mask` may be None (unlabelled)."""
        np.save(self.folder / "frames" / f"{sample.stem}.npy", np.ascontiguousarray(pixels))
        if mask is not None:
            np.save(self.folder / "masks" / f"{sample.stem}.npy", np.ascontiguousarray(mask))
        if target is not None:
            (self.folder / "targets").mkdir(exist_ok=True)
            np.save(self.folder / "targets" / f"{sample.stem}.npy", np.ascontiguousarray(target))
        self.samples.append(replace(sample, masked=mask is not None, target=target is not None))

    def finish(self) -> Snapshot:
        """Write the manifest beside and rename it into place."""
        body = {
            "version": SNAPSHOT_VERSION,
            "schema": schema_to(self.schema),
            "samples": [asdict(s) for s in self.samples],
        }
        digest = self._digest()
        body["digest"] = digest
        beside = self.folder / f"{MANIFEST}.tmp"
        with beside.open("w", encoding="utf-8") as file:
            json.dump(body, file, ensure_ascii=False)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self.folder / MANIFEST)
        return Snapshot(self.folder, self.schema, tuple(self.samples), digest)

    def _digest(self) -> str:
        """sha256 over the sorted sha256 of the files used (the sources where known, and the masks)."""
        parts = []
        for sample in self.samples:
            parts.append(sample.source_digest or _file_digest(self.folder / "frames" / f"{sample.stem}.npy"))
            if sample.masked:
                parts.append(_file_digest(self.folder / "masks" / f"{sample.stem}.npy"))
            if sample.labels is not None:
                parts.append(hashlib.sha256("\0".join(sample.labels).encode()).hexdigest())
        return hashlib.sha256("".join(sorted(parts)).encode()).hexdigest()


def _file_digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def schema_to(schema: Schema) -> dict[str, Any]:
    """The schema as plain JSON values."""
    return asdict(schema)


def schema_from(body: dict[str, Any]) -> Schema:
    """Inverse of `schema_to`. Raises WrongUsage on equal names, KeyError or TypeError on other shapes."""
    return Schema(
        segments=tuple(Segment(**{**item, "code": _code(item.get("code"))}) for item in body["segments"]),
        labels=tuple(Label(**{**item, "code": _code(item.get("code"))}) for item in body["labels"]),
        exclusive_labels=bool(body.get("exclusive_labels", True)),
    )


def _code(body: dict[str, str] | None) -> Code | None:
    return None if body is None else Code(**body)


def _sample(body: dict[str, Any]) -> Sample:
    labels, spacing = body.get("labels"), body.get("mm_per_px_xy")
    return Sample(
        **{
            **body,
            "labels": None if labels is None else tuple(labels),
            "mm_per_px_xy": None if spacing is None else (float(spacing[0]), float(spacing[1])),
        }
    )
