"""The page of a run: what it needs before, what goes on during, what is there after it."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ui.bench import click, pixels, show, too_long
from usfm_studio.document.annotation import State
from usfm_studio.ui.state import TrainingState
from usfm_studio.ui.training.curve import nice_range, thinned, unrolled
from usfm_studio.ui.training.learn_page import LearnPage
from usfm_studio.ui.training.sources import source_lines

SUBJECTS = tuple(f"AB-{n:02}" for n in range(1, 25))
RUN = TrainingState(
    running=True,
    name="Head",
    exam="HEAD",
    started="13:58",
    percent=63,
    left_s=80,
    stage="training",
    stages=(("Collect", "done"), ("Ready", "done"), ("Learn", "running"), ("Compare", "todo"), ("Write", "todo")),
    step=1235,
    steps=1960,
    steps_per_second=14.2,
    losses=tuple((n, 1 / n) for n in range(1, 1235)),
    holdout=((400, 0.6), (800, 0.75), (1200, 0.81)),
    champion_score=0.71,
    champion_name="Head v4",
    frames=131,
    frames_empty=13,
    train_subjects=SUBJECTS[5:],
    holdout_subjects=SUBJECTS[:5],
    segment_frames=(("Head", 118),),
    label_frames=(("good", 61), ("poor", 33)),
)


@pytest.fixture
def page(bench, qtbot):
    made = show(qtbot, LearnPage(bench.session), 1280, 736)
    made.wanted.connect(bench.wanted.append)
    return made


def tell(bench, state):
    bench.session.learning.training = state
    bench.session.training_changed.emit()


def test_before_the_first_run_it_says_what_is_missing(page, bench, qtbot):
    assert page.title.text() == "Nothing is being learned"
    assert page._frames.accessibleName() == "0 of 3 frames"
    assert not page.start.isEnabled()
    for row in (0, 2, 4):
        bench.go(row)
        bench.session.reviewing.set_state(State.NOTHING)
    bench.session.training_changed.emit()
    assert page._persons.accessibleName() == "3 subjects"
    click(qtbot, page.start)
    assert bench.wanted == ["model.fine_tune"]
    assert too_long(page) == []


def test_during_a_run_all_four_answers_are_there(page, bench, qtbot):
    tell(bench, RUN)
    qtbot.wait(10)
    assert page.title.text() == "Learning from your 24 subjects"
    assert page._percent.text() == "63 %"
    assert page._left.text() == "1:20 left"
    assert " ".join(page._steps.text().split()) == "Step 1 235 of 1 960"
    assert page._kept.text() == "5 of 24 subjects are kept for testing"
    assert page._subjects.accessibleName().endswith("AB-01, AB-02, AB-03, AB-04, AB-05")
    assert page._bar.accessibleName() == "63 %, Collect done, Ready done, Learn running, Compare todo, Write todo"
    assert page._score.accessibleName() == "Held-out score: 0.81 at step 1200"
    assert page.stop.isVisible()
    assert not page.start.isVisible()
    assert too_long(page) == []


@pytest.mark.parametrize("size", [(1280, 656), (1024, 576), (2560, 1376)])
def test_nothing_is_cut_at_any_size_with_many_subjects_and_segments(page, bench, qtbot, size):
    everyone = tuple(f"PATIENT-{n:03}-LONG" for n in range(145))
    segments = tuple((f"Segment number {n} with a long name", n) for n in range(9))
    tell(bench, replace(RUN, train_subjects=everyone[30:], holdout_subjects=everyone[:30], segment_frames=segments))
    page.resize(*size)
    qtbot.wait(20)
    assert too_long(page) == []
    held = [kept for _, kept in page._subjects._tiles]
    assert all(held)  # where not all fit, those kept for testing come first
    assert page._subjects._more == 145 - len(held)
    bottoms = [card.geometry().bottom() for card in page._parts.children() if hasattr(card, "geometry")]
    assert max(bottoms) <= page._parts.height()


def test_stop_asks_to_stop_and_after_it_the_comparison_is_offered(page, bench, qtbot):
    asked = []
    bench.session.learning.stop = lambda: asked.append("stop")
    tell(bench, RUN)
    click(qtbot, page.stop)
    tell(bench, replace(RUN, stopping=True))
    assert not page.stop.isEnabled()
    tell(bench, replace(RUN, running=False, percent=100.0, left_s=None))
    assert page.title.text() == "Learned from your 24 subjects"
    assert not page.stop.isVisible()
    click(qtbot, page.back)
    assert bench.wanted == ["page.work"]


def test_a_hidden_page_does_nothing_until_it_is_shown(page, bench):
    page.hide()
    tell(bench, RUN)
    assert page.title.text() == "Nothing is being learned"
    page.show()
    assert page._percent.text() == "63 %"


def test_the_curves_tell_time_apart_from_values(page, bench):
    tell(bench, replace(RUN, losses=(), holdout=(), champion_score=None))
    empty = pixels(page._loss)
    tell(bench, RUN)
    assert (pixels(page._loss) != empty).any()


def test_few_subjects_are_tested_in_turn_and_the_curves_stay_readable(page, bench, qtbot):
    losses = tuple((step, 1 / step) for _ in range(3) for step in range(1, 10))
    in_turn = replace(
        RUN, train_subjects=SUBJECTS[:7], holdout_subjects=(), losses=losses, holdout=((1, 0.7), (2, 0.8)), steps=9
    )
    tell(bench, in_turn)
    qtbot.wait(10)
    assert page._kept.text() == "Each of the 7 subjects is tested in turn"
    assert page._score_title.text() == "On subjects not learned from"
    xs = [x for x, _ in page._loss._points]
    assert xs == sorted(xs)
    assert xs[-1] == 27
    assert page._loss._breaks == [9, 18]
    assert too_long(page) == []
    tell(bench, RUN)
    assert page._kept.text() == "5 of 24 subjects are kept for testing"


@given(st.lists(st.tuples(st.integers(1, 30), st.floats(0, 1)), max_size=60))
def test_stretches_follow_each_other_and_keep_their_values(points):
    flat = [point for stretch in unrolled(points) for point in stretch]
    assert [y for _, y in flat] == [y for _, y in points]
    assert all(a[0] < b[0] for a, b in pairwise(flat))


def test_what_it_learns_from_is_put_together_where_it_is_much():
    lines = source_lines(replace(RUN, segment_frames=tuple((f"S{n}", n) for n in range(1, 9))))
    assert [(name, words) for name, _, words in lines] == [
        ("S8", "8 frames"),
        ("S7", "7 frames"),
        ("6 more segments", "21 frames"),
        ("Nothing to mark", "13 frames"),
        ("good · poor", "61 · 33"),
        ("Proposals, unchecked", "not used"),
    ]


@given(st.lists(st.floats(-5, 500), min_size=1, max_size=30))
def test_a_range_holds_all_values_and_has_a_height(values):
    low, high = nice_range(values)
    assert high > low
    assert low <= min(values) + 1e-6
    assert high >= max(values) - 1e-6


@given(st.lists(st.tuples(st.floats(0, 1e4), st.floats(0, 1)), max_size=900), st.integers(2, 400))
def test_a_thinned_curve_is_short_and_ends_where_it_ended(points, most):
    kept = thinned(points, most)
    assert len(kept) <= most + 1
    assert kept[-1:] == points[-1:]
