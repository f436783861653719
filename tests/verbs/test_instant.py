"""The instant head's proposals: from exactly what is accepted, said in words, and never where a model speaks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.project.making import set_state
from tests.verbs.making import a_project, a_shelf_model, a_still, lent_out
from usfm_studio.document.annotation import INSTANT, State
from usfm_studio.document.edit import SetChampion, paint
from usfm_studio.document.errors import Interrupted, NotFound, StudioError
from usfm_studio.document.frame import Frame, Instance
from usfm_studio.document.mask import Mask
from usfm_studio.document.schema import Schema, Segment
from usfm_studio.project.lesson_book import LessonBook
from usfm_studio.verbs import propose as propose_verb
from usfm_studio.verbs import review
from usfm_studio.verbs.drive import drive
from usfm_studio.verbs.import_files import ImportArguments
from usfm_studio.verbs.import_files import run as import_files
from usfm_studio.verbs.instant import SENT_AT_ONCE, InstantArguments, run
from usfm_studio.verbs.lessons import ANCHORS, MOST, Able, chosen, lessons_of

EXAM = ""


def draw(house, frame, at=5, value=1):
    """A person draws a square and calls the frame done."""
    project = house.project
    before = project.mask(frame.id)
    ids = before.to_array()
    ids[at : at + 8, at : at + 12] = value
    project.apply(review.hand_work(project, paint("Brush", frame.id, before, Mask.from_array(ids))))
    done = review.set_state(project, frame.id, State.DONE)
    if done is not None:  # corrected again
        project.apply(done)


def instantly(house, frames, book=None):
    return drive(run(InstantArguments(exam=EXAM, frames=tuple(frames), book=book or LessonBook()), house))


def head_of(house, frame):
    return house.project.proposal(frame.id).model


def test_the_frame_after_an_accepted_one_has_a_proposal_that_says_where_it_comes_from(filled):
    first, second, *_ = filled.project.frames()
    draw(filled, first)
    accepted = filled.project.mask(first.id), filled.project.annotation(first.id)
    result = instantly(filled, [first, second])
    assert (result.frames, result.lessons) == (1, 1)
    proposal = filled.project.proposal(second.id)
    assert proposal.untested
    assert proposal.model_name == "learned from 1 frame, not yet tested"
    assert proposal.mask.values() == (1,)
    assert (filled.project.mask(first.id), filled.project.annotation(first.id)) == accepted
    assert filled.project.undo_name == "Done", "a proposal is no step that undo takes back"
    (lesson,) = filled._engine.lessons[-1]
    assert np.array_equal(lesson.ids, accepted[0].to_array())
    assert lesson.subject not in ("P1", first.instance.subject), "no name goes out"
    assert lent_out(filled) == 0


def test_undo_leads_back_to_the_head_before_and_the_last_withdrawal_takes_its_proposals_away(filled):
    first, second, third, *_ = filled.project.frames()
    book = LessonBook()
    draw(filled, first)
    instantly(filled, [third], book)
    one = head_of(filled, third)
    draw(filled, second)
    instantly(filled, [third], book)
    two = head_of(filled, third)
    assert two != one
    assert filled.project.proposal(third.id).model_name == "learned from 2 frames, not yet tested"
    filled.project.undo()
    book.forget([second.id])
    instantly(filled, [third], book)
    assert head_of(filled, third) == one
    filled.project.undo()  # the square on the second frame
    filled.project.undo()
    book.forget([first.id, second.id])
    assert instantly(filled, [third], book).lessons == 0
    assert filled.project.proposal(third.id) is None


def test_a_corrected_mask_makes_another_head_and_a_proposal_that_is_up_to_date_is_not_made_again(filled):
    first, second, *_ = filled.project.frames()
    book = LessonBook()
    draw(filled, first)
    instantly(filled, [second], book)
    before, asked = head_of(filled, second), len(filled._engine.lessons)
    assert instantly(filled, [second], book).frames == 0
    assert len(filled._engine.lessons) == asked
    draw(filled, first, at=12)
    book.forget([first.id])
    assert instantly(filled, [second], book).frames == 1
    assert head_of(filled, second) != before


def test_an_engine_that_forgot_everything_is_told_again(filled):
    frames = filled.project.frames()
    book = LessonBook()
    for frame in frames[:3]:
        draw(filled, frame)
    instantly(filled, frames[3:5], book)
    filled._engine.forget()
    instantly(filled, frames[5:], book)
    assert head_of(filled, frames[5]) == head_of(filled, frames[3])
    assert [lesson.pixels is not None for lesson in filled._engine.lessons[-1]] == [True] * 3
    assert lent_out(filled) == 0


def test_many_lessons_go_in_several_requests(houses, tmp_path):
    house = houses(a_project(tmp_path / "p"))
    a_still(tmp_path / "images", 1, frames=SENT_AT_ONCE + 5)
    drive(import_files(ImportArguments(paths=(str(tmp_path / "images"),)), house))
    frames = house.project.frames()
    for frame in frames[:-1]:
        draw(house, frame)
    assert instantly(house, frames[-1:]).frames == 1
    whole = [sum(lesson.pixels is not None for lesson in asked) for asked in house._engine.lessons]
    assert whole == [SENT_AT_ONCE, 4]
    assert lent_out(house) == 0


def test_an_accepted_frame_whose_file_is_gone_teaches_nothing_any_more(filled, tmp_path):
    first, second, third, *_ = filled.project.frames()
    draw(filled, first)
    draw(filled, second)
    (tmp_path / "images" / "im0001.dcm").unlink()
    assert instantly(filled, [third]).frames == 1
    assert filled.project.proposal(third.id).model_name == "learned from 1 frame, not yet tested"
    (tmp_path / "images" / "im0002.dcm").unlink()
    with pytest.raises(StudioError, match="none of their files"):
        instantly(filled, [third])


def test_where_a_model_speaks_the_instant_head_is_silent_and_its_words_are_replaced(filled, tmp_path):
    first, second, *_ = filled.project.frames()
    draw(filled, first)
    instantly(filled, [second])
    card = filled.project.models.import_model(a_shelf_model(tmp_path / "m", segments={1: "Head"}))
    filled.project.apply(SetChampion(name="Promote", exam=EXAM, before=None, after=card.digest))
    assert instantly(filled, [second]).frames == 0
    assert drive(propose_verb.run(propose_verb.ProposeArguments(), filled)).model == card.short
    assert head_of(filled, second) == card.digest


def test_what_was_turned_down_stays_away_whatever_is_accepted_later(filled):
    first, second, third, *_ = filled.project.frames()
    draw(filled, first)
    instantly(filled, [third])
    filled.project.apply(review.reject(filled.project, third.id))
    before = head_of(filled, third)
    draw(filled, second)
    assert instantly(filled, [third]).frames == 0
    assert head_of(filled, third) == before
    assert review.proposed(filled.project, third.id) is None


def test_a_frame_that_the_person_began_with_meanwhile_keeps_what_it_has(filled):
    first, second, *_ = filled.project.frames()
    draw(filled, first)
    steps = run(InstantArguments(exam=EXAM, frames=(second,)), filled)

    def drawn_meanwhile():
        if filled._engine.lessons and not filled.project.layers(second.id):
            draw(filled, second)
        return False

    assert drive(steps, interrupted=drawn_meanwhile).frames == 0
    assert filled.project.proposal(second.id) is None


def test_nothing_marked_anywhere_teaches_nothing(filled):
    first, second, *_ = filled.project.frames()
    set_state(filled.project, first.id, State.NOTHING)
    assert instantly(filled, [second]).lessons == 0
    assert filled._engine.lessons == []
    draw(filled, second)
    assert lessons_of(filled.project, EXAM, LessonBook()).words == "learned from 2 frames, not yet tested"


def test_pixels_stay_lent_until_the_engine_has_let_go_of_them(filled):
    first, second, *_ = filled.project.frames()
    draw(filled, first)
    filled._engine.hold = True
    steps = run(InstantArguments(exam=EXAM, frames=(second,)), filled)
    with pytest.raises(Interrupted):
        drive(steps, interrupted=lambda: bool(filled._engine.lessons))
    assert lent_out(filled, 2) == 2, "the engine may still look at them"
    filled._engine.last.ticket.release()
    assert lent_out(filled) == 0


# --- the command ------------------------------------------------------------------------------------------------------


def test_propose_without_a_model_learns_from_what_is_accepted(filled):
    first, *others = filled.project.frames()
    draw(filled, first)
    result = drive(propose_verb.run(propose_verb.ProposeArguments(), filled))
    assert (result.frames, result.model) == (len(others), "instant")
    assert {filled.project.proposer(frame.id)[: len(INSTANT)] for frame in others} == {INSTANT}
    assert filled.project.proposer(first.id) is None


def test_a_champion_that_was_asked_for_by_name_is_not_replaced_by_an_instant_head(filled):
    draw(filled, filled.project.frames()[0])
    with pytest.raises(NotFound, match="no model is for these images"):
        drive(propose_verb.run(propose_verb.ProposeArguments(model="champion"), filled))


def test_each_exam_learns_from_its_own_frames_alone(houses, tmp_path):
    schema = Schema(segments=(Segment(value=1, name="Head", exam="HEAD"), Segment(value=2, name="Disc", exam="NECK")))
    house = houses(a_project(tmp_path / "p", schema=schema))
    for number, exam in enumerate(("HEAD", "HEAD", "NECK", "NECK"), 1):
        a_still(tmp_path / "images", number, exam=exam)
    drive(import_files(ImportArguments(paths=(str(tmp_path / "images"),)), house))
    heads = [f for f in house.project.frames() if f.instance.body_part == "HEAD"]
    draw(house, heads[0])
    result = drive(propose_verb.run(propose_verb.ProposeArguments(), house))
    assert result.frames == 1
    assert [house.project.proposer(f.id) is not None for f in house.project.frames()] == [
        f.id == heads[1].id for f in house.project.frames()
    ]


# --- which frames -----------------------------------------------------------------------------------------------------

WORKED = st.lists(st.tuples(st.integers(0, 11), st.integers(0, 9)), min_size=1, max_size=90)


def able(worked):
    """(subject, moment) pairs as accepted frames; each has a number of its own."""
    return [
        Able(
            Frame(instance=Instance(digest=f"{n:08x}", path="", rows=1, columns=1, subject=f"s{who}"), index=0), str(t)
        )
        for n, (who, t) in enumerate(worked)
    ]


@given(WORKED, st.randoms())
def test_the_choice_does_not_depend_on_the_order_and_takes_every_subject_first(worked, random):
    frames = able(worked)
    found = chosen(frames)
    shuffled = frames.copy()
    random.shuffle(shuffled)
    assert chosen(shuffled) == found
    assert len(found) == min(MOST, len(frames)) == len({one.frame.id for one in found})
    subjects = {one.frame.instance.subject for one in frames}
    assert {one.frame.instance.subject for one in found} == subjects
    assert len({one.frame.instance.subject for one in found[:ANCHORS]}) == min(ANCHORS, len(subjects), len(found))


@given(WORKED)
def test_one_more_frame_of_a_known_subject_moves_no_anchor(worked):
    frames = able(worked)
    newest = able([*worked, (worked[0][0], 9)])[-1]
    count = min(ANCHORS, len(frames))
    assert chosen([*frames, newest])[:count] == chosen(frames)[:count]
