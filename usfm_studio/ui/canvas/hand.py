"""The tool in the hand: gives it the scene with each event, keeps its gesture, and hands on its answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from usfm_studio.ui.tools.select import Select
from usfm_studio.ui.tools.tool import (
    Answer,
    Cancel,
    Cursor,
    Finish,
    Gesture,
    Hints,
    Modifiers,
    Preview,
    Scene,
    Tool,
    ToolEvent,
)


@dataclass(slots=True)
class Hand:
    """One tool and its gesture. `scene` gives what the tool may look at (None: no frame), `answered` takes answers."""

    scene: Callable[[], Scene | None]
    answered: Callable[[Answer], None]
    tool: Tool = field(default_factory=Select)
    gesture: Gesture | None = None
    preview: Preview | None = None

    @property
    def active(self) -> bool:
        """True in the middle of a gesture."""
        return self.gesture is not None and self.gesture.active

    def take(self, tool: Tool) -> None:
        """Another tool; the gesture under way ends and keeps what it did."""
        self.send(Finish())
        self.tool, self.gesture = tool, None

    def send(self, event: ToolEvent) -> None:
        """One event to the tool. Without a frame nothing happens."""
        scene = self.scene()
        if scene is None:
            self.gesture = self.preview = None
            return
        if self.gesture is None and isinstance(event, Cancel | Finish):
            return
        self.gesture, answer = self.tool.on(event, self.gesture, scene)
        self.preview = answer if isinstance(answer, Preview) else None
        self.answered(answer)

    def cursor(self, modifiers: Modifiers) -> Cursor:
        """What follows the pointer now."""
        scene = self.scene()
        return Cursor(kind="arrow") if scene is None else self.tool.cursor(self.gesture, modifiers, scene)

    def hints(self) -> Hints:
        """What the tool's buttons and keys do now; nothing without a frame."""
        scene = self.scene()
        return () if scene is None else self.tool.hints(self.gesture if self.active else None, scene)
