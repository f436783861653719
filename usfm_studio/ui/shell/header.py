"""The top line: menu, project, whose image, which item, saved, engine, learning, palette."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QWidget

from usfm_studio.ui.shell import fonts, paint
from usfm_studio.ui.shell.controls import ElidedLabel, IconButton, IconMark, Label, ProgressRing, Rule, StateDot
from usfm_studio.ui.shell.controls.base import Pressable
from usfm_studio.ui.shell.icons import draw_icon
from usfm_studio.ui.shell.theme import colour
from usfm_studio.ui.shell.tokens import HEADER, RADIUS
from usfm_studio.ui.shell.words import clock
from usfm_studio.ui.state import EngineState, SavedState, TrainingState

SAVED = {
    "saved": ("circle-check", "ok", "muted"),
    "saving": ("refresh", "muted", "muted"),
    "unsaved": ("alert-triangle", "error", "error"),
    "readonly": ("lock", "warning", "warning"),
}
ENGINE_INK = {"ready": "ok", "busy": "ok", "starting": "muted", "restarting": "warning", "stopped": "error"}
LONGEST_PROJECT = 180


class ProjectButton(Pressable):
    """The project's name; opens the list of projects."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setText("USFM Studio")
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self._arrow = False
        self.set_project("")

    def set_project(self, name: str) -> None:
        """The open project's name; empty for none."""
        self._arrow = bool(name)
        self.setText(name or "USFM Studio")
        self.setAccessibleName(f"Project {name}" if name else "USFM Studio")
        self.setToolTip("Projects" if name else "")
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        """The name, cut at 180 px, and an arrow."""
        width = min(fonts.text_width(self.text(), fonts.BASE, 600), LONGEST_PROJECT)
        return QSize(round(width + (8 + 20 + 4 if self._arrow else 16)), 28)

    def text_room(self) -> tuple[float, float]:
        """(width of the name, room for it)."""
        width = min(fonts.text_width(self.text(), fonts.BASE, 600), LONGEST_PROJECT)
        return width, self.width() - (28.0 if self._arrow else 12.0)

    def draw(self, painter: QPainter) -> None:
        """Ground under the mouse, name, arrow."""
        rect = QRectF(self.rect())
        if self.sunk or self.lit:
            paint.ground(painter, rect, RADIUS, colour("pressed") if self.sunk else paint.clear("hover", self.lit))
        room = rect.adjusted(8, 0, -22 if self._arrow else -8, 0)
        paint.text(painter, room, self.text(), colour("text"), fonts.BASE, 600)
        if self._arrow:
            draw_icon(painter, "chevron-down", QRectF(rect.right() - 21, 0, 16, rect.height()), 16, colour("text"))


class SavedSign(QWidget):
    """When the last act was written. Red and on a ground when it was not."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._alarm = False
        self._icon = IconMark("circle-check", size=16, ink="ok")
        self._words = Label("", size=fonts.SECONDARY, weight=500, ink="muted")
        box = QHBoxLayout(self)
        box.setContentsMargins(8, 0, 8, 0)
        box.setSpacing(6)
        box.addWidget(self._icon)
        box.addWidget(self._words)
        self.setFixedHeight(28)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def show_state(self, saved: SavedState) -> None:
        """Another state."""
        icon, ink, words = SAVED.get(saved.kind, ("circle-check", "ok", "muted"))
        self._alarm = saved.kind == "unsaved"
        self._icon.set_icon(icon, ink)
        self._words.set_ink(words)
        self._words.setText(saved.text)
        self.setAccessibleName(saved.text)
        self.setVisible(saved.kind != "none")
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """The ground of an alarm."""
        if self._alarm:
            painter = paint.painter_on(self)
            paint.ground(painter, QRectF(self.rect()), RADIUS, colour("error_ground"))
            painter.end()


class LearningSign(QWidget):
    """A run that goes on: ring, percent, time left, and a square that stops it."""

    stop = Signal()
    show_run = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.ring = ProgressRing("Learning")
        self._percent = Label("", size=fonts.SECONDARY, weight=600)
        self._left = Label("", size=fonts.SECONDARY, ink="muted")
        self.stop_button = IconButton("player-stop-filled", "Stop and keep the best", size=16, side=28, ink="text")
        self.stop_button.clicked.connect(self.stop)
        box = QHBoxLayout(self)
        box.setContentsMargins(8, 0, 0, 0)
        box.setSpacing(8)
        for widget in (self.ring, self._percent, self._left, self.stop_button):
            box.addWidget(widget)
        self.setFixedHeight(28)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.hide()

    def show_state(self, training: TrainingState | None) -> None:
        """Another state; hidden when no run is on."""
        running = training is not None and training.running
        self.setVisible(running)
        if training is None or not running:
            return
        words = "Comparing" if training.stopping else f"Learning {round(training.percent)} %"
        self._percent.setText(words)
        self._left.setText(f"{clock(training.left_s)} left" if training.left_s is not None else "")
        self.ring.set_part(training.percent / 100)
        self.setAccessibleName(f"{words}, {self._left.text()}")
        self.stop_button.setEnabled(not training.stopping)

    def mouseReleaseEvent(self, event: object) -> None:
        """Show the run."""
        self.show_run.emit()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Ground, and a line before the square."""
        painter = paint.painter_on(self)
        paint.ground(painter, QRectF(self.rect()), RADIUS, colour("selected"))
        painter.fillRect(QRectF(self.stop_button.x() - 1, 0, 1, self.height()), colour("panel"))
        painter.end()


def _add(box: QHBoxLayout, parts: tuple[QWidget | int, ...]) -> None:
    for part in parts:
        if isinstance(part, int):
            box.addSpacing(part)
        else:
            box.addWidget(part)


class Header(QWidget):
    """40 px. Everything in it is set from outside; it emits what was pressed."""

    menu = Signal(QPoint)
    projects = Signal(QPoint)
    step_item = Signal(int)
    palette_wanted = Signal()
    settings_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFixedHeight(HEADER)
        self.setAccessibleName("Header")
        self.menu_button = IconButton("menu-2", "Menu")
        self.project = ProjectButton()
        self.rule = Rule(upright=True, ink="line")
        self.rule.setFixedHeight(20)
        self.name = ElidedLabel("", size=fonts.CARD_TITLE, weight=600, least=200)
        self.details = ElidedLabel("", size=fonts.SECONDARY, weight=500, ink="muted", least=0)
        self.previous = IconButton("chevron-left", "Previous item", key="A")
        self.place = Label("", size=fonts.SECONDARY, weight=600, align=paint.CENTRE)
        self.next = IconButton("chevron-right", "Next item", key="D")
        self.saved = SavedSign()
        self.dot = StateDot("muted")
        self.engine = Label("", size=fonts.SECONDARY, weight=500, ink="muted")
        self.learning = LearningSign()
        self.palette_button = IconButton("command", "Find an action", key="Ctrl+Shift+P")
        self.settings_button = IconButton("settings", "Settings", key="Ctrl+,")
        self._lay_out()
        self.menu_button.clicked.connect(lambda: self.menu.emit(self._under(self.menu_button)))
        self.project.clicked.connect(lambda: self.projects.emit(self._under(self.project)))
        self.previous.clicked.connect(lambda: self.step_item.emit(-1))
        self.next.clicked.connect(lambda: self.step_item.emit(1))
        self.palette_button.clicked.connect(self.palette_wanted)
        self.settings_button.clicked.connect(self.settings_wanted)
        self.show_place(-1, 0)
        self.show_patient("", "")
        self.show_page("empty")

    def _lay_out(self) -> None:
        box = QHBoxLayout(self)
        box.setContentsMargins(8, 0, 8, 0)
        box.setSpacing(0)
        left: tuple[QWidget | int, ...] = (
            self.menu_button,
            self.project,
            8,
            self.rule,
            14,
            self.name,
            10,
            self.details,
        )
        right: tuple[QWidget | int, ...] = (
            self.previous, self.place, self.next, 16, self.saved, 8, self.dot, 8, self.engine, 16,
            self.learning, 8, self.palette_button, self.settings_button,
        )  # fmt: skip
        _add(box, left)
        box.addStretch(1)
        _add(box, right)

    def _under(self, button: QWidget) -> QPoint:
        return button.mapToGlobal(QPoint(0, button.height() + 4))

    def show_page(self, page: str) -> None:
        """Which signs a page wants."""
        self.settings_button.setVisible(page == "empty")
        self.palette_button.setVisible(page != "empty")

    def show_patient(self, name: str, details: str) -> None:
        """Whose image it is; empty texts hide the strip."""
        self.name.setText(name)
        self.details.setText(details)
        for widget in (self.rule, self.name, self.details):
            widget.setVisible(bool(name))

    def show_place(self, index: int, count: int) -> None:
        """Which item of how many; hidden without any."""
        self.place.setText(f"Item {index + 1} / {count}")
        shown = count > 0 and index >= 0
        for widget in (self.previous, self.place, self.next):
            widget.setVisible(shown)
        self.previous.setEnabled(index > 0)
        self.next.setEnabled(index < count - 1)

    def show_engine(self, engine: EngineState) -> None:
        """State and device of the engine."""
        self.dot.set_ink(ENGINE_INK.get(engine.kind, "muted"))
        self.engine.setText(engine.text)
        self.engine.setAccessibleName(engine.text)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Ground and hairline."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), colour("panel"))
        painter.fillRect(0, self.height() - 1, self.width(), 1, colour("line"))
        painter.end()
