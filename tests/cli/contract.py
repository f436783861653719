"""The fields that docs/cli.md promises, read from its table of verbs."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"
Fields = dict[str, "Fields | None"]


def rows() -> dict[str, str]:
    """The third column of the table, by verb."""
    found = {}
    for line in PAGE.read_text("utf-8").splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]
        name = re.match(r"`(?:usfm-studio )?([a-z]+)", cells[0]) if len(cells) == 3 else None
        if name:
            found[name[1]] = cells[2]
    return found


def promised(verb: str) -> list[Fields]:
    """The groups of fields in backquotes of a verb's row, in order."""
    return [fields_of(text) for text in re.findall(r"`([^`]+)`", rows()[verb])]


def fields_of(text: str) -> Fields:
    """`a, b: {c, d}, e: [{path, error}]` as names with what is inside; `{n: value}` has names that are not fixed."""
    found, name, depth, start = {}, "", 0, 0
    text += ","
    for place, sign in enumerate(text):
        depth += (sign in "{[") - (sign in "}]")
        if sign == "," and depth == 0:
            part = text[start:place].strip()
            name, _, inside = part.partition(":")
            body = re.fullmatch(r"\[?\{(.*)\}\]?", inside.strip())
            fixed = body is not None and ":" not in body[1] and "…" not in body[1]
            found[name.strip()] = fields_of(body[1]) if body and fixed else None
            start = place + 1
    return found


def missing(fields: Fields, body: object, where: str = "") -> list[str]:
    """Names that the body lacks, with the path to them. Of lists, the entries are looked at."""
    entries = body if isinstance(body, list) else [body]
    lacking = []
    for entry in entries:
        for name, inside in fields.items():
            if not isinstance(entry, dict) or name not in entry:
                lacking.append(f"{where}{name}")
            elif inside is not None and entry[name] is not None:
                lacking += missing(inside, entry[name], f"{where}{name}.")
    return lacking
