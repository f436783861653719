"""A field that asks for one name where it will stand."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent
from PySide6.QtWidgets import QWidget

from usfm_studio.ui.shell.controls import Field
from usfm_studio.ui.shell.focus import Shape
from usfm_studio.ui.shell.tokens import RADIUS


class NameField(Field):
    """`named` carries what was typed and confirmed with Enter; `left` comes when it was left otherwise."""

    named = Signal(str)
    left = Signal()

    def __init__(self, name: str, hint: str = "", parent: QWidget | None = None) -> None:
        super().__init__(name, hint, parent=parent)
        self.setMaxLength(64)
        self.ring_inside = False
        """Where something cuts off what lies around it."""
        self.returnPressed.connect(self._on_return)

    def focus_shape(self) -> Shape:
        """The whole field."""
        return Shape(QRectF(self.rect()), RADIUS, inside=self.ring_inside)

    def ask(self, text: str = "") -> None:
        """Take the keyboard, with this text, all of it selected."""
        self.setText(text)
        self.selectAll()
        self.setFocus(Qt.FocusReason.OtherFocusReason)

    def _on_return(self) -> None:
        text = self.text().strip()
        self.clear()
        if text:
            self.named.emit(text)
        else:
            self.left.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Esc leaves without a name."""
        if event.key() == Qt.Key.Key_Escape:
            self.clear()
            self.left.emit()
            return
        super().keyPressEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Going elsewhere leaves it; coming back from another window or a menu does not count."""
        super().focusOutEvent(event)
        if event.reason() not in (Qt.FocusReason.ActiveWindowFocusReason, Qt.FocusReason.PopupFocusReason):
            self.clear()
            self.left.emit()
