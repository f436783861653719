"""A canvas with a frame, in a real window."""

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QApplication

from usfm_studio.document.frame import FrameId
from usfm_studio.document.mask import Mask
from usfm_studio.ui.canvas.styles import SegmentStyle
from usfm_studio.ui.canvas.view import CanvasView
from usfm_studio.ui.shell.theme import apply_theme, set_motion

STYLES = {
    1: SegmentStyle(colour="#56B4E9", name="Fetal head"),
    2: SegmentStyle(colour="#E69F00", name="Choroid plexus"),
}


@pytest.fixture
def themed(qapp: QApplication):
    apply_theme(qapp)
    set_motion(False)
    yield qapp
    set_motion(True)


def a_frame(rows=240, columns=320, seed=1, dtype=np.uint8):
    """A dark frame with some texture, not square."""
    rng = np.random.default_rng(seed)
    return rng.integers(20, 60, (rows, columns)).astype(dtype)


@pytest.fixture
def make_canvas(themed, qtbot):
    def make(pixels=None, accepted=None, proposed=None, size=(700, 500), key=FrameId("a" * 64, 0), confidences=None):
        canvas = CanvasView()
        qtbot.addWidget(canvas)
        canvas.resize(*size)
        pixels = a_frame() if pixels is None else pixels
        canvas.show_frame(pixels, key)
        shape = pixels.shape[:2]
        canvas.set_masks(accepted or Mask.empty(shape), proposed, STYLES, confidences)
        canvas.show()
        qtbot.waitExposed(canvas)
        canvas.setFocus()
        themed.processEvents()
        return canvas

    return make


class Mouse:
    """A mouse over a widget: real events, sent at once, at points of the widget."""

    LEFT, MIDDLE, RIGHT = Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton, Qt.MouseButton.RightButton

    def __init__(self, widget):
        self.widget = widget
        self.down = Qt.MouseButton.NoButton

    def press(self, point, button=LEFT, modifier=Qt.KeyboardModifier.NoModifier, double=False):
        self.down |= button
        self._send(QEvent.Type.MouseButtonDblClick if double else QEvent.Type.MouseButtonPress, point, button, modifier)

    def move(self, point, modifier=Qt.KeyboardModifier.NoModifier):
        self._send(QEvent.Type.MouseMove, point, Qt.MouseButton.NoButton, modifier)

    def release(self, point, button=LEFT, modifier=Qt.KeyboardModifier.NoModifier):
        self.down &= ~button
        self._send(QEvent.Type.MouseButtonRelease, point, button, modifier)

    def click(self, point, button=LEFT, modifier=Qt.KeyboardModifier.NoModifier):
        self.press(point, button, modifier)
        self.release(point, button, modifier)

    def drag(self, *points, button=LEFT, modifier=Qt.KeyboardModifier.NoModifier):
        self.press(points[0], button, modifier)
        for point in points[1:]:
            self.move(point, modifier)
        self.release(points[-1], button, modifier)

    def _send(self, kind, point, button, modifier):
        at = QPointF(point)
        event = QMouseEvent(kind, at, self.widget.mapToGlobal(at), button, self.down, modifier)
        QApplication.sendEvent(self.widget, event)


def pointed(canvas, point):
    """The image point that a mouse at a view point points at: the middle of the device pixel there."""
    half = 0.5 / canvas.devicePixelRatioF()
    return canvas.view_to_image(QPointF(point.x() + half, point.y() + half))


def greys(image):
    """(rows, columns) uint8 of a QImage."""
    image = image.convertToFormat(image.Format.Format_Grayscale8)
    return np.array(image.constBits()).reshape(image.height(), image.bytesPerLine())[:, : image.width()]
