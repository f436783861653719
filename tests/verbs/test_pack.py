"""Packing: what goes in and what never does, who is left out, and what is there after a kill or a full disk."""

import json
import shutil
import signal
import subprocess
import sys
import tarfile
import time
import zipfile

import cv2
import numpy as np
import pytest

from tests.cli.calling import MAIN, ROOT, call, call_apart, environment, start
from tests.imaging.making import a_region
from tests.verbs.making import a_data_folder, a_still, grey, kinds, lent_out
from usfm_studio.document.errors import Interrupted, WrongUsage
from usfm_studio.document.model_card import subject_code
from usfm_studio.document.splits import fold_of
from usfm_studio.engine.corpus.index import CorpusIndex
from usfm_studio.engine.corpus.reading import CorpusReader
from usfm_studio.imaging.pictures import png_bytes
from usfm_studio.verbs.drive import drive
from usfm_studio.verbs.house import House
from usfm_studio.verbs.pack import PackArguments, run


@pytest.fixture
def out(tmp_path):
    return tmp_path / "corpus"


@pytest.fixture
def pack(houses, out):
    def packed(*paths, **more):
        return drive(run(PackArguments(out=out, paths=tuple(map(str, paths)), **more), houses(House())))

    return packed


def pictures(folder, *names, **size):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        number = int.from_bytes(f"{folder.name}{name}".encode(), "big") % 10**9
        (folder / name).write_bytes(png_bytes(grey(number, **size)))
    return folder


def read(folder):
    """(index, {key: (grey, valid)})."""
    index = CorpusIndex.load(folder)
    reader = CorpusReader(index)
    return index, {index.key(row): reader.read(row) for row in range(len(index))}


def abouts(folder):
    """What stands beside each image, in order."""
    found = []
    for path in sorted(folder.glob("*.tar")):
        with tarfile.open(path) as tar:
            found += [json.loads(tar.extractfile(m).read()) for m in tar if m.name.endswith(".json")]
    return found


def everything_in(folder):
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def test_a_folder_is_an_organ_and_each_picture_a_subject(pack, out, tmp_path):
    thyroid = pictures(tmp_path / "Thyroid", "a.png", "b.png")
    pictures(thyroid / "more", "c.png")
    large = pictures(tmp_path / "breast", "wide.png", rows=100, columns=600)
    result = pack(thyroid, large)
    assert (result.images, result.added, result.shards, result.failed) == (4, 4, 1, [])
    assert result.organs == {"breast": 1, "thyroid": 3}
    assert result.subjects == 4
    index, images = read(out)
    assert index.state.complete
    shapes = [image.shape for image, _ in images.values()]
    assert shapes == [(30, 50), (30, 50), (30, 50), (43, 256)]
    wanted = grey(int.from_bytes(b"Thyroida.png", "big") % 10**9)
    assert np.array_equal(next(iter(images.values()))[0], wanted)


def test_a_single_picture_and_an_archive_have_organs_too(pack, out, tmp_path):
    folder = pictures(tmp_path / "thyroid", "a.png", "b.png")
    with zipfile.ZipFile(tmp_path / "Knee joint.zip", "w") as archive:
        archive.write(pictures(tmp_path / "x", "k.png") / "k.png", "deep/k.png")
    assert pack(folder / "a.png", tmp_path / "Knee joint.zip").organs == {"knee joint": 1, "thyroid": 1}


def a_set(folder, subjects=6, **tables):
    data = a_data_folder(folder, subjects=subjects, labels=True)
    for name, text in tables.items():
        (data / name.replace("_", ".")).write_text(text)
    return data


def subjects_csv(count=6, each=2):
    rows = [f"s{n}.png,Person {n // each}" for n in range(count)]
    return "\n".join(["file,subject", *rows]) + "\n"


@pytest.mark.parametrize("where", ["itself", "above", "images", "zip"])
def test_of_a_data_folder_only_the_images_are_packed(pack, out, tmp_path, where):
    schema = 'organ = "Fetal_head"\n[[segments]]\nvalue = 1\nname = "Head"\n'
    data = a_set(tmp_path / "sets" / "hc", schema_toml=schema, subjects_csv=subjects_csv())
    shutil.copytree(data / "images", data / "targets")
    if where == "zip":
        shutil.make_archive(str(tmp_path / "sets"), "zip", tmp_path / "sets")
    path = {"itself": data, "above": tmp_path / "sets", "images": data / "images", "zip": tmp_path / "sets.zip"}[where]
    result = pack(path)
    assert (result.images, result.failed) == (6, [])
    assert result.organs == {"fetal head": 6}
    index, images = read(out)
    assert set(index.subject_codes.tolist()) == {int(subject_code(f"Person {n}"), 16) for n in range(3)}
    sources = {cv2.imread(str(p), 0).tobytes() for p in (data / "images").iterdir()}
    assert {image.tobytes() for image, _ in images.values()} == sources
    assert b"Person" not in everything_in(out)


def test_masks_are_never_packed_however_they_are_named(pack, out, tmp_path):
    data = a_set(tmp_path / "hc")
    result = pack(data / "masks")
    assert result.images == 0
    assert "never" in result.failed[0].error
    loose = pictures(tmp_path / "loose", "benign (1).png", "benign (1)_mask.png", "benign (1)_mask_1.png", "001.png")
    pictures(loose, "001_Annotation.png", "a_mask.png")
    shutil.copy(data / "masks" / "s0.png", loose / "other.png")
    result = pack(loose, add=True)
    assert result.images == 3  # the two images, and a picture whose name only looks like a mask's
    (failure,) = result.failed
    assert failure.path.endswith("other.png")
    assert "mask" in failure.error


def test_the_subjects_of_a_fold_stay_out(pack, out, tmp_path):
    data = a_set(tmp_path / "hc", 24, subjects_csv=subjects_csv(24))
    result = pack(data, leave_fold=0, folds=5)
    left = [n for n in range(12) if fold_of(f"Person {n}", 5) == 0]
    assert 0 < len(left) < 12
    assert (result.left_out, result.images) == (2 * len(left), 24 - 2 * len(left))
    index = CorpusIndex.load(out)
    kept = {int(subject_code(f"Person {n}"), 16) for n in range(12) if n not in left}
    assert set(index.subject_codes.tolist()) == kept
    assert index.state.left_fold == "0/5"
    with pytest.raises(WrongUsage, match="leaves fold 0 of 5 out"):
        pack(data, add=True)
    result = pack(data, add=True, leave_fold=0, folds=5)
    assert (result.left_out, result.skipped, result.added) == (2 * len(left), 24 - 2 * len(left), 0)


def test_without_a_table_the_stem_is_the_subject(pack, tmp_path):
    result = pack(a_set(tmp_path / "hc", 24), leave_fold=1, folds=3)
    left = sum(fold_of(f"s{n}", 3) == 1 for n in range(24))
    assert (result.left_out, result.images, result.subjects) == (left, 24 - left, 24 - left)


def test_what_was_left_out_stays_out_under_another_name(pack, tmp_path):
    data = a_set(tmp_path / "hc", 24, subjects_csv=subjects_csv(24))
    copy = a_set(tmp_path / "copy", 24)
    result = pack(data, copy, leave_fold=0, folds=5)
    assert result.images == 24 - 2 * sum(fold_of(f"Person {n}", 5) == 0 for n in range(12))
    again = pack(a_set(tmp_path / "later", 24), add=True, leave_fold=0, folds=5)
    assert again.added == 0


def test_a_folder_whose_subjects_cannot_be_read_stays_out(pack, out, tmp_path):
    bad = a_set(tmp_path / "bad", subjects_csv="who,what\n1,2\n")
    good = a_set(tmp_path / "good", 3)
    result = pack(bad, good)
    assert result.organs == {"good": 3} or result.images == 0
    assert [failure.path.rpartition("/")[2] for failure in result.failed] == ["bad"]
    assert "subjects.csv" in result.failed[0].error


def a_loop(folder, pixels, **fields):
    from tests.imaging.making import a_dataset, a_file

    ds = a_dataset(pixels, frames=len(pixels), PatientID="MRN-4711", PatientName="ZZTEST^NOBODY", **fields)
    return a_file(folder, ds, name="loop.dcm")


def test_a_loop_is_thinned_and_its_frames_know_their_neighbours(pack, out, tmp_path):
    scenes = [grey(n, 40, 60) for n in range(3)]
    pixels = np.stack([scenes[n] for n in (0, 0, 0, 1, 1, 2, 0)])
    a_loop(tmp_path / "ZZTEST NOBODY", pixels, BodyPartExamined="HEART")
    result = pack(tmp_path / "ZZTEST NOBODY")
    assert (result.images, result.thinned, result.organs) == (4, 3, {"heart": 4})
    index, images = read(out)
    assert index.frame.tolist() == [0, 3, 5, 6]
    assert index.neighbours(np.arange(4)).tolist() == [1, 2, 3, -1]
    assert [np.array_equal(image, scenes[n]) for (image, _), n in zip(images.values(), (0, 1, 2, 0), strict=True)]
    assert [about["seconds"] for about in abouts(out)] == pytest.approx([0, 0.12, 0.2, 0.24])
    assert abouts(out)[0]["subject"] == subject_code("MRN-4711")
    for name in (b"ZZTEST", b"NOBODY", b"4711", b"1.2.3", str(tmp_path).encode()):
        assert name not in everything_in(out)


def test_calibrated_boxes_are_the_sector_and_a_study_names_no_organ(pack, out, tmp_path):
    a_still(tmp_path / "somebody", 1, SequenceOfUltrasoundRegions=[a_region((10, 5, 29, 24), delta=(0.02, 0.02))])
    assert pack(tmp_path / "somebody").organs == {"unknown": 1}
    ((image, valid),) = read(out)[1].values()
    assert image.shape == (30, 50)
    assert np.count_nonzero(valid) == 20 * 20
    assert valid[5:25, 10:30].all()
    assert pack(tmp_path / "somebody", add=True, organ="Knee").skipped == 1


def test_files_that_are_frames_of_one_clip_stay_together(pack, out, tmp_path):
    clip = tmp_path / "lung"
    clip.mkdir()
    for name, scene in {"c_f000": 1, "c_f002": 1, "c_f010": 2, "d_f001": 2, "still": 1}.items():
        content = png_bytes(grey(scene))
        (clip / f"{name}.png").write_bytes(content + name.encode())  # equal pixels, other bytes
    result = pack(clip)
    assert (result.images, result.thinned) == (4, 1)
    index, _ = read(out)
    assert index.frame.tolist() == [0, 10, 1, 0]
    assert index.neighbours(np.arange(4)).tolist() == [1, -1, -1, -1]
    assert len(index.subject_codes) == 3


def test_a_table_may_name_the_clips(pack, out, tmp_path):
    extra = "file,clip,frame\ns0.png,r,30\ns1.png,r,7\ns2.png,q,0\ns4.png,r,7\n"
    data = a_set(tmp_path / "carotid", 6, extra_csv=extra)
    result = pack(data)
    index, _ = read(out)
    assert result.images + result.thinned == 5
    assert [failure.path.rpartition("/")[2] for failure in result.failed] == ["s4.png"]
    assert sorted(index.frame.tolist()) in ([0, 0, 0, 7, 30], [0, 0, 0, 7])


def test_what_cannot_be_read_is_named_and_the_rest_is_packed(pack, out, tmp_path):
    folder = pictures(tmp_path / "liver", "a.png", "b.png")
    (folder / "broken.png").write_bytes((folder / "a.png").read_bytes()[:90])
    (folder / "black.png").write_bytes(png_bytes(np.zeros((20, 20), np.uint8)))
    result = pack(folder, tmp_path / "nowhere")
    assert result.images == 2
    assert result.partial
    assert sorted(f.path.rpartition("/")[2] for f in result.failed) == ["black.png", "broken.png", "nowhere"]


def test_the_same_image_twice_is_packed_once_and_adding_skips_it(pack, out, tmp_path):
    folder = pictures(tmp_path / "liver", "a.png")
    shutil.copy(folder / "a.png", folder / "again.png")
    assert (pack(folder).images, pack(folder, add=True).skipped) == (1, 2)
    with pytest.raises(WrongUsage, match="complete corpus"):
        pack(folder)
    pictures(folder, "b.png")
    result = pack(folder, add=True)
    assert (result.images, result.added, result.shards) == (2, 1, 2)
    again = pack(out, folder, add=True)  # a corpus among the paths is not an image
    assert (again.images, again.added) == (2, 0)


def test_wrong_wishes_are_refused_and_nothing_is_made(pack, out, tmp_path):
    folder = pictures(tmp_path / "liver", "a.png")
    for wrong in ({"add": True}, {"folds": 5}, {"leave_fold": 5, "folds": 5}):
        with pytest.raises(WrongUsage):
            pack(folder, **wrong)
    assert not out.exists()
    shutil.copytree(folder, out)
    with pytest.raises(WrongUsage, match="other files"):
        pack(folder)
    (tmp_path / "file").touch()
    with pytest.raises(WrongUsage, match="is a file"):
        drive(run(PackArguments(out=tmp_path / "file", paths=(str(folder),)), House()))


def test_an_interrupted_pack_keeps_what_is_whole_and_goes_on(houses, pack, out, tmp_path):
    folder = pictures(tmp_path / "liver", *(f"{n:02d}.png" for n in range(40)))
    shown = []

    def enough():
        return sum(event.kind == "progress" and event.body["what"] == "Packing" for event in shown) >= 1

    house = houses(House())
    with pytest.raises(Interrupted, match=r"\d+ images are packed; the same command goes on"):
        drive(run(PackArguments(out=out, paths=(str(folder),)), house), shown.append, enough)
    index, images = read(out)
    assert 0 < len(images) < 40
    assert not index.state.complete
    assert lent_out(house) == 0
    result = pack(folder)
    assert (result.images, result.skipped) == (40, len(images))
    assert kinds(shown) == ["progress"]


def cli(*words, **more):
    return call_apart("pack", *words, "--json", **more)


@pytest.mark.slow
def test_from_the_command_line_killed_and_gone_on_with(out, tmp_path):
    folder = pictures(tmp_path / "liver", *(f"{n:03d}.png" for n in range(120)), rows=120, columns=160)
    code = (
        f"import usfm_studio.verbs.pack as p; p.PackArguments.__init__.__kwdefaults__['shard_bytes'] = 200_000; {MAIN}"
    )
    process = start("pack", out, folder, code=code)
    deadline = time.monotonic() + 60
    while len(list(out.glob("*.npz"))) < 2 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    process.stderr.close()
    packed = len(CorpusIndex.load(out))
    assert 0 < packed < 120
    called = cli(out, folder)
    assert called.status == 0, called.err
    assert (called.result["images"], called.result["skipped"]) == (120, packed)
    assert len(read(out)[1]) == 120


def test_a_full_disk_is_one_message(pack, out, tmp_path):
    folder = pictures(tmp_path / "liver", *(f"{n}.png" for n in range(12)), rows=200, columns=250)
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000));"
        "import usfm_studio.verbs.pack as p;"
        f"p.PackArguments.__init__.__kwdefaults__['shard_bytes'] = 10_000_000; {MAIN}"
    )
    process = subprocess.run(
        [sys.executable, "-c", code, "pack", str(out), str(folder)],
        capture_output=True, text=True, env=environment(), timeout=100, cwd=ROOT,
    )  # fmt: skip
    assert process.returncode == 1
    assert process.stderr.startswith("error: The corpus could not be written: the disk is full.")
    assert process.stderr.count("\n") == 1
    assert not list(out.glob("*.tmp"))
    kept = len(read(out)[1])
    assert kept < 12
    result = pack(folder)
    assert (result.images, result.skipped) == (12, kept)


def test_on_the_command_line_folds_belong_together(tmp_path):
    called = call("pack", tmp_path / "c", tmp_path, "--folds", "5")
    assert called.status == 2
    assert "belong together" in called.err
