"""COCO annotations back as masks: outlines, run lengths and compressed run lengths."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from usfm_studio.document.errors import Unreadable
from usfm_studio.document.mask import Ids
from usfm_studio.document.schema import Schema, Segment
from usfm_studio.imaging.annotations.gathering import Gathering, read_text
from usfm_studio.imaging.outlines import Area, filled, from_run_lengths, packed_counts


def read(path: Path, found: Gathering) -> None:
    """`annotations.json` in a folder, or a JSON file. Raises Unreadable where it is not COCO.

    An image without annotations counts as "nothing to mark" only where it says `"annotated": true`.
    """
    file = _file(path)
    try:
        body = json.loads(read_text(file))
        images, annotations, categories = body["images"], body["annotations"], body["categories"]
        values = _values(categories)
        found.schema = _schema(categories, values)
        by_image: dict[Any, list[dict[str, Any]]] = {}
        for annotation in annotations:
            by_image.setdefault(annotation["image_id"], []).append(annotation)
        entries = [(entry["id"], str(entry["file_name"]), entry) for entry in images]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Unreadable(f"Could not read {file.name}", "it is not COCO: images, annotations, categories") from error
    for identity, name, entry in entries:
        with found.item(name):
            _read_image(entry, by_image.get(identity, []), values, found)


def ids_of_image(annotations: Sequence[Mapping[str, Any]], shape_rc: tuple[int, int], values: Mapping[Any, int]) -> Ids:
    """(rows, columns) ids of one image's annotations, later ones over earlier ones. Raises ValueError, KeyError."""
    ids = np.zeros(shape_rc, np.uint8)
    for annotation in annotations:
        ids[_area(annotation["segmentation"], shape_rc)] = values[annotation["category_id"]]
    return ids


def _read_image(
    entry: Mapping[str, Any], annotations: Sequence[Mapping[str, Any]], values: Mapping[Any, int], found: Gathering
) -> None:
    name = Path(str(entry["file_name"]).replace("\\", "/")).stem
    place = found.index.frame(name)
    shape = (int(entry["height"]), int(entry["width"]))
    if shape != place.shape:
        have, want = (f"{columns} x {rows}" for rows, columns in (shape, place.shape))
        raise ValueError(f"it is {have} pixels, the image {want}")
    for label in entry.get("labels") or ():
        found.label(place, str(label))
    if annotations or entry.get("annotated") is True:
        found.mask(place, ids_of_image(annotations, shape, values))


def _area(segmentation: Any, shape_rc: tuple[int, int]) -> Area:
    if isinstance(segmentation, dict):
        if tuple(int(n) for n in segmentation["size"]) != shape_rc:
            raise ValueError("its run lengths are of another size than the image")
        counts = segmentation["counts"]
        return from_run_lengths(packed_counts(counts) if isinstance(counts, str) else counts, shape_rc)
    if not isinstance(segmentation, list):
        raise ValueError("its segmentation is neither outlines nor run lengths")
    return filled(segmentation, shape_rc)


def _values(categories: Sequence[Mapping[str, Any]]) -> dict[Any, int]:
    """Category id -> segment value: the id itself where all ids can be values, else 1, 2, 3 … in their order."""
    ids = [category["id"] for category in categories]
    if all(isinstance(i, int) and 1 <= i <= 255 for i in ids):
        return {i: i for i in ids}
    if len(ids) > 255:
        raise ValueError("more than 255 categories")
    return {identity: n for n, identity in enumerate(ids, 1)}


def _schema(categories: Sequence[Mapping[str, Any]], values: Mapping[Any, int]) -> Schema:
    segments = [
        Segment(value=values[c["id"]], name=str(c["name"]), exam=str(c.get("supercategory") or "")) for c in categories
    ]
    return Schema(segments=tuple(segments))


def _file(path: Path) -> Path:
    if path.is_file():
        return path
    for file in (path / "annotations.json", *sorted(path.glob("*.json"))):
        if file.is_file():
            return file
    raise Unreadable(f"Could not read {path.name}", "there is no JSON file in it", "Name the annotations' file.")
