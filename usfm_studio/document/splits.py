"""Who trains, who tests: subsets, folds and the holdout, always by subject (learning protocol 2.1 and 2.6)."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence

HOLDOUT_SHARE = 5
HOLDOUT_MOST = 30


def _sha1(text: str) -> int:
    return int(hashlib.sha1(text.encode("utf-8"), usedforsecurity=False).hexdigest(), 16)


def first_subjects(
    subjects: Iterable[str], fraction: float, seed: int, classes_of: Mapping[str, Iterable[str]] | None = None
) -> list[str]:
    """The first `ceil(fraction * n)` distinct subjects in the order of `sha1("SEED:subject")`, at least one.

    `classes_of` (subject -> its label names) adds, for each class, the first subject in that order that has it, so
    that subsets stay nested. The result is in that order.
    """
    ordered = sorted(set(subjects), key=lambda s: f"{_sha1(f'{seed}:{s}'):040x}")
    if not ordered:
        return []
    count = max(1, math.ceil(round(fraction * len(ordered), 9)))
    chosen = set(ordered[:count])
    if classes_of:
        for label in {name for s in ordered for name in classes_of.get(s, ())}:
            chosen.add(next(s for s in ordered if label in set(classes_of.get(s, ()))))
    return [s for s in ordered if s in chosen]


def fold_of(subject: str, folds: int) -> int:
    """The fold of a subject: `int(sha1("fold:subject"), 16) % folds`."""
    return _sha1(f"fold:{subject}") % folds


def is_holdout_by_hash(subject: str) -> bool:
    """True for about one subject in five: `int(sha1("holdout:subject"), 16) % 5 == 0`."""
    return _sha1(f"holdout:{subject}") % HOLDOUT_SHARE == 0


def split_holdout(
    subjects: Sequence[str],
    trained_before: Iterable[str] = (),
    classes_of: Mapping[str, Iterable[str]] | None = None,
) -> tuple[list[str], list[str]]:
    """(train, holdout) by learning protocol 2.6; `subjects` in the order in which they joined the project.

    A subject once trained on is never held out again; a subject who alone carries a class trains; at most 30 are
    held out, those longest in the project first. Which side a subject is on does not depend on the others but for
    those three rules.
    """
    trained = set(trained_before)
    distinct = list(dict.fromkeys(subjects))
    carriers: dict[str, set[str]] = {}
    for subject in distinct:
        for name in (classes_of or {}).get(subject, ()):
            carriers.setdefault(name, set()).add(subject)
    needed = {next(iter(who)) for who in carriers.values() if len(who) == 1}
    able = [s for s in distinct if is_holdout_by_hash(s) and s not in trained and s not in needed]
    holdout = set(able[:HOLDOUT_MOST])
    for who in carriers.values():
        if who <= holdout:  # a class must stay learnable: its longest-known subject trains
            holdout.discard(next(s for s in distinct if s in who))
    return [s for s in distinct if s not in holdout], [s for s in distinct if s in holdout]


def deal_folds(subjects: Iterable[str], folds: int = 3) -> dict[str, int]:
    """Fold of each subject for cross-fitting: by hash; dealt in turn in hash order where one fold would hold all."""
    distinct = sorted(set(subjects))
    by_hash = {s: fold_of(s, folds) for s in distinct}
    if len(set(by_hash.values())) > 1 or len(distinct) < 2:
        return by_hash
    ordered = sorted(distinct, key=lambda s: f"{_sha1(f'fold:{s}'):040x}")
    return {s: i % folds for i, s in enumerate(ordered)}
