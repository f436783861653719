"""What the person decides: one edit, told once; taken back where it was made."""

import pytest

from tests.ui.session.desk import LOOP, MODEL
from usfm_studio.document.annotation import Decision, State
from usfm_studio.document.edit import PaintTiles, Several


def acts(desk):
    reviewing = desk.session.reviewing
    return {
        "stroke": lambda: reviewing.draw(desk.stroke()),
        "accept": reviewing.accept,
        "reject": reviewing.reject,
        "reject all": reviewing.reject_all,
        "label": lambda: reviewing.toggle_label("good"),
        "state": lambda: reviewing.set_state(State.FLAGGED),
        "nothing": lambda: reviewing.set_state(State.NOTHING),
        "note": lambda: reviewing.set_note("look at this"),
        "done": reviewing.accept_all_and_next,
        "add segment": lambda: reviewing.add_segment("Skull"),
        "rename": lambda: reviewing.rename_segment(1, "Whole head"),
        "recolour": lambda: reviewing.recolour_segment(1, "#FF0000"),
        "add label": lambda: reviewing.add_label("blurred"),
    }


ACTS = (
    "stroke", "accept", "reject", "reject all", "label", "state", "nothing", "note", "done", "add segment", "rename",
    "recolour", "add label",
)  # fmt: skip


@pytest.mark.parametrize("act", ACTS)
def test_an_act_is_told_once_and_taken_back_as_one(desk, act):
    desk.propose(0)
    desk.forget()
    before = (desk.project.schema, desk.session.annotation, desk.session.mask().to_array().tobytes())
    acts(desk)[act]()
    assert desk.count("changed") == 1
    assert desk.notices == []
    desk.session.undo()
    assert desk.count("changed") == 2
    assert desk.row == 0
    after = (desk.project.schema, desk.session.annotation, desk.session.mask().to_array().tobytes())
    assert after == before
    assert desk.session.undo_text == ""
    desk.session.redo()
    assert desk.count("changed") == 3
    desk.session.redo()
    assert desk.count("changed") == 3
    desk.wait(lambda: desk.session.saved.kind == "saved")
    assert desk.session.saved.text.startswith("Saved ")


def test_taking_back_goes_where_it_was_and_says_so(desk):
    desk.go(LOOP, index=3)
    desk.session.reviewing.draw(desk.stroke())
    assert desk.session.undo_text == "Brush, 1"
    desk.go(0)
    assert desk.session.undo_text == "Brush, 1, item 5, frame 4"
    desk.forget()
    desk.session.undo()
    assert desk.session.current.id == desk.frame(LOOP, 3)
    notice = desk.notices[0]
    assert (notice.kind, notice.title, notice.text) == ("info", "Undone: Brush, 1", "Item 5, frame 4 is shown.")
    desk.go(1)
    desk.forget()
    desk.session.redo()
    assert desk.session.current.id == desk.frame(LOOP, 3)
    assert desk.titles == ["Redone: Brush, 1"]
    assert desk.session.mask().values() == (1,)
    desk.session.undo()
    assert len(desk.notices) == 1  # it was in view already


def test_a_gesture_on_the_canvas_takes_ctrl_z_for_itself(desk):
    desk.session.reviewing.draw(desk.stroke())
    desk.session.takes_undo = lambda: True
    desk.session.undo()
    assert desk.session.undo_text == "Brush, 1"


def test_nothing_to_take_back_is_no_trouble(desk):
    desk.session.undo()
    desk.session.redo()
    assert desk.heard == []


# --- several segments -------------------------------------------------------------------------------------------------


def test_of_several_proposed_the_chosen_one_is_accepted_and_the_next_is_chosen(desk):
    desk.propose(0, values=(1, 2, 3))
    session = desk.session
    session.select_segment(2)
    session.reviewing.accept()
    assert session.mask().values() == (2,)
    assert session.proposed.values == (1, 3)
    assert session.segment == 3
    assert session.annotation.state is State.DOING
    session.reviewing.reject()
    assert session.segment == 1
    session.reviewing.accept()
    assert session.proposed is None
    assert session.mask().values() == (1, 2)
    assert session.annotation.state is State.DONE
    decisions = session.annotation.decisions
    assert [decisions[f"{MODEL}:segment:{value}"] for value in (1, 2, 3)] == [
        Decision.ACCEPTED, Decision.ACCEPTED, Decision.REJECTED,
    ]  # fmt: skip


def test_with_none_of_them_chosen_all_are_accepted(desk):
    desk.propose(0, values=(1, 2))
    desk.session.select_segment(3)
    desk.session.reviewing.accept()
    assert desk.session.mask().values() == (1, 2)
    assert desk.session.proposed is None


def test_a_named_one_is_accepted_whatever_is_chosen(desk):
    desk.propose(0, values=(1, 2))
    desk.session.reviewing.accept(2)
    assert desk.session.mask().values() == (2,)
    assert desk.session.proposed.values == (1,)


def test_hand_work_on_a_proposed_segment_decides_it(desk):
    desk.propose(0, values=(1, 2))
    edit = desk.stroke(1)
    desk.session.reviewing.draw(edit)
    assert desk.session.proposed.values == (2,)
    assert isinstance(edit, PaintTiles)
    assert desk.session.annotation.decision(MODEL, 1) is Decision.ACCEPTED


def test_accepting_the_last_puts_the_likeliest_label(desk):
    desk.propose(0, values=(1, 2), labels={"good": 0.7, "poor": 0.3})
    desk.session.reviewing.accept()
    assert desk.session.annotation.labels == ()
    desk.session.reviewing.accept()
    assert desk.session.annotation.labels == ("good",)


# --- done and next ----------------------------------------------------------------------------------------------------


def test_done_and_next_goes_to_the_next_that_waits(desk):
    desk.propose(0)
    desk.session.reviewing.accept_all_and_next()
    assert desk.row == 1
    assert desk.project.annotation(desk.frame(0)).state is State.DONE


def test_done_and_next_stays_where_nothing_is_marked(desk):
    desk.session.reviewing.accept_all_and_next()
    assert desk.row == 0
    assert desk.titles == ["Nothing is marked here"]
    desk.session.reviewing.set_state(State.NOTHING)
    desk.session.reviewing.accept_all_and_next()
    assert desk.row == 1


def test_done_and_next_stays_where_it_was_refused(desk, monkeypatch):
    from usfm_studio.document.errors import DiskFull

    desk.propose(0)

    def refuse(*_args, **_more):
        raise DiskFull("The disk is full", "no space", "Free some.")

    monkeypatch.setattr(desk.project, "apply", refuse)
    desk.session.reviewing.accept_all_and_next()
    assert desk.row == 0
    assert desk.titles == ["The disk is full"]


def test_the_same_state_again_takes_it_back(desk):
    reviewing = desk.session.reviewing
    reviewing.set_state(State.FLAGGED)
    reviewing.set_state(State.FLAGGED)
    assert desk.session.annotation.state is State.TODO
    reviewing.draw(desk.stroke())
    reviewing.set_state(State.DONE)
    reviewing.set_state(State.DONE)
    assert desk.session.annotation.state is State.DOING


def test_names_that_are_taken_are_told(desk):
    desk.session.reviewing.add_segment("head")
    desk.session.reviewing.rename_segment(2, "Head")
    desk.session.reviewing.add_segment("  ")
    assert desk.count("changed") == 0
    assert [notice.kind for notice in desk.notices] == ["error"] * 3
    assert 'the segment name "head"' in desk.notices[0].text


def test_a_stroke_on_a_frame_without_a_proposal_is_one_act(desk):
    desk.session.reviewing.draw(desk.stroke())
    applied = desk.project._history.edit(desk.project._history.next_undo)
    assert isinstance(applied, Several)
    assert desk.session.annotation.state is State.DOING
    desk.session.reviewing.draw(desk.stroke(at=30))
    assert len(desk.session.annotation.provenance) == 1
