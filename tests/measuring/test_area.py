"""Areas and ellipses in physical units, and when they stay in pixels."""

import csv
import math

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usfm_studio.document.calibration import Region
from usfm_studio.document.frame import Instance
from usfm_studio.document.resources import resource
from usfm_studio.imaging.pictures import ids_from_png
from usfm_studio.measuring.area import area, area_mm2
from usfm_studio.measuring.ellipse import ellipse_of, fit_ellipse, head_circumference
from usfm_studio.measuring.scale import Measured, scale_of

BLOCK = np.array([[0, 2, 2, 0, 0], [0, 2, 2, 0, 1], [0, 0, 0, 0, 1]], np.uint8)


def a_region(box, delta=(0.02, 0.03), **more):
    return Region(**{"box": box, "spatial_format": 1, "data_type": 1, "units_xy": (3, 3), "delta_xy": delta, **more})


def an_instance(*regions, rows=3, columns=5, spacing=None):
    return Instance(digest="d", path="p", rows=rows, columns=columns, regions=regions, spacing_mm_xy=spacing)


def test_an_area_takes_both_deltas():
    measured = area_mm2(BLOCK, 2, an_instance(a_region((0, 0, 4, 2))))
    assert measured == Measured(pytest.approx(4 * 0.2 * 0.3), "mm²", "region 1")
    assert area_mm2(BLOCK, 1, an_instance(a_region((0, 0, 4, 2), (-0.02, 0.05)))).value == pytest.approx(2 * 0.2 * 0.5)


def test_pixel_spacing_counts_where_there_is_no_region():
    measured = area_mm2(BLOCK, 2, an_instance(spacing=(0.2, 0.5)))
    assert measured == Measured(pytest.approx(0.4), "mm²", "pixel spacing")


@pytest.mark.parametrize(
    "regions",
    [
        (),
        (a_region((0, 0, 1, 2)),),  # the segment goes on beyond the region
        (a_region((0, 0, 1, 2)), a_region((2, 0, 4, 2), (0.02, 0.031))),  # two panels of unlike scale
        (a_region((0, 0, 4, 2)), a_region((0, 0, 4, 2), (0.04, 0.03))),  # one box, two scales: ambiguous
        (a_region((0, 0, 4, 2), units_xy=(4, 3)),),  # M-mode: time along x
        (a_region((0, 0, 4, 2), spatial_format=3),),
        (a_region((0, 0, 4, 2), (float("nan"), 0.03)),),
        (a_region((0, 0, 4, 2), (0.02, 0.0)),),
    ],
)
def test_without_one_trustworthy_scale_the_unit_is_pixels(regions):
    assert area_mm2(BLOCK, 2, an_instance(*regions)) == Measured(4.0, "px")


def test_a_flow_box_of_the_same_scale_does_not_part_a_segment():
    whole, flow = a_region((0, 0, 4, 2)), a_region((2, 0, 4, 2), data_type=2)
    assert area_mm2(BLOCK, 2, an_instance(whole, flow)) == Measured(pytest.approx(0.24), "mm²", "region 1, region 2")


def test_the_smaller_region_of_high_priority_counts():
    whole, zoom = a_region((0, 0, 4, 2)), a_region((1, 0, 3, 2), (0.01, 0.01))
    assert area_mm2(BLOCK, 2, an_instance(whole, zoom)).value == pytest.approx(4 * 0.01)
    low = a_region((1, 0, 3, 2), (0.01, 0.01), flags=1)
    assert area_mm2(BLOCK, 2, an_instance(whole, low)).value == pytest.approx(0.24)


def test_large_areas_read_in_square_centimetres():
    ids = np.ones((40, 60), np.uint8)
    instance = an_instance(a_region((0, 0, 59, 39), (0.05, 0.04)), rows=40, columns=60)
    assert area(ids, 1, instance) == Measured(pytest.approx(2400 * 0.2 / 100), "cm²", "region 1")
    assert area(BLOCK, 2, an_instance(a_region((0, 0, 4, 2)))).unit == "mm²"
    assert area(ids, 1, an_instance()) == Measured(2400.0, "px")


def test_nothing_marked_is_nothing():
    assert area_mm2(BLOCK, 9, an_instance(a_region((0, 0, 4, 2)))) == Measured(0.0, "px")
    assert scale_of(BLOCK == 9, an_instance(spacing=(1.0, 1.0))) is None
    assert head_circumference(BLOCK, 9, an_instance()) is None
    assert fit_ellipse(BLOCK == 1) is None


def drawn(shape, centre, axes, angle, per_px):
    y, x = np.mgrid[: shape[0], : shape[1]]
    dx, dy = x * per_px[0] - centre[0], y * per_px[1] - centre[1]
    u, v = dx * math.cos(angle) + dy * math.sin(angle), -dx * math.sin(angle) + dy * math.cos(angle)
    return (u / axes[0]) ** 2 + (v / axes[1]) ** 2 <= 1


@settings(max_examples=60, deadline=None)
@given(st.floats(15, 30), st.floats(0.5, 0.95), st.floats(0, math.pi), st.floats(0.5, 1.0), st.floats(-3, 3))
def test_an_ellipse_is_found_in_physical_units(major, ratio, angle, squeeze, shift):
    per_px = (0.5, 0.5 * squeeze)
    centre = (40 + shift, 40 - shift)
    area = drawn((int(80 / per_px[1]), 160), centre, (major, major * ratio), angle, per_px)
    found = fit_ellipse(area, per_px)
    assert found.semi_major == pytest.approx(major, rel=0.02)
    assert found.semi_minor == pytest.approx(major * ratio, rel=0.02)
    assert found.centre_xy == pytest.approx(centre, abs=0.3)
    if ratio < 0.85:
        assert abs((found.angle - angle + math.pi / 2) % math.pi - math.pi / 2) < 0.06


def test_specks_and_holes_do_not_move_the_ellipse_and_the_rim_is_no_outline():
    whole = drawn((100, 140), (70, 50), (40, 30), 0.3, (1, 1))
    spoilt = whole.copy()
    spoilt[45:55, 65:75] = False
    spoilt[:3, :3] = True
    assert fit_ellipse(spoilt) == fit_ellipse(whole)
    cut = fit_ellipse(whole[:, :95])
    assert cut.semi_major == pytest.approx(40, rel=0.03)
    assert cut.centre_xy == pytest.approx((70, 50), abs=1)


def test_a_circle_has_the_circumference_of_a_circle():
    circle = drawn((80, 80), (40, 40), (30, 30), 0, (1, 1)).astype(np.uint8)
    measured = head_circumference(circle, 1, an_instance(spacing=(0.5, 0.5), rows=80, columns=80))
    assert measured == Measured(pytest.approx(math.pi * 30, rel=0.003), "mm", "pixel spacing")
    assert ellipse_of(circle, 1, an_instance(rows=80, columns=80))[1:] == ("px", "")


def test_the_heads_of_the_sample_have_the_circumference_that_sonographers_gave():
    with resource("sample", "reference", "circumference.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    ratios = []
    for row in rows:
        ds = pydicom.dcmread(resource("sample", "dicom", "fetal_head", row["file"]), stop_before_pixels=True)
        ids = ids_from_png(resource("sample", "reference", row["file"].replace(".dcm", ".png")).read_bytes())
        state = ds.SequenceOfUltrasoundRegions[0]
        region = a_region((0, 0, ds.Columns - 1, ds.Rows - 1), (state.PhysicalDeltaX, state.PhysicalDeltaY))
        measured = head_circumference(ids, 1, an_instance(region, rows=ds.Rows, columns=ds.Columns))
        assert measured.unit == "mm"
        ratios.append(measured.value / float(row["hc_mm"]))
    # the masks hold the line that was drawn, too: about half a pixel all around
    assert np.min(ratios) > 0.995
    assert np.max(ratios) < 1.015
