"""The verb `propagate`: real files, the real reader and the real worker; what does not fit is said before any work."""

import cv2
import numpy as np
import pytest

from tests.engine.propagation.test_carrying import disc, frame
from tests.verbs.making import by_hand
from usfm_studio.document.errors import NotFound, Unreadable, WrongUsage
from usfm_studio.engine.scoring import dice
from usfm_studio.verbs import propagate
from usfm_studio.verbs.drive import drive
from usfm_studio.verbs.house import House, Options


@pytest.fixture
def loop(tmp_path):
    """A folder of frames whose names sort wrongly as text, and the first one's mask (255 inside)."""
    folder = tmp_path / "loop"
    folder.mkdir()
    truth = {f"f{n}.png": disc(x) for n, x in zip((1, 2, 10), (50, 62, 74), strict=True)}
    for seed, (name, ids) in enumerate(truth.items()):
        cv2.imwrite(str(folder / name), frame(ids, seed))
    cv2.imwrite(str(tmp_path / "key.png"), 255 * truth["f1.png"])
    return folder


def asked(loop, *keyframes, **more):
    out = loop.parent / "out"
    return propagate.PropagateArguments(input=str(loop), keyframes=keyframes, out=out, **more)


def test_a_folder_of_frames_gets_a_mask_each_in_the_order_of_its_numbers(houses, loop):
    _, result = by_hand(propagate.run(asked(loop, f"0={loop.parent / 'key.png'}"), houses(House(Options(threads=1)))))
    out = loop.parent / "out"
    assert (result.frames, sorted(result.score), result.score["0"]) == (3, ["0", "1", "2"], 1.0)
    assert sorted(p.name for p in out.iterdir()) == ["f1.png", "f10.png", "f2.png", "schema.toml"]
    assert np.array_equal(cv2.imread(str(out / "f1.png"), 0), disc(50))
    assert dice(cv2.imread(str(out / "f10.png"), 0) == 1, disc(74) == 1) > 0.6


@pytest.mark.parametrize(
    ("keyframe", "error", "why"),
    [
        ("key.png", WrongUsage, "N=MASK.png"),
        ("3={key}", WrongUsage, "frames 0 to 2"),
        ("0={none}", NotFound, "No such file"),
        ("0={small}", WrongUsage, "its mask is 80x60, the loop 160x120"),
        ("0={empty}", WrongUsage, "nothing is marked"),
        ("0={broken}", Unreadable, "not a PNG"),
    ],
)
def test_a_key_frame_that_does_not_fit_is_refused(houses, loop, keyframe, error, why):
    here = loop.parent
    cv2.imwrite(str(here / "small.png"), np.ones((60, 80), np.uint8))
    cv2.imwrite(str(here / "empty.png"), np.zeros((120, 160), np.uint8))
    (here / "broken.png").write_bytes(b"no picture")
    names = {name: here / f"{name}.png" for name in ("key", "none", "small", "empty", "broken")}
    with pytest.raises(error, match=why):
        drive(propagate.run(asked(loop, keyframe.format(**names)), houses()))
    assert not (here / "out").exists()


def test_a_loop_with_an_unreadable_frame_of_another_size_or_alone_is_refused(houses, loop):
    key = f"0={loop.parent / 'key.png'}"
    cv2.imwrite(str(loop / "f11.png"), np.zeros((60, 80), np.uint8))
    with pytest.raises(WrongUsage, match="frame 3 has another size"):
        drive(propagate.run(asked(loop, key), houses()))
    (loop / "f11.png").write_bytes(b"no picture")
    with pytest.raises(Unreadable, match=r"f11\.png"):
        drive(propagate.run(asked(loop, key), houses()))
    for name in ("f11.png", "f2.png", "f10.png"):
        (loop / name).unlink()
    with pytest.raises(WrongUsage, match="one frame only"):
        drive(propagate.run(asked(loop, key), houses()))
