"""Real files with the pixels they must give: digest of the last frame and three probes, always run."""

import numpy as np
import pytest

from tests.imaging.collection import BUNDLED
from tests.imaging.making import an_instance
from usfm_studio.imaging.reading.describe import describe
from usfm_studio.imaging.reading.frames import frame_pixels, pixel_digest

FILES = [
    # file, (rows, columns, samples, bits, frames), sha256 of the last frame, {(row, column): value}
    ("deflated_still", (512, 512, 1, 8, 1), "1f5f1b1c1a57606a", {(256, 256): 65, (170, 256): 164, (128, 341): 164}),
    (
        "htj2k_lossy_rgb.dcm",
        (480, 640, 3, 8, 1),
        "16463ac9d0b0c70e",
        {(240, 320): [168, 135, 78], (160, 320): [170, 138, 82], (120, 426): [169, 137, 80]},
    ),
    (
        "j2k_rct.dcm",
        (480, 640, 3, 8, 1),
        "e16892020c73095e",
        {(153, 18): [255, 255, 0], (183, 162): [255, 118, 0], (152, 188): [153, 153, 153]},
    ),
    (
        "jpeg_loop_422.dcm",
        (240, 320, 3, 8, 30),
        "40229e504a1fae6c",
        {(43, 167): [122, 122, 122], (175, 181): [146, 146, 146], (80, 160): [41, 41, 41]},
    ),
    (
        "jpeg_loop_fragmented.dcm",
        (240, 320, 3, 8, 8),
        "5d22edc58012ee5a",
        {(0, 0): [1, 254, 3], (47, 187): [12, 154, 228], (15, 215): [146, 146, 146]},
    ),
    ("jpeg_lossless.dcm", (768, 1024, 1, 8, 1), "36e27e4f1e87a7d5", {(384, 512): 15, (256, 512): 11, (192, 682): 0}),
    (
        "jpegls_12_bit_10_frames.dcm",
        (64, 64, 1, 12, 10),
        "bed570ab2acd9dd9",
        {(32, 32): 203, (21, 32): 135, (16, 42): 176},
    ),
    (
        "native_rgb_planar.dcm",
        (120, 256, 3, 8, 1),
        "4631a14e915f1a7f",
        {(60, 128): [184, 16, 16], (40, 128): [16, 16, 152], (30, 170): [72, 72, 72]},
    ),
    (
        "rle_palette.dcm",
        (600, 800, 3, 8, 1),
        "f27736ea1acb75cb",
        {(63, 316): [69, 115, 179], (98, 795): [90, 205, 255], (96, 353): [127, 127, 127]},
    ),
]


@pytest.mark.parametrize(("name", "form", "digest", "probes"), FILES, ids=[row[0] for row in FILES])
def test_a_real_file_gives_its_pixels(name, form, digest, probes):
    instance = an_instance(BUNDLED / name)
    assert (instance.rows, instance.columns, instance.samples, instance.bits, instance.frames) == form
    pixels, _ = frame_pixels(instance, instance.frames - 1)
    assert pixels.dtype == (np.uint16 if form[3] > 8 else np.uint8)
    assert pixels.flags.c_contiguous
    for (row, column), value in probes.items():
        assert np.abs(pixels[row, column].astype(int) - value).max() <= 2
    assert pixel_digest(pixels)[:16] == digest


def test_a_loop_has_its_times_and_its_speed():
    instance = an_instance(BUNDLED / "jpeg_loop_fragmented.dcm")
    assert instance.kind == "loop"
    assert instance.seconds is not None
    assert instance.seconds[0] == 0.0
    assert instance.seconds[1] == pytest.approx(0.05)
    assert 22 < instance.playback_fps < 23
    assert not instance.playback_assumed


def test_identity_calibration_and_subject_come_from_the_header():
    instance = an_instance(BUNDLED / "rle_palette.dcm", digest=True)
    assert instance.subject == instance.patient_id == "11-05-25-142825"
    assert instance.study_date == "2011-05-25"
    assert instance.device == "Philips Medical Systems CX50"
    assert len(instance.regions) == 2
    scale = instance.scale_at(400, 200)
    assert scale is not None
    assert scale.source == "region 1"
    assert len(instance.digest) == 64


@pytest.mark.parametrize(("name", "kind"), [("report.dcm", "report"), ("segmentation.dcm", "segmentation")])
def test_a_report_and_a_segmentation_are_known_for_what_they_are(name, kind):
    description = describe(str(BUNDLED / name))
    assert description.ok
    assert description.kind == kind
    assert description.instance is None
    assert kind in description.not_imported.lower()


def test_the_fields_of_info_are_those_of_the_contract():
    info = describe(str(BUNDLED / "jpeg_loop_422.dcm")).to_info()
    assert list(info)[:11] == [
        "path", "ok", "kind", "rows", "columns", "frames", "transfer_syntax", "photometric", "regions",
        "seconds_per_frame", "error",
    ]  # fmt: skip
    assert (info["kind"], info["frames"], info["error"]) == ("loop", 30, None)
    assert info["seconds_per_frame"] == pytest.approx(0.033333, abs=1e-5)
    assert set(info["regions"][0]) == {"box", "format", "type", "units_x", "units_y", "delta_x", "delta_y"}
