"""The folder from which a model learns."""

import json

import numpy as np
import pytest

from usfm_studio.document.errors import Damaged
from usfm_studio.document.schema import Code, Label, Schema, Segment
from usfm_studio.document.snapshot import MANIFEST, Sample, Snapshot, SnapshotWriter

SCHEMA = Schema(
    segments=(Segment(value=1, name="Head", code=Code(value="69536005", scheme="SCT", meaning="Head")),),
    labels=(Label(name="benign"),),
)


def written(folder, **more):
    writer = SnapshotWriter(folder, SCHEMA)
    pixels = np.arange(15, dtype=np.uint8).reshape(3, 5)
    mask = (pixels > 7).astype(np.uint8)
    writer.add(
        Sample(stem="s1", name="a", subject="A", rows=3, columns=5, mm_per_px_xy=(0.1, 0.2), **more), pixels, mask
    )
    writer.add(Sample(stem="s2", name="b", subject="B", rows=3, columns=5, labels=("benign",)), pixels)
    return writer.finish(), pixels, mask


def test_a_snapshot_reads_back_as_it_was_written(tmp_path):
    snapshot, pixels, mask = written(tmp_path)
    again = Snapshot.load(tmp_path)
    assert again == snapshot
    assert np.array_equal(again.pixels(again.samples[0]), pixels)
    assert np.array_equal(again.mask(again.samples[0]), mask)
    assert again.mask(again.samples[1]) is None
    assert again.classes_of() == {"B": {"benign"}}


def test_the_digest_follows_pixels_masks_and_labels_but_not_their_order(tmp_path):
    first = written(tmp_path / "1")[0].digest
    same = written(tmp_path / "2")[0].digest
    other = written(tmp_path / "3", source_digest="ff")[0].digest
    assert first == same != other


def test_an_unfinished_snapshot_is_refused(tmp_path):
    SnapshotWriter(tmp_path, SCHEMA)
    with pytest.raises(Damaged):
        Snapshot.load(tmp_path)


def test_a_mangled_manifest_is_refused(tmp_path):
    written(tmp_path)
    body = json.loads((tmp_path / MANIFEST).read_text())
    body["samples"][0]["surprise"] = 1
    (tmp_path / MANIFEST).write_text(json.dumps(body))
    with pytest.raises(Damaged):
        Snapshot.load(tmp_path)


@pytest.mark.parametrize(
    ("change", "why"),
    [({"version": 2}, "its version is 2"), ({"schema": {"segments": [{"value": 0, "name": "x"}], "labels": []}}, "0")],
)
def test_a_manifest_of_another_version_or_with_a_schema_that_cannot_be_is_refused(tmp_path, change, why):
    written(tmp_path)
    body = json.loads((tmp_path / MANIFEST).read_text())
    (tmp_path / MANIFEST).write_text(json.dumps({**body, **change}))
    with pytest.raises(Damaged, match=why):
        Snapshot.load(tmp_path)
