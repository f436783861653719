"""Mouse, wheel, pen, touch and keys do on the canvas what the house's table says."""

import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import (
    QInputDevice,
    QPointingDevice,
    QPointingDeviceUniqueId,
    QTabletEvent,
    QWheelEvent,
)
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from tests.ui.canvas.conftest import Mouse, a_frame
from usfm_studio.document.frame import FrameId
from usfm_studio.ui.canvas.view import CanvasView
from usfm_studio.ui.tools.brush import Brush

NO, CTRL, SHIFT, ALT = (
    Qt.KeyboardModifier.NoModifier,
    Qt.KeyboardModifier.ControlModifier,
    Qt.KeyboardModifier.ShiftModifier,
    Qt.KeyboardModifier.AltModifier,
)


def wheel(canvas, units, modifier=NO, at=QPoint(350, 250), pixels=0, phase=Qt.ScrollPhase.NoScrollPhase):
    turned = QPoint(units, 0) if modifier == ALT else QPoint(0, units)
    event = QWheelEvent(
        QPointF(at),
        canvas.mapToGlobal(QPointF(at)),
        QPoint(0, pixels),
        turned,
        Qt.MouseButton.NoButton,
        modifier,
        phase,
        False,
    )
    QApplication.sendEvent(canvas, event)


def heard(signal):
    """What a signal says from now on."""
    said = []
    signal.connect(lambda *values: said.append(values[0] if len(values) == 1 else values))
    return said


class TestWheel:
    def test_on_stills_it_zooms_about_the_pointer(self, make_canvas):
        canvas = make_canvas()
        before, zoom = canvas.view_to_image(QPointF(350, 250)), canvas.zoom
        wheel(canvas, 120)
        assert canvas.zoom == pytest.approx(1.2 * zoom)
        after = canvas.view_to_image(QPointF(350, 250))
        assert abs(after[0] - before[0]) < 0.5
        assert abs(after[1] - before[1]) < 0.5

    def test_on_loops_a_notch_is_a_frame_and_ctrl_zooms(self, make_canvas):
        canvas = make_canvas()
        canvas.wheel_steps_frames = True
        steps, zoom = heard(canvas.frame_step), canvas.zoom
        wheel(canvas, -120)
        wheel(canvas, 240)
        assert steps == [1, -2]
        wheel(canvas, 120, CTRL)
        assert canvas.zoom > zoom
        assert steps == [1, -2]

    def test_the_status_line_says_what_the_wheel_does(self, make_canvas):
        canvas = make_canvas()
        canvas.set_tool(Brush())
        said = heard(canvas.hints_changed)
        assert ("Wheel", "zoom") in canvas.hints
        canvas.wheel_steps_frames = True
        assert ("Wheel", "frame") in said[-1]
        canvas.set_brush_size(44)
        assert ("Shift+wheel", "size 44 px") in said[-1]
        canvas.show_frame(None, None)
        assert said[-1] == ()

    def test_fine_wheels_add_up_to_notches(self, make_canvas):
        canvas = make_canvas()
        canvas.wheel_steps_frames = True
        steps = heard(canvas.frame_step)
        for _ in range(9):
            wheel(canvas, -40)
        assert steps == [1, 1, 1]

    def test_two_fingers_step_frames_by_distance_and_their_momentum_does_not(self, make_canvas):
        canvas = make_canvas()
        canvas.wheel_steps_frames = True
        steps = heard(canvas.frame_step)
        for _ in range(8):
            wheel(canvas, -30, pixels=-10, phase=Qt.ScrollPhase.ScrollUpdate)
        wheel(canvas, -900, pixels=-300, phase=Qt.ScrollPhase.ScrollMomentum)
        assert steps == [1, 1]

    def test_shift_sizes_the_brush(self, make_canvas):
        canvas = make_canvas()
        canvas.set_brush_size(20)
        wheel(canvas, 120, SHIFT)
        assert canvas.brush_size > 20
        wheel(canvas, -240, SHIFT)
        assert canvas.brush_size < 20

    def test_alt_sets_the_opacity_of_overlays(self, make_canvas):
        canvas = make_canvas()
        wheel(canvas, -240, ALT)
        assert canvas.opacity == pytest.approx(0.8)


class TestMouse:
    def test_the_middle_button_moves_the_image(self, make_canvas):
        canvas = make_canvas()
        canvas.zoom_by(3, QPointF(350, 250))
        point = canvas.view_to_image(QPointF(300, 200))
        Mouse(canvas).drag(QPoint(300, 200), QPoint(340, 230), button=Mouse.MIDDLE)
        assert canvas.image_to_view(point).toPoint() == QPoint(340, 230)

    def test_the_right_button_sets_window_across_and_level_up(self, make_canvas):
        canvas = make_canvas()
        menus = heard(canvas.context_menu)
        Mouse(canvas).drag(QPoint(300, 200), QPoint(310, 200), QPoint(200, 200), button=Mouse.RIGHT)
        assert canvas.levels.window.window < 200
        assert canvas.levels.window.level == pytest.approx(127.5)
        Mouse(canvas).drag(QPoint(300, 200), QPoint(300, 190), QPoint(300, 100), button=Mouse.RIGHT)
        assert canvas.levels.window.level > 150
        assert menus == []

    def test_a_right_click_without_movement_asks_for_the_menu(self, make_canvas):
        canvas = make_canvas()
        menus = heard(canvas.context_menu)
        Mouse(canvas).click(QPoint(300, 200), button=Mouse.RIGHT)
        ((at, image_xy),) = menus
        assert at == canvas.mapToGlobal(QPoint(300, 200))
        assert image_xy == pytest.approx(canvas.view_to_image(QPointF(300.5, 200.5)))
        assert canvas.levels.window.window == 255

    def test_another_button_during_a_stroke_changes_nothing(self, make_canvas):
        canvas = make_canvas()
        canvas.set_tool(Brush())
        canvas.set_segment(1, "Fetal head")
        commits, place = heard(canvas.commits), canvas.placement
        mouse = Mouse(canvas)
        mouse.press(QPoint(300, 200))
        mouse.press(QPoint(300, 200), Mouse.MIDDLE)
        mouse.move(QPoint(350, 220))
        mouse.release(QPoint(350, 220), Mouse.MIDDLE)
        assert canvas.gesture_active
        mouse.release(QPoint(350, 220))
        assert canvas.placement == place
        assert len(commits) == 1

    def test_the_pointer_tells_where_it_is_in_the_image(self, make_canvas):
        canvas = make_canvas()
        places = heard(canvas.hovered)
        Mouse(canvas).move(QPoint(350, 250))
        assert places[-1] == pytest.approx(canvas.view_to_image(QPointF(350.5, 250.5)))
        QApplication.sendEvent(canvas, QEvent(QEvent.Type.Leave))
        assert places[-1] is None

    def test_a_stroke_says_when_it_begins_and_ends(self, make_canvas):
        canvas = make_canvas()
        canvas.set_tool(Brush())
        canvas.set_segment(1, "Fetal head")
        said = heard(canvas.gesture_changed)
        Mouse(canvas).drag(QPoint(300, 200), QPoint(320, 210))
        assert said == [True, False]


class TestKeys:
    def test_while_the_hand_is_held_dragging_moves_the_image(self, make_canvas):
        canvas = make_canvas()
        canvas.set_tool(Brush())
        canvas.set_segment(1, "Fetal head")
        canvas.zoom_by(3, QPointF(350, 250))
        commits, place = heard(canvas.commits), canvas.placement
        canvas.hold_hand(True)
        Mouse(canvas).drag(QPoint(300, 200), QPoint(340, 230))
        canvas.hold_hand(False)
        assert canvas.placement != place
        assert commits == []

    def test_the_brush_grows_and_shrinks_step_by_step(self, make_canvas):
        canvas = make_canvas()
        sizes = heard(canvas.brush_size_changed)
        canvas.set_brush_size(20)
        canvas.step_brush(1)
        canvas.step_brush(-1)
        assert sizes == [20, 23, 20]

    def test_the_smallest_brush_grows_pixel_by_pixel(self, make_canvas):
        canvas = make_canvas()
        canvas.set_brush_size(1)
        canvas.step_brush(-3)
        assert canvas.brush_size == 1
        canvas.step_brush(1)
        assert canvas.brush_size == 2

    def test_escape_leaves_the_tool_only_when_there_is_nothing_to_cancel(self, make_canvas):
        canvas = make_canvas()
        canvas.set_tool(Brush())
        canvas.set_segment(1, "Fetal head")
        left = []
        canvas.tool_left.connect(lambda: left.append(True))
        mouse = Mouse(canvas)
        mouse.press(QPoint(300, 200))
        QTest.keyClick(canvas, Qt.Key.Key_Escape)
        mouse.release(QPoint(300, 200))
        assert left == []
        QTest.keyClick(canvas, Qt.Key.Key_Escape)
        assert left == [True]

    def test_keys_of_no_gesture_are_left_to_the_window(self, themed, qtbot):
        from PySide6.QtWidgets import QMainWindow

        got = []

        class Window(QMainWindow):
            def keyPressEvent(self, event):
                got.append(event.key())

        window, canvas = Window(), CanvasView()
        qtbot.addWidget(window)
        window.setCentralWidget(canvas)
        canvas.show_frame(a_frame(), FrameId("a" * 64, 0))
        window.show()
        for key in (Qt.Key.Key_Return, Qt.Key.Key_Backspace, Qt.Key.Key_Right, Qt.Key.Key_B):
            QTest.keyClick(canvas, key)
        assert got == [Qt.Key.Key_Return, Qt.Key.Key_Backspace, Qt.Key.Key_Right, Qt.Key.Key_B]

    def test_ctrl_turns_the_brushs_sign_round(self, make_canvas):
        canvas = make_canvas()
        canvas.set_tool(Brush())
        canvas.set_segment(1, "Fetal head")
        Mouse(canvas).move(QPoint(300, 200))
        plus = canvas.grab().toImage()
        QTest.keyPress(canvas, Qt.Key.Key_Control, CTRL)
        assert canvas.grab().toImage() != plus
        QTest.keyRelease(canvas, Qt.Key.Key_Control)
        assert canvas.grab().toImage() == plus


class Pen:
    """A pen over a canvas."""

    def __init__(self, canvas, eraser=False):
        kind = QPointingDevice.PointerType.Eraser if eraser else QPointingDevice.PointerType.Pen
        self.canvas = canvas
        self.device = QPointingDevice(
            "pen",
            7,
            QInputDevice.DeviceType.Stylus,
            kind,
            QInputDevice.Capability.Position | QInputDevice.Capability.Pressure,
            1,
            3,
            "",
            QPointingDeviceUniqueId(),
        )

    def send(self, kind, point, pressure=0.5, button=Qt.MouseButton.LeftButton, buttons=Qt.MouseButton.LeftButton):
        at = QPointF(point)
        event = QTabletEvent(
            kind, self.device, at, self.canvas.mapToGlobal(at), pressure, 0, 0, 0, 0, 0, NO, button, buttons
        )
        QApplication.sendEvent(self.canvas, event)

    def leave(self):
        QApplication.sendEvent(QApplication.instance(), QEvent(QEvent.Type.TabletLeaveProximity))


class TestPen:
    def a_canvas(self, make_canvas):
        canvas = make_canvas()
        canvas.set_tool(Brush())
        canvas.set_segment(1, "Fetal head")
        return canvas

    def test_its_tip_paints(self, make_canvas):
        canvas = self.a_canvas(make_canvas)
        commits, pen = heard(canvas.commits), Pen(canvas)
        pen.send(QEvent.Type.TabletPress, QPoint(300, 200))
        pen.send(QEvent.Type.TabletMove, QPoint(340, 200))
        pen.send(QEvent.Type.TabletRelease, QPoint(340, 200), buttons=Qt.MouseButton.NoButton)
        assert [c.edit.name for c in commits] == ["Brush, Fetal head"]
        pen.leave()

    def test_a_pen_that_vanishes_ends_its_stroke_and_keeps_it(self, make_canvas):
        canvas = self.a_canvas(make_canvas)
        commits, pen = heard(canvas.commits), Pen(canvas)
        pen.send(QEvent.Type.TabletPress, QPoint(300, 200))
        pen.send(QEvent.Type.TabletMove, QPoint(340, 200))
        pen.leave()
        assert len(commits) == 1
        assert not canvas.gesture_active

    def test_its_eraser_end_erases(self, make_canvas):
        canvas = self.a_canvas(make_canvas)
        Mouse(canvas).drag(QPoint(300, 200), QPoint(340, 200))
        commits, pen = heard(canvas.commits), Pen(canvas, eraser=True)
        pen.send(QEvent.Type.TabletPress, QPoint(320, 200))
        pen.send(QEvent.Type.TabletRelease, QPoint(320, 200), buttons=Qt.MouseButton.NoButton)
        assert [c.edit.name for c in commits] == ["Eraser, Fetal head"]
        pen.leave()

    def test_its_lower_button_moves_the_image(self, make_canvas):
        canvas = self.a_canvas(make_canvas)
        canvas.zoom_by(3, QPointF(350, 250))
        place, pen = canvas.placement, Pen(canvas)
        right = Qt.MouseButton.RightButton
        pen.send(QEvent.Type.TabletPress, QPoint(300, 200), button=right, buttons=right)
        pen.send(QEvent.Type.TabletMove, QPoint(340, 200), buttons=right)
        pen.send(QEvent.Type.TabletRelease, QPoint(340, 200), button=right, buttons=Qt.MouseButton.NoButton)
        assert canvas.placement.corner_view[0] == pytest.approx(place.corner_view[0] + 40)
        pen.leave()


class TestTouch:
    @pytest.fixture
    def device(self):
        return QTest.createTouchDevice()

    def test_two_fingers_pinch(self, make_canvas, device):
        canvas = make_canvas()
        zoom = canvas.zoom
        touch = QTest.touchEvent(canvas, device)
        touch.press(0, QPoint(300, 250), canvas).press(1, QPoint(400, 250), canvas).commit()
        touch.move(0, QPoint(250, 250), canvas).move(1, QPoint(450, 250), canvas).commit()
        touch.release(0, QPoint(250, 250), canvas).release(1, QPoint(450, 250), canvas).commit()
        assert canvas.zoom == pytest.approx(2 * zoom, rel=0.05)

    def test_one_finger_moves_the_image_and_not_the_tool(self, make_canvas, device):
        canvas = make_canvas()
        canvas.set_tool(Brush())
        canvas.set_segment(1, "Fetal head")
        canvas.zoom_by(3, QPointF(350, 250))
        commits, place = heard(canvas.commits), canvas.placement
        touch = QTest.touchEvent(canvas, device)
        touch.press(0, QPoint(300, 250), canvas).commit()
        touch.move(0, QPoint(340, 250), canvas).commit()
        touch.release(0, QPoint(340, 250), canvas).commit()
        assert canvas.placement.corner_view[0] == pytest.approx(place.corner_view[0] + 40)
        assert commits == []

    def test_a_palm_is_ignored_while_a_pen_is_near(self, make_canvas, device):
        canvas = make_canvas()
        canvas.zoom_by(3, QPointF(350, 250))
        pen, place = Pen(canvas), canvas.placement
        pen.send(QEvent.Type.TabletMove, QPoint(300, 200), buttons=Qt.MouseButton.NoButton)
        touch = QTest.touchEvent(canvas, device)
        touch.press(0, QPoint(300, 250), canvas).commit()
        touch.move(0, QPoint(340, 250), canvas).commit()
        touch.release(0, QPoint(340, 250), canvas).commit()
        assert canvas.placement == place
        pen.leave()
