"""Where a person types or picks one of several."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QRectF, QSize, Qt
from PySide6.QtGui import QFocusEvent, QPaintEvent
from PySide6.QtWidgets import QComboBox, QLineEdit, QSizePolicy, QWidget

from usfm_studio.ui.shell import fonts, paint
from usfm_studio.ui.shell.controls.base import HoverFade, Pose
from usfm_studio.ui.shell.focus import Shape, note_focus_reason
from usfm_studio.ui.shell.icons import draw_icon
from usfm_studio.ui.shell.theme import colour
from usfm_studio.ui.shell.tokens import CONTROL, RADIUS


class Field(QLineEdit):
    """A line of text. `name` is what a screen reader says; `hint` stands in it while it is empty."""

    def __init__(self, name: str, hint: str = "", text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(text, parent)
        self.setAccessibleName(name)
        self.setPlaceholderText(hint)
        self.setFixedHeight(CONTROL)
        self.setFont(fonts.font(fonts.BASE))

    def set_wrong(self, wrong: bool, why: str = "") -> None:
        """Show that the text cannot be used, and why in the tip."""
        self.setProperty("error", wrong)
        self.setToolTip(why if wrong else "")
        self.style().unpolish(self)
        self.style().polish(self)

    def focus_shape(self) -> Shape:
        """The whole field."""
        return Shape(QRectF(self.rect()), RADIUS)


class SearchField(Field):
    """A field with a lens."""

    def __init__(self, name: str, hint: str = "", parent: QWidget | None = None) -> None:
        super().__init__(name, hint, parent=parent)
        self.setTextMargins(24, 0, 0, 0)
        self.setClearButtonEnabled(False)

    def paintEvent(self, event: QPaintEvent) -> None:
        """The field and its lens."""
        super().paintEvent(event)
        painter = paint.painter_on(self)
        draw_icon(painter, "search", QRectF(8, 0, 18, self.height()), 18, colour("muted"))
        painter.end()


class Choice(QComboBox):
    """One of several, behind an arrow."""

    def __init__(self, name: str, options: tuple[str, ...] = (), parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._fade = HoverFade(self)
        self._pose: Pose | None = None
        self.setAccessibleName(name)
        self.addItems(list(options))
        self.view().setAccessibleName(name)
        self.setFixedHeight(CONTROL)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def hold(self, pose: Pose | None) -> None:
        """Keep looking like this (for pictures)."""
        self._pose = pose
        self.update()

    def sizeHint(self) -> QSize:
        """The longest option, 10 px before it and the arrow after it."""
        widths = [fonts.text_width(self.itemText(i)) for i in range(self.count())]
        return QSize(round(max(widths, default=40.0) + 10 + 8 + 16 + 9), CONTROL)

    def minimumSizeHint(self) -> QSize:
        """The same."""
        return self.sizeHint()

    def text_room(self) -> tuple[float, float]:
        """(width of the shown option, room for it)."""
        return fonts.text_width(self.currentText()), self.width() - 10 - 28

    def focus_shape(self) -> Shape:
        """The whole control."""
        return Shape(QRectF(self.rect()), RADIUS)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Field ground, the option, the arrow."""
        painter = paint.painter_on(self)
        rect = QRectF(self.rect())
        enabled = self.isEnabled()
        lit = self._fade.value if self._pose is None else float(self._pose is not Pose.REST)
        if not enabled:
            border = colour("line")
        elif self.hasFocus():
            border = colour("accent")
        else:
            border = paint.blend("line2", "line_hover", lit)
        paint.ground(painter, rect, RADIUS, colour("field"), border)
        ink = colour("text" if enabled else "disabled")
        paint.text(painter, rect.adjusted(10, 0, -28, 0), self.currentText(), ink)
        arrow = QRectF(rect.right() - 25, 0, 16, rect.height())
        draw_icon(painter, "chevron-down", arrow, 16, colour("muted" if enabled else "disabled"))
        painter.end()

    def enterEvent(self, event: QEvent) -> None:
        """Light up."""
        self._fade.turn(True)

    def leaveEvent(self, event: QEvent) -> None:
        """Go back to rest."""
        self._fade.turn(False)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Remember whether the keyboard brought the focus."""
        note_focus_reason(event)
        super().focusInEvent(event)
