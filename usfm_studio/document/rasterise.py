"""Shapes to pixels: discs, thick strokes and polygons as runs, and runs painted into a mask.

Pixel centres lie at integers: image point (3.0, 5.0) is the centre of column 3 in row 5. Shapes have sub-pixel
positions; a pixel belongs to a disc or stroke when its centre does (borders included), to a polygon when its centre
is inside by the even-odd rule (left and upper borders included, so that polygons that share an edge share no pixel).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from usfm_studio.document.mask import TILE, Mask, Tile, TileIndex

XY = tuple[float, float]
Box = tuple[int, int, int, int]
"""(x0, y0, x1, y1) in pixels; x1 and y1 exclusive."""
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_SURE_RADIUS = math.sqrt(0.5)  # from here on a disc holds a pixel centre wherever it lies
_COLUMNS = np.arange(TILE)
SPARSE = 3  # runs that fill less than this part of their box are painted pixel by pixel


@dataclass(frozen=True, slots=True)
class Spans:
    """Pixels as runs: row `rows[i]` from column `starts[i]` up to, without, `stops[i]`; ascending by row.

    Runs of one row do not overlap and are not empty.
    """

    rows: Ints
    starts: Ints
    stops: Ints

    @property
    def box(self) -> Box | None:
        """What they lie in, or None when there are none."""
        if not self.rows.size:
            return None
        return int(self.starts.min()), int(self.rows[0]), int(self.stops.max()), int(self.rows[-1]) + 1

    @property
    def area_px(self) -> int:
        """Number of pixels."""
        return int((self.stops - self.starts).sum())

    def clipped(self, shape_rc: tuple[int, int]) -> Spans:
        """The part inside a frame."""
        starts, stops = np.clip(self.starts, 0, shape_rc[1]), np.clip(self.stops, 0, shape_rc[1])
        keep = (self.rows >= 0) & (self.rows < shape_rc[0]) & (stops > starts)
        return Spans(self.rows[keep], starts[keep], stops[keep])

    def to_array(self, shape_rc: tuple[int, int]) -> NDArray[np.bool_]:
        """(rows, columns) True where covered."""
        held = self.clipped(shape_rc)
        return _cover(held.rows, held.starts, held.stops, shape_rc)


@dataclass(frozen=True, slots=True)
class Painted:
    """A mask after painting, and the box that may differ from before (None: nothing does)."""

    mask: Mask
    box: Box | None


def disc(centre_xy: XY, radius: float) -> Spans:
    """The pixels within `radius` of a point, and always the pixel that the point lies in."""
    return stroke(centre_xy, centre_xy, radius)


def stroke(a_xy: XY, b_xy: XY, radius: float) -> Spans:
    """The pixels within `radius` of the line from a to b, and always the pixels that its ends lie in."""
    rows, left, right = _capsule(a_xy, b_xy, radius)
    return _runs(rows, left, right)


def stroke_on(a_xy: XY, b_xy: XY, radius: float) -> Spans:
    """`stroke` without what `disc(a_xy, radius)` covers: what one more step of a brush adds."""
    whole, before = stroke(a_xy, b_xy, radius), disc(a_xy, radius)
    at = np.searchsorted(before.rows, whole.rows)
    known = (at < before.rows.size) & (before.rows[np.minimum(at, before.rows.size - 1)] == whole.rows)
    at = np.minimum(at, before.rows.size - 1)
    gap_from = np.where(known, before.starts[at], whole.stops)
    gap_to = np.where(known, before.stops[at], whole.stops)
    rows = np.concatenate([whole.rows, whole.rows])
    starts = np.concatenate([whole.starts, gap_to])
    stops = np.concatenate([gap_from, whole.stops])
    keep = stops > starts
    order = np.lexsort((starts[keep], rows[keep]))
    return Spans(rows[keep][order], starts[keep][order], stops[keep][order])


def polygon(points_xy: Sequence[XY]) -> Spans:
    """The pixels whose centres lie inside a closed polygon, even-odd; it may cross itself."""
    points = np.asarray(points_xy, np.float64).reshape(-1, 2)
    if len(points) < 3:
        return _NOTHING
    ends = np.roll(points, -1, axis=0)
    downward = (points[:, 1] <= ends[:, 1])[:, None]
    upper, lower = np.where(downward, points, ends), np.where(downward, ends, points)
    first, stop = np.ceil(upper[:, 1]).astype(np.int64), np.ceil(lower[:, 1]).astype(np.int64)
    counts = stop - first
    edge = np.repeat(np.arange(len(points)), counts)
    rows = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + first[edge]
    drop = np.where(counts > 0, lower[:, 1] - upper[:, 1], 1.0)
    slope = (lower[:, 0] - upper[:, 0]) / drop
    crossings = upper[edge, 0] + (rows - upper[edge, 1]) * slope[edge]
    order = np.lexsort((crossings, rows))
    columns = np.ceil(crossings[order]).astype(np.int64)
    starts, stops, rows = columns[::2], columns[1::2], rows[order][::2]
    keep = stops > starts
    return Spans(rows[keep], starts[keep], stops[keep])


def paint_spans(mask: Mask, spans: Spans, value: int, replaces: Collection[int] | None = None) -> Painted:
    """The mask with `value` on these pixels where they hold one of `replaces` (None: whatever they hold).

    Costs what the spans cover; tiles in which nothing changes stay the same objects.
    """
    held = spans.clipped(mask.shape_rc)
    changed: dict[TileIndex, Tile] = {}
    if held.rows.size:
        for tile_row in range(int(held.rows[0]) // TILE, int(held.rows[-1]) // TILE + 1):
            lo, hi = np.searchsorted(held.rows, [tile_row * TILE, (tile_row + 1) * TILE])
            if lo < hi:
                band = Spans(held.rows[lo:hi] - tile_row * TILE, held.starts[lo:hi], held.stops[lo:hi])
                changed.update(_painted_band(mask, tile_row, band, value, replaces))
    if not changed:
        return Painted(mask, None)
    return Painted(mask.with_tiles(changed), held.box)


def _painted_band(
    mask: Mask, tile_row: int, band: Spans, value: int, replaces: Collection[int] | None
) -> dict[TileIndex, Tile]:
    found: dict[TileIndex, Tile] = {}
    for tile_column in range(int(band.starts.min()) // TILE, (int(band.stops.max()) - 1) // TILE + 1):
        left = tile_column * TILE
        starts = np.maximum(band.starts - left, 0)
        stops = np.minimum(band.stops - left, TILE)
        hit = stops > starts
        if hit.any():
            part = Spans(band.rows[hit], starts[hit], stops[hit])
            tile = _painted_tile(mask.tile((tile_row, tile_column)), part, value, replaces)
            if tile is not None:
                found[(tile_row, tile_column)] = tile
    return found


def _painted_tile(tile: Tile, spans: Spans, value: int, replaces: Collection[int] | None) -> Tile | None:
    """The tile with `value` on these pixels of it (all inside), or None where that changes nothing."""
    box = spans.box
    assert box is not None
    x0, y0, x1, y1 = box
    if SPARSE * spans.area_px < (x1 - x0) * (y1 - y0):
        return _painted_thinly(tile, spans, value, replaces)
    old = tile[y0:y1, x0:x1]
    cover = _cover(spans.rows - y0, spans.starts - x0, spans.stops - x0, old.shape)
    cover &= _changing(old, value, replaces)
    if not cover.any():
        return None
    new = tile.copy()
    chosen = np.negative(cover.view(np.uint8))  # 255 where painted: bit operations run faster than a masked copy
    new[y0:y1, x0:x1] = old ^ ((old ^ np.uint8(value)) & chosen)
    new.flags.writeable = False
    return new


def _painted_thinly(tile: Tile, spans: Spans, value: int, replaces: Collection[int] | None) -> Tile | None:
    """The same pixel by pixel: for the rim that a step of a large brush adds."""
    lengths = spans.stops - spans.starts
    before = np.cumsum(lengths) - lengths
    pixels = np.repeat(spans.rows * TILE + spans.starts - before, lengths) + np.arange(int(lengths.sum()))
    changing = pixels[_changing(tile.ravel()[pixels], value, replaces)]
    if not changing.size:
        return None
    new = tile.copy()
    new.ravel()[changing] = value
    new.flags.writeable = False
    return new


def _changing(old: NDArray[np.uint8], value: int, replaces: Collection[int] | None) -> NDArray[np.bool_]:
    """Which of these ids painting would change."""
    changing: NDArray[np.bool_] = old != value
    if replaces is not None:
        free = np.zeros(old.shape, np.bool_)
        for replaced in replaces:
            free |= old == replaced
        changing &= free
    return changing


def _cover(rows: Ints, starts: Ints, stops: Ints, shape_rc: tuple[int, ...]) -> NDArray[np.bool_]:
    if rows.size and (np.diff(rows) > 0).all():  # one run a row: two comparisons do
        columns = np.arange(shape_rc[1]) if shape_rc[1] > TILE else _COLUMNS[: shape_rc[1]]
        runs = (columns >= starts[:, None]) & (columns < stops[:, None])
        if rows.size == shape_rc[0]:
            return runs
        cover = np.zeros(shape_rc, np.bool_)
        cover[rows] = runs
        return cover
    steps = np.zeros((shape_rc[0], shape_rc[1] + 1), np.int32)
    np.add.at(steps, (rows, starts), 1)
    np.add.at(steps, (rows, stops), -1)
    return np.cumsum(steps, axis=1)[:, :-1] > 0


def _capsule(a_xy: XY, b_xy: XY, radius: float) -> tuple[Ints, Floats, Floats]:
    """Rows, and the leftmost and rightmost x of the stroke in each; left > right where it holds no point."""
    (ax, ay), (bx, by) = a_xy, b_xy
    reach = max(radius, _SURE_RADIUS)
    rows = np.arange(math.ceil(min(ay, by) - reach), math.floor(max(ay, by) + reach) + 1)
    left, right = np.full(rows.size, np.inf), np.full(rows.size, -np.inf)
    for x, y in (a_xy, b_xy):
        inside = radius * radius - (rows - y) ** 2
        half = np.sqrt(np.maximum(inside, 0.0))
        np.minimum(left, x - half, out=left, where=inside >= 0)
        np.maximum(right, x + half, out=right, where=inside >= 0)
        if radius < _SURE_RADIUS:
            own = rows == math.floor(y + 0.5)
            pixel = np.full(rows.size, float(math.floor(x + 0.5)))
            np.minimum(left, pixel, out=left, where=own)
            np.maximum(right, pixel, out=right, where=own)
    length = math.hypot(bx - ax, by - ay)
    if length > 0:
        nx, ny = -(by - ay) / length * radius, (bx - ax) / length * radius
        corners = [(ax + nx, ay + ny), (bx + nx, by + ny), (bx - nx, by - ny), (ax - nx, ay - ny)]
        for start, end in zip(corners, corners[1:] + corners[:1], strict=True):
            _widen(rows, left, right, start, end)
    return rows, left, right


def _widen(rows: Ints, left: Floats, right: Floats, a_xy: XY, b_xy: XY) -> None:
    (ax, ay), (bx, by) = (a_xy, b_xy) if a_xy[1] <= b_xy[1] else (b_xy, a_xy)
    if by == ay:
        return  # its ends belong to the edges beside it
    on = (rows >= ay) & (rows <= by)
    x = ax + (rows - ay) * ((bx - ax) / (by - ay))
    np.minimum(left, x, out=left, where=on)
    np.maximum(right, x, out=right, where=on)


def _runs(rows: Ints, left: Floats, right: Floats) -> Spans:
    keep = left <= right
    starts, stops = np.ceil(left[keep]).astype(np.int64), np.floor(right[keep]).astype(np.int64) + 1
    full = stops > starts
    return Spans(rows[keep][full], starts[full], stops[full])


_NONE = np.zeros(0, np.int64)
_NOTHING = Spans(_NONE, _NONE, _NONE)
