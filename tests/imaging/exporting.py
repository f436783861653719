"""Builders for the tests of exports and of annotations that come back."""

import hashlib

import numpy as np
from hypothesis import strategies as st

from usfm_studio.document.schema import Code, Label, Schema, Segment
from usfm_studio.document.snapshot import Sample, SnapshotWriter
from usfm_studio.imaging.annotations.read import read
from usfm_studio.imaging.writing.export import write

SCHEMA = Schema(
    segments=(
        Segment(
            value=1, name="Fetal head", exam="FETAL HEAD", code=Code(value="69536005", scheme="SCT", meaning="Head")
        ),
        Segment(value=2, name="Lesion, left", colour="#ff0000"),
        Segment(value=255, name='Größe "x"\n'),
    ),
    labels=(Label(name="benign"), Label(name="=1+1", exam="BREAST")),
)


def digest_of(name):
    return hashlib.sha256(name.encode()).hexdigest()


def a_frame(name="heads", frame=None, frames=1, ids=None, shape=(3, 5), labels=None, subject="A", **more):
    """One frame of a source called `name`: what the snapshot and the sources' table need."""
    ids = None if ids is None else np.asarray(ids, np.uint8)
    rows, columns = shape if ids is None else ids.shape
    return {"name": name, "frame": frame, "frames": frames, "ids": ids, "rows": rows, "columns": columns,
            "labels": labels, "subject": subject, **more}  # fmt: skip


def a_snapshot(folder, frames, schema=SCHEMA):
    """Write a snapshot; answers (folder, options for the export)."""
    writer, sources = SnapshotWriter(folder, schema), {}
    for number, one in enumerate(frames):
        stem = f"s{number:05d}"
        path = one.get("path", f"/somewhere/{one['name']}.dcm")
        pixels = one.get("pixels")
        if pixels is None:
            size = (one["rows"], one["columns"])
            pixels = (np.arange(size[0] * size[1]) + number).astype(np.uint8).reshape(size)
        sample = Sample(
            stem=stem, name=one["name"], subject=one["subject"], rows=one["rows"], columns=one["columns"],
            labels=one["labels"], mm_per_px_xy=one.get("spacing"), source_digest=one.get("digest", digest_of(path)),
        )  # fmt: skip
        writer.add(sample, pixels, one["ids"], one.get("target"))
        source = {"path": path, "member": "", "frame": one["frame"] or 0, "frames": one["frames"]}
        sources[stem] = {**source, **one.get("source", {})}
    writer.finish()
    return folder, {"sources": sources}


def an_export(tmp_path, format, frames, schema=SCHEMA, out="out"):
    """Write a snapshot and export it; answers the folder and what the door says."""
    folder, options = a_snapshot(tmp_path / "snapshot", frames, schema)
    target = tmp_path / out
    return target, write(format, folder, target, options)


def instances_of(frames):
    """The project's files as the reader of annotations gets them."""
    found = {}
    for one in frames:
        path = one.get("path", f"/somewhere/{one['name']}.dcm")
        digest = one.get("digest", digest_of(path))
        found[digest] = {"digest": digest, "path": path, "rows": one["rows"], "columns": one["columns"],
                         "frames": one["frames"], "sop_instance_uid": one.get("uid", "")}  # fmt: skip
    return list(found.values())


def came_back(format, path, frames, out):
    """(masks by frame key, labels, failed, schema) of a reading."""
    body = read(format, path, instances_of(frames), out)
    masks = {item["frame_key"]: np.load(item["file"]) for item in body["masks"]}
    return masks, body["labels"], body["failed"], body["schema"]


def key_of(one):
    path = one.get("path", f"/somewhere/{one['name']}.dcm")
    return f"{one.get('digest', digest_of(path))}#{one['frame'] or 0}"


@st.composite
def small_ids(draw, values=(0, 1, 2, 255)):
    """Small masks with touching segments, holes and single pixels."""
    rows, columns = draw(st.integers(1, 7)), draw(st.integers(1, 7))
    cells = draw(st.lists(st.sampled_from(values), min_size=rows * columns, max_size=rows * columns))
    return np.array(cells, np.uint8).reshape(rows, columns)
