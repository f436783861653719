"""A snapshot folder of small synthetic scans: a bright ellipse in speckle, its label by its size."""

from pathlib import Path

import cv2
import numpy as np

from usfm_studio.document.schema import Label, Schema, Segment
from usfm_studio.document.snapshot import Sample, Snapshot, SnapshotWriter

SCHEMA = Schema(segments=(Segment(value=3, name="Blob"),), labels=(Label(name="large"), Label(name="small")))


def blob(rng, shape_rc=(60, 80), *, empty=False):
    """(pixels, ids, label) of one scan."""
    rows, columns = shape_rc
    ids = np.zeros(shape_rc, np.uint8)
    large = rng.random() < 0.5
    if not empty:
        size = rng.uniform(0.28, 0.34) if large else rng.uniform(0.14, 0.2)
        centre = int(columns * rng.uniform(0.4, 0.6)), int(rows * rng.uniform(0.4, 0.6))
        axes = int(columns * size), int(rows * size)
        cv2.ellipse(ids, centre, axes, float(rng.uniform(0, 180)), 0, 360, 3, -1)
    pixels = rng.normal(60, 15, shape_rc) + 90 * (ids > 0)
    pixels = cv2.GaussianBlur(np.clip(pixels, 0, 255).astype(np.uint8), (0, 0), 1.0)
    return pixels, ids, "large" if large else "small"


def snapshot(
    folder: Path, subjects: int, *, frames=1, more_of_first=0, masks=True, labels=False, empty=False, seed=0
) -> Snapshot:
    """A snapshot of `subjects` named s00, s01 ... with `frames` scans each, and so many more of the first."""
    rng = np.random.default_rng(seed)
    writer = SnapshotWriter(folder, SCHEMA)
    for n in range(subjects):
        for i in range(frames + (more_of_first if n == 0 else 0)):
            pixels, ids, label = blob(rng, empty=empty)
            if labels and n < 2:
                label = ("large", "small")[n]
            sample = Sample(
                stem=f"f{n:02d}_{i}", name=f"f{n:02d}_{i}.png", subject=f"s{n:02d}", rows=60, columns=80,
                labels=(label,) if labels else None, frame_key=f"{n:064x}#{i}",
            )  # fmt: skip
            writer.add(sample, pixels, ids if masks else None)
    return writer.finish()
