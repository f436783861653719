"""NIfTI and NRRD label maps back as masks: a still, or a loop as a stack in order of time."""

from __future__ import annotations

from pathlib import Path

from usfm_studio.document.errors import Unreadable
from usfm_studio.document.tables import table_rows
from usfm_studio.imaging.annotations.gathering import Gathering, read_text, schema_in
from usfm_studio.imaging.annotations.label_maps import read_labels
from usfm_studio.imaging.annotations.volume_file import volume_of
from usfm_studio.imaging.pictures import whole_ids

ENDINGS = (".nii.gz", ".nii", ".nrrd", ".nhdr")


def read(path: Path, found: Gathering) -> None:
    """A folder of volumes with `schema.toml`, `frames.csv` and `labels.csv`, or one volume.

    Of a loop without `frames.csv` those frames count that hold a segment: zero may mean that nobody looked.
    """
    folder = path if path.is_dir() else path.parent
    files = [path] if path.is_file() else sorted(p for p in folder.iterdir() if _stem(p) is not None)
    if not files:
        raise Unreadable(f"Could not read {path.name}", "there is no NIfTI or NRRD file in it")
    found.schema = schema_in(folder)
    marked = _marked(folder)
    for file in files:
        with found.item(file):
            _read_volume(file, marked.get(file.name), found)
    if path.is_dir():
        read_labels(folder / "labels.csv", found, must_exist=False)


def _read_volume(file: Path, marked: set[int] | None, found: Gathering) -> None:
    stem = _stem(file)
    if stem is None:
        raise ValueError("it is neither NIfTI nor NRRD")
    place = found.index.frame(stem) if _frame_of(stem, found) else None
    target = place.target if place else found.index.source(stem)
    frames = 1 if place else target.frames
    volume = volume_of(file)
    wanted = (target.columns, target.rows, *([frames] if frames > 1 else []))
    if volume.sizes != wanted:
        raise ValueError(f"it is {' x '.join(map(str, volume.sizes))}, the image {' x '.join(map(str, wanted))}")
    for index, values in enumerate(volume.slices()):
        if place or (index in marked if marked is not None else values.any()):
            found.mask(place or found.index.at(target, index), whole_ids(values))


def _frame_of(stem: str, found: Gathering) -> bool:
    """True where the name stands for one frame, not for a whole loop."""
    try:
        return found.index.source(stem).frames == 1
    except ValueError:
        return True


def _marked(folder: Path) -> dict[str, set[int]]:
    """File -> frames that a person marked, from `frames.csv`."""
    path = folder / "frames.csv"
    if not path.is_file():
        return {}
    marked: dict[str, set[int]] = {}
    try:
        for row in table_rows(read_text(path), ("file", "frame")):
            marked.setdefault(row["file"], set()).add(int(row["frame"]))
    except ValueError as error:
        raise Unreadable(f"Could not read {path.name}", str(error)) from error
    return marked


def _stem(path: Path) -> str | None:
    name = path.name
    return next((name[: -len(ending)] for ending in ENDINGS if name.casefold().endswith(ending)), None)
