"""A new proposal fades in; it is never drawn growing."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEasingCurve, QObject, QVariantAnimation

from usfm_studio.ui.shell import theme

FADE_MS = 120


class Fade:
    """Calls `show` with shares from 0 to 1; at once with 1 where the person asked for less motion."""

    def __init__(self, parent: QObject, show: Callable[[float], None]) -> None:
        self._show = show
        self._motion = QVariantAnimation(parent)
        self._motion.setStartValue(0.0)
        self._motion.setEndValue(1.0)
        self._motion.setEasingCurve(QEasingCurve.Type.OutCubic)
        self._motion.valueChanged.connect(show)

    def begin(self) -> None:
        """From nothing to all."""
        self._motion.stop()
        length = theme.duration(FADE_MS)
        if length <= 0:
            self._show(1.0)
            return
        self._show(0.0)
        self._motion.setDuration(length)
        self._motion.start()
