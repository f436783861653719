"""What is painted lies under the pointer to the pixel, with a real mouse on a real widget."""

import os
import subprocess
import sys

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtTest import QTest

from tests.ui.canvas.conftest import Mouse, a_frame, greys, pointed
from usfm_studio.document.frame import FrameId
from usfm_studio.document.mask import Mask
from usfm_studio.document.rasterise import disc, paint_spans, polygon, stroke
from usfm_studio.ui.tools.brush import Brush
from usfm_studio.ui.tools.eraser import ERASER
from usfm_studio.ui.tools.lasso import Lasso
from usfm_studio.ui.tools.polygon import Polygon
from usfm_studio.ui.tools.select import Select


def collect(canvas):
    """Commits as they come; each is applied as the session would."""
    commits = []

    def taken(commit):
        commits.append(commit)
        canvas.update_tiles(commit.edit.after.keys(), commit.mask)

    canvas.commits.connect(taken)
    return commits


PLACES = {
    "fitted": lambda canvas: None,
    "one to one": lambda canvas: canvas.zoom_to_pixels(),
    "zoomed and moved": lambda canvas: (
        canvas.zoom_by(2.7, QPointF(200, 180)),
        canvas.pan_by(QPointF(-53.4, 31.7)),
    ),
    "pixels showing": lambda canvas: canvas.zoom_by(7.0, QPointF(350, 250)),
    "far away": lambda canvas: canvas.zoom_by(0.3, QPointF(350, 250)),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("size", [1, 3, 12.5])
def test_a_stroke_lies_under_the_pointer_to_the_pixel(make_canvas, place, size):
    canvas = make_canvas()
    PLACES[place](canvas)
    canvas.set_tool(Brush())
    canvas.set_segment(1, "Fetal head")
    canvas.set_brush_size(size)
    commits = collect(canvas)
    a, b = QPoint(331, 222), QPoint(372, 261)
    Mouse(canvas).drag(a, b)
    start, stop = pointed(canvas, a), pointed(canvas, b)
    wanted = stroke(start, stop, size / 2).to_array((240, 320))
    assert wanted.any()
    assert np.array_equal(commits[0].mask.to_array(), wanted.astype(np.uint8))
    column, row = int(np.floor(stop[0] + 0.5)), int(np.floor(stop[1] + 0.5))
    assert commits[0].mask.to_array()[row, column] == 1


def test_the_pixel_that_shows_under_the_pointer_is_the_one_painted(make_canvas):
    pixels = a_frame()
    pixels[:] = 0
    pixels[117, 153] = 255
    canvas = make_canvas(pixels)
    mouse = Mouse(canvas)
    canvas.zoom_by(7.0, QPointF(350, 250))
    bright = np.argwhere(greys(canvas.grab().toImage()) > 200)
    assert len(bright)
    canvas.set_tool(Brush())
    canvas.set_segment(1, "Fetal head")
    canvas.set_brush_size(1)
    commits = collect(canvas)
    for row, column in (bright.min(axis=0), bright.max(axis=0), np.median(bright, axis=0).astype(int)):
        mouse.click(QPoint(int(column), int(row)))
        assert np.argwhere(commits[-1].mask.to_array()).tolist() == [[117, 153]]
    assert len(commits) == 1  # the second and third click changed nothing


def test_pixels_that_are_not_square_are_painted_where_they_show(make_canvas):
    canvas = make_canvas()
    canvas.show_frame(a_frame(), FrameId("b" * 64, 0), pixel_aspect=1.6)
    canvas.set_tool(Brush())
    canvas.set_segment(1, "Fetal head")
    commits = collect(canvas)
    Mouse(canvas).drag(QPoint(300, 200))
    centre = pointed(canvas, QPoint(300, 200))
    assert np.array_equal(commits[0].mask.to_array() == 1, disc(centre, 10).to_array((240, 320)))
    sx, sy = canvas.placement.scale_xy
    assert sx == pytest.approx(1.6 * sy)


def test_ctrl_erases_and_the_eraser_erases(make_canvas):
    mask = paint_spans(Mask.empty((240, 320)), disc((160.0, 120.0), 60), 1).mask
    for tool, modifier in ((Brush(), Qt.KeyboardModifier.ControlModifier), (ERASER, Qt.KeyboardModifier.NoModifier)):
        canvas = make_canvas(accepted=mask)
        canvas.set_tool(tool)
        canvas.set_segment(1, "Fetal head")
        commits = collect(canvas)
        Mouse(canvas).drag(QPoint(340, 250), QPoint(360, 255), modifier=modifier)
        assert commits[0].edit.name == "Eraser, Fetal head"
        assert commits[0].mask.area_px(1) < mask.area_px(1)


def test_a_proposed_segment_is_taken_over_by_the_first_stroke(make_canvas):
    proposed = paint_spans(Mask.empty((240, 320)), disc((160.0, 120.0), 60), 1).mask
    canvas = make_canvas(proposed=proposed)
    canvas.set_tool(Brush())
    canvas.set_segment(1, "Fetal head")
    commits = collect(canvas)
    at = canvas.image_to_view((225.0, 120.0)).toPoint()
    Mouse(canvas).drag(at, at + QPoint(10, 0))
    assert commits[0].edit.name == "Edit proposal, Fetal head"
    assert commits[0].adopted == 1
    assert commits[0].mask.area_px(1) > proposed.area_px(1)


def test_a_polygon_is_clicked_and_closed_by_enter(make_canvas):
    canvas = make_canvas()
    mouse = Mouse(canvas)
    canvas.set_tool(Polygon())
    canvas.set_segment(2, "Choroid plexus")
    commits = collect(canvas)
    corners = [QPoint(200, 100), QPoint(420, 130), QPoint(380, 300), QPoint(180, 260)]
    for corner in corners:
        mouse.click(corner)
    assert canvas.gesture_active
    QTest.keyClick(canvas, Qt.Key.Key_Return)
    wanted = polygon([pointed(canvas, c) for c in corners]).to_array((240, 320))
    assert np.array_equal(commits[0].mask.to_array() == 2, wanted)
    assert not canvas.gesture_active


def test_a_double_click_closes_a_polygon(make_canvas):
    canvas = make_canvas()
    mouse = Mouse(canvas)
    canvas.set_tool(Polygon())
    canvas.set_segment(2, "Choroid plexus")
    commits = collect(canvas)
    for corner in (QPoint(200, 100), QPoint(420, 130), QPoint(380, 300)):
        mouse.click(corner)
    mouse.press(QPoint(380, 300), double=True)
    assert [c.edit.name for c in commits] == ["Polygon, Choroid plexus"]


def test_a_lasso_closes_on_release(make_canvas):
    canvas = make_canvas()
    canvas.set_tool(Lasso())
    canvas.set_segment(2, "Choroid plexus")
    commits = collect(canvas)
    Mouse(canvas).drag(QPoint(200, 100), QPoint(420, 130), QPoint(380, 300))
    assert commits[0].mask.area_px(2) > 1000


def test_escape_forgets_a_stroke_and_the_canvas_shows_that(make_canvas, themed):
    canvas = make_canvas()
    mouse = Mouse(canvas)
    canvas.set_tool(Brush())
    canvas.set_segment(1, "Fetal head")
    mouse.move(QPoint(5, 5))
    themed.processEvents()
    before = canvas.grab().toImage()
    commits = collect(canvas)
    mouse.press(QPoint(300, 200))
    mouse.move(QPoint(400, 250))
    QTest.keyClick(canvas, Qt.Key.Key_Escape)
    mouse.release(QPoint(400, 250))
    mouse.move(QPoint(5, 5))
    themed.processEvents()
    assert commits == []
    assert canvas.grab().toImage() == before


def test_another_frame_during_a_stroke_ends_it_on_its_own_frame(make_canvas):
    canvas = make_canvas(key=FrameId("a" * 64, 4))
    mouse = Mouse(canvas)
    canvas.set_tool(Brush())
    canvas.set_segment(1, "Fetal head")
    commits = collect(canvas)
    mouse.press(QPoint(300, 200))
    mouse.move(QPoint(350, 250))
    canvas.show_frame(a_frame(seed=2), FrameId("a" * 64, 5))
    mouse.release(QPoint(350, 250))
    assert [c.edit.frame.index for c in commits] == [4]


def test_another_frame_does_not_show_the_last_ones_mask(make_canvas):
    mask = paint_spans(Mask.empty((240, 320)), disc((160.0, 120.0), 60), 1).mask
    canvas = make_canvas(accepted=mask, key=FrameId("a" * 64, 4))
    canvas.set_tool(Brush())
    canvas.set_segment(2, "Choroid plexus")
    commits = collect(canvas)
    canvas.show_frame(a_frame(seed=2), FrameId("a" * 64, 5))
    Mouse(canvas).drag(QPoint(300, 200), QPoint(310, 200))
    assert commits[0].mask.area_px(1) == 0


def test_losing_the_focus_during_a_stroke_forgets_it(make_canvas):
    canvas = make_canvas()
    mouse = Mouse(canvas)
    canvas.set_tool(Brush())
    canvas.set_segment(1, "Fetal head")
    commits = collect(canvas)
    mouse.press(QPoint(300, 200))
    canvas.clearFocus()
    mouse.release(QPoint(300, 200))
    assert commits == []


def test_undo_shows_the_mask_as_it_was(make_canvas, themed):
    canvas = make_canvas()
    mouse = Mouse(canvas)
    canvas.set_tool(Brush())
    canvas.set_segment(1, "Fetal head")
    mouse.move(QPoint(5, 5))
    themed.processEvents()
    before = canvas.grab().toImage()
    commits = collect(canvas)
    Mouse(canvas).drag(QPoint(300, 200), QPoint(350, 250))
    mouse.move(QPoint(5, 5))
    themed.processEvents()
    assert canvas.grab().toImage() != before
    edit = commits[0].edit.inverse()
    canvas.update_tiles(edit.after.keys(), commits[0].mask.with_tiles(edit.after))
    themed.processEvents()
    assert canvas.grab().toImage() == before


def test_drawing_step_by_step_shows_what_drawing_at_once_does(make_canvas, themed):
    """The parts redrawn during strokes join without a seam."""
    canvas = make_canvas(accepted=paint_spans(Mask.empty((240, 320)), disc((160.0, 120.0), 70), 2).mask)
    mouse = Mouse(canvas)
    canvas.set_tool(Brush())
    canvas.set_segment(1, "Fetal head")
    canvas.set_painting(overwrite=True, pressure_sizes=False)
    commits = collect(canvas)
    points = [QPoint(200 + 9 * i, 200 + round(60 * np.sin(i / 4))) for i in range(30)]
    mouse.press(points[0])
    for point in points:
        mouse.move(point)
        themed.processEvents()
    mouse.release(points[-1])
    mouse.move(QPoint(5, 5))
    themed.processEvents()
    stepwise = canvas.grab().toImage()
    other = make_canvas(accepted=commits[-1].mask)
    other.set_tool(Brush())
    other.set_segment(1, "Fetal head")
    Mouse(other).move(QPoint(5, 5))
    themed.processEvents()
    a, b = greys(stepwise).astype(int), greys(other.grab().toImage()).astype(int)
    assert (np.abs(a - b) > 24).mean() < 0.002


def test_painting_without_a_segment_says_so(make_canvas, qtbot):
    canvas = make_canvas()
    mouse = Mouse(canvas)
    canvas.set_tool(Brush())
    with qtbot.waitSignal(canvas.refused, timeout=2000) as refused:
        mouse.click(QPoint(300, 200))
    assert "segment" in refused.args[0]


def test_a_click_with_the_select_tool_picks_the_segment(make_canvas, qtbot):
    canvas = make_canvas(accepted=paint_spans(Mask.empty((240, 320)), disc((160.0, 120.0), 60), 2).mask)
    mouse = Mouse(canvas)
    canvas.set_tool(Select())
    with qtbot.waitSignal(canvas.picked, timeout=2000) as picked:
        mouse.click(QPoint(350, 250))
    assert picked.args == [2, False]


SCALED = """
import numpy as np, sys
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMainWindow, QWidget, QHBoxLayout
from usfm_studio.document.frame import FrameId
from usfm_studio.document.rasterise import stroke
from usfm_studio.ui.canvas.view import CanvasView
from usfm_studio.ui.shell.theme import apply_theme
from usfm_studio.ui.tools.brush import Brush

app = QApplication([])
apply_theme(app)
window, middle, canvas = QMainWindow(), QWidget(), CanvasView()
room = QHBoxLayout(middle)
room.setContentsMargins(7, 5, 3, 1)  # so that the canvas begins between two device pixels
room.addWidget(canvas)
window.setCentralWidget(middle)
window.resize(513, 389)
pixels = np.zeros((240, 320), np.uint8)
pixels[::2, ::2] = 255
canvas.show_frame(pixels, FrameId("a" * 64, 0))
window.show()
app.processEvents()
ratio = float(sys.argv[1])
assert canvas.devicePixelRatioF() == ratio, canvas.devicePixelRatioF()
canvas.zoom_to_pixels()
assert canvas.zoom == 1.0
canvas.set_texts_visible(False)
app.processEvents()
image = window.grab().toImage()
image = image.convertToFormat(image.Format.Format_Grayscale8)
greys = np.array(image.constBits()).reshape(image.height(), image.bytesPerLine())[:, : image.width()]
corner = canvas.mapTo(window, QPoint(0, 0))
x, y = canvas.placement.corner_view
left, top = (x + corner.x()) * ratio, (y + corner.y()) * ratio
assert abs(left - round(left)) < 1e-6 and abs(top - round(top)) < 1e-6, (left, top)
left, top = round(left), round(top)
rows, columns = min(240, greys.shape[0] - top - 8), min(320, greys.shape[1] - left - 8)
shown = greys[max(0, top) : top + rows, max(0, left) : left + columns]
wanted = pixels[max(0, -top) : rows, max(0, -left) : columns]
assert np.array_equal(shown, wanted), "image pixels are not device pixels"
canvas.set_tool(Brush())
canvas.set_segment(1, "Head")
canvas.set_brush_size(9)
canvas.zoom_by(3.3, QPointF(250, 190))
canvas.pan_by(QPointF(-13.3, 7.7))
commits = []
canvas.commits.connect(commits.append)
a, b = QPoint(220, 170), QPoint(271, 203)
QTest.mousePress(canvas, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, a)
QTest.mouseMove(canvas, b)
QTest.mouseRelease(canvas, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, b)
half = QPointF(0.5 / ratio, 0.5 / ratio)
start, stop = canvas.view_to_image(QPointF(a) + half), canvas.view_to_image(QPointF(b) + half)
wanted = stroke(start, stop, 4.5).to_array((240, 320))
assert np.array_equal(commits[0].mask.to_array() == 1, wanted)
assert wanted.any()
print("ok")
"""


@pytest.mark.parametrize("ratio", ["1", "1.25", "1.5", "2"])
def test_at_any_scale_of_the_screen_a_pixel_is_a_pixel_and_the_stroke_is_under_the_pointer(ratio):
    environment = {
        **os.environ,
        "QT_QPA_PLATFORM": "offscreen",
        "QT_SCALE_FACTOR": ratio,
        "QT_SCALE_FACTOR_ROUNDING_POLICY": "PassThrough",
    }
    done = subprocess.run(
        [sys.executable, "-c", SCALED, ratio], env=environment, capture_output=True, text=True, timeout=90, check=False
    )
    assert done.stdout.strip() == "ok", done.stderr
