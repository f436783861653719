"""Values for tests, with defaults that are deliberately not square."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from usfm_studio.document.frame import Frame, Instance
from usfm_studio.document.schema import Label, Schema, Segment


def an_instance(*, rows: int = 3, columns: int = 5, number: int = 1, **changes: Any) -> Instance:
    """A still; `number` tells instances, studies and patients apart."""
    defaults: dict[str, Any] = {
        "digest": f"{number:064x}",
        "path": f"/data/{number}.dcm",
        "name": f"IM{number:04d}",
        "rows": rows,
        "columns": columns,
        "sop_instance_uid": f"1.2.3.{number}",
        "study_uid": f"1.2.3.4.{number}",
        "series_uid": f"1.2.3.4.5.{number}",
        "patient_id": f"P{number}",
        "subject": f"P{number}",
        "instance_number": number,
    }
    return Instance(**{**defaults, **changes})


def a_loop(*, frames: int = 7, **changes: Any) -> Instance:
    """An instance with several frames, 25 a second."""
    seconds = tuple(n / 25 for n in range(frames))
    return an_instance(**{"kind": "loop", "frames": frames, "seconds": seconds, "playback_fps": 25.0, **changes})


def a_frame(*, index: int = 0, **changes: Any) -> Frame:
    """One frame of `an_instance(**changes)`."""
    return Frame(instance=an_instance(**changes), index=index)


def a_schema(*names: str, labels: tuple[str, ...] = ("normal", "abnormal")) -> Schema:
    """Segments of these names with the values 1, 2, …, and labels."""
    segments = tuple(Segment(value=n, name=name) for n, name in enumerate(names or ("Head", "Lesion"), 1))
    return Schema(segments=segments, labels=tuple(Label(name=name) for name in labels))


def pixels_of(*, rows: int = 3, columns: int = 5, seed: int = 0) -> NDArray[np.uint8]:
    """Seeded grey noise, read-only."""
    array = np.random.default_rng(seed).integers(0, 256, (rows, columns), np.uint8)
    array.flags.writeable = False
    return array
