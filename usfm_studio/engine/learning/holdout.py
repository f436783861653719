"""Who trains and who tests in a run: held-out subjects, or cross-fitting where they are too few."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from usfm_studio.document.snapshot import Sample
from usfm_studio.document.splits import deal_folds, first_subjects, fold_of, is_holdout_by_hash, split_holdout

FEWEST_HELD_OUT = 4
FOLDS = 3
HELD_OUT, CROSS_FITTED, NONE = "held-out", "cross-fitted", "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """`kind` is "held-out", "cross-fitted" or "none" (a single subject: nothing can be compared).

    `train` and `tested` are subjects in their order; when cross-fitted they are the same, and `folds` says in which
    fold each is tested by the member that did not see it.
    """

    kind: str
    train: tuple[str, ...]
    tested: tuple[str, ...]
    folds: Mapping[str, int] = field(default_factory=dict)


def sides_of(
    samples: Iterable[Sample],
    trained_before: Iterable[str] = (),
    classes_of: Mapping[str, Iterable[str]] | None = None,
) -> Sides:
    """The sides of a run by the holdout's hash; cross-fitting where fewer than 4 subjects would be held out.

    `classes_of` maps subjects to what they carry (labels, segments): who alone carries one, trains.
    """
    subjects = list(dict.fromkeys(s.subject for s in samples))
    train, holdout = split_holdout(subjects, trained_before, classes_of)
    if len(holdout) >= FEWEST_HELD_OUT and train:
        return Sides(kind=HELD_OUT, train=tuple(train), tested=tuple(holdout))
    if len(subjects) < 2:
        return Sides(kind=NONE, train=tuple(subjects), tested=())
    folds = deal_folds(subjects, FOLDS)
    return Sides(kind=CROSS_FITTED, train=tuple(subjects), tested=tuple(subjects), folds=folds)


def joined(sides: Sides, subjects: Iterable[str]) -> Sides:
    """The sides with subjects that have only labels where masks decide: they teach unless the hash holds them out."""
    known = {*sides.train, *sides.tested}
    more = [s for s in dict.fromkeys(subjects) if s not in known and not is_holdout_by_hash(s)]
    folds = {**sides.folds, **{s: fold_of(s, FOLDS) for s in more}} if sides.folds else {}
    return replace(sides, train=(*sides.train, *more), folds=folds)


def chosen_subjects(
    samples: Iterable[Sample],
    *,
    fraction: float | None = None,
    folds: int | None = None,
    fold: int | None = None,
    seed: int = 0,
    inside: bool = False,
) -> list[str]:
    """The subjects that a run may look at, in their order.

    With `folds`, those outside `fold` (or `inside` it); with `fraction`, the first of these in the order of the
    subset's hash, and for each label one subject that has it.
    """
    items = list(samples)
    subjects = list(dict.fromkeys(s.subject for s in items))
    if folds is not None and fold is not None:
        subjects = [s for s in subjects if (fold_of(s, folds) == fold) == inside]
    if fraction is None:
        return subjects
    allowed = set(subjects)
    wanted = set(first_subjects(subjects, fraction, seed, carried(s for s in items if s.subject in allowed)))
    return [s for s in subjects if s in wanted]


def carried(samples: Iterable[Sample]) -> dict[str, set[str]]:
    """Subject -> names of the labels that occur on its frames."""
    found: dict[str, set[str]] = {}
    for sample in samples:
        if sample.labels:
            found.setdefault(sample.subject, set()).update(sample.labels)
    return found
