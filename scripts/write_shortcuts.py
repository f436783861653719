"""Writes docs/shortcuts.md from the table of actions. Run it after every change of the table: `make docs`.

Keys are written as on Linux and Windows, so run it there.
"""

from __future__ import annotations

import re
from pathlib import Path

from usfm_studio.ui.shell.action import Action
from usfm_studio.ui.shell.actions import GROUPS, in_group
from usfm_studio.ui.shell.keys import shown

PAGE = Path(__file__).resolve().parent.parent / "docs" / "shortcuts.md"
HEAD = """# All keys

Made by `scripts/write_shortcuts.py` from the program's table of actions: change that, not this page. On a Mac, Ctrl is
the Command key. Digits mean the keys of the upper row, whatever is printed on them. Keys can be changed: *Change keys*
in the menu *Help*.
"""
MOUSE = """
## Mouse, touchpad and pen

| what | does |
| --- | --- |
| left button | what the tool does |
| Ctrl + left button | the opposite: erase instead of paint, take away instead of add |
| middle button, dragged | moves the image |
| right button, dragged | window (across) and level (up and down) |
| wheel | zooms on stills, goes from frame to frame on loops |
| Ctrl + wheel | zooms around the pointer |
| Shift + wheel | size of the brush |
| Alt + wheel | strength of the outlines |
| one finger on a screen | moves the image; two pinch |
| the other end of a pen | erases |
"""
SEVERAL = {
    "segment.1": ("Segment 1 to 10", "1 to 9, 0"),
    "label.1": ("Label 1 to 9", "Shift+1 to Shift+9"),
}
"""One line for actions that differ by a number alone."""


def page() -> str:
    """The whole page as text."""
    parts = [HEAD]
    for group in GROUPS:
        lines = [
            _line(action) for action in in_group(group) if not re.fullmatch(r"(segment|label)\.([2-9]|10)", action.id)
        ]
        parts += [f"\n## {group}\n\n| action | keys | what it does |\n| --- | --- | --- |\n", *lines]
    return "".join([*parts, MOUSE])


def _line(action: Action) -> str:
    words, keys = SEVERAL.get(action.id, (action.text, " or ".join(shown(key) for key in action.keys)))
    if action.held is not None:
        keys += " (also held)"
    return f"| [{words}](guide.md#{action.help}) | {keys.replace('|', chr(92) + '|')} | {action.hint} |\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"{PAGE.name}: written")
