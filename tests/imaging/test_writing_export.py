"""Exports: what is in them, how their files are named, and that they are whole or not there."""

import csv
import json
import subprocess
import sys
import textwrap

import cv2
import numpy as np
import pytest
import SimpleITK as sitk

from tests.imaging.exporting import a_frame, a_snapshot, an_export
from usfm_studio.document.errors import DiskFull, Interrupted, NotFound, StudioError, WrongUsage
from usfm_studio.imaging.pictures import png_bytes
from usfm_studio.imaging.writing import whole
from usfm_studio.imaging.writing.export import LATER, WRITERS, write

RING = np.array([[1, 1, 1, 0, 2], [1, 0, 1, 0, 2], [1, 1, 1, 2, 2]], np.uint8)


def table(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def test_label_maps_have_the_stem_and_size_of_their_source(tmp_path):
    frames = [a_frame("head", ids=RING), a_frame("loop", frame=0, frames=12, ids=RING), a_frame("other")]
    out, answer = an_export(tmp_path, "png", frames)
    assert sorted(p.name for p in out.glob("*.png")) == ["head.png", "loop_f000.png"]
    assert np.array_equal(cv2.imread(str(out / "head.png"), cv2.IMREAD_UNCHANGED), RING)
    assert answer["frames"] == 2
    assert answer["failed"] == []
    assert str(out / "head.png") in answer["files"]


def test_names_cannot_leave_the_folder_or_name_a_device(tmp_path):
    names = [
        "../../evil",
        "/etc/passwd",
        "con",
        'a<b>:"|?*',
        "nul.x",
        ".hidden",
        "=cmd|x",
        "tab\there\u202e",
        "x" * 300,
    ]
    frames = [a_frame(n, path=f"zip/{n}.dcm", ids=RING) for n in names]
    folder, options = a_snapshot(tmp_path / "snapshot", frames)
    for source, name in zip(options["sources"].values(), names, strict=True):
        source["member"] = f"{name}.dcm"
    write("png", folder, tmp_path / "deep" / "out", options)
    made = list(tmp_path.rglob("*.png"))
    assert len(made) == len(names)
    assert {p.parent for p in made} == {tmp_path / "deep" / "out"}
    stems = [p.stem.casefold() for p in made]
    assert all(s.partition(".")[0] not in ("con", "nul") and len(s) <= 140 for s in stems)
    assert not any(set(s) & set('<>:"|?*\t\u202e') or s[0] in ".=-+@" for s in stems)


def test_coco_areas_are_pixel_counts_and_holes_become_run_lengths(tmp_path):
    out, _ = an_export(tmp_path, "coco", [a_frame(ids=RING), a_frame("b", frame=4, frames=9, ids=RING * 0)])
    body = json.loads((out / "annotations.json").read_bytes())
    ring, hook = body["annotations"]
    assert (ring["category_id"], ring["area"], ring["bbox"]) == (1, 8, [0, 0, 3, 3])
    assert ring["segmentation"] == {"size": [3, 5], "counts": [0, 4, 1, 4, 6]}
    assert (hook["area"], hook["bbox"]) == (4, [3, 0, 2, 3])
    (outline,) = hook["segmentation"]
    x, y = np.array(outline[::2]), np.array(outline[1::2])
    assert abs((x * np.roll(y, -1) - np.roll(x, -1) * y).sum()) / 2 == 4
    assert [(i["file_name"], i["annotated"], i.get("frame")) for i in body["images"]] == [
        ("heads.png", True, None),
        ("b_f004.png", True, 4),
    ]
    assert (out / "images" / "b_f004.png").exists()


def test_volumes_carry_millimetres_and_time(tmp_path):
    loop = [
        a_frame("loop", frame=i, frames=6, ids=RING, spacing=(0.2, 0.3), source={"seconds_per_frame": 0.05})
        for i in (1, 4)
    ]
    out, answer = an_export(tmp_path, "nifti", [a_frame("still", ids=RING, spacing=(0.25, 0.5)), *loop])
    still, stack = sitk.ReadImage(str(out / "still.nii.gz")), sitk.ReadImage(str(out / "loop.nii.gz"))
    assert still.GetSize() == (5, 3)
    assert still.GetSpacing() == pytest.approx((0.25, 0.5))
    assert stack.GetSize() == (5, 3, 6)
    assert stack.GetSpacing() == pytest.approx((0.2, 0.3, 0.05))
    assert sitk.GetArrayFromImage(stack).reshape(6, -1).any(axis=1).tolist() == [False, True, False, False, True, False]
    assert table(out / "frames.csv") == [["file", "frame"], ["loop.nii.gz", "1"], ["loop.nii.gz", "4"]]
    assert answer["frames"] == 3


def test_tables_cannot_become_formulas(tmp_path):
    out, _ = an_export(tmp_path, "csv", [a_frame("-x", ids=RING, labels=("=1+1", "benign"), subject="@SUM(A1)")])
    assert table(out / "labels.csv")[1:] == [["x", "", "'@SUM(A1)", "'=1+1"], ["x", "", "'@SUM(A1)", "benign"]]
    assert table(out / "segments.csv")[1:] == [
        ["x", "", "'@SUM(A1)", "1", "Fetal head", "8"],
        ["x", "", "'@SUM(A1)", "2", "Lesion, left", "4"],
    ]


def test_a_data_folder_holds_all_that_training_needs(tmp_path):
    colour = np.arange(45, dtype=np.uint8).reshape(3, 5, 3)
    deep = (np.arange(15, dtype=np.uint16) * 100).reshape(3, 5)
    frames = [
        a_frame("a", ids=RING, pixels=colour, spacing=(0.1, 0.2), labels=("benign",), subject="P1"),
        a_frame(
            "b", frame=2, frames=3, pixels=deep, subject="P2", target=np.full((3, 5), 9, np.uint8), source={"bits": 12}
        ),
    ]
    out, answer = an_export(tmp_path, "data", frames)
    assert np.array_equal(cv2.imread(str(out / "images/a.png"))[:, :, ::-1], colour)
    assert np.array_equal(cv2.imread(str(out / "images/b_f002.png"), cv2.IMREAD_UNCHANGED), deep >> 4)
    assert (out / "targets/b_f002.png").exists()
    assert not (out / "masks/b_f002.png").exists()
    assert table(out / "subjects.csv")[1:] == [["a.png", "P1"], ["b_f002.png", "P2"]]
    assert table(out / "spacing.csv") == [["file", "mm_per_px", "mm_per_px_y"], ["a.png", "0.1", "0.2"]]
    assert table(out / "labels.csv")[1:] == [["a.png", "benign"]]
    assert answer["frames"] == 2


def test_deep_frames_of_unknown_bits_keep_all_that_an_8_bit_picture_can(tmp_path):
    deep = (np.arange(15, dtype=np.uint16) * 100).reshape(3, 5)  # up to 1400: 11 bits
    out, _ = an_export(tmp_path, "data", [a_frame("a", pixels=deep)])
    assert np.array_equal(cv2.imread(str(out / "images/a.png"), cv2.IMREAD_UNCHANGED), deep >> 3)


def test_files_that_are_there_are_never_replaced(tmp_path):
    out, _ = an_export(tmp_path, "png", [a_frame(ids=RING)])
    (out / "notes.txt").write_text("mine")
    folder, options = a_snapshot(tmp_path / "again", [a_frame(ids=RING), a_frame("more", ids=RING)])
    write("png", folder, out, options)  # the same files again, and one more: nothing is replaced
    assert (out / "notes.txt").read_text() == "mine"
    assert (out / "more.png").exists()
    before = {p.name: p.read_bytes() for p in out.iterdir()}
    folder, options = a_snapshot(tmp_path / "other", [a_frame(ids=RING * 0), a_frame("third", ids=RING)])
    with pytest.raises(WrongUsage, match=r"heads\.png is there already"):
        write("png", folder, out, options)
    assert {p.name: p.read_bytes() for p in out.iterdir()} == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["again", "other", "out", "snapshot"]


def test_a_file_in_the_place_of_the_folder_is_left_alone(tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(WrongUsage):
        an_export(tmp_path, "png", [a_frame(ids=RING)])
    assert (tmp_path / "out").read_text() == "mine"


@pytest.mark.parametrize("format", sorted(set(WRITERS) - {"seg"}))
def test_a_fault_at_any_write_leaves_nothing_behind(tmp_path, monkeypatch, format):
    frames = [a_frame("a", ids=RING, labels=("benign",)), a_frame("b", frame=1, frames=2, ids=RING, spacing=(1.0, 1.0))]
    folder, options = a_snapshot(tmp_path / "snapshot", frames)
    writes = _count_writes(monkeypatch, lambda: write(format, folder, tmp_path / "counted", options))
    assert writes > 1
    for broken in range(1, writes + 1):
        _break_write(monkeypatch, broken)
        with pytest.raises(DiskFull, match="the disk is full"):
            write(format, folder, tmp_path / "out", options)
        assert sorted(p.name for p in tmp_path.iterdir()) == ["counted", "snapshot"]


def _replace_put(monkeypatch, put):
    for name in ("label_maps", "tables", "data_folder", "coco", "volumes"):
        monkeypatch.setattr(f"usfm_studio.imaging.writing.{name}.put", put)


def _count_writes(monkeypatch, act):
    paths = []

    def put(path, content):
        paths.append(path)
        whole.put(path, content)

    _replace_put(monkeypatch, put)
    act()
    return len(paths)


def _break_write(monkeypatch, number):
    paths = []

    def put(path, content):
        paths.append(path)
        whole.put(path, content[: len(content) // 2] if len(paths) == number else content)
        if len(paths) == number:
            raise OSError(28, "No space left on device")

    _replace_put(monkeypatch, put)


@pytest.mark.parametrize("format", ["png", "nifti"])
def test_a_full_disk_is_named_and_leaves_nothing(tmp_path, format):
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 3, (400, 500)).astype(np.uint8)
    a_snapshot(tmp_path / "snapshot", [a_frame("a", ids=noise)])
    code = f"""
        import resource, signal, sys
        from pathlib import Path
        from usfm_studio.document.errors import DiskFull
        from usfm_studio.imaging.writing.export import write
        import SimpleITK
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))
        root = Path(sys.argv[1])
        try:
            write("{format}", root / "snapshot", root / "out", {{}})
        except DiskFull:
            sys.exit(7)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code), str(tmp_path)], timeout=60, check=False)
    assert done.returncode == 7
    assert [p.name for p in tmp_path.iterdir()] == ["snapshot"]


def test_what_reads_back_differently_is_not_kept(tmp_path, monkeypatch):
    monkeypatch.setattr("usfm_studio.imaging.writing.label_maps.png_bytes", lambda ids: png_bytes(ids ^ 1))
    with pytest.raises(StudioError, match="differs from what was written"):
        an_export(tmp_path, "png", [a_frame(ids=RING)])
    assert not (tmp_path / "out").exists()


def test_stopping_leaves_nothing_and_progress_counts_frames(tmp_path):
    folder, options = a_snapshot(tmp_path / "snapshot", [a_frame(n, ids=RING) for n in "abc"])
    steps = []

    def progress(body):
        steps.append((body["done"], body["total"]))
        if len(steps) == 2:
            raise Interrupted("Stopped")

    with pytest.raises(Interrupted):
        write("png", folder, tmp_path / "out", options, progress)
    assert steps == [(1, 3), (2, 3)]
    assert not (tmp_path / "out").exists()


def test_unknown_and_later_formats_say_so(tmp_path):
    with pytest.raises(WrongUsage, match="no export format docx"):
        write("docx", tmp_path, tmp_path / "out", {})
    for format in LATER:
        with pytest.raises(WrongUsage, match="not there yet"):
            write(format, tmp_path, tmp_path / "out", {})


def test_an_empty_project_has_nothing_to_export(tmp_path):
    with pytest.raises(NotFound, match="nothing to export"):
        an_export(tmp_path, "png", [])


def test_without_a_table_of_sources_the_samples_names_count(tmp_path):
    frames = [a_frame("a.jpg", ids=RING), a_frame("l.dcm#3", digest="d" * 64, ids=RING), a_frame("k_f001", ids=RING)]
    folder, _ = a_snapshot(tmp_path / "snapshot", frames)
    write("png", folder, tmp_path / "out", {})
    assert sorted(p.name for p in (tmp_path / "out").glob("*.png")) == ["a.png", "k_f001.png", "l_f003.png"]
