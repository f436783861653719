"""One segment of the frame in view as a row, with its menu and the field that renames it."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QRectF, Qt, Signal
from PySide6.QtGui import QContextMenuEvent, QKeyEvent, QMouseEvent, QPainter, QPen, QPixmap, QResizeEvent
from PySide6.QtWidgets import QMenu, QWidget

from usfm_studio.document.schema import SEGMENT_COLOURS
from usfm_studio.ui.review.names import NameField
from usfm_studio.ui.review.standings import Standing
from usfm_studio.ui.shell import fonts, paint
from usfm_studio.ui.shell.controls import IconButton, ListRow
from usfm_studio.ui.shell.icons import draw_icon, icon
from usfm_studio.ui.shell.menus import plain_menu
from usfm_studio.ui.shell.theme import colour, tokens

COLOUR_NAMES = ("Sky", "Orange", "Green", "Purple", "Yellow", "Vermilion", "Blue", "White")
_NAME_LEFT = 62


class SegmentRow(ListRow):
    """Eye, number, name, dashes with the confidence or a line with a tick, and the area.

    A double-click or F2 renames it; the menu does that too, gives another colour, accepts and rejects.
    """

    eye_clicked = Signal()
    renamed = Signal(str)
    recoloured = Signal(str)
    accepted = Signal()
    rejected = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Segment", parent=parent)
        self.setCheckable(True)
        self.standing: Standing | None = None
        self._may_change = True
        self.eye = IconButton("eye", "Hide this segment", size=16, side=28, parent=self)
        self.eye.move(6, 2)
        self.eye.clicked.connect(self.eye_clicked)
        self.name_field: NameField | None = None

    def show_standing(self, standing: Standing, *, may_change: bool) -> None:
        """Show a segment as it stands."""
        self._may_change = may_change
        if standing == self.standing:
            return
        self.standing = standing
        name = standing.segment.name
        self.eye.set_icon("eye-off" if standing.hidden else "eye")
        self.eye.set_name(f"Show {name}" if standing.hidden else f"Hide {name}")
        state = "accepted" if standing.accepted else "proposed" if standing.confidence is not None else "not marked"
        sure = f", {standing.confidence:.2f}" if standing.confidence is not None else ""
        self.setAccessibleName(f"{standing.number} {name}, {state}{sure} {standing.area}".strip())
        self.update()

    # --- renaming and the menu ---------------------------------------------------------------------------------

    def ask_name(self) -> None:
        """Let the person type another name in place."""
        if self.standing is None or not self._may_change:
            return
        if self.name_field is None:
            self.name_field = NameField("Name of the segment", parent=self)
            self.name_field.ring_inside = True
            self.name_field.named.connect(self._on_named)
            self.name_field.left.connect(self.name_field.hide)
        self._place_field()
        self.name_field.show()
        self.name_field.ask(self.standing.segment.name)

    def _on_named(self, name: str) -> None:
        if self.name_field is not None:
            self.name_field.hide()
        if self.standing is not None and name != self.standing.segment.name:
            self.renamed.emit(name)

    def _place_field(self) -> None:
        if self.name_field is not None:
            self.name_field.setGeometry(_NAME_LEFT - 6, 0, self.width() - _NAME_LEFT - 2, self.height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        """The field fills what is right of the number."""
        super().resizeEvent(event)
        self._place_field()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Rename."""
        self.ask_name()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """F2 renames; the menu key opens the menu (Qt does)."""
        if event.key() == Qt.Key.Key_F2:
            self.ask_name()
            return
        super().keyPressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """What can be done with this segment."""
        by_keys = event.reason() is QContextMenuEvent.Reason.Keyboard
        at = self.mapToGlobal(QPoint(_NAME_LEFT, self.height())) if by_keys else event.globalPos()
        menu = self.menu()
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(at)

    def menu(self) -> QMenu:
        """Accept and reject while it is proposed, show or hide, name and colour."""
        menu, t = plain_menu(self), tokens()

        def add(name: str, words: str, does: object, enabled: bool = True) -> None:
            entry = menu.addAction(icon(name, 16, t.muted, t.disabled), words)
            entry.triggered.connect(does)
            entry.setEnabled(enabled)

        standing = self.standing
        if standing is None:
            return menu
        if standing.confidence is not None:
            add("check", "Accept", lambda: self.accepted.emit(), self._may_change)
            add("x", "Reject", lambda: self.rejected.emit(), self._may_change)
            menu.addSeparator()
        add("eye" if standing.hidden else "eye-off", "Show" if standing.hidden else "Hide", self.eye_clicked.emit)
        add("cursor-text", "Rename …", self.ask_name, self._may_change)
        colours = plain_menu(menu, "Colour")
        colours.setIcon(icon("palette", 16, t.muted, t.disabled))
        colours.setEnabled(self._may_change)
        for name, hexed in zip(COLOUR_NAMES, SEGMENT_COLOURS, strict=True):
            entry = colours.addAction(_swatch_icon(hexed), name)
            entry.triggered.connect(lambda _=False, hexed=hexed: self.recoloured.emit(hexed))
        menu.addMenu(colours)
        return menu

    # --- painting ----------------------------------------------------------------------------------------------

    def draw(self, painter: QPainter) -> None:
        """The ground, then the words from both sides."""
        super().draw(painter)
        standing = self.standing
        if standing is None:
            return
        segment = standing.segment
        marked = standing.accepted or standing.confidence is not None
        paint.swatch(painter, QRectF(36, 7, 18, 18), segment.shown_colour, str(standing.number), filled=marked)
        right = self.width() - 12.0
        right = self._draw_area(painter, right, standing)
        right = self._draw_state(painter, right, standing)
        weight = 500 if self.isChecked() or marked else 400
        ink = colour("text" if marked and not standing.hidden else "muted")
        room = right - _NAME_LEFT - 4
        cut = fonts.text_width(segment.name, fonts.BASE, weight) > room
        if self.toolTip() != (segment.name if cut else ""):
            self.setToolTip(segment.name if cut else "")
        paint.text(painter, QRectF(_NAME_LEFT, 0, room, self.height()), segment.name, ink, fonts.BASE, weight)

    def _draw_area(self, painter: QPainter, right: float, standing: Standing) -> float:
        words = standing.area or "–"
        width = fonts.text_width(words, fonts.SECONDARY) + 1
        rect = QRectF(right - width, 0, width, self.height())
        paint.text(painter, rect, words, colour("muted"), fonts.SECONDARY, 400, paint.RIGHT)
        return right - width - 8

    def _draw_state(self, painter: QPainter, right: float, standing: Standing) -> float:
        """Dashes in the segment's colour and the confidence; or a line and a tick. Dark lines in the light theme."""
        light = colour("panel").lightness() > 128
        pen = QPen(colour("text" if light else standing.segment.shown_colour), 2)
        pen.setCapStyle(Qt.PenCapStyle.FlatCap)
        middle = self.height() / 2
        if standing.confidence is not None:
            words = f"{standing.confidence:.2f}"
            width = fonts.text_width(words, fonts.SECONDARY, 600) + 1
            rect = QRectF(right - width, 0, width, self.height())
            paint.text(painter, rect, words, colour("text"), fonts.SECONDARY, 600, paint.RIGHT)
            left = round(right - width - 24)
            painter.setPen(pen)
            painter.drawLine(left, int(middle), left + 7, int(middle))
            painter.drawLine(left + 10, int(middle), left + 17, int(middle))
            return left - 8.0
        if standing.accepted:
            draw_icon(painter, "check", QRectF(right - 16, 0, 16, self.height()), 16, colour("ok"))
            painter.setPen(pen)
            painter.drawLine(int(right - 38), int(middle), int(right - 22), int(middle))
            return right - 46
        return right


def _swatch_icon(hexed: str) -> QPixmap:
    made = QPixmap(32, 32)
    made.fill(Qt.GlobalColor.transparent)
    painter = paint.painter_on(made)
    paint.ground(painter, QRectF(4, 4, 24, 24), 6, colour(hexed), colour("line2"))
    painter.end()
    made.setDevicePixelRatio(2)
    return made
