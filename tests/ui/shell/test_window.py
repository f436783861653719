from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from PySide6.QtCore import QEvent, QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QCloseEvent, QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from shiboken6 import isValid

from tests.ui.shell.fakes import FakeSession
from usfm_studio.ui.shell.controls import Button
from usfm_studio.ui.shell.menus import main_menu, project_menu
from usfm_studio.ui.shell.settings import Recent
from usfm_studio.ui.state import EngineState, ImportState, Notice, SavedState


def test_without_a_project_three_ways_to_begin_are_shown_and_the_first_has_the_keyboard(make_window, qapp):
    window = make_window(FakeSession())
    qapp.processEvents()
    assert window.page == "empty"
    assert QApplication.focusWidget() is window.empty.study
    assert window.ring.target is window.empty.study
    assert window.status.device.text().endswith("not for diagnosis")


def test_opening_a_study_makes_a_project_of_its_name_and_reads_it_in(make_window, tmp_path):
    session = FakeSession()
    window = make_window(session)
    window.front.ask_files = lambda parent, title: [str(tmp_path / "exam one.dcm")]
    window.empty.study.click()
    assert session.asked == ["open_project('exam one')", f"import_paths(['{tmp_path / 'exam one.dcm'}'])"]
    assert window.page == "work"


def test_nothing_chosen_changes_nothing(make_window):
    session = FakeSession()
    window = make_window(session)
    window.empty.folder.click()
    assert session.asked == []
    assert window.page == "empty"


def test_a_second_study_of_the_same_name_gets_a_project_of_its_own(make_window, tmp_path):
    session = FakeSession()
    window = make_window(session)
    (tmp_path / "projects" / "exam").mkdir(parents=True)
    window.front.bring_in([str(tmp_path / "exam.dcm")])
    assert session.asked[0] == "open_project('exam 2')"


def test_a_projects_folder_is_opened_and_not_read_in(make_window, tmp_path):
    (tmp_path / "heads").mkdir()
    (tmp_path / "heads" / "project.db").touch()
    session = FakeSession()
    window = make_window(session)
    window.front.bring_in([str(tmp_path / "heads")])
    assert session.asked == ["open_project('heads')"]


def test_a_folder_that_cannot_even_be_asked_is_left_to_the_reader_and_out_of_the_recent_ones(make_window, tmp_path):
    """A recent project may lie where the person may no longer look; the first page must come all the same."""
    strange = str(tmp_path / ("x" * 300))
    session = FakeSession()
    window = make_window(session)
    window.empty.show_recent([Recent(folder=strange, name="strange")])
    assert window.empty._all == []
    window.front.bring_in([strange])
    assert session.asked[-1] == f"import_paths(['{strange}'])"


@pytest.mark.parametrize("show", ["_show_menu", "_show_image_menu", "_show_projects"])
def test_a_menu_that_was_closed_is_gone(make_window, qapp, show):
    window = make_window(FakeSession().fill())
    for _ in range(3):
        getattr(window, show)(window.mapToGlobal(window.rect().center()))
        menu = QApplication.activePopupWidget()
        menu.close()
        qapp.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
        assert not isValid(menu)


def test_what_is_chosen_in_a_menu_is_done_though_the_menu_goes(make_window, qapp):
    session = FakeSession().fill()
    window = make_window(session)
    session.asked.clear()
    window._show_image_menu(window.mapToGlobal(window.rect().center()))
    menu = QApplication.activePopupWidget()
    wanted = next(action for action in menu.actions() if action.text().startswith("Flag"))
    QTest.mouseClick(menu, Qt.MouseButton.LeftButton, pos=menu.actionGeometry(wanted).center())
    qapp.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    assert session.asked == ["set_state(<State.FLAGGED: 'flagged'>)"]
    assert not isValid(menu)


def test_files_may_be_dropped_anywhere(make_window, tmp_path):
    session = FakeSession().fill()
    window = make_window(session)
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(tmp_path / "a.dcm")), QUrl.fromLocalFile(str(tmp_path / "b"))])
    copy = Qt.DropAction.CopyAction
    event = QDropEvent(QPointF(5, 5), copy, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    window.dropEvent(event)
    assert session.asked[-1] == f"import_paths(['{tmp_path / 'a.dcm'}', '{tmp_path / 'b'}'])"


def test_recent_projects_are_offered_and_those_that_are_gone_are_not(make_window, tmp_path):
    session = FakeSession()
    window = make_window(session)
    (tmp_path / "heads").mkdir()
    (tmp_path / "heads" / "project.db").touch()
    settings = window.store.now.with_recent(Recent(folder=str(tmp_path / "gone"), name="Gone"))
    window.use_settings(settings.with_recent(Recent(folder=str(tmp_path / "heads"), name="Heads", items=240, done=60)))
    window.show_page("empty")
    from usfm_studio.ui.shell.recent_card import RecentCard

    cards = [card for card in window.empty.findChildren(RecentCard) if card.isVisible()]
    assert [card.text() for card in cards] == ["Heads"]
    cards[0].click()
    assert session.asked == ["open_project('heads')"]


def test_whose_image_and_which_item_are_always_told(make_window):
    window = make_window(FakeSession().fill())
    assert window.header.name.text() == "SAMPLE^ONE"
    assert window.header.details.text() == "0412 · 14 Mar 2026 · C5-1 · OB 2nd trimester"
    assert window.header.place.text() == "Item 12 / 240"
    assert window.header.project.text() == "Fetal heads"


def test_saved_engine_and_learning_are_always_told(make_window, qtbot):
    session = FakeSession().fill().learn()
    window = make_window(session)
    assert window.header.saved.accessibleName() == "Saved 14:02"
    assert window.header.engine.text() == "Engine · CPU"
    assert window.header.learning.accessibleName() == "Learning 63 %, 1:20 left"
    session.engine = EngineState(kind="restarting", text="Engine restarting")
    session.engine_changed.emit()
    assert window.header.engine.text() == "Engine restarting"
    window.header.learning.stop_button.click()
    assert session.asked[-1] == "stop()"


def test_news_of_a_burst_is_shown_once(make_window, qtbot, monkeypatch):
    session = FakeSession().fill()
    window = make_window(session)
    QApplication.processEvents()
    seen = []
    monkeypatch.setattr(window.telling, "refresh", lambda situation: seen.append(situation))
    for _ in range(20):
        session.changed.emit(None)
        session.current_changed.emit()
    qtbot.waitUntil(lambda: bool(seen), timeout=5000)
    QApplication.processEvents()
    assert len(seen) == 1


def test_undo_is_named_in_the_status_line(make_window):
    session = FakeSession().fill()
    window = make_window(session)
    assert window.status.undo.text() == "Undo: Negative click, Fetal head"
    assert window.status.undo_key.text() == "Ctrl+Z"


def test_a_proposal_brings_up_the_bar_and_a_stroke_hides_it(make_window, qapp):
    session = FakeSession().fill()
    window = make_window(session)
    qapp.processEvents()
    bar = window.work().bar
    assert bar.isVisible()
    assert (bar.name.text(), bar.confidence.text()) == ("Fetal head", "0.94")
    window.work().link.busy_changed.emit(True)
    assert not bar.isVisible()
    window.work().link.busy_changed.emit(False)
    assert bar.isVisible()
    session.asked.clear()
    bar.accept.click()
    bar.reject.click()
    bar.edit.click()
    assert session.asked == ["accept()", "reject()", "set_tool('brush')"]
    session.proposed = None
    window.refresh()
    assert not bar.isVisible()


def test_the_bar_counts_what_else_is_proposed(make_window):
    session = FakeSession().fill()
    session.proposed = replace(session.proposed, values=(1, 2))
    window = make_window(session)
    assert window.work().bar.name.text() == "Fetal head and 1 more"


def test_loops_have_a_timeline_and_stills_a_filmstrip(make_window):
    window = make_window(FakeSession().fill(frames=30))
    below = window.work().below
    assert below.timeline.isVisible()
    assert not below.filmstrip.isVisible()


def test_messages_stack_newest_first_and_never_block(make_window):
    session = FakeSession().fill()
    window = make_window(session)
    for number in range(3):
        session.notice.emit(Notice(kind="warning", title=f"Number {number}", text="why"))
    bar = window.messages
    assert [notice.title for notice in bar.notices] == ["Number 2", "Number 1", "Number 0"]
    assert bar.height() == 32
    bar.toggle()
    assert bar.height() == 96
    bar.close_newest()
    assert [notice.title for notice in bar.notices] == ["Number 1", "Number 0"]
    assert QApplication.activeModalWidget() is None


def test_a_message_runs_the_action_of_its_button(make_window):
    session = FakeSession().fill()
    session.learning.__dict__["verdict"] = object()
    window = make_window(session)
    session.notice.emit(
        Notice(kind="ok", title="Better", text="0.71 to 0.82", button="See how", action="learn.verdict")
    )
    button = next(b for b in window.messages.findChildren(Button) if b.text() == "See how")
    button.click()
    assert window.page == "verdict"


def test_a_message_has_its_reasons_to_read_and_to_copy(make_window, qapp):
    session = FakeSession().fill()
    window = make_window(session)
    session.notice.emit(
        Notice(kind="warning", title="2 files could not be read", text="why", details="a: cut\nb: empty")
    )
    next(b for b in window.messages.findChildren(Button) if b.text() == "Details").click()
    details = window.front.top_overlay
    details.copy.click()
    assert qapp.clipboard().text() == "a: cut\nb: empty"


def test_the_same_message_is_not_shown_twice(make_window):
    session = FakeSession().fill()
    window = make_window(session)
    for _ in range(5):
        session.notice.emit(Notice(kind="error", title="Disk full", text="why"))
    assert len(window.messages.notices) == 1


def test_not_saved_stays_red_until_a_write_succeeds(make_window):
    session = FakeSession().fill()
    window = make_window(session)
    session.saved = SavedState(kind="unsaved", text="Not saved")
    session.notice.emit(Notice(kind="error", title="Disk full", text="3 edits not saved.", key="unsaved"))
    session.saved_changed.emit()
    assert window.header.saved.accessibleName() == "Not saved"
    assert len(window.messages.notices) == 1
    session.saved = SavedState(kind="saved", text="Saved 14:03")
    session.saved_changed.emit()
    session.settled.emit("unsaved")
    assert window.messages.notices == ()


def test_closing_while_work_is_not_written_is_refused_once_and_says_why(make_window):
    session = FakeSession().fill()
    window = make_window(session)
    session.saved = SavedState(kind="unsaved", text="Not saved")
    session.saved_changed.emit()
    first = QCloseEvent()
    window.closeEvent(first)
    assert not first.isAccepted()
    assert "loses your last edits" in window.messages.notices[0].title
    second = QCloseEvent()
    window.closeEvent(second)
    assert second.isAccepted()
    assert session.asked[-1] == "shut_down(True)"


def test_files_that_come_in_show_their_page_and_then_the_first_image(make_window):
    session = FakeSession().fill(count=1, at=0)
    session.navigation.__dict__["items"] = ()
    window = make_window(session)
    session.bringing_in.__dict__["state"] = ImportState(running=True, total=9)
    session.import_changed.emit()
    assert window.page == "import"
    session.fill()
    session.bringing_in.__dict__["state"] = ImportState(running=False, imported=9)
    session.import_changed.emit()
    assert window.page == "work"


def test_closing_the_project_leads_back_to_the_first_page_and_remembers_it(make_window, tmp_path):
    session = FakeSession().fill(folder=tmp_path / "heads")
    window = make_window(session)
    window.run("project.close")
    assert window.page == "empty"
    assert window.ring.target is window.empty.study
    assert window.store.now.recent[0].name == "heads"
    assert window.store.now.recent[0].items == 240


def test_a_project_that_cannot_be_written_stays_open(make_window, tmp_path):
    session = FakeSession().fill(folder=tmp_path / "heads")
    window = make_window(session)
    session.saved = SavedState(kind="unsaved", text="Not saved")
    window.run("project.close")
    assert window.page == "work"
    assert session.project is not None


def test_a_project_that_opens_leads_to_work(make_window):
    session = FakeSession()
    window = make_window(session)
    session.fill()
    session.opened.emit()
    assert window.page == "work"


def test_news_about_one_thing_replaces_the_earlier(make_window):
    session = FakeSession().fill()
    window = make_window(session)
    for count in (1, 2, 3):
        session.notice.emit(Notice(kind="error", title="Disk full", text=f"{count} edits not saved", key="unsaved"))
    assert [notice.text for notice in window.messages.notices] == ["3 edits not saved"]


def test_menus_hold_the_table_and_grey_what_is_off(make_window):
    window = make_window(FakeSession().fill())
    ran: list[str] = []
    menu = main_menu(window, window.situation(), window.dispatcher.keymap, ran.append)
    groups = {part.text(): part.menu() for part in menu.actions()}
    assert list(groups) == ["Project", "Edit", "Go", "View", "Tools", "Review", "Label", "Model", "Help"]
    undo = groups["Edit"].actions()[0]
    assert undo.text() == "Undo: Negative click, Fetal head\tCtrl+Z"
    play = next(a for a in groups["Go"].actions() if a.text().startswith("Play"))
    assert not play.isEnabled()
    assert "needs a loop" in play.toolTip()
    undo.trigger()
    assert ran == ["edit.undo"]


def test_the_projects_menu_leaves_out_the_open_one(make_window):
    window = make_window(FakeSession().fill())
    recent = [Recent(folder="/a", name="A"), Recent(folder="/b", name="B")]
    opened: list[str] = []
    menu = project_menu(window, recent, "/a", opened.append, lambda menu: None)
    assert [entry.text() for entry in menu.actions() if entry.text()] == ["B"]
    menu.actions()[0].trigger()
    assert opened == ["/b"]


def test_f6_goes_round_the_parts_of_the_window(make_window, qapp):
    window = make_window(FakeSession().fill())
    work = window.work()
    work.inspector.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    work.link.widget.setFocus()
    seen = []
    for _ in range(4):
        QTest.keyClick(window.windowHandle(), Qt.Key.Key_F6)
        focus = QApplication.focusWidget()
        seen.append(focus.accessibleName())
        assert window.ring.target is focus
    assert seen == ["Select", "Inspector", "Menu", "Image"]
    QTest.keyClick(window.windowHandle(), Qt.Key.Key_F6, Qt.KeyboardModifier.ShiftModifier)
    assert QApplication.focusWidget().accessibleName() == "Menu"


def test_tab_shows_the_ring_wherever_it_leads(make_window):
    window = make_window(FakeSession().fill())
    window.header.menu_button.setFocus()
    assert window.ring.target is None
    QTest.keyClick(window.windowHandle(), Qt.Key.Key_Tab)
    assert QApplication.focusWidget() is window.header.project
    assert window.ring.target is window.header.project


def test_going_to_a_page_takes_the_keyboard_along(make_window):
    window = make_window(FakeSession().fill())
    window.run("learn.show")
    assert window.ring.target is None
    window.show_page("work")
    assert QApplication.focusWidget() is window.work().link.widget


def test_a_click_leaves_the_keyboard_where_it_is(make_window):
    window = make_window(FakeSession().fill())
    canvas = window.work().link.widget
    canvas.setFocus()
    QTest.mouseClick(window.work().tools.buttons["tool.brush"], Qt.MouseButton.LeftButton)
    assert QApplication.focusWidget() is canvas
    assert window.ring.target is None


def test_settings_are_kept(make_window, tmp_path):
    window = make_window(FakeSession())
    window.use_settings(msgspec.structs.replace(window.store.now, theme="light", scale=125))
    window.store.flush()
    from usfm_studio.ui.shell.settings import read_settings

    kept = read_settings(tmp_path / "config")
    assert (kept.theme, kept.scale) == ("light", 125)


@pytest.mark.slow
def test_the_window_is_sharp_and_whole_at_200_percent(tmp_path: Path):
    """The smallest supported screen: 1280x720 logical pixels at a device pixel ratio of 2."""
    code = "import sys; sys.argv=['look', sys.argv[1], '1280', '720'];from tests.ui.shell.look import main; main()"
    environment = {
        "QT_QPA_PLATFORM": "offscreen",
        "QT_SCALE_FACTOR": "2",
        "PATH": "/usr/bin:/bin",
        "HOME": str(tmp_path),
    }
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, timeout=120, env=environment)
    from PySide6.QtGui import QImage

    assert QImage(str(tmp_path / "work.png")).width() == 2560
