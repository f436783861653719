from __future__ import annotations

import pytest
from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLineEdit

from tests.ui.shell.fakes import FakeSession
from usfm_studio.ui.shell import dispatch
from usfm_studio.ui.shell.keymap import Keymap
from usfm_studio.ui.shell.keys import names_of

CTRL, SHIFT, NONE = (
    Qt.KeyboardModifier.ControlModifier,
    Qt.KeyboardModifier.ShiftModifier,
    Qt.KeyboardModifier.NoModifier,
)


@pytest.fixture
def working(make_window):
    session = FakeSession().fill()
    window = make_window(session)
    session.asked.clear()
    return window


def press(window, key, modifiers=NONE) -> list[str]:
    QTest.keyClick(window.windowHandle(), key, modifiers)
    asked = list(window.session.asked)
    window.session.asked.clear()
    return asked


def test_letters_act_whatever_has_the_focus(working):
    assert press(working, Qt.Key.Key_Y) == ["here()"]
    working.header.menu_button.setFocus()
    assert press(working, Qt.Key.Key_D) == ["step_item(1)"]
    assert press(working, Qt.Key.Key_F) == ["set_state(<State.FLAGGED: 'flagged'>)"]


def test_keys_reach_actions_through_widgets_too(working):
    QTest.keyClick(working.work().link.widget, Qt.Key.Key_N)
    assert working.session.asked == ["next_open()"]


def test_letters_stay_in_a_text_field_until_escape(working, qtbot):
    field = QLineEdit(working)
    field.show()
    field.setFocus()
    assert press(working, Qt.Key.Key_Y) == []
    assert field.text() == "y"
    assert press(working, Qt.Key.Key_Right) == []
    press(working, Qt.Key.Key_Escape)
    assert QApplication.focusWidget() is working.work().link.widget
    assert press(working, Qt.Key.Key_Y) == ["here()"]


def test_commands_with_ctrl_work_from_a_text_field_but_undo_is_its_own(working):
    field = QLineEdit(working)
    field.show()
    field.setFocus()
    assert press(working, Qt.Key.Key_Z, CTRL) == []
    working.session.learning.__dict__["readiness"] = working.session.learning.readiness
    press(working, Qt.Key.Key_P, CTRL | SHIFT)
    assert working.front.top_overlay is not None


def test_a_capital_f_in_a_text_field_is_a_letter_and_f1_a_key(working):
    working.use_keymap(Keymap({"view.fit": ["Shift+F"], "help.keys": ["Shift+F1"]}))
    field = QLineEdit(working)
    field.show()
    field.setFocus()
    QTest.keyClick(working.windowHandle(), Qt.Key.Key_F, SHIFT)
    assert field.text().upper() == "F"
    press(working, Qt.Key.Key_F1, SHIFT)
    assert working.front.top_overlay is not None


def test_a_focused_control_keeps_space_enter_and_arrows(working):
    button = working.header.palette_button
    button.setFocus(Qt.FocusReason.TabFocusReason)
    assert press(working, Qt.Key.Key_Space) == []
    assert working.front.top_overlay is not None


def test_space_tapped_plays_and_held_moves_the_image(make_window, qtbot, monkeypatch):
    session = FakeSession().fill(frames=20)
    window = make_window(session)
    session.asked.clear()
    assert press(window, Qt.Key.Key_Space) == ["toggle_play()"]
    monkeypatch.setattr(dispatch, "HOLD_MS", 0)
    QTest.keyPress(window.windowHandle(), Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: session.asked == ["set_panning(True)"], timeout=5000)
    QTest.keyRelease(window.windowHandle(), Qt.Key.Key_Space)
    assert session.asked == ["set_panning(True)", "set_panning(False)"]


def test_a_hold_ends_when_the_window_loses_the_keyboard(working, qtbot, monkeypatch):
    monkeypatch.setattr(dispatch, "HOLD_MS", 0)
    QTest.keyPress(working.windowHandle(), Qt.Key.Key_X)
    qtbot.waitUntil(lambda: working.session.asked == ["set_peeking(True)"], timeout=5000)
    working.dispatcher.let_go()
    QTest.keyRelease(working.windowHandle(), Qt.Key.Key_X)
    assert working.session.asked == ["set_peeking(True)", "set_peeking(False)"]


def test_a_tap_on_x_shows_or_hides_outlines(working):
    assert press(working, Qt.Key.Key_X) == ["toggle_overlays()"]
    assert press(working, Qt.Key.Key_X, SHIFT) == ["next_look()"]


def test_digits_are_segments_and_with_shift_labels(working):
    assert press(working, Qt.Key.Key_2) == ["select_segment(2)"]
    assert press(working, Qt.Key.Key_1, SHIFT) == ["toggle_label('Transventricular')"]
    assert press(working, Qt.Key.Key_At, SHIFT) == ["toggle_label('Transthalamic')"]


def test_digits_go_by_place_so_that_azerty_types_them_without_shift():
    ampersand = QKeyEvent(QEvent.Type.KeyPress, Qt.Key.Key_Ampersand, NONE, 10, 0, 0, "&")
    assert names_of(ampersand)[0] == "Digit1"
    agrave = QKeyEvent(QEvent.Type.KeyPress, Qt.Key.Key_Agrave, CTRL, 19, 0, 0, "à")
    assert names_of(agrave)[0] == "Ctrl+Digit0"


def test_signs_are_found_however_a_keyboard_types_them():
    german_slash = QKeyEvent(QEvent.Type.KeyPress, Qt.Key.Key_Slash, CTRL | SHIFT, 16, 0, 0, "/")
    assert "Ctrl+Slash" in names_of(german_slash)
    plus = QKeyEvent(QEvent.Type.KeyPress, Qt.Key.Key_Plus, SHIFT, 21, 0, 0, "+")
    assert names_of(plus) == ("Plus",)


def test_an_action_that_is_off_says_why_in_the_status_line(working):
    working.session.proposed = None
    assert press(working, Qt.Key.Key_Return) == []
    assert working.status.hints.said == "Accept: nothing is proposed here"


def test_a_gesture_takes_enter_before_accepting_does(working):
    working.work().link.stage.__dict__["take_key"] = lambda name: name == "Enter"
    assert press(working, Qt.Key.Key_Return) == []
    working.work().link.stage.__dict__["take_key"] = lambda name: False
    assert press(working, Qt.Key.Key_Return) == ["accept()"]


def test_escape_leads_back_from_a_page_and_lets_go_at_work(working):
    assert press(working, Qt.Key.Key_Escape) == ["cancel()"]
    working.run("learn.show")
    assert working.page == "learn"
    press(working, Qt.Key.Key_Escape)
    assert working.page == "work"


def test_letters_of_work_do_nothing_on_other_pages(working):
    working.run("learn.show")
    assert press(working, Qt.Key.Key_U) == []


def test_own_keys_replace_the_defaults(working):
    keymap = working.dispatcher.keymap
    from usfm_studio.ui.shell.actions import BY_ID

    working.use_keymap(keymap.with_keys(BY_ID["propose.here"], ("J",)))
    assert press(working, Qt.Key.Key_J) == ["here()"]
    assert press(working, Qt.Key.Key_Y) == []
    working.store.flush()
    assert working.store.now.keys == {"propose.here": ["J"]}


def test_holding_an_arrow_never_runs_more_than_the_display_shows(working):
    widget = working.windowHandle()
    for _ in range(50):
        QApplication.sendEvent(widget, QKeyEvent(QEvent.Type.KeyPress, Qt.Key.Key_Right, NONE, "", True))
    assert 1 <= working.session.asked.count("step(1)") < 40


def test_every_key_of_the_table_does_its_action(working):
    """Each default key, pressed for real, asks for its own action."""
    ran: list[str] = []
    working.dispatcher.ran.connect(ran.append)
    working.dispatcher.refused.connect(lambda words, why: ran.append(words))
    names = {name: key for key, name in _keys().items()}
    from usfm_studio.ui.shell.action import Context
    from usfm_studio.ui.shell.actions import ACTIONS

    for action in ACTIONS:
        if action.context is Context.PAGE or action.id in ("app.quit", "view.full_screen"):
            continue
        for combo in working.dispatcher.keymap.keys(action):
            parts = combo.split("+")
            modifiers = NONE
            for part in parts[:-1]:
                modifiers |= {"Ctrl": CTRL, "Shift": SHIFT, "Alt": Qt.KeyboardModifier.AltModifier}[part]
            working.show_page("work")
            ran.clear()
            QTest.keyClick(working.windowHandle(), names[parts[-1]], modifiers)
            if working.front.top_overlay is not None:
                working.front.top_overlay.close_it()
            situation = working.situation()
            assert ran[:1] in ([action.id], [action.words(situation)]), (action.id, combo, ran)


def _keys() -> dict[Qt.Key, str]:
    found = {Qt.Key(getattr(Qt.Key, f"Key_{letter}")): letter for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
    found |= {Qt.Key(getattr(Qt.Key, f"Key_{n}")): f"Digit{n}" for n in range(10)}
    found |= {Qt.Key(getattr(Qt.Key, f"Key_F{n}")): f"F{n}" for n in range(1, 13)}
    for name, ours in (
        ("Return", "Enter"), ("Escape", "Esc"), ("Delete", "Del"), ("Space", "Space"), ("Tab", "Tab"), ("Left", "Left"),
        ("Right", "Right"), ("Up", "Up"), ("Down", "Down"), ("Home", "Home"), ("End", "End"), ("PageUp", "PgUp"),
        ("PageDown", "PgDown"), ("Plus", "Plus"), ("Equal", "Equal"), ("Minus", "Minus"), ("Comma", "Comma"),
        ("Slash", "Slash"), ("Backslash", "Backslash"), ("BracketLeft", "BracketLeft"),
        ("BracketRight", "BracketRight"),
    ):  # fmt: skip
        found[Qt.Key(getattr(Qt.Key, f"Key_{name}"))] = ours
    return found
