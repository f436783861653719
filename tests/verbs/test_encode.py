"""`encode`: frozen features of any files in one safetensors file, whole or not at all."""

import errno
import json
import os
from concurrent.futures import Future

import numpy as np
import pytest
import torch
from safetensors import safe_open

from tests.cli.calling import call
from tests.cli.contract import missing, promised
from tests.engine.foreign import published
from tests.verbs.fake_engine import Answers
from tests.verbs.making import a_still, stills
from usfm_studio.document.errors import DiskFull, Interrupted, NotFound, Unreadable, WrongUsage
from usfm_studio.engine.doors import Encoded
from usfm_studio.engine.models.catalogue import read_card, shipped_encoder
from usfm_studio.engine.models.checkpoint import load_encoder
from usfm_studio.engine.models.foreign.convert import convert
from usfm_studio.engine.models.placement import place
from usfm_studio.imaging.pictures import png_bytes
from usfm_studio.verbs.drive import drive
from usfm_studio.verbs.encode import EncodeArguments, run
from usfm_studio.verbs.house import House

pytestmark = pytest.mark.timeout(500)


class Counting:
    """An engine without torch: the summary of a frame is its mean, its shape and 1; the map is its mean."""

    def __init__(self):
        self.alike = None

    def layout(self, model, sizes_rc, placement=""):
        ready = Future()
        alike = placement == "box" or len(set(sizes_rc)) == 1
        ready.set_result({"pooled": 4, "maps": {16: (1, 2, 3)}, "alike": alike})
        return ready

    def encode(self, frames, model, *, key=None, maps=None, placement=""):
        answers = Answers()
        answers.ticket.release()
        answers.set_result([self.one(frame, maps, placement) for frame in frames])
        return answers

    def one(self, frame, maps, placement):
        pooled = np.array([frame.shape[0], frame.shape[1], placement == "box", 1], np.float32)
        return Encoded(
            key=frame.key, pooled=pooled, maps={s: np.full(shape, 2, np.float16) for s, shape in maps.items()}
        )

    def stop(self):
        pass


@pytest.fixture
def house(houses):
    lent = houses()
    lent._engine = Counting()
    return lent


def encoded(house, paths, out, **more):
    arguments = EncodeArguments(paths=tuple(map(str, paths)), model="usfm_lite0", out=out, **more)
    result = drive(run(arguments, house))
    with safe_open(out, "np") as file:
        return result, {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118


def test_stills_and_loops_become_rows_under_their_names(house, tmp_path):
    images = stills(tmp_path / "images", 2)
    loop = a_still(images, 3, frames=3)
    result, tensors, metadata = encoded(house, [images], tmp_path / "out.safetensors")
    assert (result.shape, result.partial) == ((5, 4), False)
    assert {name: (t.shape, t.dtype.name) for name, t in tensors.items()} == {"pooled": ((5, 4), "float32")}
    names = json.loads(metadata["frames"])
    assert names[2:] == [f"{loop}#{n}" for n in range(3)]
    assert metadata["encoder_digest"] == read_card(shipped_encoder()).digest
    assert sorted(p.name for p in tmp_path.iterdir()) == ["images", "out.safetensors"]


def test_maps_of_frames_that_differ_in_shape_get_one_size(house, tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    for number, shape in enumerate(((30, 50), (40, 20))):
        (images / f"{number}.png").write_bytes(png_bytes(np.full(shape, 9, np.uint8)))
    _, tensors, metadata = encoded(house, [images], tmp_path / "out.safetensors", maps=True)
    assert tensors["stride_16"].shape == (2, 1, 2, 3)
    assert tensors["stride_16"].dtype == np.float16
    assert (tensors["stride_16"] == 2).all()
    assert tensors["pooled"].tolist() == [[30, 50, 1, 1], [40, 20, 1, 1]]
    assert metadata["placement"] == "box"


def test_what_cannot_be_read_is_told_and_left_out(house, tmp_path):
    images = stills(tmp_path / "images", 1)
    (images / "torn.png").write_bytes(png_bytes(np.zeros((9, 9), np.uint8))[:-20])
    result, tensors, _ = encoded(house, [images], tmp_path / "out.safetensors")
    assert (result.shape, len(tensors["pooled"])) == ((1, 4), 1)
    assert [failure.path for failure in result.failed] == [str(images / "torn.png")]


def test_where_nothing_can_be_read_nothing_is_written(house, tmp_path):
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(Unreadable, match="Nothing was encoded"):
        encoded(house, [tmp_path / "a.txt"], tmp_path / "out.safetensors")
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.parametrize("stop_after", [1, 2, 3])
def test_stopped_early_it_leaves_the_old_file_and_nothing_beside_it(house, tmp_path, stop_after):
    images = stills(tmp_path / "images", 6)
    (tmp_path / "out").write_bytes(b"old")
    events = []
    arguments = EncodeArguments(paths=(str(images),), model="usfm_lite0", out=tmp_path / "out")
    with pytest.raises(Interrupted):
        drive(run(arguments, house), events.append, lambda: len(events) >= stop_after)
    assert (tmp_path / "out").read_bytes() == b"old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["images", "out"]


def test_a_full_disk_leaves_the_old_file(house, tmp_path, monkeypatch):
    images = stills(tmp_path / "images", 1)
    (tmp_path / "out").write_bytes(b"old")

    def fsync(_fd):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(DiskFull):
        encoded(house, [images], tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == b"old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["images", "out"]


def test_a_place_or_a_model_that_cannot_be_is_refused(house, tmp_path):
    images = stills(tmp_path / "images", 1)
    with pytest.raises(WrongUsage, match="folder"):
        encoded(house, [images], tmp_path)
    with pytest.raises(NotFound):
        encoded(house, [images], tmp_path / "nowhere" / "out")
    arguments = EncodeArguments(paths=(str(images),), model="usfm_base", out=tmp_path / "out")
    with pytest.raises(NotFound, match="no weights here"):
        drive(run(arguments, House()))


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    """A small ViT out of a checkpoint in the official layout."""
    folder = tmp_path_factory.mktemp("imported")
    torch.save(published.official(published.beit(width=32, heads=2, depth=1)), folder / "mine.pth")
    convert(folder / "mine.pth", folder / "mine")
    return folder / "mine"


def test_an_imported_encoder_gives_its_own_features_from_the_command_line(imported, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (60, 90), np.uint8)
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.png").write_bytes(png_bytes(pixels))
    (tmp_path / "images" / "b.txt").write_text("no image")
    out = tmp_path / "out.safetensors"
    called = call("encode", tmp_path / "images", "--model", imported, "--out", out, "--maps", "--json")
    assert called.status == 3, called.err
    assert missing(promised("encode")[0], called.result) == []
    assert called.result["shape"] == [1, 96]
    x_CHW, _ = place(pixels, 224, "keep")
    with torch.inference_mode():
        wanted = load_encoder(imported)(torch.from_numpy(x_CHW)[None])
    with safe_open(out, "pt") as file:
        pooled, maps = file.get_tensor("pooled"), file.get_tensor("stride_16")
    assert torch.allclose(pooled, wanted.pooled_BD, atol=5e-3, rtol=2e-3), "but for rounding to half precision"
    assert torch.allclose(maps.float(), wanted.maps[16], atol=5e-3, rtol=2e-3)
