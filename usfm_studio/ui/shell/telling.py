"""What header, status line and messages say, from the session's news."""

from __future__ import annotations

from PySide6.QtCore import QObject, Qt, Signal

from usfm_studio import __version__
from usfm_studio.ui.shell.action import Situation
from usfm_studio.ui.shell.actions import BY_ID
from usfm_studio.ui.shell.home import Home
from usfm_studio.ui.shell.keys import shown
from usfm_studio.ui.shell.words import about, who
from usfm_studio.ui.state import Notice

VERSION = f"Version {__version__} · not for diagnosis"
LOSS = "loss"
COMPLETE = "Complete on this computer: model, sample and help are installed. Nothing was fetched."
PAGE_HINTS = {
    "learn": (("Esc", "back to work; learning goes on"),),
    "verdict": (("Esc", "back to work"), ("Ctrl+Z", "take the change of model back")),
    "import": (("Esc", "back to work; reading goes on"),),
}


class Telling(QObject):
    """Follows the session; bursts of news are gathered by the window."""

    _settings_lost = Signal(str)  # from the thread that writes them

    def __init__(self, window: Home) -> None:
        super().__init__(window.room)
        self._window = window
        self.warned_of_loss = False
        session = window.session
        for news in (
            session.opened, session.closed, session.changed, session.current_changed, session.segment_changed,
            session.training_changed, session.import_changed, session.play_changed,
        ):  # fmt: skip
            news.connect(window.refresh_soon)
        session.notice.connect(window.messages.show_notice)
        session.saved_changed.connect(self._saved)
        session.closed.connect(self._saved)
        session.settled.connect(lambda key: window.messages.drop(lambda notice: notice.key == key))
        session.opened.connect(lambda: window.show_page("work"))
        session.engine_changed.connect(self._engine)
        session.import_changed.connect(self._files)
        self._settings_lost.connect(self._warn_of_settings, Qt.ConnectionType.QueuedConnection)
        window.store.on_trouble = self._settings_failed
        self._saved()
        self._engine()

    def _settings_failed(self, error: OSError) -> None:
        try:
            self._settings_lost.emit(error.strerror or type(error).__name__)
        except RuntimeError:
            return  # the window is gone

    def _warn_of_settings(self, why: str) -> None:
        text = f"{why}. They hold until you close the program."
        details = f"To keep them, the program must be able to write to {self._window.store.folder}."
        self._window.messages.show_notice(
            Notice(kind="warning", title="Your settings are not kept", text=text, details=details)
        )

    def _saved(self) -> None:
        saved = self._window.session.saved
        self._window.header.saved.show_state(saved)
        if saved.kind == "saved":
            self.warned_of_loss = False
            self._window.messages.drop(lambda notice: notice.key == LOSS)

    def _engine(self) -> None:
        engine = self._window.session.engine
        self._window.header.show_engine(engine)
        self._window.refresh_soon()

    def _files(self) -> None:
        state = self._window.session.bringing_in.state
        page, items = self._window.page, self._window.session.navigation.items
        if state is None:
            return
        if state.running and not items and page == "work":
            self._window.show_page("import")
        elif items and not state.running and not state.failed and page == "import":
            self._window.show_page("work")

    def refresh(self, situation: Situation) -> None:
        """Header and status line for this situation."""
        window = self._window
        session, header = window.session, window.header
        project, instance = session.project, session.instance
        header.project.set_project(project.folder.name if project else "")
        header.show_patient(who(instance) if instance else "", about(instance) if instance else "")
        items = session.navigation.items
        header.show_place(session.navigation.item_index, len(items))
        header.learning.show_state(session.learning.training)
        key = window.dispatcher.keymap.first(BY_ID["edit.undo"])
        window.status.show_undo(situation.undo_name, shown(key) if key else "")
        if situation.page in PAGE_HINTS:
            window.status.hints.set_hints(PAGE_HINTS[situation.page])
        empty = situation.page == "empty"
        window.status.hints.keep_saying(COMPLETE if empty else "", "circle-check")
        window.status.show_device(VERSION if empty else session.engine.device)
        if project is None and window.page not in ("empty",):
            window.show_page("empty")

    def warn_of_loss(self) -> None:
        """Say that closing once more loses what could not be written."""
        self.warned_of_loss = True
        self._window.messages.show_notice(
            Notice(
                kind="error",
                title="Closing now loses your last edits",
                text="They could not be written. Free some space and wait for Saved, or close once more.",
                key=LOSS,
            )
        )
