"""Document values as plain JSON values and back, for files, messages and the store.

Written by hand over dataclasses, so that the vocabulary needs no library. What comes back may be a stranger's and is
checked once, here: a missing or foreign field, or one of another type, raises ValueError with its name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, fields
from functools import cache
from types import MappingProxyType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from usfm_studio.document.annotation import Annotation, Decision, Provenance, State
from usfm_studio.document.calibration import Region
from usfm_studio.document.frame import Instance, checked_digest
from usfm_studio.document.model_card import ModelCard

T = TypeVar("T")


def instance_to(instance: Instance) -> dict[str, Any]:
    """An instance as JSON values."""
    return asdict(instance)


def instance_from(body: Mapping[str, Any]) -> Instance:
    """Inverse of `instance_to`. Raises ValueError."""
    with _malformed_is_a_value_error(Instance):
        known = _known(Instance, body)
        known["regions"] = tuple(region_from(r) for r in known.get("regions", ()))
        for name in ("seconds", "spacing_mm_xy", "notices"):
            if known.get(name) is not None:
                known[name] = tuple(known[name])
        made = _made(Instance, known)
        checked_digest(made.digest)
        return made


def region_from(body: Mapping[str, Any]) -> Region:
    """A region from JSON values. Raises ValueError."""
    with _malformed_is_a_value_error(Region):
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
    with _malformed_is_a_value_error(Annotation):
        known = _known(Annotation, body)
        steps, decisions = known.get("provenance", ()), known.get("decisions", {})
        known["state"] = State(known.get("state", State.TODO))
        known["labels"] = tuple(known.get("labels", ()))
        known["decisions"] = MappingProxyType({key: Decision(value) for key, value in decisions.items()})
        known["provenance"] = tuple(_made(Provenance, _known(Provenance, step)) for step in steps)
        return _made(Annotation, known)


def card_to(card: ModelCard) -> dict[str, Any]:
    """A model card as JSON values."""
    body = {field.name: getattr(card, field.name) for field in fields(card)}
    for name in ("preprocessing", "settings", "scores", "comparison"):
        body[name] = dict(body[name])
    body["segments"] = {str(value): name for value, name in card.segments.items()}
    return {key: list(value) if isinstance(value, tuple) else value for key, value in body.items()}


def card_from(body: Mapping[str, Any]) -> ModelCard:
    """Inverse of `card_to`. Raises ValueError."""
    with _malformed_is_a_value_error(ModelCard):
        known = _known(ModelCard, body)
        known["segments"] = MappingProxyType({int(value): name for value, name in known.get("segments", {}).items()})
        for name in ("preprocessing", "settings", "scores", "comparison"):
            known[name] = MappingProxyType(dict(known.get(name, {})))
        for name in ("labels", "parents", "train_subjects", "holdout_subjects", "attribution"):
            known[name] = tuple(known.get(name, ()))
        return _made(ModelCard, known)


@contextmanager
def _malformed_is_a_value_error(kind: type[Any]) -> Iterator[None]:
    try:
        yield
    except (TypeError, AttributeError) as error:  # a list where a mapping should be, and the like
        raise ValueError(f"{kind.__name__}: {error}") from error


def _known(kind: type[Any], body: Mapping[str, Any]) -> dict[str, Any]:
    names = {field.name for field in fields(kind)}
    foreign = set(body) - names
    if foreign:
        raise ValueError(f"{kind.__name__} has no field {min(foreign)}")
    return dict(body)


def _made(kind: type[T], known: dict[str, Any]) -> T:
    made = kind(**known)
    for name, fits in _checks(kind):  # type: ignore[arg-type]  # classes are hashable
        if not fits(getattr(made, name)):
            raise ValueError(f"{kind.__name__}: {name} is of another type than it should be")
    return made


Check = Callable[[Any], bool]
_PLAIN: dict[Any, frozenset[type]] = {
    str: frozenset({str}), bool: frozenset({bool}), int: frozenset({int}), float: frozenset({int, float}),
}  # fmt: skip


@cache
def _checks(kind: type[Any]) -> tuple[tuple[str, Check], ...]:
    """What each field's value must pass, by the types that stand in the dataclass."""
    return tuple((name, _check(hint)) for name, hint in get_type_hints(kind).items())


def _check(hint: Any) -> Check:
    """Whether a value is of a type; knows those that the vocabulary uses."""
    if hint in _PLAIN:
        plain = _PLAIN[hint]
        return lambda value: type(value) in plain
    inner, origin = get_args(hint), get_origin(hint)
    if origin is None:
        return lambda value: hint is Any or isinstance(value, hint)
    if origin is tuple and inner[1:] == (...,):
        each = _check_all(inner[0])
        return lambda value: isinstance(value, tuple) and each(value)
    if origin is Mapping:
        keys, values = map(_check_all, inner)
        return lambda value: isinstance(value, Mapping) and keys(value.keys()) and values(value.values())
    parts = tuple(map(_check, inner))
    if origin is tuple:
        return lambda value: (
            isinstance(value, tuple)
            and len(value) == len(parts)
            and all(fits(one) for fits, one in zip(parts, value, strict=True))
        )
    return lambda value: any(fits(value) for fits in parts)  # one or the other


def _check_all(hint: Any) -> Check:
    """The same for each of several; a long loop's times are looked at by their types alone."""
    if hint in _PLAIN:
        plain = _PLAIN[hint]
        return lambda values: set(map(type, values)) <= plain
    fits = _check(hint)
    return lambda values: all(map(fits, values))
