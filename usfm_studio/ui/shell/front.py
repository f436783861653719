"""What actions ask of the window: questions to the person, pages and overlays. No state of the project lives here."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog, QWidget

from usfm_studio.ui.shell.details import Details
from usfm_studio.ui.shell.guide import Guide
from usfm_studio.ui.shell.home import Home
from usfm_studio.ui.shell.key_editor import KeyEditor
from usfm_studio.ui.shell.keymap import Keymap
from usfm_studio.ui.shell.overlay import Overlay
from usfm_studio.ui.shell.palette import Palette, action_entries
from usfm_studio.ui.shell.places import free_name, is_project, projects_folder
from usfm_studio.ui.shell.results import Entry
from usfm_studio.ui.shell.settings_panel import SettingsPanel
from usfm_studio.ui.shell.sheet import KeySheet
from usfm_studio.ui.state import Notice

SAMPLE_FOLDER = "Sample"


def ask_files(parent: QWidget, title: str) -> list[str]:
    """Files that the person points at."""
    return QFileDialog.getOpenFileNames(parent, title)[0]


def ask_folder(parent: QWidget, title: str) -> str:
    """A folder that the person points at; empty when she does not."""
    return QFileDialog.getExistingDirectory(parent, title)


class Front:
    """Overlays are made when they are first wanted. `ask_*` can be replaced by tests and by the tour."""

    def __init__(self, window: Home) -> None:
        self._window = window
        self.ask_files: Callable[[QWidget, str], list[str]] = ask_files
        self.ask_folder: Callable[[QWidget, str], str] = ask_folder
        self.projects_folder: Callable[[], Path] = projects_folder
        self._overlays: dict[str, Overlay] = {}
        self._sheet_of: Keymap | None = None

    @property
    def _widget(self) -> QWidget:
        return self._window.room.window()

    # --- files and projects ------------------------------------------------------------------------------------

    def open_study(self) -> None:
        """Files, into the open project or a new one."""
        self.bring_in(self.ask_files(self._widget, "Open a study"))

    def open_folder(self) -> None:
        """A folder of studies, or a project's own."""
        folder = self.ask_folder(self._widget, "Open a folder")
        self.bring_in([folder] if folder else [])

    def bring_in(self, paths: list[str]) -> None:
        """What was chosen or dropped: a project is opened, anything else is read into one."""
        if not paths:
            return
        if len(paths) == 1 and is_project(paths[0]):
            self.enter_project(Path(paths[0]))
            return
        session = self._window.session

        def read() -> None:
            session.bringing_in.import_paths(paths)

        if session.project is None:
            self.enter_project(free_name(self.projects_folder(), Path(paths[0]).stem or "Project"), read)
        else:
            read()

    def open_project(self) -> None:
        """Another project."""
        folder = self.ask_folder(self._widget, "Open a project")
        if folder:
            self.enter_project(Path(folder))

    def enter_project(self, folder: Path, then: Callable[[], None] = lambda: None) -> None:
        """Open (or make) the project in this folder; `then` is called when it is there."""
        self._window.remember_project()
        self._window.session.open_project(folder, then)

    def open_sample(self) -> None:
        """The sample project, made at its first use."""
        self._window.remember_project()
        self._window.session.bringing_in.open_sample(self.projects_folder() / SAMPLE_FOLDER)

    def close_project(self) -> None:
        """Back to the first page; not while something cannot be written (a message says so)."""
        self._window.remember_project()
        if self._window.session.close_project():
            self.show_page("empty")

    def export(self) -> None:
        """Format and place, then write."""
        self._overlay("export", lambda room: self._make_export(room)).open()

    def _make_export(self, room: QWidget) -> Overlay:
        from usfm_studio.ui.shell.export_panel import ExportPanel  # its verb is not needed before

        panel = ExportPanel(room, self._window.session, lambda parent, title: self.ask_folder(parent, title))
        panel.told.connect(self._window.messages.show_notice)
        return panel

    def show_saved(self) -> None:
        """Say when the last act was written."""
        saved = self._window.session.saved
        words = {
            "saved": f"Saved {datetime.now():%H:%M:%S}. Every act is written at once.",
            "saving": "Being written now.",
            "readonly": "Open for reading only: nothing to save.",
        }.get(saved.kind, saved.text)
        self._window.status.hints.say(words, "circle-check" if saved.kind == "saved" else "info-circle")

    # --- pages and overlays ------------------------------------------------------------------------------------

    def show_page(self, name: str) -> None:
        """Go to a page."""
        self._window.show_page(name)

    def show_palette(self) -> None:
        """Search all actions and items."""
        self._overlay("palette", lambda room: Palette(room, self._entries, self.show_keys)).open()

    def show_sheet(self) -> None:
        """All keys; made anew when keys have changed."""
        keymap = self._window.dispatcher.keymap
        if self._sheet_of is not keymap:
            self._drop("sheet")
            self._sheet_of = keymap
        self._overlay("sheet", lambda room: KeySheet(room, keymap, self.show_keys)).open()

    def show_keys(self) -> None:
        """Change keys."""
        self._overlay("keys", self._make_editor).open()

    def _make_editor(self, room: QWidget) -> Overlay:
        editor = KeyEditor(room, self._window.dispatcher.keymap)
        editor.changed.connect(self._window.use_keymap)
        return editor

    def show_settings(self) -> None:
        """Settings."""
        self._drop("settings")
        self._overlay("settings", self._make_settings).open()

    def _make_settings(self, room: QWidget) -> Overlay:
        panel = SettingsPanel(room, self._window.store.now)
        panel.changed.connect(self._window.use_settings)
        panel.keys_wanted.connect(self.show_keys)
        return panel

    def show_details(self, notice: Notice) -> None:
        """All that a message has to say."""
        self._drop("details")
        self._overlay("details", lambda room: Details(room, notice)).open()

    def show_help(self, anchor: str = "") -> None:
        """The guide, at a place."""
        self._drop("guide")
        guide = Guide(self._window.room)
        guide.show_topic(anchor)
        self._overlay("guide", lambda _room: guide).open()

    @property
    def top_overlay(self) -> Overlay | None:
        """The overlay that is open, if any."""
        return next((overlay for overlay in self._overlays.values() if overlay.isVisible()), None)

    def _overlay(self, name: str, make: Callable[[QWidget], Overlay]) -> Overlay:
        above = self.top_overlay
        if above is not None:
            above.close_it()
        if name not in self._overlays:
            self._overlays[name] = make(self._window.room)
        return self._overlays[name]

    def _drop(self, name: str) -> None:
        old = self._overlays.pop(name, None)
        if old is not None:
            old.close_it()
            old.deleteLater()

    def _entries(self) -> list[Entry]:
        window = self._window
        entries = action_entries(window.situation(), window.dispatcher.keymap, window.run)
        navigation = window.session.navigation
        for row, item in enumerate(navigation.items):
            entries.append(
                Entry(
                    section="Go to", words=f"Item {row + 1}: {item.title}", note=item.subtitle, icon="photo",
                    chosen=lambda row=row: navigation.go_item(row),  # type: ignore[misc]
                )
            )  # fmt: skip
        return entries

    # --- the window itself -------------------------------------------------------------------------------------

    def toggle_worklist(self) -> None:
        """The list of items."""
        self._window.work_page().toggle_worklist()
        self._window.refresh()

    def toggle_panels(self) -> None:
        """All but the image."""
        page = self._window.work_page()
        page.hide_panels(not page.panels_hidden)
        self._window.refresh()

    def toggle_full_screen(self) -> None:
        """The whole screen, or a window."""
        self._widget.setWindowState(self._widget.windowState() ^ Qt.WindowState.WindowFullScreen)

    def next_zone(self, by: int) -> None:
        """Move the keyboard to the next part of the window."""
        self._window.next_zone(by)

    def quit(self) -> None:
        """Close the window."""
        self._widget.close()
