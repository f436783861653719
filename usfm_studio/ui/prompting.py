"""Prompts of the smart tool go to the engine; each answer comes back as one ordinary edit. Nothing here waits."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import QObject, Qt, Signal

from usfm_studio.document.errors import Interrupted, StudioError
from usfm_studio.document.mask import Ids, Mask
from usfm_studio.document.prompts import Prompt
from usfm_studio.engine.doors import FramePixels
from usfm_studio.engine.models.catalogue import shipped_prompter
from usfm_studio.ui.session import Session
from usfm_studio.ui.tools import strokes
from usfm_studio.ui.tools.tool import Answer, Scene

if TYPE_CHECKING:
    from usfm_studio.engine.client import Answers

PREPARING = "The frame is being prepared: the answer comes by itself."
DROPPED = "The image or its outline changed before the answer came. Point again."
NO_ENGINE = "The engine is not running: no prompt can be answered. What is drawn is safe."


class Prompting(QObject):
    """`scene` gives what the tool sees, `take` shows and commits an edit, `say` tells the status line.

    Prompts on one segment add up while its outline is what they made of it; any other change (undo among them), another
    segment or another frame begins anew.
    """

    _came = Signal(object)  # Answers

    def __init__(
        self,
        session: Session,
        scene: Callable[[], Scene | None],
        take: Callable[[Answer], None],
        say: Callable[[str], None],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._session, self._scene, self._take, self._say = session, scene, take, say
        self._prompts: tuple[Prompt, ...] = ()
        self._made: Scene | None = None
        self._under: Scene | None = None
        self._waiting: Answers[Ids] | None = None
        self._ahead: Answers[Ids] | None = None
        self._came.connect(self._on_came, Qt.ConnectionType.QueuedConnection)

    def prepare(self) -> None:
        """Have the frame in view embedded, so that the first prompt costs only itself."""
        frame = self._frame()
        if frame is not None and self._session.engine_watch.usable:
            self._ahead = self._session.house.engine.prompt(frame, (), shipped_prompter(), key="smart-ahead")

    def ask(self, prompt: Prompt) -> None:
        """One more prompt. One that is still being answered is asked again with this one: the newest wins."""
        scene, frame = self._scene(), self._frame()
        if scene is None or frame is None:
            return
        if not self._session.engine_watch.usable:
            self._say(NO_ENGINE)
            return
        earlier = self._under if self._waiting is not None else self._made
        goes_on = earlier is not None and _same(earlier, scene)
        self._prompts = (*self._prompts, prompt) if goes_on else (prompt,)
        self._let_go()
        self._under = scene
        base, _ = strokes.begin(scene)
        last = (base.to_array() == scene.segment).astype(np.uint8)
        self._waiting = self._session.house.engine.prompt(
            frame, self._prompts, shipped_prompter(), last if last.any() else None, key="smart"
        )
        if self._ahead is not None and not self._ahead.done():
            self._say(PREPARING)
        self._waiting.add_done_callback(self._tell_came)

    def drop(self) -> None:
        """Forget prompts and the answer under way (another frame, another tool); what was committed stays."""
        if self._waiting is not None:
            self._say(DROPPED)
        self._let_go()
        self._prompts, self._made = (), None

    def _frame(self) -> FramePixels | None:
        current, pixels = self._session.current, self._session.pixels
        return None if current is None or pixels is None else FramePixels(key=current.id.key, array=pixels)

    def _let_go(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.cancel()

    def _tell_came(self, answers: Any) -> None:
        try:
            self._came.emit(answers)
        except RuntimeError:
            return  # the window is gone

    def _on_came(self, answers: Answers[Ids]) -> None:
        if answers is not self._waiting:
            return  # a newer prompt took its place
        self._waiting = None
        under, scene = self._under, self._scene()
        try:
            (marked_HW,) = answers.result()
        except (CancelledError, Interrupted):
            self._prompts, self._made = (), None
            self._say(DROPPED)
        except StudioError as error:
            self._prompts, self._made = (), None
            self._session.tell(error)
        else:
            if under is None or scene is None or not _same(under, scene):
                self._prompts, self._made = (), None
                self._say(DROPPED)
                return
            self._take(refined(scene, marked_HW))
            self._made = self._scene()


def refined(scene: Scene, marked_HW: Ids) -> Answer:
    """The edit after which the chosen segment is what `marked_HW` (rows, columns; 1 where marked) says.

    Other accepted segments are protected unless the scene says otherwise, as for every painting tool.
    """
    base, adopted = strokes.begin(scene)
    ids_HW = base.to_array()
    free = strokes.replaced_by_painting(scene)
    wanted = marked_HW > 0
    gains = wanted if free is None else wanted & np.isin(ids_HW, tuple(free))
    after_HW = np.where((ids_HW == scene.segment) & ~wanted, 0, ids_HW)
    after_HW[gains] = scene.segment
    return strokes.end(scene, base, Mask.from_array(after_HW.astype(np.uint8)), "Smart", adopted)


def _same(before: Scene, now: Scene) -> bool:
    """Whether a prompt given in one scene still holds in the other."""
    if (before.frame, before.segment, before.layer) != (now.frame, now.segment, now.layer):
        return False
    return before.mask is now.mask or before.mask.same_as(now.mask)
