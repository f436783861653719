"""The controls of all rooms: every button, choice, mark and label. Rooms import them from here and paint none anew.

They take plain values, emit Qt's own signals and know no session. Read `base.py` first.
"""

from usfm_studio.ui.shell.controls.base import Pose
from usfm_studio.ui.shell.controls.buttons import Button, IconButton, Kind, LinkButton, ToolButton
from usfm_studio.ui.shell.controls.choices import Segmented, Tabs
from usfm_studio.ui.shell.controls.fields import Choice, Field, SearchField
from usfm_studio.ui.shell.controls.labels import ElidedLabel, Heading, Label, SectionHead
from usfm_studio.ui.shell.controls.layout import Card, ListRow, Plate, Rule, ScrollBox, column, row
from usfm_studio.ui.shell.controls.levels import Slider, Switch, Tick
from usfm_studio.ui.shell.controls.marks import (
    Chip,
    IconMark,
    KeyCap,
    Pill,
    ProgressBar,
    ProgressRing,
    StateDot,
    Swatch,
)

__all__ = [
    "Button", "Card", "Chip", "Choice", "ElidedLabel", "Field", "Heading", "IconButton", "IconMark", "KeyCap", "Kind",
    "Label", "LinkButton", "ListRow", "Pill", "Plate", "Pose", "ProgressBar", "ProgressRing", "Rule", "ScrollBox",
    "SearchField", "SectionHead", "Segmented", "Slider", "StateDot", "Swatch", "Switch", "Tabs", "Tick", "ToolButton",
    "column", "row",
]  # fmt: skip
