"""The language of tools: events in, answers out, and the scene that they look at.

A tool keeps nothing. What it must remember between events is one frozen `Gesture`, handed back to it with the next
event. Coordinates are image points (x, y) with pixel centres at integers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from usfm_studio.document.edit import Edit
from usfm_studio.document.frame import FrameId
from usfm_studio.document.mask import Mask
from usfm_studio.document.prompts import Prompt
from usfm_studio.document.rasterise import XY, Box


@dataclass(frozen=True, slots=True, kw_only=True)
class Modifiers:
    """Keys held: Ctrl inverts, Shift constrains or extends, Alt adjusts. Those at press decide a stroke."""

    ctrl: bool = False
    shift: bool = False
    alt: bool = False


PLAIN = Modifiers()


@dataclass(frozen=True, slots=True, kw_only=True)
class Press:
    """The tool's button (or the pen's tip) goes down. `double` marks the second press of a double-click."""

    xy: XY
    modifiers: Modifiers = PLAIN
    pressure: float = 1.0  # 0..1
    eraser_end: bool = False  # the pen is turned round
    double: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """The pointer moves, with the button down or without."""

    xy: XY
    modifiers: Modifiers = PLAIN
    pressure: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """The tool's button goes up."""

    xy: XY
    modifiers: Modifiers = PLAIN


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key that belongs to a gesture: `Enter` or `Backspace`."""

    name: str
    modifiers: Modifiers = PLAIN


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """Escape, or the focus lost during a stroke: what the gesture did is forgotten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """The frame or the tool is about to change, or the pen left: the gesture ends here and keeps what it did."""


ToolEvent = Press | Move | Release | Key | Cancel | Finish


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What a tool may know of the frame under it."""

    frame: FrameId
    mask: Mask  # what a person accepted
    proposed: Mask | None = None  # segments of the model that nobody decided on yet
    layer: int = 0
    segment: int = 0  # the value being painted, 0 for none
    segment_name: str = ""
    brush_px: float = 20.0  # diameter
    overwrite: bool = False  # painting may replace other segments
    pressure_sizes: bool = False
    locked: str = ""  # why nothing may be painted (a read-only project), empty where it may
    reach_px: float = 6.0  # how near the pointer must come to a vertex to take hold of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """Show this until the gesture ends.

    `mask` is the accepted layer as it would be, changed inside `box` since the last answer; `adopted` a proposed
    segment that it now holds. `points` is an open outline with its last point under the pointer; `vertices` tells
    how many of its points can be taken hold of.
    """

    mask: Mask | None = None
    box: Box | None = None
    adopted: int = 0
    points: tuple[XY, ...] = ()
    vertices: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """A change to make. `adopted` is the value of the proposed segment that it starts from, 0 for none."""

    edit: Edit
    mask: Mask
    adopted: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Nothing:
    """No change; what was previewed goes away. `why` is told to the person when it is not empty."""

    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pick:
    """The person points at a segment (0: at none); `proposed` says in which layer."""

    value: int
    proposed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Grab:
    """Move the image so that this image point lies under the pointer."""

    xy: XY


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A model is to say what the mask becomes with this prompt. Its answer comes later, as an edit of its own."""

    prompt: Prompt


Answer = Preview | Commit | Nothing | Pick | Grab | Ask
NOTHING = Nothing()


@dataclass(frozen=True, slots=True, kw_only=True)
class Gesture:
    """What a tool remembers between two events. `active` while a person is in the middle of something."""

    active: bool = field(default=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """What follows the pointer: `ring` of a diameter in image pixels with a sign, `cross`, `arrow` or `hand`."""

    kind: str
    diameter_px: float = 0.0
    sign: str = ""  # "+" or "−"


Hints = tuple[tuple[str, str], ...]
"""What keys and buttons do now: ("Drag", "paint")."""


class Tool(Protocol):
    """One thing that the pointer can do."""

    @property
    def name(self) -> str:
        """Its identity in the action table: `brush`."""
        ...

    def on(self, event: ToolEvent, gesture: Gesture | None, scene: Scene) -> tuple[Gesture | None, Answer]:
        """What to remember, and what to show or do."""
        ...

    def cursor(self, gesture: Gesture | None, modifiers: Modifiers, scene: Scene) -> Cursor:
        """What to draw under the pointer."""
        ...

    def hints(self, gesture: Gesture | None, scene: Scene) -> Hints:
        """The status line's words, most used first. The canvas adds what the wheel and the other buttons do."""
        ...
