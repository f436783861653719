import itertools

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.making import the_encoder
from tests.engine.prompting.making import LIGHT
from tests.engine.prompting.test_clicker import disc
from usfm_studio.document.prompts import Box, Click, Scribble
from usfm_studio.engine.prompting.lesson_frames import OUT, LessonFrame, make_lesson
from usfm_studio.engine.prompting.prompt_decoder import PromptDecoder
from usfm_studio.engine.prompting.session import iou_of
from usfm_studio.engine.prompting.targets import perturbed, region, scrawl, targets_in
from usfm_studio.engine.prompting.training import Recipe, advance, begin, learn, losses


def a_lesson_frame(seed=0):
    """Speckle, a dark disc and a bright square, both marked."""
    rng = np.random.default_rng(seed)
    grey = np.clip(rng.normal(90, 20, (160, 200)), 0, 255)
    ids = np.zeros(grey.shape, np.uint8)
    ids[disc(grey.shape, 70, 60, 25)] = 1
    ids[90:130, 130:175] = 2
    grey[ids == 1], grey[ids == 2] = 20, 200
    return LessonFrame(cv2.GaussianBlur(grey.astype(np.uint8), (0, 0), 1.0), ids)


def embed(x_BCHW):
    with torch.inference_mode():
        return the_encoder()(x_BCHW)


def lessons(seed=0):
    rng = np.random.default_rng(seed)
    made = (make_lesson(a_lesson_frame(i % 3), embed, rng) for i in itertools.count())
    return (lesson for lesson in made if lesson is not None)


@pytest.fixture(scope="module")
def some():
    return list(itertools.islice(lessons(), 6))


def test_segments_and_their_parts_are_targets():
    ids = np.zeros((60, 60), np.uint8)
    ids[5:20, 5:20], ids[30:50, 30:50], ids[0:2, 50:60] = 1, 1, 2
    found = targets_in(ids)
    assert [int(t.sum()) for t in found] == [225 + 400, 225, 400]


@given(st.integers(0, 10**6))
@settings(max_examples=30, deadline=None)
def test_regions_are_one_part_without_holes(seed):
    frame = a_lesson_frame(seed % 3)
    image = cv2.resize(frame.grey, (256, 256)).astype(np.float32) / 255
    found = region(image, np.random.default_rng(0).random((8, 64, 64)).astype(np.float32), np.random.default_rng(seed))
    if found is not None:
        assert cv2.connectedComponents(found.astype(np.uint8))[0] == 2
        outside = cv2.connectedComponents(np.pad(~found, 1, constant_values=True).astype(np.uint8), connectivity=4)[0]
        assert outside <= 3
        assert 0.003 < found.mean() < 0.41


@given(st.integers(0, 10**6), st.integers(8, 40))
@settings(max_examples=30, deadline=None)
def test_a_guess_is_near_its_target_and_a_scrawl_begins_inside(seed, radius):
    rng, target = np.random.default_rng(seed), disc((128, 128), 64, 60, radius)
    assert 0.1 < iou_of(perturbed(target, rng), target) <= 1
    for x, y in scrawl(target, rng):
        assert target[int(y), int(x)]


def test_a_linked_lesson_shows_the_same_target_twice(some):
    linked = [one for one in some if one.linked]
    assert linked
    for lesson in linked:
        native = [place.window.put(place.targets[0], (400, 400), 0.0) > 0.5 for place in (lesson.whole, lesson.zoom)]
        inside = lesson.zoom.window.inside((400, 400))
        assert iou_of(native[0][inside], native[1][inside]) > 0.8


def test_sessions_of_every_kind_begin_and_end(some):
    rng, kinds, ended = np.random.default_rng(0), set(), 0
    for lesson in some * 12:
        session = begin(lesson, rng)
        kinds |= {type(p) for p in session.prompts}
        assert session.seen().shape == (5, 256, 256)
        for _ in range(12):
            noise = rng.normal(0, 0.3, (OUT, OUT)).astype(np.float32)
            if not advance(session, np.clip(session.target + noise, 0, 1), rng):
                ended += 1
                break
    assert kinds == {Click, Box, Scribble}
    assert ended == len(some) * 12


def test_a_click_of_a_session_lies_in_the_error(some):
    rng = np.random.default_rng(1)
    for lesson in some * 5:
        session = begin(lesson, rng)
        nothing = np.zeros((OUT, OUT), np.float32)
        if not session.moves and advance(session, nothing, rng) and isinstance(session.prompts[-1], Click):
            x, y = session.place.window.places(np.array([session.prompts[-1].at_xy]))[0] / 2
            assert session.prompts[-1].positive
            assert session.target[round(y) - 1 : round(y) + 2, round(x) - 1 : round(x) + 2].max() > 0.5


def test_losses_fall_to_nothing_for_the_right_answer():
    target = torch.zeros(2, 1, 32, 32)
    target[:, :, 8:20, 8:20] = 1
    sure = (target * 2 - 1) * 20
    assert float(losses(sure, target)) < 0.01
    assert float(losses(-sure, target)) > 5
    assert float(losses(sure * 0, target)) > float(losses(sure / 10, target))


@pytest.mark.slow
def test_training_learns():
    torch.manual_seed(0)
    decoder = PromptDecoder(the_encoder().channels, LIGHT)
    told = []
    ticks = itertools.count()
    average = learn(
        decoder,
        itertools.cycle(list(itertools.islice(lessons(), 4))),
        Recipe(seconds=50, rate=1e-2, batch=2, pool=6, warm_up=5),
        lambda step, loss, _: told.append(loss),
        clock=lambda: float(next(ticks)),
    )
    assert not average.training
    assert len(told) >= 45
    assert np.mean(told[-12:]) < 0.9 * np.mean(told[:4])
