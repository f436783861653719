"""Calibration, times, names and dates as files state them, and what is doubtful about them."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.imaging.making import GREY, a_dataset, a_file, a_region, an_instance, bytes_of
from usfm_studio.imaging.reading.describe import describe
from usfm_studio.imaging.reading.text import iso_date, person_name, safe_text

LOOP = np.arange(4 * 3 * 5, dtype=np.uint8).reshape(4, 3, 5)


def calibrated(folder, regions, **fields):
    return an_instance(a_file(folder, a_dataset(GREY, SequenceOfUltrasoundRegions=regions, **fields)))


def test_a_region_gives_both_scales(tmp_path):
    instance = calibrated(tmp_path, [a_region()])
    scale = instance.scale_at(2, 1)
    assert scale is not None
    assert scale.mm_per_px_xy == pytest.approx((0.2, 0.3))
    assert instance.notices == ()


@pytest.mark.parametrize(
    ("region", "words"),
    [
        (a_region(delta=(0.0, 0.0)), "missing or implausible"),
        (a_region(delta=(math.nan, math.inf)), "missing or implausible"),
        (a_region(delta=(1e-12, 1e-12)), "missing or implausible"),
        (a_region(delta=(0.3, 0.3)), "missing or implausible"),
        (a_region(box=(100, 100, 110, 110)), "outside the image"),
        (a_region(box=(0, 0, 40, 40)), "larger than the image"),
        (a_region(box=(4, 2, 0, 0)), "reverse order"),
    ],
)
def test_a_doubtful_region_is_said_to_be_so(tmp_path, region, words):
    instance = calibrated(tmp_path, [region])
    assert len(instance.regions) == 1
    assert all(math.isfinite(d) for d in instance.regions[0].delta_xy)
    assert any(words in notice for notice in instance.notices), instance.notices


@pytest.mark.parametrize("units", [(3, 4), (4, 7), (0, 0), (99, 99)])
def test_only_centimetres_measure_lengths(tmp_path, units):
    assert calibrated(tmp_path, [a_region(units=units)]).scale_at(2, 1) is None


def test_two_scales_on_one_box_measure_nothing_and_say_so(tmp_path):
    instance = calibrated(tmp_path, [a_region(), a_region(delta=(0.04, 0.06))])
    assert instance.scale_at(2, 1) is None
    assert any("different scales" in notice for notice in instance.notices)


def test_a_region_without_its_box_is_listed_but_not_used(tmp_path):
    region = a_region()
    del region.RegionLocationMaxX1
    instance = calibrated(tmp_path, [region])
    assert len(instance.regions) == 1
    assert instance.scale_at(2, 1) is None


def test_pixel_spacing_serves_where_there_is_no_region(tmp_path):
    instance = an_instance(a_file(tmp_path, a_dataset(GREY, PixelSpacing=[0.5, 0.25])))
    assert instance.spacing_mm_xy == (0.25, 0.5)
    assert instance.scale_at(2, 1).source == "pixel spacing"


def test_a_contradicting_spacing_is_said_and_the_region_counts(tmp_path):
    instance = calibrated(tmp_path, [a_region()], PixelSpacing=[0.5, 0.5])
    assert instance.scale_at(2, 1).source == "region 1"
    assert any("different scales; the region counts" in notice for notice in instance.notices)


@pytest.mark.parametrize("value", [b"0\\0", b"0,2\\0,2", b"nan\\1", b"-1\\1", b"1"])
def test_a_spacing_that_makes_no_sense_is_not_used(tmp_path, value):
    content = bytes_of(a_dataset(GREY, PixelSpacing=["1.5", "2.5"]))
    assert b"1.5\\2.5 " in content
    instance = an_instance(a_file(tmp_path, content.replace(b"1.5\\2.5 ", value.ljust(8))))
    assert instance.spacing_mm_xy is None


def timed(folder, **fields):
    return an_instance(a_file(folder, a_dataset(LOOP, frames=4, **fields)))


def test_frame_time_is_the_clock_and_the_speed(tmp_path):
    instance = timed(tmp_path)
    assert instance.seconds == pytest.approx((0, 0.04, 0.08, 0.12))
    assert instance.playback_fps == pytest.approx(25)
    assert not instance.playback_assumed


def test_a_vector_of_times_starts_at_zero_whatever_it_says(tmp_path):
    instance = timed(tmp_path, FrameTime=None, FrameTimeVector=[33, 33, 50, 50], FrameIncrementPointer=0x00181065)
    assert instance.seconds == pytest.approx((0, 0.033, 0.083, 0.133))


def test_a_short_vector_leaves_times_unknown_and_says_so(tmp_path):
    instance = timed(tmp_path, FrameTime=None, FrameTimeVector=[0, 33], FrameIncrementPointer=0x00181065)
    assert instance.seconds is None
    assert any("2 of its 4 frames" in notice for notice in instance.notices)


@pytest.mark.parametrize("value", ["0", "-33", "NaN", "1e400"])
def test_a_senseless_frame_time_is_no_clock(tmp_path, value):
    content = bytes_of(a_dataset(LOOP, frames=4, FrameTime="12345678"))
    instance = an_instance(a_file(tmp_path, content.replace(b"12345678", value.encode().ljust(8))))
    assert instance.seconds is None
    assert instance.playback_assumed
    assert instance.playback_fps == 30
    assert any("30 frames a second" in notice for notice in instance.notices)


def test_the_recommended_rate_plays_and_frame_time_counts(tmp_path):
    instance = timed(tmp_path, CineRate=3, RecommendedDisplayFrameRate=12)
    assert instance.playback_fps == 12
    assert instance.seconds[1] == pytest.approx(0.04)


def test_the_subject_is_the_patient_else_the_study_else_the_file(tmp_path):
    def subject(name, **fields):
        return an_instance(a_file(tmp_path, a_dataset(**fields), name)).subject

    assert subject("a.dcm") == "P-1"
    assert subject("b.dcm", IssuerOfPatientID="Ward 3") == "P-1 (Ward 3)"
    assert subject("c.dcm", PatientID="") == "1.2.3.2"
    assert subject("d.dcm", PatientID=None, StudyInstanceUID=None) == "d"


@given(st.text())
def test_text_from_strangers_is_one_short_harmless_line(text):
    shown = safe_text(text)
    assert len(shown) <= 200
    assert shown == shown.strip()
    assert not any(ord(letter) < 32 or 0x7F <= ord(letter) < 0xA0 for letter in shown)
    assert not any(0x202A <= ord(c) <= 0x202E or 0x2066 <= ord(c) <= 0x2069 or 0xD800 <= ord(c) < 0xE000 for c in shown)
    assert safe_text(shown) == shown


def test_names_read_as_people_write_them():
    assert person_name("Doe^Jane^Ann") == "Doe, Jane Ann"
    assert person_name("Yamada^Tarou=山田^太郎") == "Yamada, Tarou"
    assert person_name("=山田^太郎") == "山田, 太郎"
    assert person_name("A" * 5000) == "A" * 199 + "…"
    assert person_name("\x1b[31mEvil\x07^\u202eName\0") == "[31mEvil, Name"


def test_dates_are_iso_or_unknown():
    assert iso_date("20250131") == "2025-01-31"
    assert iso_date("1994.01.30") == "1994-01-30"
    assert iso_date("20251399") == iso_date("yesterday") == iso_date("") == ""


@pytest.mark.parametrize(
    ("charset", "name", "shown"),
    [
        ("ISO_IR 192", "Größe^Ä", "Größe, Ä"),
        ("ISO_IR 100", "Größe^Ä", "Größe, Ä"),
        ("ISO_IR 144", "Иванов^Иван", "Иванов, Иван"),
        ("GB18030", "王^小东", "王, 小东"),
    ],
)
def test_names_are_read_in_their_character_set(tmp_path, charset, name, shown):
    path = a_file(tmp_path, a_dataset(SpecificCharacterSet=charset, PatientName=name))
    assert an_instance(path).patient_name == shown


def test_utf_8_that_nobody_declared_is_read_and_broken_letters_are_marked(tmp_path):
    plain = bytes_of(a_dataset(PatientName="Qqqq^Zz"))
    undeclared = a_file(tmp_path, plain.replace(b"Qqqq^Zz ", "Öö^Té".encode().ljust(8)), "u.dcm")
    assert an_instance(undeclared).patient_name == "Öö, Té"
    declared = bytes_of(a_dataset(PatientName="Qqqq^Zz", SpecificCharacterSet="ISO_IR 192"))
    broken = a_file(tmp_path, declared.replace(b"Qqqq^Zz ", b"\xff\xfe\xc3\x28^\x80Z "), "b.dcm")
    assert "�" in an_instance(broken).patient_name


def test_a_file_without_any_wrapping_opens(tmp_path):
    whole = bytes_of(a_dataset())
    begins = whole.index(b"\x08\x00\x16\x00UI")
    for number, content in enumerate((whole[132:], whole[begins:], whole[128:], b"II*\0" + whole[4:])):
        assert np.array_equal(an_instance(a_file(tmp_path, content, f"{number}.dcm")).rows, 3)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"\0" * 128, "not a DICOM file"),
        (b"\0" * 128 + b"DICM", "ends before its image"),
        (b"<!DOCTYPE html><html>" * 9, "not a DICOM file"),
        (bytes(range(256)) * 9, "not a DICOM file"),
        (bytes_of(a_dataset())[:340], "cut off"),
    ],
)
def test_what_is_no_image_is_refused_with_its_reason(tmp_path, content, reason):
    description = describe(a_file(tmp_path, content, "odd name.dcm"))
    assert not description.ok
    assert description.instance is None
    assert "odd name.dcm" in description.error
    assert reason in description.error
