"""The window: puts the parts together and passes words between them. What they show comes from the session alone."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDragLeaveEvent, QDropEvent, QKeyEvent, QShowEvent
from PySide6.QtWidgets import QApplication, QMenu, QStackedWidget, QVBoxLayout, QWidget

from usfm_studio.document.edit import Change
from usfm_studio.ui.shell.action import Situation, Stage
from usfm_studio.ui.shell.actions import BY_ID
from usfm_studio.ui.shell.bar import MessageBar
from usfm_studio.ui.shell.dispatch import Dispatcher
from usfm_studio.ui.shell.empty_page import EmptyPage
from usfm_studio.ui.shell.focus import FocusRing, focus_by_keys
from usfm_studio.ui.shell.front import Front
from usfm_studio.ui.shell.header import Header
from usfm_studio.ui.shell.keymap import Keymap
from usfm_studio.ui.shell.menus import add_actions, image_menu, main_menu, project_menu
from usfm_studio.ui.shell.recent import recent_of
from usfm_studio.ui.shell.rooms import Make, Rooms
from usfm_studio.ui.shell.settings import Settings, SettingsStore
from usfm_studio.ui.shell.situation import situation_of
from usfm_studio.ui.shell.statusline import StatusLine
from usfm_studio.ui.shell.telling import Telling
from usfm_studio.ui.shell.theme import apply_theme, set_motion
from usfm_studio.ui.shell.tokens import IMAGE_FIRST_MS
from usfm_studio.ui.shell.work_page import WorkPage
from usfm_studio.ui.shell.work_room import WorkRoom
from usfm_studio.ui.shell.zones import first_stop, next_zone

if TYPE_CHECKING:
    from usfm_studio.ui.session import Session

SMALLEST = (1024, 640)
FIRST_SIZE = (1280, 800)


class Window(QWidget):
    """Assembly only. `painted` comes once, after the first page is on the screen."""

    painted = Signal()

    def __init__(self, session: Session, rooms: Rooms, store: SettingsStore) -> None:
        super().__init__()
        self.session, self.rooms, self.store = session, rooms, store
        self.setWindowTitle("USFM Studio")
        self.setMinimumSize(*SMALLEST)
        self.resize(*FIRST_SIZE)
        self.setAcceptDrops(True)
        self._page = "empty"
        self.front = Front(self)
        self.dispatcher = Dispatcher(self, self.situation, Keymap(store.now.keys), self)
        self.header, self.messages, self.status = Header(), MessageBar(), StatusLine()
        self.room, self.pages = QWidget(), QStackedWidget()
        self.empty = EmptyPage(self.dispatcher.keymap)
        self._work: WorkRoom | None = None
        self._made: dict[str, QWidget] = {}
        self._late = QTimer(self)
        self._late.setSingleShot(True)
        self._late.setInterval(IMAGE_FIRST_MS)
        self._late.timeout.connect(self.refresh)
        self._lay_out()
        self._connect()
        self.ring = FocusRing(self)
        self.ring.watch()
        self.telling = Telling(self)
        self.show_page("work" if session.project is not None else "empty")

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        inside = QVBoxLayout(self.room)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.addWidget(self.pages)
        self.pages.addWidget(self.empty)
        for part in (self.header, self.room, self.messages, self.status):
            column.addWidget(part, 1 if part is self.room else 0)

    def _connect(self) -> None:
        self.header.menu.connect(self._show_menu)
        self.header.projects.connect(self._show_projects)
        self.header.step_item.connect(self.session.navigation.step_item)
        self.header.palette_wanted.connect(partial(self.run, "help.palette"))
        self.header.settings_wanted.connect(partial(self.run, "app.settings"))
        self.header.learning.stop.connect(partial(self.run, "training.stop"))
        self.header.learning.show_run.connect(partial(self.run, "learn.show"))
        self.empty.wanted.connect(self.run)
        self.empty.project.connect(lambda folder: self.front.bring_in([folder]))
        self.messages.action_wanted.connect(self.run)
        self.messages.details_wanted.connect(self.front.show_details)
        self.dispatcher.refused.connect(lambda words, why: self.status.hints.say(f"{words}: {why}", "alert-circle"))
        self.dispatcher.ran.connect(lambda _id: self._late.start())
        self.dispatcher.above = lambda: self.front.top_overlay

    # --- a desk for actions ------------------------------------------------------------------------------------

    @property
    def canvas(self) -> Stage:
        """The image, for actions."""
        return self.work().link.stage

    def situation(self) -> Situation:
        """What is so now."""
        view: dict[str, object] = {"full_screen": self.isFullScreen()}
        if self._work is not None:
            view |= self._work.view()
        return situation_of(self.session, self._page, view=view)

    def run(self, action: str) -> None:
        """Do what a button, a menu or the palette asks for."""
        if action in BY_ID:
            self.dispatcher.run(action)

    # --- pages -------------------------------------------------------------------------------------------------

    def work(self) -> WorkRoom:
        """Canvas, inspector and all that stands around them; made at first use."""
        if self._work is None:
            self._work = WorkRoom(self.session, self.rooms, self.dispatcher.keymap)
            self.pages.addWidget(self._work.page)
            self._work.wanted.connect(self.run)
            self._work.link.hints_changed.connect(self.status.hints.set_hints)
            self._work.link.refused.connect(lambda why: self.status.hints.say(why, "alert-circle"))
            self._work.link.view_changed.connect(self._late.start)
            self._work.link.menu_wanted.connect(self._show_image_menu)
            self._work.page.allow_pin(self.store.now.worklist_pinned)
            self.dispatcher.canvas = self._work.link.widget
        return self._work

    def work_page(self) -> WorkPage:
        """The page that holds them."""
        return self.work().page

    def show_page(self, name: str) -> None:
        """empty, work, learn, verdict or import."""
        makes: dict[str, Make] = {
            "learn": self.rooms.learn, "verdict": self.rooms.verdict, "import": self.rooms.files,
        }  # fmt: skip
        if name == "work":
            page: QWidget = self.work().page
        elif name in makes:
            page = self._made.get(name) or makes[name](self.session)
            if name not in self._made:
                self._made[name] = page
                self.pages.addWidget(page)
                wanted = getattr(page, "wanted", None)
                if wanted is not None:
                    wanted.connect(self.run)
        else:
            name, page = "empty", self.empty
            self.empty.show_recent(self.store.now.recent)
        self._page = name
        self.pages.setCurrentWidget(page)
        self.header.show_page(name)
        self.refresh()
        self._first_focus(name)

    def _first_focus(self, name: str) -> None:
        if name == "work":
            self.work().link.widget.setFocus()
        elif name == "empty":
            focus_by_keys(self.empty.study)
        else:
            stop = first_stop(self._made[name])
            if stop is not None:
                stop.setFocus()

    @property
    def page(self) -> str:
        """The page in view."""
        return self._page

    def refresh(self) -> None:
        """Let everything that depends on the situation follow it."""
        situation = self.situation()
        self.telling.refresh(situation)
        if self._work is not None:
            self._work.show_situation(situation)

    def refresh_soon(self, _change: Change | None = None) -> None:
        """The same, once for a burst of news."""
        if not self._late.isActive():
            self._late.start()

    # --- settings ----------------------------------------------------------------------------------------------

    def use_settings(self, settings: Settings) -> None:
        """Put settings into force and keep them."""
        before = self.store.now
        self.store.change(settings)
        set_motion(not settings.reduce_motion)
        if settings.theme != before.theme:
            application = QApplication.instance()
            if isinstance(application, QApplication):
                apply_theme(application, settings.theme)
        if settings.worklist_pinned != before.worklist_pinned and self._work is not None:
            self._work.page.allow_pin(settings.worklist_pinned)

    def use_keymap(self, keymap: Keymap) -> None:
        """Put other keys into force and keep them."""
        self.dispatcher.keymap = keymap
        self.empty.set_keymap(keymap)
        if self._work is not None:
            self._work.set_keymap(keymap)
        keys = {id: list(keys) for id, keys in keymap.overrides.items()}
        self.use_settings(self.store.now.with_keys(keys))
        self.refresh()

    def remember_project(self) -> None:
        """Put the open project on top of the recent ones."""
        recent = recent_of(self.session, self.store.now.recent)
        if recent is not None:
            self.store.change(self.store.now.with_recent(recent))

    # --- menus -------------------------------------------------------------------------------------------------

    def _show_menu(self, at: QPoint) -> None:
        main_menu(self, self.situation(), self.dispatcher.keymap, self.run).popup(at)

    def _show_image_menu(self, at: QPoint) -> None:
        image_menu(self, self.situation(), self.dispatcher.keymap, self.run).popup(at)

    def _show_projects(self, at: QPoint) -> None:
        project = self.session.project
        here = str(project.folder) if project else ""

        def add_rest(menu: QMenu) -> None:
            ids = ("project.open", "project.sample", "project.close") if project else ("project.open", "project.sample")
            add_actions(menu, [BY_ID[id] for id in ids], self.situation(), self.dispatcher.keymap, self.run)

        def open_folder(folder: str) -> None:
            self.front.bring_in([folder])

        project_menu(self, self.store.now.recent, here, open_folder, add_rest).popup(at)

    # --- events ------------------------------------------------------------------------------------------------

    def next_zone(self, by: int) -> None:
        """Move the keyboard to the next part of the window."""
        parts: tuple[QWidget, ...] = self._work.zones() if self._work is not None and self._page == "work" else ()
        next_zone((*(parts or (self.pages.currentWidget(),)), self.messages, self.header), by)

    def showEvent(self, event: QShowEvent) -> None:
        """Listen to the keys before the widgets do; tell when the first page is painted."""
        super().showEvent(event)
        handle = self.windowHandle()
        if handle is not None and not self.property("listening"):
            self.setProperty("listening", True)
            handle.installEventFilter(self.dispatcher)
            QTimer.singleShot(0, self.painted.emit)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Keys that came to a widget directly and were not used there."""
        if not self.dispatcher.press(event):
            event.ignore()

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        """The same for keys that come up."""
        if not self.dispatcher.release(event):
            event.ignore()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Files may be dropped anywhere."""
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()
            self.empty.drop.set_over(True)

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        """They went away again."""
        self.empty.drop.set_over(False)

    def dropEvent(self, event: QDropEvent) -> None:
        """Take them in."""
        self.empty.drop.set_over(False)
        event.acceptProposedAction()
        self.front.bring_in([url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile()])

    def closeEvent(self, event: QCloseEvent) -> None:
        """Refuse once while something cannot be written; else remember the project and let everything go."""
        self.remember_project()
        if not self.session.shut_down(discard=self.telling.warned_of_loss):
            self.telling.warn_of_loss()
            event.ignore()
            return
        self.store.close()
        event.accept()
