"""The instant head at work: what it has learned is what it was told last, in this process and in the real host."""

import os
import signal

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from usfm_studio.engine.client import Engine
from usfm_studio.engine.doors import FramePixels, LessonsLacking
from usfm_studio.engine.doors import Lesson as LessonSent
from usfm_studio.engine.learning.lessons import LEAST_LEFT_OUT, Lesson, TaughtHead
from usfm_studio.engine.models.catalogue import shipped_encoder
from usfm_studio.engine.models.features import Features
from usfm_studio.engine.models.placement import place

LONG = 150
CHANNELS = {2: 6, 8: 10, 32: 20}
pytestmark = pytest.mark.timeout(170)


def a_scene(seed, rows=96, columns=128):
    """Speckle with a brighter disc somewhere, and the disc's mask."""
    rng = np.random.default_rng(seed)
    r, c = np.mgrid[:rows, :columns]
    inside = (r - rng.uniform(35, 60)) ** 2 + (c - rng.uniform(40, 90)) ** 2 < rng.uniform(18, 28) ** 2
    pixels = np.clip(rng.rayleigh(np.where(inside, 70, 25)), 0, 255).astype(np.uint8)
    return pixels, inside.astype(np.uint8)


def features_of(seed):
    """Maps that know the disc, as an encoder's do, and noise beside it."""
    pixels, ids = a_scene(seed)
    x_1HW, placement = place(pixels, 128)
    rng = np.random.default_rng(seed + 1000)
    maps = {}
    for stride, width in CHANNELS.items():
        shape = placement.size_rc[0] // stride, placement.size_rc[1] // stride
        map_chw = rng.normal(0, 1, (width, *shape)).astype(np.float32)
        map_chw[0] += torch.nn.functional.adaptive_avg_pool2d(torch.from_numpy(x_1HW), shape)[0].numpy() * 8
        maps[stride] = torch.from_numpy(map_chw)[None]
    return Features(maps, torch.zeros(1, 1)), placement, ids, x_1HW


SCENES = {seed: features_of(seed) for seed in range(6)}


def lesson(frame, revision=0):
    return Lesson(f"frame{frame}", str(revision), f"subject{frame // 2}")


def teach(head, lessons):
    for one in head.missing(lessons):
        features, placement, ids, x_1HW = SCENES[int(one.key.removeprefix("frame"))]
        head.take(one, features, placement, ids if one.revision == "0" else np.roll(ids, int(one.revision), 1), x_1HW)
    head.learn(lessons)


def answer(head, scene=5):
    features, placement, _, x_1HW = SCENES[scene]
    return head.propose(features, placement, x_1HW)


LISTS = st.lists(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 1)), min_size=1, max_size=5, unique_by=lambda x: x[0]),
    min_size=1,
    max_size=6,
)


@given(LISTS)
@settings(max_examples=12, deadline=None)
def test_whatever_was_learned_before_only_the_last_lessons_count(steps):
    """Frames are accepted, corrected, taken back and accepted again; a fresh head that hears only the end agrees."""
    travelled, fresh = TaughtHead(CHANNELS), TaughtHead(CHANNELS)
    for step in steps:
        teach(travelled, [lesson(*one) for one in step])
    teach(fresh, [lesson(*one) for one in steps[-1]])
    (ids, sure), (wanted, wanted_sure) = answer(travelled), answer(fresh)
    assert (ids != wanted).mean() < 1e-4  # sums that were added and taken off again differ in the last digits
    assert sure == pytest.approx(wanted_sure, abs=1e-4)


def test_a_lesson_that_is_withdrawn_is_forgotten_and_one_that_changes_is_replaced():
    head, alone = TaughtHead(CHANNELS), TaughtHead(CHANNELS)
    teach(alone, [lesson(0)])
    alone_ids, _ = answer(alone)
    teach(head, [lesson(0)])
    teach(head, [lesson(0), lesson(2)])
    assert (answer(head)[0] != alone_ids).any()
    teach(head, [lesson(0)])
    assert np.array_equal(answer(head)[0], alone_ids)
    teach(head, [lesson(0, revision=9)])
    assert (answer(head)[0] != alone_ids).any()
    assert head.missing([lesson(0)]) == [lesson(0)], "what does not count is let go"


def test_an_untaught_head_says_so():
    head = TaughtHead(CHANNELS)
    with pytest.raises(ValueError, match="nothing has been learned"):
        answer(head)
    with pytest.raises(ValueError, match="never taken"):
        head.learn([lesson(0)])


def test_what_is_left_out_is_told_from_two_subjects_on():
    head = TaughtHead(CHANNELS)
    teach(head, [lesson(0), lesson(1)])
    assert head.left_out == {}
    teach(head, [lesson(0), lesson(1), lesson(2)])
    assert 0.2 < head.left_out[1] <= 1


def test_a_segment_that_left_out_subjects_get_badly_is_not_proposed():
    """The second subject's mask has nothing to do with its image: whoever learned from one fails on the other."""
    head = TaughtHead(CHANNELS)
    teach(head, [lesson(0)])
    assert answer(head)[0].any(), "with one subject nothing is known against it"
    odd = lesson(2)
    features, placement, ids, x_1HW = SCENES[2]
    corner = np.zeros_like(ids)
    corner[:6, :6] = 1
    head.take(odd, features, placement, corner, x_1HW)
    head.learn([lesson(0), odd])
    assert head.left_out[1] < LEAST_LEFT_OUT
    ids, confidences = answer(head)
    assert not ids.any()
    assert confidences == {}


# --- in the host --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    engine = Engine(device="cpu", cache_folder=tmp_path_factory.mktemp("cache"), threads=1)
    engine.start()
    yield engine
    engine.stop()


def sent(seed, *, whole, value=1):
    pixels, ids = a_scene(seed)
    body = {"pixels": FramePixels(key=f"f{seed}", array=pixels), "ids": ids * np.uint8(value)} if whole else {}
    return LessonSent(key=f"f{seed}", revision=str(value), subject=f"s{seed}", **body)


def frame(seed):
    return FramePixels(key=f"f{seed}", array=a_scene(seed)[0])


def asked(engine, frames, lessons, group="g"):
    return engine.instant([frame(seed) for seed in frames], lessons, shipped_encoder(), group)


def dice(seed, ids, value=1):
    truth = a_scene(seed)[1] > 0
    return 2 * (truth & (ids == value)).sum() / (truth.sum() + (ids == value).sum())


def test_the_frame_after_one_accepted_frame_has_a_proposal_that_learned_from_it(engine):
    (part,) = asked(engine, [7], [sent(0, whole=True, value=3)]).result(LONG)
    assert part.key == "f7"
    assert set(np.unique(part.ids)) <= {0, 3}
    assert dice(7, part.ids, 3) > 0.6
    assert 0 < part.confidences[3] <= 1
    assert not part.ids.flags.writeable


def test_lessons_that_the_host_does_not_know_are_named_and_nothing_is_proposed(engine):
    answers = asked(engine, [7], [sent(0, whole=True), sent(1, whole=False), sent(2, whole=False)], "fresh")
    error = answers.exception(LONG)
    assert isinstance(error, LessonsLacking)
    assert error.keys == ("f1", "f2")
    whole = [sent(0, whole=False), sent(1, whole=True), sent(2, whole=True)]  # what came with the refused one stays
    assert len(asked(engine, [7], whole, "fresh").result(LONG)) == 1


def test_groups_learn_apart(engine):
    asked(engine, [], [sent(0, whole=True)], "one").result(LONG)
    assert isinstance(asked(engine, [], [sent(0, whole=False)], "other").exception(LONG), LessonsLacking)


def test_a_host_that_was_killed_is_taught_anew_and_answers_the_same(engine):
    lessons = [sent(seed, whole=True) for seed in range(3)]
    (before,) = asked(engine, [7], lessons, "k").result(LONG)
    os.kill(engine.pid, signal.SIGKILL)
    error = asked(engine, [7], [sent(seed, whole=False) for seed in range(3)], "k").exception(LONG)
    assert isinstance(error, LessonsLacking)
    (after,) = asked(engine, [7], lessons, "k").result(LONG)
    assert np.array_equal(before.ids, after.ids)
    assert before.confidences == after.confidences
