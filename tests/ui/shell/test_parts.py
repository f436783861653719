"""Controls, search, keymap, watchdog, icons: each by its public door."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QEvent, QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QVBoxLayout, QWidget

from usfm_studio.ui.shell import fonts, icons
from usfm_studio.ui.shell.actions import ACTIONS, BY_ID
from usfm_studio.ui.shell.controls import (
    Button,
    Chip,
    Choice,
    ElidedLabel,
    Field,
    Label,
    Pose,
    Segmented,
    Slider,
    Switch,
    Tabs,
    Tick,
    ToolButton,
)
from usfm_studio.ui.shell.controls.tips import Tip
from usfm_studio.ui.shell.focus import FocusRing
from usfm_studio.ui.shell.keymap import Keymap
from usfm_studio.ui.shell.paint import contrast
from usfm_studio.ui.shell.palette import action_entries
from usfm_studio.ui.shell.results import find
from usfm_studio.ui.shell.search import match
from usfm_studio.ui.shell.theme import apply_theme, colour
from usfm_studio.ui.shell.watchdog import Watchdog
from usfm_studio.ui.shell.words import clock, day, many, moment

# --- search and palette ------------------------------------------------------------------------------------------


def test_the_beginning_of_a_word_is_found_first():
    names = ("Reject all proposals on this frame", "Propose here", "Project properties", "Play or stop")
    hits = {name: match("prop", name) for name in names}
    assert hits["Play or stop"] is None
    order = sorted((n for n in names if hits[n]), key=lambda n: -hits[n].score)
    assert order == ["Propose here", "Project properties", "Reject all proposals on this frame"]


def test_beginnings_of_several_words_are_found():
    assert match("acdone", "Accept all, done, next").at == (0, 1, 12, 13, 14, 15)
    assert match("xyz", "Accept all, done, next") is None


@given(st.text(max_size=8), st.text(max_size=20))
def test_what_is_marked_are_the_letters_that_were_typed(query: str, text: str):
    hit = match(query, text)
    if hit is not None and len(text.casefold()) == len(text):
        letters = "".join(text[i] for i in hit.at).casefold()
        assert "".join(letters.split()) == "".join(query.casefold().split())
        assert list(hit.at) == sorted(set(hit.at))


def test_what_is_off_comes_after_what_is_on_and_says_why(themed):
    from tests.ui.shell.test_actions import FULL

    entries = action_entries(FULL, Keymap(), lambda id: None)
    found = find("", entries)
    reasons = [f.entry.reason is not None for f in found]
    assert reasons == sorted(reasons)


def test_the_palette_runs_what_is_chosen_and_gives_the_keyboard_back(make_window, qapp):
    from tests.ui.shell.fakes import FakeSession

    session = FakeSession().fill()
    window = make_window(session)
    canvas = window.work().link.widget
    canvas.setFocus()
    window.run("help.palette")
    palette = window.front.top_overlay
    QTest.keyClicks(palette.field, "propose on")
    QTest.keyClick(palette.field, Qt.Key.Key_Return)
    assert session.asked[-1] == "everywhere()"
    assert window.front.top_overlay is None
    assert qapp.focusWidget() is canvas


def test_the_palette_goes_to_items_too(make_window):
    from tests.ui.shell.fakes import FakeSession

    session = FakeSession().fill()
    window = make_window(session)
    window.run("help.palette")
    QTest.keyClicks(window.front.top_overlay.field, "item 57:")
    QTest.keyClick(window.front.top_overlay.field, Qt.Key.Key_Return)
    assert session.asked[-1] == "go_item(56)"


def test_the_palette_does_not_run_what_is_off(make_window):
    from tests.ui.shell.fakes import FakeSession

    session = FakeSession().fill()
    window = make_window(session)
    session.asked.clear()
    window.run("help.palette")
    QTest.keyClicks(window.front.top_overlay.field, "play or")
    QTest.keyClick(window.front.top_overlay.field, Qt.Key.Key_Return)
    assert session.asked == []
    assert window.front.top_overlay is not None
    QTest.keyClick(window.front.top_overlay.field, Qt.Key.Key_Escape)
    assert window.front.top_overlay is None


# --- keys --------------------------------------------------------------------------------------------------------


def test_a_clash_is_told_and_can_be_taken():
    keymap = Keymap()
    assert [a.id for a in keymap.clashes(BY_ID["propose.here"], "B")] == ["tool.brush"]
    taken = keymap.with_keys(BY_ID["propose.here"], ("B",), taking=True)
    assert taken.keys(BY_ID["propose.here"]) == ("B",)
    assert taken.keys(BY_ID["tool.brush"]) == ()
    assert taken.without(BY_ID["propose.here"]).keys(BY_ID["propose.here"]) == ("Y",)


def test_keys_in_the_settings_that_are_none_are_passed_over():
    """The file may have been changed by hand; the window opens all the same."""
    keymap = Keymap({"edit.undo": ["", "Ctrl+", "+", "Ctrl+U"], "view.fit": [""], "gone.action": ["Ctrl+J"]})
    assert keymap.keys(BY_ID["edit.undo"]) == ("Plus", "Ctrl+U")
    assert keymap.keys(BY_ID["view.fit"]) == ()
    assert set(keymap.overrides) == {"edit.undo", "view.fit"}


def test_the_default_key_is_no_change():
    keymap = Keymap().with_keys(BY_ID["propose.here"], ("J",)).with_keys(BY_ID["propose.here"], ("Y",))
    assert keymap.overrides == {}


@given(st.sampled_from(ACTIONS), st.sampled_from(ACTIONS))
def test_taking_a_key_never_leaves_two_owners(first, second):
    keymap = Keymap()
    for key in keymap.keys(second):
        taken = keymap.with_keys(first, (key,), taking=True)
        assert taken.clashes(first, key) == ()


def test_the_key_editor_warns_before_it_takes(make_window, qtbot):
    from tests.ui.shell.fakes import FakeSession

    window = make_window(FakeSession().fill())
    window.run("help.edit_keys")
    editor = window.front.top_overlay
    line = next(line for line in editor.lines if line.action.id == "propose.here")
    line.box.click()
    QTest.keyClick(line.box, Qt.Key.Key_B)
    assert line.clash.words.text() == "B is Brush"
    assert window.dispatcher.keymap.first(BY_ID["propose.here"]) == "Y"
    line.clash.button.click()
    assert window.dispatcher.keymap.first(BY_ID["propose.here"]) == "B"
    assert window.dispatcher.keymap.first(BY_ID["tool.brush"]) == ""
    line.back.click()
    assert window.dispatcher.keymap.first(BY_ID["propose.here"]) == "Y"


def test_the_key_sheet_lists_every_key(make_window):
    from tests.ui.shell.fakes import FakeSession
    from usfm_studio.ui.shell.sheet import Caps

    window = make_window(FakeSession().fill())
    window.run("help.keys")
    listed = {caps.accessibleName() for caps in window.front.top_overlay.findChildren(Caps)}
    from usfm_studio.ui.shell.keys import shown

    for action in ACTIONS:
        if action.keys and not action.id.startswith(("segment.", "label.")):
            assert any(shown(action.keys[0]) in names.split(" or ") for names in listed), action.id


# --- controls ----------------------------------------------------------------------------------------------------


def test_a_segmented_control_tells_what_a_person_picks_and_nothing_else(themed, qtbot):
    control = Segmented("Quality", ["Good", "Fair", "Poor"])
    qtbot.addWidget(control)
    seen: list[int] = []
    control.changed.connect(seen.append)
    control.set_current(1)
    assert (control.current, seen) == (1, [])
    control.button(2).click()
    assert (control.current, seen) == (2, [2])
    control.set_current(-1)
    assert control.current == -1


def test_arrows_move_along_tabs(themed, qtbot):
    tabs = Tabs("Panels", ["Proposal", "Learn", "History"])
    qtbot.addWidget(tabs)
    tabs.show()
    tabs.activateWindow()
    qtbot.waitUntil(tabs.isActiveWindow, timeout=5000)
    tabs.button(0).setFocus()
    QTest.keyClick(tabs.button(0), Qt.Key.Key_Right)
    assert tabs.current == 1


def test_a_slider_jumps_to_the_click_and_steps_by_arrows(themed, qtbot):
    slider = Slider("From confidence", 0, 100, 50)
    qtbot.addWidget(slider)
    slider.resize(216, 24)
    slider.show()
    QTest.mouseClick(slider, Qt.MouseButton.LeftButton, pos=QPoint(8, 12))
    assert slider.value() == 0
    QTest.mouseClick(slider, Qt.MouseButton.LeftButton, pos=QPoint(208, 12))
    assert slider.value() == 100
    slider.setFocus()
    QTest.keyClick(slider, Qt.Key.Key_Left)
    assert slider.value() == 99


def test_switch_tick_and_chip_toggle_by_mouse_and_by_space(themed, qtbot):
    for control in (Switch("Hide names"), Tick("Accepted only"), Chip("To do", "171")):
        qtbot.addWidget(control)
        control.show()
        QTest.mouseClick(control, Qt.MouseButton.LeftButton)
        assert control.isChecked()
        control.setFocus()
        QTest.keyClick(control, Qt.Key.Key_Space)
        assert not control.isChecked()


def test_buttons_never_cut_their_words(themed, qtbot):
    for button in (
        Button("Accept", key="Enter"),
        Button("Calibrate on the depth scale", icon="settings"),
        Choice("R", ("30 fps",)),
    ):
        qtbot.addWidget(button)
        button.resize(button.sizeHint())
        wanted, room = button.text_room()
        assert wanted <= room + 0.5


def test_a_label_that_gives_way_has_the_whole_in_its_tip(themed, qtbot):
    label = ElidedLabel("A very long description of a study that nobody can read")
    qtbot.addWidget(label)
    label.resize(80, 20)
    label.grab()
    assert label.toolTip() == label.text()
    label.resize(800, 20)
    label.grab()
    assert label.toolTip() == ""


def test_a_wrapped_label_is_as_high_as_its_lines(themed, qtbot):
    label = Label("Enhancing can hide or invent detail. Masks always use the original pixels.", size=12, wrap=True)
    qtbot.addWidget(label)
    assert label.heightForWidth(2000) == 18
    assert label.heightForWidth(200) >= 36


def test_a_wrong_field_says_so(themed, qtbot):
    field = Field("Name", text="Lesion?")
    qtbot.addWidget(field)
    field.set_wrong(True, "two segments have this name")
    assert field.toolTip() == "two segments have this name"
    field.set_wrong(False)
    assert field.toolTip() == ""


def test_states_of_a_button_look_different(themed, qtbot):
    button = Button("Accept")
    qtbot.addWidget(button)
    button.resize(92, 32)
    looks = set()
    for pose in (Pose.REST, Pose.HOVER, Pose.PRESSED):
        button.hold(pose)
        image = button.grab().toImage()
        looks.add(image.pixelColor(4, 16).name())
    button.hold(None)
    button.setEnabled(False)
    assert len(looks) == 3


def test_the_focus_ring_moves_nothing(themed, qtbot):
    window = QWidget()
    qtbot.addWidget(window)
    box = QVBoxLayout(window)
    first, second = Button("One"), Button("Two")
    box.addWidget(first)
    box.addWidget(second)
    window.show()
    before = first.geometry(), second.geometry(), window.size()
    ring = FocusRing(window)
    ring.point_at(second)
    assert ring.geometry() == second.geometry().adjusted(-3, -3, 3, 3)
    assert (first.geometry(), second.geometry(), window.size()) == before


def test_the_focus_ring_follows_its_control_and_forgets_a_dead_one(themed, qtbot, qapp):
    window = QWidget()
    qtbot.addWidget(window)
    window.resize(300, 200)
    button = Button("One", parent=window)
    window.show()
    ring = FocusRing(window)
    ring.point_at(button)
    button.move(50, 60)
    qtbot.waitUntil(lambda: ring.geometry() == button.geometry().adjusted(-3, -3, 3, 3), timeout=5000)
    button.deleteLater()
    qapp.sendPostedEvents(None, 52)
    qapp.processEvents()
    ring.point_at(None)
    assert ring.target is None


def test_a_tip_tells_the_key_and_why_a_tool_is_off(themed, qtbot, qapp):
    window = QWidget()
    qtbot.addWidget(window)
    window.resize(300, 200)
    button = ToolButton("lasso", "Lasso", key="L", parent=window)
    window.show()
    button.setEnabled(False)
    button.set_reason("needs an image")
    qapp.sendEvent(button, QEvent(QEvent.Type.ToolTip))
    tip = next(w for w in window.findChildren(Tip) if w.isVisible())
    assert (tip.words, tip.key, tip.reason) == ("Lasso", "L", "needs an image")
    assert window.rect().contains(tip.geometry())
    qapp.sendEvent(button, QEvent(QEvent.Type.Leave))
    assert not tip.isVisible()


# --- icons, type, words ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [14, 16, 18, 20, 32])
def test_an_icons_stroke_is_a_pixel_and_a_half_at_every_size(themed, size):
    ratio = 8.0
    image = icons.pixmap("minus", size, "#FFFFFF", ratio).toImage()
    column = image.width() // 2
    inked = sum(image.pixelColor(column, y).alphaF() for y in range(image.height())) / ratio
    assert inked == pytest.approx(1.5, abs=0.15)


def test_icons_are_drawn_for_the_screen_they_are_on(themed):
    once, twice = icons.pixmap("brush", 20, "#FFFFFF", 1.0), icons.pixmap("brush", 20, "#FFFFFF", 2.0)
    assert (once.width(), twice.width()) == (20, 40)
    assert once.deviceIndependentSize() == twice.deviceIndependentSize()


def test_every_bundled_icon_is_used():
    import re
    from pathlib import Path

    import usfm_studio

    text = "\n".join(p.read_text("utf-8") for p in Path(usfm_studio.__file__).parent.rglob("*.py"))
    words = set(re.findall(r'"([a-z0-9][a-z0-9-]*)"', text))
    assert set(icons.names()) <= words, sorted(set(icons.names()) - words)


def test_figures_have_equal_width_and_words_do_not_change(themed):
    assert fonts.text_width("111") == pytest.approx(fonts.text_width("888"), abs=0.1)
    assert fonts.text_width("-") < fonts.text_width("0") * 0.9


def test_the_bundled_face_is_the_one_that_is_drawn(themed):
    from PySide6.QtGui import QFontInfo

    assert QFontInfo(fonts.font(13)).family() == fonts.FAMILY


def test_letters_are_heavier_on_dark_grounds_only(themed, qapp):
    dark = fonts.text_width("Every state at its real size", 12)
    apply_theme(qapp, "light")
    light = fonts.text_width("Every state at its real size", 12)
    assert contrast(colour("text"), colour("panel")) > 7
    apply_theme(qapp)
    assert dark > light


def test_words_for_values():
    assert day("2026-03-14") == "14 Mar 2026"
    assert day("unknown") == "unknown"
    assert clock(80) == "1:20"
    assert clock(3725) == "1:02:05"
    assert many(1, "item") == "1 item"
    assert many(1235, "step") == "1\N{NARROW NO-BREAK SPACE}235 steps"
    from datetime import date

    assert moment("2026-03-14T14:02:00", date(2026, 3, 14)) == "Today 14:02"
    assert moment("2026-03-13T14:02:00", date(2026, 3, 14)) == "Yesterday"
    assert moment("") == ""


# --- watchdog ----------------------------------------------------------------------------------------------------


def test_the_watchdog_tells_the_longest_absence_and_what_was_done(themed):
    now = {"wall": 0.0, "cpu": 0.0}
    dog = Watchdog(wall=lambda: now["wall"], cpu=lambda: now["cpu"])
    dog.start()
    for wall, cpu, doing in ((0.005, 0.001, "step"), (0.105, 0.090, "open"), (0.110, 0.001, "")):
        dog.doing = doing
        now["wall"] += wall
        now["cpu"] += cpu
        dog.tick()
    dog.stop()
    assert dog.longest_ms == pytest.approx(105.0, abs=1)
    assert [stall.doing for stall in dog.worst(1)] == ["open"]
    assert dog.longest_cpu_ms == pytest.approx(90.0, abs=1)


def test_the_watchdog_ticks_in_the_event_loop(themed, qtbot):
    dog = Watchdog()
    dog.start()
    qtbot.waitUntil(lambda: dog.ticks > 3, timeout=5000)
    dog.stop()
