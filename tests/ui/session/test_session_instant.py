"""What is accepted teaches at once: the next frames follow, undo leads back, a model that is promoted takes over."""

import os
import signal
from pathlib import Path

import numpy as np

from tests.ui.session.desk import HEAD, LESION, LOOP, NECK, Desk, a_model
from usfm_studio.document.annotation import State
from usfm_studio.document.edit import paint
from usfm_studio.document.mask import Mask


def disc(desk: Desk, value=1):
    """The person draws what is bright on the frame in view, and says that it is done."""
    session = desk.session
    before = session.mask()
    ids = (session.pixels > 127).astype(np.uint8) * np.uint8(value)
    session.reviewing.draw(paint("Polygon", session.current.id, before, Mask.from_array(ids)))


def done(desk: Desk):
    desk.quiet()
    disc(desk)
    desk.session.reviewing.accept_all_and_next()


def words(desk, row, index=0):
    proposal = desk.project.proposal(desk.frame(row, index))
    return None if proposal is None else proposal.model_name


def settle(desk):
    desk.quiet()
    desk.wait(lambda: not desk.session.instant.busy)
    desk.quiet()


ONE, TWO = "learned from 1 frame, not yet tested", "learned from 2 frames, not yet tested"


def test_the_next_frame_has_a_proposal_that_learned_from_the_one_just_accepted(awake):
    desk = awake
    done(desk)
    assert desk.row == 1
    desk.wait(lambda: desk.session.proposed is not None)
    assert desk.session.proposed.values == (1,)
    assert words(desk, 1) == ONE
    settle(desk)
    ahead = [words(desk, row) for row in range(5)]
    assert ahead == [None, ONE, ONE, ONE, ONE]
    assert words(desk, LOOP, 1) is None, "only what comes next: it will be another head soon"
    assert desk.session.undo_text.startswith("Done")


def test_each_accept_makes_it_another_head_and_accepted_work_stays_as_it_is(awake):
    desk = awake
    done(desk)
    desk.wait(lambda: desk.session.proposed is not None)
    settle(desk)
    first = desk.project.mask(desk.frame(0)), desk.project.annotation(desk.frame(0))
    desk.session.reviewing.accept_all_and_next()
    desk.wait(lambda: words(desk, 2) == TWO)
    settle(desk)
    assert (desk.project.mask(desk.frame(0)), desk.project.annotation(desk.frame(0))) == first
    assert words(desk, 1) == ONE, "what was accepted keeps saying where it came from"
    assert desk.project.annotation(desk.frame(1)).provenance[-1].model == desk.project.proposer(desk.frame(1))


def test_undo_of_an_accept_makes_the_head_forget_and_the_last_one_takes_its_words_along(awake):
    desk = awake
    done(desk)
    desk.wait(lambda: words(desk, 2) == ONE)
    settle(desk)
    one = desk.project.proposer(desk.frame(2))
    desk.session.reviewing.accept_all_and_next()
    desk.wait(lambda: words(desk, 2) == TWO)
    desk.session.undo()
    desk.wait(lambda: desk.project.proposer(desk.frame(2)) == one)
    settle(desk)
    while desk.session.undo_text:
        desk.session.undo()
    desk.go(2)
    desk.wait(lambda: words(desk, 2) is None)
    desk.go(4)
    desk.wait(lambda: words(desk, 4) is None)


def test_a_frame_in_work_is_left_alone_and_one_that_is_corrected_teaches_anew(awake):
    desk = awake
    desk.go(1)
    desk.quiet()
    desk.session.reviewing.draw(desk.stroke())
    desk.go(0)
    done(desk)
    desk.wait(lambda: words(desk, 2) == ONE)
    settle(desk)
    assert words(desk, 1) is None
    before = desk.project.proposer(desk.frame(2))
    desk.go(0)
    desk.quiet()
    desk.session.reviewing.draw(desk.stroke(at=2))
    assert desk.project.annotation(desk.frame(0)).state is State.DONE
    desk.go(2)
    desk.wait(lambda: desk.project.proposer(desk.frame(2)) != before)
    assert words(desk, 2) == ONE


def test_other_kinds_of_images_are_left_alone(awake):
    desk = awake
    done(desk)
    desk.wait(lambda: words(desk, 1) == ONE)
    desk.go(LESION)
    settle(desk)
    assert desk.session.exam == NECK
    assert words(desk, LESION) is None


def test_a_promoted_model_takes_over_and_going_back_lets_the_head_speak_again(awake, tmp_path):
    desk = awake
    done(desk)
    desk.wait(lambda: words(desk, 2) == ONE)
    settle(desk)
    card = desk.project.models.adopt(a_model(tmp_path / "m"))
    desk.session.learning.promote(card.digest)
    desk.wait(lambda: words(desk, 2) == "Head v1" and not desk.session.proposing.busy)
    desk.go(3)
    settle(desk)
    assert words(desk, 3) == "Head v1"
    desk.session.undo()
    desk.wait(lambda: words(desk, 3) == ONE)


def test_an_engine_that_is_killed_is_taught_again(awake):
    desk = awake
    done(desk)
    desk.wait(lambda: words(desk, 1) == ONE)
    settle(desk)
    os.kill(desk.session.house.engine.pid, signal.SIGKILL)
    desk.wait(lambda: desk.session.engine.kind == "restarting")
    desk.session.reviewing.accept_all_and_next()
    desk.wait(lambda: words(desk, 2) == TWO)


def test_an_engine_that_dies_while_it_proposes_costs_time_and_nothing_else(desk, tiny_engine, monkeypatch, tmp_path):
    monkeypatch.setenv("TINY_ENGINE", f"dies-once:{tmp_path / 'died'}")
    desk.session.start_engine()
    desk.wait(lambda: desk.session.engine.kind == "ready")
    done(desk)
    desk.wait(lambda: words(desk, 1) == ONE)
    assert (tmp_path / "died").exists()


def test_what_is_done_before_the_engine_is_up_teaches_when_it_is(desk, tiny_engine):
    done(desk)
    desk.qtbot.wait(50)
    assert words(desk, 1) is None
    desk.session.start_engine()
    desk.wait(lambda: words(desk, 1) == ONE)


def test_asked_for_by_key_it_proposes_here_and_everywhere(awake):
    desk = awake
    done(desk)
    desk.wait(lambda: words(desk, 1) == ONE)
    settle(desk)
    desk.go(0)
    desk.session.proposing.here()
    desk.wait(lambda: words(desk, 0) == ONE)
    assert desk.titles == []
    desk.session.proposing.everywhere()
    desk.wait(lambda: all(words(desk, LOOP, index) == ONE for index in range(8)))


def test_rejected_it_does_not_come_back(awake):
    desk = awake
    done(desk)
    desk.wait(lambda: desk.session.proposed is not None)
    settle(desk)
    desk.session.reviewing.reject_all()
    desk.go(2)
    desk.quiet()
    desk.session.reviewing.accept_all_and_next()
    settle(desk)
    desk.go(1)
    settle(desk)
    assert desk.session.proposed is None


def test_a_project_that_is_opened_again_goes_on_where_it_was(awake, folder):
    desk = awake
    done(desk)
    desk.wait(lambda: words(desk, 1) == ONE)
    settle(desk)
    before = desk.project.proposer(desk.frame(1))
    desk.close()
    desk.open(folder)
    desk.go(1)
    settle(desk)
    assert desk.project.proposer(desk.frame(1)) == before
    desk.session.reviewing.accept_all_and_next()
    desk.wait(lambda: words(desk, 2) == TWO)


def test_a_frame_whose_file_is_gone_keeps_no_other_from_its_proposal(awake):
    desk = awake
    path = Path(desk.session.navigation.items[2].instance.path)
    path.rename(path.with_suffix(".away"))
    try:
        done(desk)
        desk.wait(lambda: words(desk, 3) == ONE)
        settle(desk)
        assert words(desk, 2) is None
    finally:
        path.with_suffix(".away").rename(path)


def test_the_real_host_learns_a_disc_from_one_frame(desk):
    """No stand-in here: torch, the shipped encoder, the instant head."""
    desk.session.start_engine()
    done(desk)
    desk.wait(lambda: desk.session.proposed is not None, 120_000)
    desk.quiet()
    proposed, truth = desk.session.proposed.mask.to_array() == 1, desk.session.pixels > 127
    assert 2 * (proposed & truth).sum() / (proposed.sum() + truth.sum()) > 0.8
    assert words(desk, 1) == ONE
    assert HEAD in desk.session.exam
