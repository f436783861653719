"""Small good files, damaged at random: the reader always answers, and in its own words."""

import imagecodecs
import numpy as np
import pytest

from tests.imaging.collection import BUNDLED
from tests.imaging.making import GREY, a_dataset, a_png, a_region, bytes_of, compressed
from usfm_studio.document.errors import StudioError
from usfm_studio.imaging.client import Reader
from usfm_studio.imaging.description import descriptions_from

LIMIT_S = 300
J = "1.2.840.10008.1.2.4."
SMOOTH = np.add.outer(np.arange(24) * 3, np.arange(32)).astype(np.uint8)


def seeds():
    """Small files of many kinds."""
    j2k = [bytes(imagecodecs.jpeg2k_encode(SMOOTH, codecformat="j2k", reversible=True))] * 3
    return [
        bytes_of(a_dataset(GREY, SequenceOfUltrasoundRegions=[a_region()])),
        bytes_of(a_dataset(np.stack([GREY] * 4), frames=4), implicit=False),
        bytes_of(compressed(j2k, J + "90", shape=(24, 32))),
        bytes_of(compressed([bytes(imagecodecs.jpeg8_encode(SMOOTH))], J + "50", shape=(24, 32))),
        bytes_of(compressed([bytes(imagecodecs.jpeg8_encode(SMOOTH, lossless=True))], J + "70", shape=(24, 32))),
        bytes_of(compressed([bytes(imagecodecs.jpegls_encode(SMOOTH))], J + "80", shape=(24, 32))),
        bytes_of(compressed([bytes(imagecodecs.htj2k_encode(SMOOTH, reversible=True))], J + "201", shape=(24, 32))),
        bytes_of(compressed([bytes(imagecodecs.jpegxl_encode(SMOOTH, lossless=True))], J + "110", shape=(24, 32))),
        (BUNDLED / "deflated_still").read_bytes(),
        (BUNDLED / "rle_palette.dcm").read_bytes(),
        (BUNDLED / "segmentation.dcm").read_bytes(),
        a_png(3, 2, body=b"\0\1\2\3" * 2),
        bytes(imagecodecs.tiff_encode(SMOOTH)),
        bytes(imagecodecs.bmp_encode(SMOOTH)),
        bytes(imagecodecs.jpeg8_encode(SMOOTH)),
    ]


def damaged(content, rng):
    """Some bytes changed, a piece cut out, doubled or moved, or the end cut off."""
    data = bytearray(content)
    for _ in range(int(rng.integers(1, 4))):
        act = rng.choice([0, 0, 0, 0, 1, 2, 3, 4])
        at = int(rng.integers(0, len(data)))
        size = int(rng.integers(1, 40))
        if act == 0:
            data[at] = int(rng.integers(0, 256))
        elif act == 1:
            data[at : at + size] = rng.integers(0, 256, size, dtype=np.uint8).tobytes()
        elif act == 2:
            del data[at : at + size]
        elif act == 3:
            data[at:at] = data[at : at + size]
        elif len(data) > 200:
            del data[int(rng.integers(100, len(data))) :]
    return bytes(data)


def survive(tmp_path, count):
    """Write `count` damaged files, describe them all, decode what opens; answers how many opened."""
    kinds = seeds()
    paths = []
    for seed in range(count):
        path = tmp_path / f"{seed:05}.dcm"
        path.write_bytes(damaged(kinds[seed % len(kinds)], np.random.default_rng(seed)))
        paths.append(str(path))
    reader = Reader(spare=True)
    opened = 0
    try:
        files = descriptions_from(reader.describe(paths, digest=True).result(LIMIT_S))
        assert [d.path for d in files] == paths
        for description in files:
            assert description.ok or description.error
            if description.instance is None:
                continue
            for index in {0, description.instance.frames - 1}:
                try:
                    decoded = reader.pixels(description.instance, index).result(LIMIT_S)
                    opened += 1
                    reader.release(decoded)
                except StudioError as error:
                    assert error.what  # noqa: PT017
                    assert "unexpected" not in error.what.lower(), f"{description.path}: {error}"  # noqa: PT017
    finally:
        reader.close()
    return opened


def test_damaged_files_never_take_the_client_down(tmp_path):
    assert survive(tmp_path, 200) > 20


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_two_thousand_damaged_files_never_take_the_client_down(tmp_path):
    assert survive(tmp_path, 2000) > 200
