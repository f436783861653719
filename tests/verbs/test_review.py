"""What a person decides about a frame: accept, reject, label, state, hand work; each can be taken back exactly."""

from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.project.making import add, an_instance, contents
from tests.verbs.making import SCHEMA
from usfm_studio.document.annotation import Decision, Proposal, State
from usfm_studio.document.edit import SetProposal, Several, paint
from usfm_studio.document.mask import Mask
from usfm_studio.project.project import Project
from usfm_studio.verbs import review

MODEL, OTHER = "a" * 64, "b" * 64
ROWS, COLUMNS = 300, 520
HEAD, LESION = 1, 2


def ids_of(**boxes):
    """Ids with boxes: HEAD=(top, bottom, left, right) by segment name."""
    ids = np.zeros((ROWS, COLUMNS), np.uint8)
    for name, (top, bottom, left, right) in boxes.items():
        ids[top:bottom, left:right] = {"head": HEAD, "lesion": LESION}[name]
    return ids


@pytest.fixture
def project(tmp_path):
    with Project.create(tmp_path / "p", SCHEMA) as project:
        add(project, *(an_instance(n, ROWS, COLUMNS, body_part="BREAST") for n in (1, 2, 3)))
        yield project


@pytest.fixture
def frame(project):
    return project.frames()[0].id


def propose(project, frame, ids=None, labels=(), model=MODEL):
    ids = ids_of(head=(10, 60, 20, 90), lesion=(100, 280, 200, 400)) if ids is None else ids
    after = Proposal(
        frame=frame, model=model, model_name="Head v1", mask=Mask.from_array(ids),
        confidences=MappingProxyType({HEAD: 0.9, LESION: 0.6}), labels=MappingProxyType(dict(labels)),
    )  # fmt: skip
    project.apply(SetProposal(name="Proposal", frame=frame, before=project.proposal(frame), after=after))
    return ids


def draw(project, frame, ids, name="Brush"):
    edit = paint(name, frame, project.mask(frame), Mask.from_array(ids))
    project.apply(review.hand_work(project, edit))


def marked(project, frame):
    return project.mask(frame).to_array()


def test_accepting_a_proposal_copies_it_and_leaves_the_proposal_in_place(project, frame):
    ids = propose(project, frame)
    edit = review.accept(project, frame)
    assert edit.name == "Accept, Head, Lesion"
    project.apply(edit)
    assert np.array_equal(marked(project, frame), ids)
    assert np.array_equal(project.proposal(frame).mask.to_array(), ids)
    assert project.annotation(frame).state is State.DONE
    assert project.annotation(frame).provenance[-1].model == MODEL
    assert review.proposed(project, frame) is None
    assert review.accept(project, frame) is None


def test_accepting_one_segment_leaves_the_other_to_decide(project, frame):
    ids = propose(project, frame)
    project.apply(review.accept(project, frame, [HEAD]))
    assert np.array_equal(marked(project, frame), np.where(ids == HEAD, HEAD, 0))
    assert project.annotation(frame).state is State.DOING
    waiting = review.proposed(project, frame)
    assert waiting.values == (LESION,)
    assert waiting.confidences == {LESION: 0.6}
    assert np.array_equal(waiting.mask.to_array(), np.where(ids == LESION, LESION, 0))
    project.apply(review.accept(project, frame))
    assert np.array_equal(marked(project, frame), ids)
    assert project.annotation(frame).state is State.DONE


def test_accepting_replaces_what_was_accepted_of_the_same_segment_and_spares_the_others(project, frame):
    draw(project, frame, ids_of(lesion=(0, 30, 0, 100), head=(200, 290, 400, 500)))
    propose(project, frame, ids_of(head=(10, 60, 20, 90)), model=OTHER)
    project.apply(review.accept(project, frame))
    wanted = ids_of(head=(10, 60, 20, 90))
    wanted[0:30, 0:100] = LESION
    assert np.array_equal(marked(project, frame), wanted)


@pytest.mark.parametrize("values", [[7], []])
def test_segments_that_are_not_proposed_can_be_neither_accepted_nor_rejected(project, frame, values):
    propose(project, frame)
    assert review.accept(project, frame, values) is None
    assert review.reject(project, frame, values) is None


def test_a_rejected_proposal_stays_away_for_that_model_alone(project, frame):
    propose(project, frame, labels={"benign": 0.9})
    project.apply(review.reject(project, frame))
    assert review.proposed(project, frame) is None
    propose(project, frame, labels={"benign": 0.9})
    assert review.proposed(project, frame) is None
    propose(project, frame, labels={"benign": 0.9}, model=OTHER)
    assert review.proposed(project, frame).values == (HEAD, LESION)
    assert not marked(project, frame).any()
    assert project.annotation(frame).state is State.TODO


def test_rejecting_one_segment_keeps_the_rest_and_the_labels_to_decide(project, frame):
    propose(project, frame, labels={"benign": 0.8, "malignant": 0.2})
    project.apply(review.reject(project, frame, [LESION]))
    waiting = review.proposed(project, frame)
    assert waiting.values == (HEAD,)
    assert waiting.labels == {"benign": 0.8, "malignant": 0.2}


def test_the_likeliest_label_comes_along_and_the_others_count_as_rejected(project, frame):
    propose(project, frame, labels={"benign": 0.3, "malignant": 0.7})
    project.apply(review.accept(project, frame))
    annotation = project.annotation(frame)
    assert annotation.labels == ("malignant",)
    assert annotation.label_decision(MODEL, "malignant") is Decision.ACCEPTED
    assert annotation.label_decision(MODEL, "benign") is Decision.REJECTED


def test_labels_that_do_not_exclude_each_other_come_along_from_one_half_on(tmp_path):
    schema = SCHEMA.__class__(labels=SCHEMA.labels, exclusive_labels=False)
    with Project.create(tmp_path / "p", schema) as project:
        add(project, an_instance(1, body_part="BREAST"))
        frame = project.frames()[0].id
        none = Mask.empty(project.frame(frame).shape)
        for labels, wanted in (({"benign": 0.5, "malignant": 0.6}, ("benign", "malignant")), ({"benign": 0.2}, ())):
            after = Proposal(frame=frame, model=f"{len(wanted)}" * 64, mask=none, labels=MappingProxyType(labels))
            project.apply(SetProposal(name="Proposal", frame=frame, before=None, after=after))
            project.apply(review.accept(project, frame))
            assert project.annotation(frame).labels == wanted
            assert review.proposed(project, frame) is None, "everything was decided"
            assert project.annotation(frame).state is State.DONE
            project.undo()


def test_a_frame_without_marks_is_nothing_to_mark_once_its_label_is_accepted(project, frame):
    propose(project, frame, ids_of(), labels={"benign": 0.9})
    project.apply(review.accept(project, frame))
    assert project.annotation(frame).state is State.NOTHING
    assert project.annotation(frame).labels == ("benign",)


def test_nothing_to_mark_clears_the_marks_in_the_same_act(project, frame):
    draw(project, frame, ids_of(head=(10, 60, 20, 90)))
    before = contents(project)
    project.apply(review.set_state(project, frame, State.NOTHING))
    assert not project.layers(frame)
    assert project.annotation(frame).state is State.NOTHING
    project.undo()
    assert contents(project) == before


def test_a_state_that_is_there_already_is_no_act(project, frame):
    assert review.set_state(project, frame, State.TODO) is None


def test_done_needs_something_to_be_done(project, frame):
    assert review.mark_done(project, frame) is None
    draw(project, frame, ids_of(head=(10, 60, 20, 90)))
    project.apply(review.mark_done(project, frame))
    assert project.annotation(frame).state is State.DONE


def test_done_accepts_what_is_proposed(project, frame):
    ids = propose(project, frame)
    project.apply(review.mark_done(project, frame))
    assert np.array_equal(marked(project, frame), ids)


def test_one_label_takes_the_place_of_the_other_where_they_exclude_each_other(project, frame):
    for label in ("benign", "malignant"):
        project.apply(review.toggle_label(project, frame, label))
        assert project.annotation(frame).labels == (label,)
    assert project.annotation(frame).state is State.DOING
    project.apply(review.toggle_label(project, frame, "malignant"))
    assert project.annotation(frame).labels == ()


def test_a_stroke_decides_the_segments_that_it_touches(project, frame):
    propose(project, frame)
    draw(project, frame, ids_of(head=(15, 55, 25, 80)))
    waiting = review.proposed(project, frame)
    assert waiting.values == (LESION,)
    assert project.annotation(frame).state is State.DOING
    assert [step.what for step in project.annotation(frame).provenance] == ["drawn"]


def test_strokes_after_one_another_are_one_step_of_provenance(project, frame):
    for right in (80, 90, 100):
        draw(project, frame, ids_of(head=(15, 55, 25, right)))
    assert [step.what for step in project.annotation(frame).provenance] == ["drawn"]


def test_drawing_on_what_was_accepted_is_editing(project, frame):
    propose(project, frame)
    project.apply(review.accept(project, frame))
    draw(project, frame, ids_of(head=(15, 55, 25, 80)))
    assert [step.what for step in project.annotation(frame).provenance] == ["accepted", "edited"]
    assert project.annotation(frame).state is State.DONE, "it was done, and is still"


def test_drawing_where_nothing_was_to_mark_takes_the_work_up_again(project, frame):
    project.apply(review.set_state(project, frame, State.NOTHING))
    draw(project, frame, ids_of(head=(15, 55, 25, 80)))
    assert project.annotation(frame).state is State.DOING


@pytest.mark.parametrize("state", [State.NOTHING, State.UNUSABLE])
def test_a_frame_that_is_settled_awaits_nothing(project, frame, state):
    propose(project, frame)
    project.apply(review.set_state(project, frame, state))
    assert review.proposed(project, frame) is None


def test_only_frames_that_nobody_worked_on_are_untouched(project):
    plain, flagged, labelled, drawn = project.frames()[0].id, project.frames()[1].id, project.frames()[2].id, None
    assert review.untouched(project, plain)
    project.apply(review.set_state(project, flagged, State.FLAGGED))
    assert review.untouched(project, flagged), "a flag asks for a look, and a proposal helps"
    project.apply(review.toggle_label(project, labelled, "benign"))
    assert not review.untouched(project, labelled)
    drawn = plain
    draw(project, drawn, ids_of(head=(15, 55, 25, 80)))
    assert not review.untouched(project, drawn)


boxes = st.tuples(st.integers(0, 290), st.integers(0, 510), st.sampled_from(["head", "lesion"]))
acts = st.lists(
    st.one_of(
        st.tuples(st.just("draw"), boxes),
        st.tuples(st.just("propose"), boxes),
        st.tuples(st.just("accept"), st.sampled_from([None, (HEAD,), (LESION,)])),
        st.tuples(st.just("reject"), st.sampled_from([None, (HEAD,), (LESION,)])),
        st.tuples(st.just("label"), st.sampled_from(["benign", "malignant"])),
        st.tuples(st.just("state"), st.sampled_from(list(State))),
        st.tuples(st.just("done"), st.none()),
    ),
    min_size=1,
    max_size=7,
)


def edit_for(project, frame, act, value):
    """The edit of one act; None where it is none."""
    match act:
        case "draw":
            top, left, name = value
            before = project.mask(frame)
            ids = before.to_array()
            ids[top : top + 40, left : left + 70] = {"head": HEAD, "lesion": LESION}[name]
            edit = paint("Brush", frame, before, Mask.from_array(ids))
            return None if edit is None else review.hand_work(project, edit)
        case "accept":
            return review.accept(project, frame, value)
        case "reject":
            return review.reject(project, frame, value)
        case "label":
            return review.toggle_label(project, frame, value)
        case "state":
            return review.set_state(project, frame, value)
        case _:
            return review.mark_done(project, frame)


@pytest.fixture(scope="module")
def lasting_project(tmp_path_factory):
    with Project.create(tmp_path_factory.mktemp("review") / "p", SCHEMA) as project:
        add(project, an_instance(1, ROWS, COLUMNS, body_part="BREAST"))
        yield project


@given(acts)
def test_every_act_is_taken_back_and_made_again_exactly(lasting_project, sequence):
    project = lasting_project
    frame = project.frames()[0].id
    behind = []
    for act, value in sequence:
        if act == "propose":
            top, left, name = value
            box = (top, top + 50, left, left + 90)
            propose(project, frame, ids_of(**{name: box}), labels={"benign": 0.6}, model=OTHER)
            behind.clear()  # a proposal is no step: what stood before it does not come back
            continue
        before = contents(project)
        edit = edit_for(project, frame, act, value)
        if edit is None:
            assert contents(project) == before
            continue
        project.apply(edit)
        behind.append((before, contents(project), edit.name))
    for before, after, name in reversed(behind):
        assert project.undo_name == name
        assert contents(project) == after
        project.undo()
        assert contents(project) == before
    for before, after, _ in behind:
        assert contents(project) == before
        project.redo()
        assert contents(project) == after


@given(acts)
def test_no_act_leaves_a_frame_in_a_state_that_contradicts_its_marks(lasting_project, sequence):
    project = lasting_project
    frame = project.frames()[0].id
    for act, value in sequence:
        if act != "propose" and (edit := edit_for(project, frame, act, value)) is not None:
            parts = edit.edits if isinstance(edit, Several) else (edit,)
            assert all(part.name == edit.name for part in parts)
            project.apply(edit)
            if act in ("accept", "draw"):
                nothing = project.annotation(frame).state is State.NOTHING
                assert not (nothing and project.layers(frame))
