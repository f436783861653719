"""Which scale counts at a point (PS3.3 C.8.5.5)."""

import pytest

from usfm_studio.document.calibration import Region, Unit, region_at, scale_at

CM = (int(Unit.CM), int(Unit.CM))


def tissue(box=(0, 0, 99, 49), delta=(0.02, 0.03), flags=0, **more):
    return Region(box=box, spatial_format=1, data_type=1, units_xy=CM, delta_xy=delta, flags=flags, **more)


def test_unlike_deltas_measure_along_their_own_axis():
    scale = scale_at((tissue(),), None, 10, 10)
    assert scale.mm_per_px_xy == pytest.approx((0.2, 0.3))


@pytest.mark.parametrize(
    "region",
    [
        tissue(delta=(0.0, 0.03)),
        tissue(delta=(float("nan"), 0.03)),
        tissue(delta=(1e-12, 0.03)),
        tissue(delta=(0.3, 0.3)),
        tissue(box=(5, 0, 5, 49)),
        Region(box=(0, 0, 99, 49), spatial_format=2, units_xy=(4, 3), delta_xy=(0.02, 0.02)),
        Region(box=(0, 0, 99, 49), spatial_format=1, units_xy=(3, 4), delta_xy=(0.02, 0.02)),
    ],
)
def test_a_region_that_cannot_be_trusted_gives_no_length(region):
    assert region_at((region,), 5, 10) is None
    assert scale_at((region,), None, 5, 10) is None


def test_a_mirrored_probe_gives_the_same_length():
    assert scale_at((tissue(delta=(-0.02, 0.03)),), None, 1, 1).mm_per_px_xy == pytest.approx((0.2, 0.3))


def test_the_smallest_region_of_high_priority_counts():
    wide, inset = tissue(), tissue(box=(10, 10, 20, 20), delta=(0.01, 0.01))
    assert region_at((wide, inset), 15, 15) == (2, inset)
    assert region_at((wide, inset), 50, 15) == (1, wide)
    low = tissue(box=(10, 10, 20, 20), delta=(0.01, 0.01), flags=1)
    assert region_at((wide, low), 15, 15) == (1, wide)


def test_equal_boxes_with_other_scales_are_ambiguous():
    assert region_at((tissue(), tissue(delta=(0.04, 0.06))), 5, 5) is None
    assert region_at((tissue(), tissue()), 5, 5) is not None


def test_pixel_spacing_counts_only_without_regions():
    assert scale_at((), (0.5, 0.4), 1, 1).source == "pixel spacing"
    assert scale_at((tissue(box=(50, 0, 60, 10)),), (0.5, 0.4), 1, 1) is None
