"""Menus, filled from the table of actions when they open."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu, QWidget

from usfm_studio.ui.shell.action import Action, Situation
from usfm_studio.ui.shell.actions import BY_ID, GROUPS, in_group
from usfm_studio.ui.shell.icons import icon
from usfm_studio.ui.shell.keymap import Keymap
from usfm_studio.ui.shell.keys import shown
from usfm_studio.ui.shell.settings import Recent
from usfm_studio.ui.shell.theme import tokens

_BREAKS = frozenset({
    "project.open", "import.show", "project.export", "project.close", "app.settings", "app.quit", "edit.cancel",
    "loop.play", "item.next", "study.next", "page.work", "view.reset_levels", "view.overlays", "view.worklist",
    "view.next_zone", "brush.larger", "segment.next", "state.flagged", "label.1", "model.fine_tune", "learn.verdict",
    "help.open",
})  # fmt: skip
"""Actions before which a menu has a line."""


def plain_menu(parent: QWidget, title: str = "") -> QMenu:
    """An empty menu in our look. It is made anew each time: one that opens by itself goes when it closes."""
    menu = QMenu(title, parent)
    if not isinstance(parent, QMenu):
        menu.aboutToHide.connect(menu.deleteLater)
    menu.setToolTipsVisible(True)
    menu.setWindowFlag(Qt.WindowType.FramelessWindowHint)
    menu.setAttribute(Qt.WidgetAttribute.WA_TranslucentBackground)
    return menu


def add_actions(
    menu: QMenu, actions: Iterable[Action], situation: Situation, keymap: Keymap, run: Callable[[str], None]
) -> None:
    """Rows of the table as rows of a menu: icon, words, key; the reason in the tip of what is off."""
    t = tokens()
    for action in actions:
        if action.id in _BREAKS and not menu.isEmpty():
            menu.addSeparator()
        key = keymap.first(action)
        entry = QAction(action.words(situation).replace("&", "&&") + (f"\t{shown(key)}" if key else ""), menu)
        if action.icon:
            entry.setIcon(icon(action.icon, 16, t.muted, t.disabled))
        reason = action.enabled(situation)
        entry.setEnabled(reason is None)
        entry.setToolTip(f"{action.hint} Off: {reason}." if reason else action.hint)
        if action.checked is not None:
            entry.setCheckable(True)
            entry.setChecked(action.checked(situation))
        entry.triggered.connect(lambda _=False, id=action.id: run(id))
        menu.addAction(entry)


def main_menu(parent: QWidget, situation: Situation, keymap: Keymap, run: Callable[[str], None]) -> QMenu:
    """The whole table, a group a submenu."""
    menu = plain_menu(parent)
    for group in GROUPS:
        part = plain_menu(menu, group)
        part.setTitle(group)
        add_actions(part, _worth_showing(in_group(group), situation), situation, keymap, run)
        if not part.isEmpty():
            menu.addMenu(part)
    return menu


def _worth_showing(actions: Iterable[Action], situation: Situation) -> list[Action]:
    return [a for a in actions if not (a.enabled(situation) or "").startswith("no such")]


def project_menu(
    parent: QWidget, recent: Iterable[Recent], here: str, open_folder: Callable[[str], None],
    add_rest: Callable[[QMenu], None],
) -> QMenu:  # fmt: skip
    """Projects that were open before, then what can be done with this one."""
    menu = plain_menu(parent)
    t = tokens()
    for project in recent:
        if project.folder == here:
            continue
        entry = QAction(project.name.replace("&", "&&"), menu)
        entry.setIcon(icon("database", 16, t.muted, t.disabled))
        entry.setToolTip(project.folder)
        entry.triggered.connect(lambda _=False, folder=project.folder: open_folder(folder))
        menu.addAction(entry)
    if not menu.isEmpty():
        menu.addSeparator()
    add_rest(menu)
    return menu


ON_THE_IMAGE = (
    "proposal.accept", "tool.brush", "proposal.reject", "frame.done", "state.nothing", "state.flagged",
    "state.unusable", "propose.here", "view.fit", "view.actual", "view.reset_levels", "view.overlays", "edit.undo",
)  # fmt: skip
"""What a right click on the image offers, most used first."""


def image_menu(parent: QWidget, situation: Situation, keymap: Keymap, run: Callable[[str], None]) -> QMenu:
    """The menu of the image."""
    menu = plain_menu(parent)
    add_actions(menu, [BY_ID[id] for id in ON_THE_IMAGE], situation, keymap, run)
    return menu
