"""The focus ring: 2 px, drawn above everything around the control that has the keyboard; it moves nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from PySide6.QtCore import QEvent, QObject, QPoint, QPointF, QRectF, Qt, QTimer
from PySide6.QtGui import QFocusEvent, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractScrollArea, QApplication, QLineEdit, QPlainTextEdit, QTextEdit, QWidget
from shiboken6 import isValid

from usfm_studio.ui.shell.paint import painter_on
from usfm_studio.ui.shell.theme import colour
from usfm_studio.ui.shell.tokens import RADIUS

RING_PX, GAP_PX = 2, 1
_OUT = RING_PX + GAP_PX
_KEYBOARD = (
    Qt.FocusReason.TabFocusReason,
    Qt.FocusReason.BacktabFocusReason,
    Qt.FocusReason.ShortcutFocusReason,
)
_RETURNS = (Qt.FocusReason.ActiveWindowFocusReason, Qt.FocusReason.PopupFocusReason)
_MOVES = (QEvent.Type.Move, QEvent.Type.Resize, QEvent.Type.Show, QEvent.Type.Hide, QEvent.Type.Paint)


@dataclass(frozen=True, slots=True)
class Shape:
    """Where a control wants its ring: a part of itself, the corner radius of that part, and on which side."""

    rect: QRectF
    radius: float = RADIUS
    inside: bool = False


@runtime_checkable
class HasFocusShape(Protocol):
    """A control that says where its ring goes; others get one around them."""

    def focus_shape(self) -> Shape:
        """The part with the keyboard, in the control's own coordinates."""
        ...


def shape_of(widget: QWidget) -> Shape:
    """The ring's place on any widget."""
    if isinstance(widget, HasFocusShape):
        return widget.focus_shape()
    if isinstance(widget, QAbstractScrollArea) or widget.property("ring") == "inside":
        return Shape(QRectF(widget.rect()).adjusted(1, 1, -1, -1), 3, inside=True)
    return Shape(QRectF(widget.rect()))


class FocusRing(QWidget):
    """One for a window. `watch()` is all that is needed; `point_at` shows it by hand (pictures, tests)."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self.setObjectName("focus-ring")
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setAttribute(Qt.WidgetAttribute.WA_NoSystemBackground)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._window = window
        self._target: QWidget | None = None
        self._watched: list[QWidget] = []
        self._radius = float(RADIUS)
        self._late = QTimer(self, singleShot=True, interval=0)
        self._late.timeout.connect(self._place)
        self.hide()

    def watch(self) -> None:
        """Follow the keyboard focus of the program."""
        application = QApplication.instance()
        if isinstance(application, QApplication):
            application.focusChanged.connect(self._focus_changed)

    @property
    def target(self) -> QWidget | None:
        """The control that the ring is on, if it shows."""
        return self._target if self.isVisible() else None

    def point_at(self, widget: QWidget | None) -> None:
        """Put the ring on a widget of this window, or take it away."""
        for watched in self._watched:
            if isValid(watched):
                watched.removeEventFilter(self)
        self._watched = []
        self._target = widget
        if widget is None:
            self.hide()
            return
        self.setParent(_stage_of(widget, self._window))
        step: QWidget | None = widget
        while step is not None and step is not self.parentWidget():
            step.installEventFilter(self)
            self._watched.append(step)
            step = step.parentWidget()
        self._place()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Follow the control when it, or what it lies in, moves or is repainted."""
        kind = event.type()
        if kind in _MOVES and (kind != QEvent.Type.Paint or watched is self._target):
            self._late.start()
        return False

    def _focus_changed(self, _old: QWidget | None, new: QWidget | None) -> None:
        if not isValid(self) or not isValid(self._window):
            return
        wanted = new if new is not None and new.window() is self._window and _shows_ring(new) else None
        if new is not None:
            _Held.before, _Held.by_keys = _Held.by_keys, False
        if wanted is not self._target:
            self.point_at(wanted)

    def _place(self) -> None:
        if self._target is None:
            return
        if not isValid(self._target) or not self._target.isVisible():
            self.hide()
            return
        shape = shape_of(self._target)
        grow = 0 if shape.inside else _OUT
        corner = self._target.mapTo(self.parentWidget() or self._window, QPoint(0, 0))
        rect = shape.rect.translated(QPointF(corner)).adjusted(-grow, -grow, grow, grow)
        self._radius = shape.radius + grow
        aligned = rect.toAlignedRect()
        if aligned != self.geometry():
            self.setGeometry(aligned)
        if not self.isVisible():
            self.show()
        self.raise_()

    def paintEvent(self, event: QPaintEvent) -> None:
        """The ring alone."""
        painter = painter_on(self)
        painter.setPen(QPen(colour("focus"), RING_PX))
        half = RING_PX / 2
        rect = QRectF(self.rect()).adjusted(half, half, -half, -half)
        painter.drawRoundedRect(rect, self._radius - half, self._radius - half)
        painter.end()


class _Held:
    by_keys = False  # the move that is under way
    before = False  # the last one


def note_focus_reason(event: QFocusEvent) -> None:
    """Called by our controls when they get the focus. Coming back to the window is no move of its own."""
    _Held.by_keys = _Held.before if event.reason() in _RETURNS else event.reason() in _KEYBOARD


def mark_keyboard() -> None:
    """The next move of the focus comes from the keyboard."""
    _Held.by_keys = _Held.before = True


def focus_by_keys(widget: QWidget, reason: Qt.FocusReason = Qt.FocusReason.TabFocusReason) -> None:
    """Give a widget the focus as Tab would: the ring shows, on the canvas and on Qt's own widgets too."""
    if widget.hasFocus():
        widget.clearFocus()
    mark_keyboard()
    widget.setFocus(reason)


def _shows_ring(widget: QWidget) -> bool:
    if widget.property("ring") == "none":
        return False
    if isinstance(widget, QLineEdit | QPlainTextEdit | QTextEdit):
        return True
    return _Held.by_keys


def _stage_of(widget: QWidget, window: QWidget) -> QWidget:
    """The nearest thing that may cut the ring: a scroll area's viewport, else the window."""
    step = widget.parentWidget()
    while step is not None and step is not window:
        holder = step.parentWidget()
        if isinstance(holder, QAbstractScrollArea) and holder.viewport() is step:
            return step
        step = step.parentWidget()
    return window
