"""The worklist finds by words, filters by state, says why an item wants a look, and keeps its place."""

import pytest
from PySide6.QtCore import QPointF, Qt

from tests.ui.bench import click, move, pixels, show, too_long, wheel
from usfm_studio.document.annotation import State
from usfm_studio.ui.worklist.drawer import Drawer
from usfm_studio.ui.worklist.thumbnails import Thumbnails


@pytest.fixture
def drawer(bench, qtbot):
    made = Drawer(bench.session, Thumbnails(bench.session))
    made.wanted.connect(bench.wanted.append)
    return show(qtbot, made, 272, 560)


def put(bench, qtbot, row, state):
    bench.go(row)
    bench.session.reviewing.set_state(state)
    bench.settle(qtbot)


def find(drawer, qtbot, words):
    drawer.search.clear()
    qtbot.keyClicks(drawer.search, words)
    qtbot.wait(120)
    return drawer.rows.shown()


def test_all_items_are_there_under_the_heads_of_their_kind(drawer):
    assert drawer.rows.shown() == [0, 1, 2, 3, 4, 5, 6]
    heads = [line.head for line in drawer.rows._lines if line.row < 0]
    assert heads == ["Suggested next", "Head", "Carotid"]
    assert drawer.head.note.text() == "7"
    assert too_long(drawer) == []


def test_words_find_subject_kind_state_and_label(drawer, bench, qtbot):
    put(bench, qtbot, 2, State.FLAGGED)
    bench.go(4)
    bench.session.reviewing.toggle_label("poor")
    bench.settle(qtbot)
    assert find(drawer, qtbot, "ab-2") == [2, 3]
    assert find(drawer, qtbot, "AB-2 flagged") == [2]
    assert find(drawer, qtbot, "loop") == [6]
    assert find(drawer, qtbot, "poor") == [4]
    assert drawer.head.note.text() == "1 of 7"
    assert find(drawer, qtbot, "zzz") == []
    assert drawer._nothing.text() == "Nothing is found for “zzz”"
    click(qtbot, drawer.clear)
    assert len(drawer.rows.shown()) == 7
    assert drawer.search.text() == ""


def test_filters_count_and_show(drawer, bench, qtbot):
    put(bench, qtbot, 1, State.FLAGGED)
    put(bench, qtbot, 3, State.NOTHING)
    assert [chip.accessibleName() for chip in drawer.chips] == ["All 7", "To do 5", "Flagged 1"]
    click(qtbot, drawer.chips[2])
    assert drawer.rows.shown() == [1]
    click(qtbot, drawer.chips[1])
    assert drawer.rows.shown() == [0, 2, 4, 5, 6]
    find(drawer, qtbot, "flagged")
    assert drawer._nothing.text() == "Nothing is both to do and “flagged”"
    assert too_long(drawer) == []


def test_a_click_goes_there_and_a_head_leads_nowhere(drawer, bench, qtbot):
    click(qtbot, drawer.rows, drawer.rows.row_rect(3))
    assert bench.row == 3
    click(qtbot, drawer.rows, QPointF(60, 8))
    assert bench.row == 3
    assert bench.changes == []


def test_keys_move_among_what_is_shown(drawer, bench, qtbot):
    put(bench, qtbot, 1, State.NOTHING)
    click(qtbot, drawer.chips[1])
    bench.go(0)
    drawer.rows.setFocus()
    qtbot.keyClick(drawer.rows, Qt.Key.Key_Down)
    assert bench.row == 2  # the one with nothing to mark is not among them
    qtbot.keyClick(drawer.rows, Qt.Key.Key_End)
    assert bench.row == 6
    assert drawer.rows.row_rect(6).top() >= 0
    assert drawer.rows.row_rect(6).bottom() <= drawer.rows.height() + 1
    qtbot.keyClick(drawer.rows, Qt.Key.Key_Home)
    assert bench.row == 0


def test_a_flag_is_told_with_its_note(drawer, bench, qtbot):
    put(bench, qtbot, 5, State.FLAGGED)
    bench.session.reviewing.set_note("Wrong side?")
    bench.settle(qtbot)
    assert drawer.rows._standing(bench.session.navigation.items[5]) == ("“Wrong side?”", "warning")
    assert find(drawer, qtbot, "wrong side") == [5]
    move(drawer.rows, drawer.rows.row_rect(5).center())
    assert "“Wrong side?”" in drawer.rows.toolTip()


def test_the_place_stays_while_something_changes_elsewhere(drawer, bench, qtbot):
    drawer.resize(272, 360)
    wheel(drawer.rows, -2)
    before = drawer.rows.row_rect(4).top()
    bench.propose(6, 3)
    bench.settle(qtbot)
    assert drawer.rows.row_rect(4).top() == before
    bench.go(1)
    assert drawer.rows.row_rect(1).top() >= 0  # another item: it comes into view


def test_a_hidden_drawer_catches_up_when_it_is_shown(drawer, bench, qtbot):
    drawer.hide()
    put(bench, qtbot, 1, State.FLAGGED)
    assert drawer.chips[2].accessibleName() == "Flagged 0"
    drawer.show()
    assert drawer.chips[2].accessibleName() == "Flagged 1"


def test_the_suggestion_on_top_is_what_n_leads_to(drawer, bench, qtbot):
    suggested = [line for line in drawer.rows._lines if line.suggested]
    assert [line.row for line in suggested] == [1]
    at = drawer.rows._lines.index(suggested[0])
    click(qtbot, drawer.rows, drawer.rows.line_rect(at))
    assert bench.row == 1
    click(qtbot, drawer.chips[2])
    assert [line for line in drawer.rows._lines if line.suggested] == []


def test_an_empty_project_says_how_to_begin(drawer, bench):
    bench.session.close_project()
    drawer.refresh()
    assert drawer._nothing.text() == "No images yet"
    assert not drawer.clear.isVisible()
    pixels(drawer)


def test_the_button_at_the_head_asks_to_close(drawer, bench, qtbot):
    click(qtbot, drawer.pin)
    assert bench.wanted == ["view.worklist"]
    assert drawer.pin.accessibleName() == "Close the worklist"


def test_what_is_repainted_in_part_looks_as_if_all_were(drawer, bench, qtbot):
    qtbot.wait(200)
    for row in (1, 4, 2, 6, 0):
        bench.go(row)
        qtbot.wait(20)
    drawer.rows.leaveEvent(None)
    qtbot.wait(20)
    screen = drawer.screen().grabWindow(drawer.winId()).toImage()
    whole = drawer.grab().toImage()
    assert screen.convertToFormat(whole.format()) == whole
