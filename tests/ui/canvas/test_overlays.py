"""Outlines, rims, tags and texts look as the house's pictures say."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, QRectF
from PySide6.QtGui import QColor

from tests.ui.canvas.conftest import STYLES, Mouse, a_frame, greys
from usfm_studio.document.frame import FrameId
from usfm_studio.document.mask import Mask
from usfm_studio.document.rasterise import disc, paint_spans, polygon
from usfm_studio.ui.canvas import compose, texts
from usfm_studio.ui.canvas.coordinates import Placement
from usfm_studio.ui.canvas.picture import WindowLevel
from usfm_studio.ui.canvas.styles import Overlay
from usfm_studio.ui.canvas.texts import CornerTexts
from usfm_studio.ui.shell.theme import apply_theme, set_motion

SHAPE = (240, 320)
WHITE = np.full(SHAPE, 200, np.uint8)


def a_box(value, x0=80, y0=60, x1=240, y1=180):
    """A mask with a rectangle of pixels."""
    ids = np.zeros(SHAPE, np.uint8)
    ids[y0:y1, x0:x1] = value
    return Mask.from_array(ids)


def rgb(image):
    """(rows, columns, 3) int of a grabbed image."""
    image = image.convertToFormat(image.Format.Format_RGB888)
    rows = np.array(image.constBits()).reshape(image.height(), image.bytesPerLine())
    return rows[:, : image.width() * 3].reshape(image.height(), image.width(), 3).astype(int)


def near(pixels, colour, within=40):
    """Where pixels have about this colour."""
    wanted = QColor(colour)
    return np.abs(pixels - (wanted.red(), wanted.green(), wanted.blue())).max(axis=-1) <= within


def across(canvas, x=160.0, y=60.0):
    """Colours along a line down through the upper edge of the box, a pixel each, from 8 px above it."""
    canvas.set_texts_visible(False)
    at = canvas.image_to_view((x, y - 0.5))
    pixels = rgb(canvas.grab().toImage())
    column, row = round(at.x()), round(at.y())
    return pixels[row - 8 : row + 40, column]


def test_an_accepted_outline_is_two_pixels_of_colour_between_black(make_canvas):
    canvas = make_canvas(WHITE, accepted=a_box(1))
    line = across(canvas)
    coloured, black = near(line, "#56B4E9", 60), line.max(axis=1) < 90
    assert 1 <= coloured[4:12].sum() <= 3
    first = int(np.flatnonzero(coloured[4:12])[0]) + 4
    assert black[first - 1] or black[first - 2]
    after = first + int(coloured[first:12].sum())
    assert line[after].max() < 160 or line[after + 1].max() < 160
    assert (line[:4] == 200).all()


def test_high_contrast_outlines_are_three_pixels(make_canvas, themed):
    widths = {}
    for name in ("reading-room", "high-contrast"):
        apply_theme(themed, name)
        canvas = make_canvas(WHITE, accepted=a_box(1))
        canvas.set_overlay(Overlay.OUTLINES)
        line = across(canvas)
        widths[name] = (line[:, 2] - line[:, 0]).sum() / (0xE9 - 0x56)  # blue over red: the colour's share
    apply_theme(themed)
    assert widths["reading-room"] == pytest.approx(2.0, abs=0.15)
    assert widths["high-contrast"] == pytest.approx(3.0, abs=0.15)


def test_a_proposed_outline_is_dashed_eight_on_five_off(make_canvas):
    canvas = make_canvas(WHITE, proposed=a_box(1), confidences={1: 0.9})
    canvas.set_texts_visible(False)
    canvas.set_overlay(Overlay.OUTLINES)
    edge = canvas.image_to_view((160.0, 179.5)).y()
    pixels = rgb(canvas.grab().toImage())
    left, right = round(canvas.image_to_view((95.0, 0)).x()), round(canvas.image_to_view((225.0, 0)).x())
    rows = range(round(edge) - 2, round(edge) + 2)
    row = max(rows, key=lambda r: near(pixels[r, left:right], "#56B4E9", 60).sum())
    on = near(pixels[row, left:right], "#56B4E9", 60)
    changes = np.flatnonzero(np.diff(on.astype(int)))
    periods = np.diff(changes[::2])
    assert len(periods) > 10
    assert abs(periods.mean() - 13) < 0.5
    assert abs(on[changes[0] + 1 : changes[-1] + 1].mean() - 8 / 13) < 0.12
    off = pixels[row, left:right][~on]
    assert np.median(off.max(axis=1)) < 120  # the halo goes on through the gaps


def test_an_accepted_outline_has_no_gaps(make_canvas):
    canvas = make_canvas(WHITE, accepted=a_box(1))
    canvas.set_texts_visible(False)
    canvas.set_overlay(Overlay.OUTLINES)
    edge = canvas.image_to_view((160.0, 179.5)).y()
    pixels = rgb(canvas.grab().toImage())
    left, right = round(canvas.image_to_view((95.0, 0)).x()), round(canvas.image_to_view((225.0, 0)).x())
    rows = pixels[round(edge) - 2 : round(edge) + 2, left:right]
    assert near(rows, "#56B4E9", 60).any(axis=0).all()


def test_the_middle_of_a_segment_is_never_tinted(make_canvas):
    canvas = make_canvas(WHITE, accepted=a_box(1), proposed=a_box(2), confidences={2: 0.9})
    canvas.set_texts_visible(False)
    pixels = rgb(canvas.grab().toImage())
    at = canvas.image_to_view((160.0, 120.0)).toPoint()
    assert (pixels[at.y() - 40 : at.y() + 40, at.x() - 60 : at.x() + 60] == 200).all()


def test_the_rim_fades_inward(make_canvas):
    line = across(make_canvas(WHITE, accepted=a_box(1)))
    tint = 200 - line[13:40, 0]  # the segment's colour has little red
    assert tint[0] > 20
    assert (np.diff(tint) <= 1).all()
    assert tint[-1] == 0


def test_a_rim_is_34_per_cent_at_the_edge_and_gone_at_its_width():
    inside = np.zeros((60, 80), np.uint8)
    inside[20:, :] = 255
    alpha = compose.rim(inside, 20.0, 0x56B4E9)[:, 40] >> 24
    depth = np.arange(40) + 0.5
    wanted = 255 * compose.STRENGTH * np.clip(1 - depth / 20, 0, 1) ** compose.EXPONENT
    assert (alpha[:20] == 0).all()
    assert np.abs(alpha[20:].astype(float) - wanted).max() < 6


def test_rims_are_wider_in_large_segments():
    assert compose.rim_width(20**2) == compose.NARROWEST
    assert compose.rim_width(500**2) == compose.WIDEST
    assert compose.NARROWEST < compose.rim_width(200**2) < compose.WIDEST


def test_proposed_rims_are_striped_every_eight_pixels():
    stripes = compose.hatch((40, 80), (3.0, 5.0), 1.0)
    assert np.allclose(stripes[:, 8:], stripes[:, :-8])
    assert np.allclose(stripes[1:, :-1], stripes[:-1, 1:])  # they rise to the right
    assert 0.1 < stripes.mean() < 0.4


def test_stripes_move_with_the_image():
    whole = compose.hatch((40, 80), (0.0, 0.0), 2.0)
    assert np.allclose(whole[10:, 6:], compose.hatch((30, 74), (3.0, 5.0), 2.0))


def test_hidden_segments_are_not_drawn(make_canvas):
    canvas = make_canvas(WHITE, accepted=a_box(1))
    canvas.set_texts_visible(False)
    canvas.set_masks(a_box(1), None, {1: replace(STYLES[1], visible=False)})
    assert (greys(canvas.grab().toImage()) == 200).sum() > 250_000
    pixels = rgb(canvas.grab().toImage())
    assert not near(pixels, "#56B4E9", 40).any()


@pytest.mark.parametrize(("overlay", "coloured"), [(Overlay.NONE, False), (Overlay.OUTLINES, True)])
def test_overlays_can_be_outlines_or_nothing(make_canvas, overlay, coloured):
    canvas = make_canvas(WHITE, accepted=a_box(1))
    canvas.set_texts_visible(False)
    canvas.set_overlay(overlay)
    pixels = rgb(canvas.grab().toImage())
    assert near(pixels, "#56B4E9", 40).any() == coloured
    at = canvas.image_to_view((160.0, 66.0)).toPoint()
    assert (pixels[at.y(), at.x()] == 200).all()


def test_peeking_shows_thin_lines_even_where_overlays_are_off(make_canvas):
    canvas = make_canvas(WHITE, accepted=a_box(1))
    full = near(across(canvas)[4:12], "#56B4E9", 90).sum()
    canvas.set_overlay(Overlay.NONE)
    canvas.set_peek(True)
    line = across(canvas)
    assert 1 <= near(line[4:12], "#56B4E9", 90).sum() < full
    assert line.max(axis=1).min() > 150  # no halo
    canvas.set_peek(False)
    assert (across(canvas) == 200).all()


def test_opacity_weakens_all_overlays(make_canvas):
    canvas = make_canvas(WHITE, accepted=a_box(1))
    strong = across(canvas).min()
    canvas.set_opacity(0.3)
    assert across(canvas).min() > strong + 60


def test_a_new_proposal_fades_in_and_those_of_another_frame_are_there_at_once(make_canvas, qtbot):
    canvas = make_canvas(WHITE)
    set_motion(True)
    shares = []
    canvas.set_masks(Mask.empty(SHAPE), a_box(1), STYLES, {1: 0.9})
    shares.append(canvas._stage.arrival)
    qtbot.waitUntil(lambda: canvas._stage.arrival == 1.0, timeout=5000)
    assert shares[0] < 1.0
    canvas.show_frame(WHITE, FrameId("e" * 64, 0))
    canvas.set_masks(Mask.empty(SHAPE), a_box(1, 40), STYLES, {1: 0.9})
    assert canvas._stage.arrival == 1.0


class TestTags:
    def tags(self, canvas):
        canvas.grab()
        return {(t.of.value, t.of.proposed): t for t in canvas._stage.furniture.tags}

    def test_a_proposal_has_its_name_and_confidence_and_what_is_accepted_its_number(self, make_canvas):
        canvas = make_canvas(accepted=a_box(2, 20, 20, 60, 60), proposed=a_box(1), confidences={1: 0.94})
        found = self.tags(canvas)
        assert found[(1, True)].of.texts == ("Fetal head", "0.94")
        assert found[(2, False)].of.texts == ("", "")

    def test_a_selected_segment_shows_its_name_and_handles(self, make_canvas):
        canvas = make_canvas()
        canvas.set_masks(a_box(2), None, {2: replace(STYLES[2], selected=True)})
        assert self.tags(canvas)[(2, False)].of.texts == ("Choroid plexus", "")
        assert len(canvas._stage.furniture.handles) == 8

    def test_a_tag_shows_its_name_under_the_pointer(self, make_canvas):
        canvas = make_canvas(accepted=a_box(2))
        box = self.tags(canvas)[(2, False)].box
        Mouse(canvas).move(box.center().toPoint())
        assert self.tags(canvas)[(2, False)].of.texts == ("Choroid plexus", "")
        Mouse(canvas).move(QPoint(3, 3))
        assert self.tags(canvas)[(2, False)].of.texts == ("", "")

    def test_tags_hang_on_the_outline_and_do_not_cover_each_other(self, make_canvas):
        mask = Mask.empty(SHAPE)
        for value, (x, y) in enumerate(((100, 80), (115, 95), (130, 110), (100, 115)), 1):
            mask = paint_spans(mask, disc((float(x), float(y)), 9), value).mask
        canvas = make_canvas(accepted=mask)
        found = list(self.tags(canvas).values())
        assert len(found) == 4
        for tag in found:
            x, y = canvas.view_to_image(tag.anchor)
            ids = mask.to_array()[round(y) - 2 : round(y) + 3, round(x) - 2 : round(x) + 3]
            assert tag.of.value in ids
            assert QRectF(canvas.rect()).contains(tag.box)
        for i, tag in enumerate(found):
            assert not any(tag.box.intersects(other.box) for other in found[i + 1 :])

    def test_numbers_are_repeated_from_four_segments_on(self, make_canvas):
        three, four = Mask.empty(SHAPE), Mask.empty(SHAPE)
        for value, x in enumerate((50, 120, 190, 260), 1):
            spans = disc((float(x), 120.0), 33)
            four = paint_spans(four, spans, value).mask
            if value < 4:
                three = paint_spans(three, spans, value).mask
        canvas = make_canvas(accepted=three)
        canvas.grab()
        assert canvas._stage.furniture.repeats == ()
        canvas = make_canvas(accepted=four)
        canvas.grab()
        assert {value for _, value, _ in canvas._stage.furniture.repeats} == {1, 2, 3, 4}

    def test_tags_stay_where_they_are_during_a_stroke(self, make_canvas, themed):
        from usfm_studio.ui.tools.brush import Brush

        canvas = make_canvas(accepted=a_box(2))
        canvas.set_tool(Brush())
        canvas.set_segment(2, "Choroid plexus")
        before = self.tags(canvas)[(2, False)]
        mouse = Mouse(canvas)
        mouse.press(QPoint(500, 250))
        mouse.move(QPoint(640, 250))
        themed.processEvents()
        assert self.tags(canvas)[(2, False)] is before
        mouse.release(QPoint(640, 250))
        themed.processEvents()
        assert self.tags(canvas)[(2, False)].anchor != before.anchor


class TestTexts:
    def test_corners_say_what_they_are_told_and_window_level_and_zoom(self, make_canvas):
        canvas = make_canvas(size=(640, 480))
        canvas.set_texts(CornerTexts(identity="SAMPLE^ONE · 0412", calibration="not calibrated"))
        canvas.grab()
        said = [line.text for plate in canvas._stage.furniture.plates for line in plate.lines]
        assert said == ["SAMPLE^ONE · 0412", "W 255  L 128 · 200 %", "not calibrated"]

    def test_they_can_be_switched_off(self, make_canvas):
        canvas = make_canvas()
        canvas.set_texts_visible(False)
        canvas.grab()
        assert canvas._stage.furniture.plates == ()

    def test_the_depth_scale_has_centimetres(self):
        ticks = texts.depth_ticks(Placement(scale=1.84375), 0.21, 0.0, 346, 672.0)
        assert [t.label for t in ticks] == ["", "", "", "", "5 cm", "", ""]
        assert ticks[1].y - ticks[0].y == pytest.approx(10 / 0.21 * 1.84375)

    def test_close_up_the_depth_scale_gets_finer(self):
        ticks = texts.depth_ticks(Placement(scale=2.2), 0.085, 0.0, 300, 672.0)
        assert [t.label for t in ticks] == ["", "1 cm", "", "2", ""]

    @pytest.mark.parametrize("scale", [0.05, 0.3, 1.0, 4.0, 30.0])
    def test_marks_never_crowd(self, scale):
        ticks = texts.depth_ticks(Placement(scale=scale), 0.1, 0.0, 2000, 5000.0)
        assert all(b.y - a.y >= 47 for a, b in pairwise(ticks))


class TestPicture:
    def test_window_and_level_are_applied(self, make_canvas):
        canvas = make_canvas(np.full(SHAPE, 100, np.uint8))
        canvas.set_texts_visible(False)
        for shown, grey in ((WindowLevel(window=100, level=100), 128), (WindowLevel(window=20, level=50), 255)):
            canvas.levels.set_window(shown)
            assert greys(canvas.grab().toImage())[250, 350] == grey

    def test_twelve_bit_pixels_show_their_whole_range(self, make_canvas):
        canvas = make_canvas()
        pixels = np.full(SHAPE, 4095, np.uint16)
        pixels[:, :160] = 2048
        canvas.show_frame(pixels, FrameId("c" * 64, 0), bits=12)
        canvas.set_texts_visible(False)
        shown = greys(canvas.grab().toImage())
        assert shown[250, 500] == 255
        assert shown[250, 200] == 128

    def test_colours_are_shown_as_they_are(self, make_canvas):
        pixels = np.zeros((*SHAPE, 3), np.uint8)
        pixels[:] = (200, 30, 90)
        canvas = make_canvas(pixels)
        canvas.set_texts_visible(False)
        assert rgb(canvas.grab().toImage())[250, 350].tolist() == [200, 30, 90]

    def test_window_and_level_stay_within_a_loop_and_not_beyond(self, make_canvas):
        canvas = make_canvas(key=FrameId("a" * 64, 0))
        canvas.levels.set_window(WindowLevel(window=80, level=60))
        canvas.show_frame(a_frame(seed=3), FrameId("a" * 64, 1))
        assert canvas.levels.window.window == 80
        canvas.show_frame(a_frame(seed=3), FrameId("d" * 64, 0))
        assert canvas.levels.window == WindowLevel()

    def test_auto_window_spreads_the_values_that_occur(self, make_canvas):
        canvas = make_canvas(a_frame())
        canvas.auto_window_level()
        assert 35 <= canvas.levels.window.window <= 42
        assert canvas.levels.window.level == pytest.approx(39.5, abs=2)

    def test_inverted_black_is_white(self, make_canvas):
        canvas = make_canvas(np.zeros(SHAPE, np.uint8))
        canvas.set_texts_visible(False)
        canvas.levels.set_inverted(True)
        assert greys(canvas.grab().toImage())[250, 350] == 255

    def test_a_large_picture_made_small_is_averaged_and_not_picked(self, make_canvas):
        pixels = np.zeros((2400, 3200), np.uint8)
        pixels[::2] = 255
        canvas = make_canvas(pixels, size=(320, 240))
        canvas.set_texts_visible(False)
        shown = greys(canvas.grab().toImage())[20:-20, 20:-20]
        assert abs(int(shown.min()) - 128) < 8
        assert abs(int(shown.max()) - 128) < 8

    def test_without_a_frame_the_canvas_is_dark_and_tools_do_nothing(self, make_canvas):
        from usfm_studio.ui.tools.brush import Brush

        canvas = make_canvas()
        canvas.show_frame(None, None)
        canvas.set_tool(Brush())
        Mouse(canvas).drag(QPoint(100, 100), QPoint(150, 150))
        assert len(np.unique(greys(canvas.grab().toImage()))) == 1


def test_a_mask_shows_where_its_pixels_are(make_canvas):
    """The outline encloses on the screen what the mask holds."""
    mask = paint_spans(Mask.empty(SHAPE), polygon([(60, 50), (250, 80), (200, 200)]), 1).mask
    canvas = make_canvas(np.zeros(SHAPE, np.uint8), accepted=mask)
    canvas.set_texts_visible(False)
    canvas.set_overlay(Overlay.OUTLINES)
    drawn = np.argwhere(near(rgb(canvas.grab().toImage()), "#56B4E9", 40))
    ids = mask.to_array()
    for row, column in drawn[:: max(1, len(drawn) // 400)]:
        x, y = canvas.view_to_image(QPointF(column + 0.5, row + 0.5))
        part = ids[max(0, round(y) - 1) : round(y) + 2, max(0, round(x) - 1) : round(x) + 2]
        tag = any(t.bounds.contains(QPointF(column, row)) for t in canvas._stage.furniture.tags)
        assert tag or (part.any() and not part.all())


def test_moving_the_image_shows_the_same_as_drawing_it_there(make_canvas, themed):
    mask = paint_spans(Mask.empty(SHAPE), polygon([(60, 50), (250, 80), (200, 200)]), 1).mask
    pictures = []
    for steps in (1, 7):
        canvas = make_canvas(a_frame(), accepted=mask, proposed=a_box(2), confidences={2: 0.9})
        canvas.set_texts_visible(False)
        canvas.zoom_by(1.9, QPointF(350, 250))
        canvas.grab()
        for _ in range(steps):
            canvas.pan_by(QPointF(-70 / steps, 35 / steps))
            canvas.grab()
        pictures.append(greys(canvas.grab().toImage()).astype(int))
    assert (np.abs(pictures[0] - pictures[1]) > 24).mean() < 0.001
    canvas = make_canvas(a_frame(), accepted=mask, proposed=a_box(2), confidences={2: 0.9})
    canvas.set_texts_visible(False)
    canvas.zoom_by(1.9, QPointF(350, 250))
    canvas.pan_by(QPointF(-70, 35))  # never drawn before
    fresh = greys(canvas.grab().toImage()).astype(int)
    assert (np.abs(fresh - pictures[1]) > 24).mean() < 0.001
