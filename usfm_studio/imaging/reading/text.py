"""Text from strangers, made harmless: for lists, logs of notices and the patient strip."""

from __future__ import annotations

import re
import unicodedata
from datetime import date

LONGEST = 200
_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})


def safe_text(text: str, longest: int = LONGEST) -> str:
    """One line of visible characters: no control, escape, NUL or direction-changing ones; cut to `longest`."""
    head = text[: 4 * longest]
    if not head.isascii() or not head.isprintable():
        head = "".join(_visible(letter) for letter in head)
        head = unicodedata.normalize("NFC", head)
    line = " ".join(head.split())
    return line if len(line) <= longest and len(text) <= 4 * longest else line[: longest - 1].rstrip() + "…"


def _visible(letter: str) -> str:
    if letter in "\t\n\r\f\v":
        return " "
    return "" if unicodedata.category(letter) in _UNSAFE else letter


def person_name(text: str) -> str:
    """A DICOM person name (PS3.5 6.2.1) for reading: `Family, Given Middle`; alphabetic group first."""
    groups = [group.strip(" ^") for group in text.split("=")]
    chosen = next((group for group in groups if group), "")
    family, *others = [part.strip() for part in chosen.split("^")]
    given = " ".join(part for part in others[:2] if part)
    return safe_text(", ".join(part for part in (family, given) if part))


def iso_date(text: str) -> str:
    """`YYYY-MM-DD` from a DICOM date, also in the old form `YYYY.MM.DD`; empty where it is none."""
    match = re.fullmatch(r"(\d{4})[.\-]?(\d{2})[.\-]?(\d{2})", text.strip("\0 "))
    if match is None:
        return ""
    try:
        return date(int(match[1]), int(match[2]), int(match[3])).isoformat()
    except ValueError:
        return ""
