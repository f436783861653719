"""The smart tool turns events into prompts; it needs neither a window nor a model for that."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usfm_studio.document.frame import FrameId
from usfm_studio.document.mask import Mask
from usfm_studio.document.prompts import Box, Click, Scribble
from usfm_studio.ui.tools.smart import Smart
from usfm_studio.ui.tools.tool import (
    NOTHING,
    Ask,
    Cancel,
    Finish,
    Modifiers,
    Move,
    Nothing,
    Press,
    Preview,
    Release,
    Scene,
)

CTRL, SHIFT = Modifiers(ctrl=True), Modifiers(shift=True)
SCENE = Scene(frame=FrameId("0" * 64, 0), mask=Mask.empty((100, 140)), segment=1, reach_px=4.0)


def play(events, scene=SCENE):
    gesture, answers = None, []
    for event in events:
        gesture, answer = Smart().on(event, gesture, scene)
        answers.append(answer)
    assert gesture is None
    return answers[-1]


def drag(*points, modifiers=Modifiers()):
    first, *rest = points
    moves = [Move(xy=xy) for xy in rest]
    return play([Press(xy=first, modifiers=modifiers), *moves, Release(xy=points[-1])])


@pytest.mark.parametrize(("modifiers", "positive"), [(Modifiers(), True), (CTRL, False)])
def test_a_press_that_does_not_travel_is_a_click(modifiers, positive):
    assert drag((20.0, 30.0), (21.0, 31.0), modifiers=modifiers) == Ask(prompt=Click((20.0, 30.0), positive))


def test_a_drag_is_a_box_whichever_way_it_goes():
    assert drag((60.0, 10.0), (20.0, 50.0)) == Ask(prompt=Box((20.0, 10.0), (60.0, 50.0)))


def test_a_box_of_no_height_asks_nothing():
    assert drag((20.0, 10.0), (60.0, 10.0)) == NOTHING


def test_a_box_that_leaves_the_image_ends_at_its_edge():
    assert drag((20.0, 10.0), (500.0, 400.0)) == Ask(prompt=Box((20.0, 10.0), (139.0, 99.0)))


@pytest.mark.parametrize(("modifiers", "positive"), [(SHIFT, True), (Modifiers(ctrl=True, shift=True), False)])
def test_with_shift_a_drag_is_a_scribble(modifiers, positive):
    line = ((20.0, 10.0), (40.0, 20.0), (60.0, 25.0))
    assert drag(*line, modifiers=modifiers) == Ask(prompt=Scribble(line, positive))


@pytest.mark.parametrize("xy", [(-1.0, 5.0), (5.0, -1.0), (140.0, 5.0), (5.0, 100.0)])
def test_a_press_outside_the_image_asks_nothing(xy):
    assert play([Press(xy=xy), Release(xy=xy)]) == NOTHING


@pytest.mark.parametrize("end", [Cancel(), Finish()])
def test_a_prompt_that_was_not_finished_is_forgotten(end):
    assert play([Press(xy=(5.0, 5.0)), Move(xy=(50.0, 50.0)), end]) == NOTHING


def test_without_a_segment_it_says_what_to_do():
    scene = Scene(frame=SCENE.frame, mask=SCENE.mask, segment=0)
    answer = play([Press(xy=(5.0, 5.0))], scene)
    assert isinstance(answer, Nothing)
    assert "segment" in answer.why


def test_a_box_under_way_is_shown_whole():
    tool = Smart()
    gesture, _ = tool.on(Press(xy=(10.0, 10.0)), None, SCENE)
    _, answer = tool.on(Move(xy=(40.0, 30.0)), gesture, SCENE)
    assert isinstance(answer, Preview)
    assert set(answer.points) == {(10.0, 10.0), (40.0, 10.0), (40.0, 30.0), (10.0, 30.0)}


POINTS = st.tuples(st.floats(-50, 200), st.floats(-50, 200))


@given(st.lists(POINTS, min_size=1, max_size=6), st.booleans(), st.booleans())
def test_whatever_is_asked_lies_in_the_image(points, ctrl, shift):
    answer = drag(*points, modifiers=Modifiers(ctrl=ctrl, shift=shift))
    if isinstance(answer, Ask):
        prompt = answer.prompt
        at = [prompt.at_xy] if isinstance(prompt, Click) else (
            [prompt.first_xy, prompt.last_xy] if isinstance(prompt, Box) else prompt.points_xy
        )  # fmt: skip
        assert all(0 <= x <= 139 and 0 <= y <= 99 for x, y in at)
