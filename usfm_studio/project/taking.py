"""What a model learns from: frames that a person has finished, as they stand, written as a snapshot folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from usfm_studio.document.annotation import Annotation, State
from usfm_studio.document.frame import Frame, Pixels
from usfm_studio.document.mask import Ids, Mask
from usfm_studio.document.schema import Schema
from usfm_studio.document.snapshot import Sample, Snapshot, SnapshotWriter
from usfm_studio.project import files
from usfm_studio.project.trouble import explained

LEARNED = (State.DONE, State.NOTHING)


@dataclass(frozen=True, slots=True)
class Finished:
    """A frame, what was said of it, and its mask in layer 0."""

    frame: Frame
    annotation: Annotation
    mask: Mask


def take(
    finished: Sequence[Finished], schema: Schema, folder: Path, pixels_of: Callable[[Frame], Pixels | None]
) -> Snapshot:
    """Write the snapshot. Frames of one exam get that exam's schema; marks outside of it are left out.

    DONE gives the mask (none where nothing is marked), NOTHING an empty mask; labels as they are. Frames that teach
    nothing, and those whose pixels are None, are left out. Stems are numbers: no name of a patient gets into a path.
    Raises DiskFull, and what `pixels_of` raises; nothing is left then.
    """
    exams = {schema.exam_of(item.frame.instance) for item in finished}
    shown = schema.for_exam(exams.pop()) if len(exams) == 1 else schema
    new = not folder.exists()
    try:
        writer = SnapshotWriter(folder, shown)
        for item in finished:
            _add(writer, item, shown, pixels_of)
        return writer.finish()
    except BaseException as error:
        if new:
            files.remove(folder)
        if isinstance(error, OSError):
            raise explained(error, "The training data could not be written") from error
        raise


def sample_of(item: Finished, schema: Schema, stem: str) -> tuple[Sample, Ids | None]:
    """A frame as a sample of a snapshot, and its mask: ids of this schema's segments, None where nothing is marked.

    "Nothing to mark" gives a mask of zeros. The scale is that at the image's centre.
    """
    instance = item.frame.instance
    scale = instance.scale_at(instance.columns / 2, instance.rows / 2)
    sample = Sample(
        stem=stem,
        name=_name(item.frame),
        subject=instance.subject,
        rows=instance.rows,
        columns=instance.columns,
        labels=item.annotation.labels or None,
        mm_per_px_xy=None if scale is None else scale.mm_per_px_xy,
        source_digest=instance.digest,
        frame_key=item.frame.id.key,
    )
    return sample, _ids(item, schema)


def _add(writer: SnapshotWriter, item: Finished, schema: Schema, pixels_of: Callable[[Frame], Pixels | None]) -> None:
    sample, mask = sample_of(item, schema, f"s{len(writer.samples) + 1:04d}")
    if mask is None and sample.labels is None:
        return
    pixels = pixels_of(item.frame)
    if pixels is not None:
        writer.add(sample, pixels, mask)


def _ids(item: Finished, schema: Schema) -> Ids | None:
    if item.annotation.state is State.NOTHING:
        return np.zeros(item.frame.shape, np.uint8)
    ids = item.mask.to_array()
    allowed = np.zeros(256, bool)
    allowed[[segment.value for segment in schema.segments]] = True
    ids[~allowed[ids]] = 0
    return ids if ids.any() else None


def _name(frame: Frame) -> str:
    instance = frame.instance
    name = instance.name or (instance.member or instance.path).replace("\\", "/").rpartition("/")[2]
    return f"{name}#{frame.index}" if instance.frames > 1 else name
