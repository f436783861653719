"""What the window is put together from: the other rooms' widgets, made by functions, so that tests can give others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from usfm_studio.ui.shell.action import Stage

if TYPE_CHECKING:
    from usfm_studio.ui.session import Session


class CanvasLink(QObject):
    """The canvas as the window sees it: a widget, a stage for actions, and news of three kinds."""

    hints_changed = Signal(object)  # tuple[tuple[str, str], ...]: what buttons and keys do now
    busy_changed = Signal(bool)  # a stroke is under way
    view_changed = Signal()  # tool, overlays or greys are others
    refused = Signal(str)  # why a tool did nothing
    menu_wanted = Signal(object)  # QPoint on the screen: a right click that was no drag

    def __init__(self, widget: QWidget, stage: Stage) -> None:
        super().__init__(widget)
        self.widget, self.stage = widget, stage
        self.tool = "select"
        self.overlays = True
        self.inverted = False

    def set_covered(self, left: int) -> None:
        """How much of the canvas a drawer hides at its left."""


Make = Callable[["Session"], QWidget]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rooms:
    """One function a part. Pages are made when they are first shown."""

    canvas: Callable[[Session], CanvasLink]
    inspector: Make
    filmstrip: Make
    timeline: Make
    worklist: Make
    learn: Make
    verdict: Make
    files: Make
