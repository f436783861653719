"""From stored samples to true colours, for each way of storing them, against pydicom's own decoders."""

import imagecodecs
import numpy as np
import openjpeg
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pydicom.pixels import apply_color_lut
from pydicom.pixels.processing import convert_color_space

from tests.imaging.making import COLOUR, GREY, a_dataset, a_file, an_instance, bytes_of, compressed, stored
from usfm_studio.document.errors import Unreadable
from usfm_studio.imaging.reading.colour import ybr_to_rgb
from usfm_studio.imaging.reading.describe import describe
from usfm_studio.imaging.reading.frames import frame_pixels

SMOOTH = np.add.outer(np.arange(40) * 2, np.arange(56)).astype(np.uint8)
SMOOTH_COLOUR = np.stack([SMOOTH, 255 - SMOOTH, SMOOTH // 2], axis=-1)
TWELVE = (SMOOTH.astype(np.uint16) * 16 + 5).astype(np.uint16)
J = "1.2.840.10008.1.2.4."


def shown(path, index=0):
    return frame_pixels(an_instance(path), index)[0]


def test_grey_pixels_are_shown_as_stored(tmp_path):
    assert np.array_equal(shown(a_file(tmp_path)), GREY)


@pytest.mark.parametrize("implicit", [False, True])
def test_both_encodings_of_the_dataset_are_read(tmp_path, implicit):
    ds = a_dataset(COLOUR)
    ds.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2" if implicit else "1.2.840.10008.1.2.1"
    assert np.array_equal(shown(a_file(tmp_path, ds, implicit=implicit)), COLOUR)


@pytest.mark.parametrize("pixels", [GREY, TWELVE, COLOUR], ids=["grey", "twelve bits", "colour"])
@pytest.mark.parametrize("vr", ["OB", "OW"])
def test_big_endian_words_are_put_right(tmp_path, pixels, vr):
    ds = a_dataset(pixels)
    ds.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.2"
    ds["PixelData"].VR = vr
    if pixels.itemsize == 2 or vr == "OW":
        raw = np.frombuffer(ds.PixelData, np.uint8).reshape(-1, 2)[:, ::-1]
        ds.PixelData = raw.tobytes()
    assert np.array_equal(shown(a_file(tmp_path, ds, little=False)), pixels)


def test_planes_and_pixels_of_colour_give_the_same(tmp_path):
    by_plane = a_dataset(COLOUR, PlanarConfiguration=1)
    by_plane.PixelData = COLOUR.transpose(2, 0, 1).tobytes()
    assert np.array_equal(shown(a_file(tmp_path, by_plane)), COLOUR)
    assert np.array_equal(shown(a_file(tmp_path, a_dataset(COLOUR))), COLOUR)


def test_low_is_black_even_where_the_file_says_low_is_white(tmp_path):
    path = a_file(tmp_path, a_dataset(GREY, PhotometricInterpretation="MONOCHROME1"))
    assert np.array_equal(shown(path), 255 - GREY)
    assert np.array_equal(stored(path), GREY)


def test_twelve_bits_in_sixteen_keep_their_range_and_lose_the_rubbish_above(tmp_path):
    dirty = a_dataset(TWELVE | np.uint16(0xA000), BitsStored=12, HighBit=11)
    pixels = shown(a_file(tmp_path, dirty))
    assert pixels.dtype == np.uint16
    assert np.array_equal(pixels, TWELVE & 0xFFF)


def test_bits_at_the_top_are_moved_down(tmp_path):
    pixels = shown(a_file(tmp_path, a_dataset((TWELVE & 0xFFF) << np.uint16(4), BitsStored=12, HighBit=15)))
    assert np.array_equal(pixels, TWELVE & 0xFFF)


def test_signed_values_keep_their_order(tmp_path):
    values = np.array([[-3, 0, 7], [-128, 127, 1]], np.int8)
    pixels = shown(a_file(tmp_path, a_dataset(values.view(np.uint8), PixelRepresentation=1)))
    assert np.array_equal(np.argsort(pixels.ravel()), np.argsort(values.ravel()))


@given(arrays.arrays(np.uint8, (5, 7, 3)))
def test_full_range_ybr_becomes_rgb_as_pydicom_has_it(ybr):
    reference = convert_color_space(ybr, "YBR_FULL", "RGB")
    assert np.abs(ybr_to_rgb(ybr).astype(int) - reference).max() <= 1


def test_chroma_shared_by_pairs_is_spread(tmp_path):
    ybr = convert_color_space(SMOOTH_COLOUR, "RGB", "YBR_FULL")
    quads = np.stack([ybr[:, ::2, 0], ybr[:, 1::2, 0], ybr[:, ::2, 1], ybr[:, ::2, 2]], axis=-1)
    ds = a_dataset(SMOOTH_COLOUR, PhotometricInterpretation="YBR_FULL_422")
    ds.PixelData = quads.tobytes()
    path = a_file(tmp_path, ds)
    reference = pydicom.dcmread(path).pixel_array  # in RGB already
    assert np.abs(shown(path).astype(int) - reference).max() <= 1


def test_three_bytes_a_pixel_are_full_ybr_whatever_the_label(tmp_path):
    ybr = convert_color_space(SMOOTH_COLOUR, "RGB", "YBR_FULL")
    path = a_file(tmp_path, a_dataset(ybr, PhotometricInterpretation="YBR_FULL_422"))
    assert np.abs(shown(path).astype(int) - SMOOTH_COLOUR).max() <= 2
    assert "YBR_FULL_422" in an_instance(path).notices[0]


def palette_dataset(little=True, **more):
    table = (np.arange(256, dtype=np.uint16) * 257)[::-1]
    ds = a_dataset(GREY, PhotometricInterpretation="PALETTE COLOR", **more)
    for name, entries in (("Red", table), ("Green", table // 2), ("Blue", table // 3)):
        setattr(ds, f"{name}PaletteColorLookupTableDescriptor", [256, 0, 16])
        order = "<u2" if little else ">u2"
        setattr(ds, f"{name}PaletteColorLookupTableData", entries.astype(np.uint16).astype(order).tobytes())
    return ds, np.stack([table >> 8, (table // 2) >> 8, (table // 3) >> 8], axis=-1).astype(np.uint8)


@pytest.mark.parametrize("little", [True, False])
def test_palettes_give_their_colours_in_either_byte_order(tmp_path, little):
    ds, colours = palette_dataset(little)
    if not little:
        ds.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.2"
    path = a_file(tmp_path, ds, little=little)
    assert np.array_equal(shown(path), colours[GREY])
    assert np.array_equal(stored(path), GREY)
    assert an_instance(path).samples == 3


def test_indices_outside_a_palette_take_its_ends(tmp_path):
    ds, colours = palette_dataset()
    for name in ("Red", "Green", "Blue"):
        setattr(ds, f"{name}PaletteColorLookupTableDescriptor", [50, 20, 16])
    expected = colours[np.clip(GREY.astype(int) - 20, 0, 49)]
    assert np.array_equal(shown(a_file(tmp_path, ds)), expected)


def test_a_segmented_palette_is_expanded_as_pydicom_does(tmp_path):
    ds, _ = palette_dataset()
    segments = np.array([0, 2, 100, 5000, 1, 200, 60000, 1, 54, 0], np.uint16)
    for name in ("Red", "Green", "Blue"):
        delattr(ds, f"{name}PaletteColorLookupTableData")
        setattr(ds, f"Segmented{name}PaletteColorLookupTableData", segments.tobytes())
    path = a_file(tmp_path, ds)
    reference = (apply_color_lut(GREY, pydicom.dcmread(path)) >> 8).astype(np.uint8)
    assert np.array_equal(shown(path), reference)


def test_a_missing_palette_gives_grey_and_says_so(tmp_path):
    path = a_file(tmp_path, a_dataset(GREY, PhotometricInterpretation="PALETTE COLOR"))
    instance = an_instance(path)
    assert instance.samples == 1
    assert any("colour table" in notice for notice in instance.notices)
    assert np.array_equal(shown(path), GREY)


CODECS = [
    ("jpeg lossless 57", J + "57", SMOOTH, lambda a: imagecodecs.jpeg8_encode(a, lossless=True)),
    ("jpeg lossless 70", J + "70", SMOOTH, lambda a: imagecodecs.jpeg8_encode(a, lossless=True, predictor=1)),
    ("jpeg-ls", J + "80", SMOOTH, imagecodecs.jpegls_encode),
    ("jpeg-ls colour", J + "80", SMOOTH_COLOUR, imagecodecs.jpegls_encode),
    ("jpeg-ls 12", J + "80", TWELVE, lambda a: imagecodecs.jpegls_encode(a)),
    ("j2k", J + "90", SMOOTH, lambda a: imagecodecs.jpeg2k_encode(a, codecformat="j2k", reversible=True)),
    ("j2k 16", J + "90", TWELVE, lambda a: imagecodecs.jpeg2k_encode(a, codecformat="j2k", reversible=True)),
    ("jp2 box", J + "90", SMOOTH, lambda a: imagecodecs.jpeg2k_encode(a, codecformat="jp2", reversible=True)),
    ("htj2k", J + "201", SMOOTH, lambda a: imagecodecs.htj2k_encode(a, reversible=True)),
    ("htj2k colour", J + "202", SMOOTH_COLOUR, lambda a: imagecodecs.htj2k_encode(a, reversible=True)),
    ("jxl", J + "110", SMOOTH_COLOUR, lambda a: imagecodecs.jpegxl_encode(a, lossless=True)),
]


@pytest.mark.parametrize(("syntax", "pixels", "encode"), [row[1:] for row in CODECS], ids=[row[0] for row in CODECS])
def test_a_lossless_codec_gives_back_each_pixel(tmp_path, syntax, pixels, encode):
    stream = bytes(encode(pixels))
    samples = 3 if pixels.ndim == 3 else 1
    ds = compressed([stream], syntax, samples=samples, shape=pixels.shape[:2], bits=8 * pixels.itemsize)
    path = a_file(tmp_path, ds)
    assert np.array_equal(shown(path), pixels)


def test_run_length_planes_are_put_together(tmp_path):
    for pixels in (SMOOTH, TWELVE, SMOOTH_COLOUR):
        ds = a_dataset(pixels)
        ds.compress("1.2.840.10008.1.2.5", encoding_plugin="pydicom", generate_instance_uid=False)
        assert np.array_equal(shown(a_file(tmp_path, ds)), pixels)


def test_lossy_high_throughput_jpeg_2000_does_not_wrap(tmp_path):
    white = np.full((40, 56, 3), 255, np.uint8)
    white[::3, ::2] = 250
    stream = bytes(imagecodecs.htj2k_encode(white, reversible=False, level=0.01))
    ds = compressed([stream], J + "203", samples=3, shape=(40, 56), photometric="YBR_ICT")
    path = a_file(tmp_path, ds)
    assert shown(path).min() > 200
    assert np.array_equal(shown(path), openjpeg.decode(stream))
    assert frame_pixels(an_instance(path), 0)[1] == "openjpeg"


@pytest.mark.parametrize("label", ["RGB", "YBR_FULL", "YBR_FULL_422"])
@pytest.mark.parametrize("stream_is_rgb", [False, True])
def test_the_jpegs_own_marks_beat_the_label(tmp_path, label, stream_is_rgb):
    options = {"outcolorspace": "RGB"} if stream_is_rgb else {"subsampling": "444"}
    stream = imagecodecs.jpeg8_encode(SMOOTH_COLOUR, level=100, **options)
    ds = compressed([stream], J + "50", samples=3, shape=(40, 56), photometric=label)
    assert np.abs(shown(a_file(tmp_path, ds)).astype(int) - SMOOTH_COLOUR).max() <= 6


def without_marks(stream):
    """A JPEG without JFIF and Adobe segments: nothing but the label says what its components are."""
    at, out = 2, stream[:2]
    while stream[at + 1] != 0xDA:
        length = int.from_bytes(stream[at + 2 : at + 4], "big") + 2
        if stream[at + 1] not in (0xE0, 0xEE):
            out += stream[at : at + length]
        at += length
    return out + stream[at:]


def test_without_any_mark_the_label_counts(tmp_path):
    plain = without_marks(imagecodecs.jpeg8_encode(SMOOTH_COLOUR, level=100, subsampling="444"))
    as_ybr = compressed([plain], J + "50", samples=3, shape=(40, 56), photometric="YBR_FULL")
    as_rgb = compressed([plain], J + "50", samples=3, shape=(40, 56), photometric="RGB")
    assert np.abs(shown(a_file(tmp_path, as_ybr)).astype(int) - SMOOTH_COLOUR).max() <= 6
    ybr = shown(a_file(tmp_path, as_rgb))
    assert np.abs(ybr_to_rgb(ybr).astype(int) - SMOOTH_COLOUR).max() <= 6


def test_a_jpeg_without_its_end_opens_but_half_of_one_does_not(tmp_path):
    stream = imagecodecs.jpeg8_encode(SMOOTH, level=90)
    whole = a_file(tmp_path, compressed([stream[:-2]], J + "50", shape=(40, 56)), "whole.dcm")
    assert np.abs(shown(whole).astype(int) - SMOOTH).max() <= 12
    half = a_file(tmp_path, compressed([stream[: len(stream) * 2 // 3]], J + "50", shape=(40, 56)), "half.dcm")
    instance = an_instance(half)
    assert any("no end mark" in notice for notice in instance.notices)
    with pytest.raises(Unreadable, match="cut off"):
        frame_pixels(instance, 0)


def test_deflated_and_plain_frames_in_fragments_open(tmp_path):
    import zlib

    packer = zlib.compressobj(wbits=-15)
    deflated = packer.compress(SMOOTH.tobytes()) + packer.flush()
    for syntax, stream in (("1.2.840.10008.1.2.8.1", deflated), ("1.2.840.10008.1.2.1.98", SMOOTH.tobytes())):
        assert np.array_equal(shown(a_file(tmp_path, compressed([stream], syntax, shape=(40, 56)))), SMOOTH)


@pytest.mark.parametrize(
    ("claim", "reason"),
    [
        ({"shape": (41, 56)}, "56 x 41"),
        ({"samples": 3}, "3 values a pixel"),
        ({"shape": (9000, 9000)}, "more than this program shows"),
    ],
)
def test_a_stream_that_is_not_what_the_header_says_is_never_decoded(tmp_path, claim, reason):
    stream = bytes(imagecodecs.jpegls_encode(SMOOTH))
    description = describe(a_file(tmp_path, compressed([stream], J + "80", **{"shape": (40, 56), **claim})))
    assert not description.ok
    assert description.instance is None
    assert reason in description.error


def test_more_bits_than_the_header_says_are_refused(tmp_path):
    stream = bytes(imagecodecs.jpegls_encode(TWELVE))
    description = describe(a_file(tmp_path, compressed([stream], J + "80", shape=(40, 56))))
    assert "8 bits" in description.error


def test_video_and_unknown_encodings_are_refused_by_name(tmp_path):
    video = describe(a_file(tmp_path, compressed([b"\0" * 100], J + "102")))
    assert (video.kind, video.ok) == ("video", False)
    assert "H.264" in video.error
    unknown = describe(a_file(tmp_path, compressed([b"\0" * 100], "1.2.3.4.5")))
    assert "1.2.3.4.5" in unknown.error


@given(
    frames=st.integers(2, 5),
    cut=st.integers(0, 60),
    data=st.data(),
)
def test_a_cut_loop_shows_its_whole_frames_and_invents_none(tmp_path_factory, frames, cut, data):
    folder = tmp_path_factory.mktemp("cut")
    pixels = data.draw(arrays.arrays(np.uint8, (frames, 3, 4)))
    whole = bytes_of(a_dataset(pixels, frames=frames))
    content = whole[: len(whole) - cut]
    held = max(0, frames - -(-cut // 12))
    description = describe(a_file(folder, content))
    if held == 0:
        assert description.instance is None
        return
    assert description.instance is not None
    assert description.frames == held
    for index in range(held):
        assert np.array_equal(frame_pixels(description.instance, index)[0], pixels[index])
