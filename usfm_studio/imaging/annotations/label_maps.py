"""PNG label maps, label tables and DATA folders back as masks and labels."""

from __future__ import annotations

from pathlib import Path

from usfm_studio.document.errors import Unreadable
from usfm_studio.document.tables import table_rows
from usfm_studio.imaging.annotations.gathering import Gathering, read_text, schema_in
from usfm_studio.imaging.annotations.match import Place
from usfm_studio.imaging.pictures import as_plain_ids, ids_from_png, png_shape

LARGEST_FILE = 256 << 20


def read_png(path: Path, found: Gathering) -> None:
    """A folder of PNG label maps (in it or in its `masks/`) with `schema.toml` and `labels.csv`, or one PNG."""
    folder = path if path.is_dir() else path.parent
    found.schema = schema_in(folder)
    masks = folder / "masks" if (folder / "masks").is_dir() else folder
    files = [path] if path.is_file() else sorted(p for p in masks.iterdir() if p.suffix.casefold() == ".png")
    for file in files:
        with found.item(file):
            _read_map(file, found)
    if path.is_dir():
        read_labels(folder / "labels.csv", found, must_exist=False)
    if not files and not found.labels and not found.failed:
        raise Unreadable(f"Could not read {path.name}", "there is no PNG in it", "Name the folder of the label maps.")


def read_data(path: Path, found: Gathering) -> None:
    """A DATA folder: its `masks/`, `labels.csv` and `schema.toml`."""
    if not path.is_dir() or not any((path / name).exists() for name in ("masks", "labels.csv")):
        raise Unreadable(f"Could not read {path.name}", "it has neither masks nor labels.csv")
    if (path / "masks").is_dir():
        read_png(path, found)
    else:
        found.schema = schema_in(path)
        read_labels(path / "labels.csv", found, must_exist=False)


def read_csv(path: Path, found: Gathering) -> None:
    """A table of labels (`file,label`, perhaps with `frame`), or a folder with `labels.csv`."""
    read_labels(path / "labels.csv" if path.is_dir() else path, found, must_exist=True)


def read_labels(path: Path, found: Gathering, *, must_exist: bool) -> None:
    """Add the labels of one table. Raises Unreadable where it is no such table."""
    if not path.is_file() and not must_exist:
        return
    try:
        rows = table_rows(read_text(path), ("file", "label"))
    except ValueError as error:
        raise Unreadable(f"Could not read {path.name}", str(error)) from error
    for row in rows:
        with found.item(row["file"]):
            if row["label"]:
                found.label(_place(row, found), row["label"])


def _place(row: dict[str, str], found: Gathering) -> Place:
    """The frame of a row: `file` is a file name with its ending, or a stem."""
    index = int(row["frame"]) if row.get("frame") else None
    name = row["file"]
    try:
        return found.index.frame(_stem(name), index)
    except ValueError:
        return found.index.frame(name, index)


def _stem(name: str) -> str:
    for ending in (".nii.gz", ".nii", ".nrrd"):
        if name.casefold().endswith(ending):
            return name[: -len(ending)]
    return Path(name).stem


def _read_map(file: Path, found: Gathering) -> None:
    place = found.index.frame(file.stem)
    if file.stat().st_size > LARGEST_FILE:
        raise ValueError("it is larger than any label map")
    content = file.read_bytes()
    if png_shape(content) != place.shape:
        have, want = (f"{columns} x {rows}" for rows, columns in (png_shape(content), place.shape))
        raise ValueError(f"it is {have} pixels, the image {want}")
    found.mask(place, as_plain_ids(ids_from_png(content), found.values))
