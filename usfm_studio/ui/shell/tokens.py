"""The look in numbers: colours of the three themes, sizes and motion. Nothing here draws."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """One theme. All colours are `#RRGGBB`; `outline_px` is the width of a segment's outline on the canvas."""

    name: str
    title: str
    canvas: str = "#0B0D0F"
    panel: str = "#15181C"
    raised: str = "#1E2328"
    card: str = "#191D22"
    field: str = "#0F1215"
    hover: str = "#272D34"
    pressed: str = "#101317"
    selected: str = "#242A45"
    line: str = "#262C33"
    line2: str = "#3A424C"
    line_hover: str = "#4C5662"
    tick_hover: str = "#6B7480"
    track: str = "#3A424C"
    text: str = "#E6E8EB"
    muted: str = "#A3ABB5"
    disabled: str = "#6B7480"
    accent: str = "#93A5FF"
    accent_hover: str = "#A9B8FF"
    accent_pressed: str = "#7689E6"
    on_accent: str = "#0B0D0F"
    ok: str = "#4CC38A"
    warning: str = "#FFB224"
    error: str = "#FF8080"
    ok_ground: str = "#16291F"
    warning_ground: str = "#33270F"
    error_ground: str = "#3A1D20"
    info_ground: str = "#242A45"
    on_signal: str = "#0B0D0F"
    focus: str = "#FFD166"
    shadow: str = "#000000"
    knob: str = "#E6E8EB"  # of a switch that is off
    plate: str = "#0B0D0F"  # behind texts on the canvas, at 72 % (tags 84 %)
    on_plate: str = "#FFFFFF"
    on_plate_muted: str = "#C3C9D0"
    outline_px: float = 2.0
    framed: bool = False  # key caps, chips and floating things get a visible border


READING_ROOM = Tokens(name="reading-room", title="Reading room")

HIGH_CONTRAST = replace(
    READING_ROOM,
    name="high-contrast",
    title="High contrast",
    canvas="#000000",
    panel="#000000",
    raised="#0D0F12",
    card="#0D0F12",
    field="#000000",
    hover="#22272E",
    pressed="#000000",
    selected="#1C2247",
    line="#6F7A86",
    line2="#AEB6BF",
    line_hover="#FFFFFF",
    tick_hover="#FFFFFF",
    track="#4A525C",
    text="#FFFFFF",
    muted="#DCE1E6",
    disabled="#98A1AB",
    accent="#B4C0FF",
    accent_hover="#CBD4FF",
    accent_pressed="#93A5FF",
    ok="#6FE3AA",
    warning="#FFC65C",
    error="#FF9C9C",
    info_ground="#1C2247",
    knob="#FFFFFF",
    focus="#FFE08A",
    outline_px=3.0,
    framed=True,
)

LIGHT = replace(
    READING_ROOM,
    name="light",
    title="Light",
    panel="#F4F5F7",
    raised="#FFFFFF",
    card="#FFFFFF",
    field="#FFFFFF",
    hover="#E9EBEF",
    pressed="#DDE0E5",
    selected="#E3E7FF",
    line="#DDE0E5",
    line2="#8A929C",
    line_hover="#4B535D",
    tick_hover="#4B535D",
    track="#B9C0C9",
    text="#14171A",
    muted="#4B535D",
    disabled="#858D97",
    accent="#3B4FC4",
    accent_hover="#4A5FD8",
    accent_pressed="#2F41A6",
    on_accent="#FFFFFF",
    ok="#0F6B42",
    warning="#7A4B00",
    error="#B3262C",
    ok_ground="#DDF3E7",
    warning_ground="#FFF0D2",
    error_ground="#FCE3E4",
    info_ground="#E3E7FF",
    on_signal="#FFFFFF",
    knob="#FFFFFF",
    focus="#B25E00",
)

THEMES: dict[str, Tokens] = {t.name: t for t in (READING_ROOM, LIGHT, HIGH_CONTRAST)}
"""Themes by name, in the order in which the settings offer them."""

# Sizes in logical pixels.
HEADER, TOOL_STRIP, STATUS, BAR = 40, 48, 24, 32
INSPECTOR, INSPECTOR_WIDE, WORKLIST = 288, 360, 272
FILMSTRIP, FILMSTRIP_LOW = 64, 56
SECTION_HEAD, ROW, ROW_WORKLIST, ROW_TABLE, TABS = 36, 32, 64, 48, 36
CONTROL, CONTROL_BAR, CONTROL_PAGE, CONTROL_BIG = 32, 28, 36, 44
PADDING, PAGE_PADDING, LIST_PAGE_PADDING, CARD_PADDING, CARD_GAP = 12, 24, 16, 16, 16
RADIUS_SMALL, RADIUS, RADIUS_TOOL, RADIUS_CARD, RADIUS_CHOICE, RADIUS_PALETTE = 4, 6, 8, 10, 12, 14

WIDE_FROM = 1600
"""Window width from which the worklist is pinned."""
INSPECTOR_WIDE_FROM = 1920

# Motion in milliseconds.
HOVER_MS, SLIDE_MS, DRAWER_MS, FADE_MS = 80, 120, 160, 100
IMAGE_FIRST_MS = 16
"""What stands around the image follows a frame of the display later: the image need not wait for it."""
