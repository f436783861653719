"""What to annotate next: different frames first, unsure ones once a model is good; how many more, if that is known."""

import json

import numpy as np
import pytest

from tests.project.making import set_state
from tests.verbs.making import a_project, a_shelf_model, a_still, lent_out
from usfm_studio.document.annotation import Proposal, State
from usfm_studio.document.edit import SetChampion, SetProposal
from usfm_studio.document.errors import WrongUsage
from usfm_studio.document.mask import Mask
from usfm_studio.document.schema import Schema, Segment
from usfm_studio.verbs.drive import drive
from usfm_studio.verbs.import_files import ImportArguments
from usfm_studio.verbs.import_files import run as import_files
from usfm_studio.verbs.next_frames import NextArguments, run, some_of
from usfm_studio.verbs.prospects import point_of

HEAD = "HEAD"
SUBJECTS = 8


@pytest.fixture
def heads(houses, tmp_path):
    """Eight stills of eight subjects, and a loop of six frames of a ninth."""
    house = houses(a_project(tmp_path / "p", schema=Schema(segments=(Segment(value=1, name="Head", exam=HEAD),))))
    for number in range(1, SUBJECTS + 1):
        a_still(tmp_path / "images", number, exam=HEAD)
    a_still(tmp_path / "images", SUBJECTS + 1, exam=HEAD, frames=6)
    drive(import_files(ImportArguments(paths=(str(tmp_path / "images"),)), house))
    return house


def ask(house, **more):
    return drive(run(NextArguments(**more), house))


def compared(house, tmp_path, train, score, *, champion=False, kind="held-out", spread=0.01, tested=6):
    """A model on the shelf whose run was compared."""
    each = {f"{n:016x}": score + spread * (-1) ** n for n in range(tested)}
    comparison = {
        "metric": "dice_all", "challenger": score, "interval": [score - 0.02, score + 0.02], "interval_kind": "range",
        "subjects": tested, "kind": kind, "held_out" if kind == "held-out" else "cross_fitted": each,
    }  # fmt: skip
    folder = a_shelf_model(
        tmp_path / f"m{train}-{score}", f"{train} {score} {kind}".encode(), name=f"Head {train}", exam=HEAD,
        comparison=comparison, train_subjects=tuple(f"{n:016x}" for n in range(train)),
    )  # fmt: skip
    card = house.project.models.adopt(folder)
    if champion:
        before = house.project.models.champion(HEAD)
        house.project.apply(SetChampion(name="Promote", exam=HEAD, before=before, after=card.digest))
    return card


def proposed(house, frame, model, dice):
    ids = np.zeros(frame.shape, np.uint8)
    ids[2:9, 2:9] = 1
    after = Proposal(
        frame=frame.id, model=model, mask=Mask.from_array(ids), confidences={1: 0.9}, predicted_dice={1: dice}
    )
    house.project.apply(SetProposal(name="Proposal", frame=frame.id, before=None, after=after))


# --- which frames -----------------------------------------------------------------------------------------------------


def test_without_a_model_different_frames_come_first_one_of_a_subject(heads):
    result = ask(heads, count=5)
    assert len(result.frames) == 5
    assert result.exam == HEAD
    loop = [f.frame for f in result.frames if "#" in f.frame]
    assert len(loop) <= 1, "at most one frame of the loop's subject"
    assert result.frames[0].reason == "the most typical of all that waits"
    assert {f.reason for f in result.frames[1:]} == {"unlike those above"}
    assert [f.score for f in result.frames] == sorted((f.score for f in result.frames), reverse=True)
    assert result.frames[0].score == 1
    assert lent_out(heads) == 0


def test_frames_that_are_done_are_what_the_others_are_compared_with(heads):
    first, second, *_ = heads.project.frames()
    for frame in (first, second):
        set_state(heads.project, frame.id, State.DONE)
    heads._engine.pooled_of = {first.id.key: [0, 0], second.id.key: [1, 0]}
    far = heads.project.frames()[4]
    heads._engine.pooled_of[far.id.key] = [50, 50]
    result = ask(heads, count=2)
    assert result.frames[0].frame.endswith("im0005.dcm")
    assert result.frames[0].reason == "the least like the 2 frames that are done"
    assert result.frames[1].reason == "unlike the 2 frames that are done and those above"
    assert not any(f.frame.endswith(("im0001.dcm", "im0002.dcm")) for f in result.frames)


def test_a_good_model_is_asked_where_it_is_unsure(heads, tmp_path):
    card = compared(heads, tmp_path, 6, 0.85, champion=True)
    frames = heads.project.frames()
    for number, frame in enumerate(frames):
        proposed(heads, frame, card.digest, 0.9 if number != 3 else 0.31)
    result = ask(heads, count=2)
    assert result.frames[0].frame.endswith("im0004.dcm")
    assert result.frames[0].reason.startswith("predicted Dice 0.31: the model is surer on ")
    assert heads._engine.asked == [], "what it has proposed is known"


def test_a_good_model_that_has_not_proposed_yet_is_asked_and_nothing_is_kept(heads, tmp_path):
    compared(heads, tmp_path, 6, 0.85, champion=True)
    result = ask(heads, count=1)
    assert result.frames[0].reason.startswith("confidence 0.80")
    assert heads._engine.asked
    assert not heads.project.proposed()
    assert lent_out(heads) == 0


def test_a_weak_model_is_not_asked(heads, tmp_path):
    compared(heads, tmp_path, 6, 0.55, champion=True)
    assert ask(heads, count=1).frames[0].reason == "the most typical of all that waits"
    assert heads._engine.asked == []


def test_the_same_seed_chooses_the_same(heads, tmp_path):
    compared(heads, tmp_path, 6, 0.85, champion=True)
    heads.options.seed = 3
    first = ask(heads, count=4)
    assert ask(heads, count=4).frames == first.frames


def test_a_file_that_cannot_be_read_is_named_and_the_others_are_chosen_from(heads, tmp_path):
    (tmp_path / "images" / "im0002.dcm").unlink()
    result = ask(heads, count=20)
    assert result.partial
    assert [failure.path.rpartition("/")[2] for failure in result.failed] == ["im0002.dcm"]
    assert len(result.frames) == SUBJECTS


def test_where_nothing_waits_nothing_is_chosen(heads):
    for frame in heads.project.frames():
        set_state(heads.project, frame.id, State.DONE)
    assert ask(heads).frames == []


def test_a_group_that_is_not_there_is_refused(heads):
    with pytest.raises(WrongUsage, match="no exam FOOT"):
        ask(heads, exam="FOOT")


def test_of_long_loops_frames_are_taken_from_all_over_and_every_subject_comes_first(heads):
    frames = heads.project.frames()
    loop = [f for f in frames if f.instance.frames > 1]
    assert [f.index for f in some_of(loop, 3)] == [3, 1, 5]
    assert len({f.instance.subject for f in some_of(frames, SUBJECTS + 1)}) == SUBJECTS + 1


# --- how many more ----------------------------------------------------------------------------------------------------


def test_nothing_is_known_before_three_sizes_were_compared(heads, tmp_path):
    assert ask(heads).learning_curve == {
        "target": None, "more_subjects": None, "low": None, "high": None,
        "note": "not yet known: no run has been compared yet",
    }  # fmt: skip
    compared(heads, tmp_path, 4, 0.7)
    compared(heads, tmp_path, 8, 0.8, champion=True)
    curve = ask(heads).learning_curve
    assert curve["target"] == pytest.approx(0.82)
    assert curve["more_subjects"] is None
    assert "3 different numbers of subjects, there are 2" in curve["note"]


def test_three_sizes_tell_how_many_more_with_an_interval(heads, tmp_path):
    for train in (5, 10, 20):
        compared(heads, tmp_path, train, round(0.95 - 0.6 * train**-0.8, 4), champion=train == 20, spread=0.001)
    curve = ask(heads, target=0.92).learning_curve
    wanted = (0.6 / 0.03) ** (1 / 0.8) - 20
    assert abs(curve["more_subjects"] - wanted) <= 2
    assert curve["low"] <= curve["more_subjects"] <= curve["high"]
    assert curve["note"] is None
    assert curve["target"] == 0.92
    json.dumps(curve)


def test_members_of_a_cross_fitted_run_learned_from_two_thirds(heads, tmp_path):
    card = compared(heads, tmp_path, 6, 0.8, kind="cross-fitted", spread=0.05)
    point = point_of(card)
    assert point.subjects == 4
    assert point.error == pytest.approx(np.std([0.85, 0.75] * 3, ddof=1) / np.sqrt(6))
    assert point.tested == 6
