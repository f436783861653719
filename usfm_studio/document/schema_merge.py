"""Annotations from elsewhere speak of their own segments: which of ours they mean, and which we lack."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from usfm_studio.document.errors import WrongUsage
from usfm_studio.document.mask import Ids
from usfm_studio.document.schema import Label, Schema, Segment


@dataclass(frozen=True, slots=True)
class Merged:
    """Our schema with what it lacked, and their segment values as ours."""

    schema: Schema
    values: Mapping[int, int]

    def translated(self, ids: Ids) -> Ids:
        """Their ids as ours; a value that is not in `values` becomes 0."""
        table = np.zeros(256, np.uint8)
        for theirs, ours in self.values.items():
            table[theirs] = ours
        return table[ids]


def merged(own: Schema, other: Schema | None, values: Iterable[int], labels: Iterable[str] = ()) -> Merged:
    """Match the segment `values` and the `labels` that occur in annotations with `own`.

    Names decide, letter case apart, those of the same body part first. Without a schema of theirs (or an entry in
    it) the value itself decides, where we know it. What is left is added: under its own value where that is free.
    Raises WrongUsage when no value is left.
    """
    schema, mapping = own, {}
    for value in sorted(set(values) - {0}):
        theirs = other.segment(value) if other is not None else None
        found = _match(schema, theirs) if theirs else own.segment(value)
        if found is None:
            found = _added(schema, theirs or Segment(value=value, name=_free_name(schema, value)))
            schema = replace(schema, segments=(*schema.segments, found))
        mapping[value] = found.value
    known = {label.name for label in schema.labels}
    for name in dict.fromkeys(labels):
        if name not in known:
            theirs_label = next((label for label in other.labels if label.name == name), None) if other else None
            schema = replace(schema, labels=(*schema.labels, theirs_label or Label(name=name)))
    return Merged(schema, MappingProxyType(mapping))


def _match(schema: Schema, theirs: Segment) -> Segment | None:
    """Our segment of the same name: of the same body part, else where one of the two names none."""
    wanted = theirs.name.strip().casefold()
    named = [s for s in schema.segments if s.name.strip().casefold() == wanted]
    same = [s for s in named if s.exam.casefold() == theirs.exam.casefold()]
    open_ended = [s for s in named if not s.exam or not theirs.exam]
    return next(iter(same or open_ended), None)


def _added(schema: Schema, segment: Segment) -> Segment:
    used = {s.value for s in schema.segments}
    value = segment.value if segment.value not in used else next((v for v in range(1, 256) if v not in used), None)
    if value is None:
        raise WrongUsage("No more segments can be added", "all 255 values are taken")
    return replace(segment, value=value)


def _free_name(schema: Schema, value: int) -> str:
    names = {s.name.strip().casefold() for s in schema.segments}
    name = f"Segment {value}"
    while name.casefold() in names:
        name += "'"
    return name
