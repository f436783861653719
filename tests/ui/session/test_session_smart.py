"""The smart tool at work: real mouse events on the real canvas, with answers that come late, never, or from a host."""

from concurrent.futures import Future

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from tests.ui.session.test_session_canvas import LEFT, PLAIN, at, canvas, drag  # noqa: F401
from usfm_studio.document.errors import ChildDied
from usfm_studio.document.prompts import Box, Click
from usfm_studio.ui.engine_watch import EngineWatch
from usfm_studio.verbs.house import House

CTRL = Qt.KeyboardModifier.ControlModifier


class Asked:
    """Stands for the engine: keeps what it is asked, and answers when the test says so."""

    def __init__(self):
        self.prompts, self.futures, self.lasts, self.embedded = [], [], [], 0

    def prompt(self, frame, prompts, model, last_mask=None, *, key=None):
        future = Future()
        if not prompts:
            self.embedded += 1
            return future
        self.prompts.append(tuple(prompts))
        self.lasts.append(last_mask)
        self.futures.append(future)
        self.shape = frame.shape[:2]
        return future

    def answer(self, box, number=-1):
        x0, y0, x1, y1 = box
        marked = np.zeros(self.shape, np.uint8)
        marked[y0:y1, x0:x1] = 1
        self.futures[number].set_result([marked])


@pytest.fixture
def smart(canvas, desk, monkeypatch):  # noqa: F811
    asked = Asked()
    monkeypatch.setattr(House, "engine", property(lambda _house: asked))
    monkeypatch.setattr(EngineWatch, "usable", property(lambda _watch: True))
    canvas.set_tool("smart")
    yield canvas, asked
    canvas.prompting.drop()


def click(canvas, x, y, modifiers=PLAIN):  # noqa: F811
    QTest.mousePress(canvas.view, LEFT, modifiers, at(canvas, x, y))
    QTest.mouseRelease(canvas.view, LEFT, modifiers, at(canvas, x, y))


def area(desk):
    return desk.session.mask().area_px(1)


def test_each_answer_is_one_step_of_the_history(smart, desk):
    canvas, asked = smart  # noqa: F811
    assert asked.embedded == 1  # when the tool was taken up
    click(canvas, 20, 20)
    assert area(desk) == 0  # nothing waits, nothing is painted before the answer
    asked.answer((10, 10, 30, 30))
    desk.wait(lambda: area(desk) == 400)
    click(canvas, 25, 25, CTRL)
    first, second = asked.prompts[-1]
    assert (first.positive, second.positive) == (True, False)
    assert asked.lasts[0] is None
    assert asked.lasts[1].sum() == 400
    asked.answer((10, 10, 20, 30))
    desk.wait(lambda: area(desk) == 200)
    desk.session.undo()
    assert area(desk) == 400
    desk.session.undo()
    assert area(desk) == 0


def test_after_undo_prompts_begin_anew(smart, desk):
    canvas, asked = smart  # noqa: F811
    click(canvas, 20, 20)
    asked.answer((10, 10, 30, 30))
    desk.wait(lambda: area(desk) == 400)
    desk.session.undo()
    desk.quiet()
    click(canvas, 22, 22)
    assert len(asked.prompts[-1]) == 1


def test_the_newest_prompt_wins_over_one_that_waits(smart, desk):
    canvas, asked = smart  # noqa: F811
    click(canvas, 20, 20)
    drag(canvas, (10, 10), (40, 40))
    assert [type(prompt) for prompt in asked.prompts[-1]] == [Click, Box]
    asked.answer((10, 10, 40, 40))
    desk.wait(lambda: area(desk) == 900)
    assert asked.futures[0].cancelled()


def test_an_answer_to_an_outline_that_changed_is_dropped(smart, desk):
    canvas, asked = smart  # noqa: F811
    said = []
    canvas.view.refused.connect(said.append)
    click(canvas, 20, 20)
    canvas.set_tool("brush")
    drag(canvas, (40, 40), (45, 45))
    painted = area(desk)
    asked.answer((0, 0, 5, 5))
    desk.wait(lambda: any("Point again" in words for words in said))
    assert area(desk) == painted > 0


def test_a_dead_engine_loses_nothing(smart, desk):
    canvas, asked = smart  # noqa: F811
    click(canvas, 20, 20)
    asked.answer((10, 10, 30, 30))
    desk.wait(lambda: area(desk) == 400)
    click(canvas, 22, 22)
    asked.futures[-1].set_exception(ChildDied("The engine stopped", "it died", "Click again."))
    desk.wait(lambda: desk.count("notice") >= 1)
    assert area(desk) == 400


def test_a_host_answers_a_click_where_it_was(canvas, desk):  # noqa: F811
    desk.session.start_engine()
    canvas.set_tool("smart")
    click(canvas, 30, 30)
    desk.wait(lambda: area(desk) > 0)
    assert desk.session.mask().to_array()[30, 30] == 1
