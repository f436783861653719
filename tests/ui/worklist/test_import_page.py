"""Files coming in, for real: progress, tiles, and every file that could not be read with its reason."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget

from tests.ui.bench import click, pixels, show, too_long, write_stills
from usfm_studio.ui.state import ImportState
from usfm_studio.ui.worklist.import_page import ImportPage, split_reason
from usfm_studio.ui.worklist.thumbnails import Thumbnails


@pytest.fixture
def page(bench, qtbot):
    made = ImportPage(bench.session, Thumbnails(bench.session))
    made.wanted.connect(bench.wanted.append)
    return show(qtbot, made, 1280, 736)


def lines(page):
    holder = page._needs.widget()
    return [w.accessibleName() for w in holder.findChildren(QWidget) if w.accessibleName() and w.parent() is holder]


def test_a_mixed_folder_comes_in_and_what_cannot_be_read_is_told(page, bench, qtbot, tmp_path):
    folder = tmp_path / "mixed"
    good = write_stills(folder)
    for number, path in enumerate(good):
        path.write_bytes(path.read_bytes() + bytes([number]))  # other files than those of the project
    (folder / "broken.png").write_bytes(good[0].read_bytes()[:20])
    seen = []
    bench.session.import_changed.connect(lambda: seen.append(bench.session.bringing_in.state))
    bench.session.bringing_in.import_paths([str(folder)])
    assert page.cancel.isVisible()
    qtbot.waitUntil(lambda: not bench.session.bringing_in.state.running, timeout=20000)
    assert seen[0].running
    assert not page.cancel.isVisible()
    assert len(bench.session.navigation.items) == 13
    assert page._count.text() == "6 files added, 1 not read"
    assert any(line.startswith("broken.png") for line in lines(page))
    assert [c.kinds for c in bench.changes] == [frozenset({"instances"})]
    assert too_long(page) == []


def test_a_click_on_a_tile_goes_to_the_item(page, bench, qtbot):
    click(qtbot, page.tiles, page.tiles.tile_rect(3))
    assert bench.row == 3
    assert bench.wanted == ["page.work"]
    page.tiles.setFocus()
    qtbot.keyClick(page.tiles, Qt.Key.Key_Right)
    qtbot.keyClick(page.tiles, Qt.Key.Key_Return)
    assert bench.row == 1


def test_progress_is_told_in_files_and_time(page, bench, qtbot):
    def tell(state):
        bench.session.bringing_in.state = state
        bench.session.import_changed.emit()

    tell(ImportState(running=True, source="2026-03"))
    assert page._count.text() == "Looking for files"
    tell(ImportState(running=True, source="2026-03", done=312, total=480, left_s=40))
    assert (page._count.text(), page._left.text()) == ("312 of 480 files read", "0:40 left")
    assert page._bar.accessibleName() == "Files read: 65 %"
    assert not page._needs.isVisible()
    many = tuple((f"IM{n:04}", "Cut short: the data end early. Copy it again.") for n in range(300))
    tell(ImportState(running=False, source="2026-03", imported=2, failed=many))
    assert len(lines(page)) == 200
    assert page._needs_head.note.text() == "300"
    pixels(page)
    tell(None)  # another project
    qtbot.wait(10)
    assert page._title.text() == "Add studies"
    assert lines(page) == []


def test_reasons_come_apart_into_what_and_why():
    assert split_reason("IM1: Cut short: the data end early. Copy it.", "IM1") == (
        "Cut short",
        "The data end early. Copy it.",
    )
    assert split_reason("No frame time in the file. 30 fps is assumed.", "x") == (
        "No frame time in the file.",
        "30 fps is assumed.",
    )
    assert split_reason("Odd", "x") == ("Odd", "")
