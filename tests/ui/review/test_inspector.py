"""The inspector by mouse and keys: each act is one change, and what is shown follows from the session alone."""

import numpy as np
import pytest
from PySide6.QtCore import QPointF, Qt

from tests.ui.bench import LOOP, click, pixels, show, too_long
from usfm_studio.document.annotation import INSTANT, State
from usfm_studio.document.edit import paint
from usfm_studio.document.mask import Mask
from usfm_studio.project.project import Project
from usfm_studio.ui.furnishing import furnished
from usfm_studio.ui.review.inspector import Inspector
from usfm_studio.ui.shell.settings import SettingsStore
from usfm_studio.ui.shell.window import Window


@pytest.fixture
def inspector(bench, qtbot):
    made = show(qtbot, Inspector(bench.session), 288, 736)
    made.wanted.connect(bench.wanted.append)
    made.refresh()
    return made


@pytest.fixture
def window(bench, qtbot, tmp_path):
    made = Window(bench.session, furnished(), SettingsStore(tmp_path / "settings"))
    show(qtbot, made, 1280, 800)
    made.work().link.widget.setFocus()
    yield made
    made.store.close()


def draw(bench, row, value, index=0):
    """A person's stroke."""
    frame = bench.frame(row, index)
    before = bench.project.mask(frame)
    ids = before.to_array()
    ids[10:40, 20:60] = value
    bench.session.reviewing.draw(paint("Brush", frame, before, Mask.from_array(ids)))


def names(inspector):
    """What the segments say; spaces of all widths as plain ones."""
    return [" ".join(made.accessibleName().split()) for made in inspector.segments.rows if made.isVisible()]


# --- segments ----------------------------------------------------------------------------------------------------


def test_each_segment_says_how_it_stands(inspector, bench, qtbot):
    bench.propose(0, confidence=0.87)
    draw(bench, 0, 2)
    qtbot.wait(20)
    assert names(inspector) == ["1 Head, proposed, 0.87 1 800 px", "2 Midline, accepted 1 200 px"]
    assert inspector.segments.head.note.text() == "2 of 2"
    bench.go(LOOP)
    qtbot.wait(20)
    assert names(inspector) == ["1 Lumen, not marked"]
    assert inspector.segments.head.note.text() == "0 of 1"


def test_a_click_selects_what_is_painted(inspector, bench, qtbot):
    click(qtbot, inspector.segments.rows[1], QPointF(120, 16))
    assert bench.session.segment == 2
    qtbot.wait(20)
    assert [row.isChecked() for row in inspector.segments.rows] == [False, True]
    assert bench.changes == []


def test_the_eye_hides_and_changes_no_data(inspector, bench, qtbot):
    draw(bench, 0, 1)
    before = bench.session.mask()
    bench.changes.clear()
    click(qtbot, inspector.segments.rows[0].eye)
    assert bench.session.hidden_segments == {1}
    qtbot.wait(20)
    assert inspector.segments.rows[0].eye.accessibleName() == "Show Head"
    click(qtbot, inspector.segments.rows[0].eye)
    assert bench.session.hidden_segments == frozenset()
    assert bench.changes == []
    assert bench.session.mask() is before


def test_a_segment_is_added_by_typing_its_name(inspector, bench, qtbot):
    assert not inspector.segments.field.isVisible()
    click(qtbot, inspector.segments.add)
    assert inspector.segments.field.isVisible()
    qtbot.keyClicks(inspector.segments.field, "Choroid plexus")
    qtbot.keyClick(inspector.segments.field, Qt.Key.Key_Return)
    assert [change.name for change in bench.changes] == ["Add Choroid plexus"]
    added = bench.project.schema.named("Choroid plexus")
    assert added.exam == "HEAD"
    assert bench.session.segment == added.value
    qtbot.wait(20)
    assert not inspector.segments.field.isVisible()
    assert names(inspector)[2].startswith("3 Choroid plexus")
    bench.session.undo()
    qtbot.wait(20)
    assert len(names(inspector)) == 2


def test_the_field_goes_when_it_is_left(inspector, bench, qtbot):
    click(qtbot, inspector.segments.add)
    qtbot.keyClicks(inspector.segments.field, "Half a na")
    qtbot.keyClick(inspector.segments.field, Qt.Key.Key_Escape)
    assert not inspector.segments.field.isVisible()
    click(qtbot, inspector.segments.add)
    assert inspector.segments.field.text() == ""
    qtbot.keyClick(inspector.segments.field, Qt.Key.Key_Return)  # without a name
    assert not inspector.segments.field.isVisible()
    bench.go(LOOP)
    bench.go(0)
    qtbot.wait(20)
    assert not inspector.segments.field.isVisible()
    assert bench.changes == []


def test_a_name_that_is_taken_is_refused_in_words(inspector, bench, qtbot):
    click(qtbot, inspector.segments.add)
    qtbot.keyClicks(inspector.segments.field, "head")
    qtbot.keyClick(inspector.segments.field, Qt.Key.Key_Return)
    assert bench.changes == []
    assert 'segment name "head"' in bench.notices[-1].text


def test_a_double_click_renames(inspector, bench, qtbot):
    row = inspector.segments.rows[0]
    qtbot.mouseDClick(row, Qt.MouseButton.LeftButton, pos=row.rect().center())
    qtbot.keyClicks(row.name_field, "Fetal head")  # the old name is selected
    qtbot.keyClick(row.name_field, Qt.Key.Key_Return)
    assert [change.name for change in bench.changes] == ["Rename to Fetal head"]
    qtbot.wait(20)
    assert names(inspector)[0].startswith("1 Fetal head")
    assert not row.name_field.isVisible()


def test_the_menu_accepts_rejects_and_recolours(inspector, bench, qtbot):
    bench.propose(0, values=(1, 2))
    qtbot.wait(20)
    row = inspector.segments.rows[0]
    menu = row.menu()
    acts = {action.text(): action for action in menu.actions() if action.text()}
    assert list(acts) == ["Accept", "Reject", "Hide", "Rename …", "Colour"]
    acts["Accept"].trigger()
    assert [change.name for change in bench.changes] == ["Accept, Head"]
    colours = acts["Colour"].menu()
    next(action for action in colours.actions() if action.text() == "Yellow").trigger()
    assert bench.project.schema.segment(1).colour == "#F0E442"
    assert len(bench.changes) == 2
    qtbot.wait(20)
    other = inspector.segments.rows[1].menu()
    next(action for action in other.actions() if action.text() == "Reject").trigger()
    assert bench.session.proposed is None
    assert len(bench.changes) == 3


def test_many_segments_scroll_and_the_tabs_keep_their_room(inspector, bench, qtbot):
    for number in range(12):
        bench.session.reviewing.add_segment(f"Segment with quite a long name that is number {number}")
    qtbot.wait(30)
    assert len(names(inspector)) == 14
    assert inspector.segments.height() < 330
    assert inspector.pages.height() > 200
    qtbot.waitUntil(lambda: inspector.segments._scroll.height() == 8 * 32, timeout=2000)
    qtbot.wait(20)
    pixels(inspector)
    assert inspector.segments.rows[5].toolTip().startswith("Segment with quite")


# --- labels and the note -----------------------------------------------------------------------------------------


def test_a_click_says_a_label_and_another_takes_its_place(inspector, bench, qtbot):
    good, poor = inspector.labels.buttons
    click(qtbot, good)
    assert bench.session.annotation.labels == ("good",)
    click(qtbot, poor)
    assert bench.session.annotation.labels == ("poor",)
    qtbot.wait(20)
    assert [button.isChecked() for button in inspector.labels.buttons] == [False, True]
    click(qtbot, poor)
    assert bench.session.annotation.labels == ()
    assert [change.name for change in bench.changes] == ["Label good", "Label poor", "Label poor"]


def test_what_the_model_thinks_stands_there_until_a_person_says(inspector, bench, qtbot):
    bench.propose(0, labels={"good": 0.3, "poor": 0.7})
    qtbot.wait(20)
    good, poor = inspector.labels.buttons
    assert poor.accessibleName() == "poor, the model: 0.70"
    assert poor._likeliest
    click(qtbot, good)
    qtbot.wait(20)
    assert good.accessibleName() == "good, said"
    assert poor.accessibleName() == "poor"


def test_shift_and_a_digit_do_the_same(window, bench, qtbot):
    qtbot.keyClick(window.windowHandle(), Qt.Key.Key_2, Qt.KeyboardModifier.ShiftModifier)
    assert bench.session.annotation.labels == ("poor",)
    assert len(bench.changes) == 1
    qtbot.waitUntil(lambda: window.work().inspector.labels.buttons[1].isChecked(), timeout=2000)


def test_a_label_is_added_by_typing_its_name(inspector, bench, qtbot):
    bench.go(LOOP)
    qtbot.wait(20)
    assert inspector.labels.head.note.text() == "none"
    click(qtbot, inspector.labels.add)
    qtbot.keyClicks(inspector.labels.field, "plaque")
    qtbot.keyClick(inspector.labels.field, Qt.Key.Key_Return)
    qtbot.wait(20)
    assert [button.text() for button in inspector.labels.buttons] == ["plaque"]
    assert [label.exam for label in bench.project.schema.labels if label.name == "plaque"] == ["CAROTID"]
    assert len(bench.changes) == 1


def test_a_flag_asks_for_its_reason_and_keeps_it_with_its_frame(inspector, bench, qtbot):
    assert not inspector.note.isVisible()
    bench.session.reviewing.set_state(State.FLAGGED)
    qtbot.wait(20)
    assert inspector.note.isVisible()
    qtbot.keyClicks(inspector.note.field, "Wrong side?")
    bench.go(1)  # without Enter
    qtbot.wait(20)
    assert bench.project.annotation(bench.frame(0)).note == "Wrong side?"
    assert bench.project.annotation(bench.frame(1)).note == ""
    assert not inspector.note.isVisible()
    assert [change.name for change in bench.changes] == ["Flag", "Note"]


# --- tabs --------------------------------------------------------------------------------------------------------


def test_the_history_names_the_acts_and_undo_takes_the_marked_one_back(inspector, bench, qtbot):
    draw(bench, 0, 1)
    bench.go(2)
    bench.session.reviewing.toggle_label("good")
    inspector.show_tab("History")
    assert inspector.history.lines.words() == ["Label good", "Brush"]
    bench.changes.clear()
    click(qtbot, inspector.history.undo)
    assert len(bench.changes) == 1
    qtbot.wait(20)
    assert inspector.history.lines.words() == ["Label good, undone", "Brush"]
    assert inspector.history.undo.toolTip() == "Undo: Brush, item 1"
    click(qtbot, inspector.history.redo)
    qtbot.wait(20)
    assert inspector.history.lines.words() == ["Label good", "Brush"]
    click(qtbot, inspector.history.lines, inspector.history.lines.line_rect(1))
    assert bench.row == 0
    inspector.history.lines.setFocus()
    qtbot.keyClick(inspector.history.lines, Qt.Key.Key_Up)
    qtbot.keyClick(inspector.history.lines, Qt.Key.Key_Return)
    assert bench.row == 2


def test_a_click_on_a_model_lets_it_propose_and_go_back_takes_that_back(inspector, bench, qtbot, tmp_path):
    first = bench.adopt(tmp_path / "1", "Heads v1")
    second = bench.adopt(tmp_path / "2", "Heads v2", parents=[first.digest], created="2026-11-25T11:00:00+00:00")
    bench.adopt(tmp_path / "3", "Lumen v1", exam="CAROTID")
    bench.session.learning.refresh()
    inspector.show_tab("Models")
    cards = inspector.models.choice.buttons
    assert [card.model.card.name for card in cards] == ["Heads v2", "Heads v1"]
    click(qtbot, cards[1])
    assert bench.project.models.champion("HEAD") == first.digest
    qtbot.wait(20)
    click(qtbot, inspector.models.choice.buttons[0])
    assert bench.project.models.champion("HEAD") == second.digest
    qtbot.wait(20)
    assert inspector.models.choice.buttons[0].accessibleName() == "Heads v2, in use, 0.80 (0.70–0.90)"
    assert inspector.models.choice.back.text() == "Go back to Heads v1"
    click(qtbot, inspector.models.choice.back)
    assert bench.project.models.champion("HEAD") == first.digest
    assert [change.kinds for change in bench.changes] == [frozenset({"champion"})] * 3
    qtbot.wait(20)
    assert inspector.models.choice.back.text() == "Use no model"
    bench.session.undo()
    assert bench.project.models.champion("HEAD") == second.digest
    assert too_long(inspector) == []


def test_the_proposal_tab_counts_until_there_is_a_model_and_then_shows_it(inspector, bench, qtbot, tmp_path):
    tab = inspector.proposal
    assert tab._frames.accessibleName() == "0 of 3 frames"
    assert not tab.train.isEnabled()
    for row in (0, 2, 4):
        draw(bench, row, 1)
        bench.go(row)
        bench.session.reviewing.set_state(State.DONE)
    qtbot.wait(20)
    assert (tab._frames.accessibleName(), tab._subjects.accessibleName()) == ("3 frames", "3 subjects")
    assert tab.train.isEnabled()
    card = bench.adopt(tmp_path / "1", "Heads v1", train_subjects=("a", "b"))
    bench.session.learning.refresh()
    bench.session.learning.promote(card.digest)
    qtbot.wait(20)
    assert tab._name.text() == "Heads v1"
    assert tab._score_words.text() == "0.80  (0.70–0.90)"
    qtbot.waitUntil(lambda: too_long(inspector) == [])  # laid out anew


def test_what_an_instant_head_proposes_is_said_to_be_untested(inspector, bench, qtbot):
    tab = inspector.proposal
    assert not tab._instantly.isVisible()
    bench.propose(0, model=f"{INSTANT}{'b' * 64}", model_name="learned from 3 frames, not yet tested")
    qtbot.waitUntil(lambda: tab._instantly.isVisible(), timeout=3000)
    assert tab._instantly.text() == "Proposed here: learned from 3 frames, not yet tested."
    assert tab._without.isVisible(), "a run still has to make the first model"
    qtbot.waitUntil(lambda: too_long(inspector) == [])
    bench.propose(0)
    qtbot.waitUntil(lambda: not tab._instantly.isVisible(), timeout=3000)


def test_the_frames_of_a_loop_that_the_model_is_least_sure_of_come_first(inspector, bench, qtbot):
    for index, sure in enumerate((0.9, 0.41, 0.42, 0.8, 0.51, 0.9)):
        bench.propose(LOOP, index, confidence=sure, values=(3,))
    bench.go(LOOP)
    qtbot.waitUntil(lambda: inspector.proposal.first.isVisible(), timeout=3000)
    shown = [row.accessibleName() for row in inspector.proposal.first.rows if row.isVisible()]
    assert shown == ["Frame 2, the model is unsure: 0.41", "Frame 5, the model is unsure: 0.51"]
    click(qtbot, inspector.proposal.first.rows[1])
    assert bench.session.current.index == 4
    assert bench.changes == []


def test_the_suggestion_leads_to_the_item_that_waits(inspector, bench, qtbot):
    assert "item 2, AB-1" in inspector.proposal.next.button.accessibleName()
    click(qtbot, inspector.proposal.next.button)
    assert bench.row == 1
    inspector.resize(288, 400)
    qtbot.wait(20)
    assert not inspector.proposal.next.isVisible()  # gives way


def test_the_learn_tab_opens_the_pages(inspector, bench, qtbot):
    inspector.show_tab("Learn")
    assert inspector.learn._head.text() == "Not enough yet"
    assert not inspector.learn.start.isEnabled()
    click(qtbot, inspector.learn.page)
    assert bench.wanted == ["learn.show"]


def test_a_project_open_for_reading_offers_no_change(inspector, bench, qtbot):
    folder = bench.project.folder
    bench.session.close_project()
    assert bench.session.opening.wait(10)
    with Project.open(folder):  # someone else has it
        bench.open(folder, qtbot)
        qtbot.wait(30)
        assert not inspector.segments.add.isEnabled()
        assert not inspector.labels.buttons[0].isEnabled()
        inspector.show_tab("History")
        assert not inspector.history.undo.isEnabled()


@pytest.mark.parametrize("tab", ["Proposal", "Learn", "Models", "History"])
def test_an_inspector_made_in_mid_session_looks_the_same(inspector, bench, qtbot, tab):
    bench.propose(0, confidence=0.87, labels={"good": 0.3, "poor": 0.7})
    draw(bench, 0, 2)
    bench.session.toggle_segment_visible(2)
    bench.session.reviewing.set_state(State.FLAGGED)
    bench.session.reviewing.set_note("Why")
    bench.session.select_segment(2)
    bench.settle(qtbot)
    inspector.show_tab(tab)
    other = show(qtbot, Inspector(bench.session, inspector.proposal.next.button._thumbnails), 288, 736)
    other.show_tab(tab)
    qtbot.wait(30)
    for each in (inspector, other):
        each.setFocus()
    qtbot.wait(10)
    assert np.array_equal(pixels(inspector), pixels(other))
    assert too_long(other) == []
