"""Paths as text that any message, store or window can hold, and back.

A file name that is not UTF-8 reaches Python with lone surrogates, which neither JSON nor SQLite takes. Each such byte
is kept as one character of a private range instead, and put back when the file is opened.
"""

from __future__ import annotations

import os
import re

_PRIVATE = 0xF700
_SURROGATES = re.compile("[\udc80-\udcff]")
_KEPT = re.compile(f"[{chr(_PRIVATE + 0x80)}-{chr(_PRIVATE + 0xFF)}]")


def portable(path: str) -> str:
    """The path as valid Unicode text; the same text where it already is."""
    return _SURROGATES.sub(lambda m: chr(ord(m[0]) - 0xDC00 + _PRIVATE), path)


def native(path: str) -> str:
    """Inverse of `portable`, for opening. A file that truly has such characters in its name is found first."""
    if _KEPT.search(path) is None or os.path.lexists(path):
        return path
    return _KEPT.sub(lambda m: chr(ord(m[0]) - _PRIVATE + 0xDC00), path)
