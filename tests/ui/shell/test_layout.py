"""Nothing is clipped: the width of every text against its room, at the sizes that the window must hold."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, QRect
from PySide6.QtWidgets import QWidget

from tests.ui.shell.fakes import FakeSession
from usfm_studio.ui.shell.tokens import THEMES
from usfm_studio.ui.state import Notice

SIZES = ((1280, 800), (1280, 720), (1024, 640), (2560, 1440), (1920, 1080))
NOTICE = Notice(
    kind="warning", title="Engine stopped and was started again",
    text="out of memory at 4096 px. The input is now 1024 px; nothing of yours was lost.",
    button="Details", action="project.saved", details="why",
)  # fmt: skip


def cut(window: QWidget) -> list[str]:
    """Texts that have less room than they need."""
    found = []
    for widget in window.findChildren(QWidget):
        measure = getattr(widget, "text_room", None)
        if measure is None or not widget.isVisible():
            continue
        wanted, room = measure()
        if wanted > room + 1:
            found.append(
                f"{type(widget).__name__} {widget.accessibleName() or widget.text()!r}: {wanted:.0f} > {room:.0f}"
            )
    return found


def outside(window: QWidget) -> list[str]:
    """Widgets with a text that lie, in part, outside their window."""
    found = []
    for widget in window.findChildren(QWidget):
        if not hasattr(widget, "text_room") or not widget.isVisible() or _in_scroll_area(widget):
            continue
        rect = QRect(widget.mapTo(window, QPoint(0, 0)), widget.size())
        if not window.rect().contains(rect):
            found.append(f"{type(widget).__name__} {widget.accessibleName()!r}: {rect}")
    return found


def _in_scroll_area(widget: QWidget) -> bool:
    step = widget.parentWidget()
    while step is not None:
        if step.objectName() == "qt_scrollarea_viewport":
            return True
        step = step.parentWidget()
    return False


@pytest.mark.parametrize("size", SIZES, ids=[f"{w}x{h}" for w, h in SIZES])
def test_no_text_of_the_first_page_is_cut(make_window, size, qapp):
    window = make_window(FakeSession(), size)
    qapp.processEvents()
    assert cut(window) == []
    assert outside(window) == []


@pytest.mark.parametrize("size", SIZES, ids=[f"{w}x{h}" for w, h in SIZES])
def test_no_text_is_cut_at_work(make_window, size, qapp):
    session = FakeSession().fill().learn()
    window = make_window(session, size)
    window.messages.show_notice(NOTICE)
    qapp.processEvents()
    qapp.processEvents()
    assert cut(window) == []
    assert outside(window) == []


@pytest.mark.parametrize("size", SIZES[:3], ids=[f"{w}x{h}" for w, h in SIZES[:3]])
@pytest.mark.parametrize("action", ["help.palette", "help.keys", "help.edit_keys", "app.settings", "project.export"])
def test_no_text_is_cut_in_what_lies_over_the_room(make_window, action, size, qapp):
    window = make_window(FakeSession().fill(), size)
    window.run(action)
    qapp.processEvents()
    assert cut(window.front.top_overlay) == []
    assert outside(window) == []


def test_the_canvas_has_its_least_room_at_the_smallest_laptop(make_window, qapp):
    window = make_window(FakeSession().fill(), (1280, 720))
    qapp.processEvents()
    canvas = window.work().link.widget
    assert canvas.width() >= 900
    assert canvas.height() >= 560


def test_sizes_are_those_of_the_plan(make_window, qapp):
    window = make_window(FakeSession().fill(), (1280, 800))
    qapp.processEvents()
    work = window.work()
    assert window.header.height() == 40
    assert window.status.height() == 24
    assert work.tools.width() == 48
    assert work.inspector.width() == 288
    assert work.link.widget.geometry() == QRect(48, 0, 944, 672)


def test_a_wide_window_pins_the_worklist_and_widens_the_inspector(make_window, qapp):
    window = make_window(FakeSession().fill(), (2560, 1440))
    qapp.processEvents()
    work = window.work()
    assert work.page.pinned
    assert work.worklist.x() == 0
    assert work.tools.x() == 272
    assert work.inspector.width() == 360
    window.run("view.worklist")
    assert not work.page.worklist_shown


def test_the_drawer_covers_the_canvas_but_never_the_tools(make_window, qapp):
    window = make_window(FakeSession().fill(), (1280, 800))
    seen: list[int] = []
    window.work().page.covered.connect(seen.append)
    window.run("view.worklist")
    qapp.processEvents()
    work = window.work()
    assert work.worklist.geometry() == QRect(48, 0, 272, 672)
    assert work.link.widget.geometry() == QRect(48, 0, 944, 672)
    assert seen[-1] == 272
    window.run("view.worklist")
    assert seen[-1] == 0


def test_hiding_panels_gives_all_the_room_to_the_image(make_window, qapp):
    window = make_window(FakeSession().fill(), (1280, 800))
    window.run("view.panels")
    qapp.processEvents()
    assert window.work().link.widget.width() == 1280 - 48
    window.run("view.panels")
    qapp.processEvents()
    assert window.work().link.widget.width() == 944


@pytest.mark.parametrize("theme", THEMES)
def test_a_change_of_theme_moves_nothing(make_window, qapp, theme):
    window = make_window(FakeSession().fill(), (1280, 800))
    qapp.processEvents()
    before = {w: w.geometry() for w in (window.header, window.status, window.work().link.widget, window.work().tools)}
    import msgspec

    window.use_settings(msgspec.structs.replace(window.store.now, theme=theme))
    qapp.processEvents()
    assert {w: w.geometry() for w in before} == before
    assert cut(window) == []


def test_everything_that_can_be_reached_has_a_name(make_window, qapp):
    window = make_window(FakeSession().fill().learn(), (1280, 800))
    window.messages.show_notice(NOTICE)
    for action in ("help.keys", "help.edit_keys", "app.settings", "project.export", "help.palette"):
        window.run(action)
    qapp.processEvents()
    nameless = [
        type(w).__name__
        for w in window.findChildren(QWidget)
        if w.focusPolicy().value and not w.accessibleName() and w.objectName() not in ("qt_scrollarea_viewport",)
    ]
    assert nameless == []
