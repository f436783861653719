"""`schema.toml`: what can be marked, as a file that people read and edit."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from typing import Any

from usfm_studio.document.errors import WrongUsage
from usfm_studio.document.schema import Code, Label, Schema, Segment

_WHAT = "The label schema cannot be used"


def schema_text(schema: Schema, name: str = "") -> str:
    """The schema as TOML: `[[segments]]` with value, name, colour; `[[labels]]` with name; exam and code where set."""
    parts = [f"name = {_string(name)}\n"] if name else []
    if not schema.exclusive_labels:
        parts.append("exclusive_labels = false\n")
    for segment in schema.segments:
        colour = f"colour = {_string(segment.colour)}\n" if segment.colour else ""
        head = f"[[segments]]\nvalue = {segment.value}\nname = {_string(segment.name)}\n"
        parts.append(head + colour + _exam(segment.exam) + _code(segment.code))
    for label in schema.labels:
        parts.append(f"[[labels]]\nname = {_string(label.name)}\n" + _exam(label.exam) + _code(label.code))
    return "\n".join(parts)


def schema_of(text: str) -> Schema:
    """The schema in a TOML text. Raises WrongUsage with the reason; foreign keys are passed over."""
    try:
        body = tomllib.loads(text)
        return Schema(
            segments=tuple(_segment(item) for item in body.get("segments", ())),
            labels=tuple(_label(item) for item in body.get("labels", ())),
            exclusive_labels=bool(body.get("exclusive_labels", True)),
        )
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"line (\d+)", str(error))
        where = f"line {line[1]}" if line else "its end"
        raise WrongUsage(_WHAT, f"{where} is not TOML") from error
    except KeyError as error:
        raise WrongUsage(_WHAT, f"an entry has no {error.args[0]}") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise WrongUsage(_WHAT, "segments and labels are not lists of entries") from error


def _segment(item: Mapping[str, Any]) -> Segment:
    return Segment(
        value=_value(item["value"]),
        name=str(item["name"]),
        colour=str(item.get("colour", "")),
        exam=str(item.get("exam", "")),
        code=_code_of(item.get("code")),
    )


def _value(stated: object) -> int:
    """A segment's value. Raises WrongUsage for what is no whole number, quoted or not."""
    try:
        if isinstance(stated, (int, str)) and not isinstance(stated, bool):
            return int(stated)
    except ValueError:
        pass
    raise WrongUsage(_WHAT, f"a segment's value is {str(stated)[:40]!r}, not a whole number from 1 to 255")


def _label(item: Mapping[str, Any]) -> Label:
    return Label(name=str(item["name"]), exam=str(item.get("exam", "")), code=_code_of(item.get("code")))


def _code_of(item: Mapping[str, Any] | None) -> Code | None:
    if item is None:
        return None
    return Code(value=str(item["value"]), scheme=str(item["scheme"]), meaning=str(item["meaning"]))


def _exam(exam: str) -> str:
    return f"exam = {_string(exam)}\n" if exam else ""


def _code(code: Code | None) -> str:
    if code is None:
        return ""
    value, scheme, meaning = _string(code.value), _string(code.scheme), _string(code.meaning)
    return f"code = {{ value = {value}, scheme = {scheme}, meaning = {meaning} }}\n"


def _string(text: str) -> str:
    """A TOML basic string; JSON's escapes are TOML's, but for DEL and for surrogates, which TOML has not."""
    clean = text.encode("utf-8", "replace").decode("utf-8")
    return json.dumps(clean, ensure_ascii=False).replace("\x7f", "\\u007F")
