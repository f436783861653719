import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.engine.making import a_frame
from tests.engine.prompting.making import a_prompter
from tests.engine.prompting.test_clicker import disc
from usfm_studio.document.errors import WrongUsage
from usfm_studio.document.prompts import Box, Click, Scribble
from usfm_studio.engine.device import choose_device
from usfm_studio.engine.models.catalogue import shipped_prompter
from usfm_studio.engine.prompting.prompt_model import load_prompts
from usfm_studio.engine.prompting.prompter import WINDOWS_HELD, Prompter
from usfm_studio.engine.prompting.session import Target, iou_of, play

SHAPE = (90, 120)


@pytest.fixture(scope="module")
def device():
    return choose_device("cpu", 1)


@pytest.fixture(scope="module")
def wild(tmp_path_factory, device):
    """Random weights: whatever it says, the promises hold."""
    folder = tmp_path_factory.mktemp("wild") / "p"
    a_prompter(folder, seed=3)
    return Prompter(load_prompts(folder), device)


@pytest.fixture(scope="module")
def shipped(device):
    return Prompter(load_prompts(shipped_prompter()), device)


points = st.tuples(st.integers(0, SHAPE[1] - 1), st.integers(0, SHAPE[0] - 1))
prompts = st.lists(st.builds(Click, points, st.booleans()), min_size=1, max_size=4)


@given(prompts, st.none() | st.tuples(points, st.integers(2, 30)))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_click_holds_whatever_the_network_says(wild, clicks, start):
    last = None if start is None else disc(SHAPE, start[0][1], start[0][0], start[1])
    mask = wild.answer(wild.embed(a_frame()), clicks, last)
    newest = clicks[-1]
    spot = disc(SHAPE, newest.at_xy[1], newest.at_xy[0], 3)
    assert mask.shape == SHAPE
    assert mask.dtype == bool
    assert (mask[spot] == newest.positive).all()
    if last is not None and last.any() and not newest.positive and all(not c.positive for c in clicks):
        assert not (mask & ~last).any()


def test_a_bright_disc_is_found_from_one_click_a_box_and_a_stroke(shipped):
    frame, wanted = a_frame(180, 240), disc((180, 240), 90, 120, 45)
    features = shipped.embed(frame)
    for prompt in (
        Click((120.0, 90.0)),
        Box((73.0, 44.0), (168.0, 137.0)),
        Scribble(((100.0, 90.0), (120.0, 85.0), (140.0, 92.0))),
    ):
        assert iou_of(shipped.answer(features, [prompt]), wanted) > 0.8, prompt


def test_a_mask_from_elsewhere_is_refined_and_stays_where_nobody_pointed(shipped):
    frame = a_frame(180, 240)
    drawn = disc((180, 240), 90, 110, 38)
    drawn[5:15, 5:15] = True  # a person's own mark, far away
    mask = shipped.answer(shipped.embed(frame), [Click((155.0, 90.0))], drawn)
    assert mask[5:15, 5:15].all()
    assert iou_of(mask, disc((180, 240), 90, 120, 45)) > iou_of(drawn, disc((180, 240), 90, 120, 45))


def test_sessions_end_well_on_a_plain_shape(shipped):
    reference = disc((180, 240), 90, 120, 45)
    features = shipped.embed(a_frame(180, 240))
    session = play(
        Target(file="a", subject="a", segment=1, reference=reference),
        lambda said, last: shipped.answer(features, said, last),
    )
    assert session.clicks_to(90, 20) <= 4


def test_torch_and_the_graph_give_the_same_masks(device):
    model = load_prompts(shipped_prompter())
    answers = []
    for compile in (True, False):
        prompter = Prompter(model, device, compile=compile)
        answers.append(prompter.answer(prompter.embed(a_frame(180, 240)), [Click((120.0, 90.0))]))
    assert iou_of(*answers) > 0.999


def test_frames_of_every_kind_are_taken(wild):
    deep = a_frame(60, 200).astype(np.uint16) * 16
    for frame in (deep, np.dstack([a_frame()] * 3), np.zeros((40, 40), np.uint8), np.full((1, 7), 9, np.uint8)):
        middle = Click((frame.shape[1] // 2, frame.shape[0] // 2))
        assert wild.answer(wild.embed(frame), [middle]).shape == frame.shape[:2]


def test_an_empty_mask_is_no_mask(wild):
    features = wild.embed(a_frame())
    empty = np.zeros(SHAPE, np.uint8)
    assert np.array_equal(
        wild.answer(features, [Click((50.0, 50.0))], empty), wild.answer(features, [Click((50.0, 50.0))])
    )


def test_hundreds_of_prompts_and_windows_cost_no_more_memory(wild):
    features = wild.embed(a_frame(300, 400))
    rng = np.random.default_rng(0)
    clicks = [Click((float(x), float(y)), bool(i % 2)) for i, (x, y) in enumerate(rng.integers(0, 300, (300, 2)))]
    for n in range(10, 300, 40):
        mask = wild.answer(features, clicks[:n], disc((300, 400), n, n, 20))
        x, y = clicks[n - 1].at_xy
        assert mask[int(y), int(x)] == clicks[n - 1].positive
    assert len(features.held) <= WINDOWS_HELD + 1


@pytest.mark.parametrize(
    "prompt", [Click((-3.0, 5.0)), Click((120.0, 5.0)), Box((130.0, 5.0), (150.0, 9.0)), Scribble(((5.0, -9.0),))]
)
def test_what_lies_outside_the_frame_is_refused(wild, prompt):
    with pytest.raises(WrongUsage, match="outside the frame"):
        wild.answer(wild.embed(a_frame()), [prompt])


def test_nothing_and_masks_of_another_size_are_refused(wild):
    features = wild.embed(a_frame())
    with pytest.raises(WrongUsage, match="no prompt was given"):
        wild.answer(features, [])
    with pytest.raises(WrongUsage, match="does not fit"):
        wild.answer(features, [Click((5.0, 5.0))], np.zeros((10, 10), bool))
