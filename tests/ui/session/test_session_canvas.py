"""Canvas and session in step: what is shown is what the project has, and never under another one's name."""

from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QPaintEvent
from PySide6.QtTest import QTest

from tests.ui.session.desk import LESION, LOOP
from usfm_studio.document.edit import ReplaceSchema
from usfm_studio.document.errors import DiskFull
from usfm_studio.project.project import Project
from usfm_studio.ui.shell.theme import apply_theme, set_motion
from usfm_studio.ui.work_canvas import WorkCanvas

LEFT, PLAIN = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier


@pytest.fixture
def canvas(desk, qtbot, qapp):
    apply_theme(qapp)
    set_motion(False)
    made = WorkCanvas(desk.session)
    qtbot.addWidget(made.view)
    made.view.resize(600, 400)
    made.view.show()
    qtbot.waitExposed(made.view)
    desk.wait(lambda: made._frame is not None)
    desk.quiet()
    yield made
    set_motion(True)


def at(canvas, x, y) -> QPoint:
    return canvas.view.image_to_view((float(x), float(y))).toPoint()


def drag(canvas, *points, let_go=True):
    QTest.mousePress(canvas.view, LEFT, PLAIN, at(canvas, *points[0]))
    for point in points[1:]:
        QTest.mouseMove(canvas.view, at(canvas, *point))
    if let_go:
        QTest.mouseRelease(canvas.view, LEFT, PLAIN, at(canvas, *points[-1]))


def shown(canvas):
    """The accepted mask that is drawn."""
    return canvas.view._stage.accepted.mask


class Paints:
    def __init__(self, canvas, monkeypatch):
        self.areas = []
        original = canvas.view.paintEvent

        def paint(event: QPaintEvent):
            rect = event.region().boundingRect()
            self.areas.append(rect.width() * rect.height())
            original(event)

        monkeypatch.setattr(canvas.view, "paintEvent", paint)


def test_a_stroke_is_committed_and_stays_shown(canvas, desk):
    canvas.set_tool("brush")
    canvas.view.set_brush_size(8)
    drag(canvas, (20, 20), (30, 20), (40, 22))
    assert desk.session.mask().values() == (1,)
    assert desk.count("changed") >= 1
    desk.quiet()
    assert shown(canvas).same_as(desk.session.mask())
    desk.session.undo()
    desk.quiet()
    assert shown(canvas).tiles == {}


def test_a_stroke_that_is_refused_disappears_again(canvas, desk, monkeypatch):
    def refuse(*_args, **_more):
        raise DiskFull("The disk is full", "no space", "Free some.")

    monkeypatch.setattr(desk.project, "apply", refuse)
    canvas.set_tool("brush")
    drag(canvas, (20, 20), (40, 22))
    assert desk.titles[-1] == "The disk is full"
    desk.quiet()
    assert shown(canvas).tiles == {}
    monkeypatch.undo()
    drag(canvas, (20, 20), (40, 22))
    assert desk.session.mask().values() == (1,)


def test_news_from_the_model_leaves_a_stroke_under_way_alone(canvas, desk):
    canvas.set_tool("brush")
    drag(canvas, (20, 20), (40, 22), let_go=False)
    half = shown(canvas)
    assert half.tiles
    desk.propose(0, values=(2,))
    desk.propose(1)
    desk.quiet()
    assert shown(canvas) is half
    QTest.mouseMove(canvas.view, at(canvas, 50, 30))
    QTest.mouseRelease(canvas.view, LEFT, PLAIN, at(canvas, 50, 30))
    desk.quiet()
    assert shown(canvas).same_as(desk.session.mask())
    assert canvas.view._stage.proposed.mask.values() == (2,)


def test_closing_keeps_a_stroke_under_way(canvas, desk, folder):
    canvas.set_tool("brush")
    drag(canvas, (20, 20), (40, 22), let_go=False)
    assert desk.session.mask().tiles == {}
    desk.close()
    with Project.open(folder) as project:
        assert project.mask(project.instances[0].frame_id(0)).values() == (1,)


def test_going_on_keeps_a_stroke_under_way_on_its_own_frame(canvas, desk):
    canvas.set_tool("brush")
    drag(canvas, (20, 20), (40, 22), let_go=False)
    desk.go(1)
    desk.wait(lambda: canvas._frame == desk.frame(1))
    assert desk.project.mask(desk.frame(0)).values() == (1,)
    assert desk.project.mask(desk.frame(1)).tiles == {}


def test_ctrl_z_takes_back_a_corner_of_an_outline_under_way(canvas, desk):
    desk.session.reviewing.draw(desk.stroke())
    canvas.set_tool("polygon")
    for corner in ((20, 20), (60, 20), (60, 50), (20, 50)):
        QTest.mouseClick(canvas.view, LEFT, PLAIN, at(canvas, *corner))
    assert canvas.view.gesture_active
    desk.session.undo()
    assert desk.session.undo_text == "Brush, 1"
    canvas.cancel()
    desk.session.undo()
    assert desk.session.undo_text == ""


def test_what_is_shown_already_is_not_painted_again(canvas, desk, monkeypatch):
    canvas.set_tool("brush")
    drag(canvas, (20, 20), (40, 22))
    desk.quiet()
    canvas.view.repaint()
    paints = Paints(canvas, monkeypatch)
    desk.session.current_changed.emit()
    desk.session.training_changed.emit()
    desk.session.segment_changed.emit()
    desk.propose(3)
    desk.quiet()
    whole = canvas.view.width() * canvas.view.height()
    assert all(area < whole / 4 for area in paints.areas)


def test_no_image_stays_under_another_ones_name(canvas, desk):
    pictures = desk.session.navigation.pictures
    pictures.clear()
    path = Path(desk.session.navigation.items[LESION].instance.path)
    away = path.rename(path.with_suffix(".away"))
    try:
        desk.go(LESION)
        desk.wait(lambda: desk.session.navigation.trouble is not None)
        assert canvas.view._stage.picture is None
        assert canvas._frame is None
        drag(canvas, (20, 20), (40, 22))  # there is nothing to draw on
        assert desk.count("changed") == 0
    finally:
        away.rename(path)
    desk.go(0)
    desk.wait(lambda: canvas._frame == desk.frame(0))
    assert canvas.view._stage.picture is not None


def test_an_image_that_is_slow_to_come_leaves_the_canvas_empty(canvas, desk, monkeypatch):
    pictures = desk.session.navigation.pictures
    pictures.clear()
    monkeypatch.setattr(pictures, "_ask", lambda frame: None)  # the reader is busy elsewhere
    desk.go(2)
    assert canvas.view._stage.picture is not None  # a moment's patience
    desk.wait(lambda: canvas.view._stage.picture is None, 2000)
    monkeypatch.undo()
    pictures.show(desk.session.current)
    desk.wait(lambda: canvas._frame == desk.frame(2))


def test_the_loop_in_view_shows_its_own_masks_frame_by_frame(canvas, desk):
    desk.go(LOOP)
    desk.wait(lambda: canvas._frame == desk.frame(LOOP))
    desk.session.reviewing.draw(desk.stroke(2))
    desk.session.navigation.step(1)
    desk.wait(lambda: canvas._frame == desk.frame(LOOP, 1))
    assert shown(canvas).tiles == {}
    assert canvas.view.wheel_steps_frames
    desk.session.navigation.step(-1)
    desk.wait(lambda: shown(canvas).values() == (2,))
    desk.go(0)
    desk.wait(lambda: not canvas.view.wheel_steps_frames)


def test_colours_names_and_hiding_are_followed(canvas, desk):
    desk.session.reviewing.draw(desk.stroke())
    desk.session.reviewing.recolour_segment(1, "#123456")
    desk.session.toggle_segment_visible(1)
    desk.quiet()
    style = canvas.view._stage.styles[1]
    assert (style.colour, style.visible) == ("#123456", False)
    schema = desk.project.schema
    desk.session.commit(ReplaceSchema(name="Empty", before=schema, after=schema.__class__()))
    desk.quiet()
    assert canvas.view._scene_kept.segment == 0


def test_the_next_marked_area_is_chosen_in_order(canvas, desk):
    desk.session.reviewing.draw(desk.stroke(2))
    desk.propose(0, values=(3,))
    canvas.next_segment(1)
    assert desk.session.segment == 2
    canvas.next_segment(1)
    assert desk.session.segment == 3
    canvas.next_segment(1)
    assert desk.session.segment == 2
    canvas.next_segment(-1)
    assert desk.session.segment == 3


def test_an_empty_session_shows_nothing(canvas, desk):
    desk.close()
    assert canvas.view._stage.picture is None
    assert canvas._frame is None
