"""Frames are found by table, by count or by start marks, and a wrong table costs nothing."""

import struct
from itertools import pairwise

import imagecodecs
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydicom.encaps import encapsulate, encapsulate_extended

from tests.imaging.making import a_file, an_instance, bytes_of, compressed, stored
from usfm_studio.document.errors import Unreadable
from usfm_studio.imaging.reading.describe import describe

J2K = "1.2.840.10008.1.2.4.90"
RNG = np.random.default_rng(5)
FRAMES = [RNG.integers(0, 256, (3, 5), dtype=np.uint8) for _ in range(4)]
STREAMS = [bytes(imagecodecs.jpeg2k_encode(f, codecformat="j2k", reversible=True)) for f in FRAMES]
STREAMS = [s + b"\0" * (len(s) % 2) for s in STREAMS]
ITEM, END = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0\0\0\0\0"


def item(content, length=None):
    return ITEM + struct.pack("<I", len(content) if length is None else length) + content


def a_loop(folder, pixel_data, **fields):
    """A file of four J2K frames whose encapsulated value is `pixel_data`."""
    ds = compressed(STREAMS, J2K, **fields)
    ds.PixelData = encapsulate(STREAMS, has_bot=False)
    marker = b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff"
    content = bytes_of(ds)
    return a_file(folder, content[: content.rindex(marker) + len(marker)] + pixel_data)


def assert_frames(path, count):
    description = describe(path)
    assert description.frames == count, description.error
    for index in range(count):
        assert np.array_equal(stored(path, index), FRAMES[index])
    return description


def offsets(shift=0):
    starts = np.cumsum([0, *(len(s) + 8 for s in STREAMS[:-1])])
    return struct.pack("<4I", *(int(s) + shift * bool(n) for n, s in enumerate(starts)))


TABLES = {
    "none": b"",
    "right": offsets(),
    "shifted": offsets(6),
    "beyond": offsets(100_000),
    "all zero": b"\0" * 16,
    "too short": offsets()[:8],
    "descending": struct.pack("<4I", *reversed(struct.unpack("<4I", offsets()))),
    "of odd length": offsets()[:14],
}


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_all_frames_are_found_whatever_the_offset_table_says(tmp_path, table):
    path = a_loop(tmp_path, item(table) + b"".join(map(item, STREAMS)) + END)
    assert_frames(path, 4)


def test_an_ignored_table_is_told(tmp_path):
    path = a_loop(tmp_path, item(TABLES["shifted"]) + b"".join(map(item, STREAMS)) + END)
    assert any("table of frames is wrong" in notice for notice in an_instance(path).notices)
    right = a_loop(tmp_path / "right", item(TABLES["right"]) + b"".join(map(item, STREAMS)) + END)
    assert not any("table" in notice for notice in an_instance(right).notices)


def test_an_extended_offset_table_is_used(tmp_path):
    value, table, lengths = encapsulate_extended(STREAMS)
    path = a_loop(tmp_path, value + END, ExtendedOffsetTable=table, ExtendedOffsetTableLengths=lengths)
    assert_frames(path, 4)


@given(data=st.data())
def test_frames_in_any_number_of_fragments_are_joined(tmp_path_factory, data):
    pieces = []
    for stream in STREAMS:
        cuts = data.draw(st.lists(st.integers(2, len(stream) // 2 - 1), max_size=3, unique=True))
        edges = [0, *sorted(2 * cut for cut in cuts), len(stream)]
        pieces += [stream[a:b] for a, b in pairwise(edges)]
    empty = data.draw(st.integers(0, len(pieces)))
    pieces.insert(empty, b"")
    path = a_loop(tmp_path_factory.mktemp("fragments"), item(b"") + b"".join(map(item, pieces)) + END)
    assert_frames(path, 4)


@given(cut=st.integers(0, sum(len(s) + 8 for s in STREAMS) + 8 + len(END)))
@example(cut=len(END) + sum(len(s) + 8 for s in STREAMS[2:]) - 8)
@example(cut=len(END) + sum(len(s) + 8 for s in STREAMS[2:]) - 11)
def test_a_file_cut_anywhere_shows_its_whole_frames_only(tmp_path_factory, cut):
    whole = item(b"") + b"".join(map(item, STREAMS)) + END
    edges = np.cumsum([8, *(len(s) + 8 for s in STREAMS)])
    held = int(np.sum(edges[1:] <= len(whole) - cut))
    path = a_loop(tmp_path_factory.mktemp("cut"), whole[: len(whole) - cut])
    if held:
        assert_frames(path, held)
    else:
        assert describe(path).instance is None


@pytest.mark.parametrize(
    ("tail", "held"),
    [
        (item(STREAMS[2], length=0xFFFFFF00), 2),
        (item(STREAMS[2], length=0xFFFFFFFF), 2),
        (b"\x10\x00\x10\x00" + struct.pack("<I", 4) + b"junk" + item(STREAMS[2]), 2),
    ],
    ids=["overrun", "undefined length", "foreign item"],
)
def test_the_walk_stops_at_what_is_no_item(tmp_path, tail, held):
    path = a_loop(tmp_path, item(b"") + item(STREAMS[0]) + item(STREAMS[1]) + tail)
    description = assert_frames(path, held)
    assert any("4 frames and holds 2" in notice for notice in description.notices)


def test_one_broken_frame_is_named_and_the_others_open(tmp_path):
    broken = [STREAMS[0], b"\x13" * 40, *STREAMS[2:]]
    path = a_loop(tmp_path, item(b"") + b"".join(map(item, broken)) + END)
    description = describe(path)
    assert description.frames == 4
    assert any("cannot be shown: 2" in notice for notice in description.notices)
    assert np.array_equal(stored(path, 3), FRAMES[3])
    with pytest.raises(Unreadable, match="frame 2"):
        stored(path, 1)


@pytest.mark.parametrize("stated", [0, -3, 2147483647])
def test_an_absurd_number_of_frames_allocates_nothing(tmp_path, stated):
    path = a_loop(tmp_path, item(b"") + b"".join(map(item, STREAMS)) + END, NumberOfFrames=stated)
    assert_frames(path, 4)
