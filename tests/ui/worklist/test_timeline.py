"""The loop's timeline: frames by press and drag, transport, what is accepted, proposed, flagged, and how sure."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QPointF, Qt

from tests.ui.bench import LOOP, click, drag, pixels, show, too_long
from usfm_studio.document.annotation import State
from usfm_studio.ui.worklist.band import runs
from usfm_studio.ui.worklist.timeline import FPS, Timeline, rate_words


@pytest.fixture
def line(bench, qtbot):
    bench.go(LOOP)
    return show(qtbot, Timeline(bench.session), 1280, 56)


def place(band, index):
    return QPointF((index + 0.5) / 22 * band.width(), 22)


def test_a_press_goes_to_the_frame_and_a_drag_scrubs(line, bench, qtbot):
    click(qtbot, line.band, place(line.band, 9))
    assert bench.session.current.index == 9
    assert line.place.text() == "Frame 10 / 22"
    drag(qtbot, line.band, place(line.band, 9), place(line.band, 20))
    assert bench.session.current.index == 20
    assert bench.changes == []


def test_transport_steps_and_plays(line, bench, qtbot):
    for button, index in ((line._last, 21), (line._back, 20), (line._first, 0), (line._forth, 1)):
        click(qtbot, button)
        assert bench.session.current.index == index
    click(qtbot, line.play)
    assert bench.session.navigation.playing
    assert line.play.accessibleName() == "Pause"
    click(qtbot, line.band, place(line.band, 3))
    assert not bench.session.navigation.playing
    assert line.play.accessibleName() == "Play"


def test_keys_step_through_the_frames(line, bench, qtbot):
    line.band.setFocus()
    for key, index in (
        (Qt.Key.Key_Right, 1),
        (Qt.Key.Key_PageDown, 11),
        (Qt.Key.Key_End, 21),
        (Qt.Key.Key_Left, 20),
        (Qt.Key.Key_Home, 0),
    ):
        qtbot.keyClick(line.band, key)
        assert bench.session.current.index == index


def test_the_band_knows_what_stands_on_each_frame(line, bench, qtbot):
    empty = pixels(line.band)
    bench.propose(LOOP, 4, confidence=0.41, values=(3,))
    bench.propose(LOOP, 5, confidence=0.8, values=(3,))
    bench.go(LOOP, 5)
    bench.session.reviewing.accept()
    bench.go(LOOP, 7)
    bench.session.reviewing.set_state(State.FLAGGED)
    values = line.band.values
    assert [values.look(i) for i in (3, 4, 5, 7)] == ["", "proposed", "accepted", ""]
    assert values.words(4) == "Frame 5: proposed, 0.41"
    assert values.words(7) == "Frame 8: flagged"
    assert values.least_sure(3, 0.6) == [(4, 0.41)]
    assert (pixels(line.band) != empty).any()
    assert line.band.accessibleName() == "Frames of the loop. Frame 8: flagged"


def test_what_changes_while_a_still_is_in_view_is_there_on_the_way_back(line, bench, qtbot):
    bench.go(0)
    bench.propose(LOOP, 2, values=(3,))
    bench.go(LOOP)
    assert line.band.values.look(2) == "proposed"
    bench.session.undo()
    bench.session.close_project()
    assert line.band.values.states == []


def test_proposals_that_stand_already_are_read_bit_by_bit(bench, qtbot):
    for index in range(22):
        bench.propose(LOOP, index, confidence=0.5 + index / 100, values=(3,))
    bench.go(LOOP)
    line = show(qtbot, Timeline(bench.session), 1280, 56)
    qtbot.waitUntil(lambda: all(sure is not None for sure in line.band.values.sure), timeout=5000)
    assert [round(sure, 2) for sure in line.band.values.sure[:3]] == [0.5, 0.51, 0.52]


def test_the_rate_is_the_file_s_until_another_is_chosen(line, bench, qtbot):
    assert line.rate.currentText() == rate_words(bench.session.navigation.fps)
    line.rate.setCurrentIndex(line.rate.findText("25 fps"))
    line.rate.activated.emit(line.rate.currentIndex())
    assert bench.session.navigation.fps == 25
    bench.session.navigation.set_fps(29.97)
    assert line.rate.currentText() == "29.97 fps"
    order = [line.rate.itemData(i) for i in range(line.rate.count())]
    assert order == sorted({*FPS, 29.97, 10.0})
    assert line.assumed.isVisible() == bench.session.instance.playback_assumed
    assert too_long(line) == []


def test_it_is_taller_in_a_tall_window(line, qtbot):
    line.setFixedHeight(56)
    line._fit_height(1440)
    assert line.height() == 96
    line._fit_height(800)
    assert line.height() == 56


@given(st.lists(st.sampled_from("ab "), max_size=40))
def test_runs_put_together_give_the_values(values):
    found = runs(values)
    assert [v for start, end, v in found for _ in range(end - start)] == values
    assert all(a[1] == b[0] and a[2] != b[2] for a, b in pairwise(found))
