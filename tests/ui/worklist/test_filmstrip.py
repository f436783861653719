"""The filmstrip goes where it is clicked, moves with the wheel, and shows where each item stands."""

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QHelpEvent
from PySide6.QtWidgets import QApplication, QToolTip, QVBoxLayout, QWidget

from tests.ui.bench import click, drag, move, pixels, show, wheel
from usfm_studio.document.annotation import State
from usfm_studio.ui.worklist.filmstrip import LEFT, Filmstrip
from usfm_studio.ui.worklist.thumbnails import Thumbnails


@pytest.fixture
def strip(bench, qtbot):
    made = Filmstrip(bench.session, Thumbnails(bench.session))
    made.wanted.connect(bench.wanted.append)
    holder = QWidget()
    box = QVBoxLayout(holder)
    box.setContentsMargins(0, 0, 0, 0)
    box.addStretch(1)
    box.addWidget(made)
    show(qtbot, holder, 300, 800)
    return made


def test_a_click_on_a_picture_goes_there(strip, bench, qtbot):
    click(qtbot, strip, strip.picture_rect(2))
    assert bench.row == 2
    assert bench.session.current.id == bench.frame(2)
    assert bench.changes == []


def test_the_item_in_view_comes_into_the_strip(strip, bench):
    bench.go(6)
    rect = strip.picture_rect(6)
    assert rect.left() >= LEFT
    assert rect.right() <= strip.width()
    bench.go(0)
    assert strip.picture_rect(0).left() == LEFT


def test_the_wheel_moves_along_and_stops_at_the_ends(strip, bench):
    before = strip.picture_rect(0).left()
    wheel(strip, -1)
    assert strip.picture_rect(0).left() == before - 68
    wheel(strip, -100)
    assert strip.picture_rect(6).right() == pytest.approx(strip.width() - 4)
    wheel(strip, 100)
    assert strip.picture_rect(0).left() == LEFT
    assert bench.row == 0


def test_the_line_below_stands_for_all_items_and_can_be_dragged_along(strip, bench, qtbot):
    y = strip.height() - 7
    click(qtbot, strip, QPointF(strip.width() - 4, y))
    assert bench.row == 6
    drag(qtbot, strip, QPointF(strip.width() - 4, y), QPointF(LEFT + 2, y))
    assert bench.row == 0


def test_keys_move_among_the_items(strip, bench, qtbot):
    strip.setFocus()
    for key, row in (
        (Qt.Key.Key_Right, 1),
        (Qt.Key.Key_End, 6),
        (Qt.Key.Key_Left, 5),
        (Qt.Key.Key_Home, 0),
        (Qt.Key.Key_Left, 0),
    ):
        qtbot.keyClick(strip, key)
        assert bench.row == row


def test_each_state_looks_different_and_a_screen_reader_hears_it(strip, bench, qtbot):
    seen = []
    for state in State:
        if bench.session.annotation.state is not state:
            bench.session.reviewing.set_state(state)
        bench.settle(qtbot)
        rect = strip.picture_rect(0).toRect()
        seen.append(pixels(strip)[rect.top() : rect.bottom(), rect.left() : rect.right()])
        bench.go(1), bench.go(0)
    assert all(not np.array_equal(a, b) for i, a in enumerate(seen) for b in seen[:i])
    assert strip.accessibleName().startswith("Filmstrip, item 1 of 7: AB-1 · Plane, Unusable")


def test_the_tip_names_item_and_state(strip, bench, qtbot):
    bench.go(1)
    bench.session.reviewing.set_state(State.FLAGGED)
    bench.settle(qtbot)
    at = strip.picture_rect(1).center().toPoint()
    QApplication.sendEvent(strip, QHelpEvent(QEvent.Type.ToolTip, at, strip.mapToGlobal(at)))
    assert QToolTip.text().splitlines()[:2] == ["2 · AB-1 · Plane", "Still · 160 × 120 · Flagged"]
    QApplication.sendEvent(strip, QHelpEvent(QEvent.Type.ToolTip, QPoint(5, 5), strip.mapToGlobal(QPoint(5, 5))))


def test_pictures_come_from_the_reader(strip, bench, qtbot):
    instance = bench.session.navigation.items[3].instance
    qtbot.waitUntil(lambda: strip._thumbnails.get(instance) is not None, timeout=10000)
    rect = strip.picture_rect(3).toRect()
    drawn = pixels(strip)[rect.top() : rect.bottom(), rect.left() : rect.right(), 0]
    assert drawn[22, 40] > 150  # the disc
    assert drawn[4, 4] < 80


def test_it_is_lower_in_a_low_window(strip, qtbot):
    assert strip.height() == 64
    strip.window().resize(300, 720)
    qtbot.waitUntil(lambda: strip.height() == 56, timeout=2000)
    assert strip.picture_rect(0).height() == 36
    strip.window().resize(300, 800)
    qtbot.waitUntil(lambda: strip.height() == 64, timeout=2000)


def test_what_waits_next_has_its_key_and_the_button_asks_for_the_worklist(strip, bench, qtbot):
    assert bench.session.navigation.suggested_row == 1
    bench.session.navigation.next_open()
    assert bench.row == 1
    move(strip, strip.picture_rect(2).center())
    click(qtbot, strip._filter)
    assert bench.wanted == ["view.worklist"]


def test_a_project_that_closes_leaves_an_empty_strip(strip, bench):
    bench.session.close_project()
    assert strip.row_at(QPointF(LEFT + 5, 20)) == -1
    assert strip.row_on_line(QPointF(LEFT + 5, strip.height() - 7)) == -1
    assert strip.accessibleName() == "Filmstrip"
    pixels(strip)


def test_what_is_repainted_in_part_looks_as_if_all_were(strip, bench, qtbot):
    """The screen's own memory of the strip, after moves that repaint a few pictures, against a whole repaint."""
    window = strip.window()
    window.resize(700, 800)
    qtbot.wait(200)
    for row in (1, 4, 2, 2, 6, 0):
        bench.go(row)
        bench.session.reviewing.set_state(State.DOING)
        bench.settle(qtbot)
        qtbot.wait(20)
    screen = window.screen().grabWindow(window.winId()).toImage()
    whole = window.grab().toImage()
    assert screen.size() == whole.size()
    assert screen.convertToFormat(whole.format()) == whole
