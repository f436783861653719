"""PNG, JPEG, TIFF and BMP: right pixels, and sizes looked at before they are believed."""

import imagecodecs
import numpy as np
import pytest

from tests.imaging.making import a_dataset, a_file, a_png, an_instance
from usfm_studio.document.errors import Unreadable
from usfm_studio.imaging.reading.describe import describe
from usfm_studio.imaging.reading.frames import frame_pixels
from usfm_studio.imaging.reading.still import MOST_PIXELS

GREY = np.add.outer(np.arange(30) * 4, np.arange(50)).astype(np.uint8)
COLOUR = np.stack([GREY, 255 - GREY, GREY // 2], axis=-1)
DEEP = GREY.astype(np.uint16) * 257
ALPHA = np.concatenate([COLOUR, np.full((30, 50, 1), 128, np.uint8)], axis=-1)

PICTURES = {
    "grey.png": (imagecodecs.png_encode(GREY), GREY),
    "colour.png": (imagecodecs.png_encode(COLOUR), COLOUR),
    "alpha.png": (imagecodecs.png_encode(ALPHA), COLOUR),
    "deep.png": (imagecodecs.png_encode(DEEP), DEEP),
    "deep colour.png": (imagecodecs.png_encode(COLOUR.astype(np.uint16) * 257), COLOUR),
    "grey.tif": (imagecodecs.tiff_encode(GREY), GREY),
    "colour.tif": (imagecodecs.tiff_encode(COLOUR, photometric="rgb"), COLOUR),
    "deep.tif": (imagecodecs.tiff_encode(DEEP), DEEP),
    "colour.bmp": (imagecodecs.bmp_encode(COLOUR), COLOUR),
    "grey.bmp": (imagecodecs.bmp_encode(GREY), np.repeat(GREY[..., None], 3, axis=2)),
}


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_gives_its_pixels(tmp_path, name):
    content, pixels = PICTURES[name]
    instance = an_instance(a_file(tmp_path, bytes(content), name))
    shown, decoder = frame_pixels(instance, 0)
    assert np.array_equal(shown, pixels)
    assert decoder.startswith("imagecodecs")
    assert instance.subject == name.partition(".")[0]
    assert any("no scale" in notice for notice in instance.notices)


def test_jpegs_are_near_their_pixels(tmp_path):
    for name, pixels, options in (("g.jpg", GREY, {}), ("c.jpeg", COLOUR, {"subsampling": "444"})):
        path = a_file(tmp_path, bytes(imagecodecs.jpeg8_encode(pixels, level=98, **options)), name)
        assert np.abs(frame_pixels(an_instance(path), 0)[0].astype(int) - pixels).max() <= 8


def test_a_tiff_of_several_pages_is_a_loop(tmp_path):
    import cv2

    path = tmp_path / "pages.tif"
    cv2.imwritemulti(str(path), [GREY, GREY + 1, GREY + 2])
    instance = an_instance(path)
    assert (instance.kind, instance.frames) == ("loop", 3)
    assert [np.array_equal(frame_pixels(instance, n)[0], GREY + n) for n in range(3)] == [True] * 3


def test_a_tiff_of_measured_numbers_is_refused(tmp_path):
    content = bytes(imagecodecs.tiff_encode(GREY.astype(np.float32)))
    assert not describe(a_file(tmp_path, content, "f.tif")).ok


def test_a_palette_png_is_shown_in_its_colours(tmp_path):
    content = a_png(3, 1, kind=3, body=b"\0\0\1\2", palette=bytes([0, 0, 0, 255, 0, 0, 0, 0, 255]))
    shown, _ = frame_pixels(an_instance(a_file(tmp_path, content, "p.png")), 0)
    assert shown.tolist() == [[[0, 0, 0], [255, 0, 0], [0, 0, 255]]]


def test_a_picture_called_dcm_opens_as_what_it_is(tmp_path):
    description = describe(a_file(tmp_path, bytes(imagecodecs.png_encode(GREY)), "scan.dcm"))
    assert description.ok
    assert description.transfer_syntax is None


def test_a_dicom_file_with_a_tiff_before_it_is_dicom(tmp_path):
    path = a_file(tmp_path, a_dataset())
    content = bytearray(open(path, "rb").read())  # noqa: PTH123, SIM115
    content[:4] = b"II*\0"
    assert an_instance(a_file(tmp_path, bytes(content), "t.dcm")).transfer_syntax == "1.2.840.10008.1.2.1"


BOMBS = {
    "huge.png": a_png(60_000, 60_000, body=bytes(100)),
    "flat.png": a_png(8_000, 8_000, body=bytes(100)),
    "huge.jpg": bytes(imagecodecs.jpeg8_encode(GREY)).replace(b"\x08\x00\x1e\x00\x32", b"\x08\xff\xdc\xff\xdc"),
    "huge.bmp": b"BM"
    + bytes(8)
    + b"\x36\0\0\0\x28\0\0\0"
    + (60_000).to_bytes(4, "little") * 2
    + b"\1\0\x18\0"
    + bytes(24),
    "huge.tif": bytes(imagecodecs.tiff_encode(GREY)).replace(b"\x32\0\0\0\x01\x01", b"\x60\xea\0\0\x01\x01"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_size_that_the_file_cannot_hold_is_refused_by_its_header(tmp_path, name):
    description = describe(a_file(tmp_path, BOMBS[name], name))
    if name == "huge.tif":
        assert description.rows is None or description.rows * description.columns <= MOST_PIXELS
        return
    assert not description.ok
    assert description.instance is None
    assert name in description.error


@pytest.mark.parametrize("name", ["grey.png", "grey.tif", "colour.bmp", "cut.jpg"])
def test_a_cut_picture_is_refused(tmp_path, name):
    content = bytes(imagecodecs.jpeg8_encode(GREY)) if name == "cut.jpg" else bytes(PICTURES[name][0])
    path = a_file(tmp_path, content[: len(content) * 2 // 3], name)
    description = describe(path)
    if description.instance is not None:
        with pytest.raises(Unreadable):
            frame_pixels(description.instance, 0)
