"""The engine host as the person hears of it: on its way, ready, restarting after a death, or given up."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, QTimer, Signal

from usfm_studio.children.states import Busy, Dead, Ready, Starting, State, Stopped, Waiting
from usfm_studio.children.ticket import Ticket
from usfm_studio.ui.parts import Whole
from usfm_studio.ui.state import EngineState, Notice

if TYPE_CHECKING:
    from usfm_studio.engine.client import Engine

KEY = "engine"
KINDS: dict[type[State], str] = {
    Stopped: "stopped", Starting: "starting", Ready: "ready", Busy: "busy", Dead: "stopped", Waiting: "restarting",
}  # fmt: skip
UP = ("ready", "busy")
WORDS = {"stopped": "Engine stopped", "starting": "Engine starting", "restarting": "Engine restarting"}


class EngineWatch(QObject):
    """Starts the host, asks once what it computes on, and follows its states."""

    came_up = Signal()
    """The host is there, after it was not; told in the next turn of the event loop."""
    _told = Signal(object, object)  # Engine, State

    def __init__(self, session: Whole) -> None:
        super().__init__()
        self._session = session
        self.state = EngineState()
        self._engine: Engine | None = None
        self._device: Ticket | None = None
        self._last_why = ""
        self._told.connect(self._on_told, Qt.ConnectionType.QueuedConnection)

    @property
    def usable(self) -> bool:
        """True where a request may be made: it waits at worst until the host is up."""
        return self.state.kind not in ("stopped", "restarting")

    def start(self) -> None:
        """Start the host, or start it again after it was given up."""
        engine = self._session.house.engine
        if engine is not self._engine:
            self._engine = engine
            engine.on_state(partial(self._tell, engine))
            self._ask_device(engine)
        elif isinstance(engine.state, (Dead, Stopped)):
            engine.start()
            self._ask_device(engine)
        state = engine.state
        self._on_told(engine, Starting() if isinstance(state, (Dead, Stopped)) else state)

    def _ask_device(self, engine: Engine) -> None:
        self._device = engine.device()
        self._device.add_done_callback(lambda _ticket: self._tell(engine, engine.state))

    def _tell(self, engine: Engine, state: State) -> None:
        try:
            self._told.emit(engine, state)
        except RuntimeError:
            return  # the window is gone

    def _on_told(self, engine: Engine, state: State) -> None:
        if engine is not self._engine:
            return
        before = self.state
        kind = KINDS[type(state)]
        device = self._device_name()
        words = WORDS.get(kind) or (f"Engine · {device}" if device else "Engine ready")
        self.state = EngineState(kind=kind, text=words, device=device)
        if self.state != before:
            self._session.engine_changed.emit()
        back = kind in UP and before.kind not in UP
        self._say(state, before.kind, back=back)
        if back:
            QTimer.singleShot(0, self.came_up.emit)

    def _say(self, state: State, before: str, *, back: bool) -> None:
        notice = self._session.notice
        if isinstance(state, Waiting) and state.why != self._last_why:
            self._last_why = state.why
            text = f"{state.why}. It starts again by itself; nothing of yours was lost."
            notice.emit(Notice(kind="warning", title="The engine stopped", text=text, key=KEY))
        elif isinstance(state, Dead) and before != "stopped":
            title, _, why = state.why.removesuffix("Restart the program.").partition(": ")
            text = f"{why.strip()} Painting and saving go on. Y (propose here) starts it again."
            notice.emit(Notice(kind="error", title=title, text=text, key=KEY))
        elif back:
            self._last_why = ""
            self._session.settled.emit(KEY)

    def _device_name(self) -> str:
        ticket = self._device
        if ticket is None or not ticket.done() or ticket.exception(timeout=0) is not None:
            return self.state.device
        body = ticket.result(timeout=0)
        kind = str(body.get("kind", "cpu"))
        if kind != "cpu":
            return str(body.get("name") or kind.upper())
        threads = int(body.get("threads", 1))
        return f"CPU · {threads} thread{'s' if threads > 1 else ''}"
