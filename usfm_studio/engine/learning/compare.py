"""Champion against challenger: the rule by which a new model comes to propose, and its reason in one sentence.

Scores are by subject, higher is better: the mean of `dice_all` for masks, minus the log-loss for labels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from usfm_studio.engine.scoring import subject_draws

ENOUGH_SUBJECTS = 6
DRAWS_ABOVE = 0.8
MARGIN = 0.01
SEGMENT_FALL = 0.03
SUBJECT_FALL = 0.10
HALF = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How one model does: a score for each subject that it never saw, and for masks the mean of each segment.

    `segments` holds, by segment value, the mean over that segment's pairs, over the compared subjects alone.
    """

    by_subject: Mapping[str, float]
    segments: Mapping[int, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`share_above` is the part of the bootstrap draws above -0.01; `p` that of Wilcoxon's signed-rank test."""

    promoted: bool
    reason: str
    subjects: int
    mean_difference: float | None = None
    share_above: float | None = None
    p: float | None = None


def first_model(challenger: Mapping[str, float], trivial: Mapping[str, float], *, what: str) -> Verdict:
    """Without a champion: promoted if it beats the trivial baseline; `what` names that one."""
    subjects = [s for s in challenger if s in trivial]
    if not subjects:
        reason = "This is the first model. One subject is too few to test it on another."
        return Verdict(promoted=True, reason=reason, subjects=0)
    difference = _difference(challenger, trivial, subjects)
    mean = float(difference.mean())
    better = mean > 0
    many = _count(len(subjects))
    reason = (
        f"This is the first model, and on {many} it does better than {what}."
        if better
        else f"On {many} it does no better than {what}. More frames of other subjects will help."
    )
    return Verdict(promoted=better, reason=reason, subjects=len(subjects), mean_difference=mean)


def compare(challenger: Standing, champion: Standing, *, masks: bool) -> Verdict:
    """The verdict over the subjects for which both have a score that they did not learn from."""
    subjects = [s for s in challenger.by_subject if s in champion.by_subject]
    if not subjects:
        reason = "The old model stays: there is no subject that neither model has learned from, so nothing to compare."
        return Verdict(promoted=False, reason=reason, subjects=0)
    difference = _difference(challenger.by_subject, champion.by_subject, subjects)
    p = signed_rank_p(difference)
    if len(subjects) < 2:
        reason = "The old model stays: a single subject cannot show which is better."
        return Verdict(promoted=False, reason=reason, subjects=1, mean_difference=float(difference[0]), p=p)
    if len(subjects) < ENOUGH_SUBJECTS:
        return _few(difference, p, masks)
    return _enough(challenger, champion, subjects, difference, p, masks)


def _few(difference: np.ndarray, p: float | None, masks: bool) -> Verdict:
    mean, worst, many = float(difference.mean()), float(difference.min()), _count(len(difference))
    points = _points(mean, masks)
    if mean <= 0:
        promoted, reason = False, f"The old model stays: on {many} the new one is not better ({points})."
    elif masks and worst < -SUBJECT_FALL:
        promoted = False
        reason = f"The old model stays: on one subject the new one is worse by {-worst:.2f} Dice."
    else:
        promoted, reason = True, f"The new model is better on {many} ({points}); too few subjects to be sure."
    return Verdict(promoted=promoted, reason=reason, subjects=len(difference), mean_difference=mean, p=p)


def _enough(
    challenger: Standing,
    champion: Standing,
    subjects: list[str],
    difference: np.ndarray,
    p: float | None,
    masks: bool,
) -> Verdict:
    drawn = subject_draws(len(subjects)) @ difference / len(subjects)
    above, mean = float((drawn > -MARGIN).mean()), float(difference.mean())
    many, points = _count(len(subjects)), _points(mean, masks)
    reasons = []
    if above < DRAWS_ABOVE:
        reasons.append(f"on {many} the new one is not clearly as good ({points})")
    if masks:
        fallen = [v for v in champion.segments if challenger.segments.get(v, 0.0) < champion.segments[v] - SEGMENT_FALL]
        reasons += [f"segment {v} has become worse" for v in fallen]
        if _failures(challenger.by_subject, subjects) > _failures(champion.by_subject, subjects) + 1:
            reasons.append("it fails on more subjects (Dice below 0.5)")
    reason = (
        f"The old model stays: {', and '.join(reasons)}."
        if reasons
        else f"The new model is at least as good on {many} ({points})."
    )
    return Verdict(
        promoted=not reasons, reason=reason, subjects=len(subjects), mean_difference=mean, share_above=above, p=p
    )


def signed_rank_p(difference: np.ndarray) -> float | None:
    """Wilcoxon's signed-rank p, two-sided; None where every difference is zero. Reported, never decides."""
    if not np.any(difference):
        return None
    from scipy.stats import wilcoxon  # half a second to import, needed once a run

    return float(wilcoxon(difference).pvalue)


def _difference(new: Mapping[str, float], old: Mapping[str, float], subjects: list[str]) -> np.ndarray:
    return np.array([new[s] - old[s] for s in subjects])


def _failures(scores: Mapping[str, float], subjects: list[str]) -> int:
    return sum(scores[s] < HALF for s in subjects)


def _count(subjects: int) -> str:
    return f"{subjects} subjects" if subjects != 1 else "1 subject"


def _points(mean: float, masks: bool) -> str:
    return f"{mean:+.3f} {'Dice' if masks else 'log-likelihood'}"
