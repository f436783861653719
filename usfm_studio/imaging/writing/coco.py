"""COCO: `annotations.json` with one image a frame and one annotation a segment, and the pictures beside it.

A segment is given as outlines along its pixels' edges; where it has a hole, which outlines cannot say in COCO, as run
lengths. Both give back the very same pixels, and `area` is their number.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from usfm_studio.imaging.annotations.coco import ids_of_image
from usfm_studio.imaging.outlines import Area, outlines, run_lengths
from usfm_studio.imaging.writing.data_folder import write_picture
from usfm_studio.imaging.writing.items import Item, Work, Written, differs
from usfm_studio.imaging.writing.whole import put

FILE = "annotations.json"


def write(work: Work, folder: Path) -> Written:
    """`annotations.json` and `images/STEM.png`. Frames without a mask are in it as `"annotated": false`."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, item in enumerate(work.items, 1):
        write_picture(work.pixels(item), folder / "images" / f"{item.name}.png")
        images.append(_image(number, item))
        if item.sample.masked:
            annotations += _annotations(work, item, number, len(annotations))
        work.step()
    body = {
        "info": {"description": "USFM Studio", "version": "1"},
        "images": images,
        "annotations": annotations,
        "categories": [
            {"id": segment.value, "name": segment.name, "supercategory": segment.exam}
            for segment in work.schema.segments
        ],
    }
    put(folder / FILE, json.dumps(body, ensure_ascii=False).encode("utf-8"))
    _check(work, folder)
    return Written(frames=len(work.items))


def _image(number: int, item: Item) -> dict[str, Any]:
    entry = {
        "id": number,
        "file_name": f"{item.name}.png",
        "width": item.sample.columns,
        "height": item.sample.rows,
        "annotated": item.sample.masked,
    }
    if item.frame is not None:
        entry["frame"] = item.frame
    if item.sample.labels is not None:
        entry["labels"] = list(item.sample.labels)
    return entry


def _annotations(work: Work, item: Item, image: int, before: int) -> list[dict[str, Any]]:
    ids = work.ids(item)
    values = [value for value in np.unique(ids).tolist() if value]
    return [
        {"id": before + n, "image_id": image, "category_id": value, **_shape(ids == value)}
        for n, value in enumerate(values, 1)
    ]


def _shape(area: Area) -> dict[str, Any]:
    rows, columns = np.nonzero(area)
    x, y = int(columns.min()), int(rows.min())
    loops = outlines(area)
    segmentation: Any = (
        {"size": list(area.shape), "counts": run_lengths(area)}
        if loops is None
        else [loop.ravel().tolist() for loop in loops]
    )
    return {
        "segmentation": segmentation,
        "area": int(rows.size),
        "bbox": [x, y, int(columns.max()) - x + 1, int(rows.max()) - y + 1],
        "iscrowd": 0,
    }


def _check(work: Work, folder: Path) -> None:
    body = json.loads((folder / FILE).read_bytes())
    by_image: dict[int, list[dict[str, Any]]] = {}
    for annotation in body["annotations"]:
        by_image.setdefault(annotation["image_id"], []).append(annotation)
    for entry, item in zip(body["images"], work.items, strict=True):
        if item.sample.masked:
            shape = (int(entry["height"]), int(entry["width"]))
            values = {value: value for value in range(1, 256)}
            if not np.array_equal(ids_of_image(by_image.get(entry["id"], []), shape, values), work.ids(item)):
                raise differs(FILE)
