import numpy as np
import pytest

from tests.engine.prompting.test_clicker import disc
from usfm_studio.document.errors import WrongUsage
from usfm_studio.document.prompts import Box, Click, Scribble
from usfm_studio.engine.prompting.session import Session, Target, iou_of, play, tally

SHAPE = (90, 120)
REFERENCE = disc(SHAPE, 40, 60, 20)


def target(**more):
    return Target(file="a.png", subject="s", segment=1, reference=REFERENCE, **more)


def painting(prompts, last):
    """A person without a model: every click paints a disc of radius 9."""
    mask = np.zeros(SHAPE, bool) if last is None else last.copy()
    newest = prompts[-1]
    if isinstance(newest, Click):
        mask[disc(SHAPE, newest.at_xy[1], newest.at_xy[0], 9)] = newest.positive
    return mask


def test_a_session_goes_on_until_it_is_good_or_the_cap_is_reached():
    session = play(target(), painting, cap=20)
    assert 3 <= len(session.ious) <= 20
    assert session.ious[0] == pytest.approx(iou_of(disc(SHAPE, 40, 60, 9), REFERENCE))
    assert max(session.ious[:-1]) < 0.9
    assert len(play(target(), painting, cap=2).ious) == 2


def test_the_answer_sees_all_prompts_and_its_own_last_mask():
    seen = []

    def answer(prompts, last):
        seen.append((len(prompts), last))
        return painting(prompts, last)

    play(target(), answer, cap=3)
    assert [count for count, _ in seen] == [1, 2, 3]
    assert seen[0][1] is None
    assert np.array_equal(seen[1][1], disc(SHAPE, 40, 60, 9))


def test_the_first_interaction_is_of_the_kind_asked_for():
    kinds = {}
    for kind in ("click", "box", "scribble"):
        made = []
        play(target(), lambda p, last, made=made: (made.append(p[-1]), painting(p, last))[1], kind, cap=3)
        kinds[kind] = [type(one) for one in made]
    assert kinds["click"] == [Click] * 3
    assert kinds["box"] == [Box, Click, Click]
    assert kinds["scribble"] == [Scribble] * 3


def test_a_start_that_is_good_costs_nothing():
    session = play(target(start=REFERENCE), painting)
    assert session.ious == ()
    assert session.clicks_to(85, 20) == 0
    assert session.iou_after(3) == 1.0
    worse = play(target(start=disc(SHAPE, 40, 62, 19)), painting)
    assert worse.clicks_to(80, 20) == 0


def test_clicks_off_the_centre_differ_by_seed_and_repeat():
    runs = [play(target(), painting, cap=4, draws=np.random.default_rng(seed)) for seed in (0, 0, 1)]
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


def test_figures_of_the_protocol():
    sessions = [
        Session(file="a", subject="s", segment=1, ious=(0.5, 0.82, 0.91)),
        Session(file="a", subject="s", segment=2, ious=(0.3, 0.4)),
        Session(file="b", subject="t", segment=1, start_iou=0.86, ious=(0.95,)),
    ]
    told = tally(sessions, cap=20)
    assert told.values["noc80"] == pytest.approx((2 + 20 + 0) / 3)
    assert told.values["noc90"] == pytest.approx((3 + 20 + 1) / 3)
    assert told.values["failures"] == pytest.approx(1 / 3)
    assert told.values["iou1"] == pytest.approx((0.5 + 0.3 + 0.95) / 3)
    assert told.values["iou5"] == pytest.approx((0.91 + 0.4 + 0.95) / 3)
    assert told.per_image == {"a": {"1": [0.5, 0.82, 0.91], "2": [0.3, 0.4]}, "b": {"1": [0.95]}}
    assert told.interval["noc80"][0] <= told.values["noc80"] <= told.interval["noc80"][1]


def test_prompts_that_make_no_sense_are_refused():
    for made in (
        lambda: Click((float("nan"), 1.0)),
        lambda: Box((3.0, 3.0), (3.0, 9.0)),
        lambda: Box((3.0, 3.0), (float("inf"), 9.0)),
        lambda: Scribble(()),
    ):
        with pytest.raises(WrongUsage):
            made()
