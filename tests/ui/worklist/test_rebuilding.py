"""A panel made in mid-session looks like the one that was there from the start: nothing hides in widgets."""

import numpy as np
import pytest
from PySide6.QtCore import QRectF, Qt
from PySide6.QtWidgets import QWidget

from tests.ui.bench import LOOP, pixels, show
from usfm_studio.document.annotation import State
from usfm_studio.ui.review.inspector import Inspector
from usfm_studio.ui.shell.focus import shape_of
from usfm_studio.ui.training.learn_page import LearnPage
from usfm_studio.ui.training.verdict_page import VerdictPage
from usfm_studio.ui.worklist.drawer import Drawer
from usfm_studio.ui.worklist.filmstrip import Filmstrip
from usfm_studio.ui.worklist.import_page import ImportPage
from usfm_studio.ui.worklist.thumbnails import Thumbnails
from usfm_studio.ui.worklist.timeline import Timeline

MAKES = {
    "filmstrip": (lambda session, pictures: Filmstrip(session, pictures), 900, 64),
    "timeline": (lambda session, pictures: Timeline(session), 900, 56),
    "drawer": (lambda session, pictures: Drawer(session, pictures), 272, 500),
    "import": (lambda session, pictures: ImportPage(session, pictures), 900, 600),
    "learn": (lambda session, pictures: LearnPage(session), 1280, 736),
    "verdict": (lambda session, pictures: VerdictPage(session), 1280, 736),
}


@pytest.mark.parametrize("name", list(MAKES))
def test_a_panel_can_be_made_anew_at_any_time(name, bench, qtbot):
    make, width, height = MAKES[name]
    pictures = Thumbnails(bench.session)
    old = show(qtbot, make(bench.session, pictures), width, height)
    bench.propose(1)
    bench.go(2)
    bench.session.reviewing.set_state(State.FLAGGED)
    for index in (3, 4):
        bench.propose(LOOP, index, values=(3,), confidence=0.4)
    bench.go(LOOP, 4)
    bench.session.reviewing.accept()
    bench.settle(qtbot)
    new = show(qtbot, make(bench.session, pictures), width, height)
    bench.settle(qtbot)
    qtbot.wait(400)  # pictures come
    assert np.array_equal(pixels(old), pixels(new))


@pytest.mark.parametrize("name", [*MAKES, "inspector"])
def test_whatever_the_keyboard_reaches_has_a_name_and_a_place_for_the_ring(name, bench, qtbot):
    make, width, height = MAKES.get(name, (lambda session, pictures: Inspector(session, pictures), 288, 736))
    bench.propose(0, labels={"good": 0.3})
    panel = show(qtbot, make(bench.session, Thumbnails(bench.session)), width, height)
    qtbot.wait(30)
    reached = [w for w in (panel, *panel.findChildren(QWidget)) if w.focusPolicy() & Qt.FocusPolicy.TabFocus]
    for widget in (w for w in reached if w.isVisible()):
        assert widget.accessibleName(), widget
        shape = shape_of(widget).rect
        assert shape.isValid()
        assert shape.intersects(QRectF(widget.rect()))
