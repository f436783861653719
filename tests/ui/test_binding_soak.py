"""The binding must not lose references to None, True and False: 6.12.0 does on Python 3.11, and then it dies."""

from __future__ import annotations

import gc
import sys

from PySide6.QtCore import QObject, QPointF, Qt, QTimer, Signal
from PySide6.QtGui import QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QLabel, QWidget

TIMES = 1000
FEW = TIMES // 4
"""Other objects may come and go meanwhile; a binding that loses references loses one a call."""


class Talker(QObject):
    said = Signal(bool, object)


class Painted(QWidget):
    def paintEvent(self, event: QPaintEvent) -> None:
        QPainter(self).end()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        event.accept()


def test_a_thousand_calls_of_each_kind_lose_no_reference(qapp, qtbot):
    label, painted, talker, timer = QLabel(), Painted(), Talker(), QTimer()
    qtbot.addWidget(label)
    qtbot.addWidget(painted)
    heard: list[str] = []
    ticks: list[int] = []
    talker.said.connect(lambda flag, thing: heard.append(str(flag)))
    timer.timeout.connect(lambda: ticks.append(1))
    painted.resize(50, 50)
    painted.show()
    gc.collect()
    before = [sys.getrefcount(thing) for thing in (None, True, False)]
    for number in range(TIMES):
        label.setText(str(number))
        talker.said.emit(number % 2 == 0, None)
        at = QPointF(number % 40, 5)
        button = Qt.MouseButton.NoButton
        move = QMouseEvent(QMouseEvent.Type.MouseMove, at, at, button, button, Qt.KeyboardModifier.NoModifier)
        qapp.sendEvent(painted, move)
        painted.repaint()
    timer.start(0)
    qtbot.waitUntil(lambda: len(ticks) >= TIMES, timeout=60_000)
    timer.stop()
    after = [sys.getrefcount(thing) for thing in (None, True, False)]
    assert len(heard) == TIMES
    for had, has in zip(before, after, strict=True):
        assert has >= had - FEW
