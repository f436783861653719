"""Document values as plain JSON values and back, for files, messages and the store.

Written by hand over dataclasses, so that the vocabulary needs no library. What comes back is checked: a missing or
foreign field raises ValueError with its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from types import MappingProxyType
from typing import Any, TypeVar

from usfm_studio.document.annotation import Annotation, Decision, Provenance, State
from usfm_studio.document.calibration import Region
from usfm_studio.document.frame import Instance
from usfm_studio.document.model_card import ModelCard

T = TypeVar("T")


def instance_to(instance: Instance) -> dict[str, Any]:
    """An instance as JSON values."""
    return asdict(instance)


def instance_from(body: Mapping[str, Any]) -> Instance:
    """Inverse of `instance_to`. Raises ValueError."""
    known = _known(Instance, body)
    known["regions"] = tuple(region_from(r) for r in body.get("regions", ()))
    for name in ("seconds", "spacing_mm_xy", "notices"):
        if known.get(name) is not None:
            known[name] = tuple(known[name])
    return _made(Instance, known)


def region_from(body: Mapping[str, Any]) -> Region:
    """A region from JSON values. Raises ValueError."""
    known = _known(Region, body)
    for name in ("box", "units_xy", "delta_xy", "reference_xy", "reference_value_xy"):
        if known.get(name) is not None:
            known[name] = tuple(known[name])
    return _made(Region, known)


def annotation_to(annotation: Annotation) -> dict[str, Any]:
    """An annotation as JSON values."""
    return {
        "state": annotation.state.value,
        "labels": list(annotation.labels),
        "note": annotation.note,
        "decisions": {key: value.value for key, value in annotation.decisions.items()},
        "provenance": [asdict(step) for step in annotation.provenance],
    }


def annotation_from(body: Mapping[str, Any]) -> Annotation:
    """Inverse of `annotation_to`. Raises ValueError."""
    return Annotation(
        state=State(body["state"]),
        labels=tuple(body["labels"]),
        note=body.get("note", ""),
        decisions=MappingProxyType({key: Decision(value) for key, value in body["decisions"].items()}),
        provenance=tuple(_made(Provenance, _known(Provenance, step)) for step in body["provenance"]),
    )


def card_to(card: ModelCard) -> dict[str, Any]:
    """A model card as JSON values."""
    body = {field.name: getattr(card, field.name) for field in fields(card)}
    for name in ("preprocessing", "settings", "scores", "comparison"):
        body[name] = dict(body[name])
    body["segments"] = {str(value): name for value, name in card.segments.items()}
    return {key: list(value) if isinstance(value, tuple) else value for key, value in body.items()}


def card_from(body: Mapping[str, Any]) -> ModelCard:
    """Inverse of `card_to`. Raises ValueError."""
    known = _known(ModelCard, body)
    known["segments"] = MappingProxyType({int(value): name for value, name in known.get("segments", {}).items()})
    for name in ("preprocessing", "settings", "scores", "comparison"):
        known[name] = MappingProxyType(dict(known.get(name, {})))
    for name in ("labels", "parents", "train_subjects", "holdout_subjects", "attribution"):
        known[name] = tuple(known.get(name, ()))
    return _made(ModelCard, known)


def _known(kind: type[Any], body: Mapping[str, Any]) -> dict[str, Any]:
    names = {field.name for field in fields(kind)}
    foreign = set(body) - names
    if foreign:
        raise ValueError(f"{kind.__name__} has no field {sorted(foreign)[0]}")
    return dict(body)


def _made(kind: type[T], known: dict[str, Any]) -> T:
    try:
        return kind(**known)
    except TypeError as error:
        raise ValueError(f"{kind.__name__}: {error}") from error
