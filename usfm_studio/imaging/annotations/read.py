"""The door by which masks and labels come back in: a format and a path in, masks and labels by frame out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from usfm_studio.document.errors import NotFound, Unreadable, WrongUsage
from usfm_studio.imaging.annotations.gathering import Gathering
from usfm_studio.imaging.annotations.match import Index, Target

READERS = {
    "png": "label_maps:read_png",
    "data": "label_maps:read_data",
    "csv": "label_maps:read_csv",
    "coco": "coco:read",
    "nifti": "volumes:read",
    "nrrd": "volumes:read",
}
"""Format -> module:function of this package, imported when it is asked for."""


def read(format: str, path: Path, instances: Sequence[Mapping[str, Any]], out: Path) -> dict[str, Any]:
    """Masks and labels of `path`, matched to `instances` (JSON values of `document/values_json.py`).

    Masks are stored as `out/mNNNNNN.npy` (rows, columns) uint8 in the annotations' own values; "schema" says what
    those mean, or is None. Each file or entry that fits no frame is in "failed" with its reason. Raises WrongUsage,
    NotFound and Unreadable where nothing can be read at all.
    """
    if format not in READERS:
        raise WrongUsage(f"Annotations in the format {format} are not read", "only some are", _offer())
    path, out = Path(path), Path(out)
    if not path.exists():
        raise NotFound(f"Could not read {path.name}", "it is not there")
    out.mkdir(parents=True, exist_ok=True)
    found = Gathering(Index(Target.of(body) for body in instances), out)
    module, _, name = READERS[format].partition(":")
    try:
        getattr(import_module(f"{__package__}.{module}"), name)(path, found)
    except OSError as error:
        raise Unreadable(
            f"Could not read {path.name}", (error.strerror or "the drive does not answer").lower()
        ) from error
    return found.result()


def _offer() -> str:
    return f"Choose one of {', '.join(READERS)}."
