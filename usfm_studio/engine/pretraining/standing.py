"""Where a run stands beside its tensors: counts that go into each checkpoint, and the rules that end a run."""

from __future__ import annotations

from dataclasses import dataclass, field

from usfm_studio.document.errors import StudioError

NO_NUMBER_MOST = 3
"""Steps in a row without a usable gradient after which the run stops."""
SKIPS_LEAST = 16
"""Fewer useless images than this never stop a run."""


@dataclass(slots=True)
class Drawn:
    """Images learned from, and those that others took the place of, by reason."""

    used: int = 0
    skipped: dict[str, int] = field(default_factory=dict)

    def with_(self, other: Drawn) -> Drawn:
        """Both together."""
        reasons = {**self.skipped, **other.skipped}
        both = {r: self.skipped.get(r, 0) + other.skipped.get(r, 0) for r in reasons}
        return Drawn(self.used + other.used, both)

    def refuse_too_many(self, share: float) -> None:
        """Raise StudioError when more than `share` of all draws were of no use."""
        skipped = sum(self.skipped.values())
        seen = self.used + skipped
        if skipped >= SKIPS_LEAST and skipped > share * seen:
            reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(self.skipped.items()))
            raise StudioError(
                "The pre-training stopped",
                f"{skipped} of {seen} images drawn were of no use ({reasons})",
                "Pack the corpus again, or raise skips_most.",
            )


@dataclass(slots=True)
class Standing:
    """Counts of a run. `steps` are done; `images` were learned from; `seconds` of work, over all its sittings.

    Scores are the probe's: `first_score` of the starting weights, `best_score` at `best_step`, `score` the latest,
    made at step `probed`. `without_gain`: probes since the best.
    """

    steps: int = 0
    images: int = 0
    seconds: float = 0.0
    drawn: Drawn = field(default_factory=Drawn)
    no_number: int = 0
    no_number_in_a_row: int = 0
    probed: int = -1
    first_score: float | None = None
    score: float | None = None
    best_score: float | None = None
    best_step: int | None = None
    without_gain: int = 0

    def step(self, images: int, drawn: Drawn, *, taken: bool) -> None:
        """One more step. Raises StudioError after too many whose gradient was no number."""
        self.steps += 1
        self.images += images
        self.drawn = self.drawn.with_(drawn)
        self.no_number += not taken
        self.no_number_in_a_row = 0 if taken else self.no_number_in_a_row + 1
        if self.no_number_in_a_row >= NO_NUMBER_MOST:
            raise StudioError(
                "The pre-training stopped",
                f"the gradient was no number {NO_NUMBER_MOST} steps in a row, up to step {self.steps}",
                "Try lower rates ([optimiser]) or precision=f32; the last checkpoint is whole.",
            )

    def probe(self, score: float) -> bool:
        """A score of the present weights; True where it is the best of those that were trained."""
        self.probed, self.score = self.steps, score
        if self.steps == 0:
            self.first_score = score
            return False
        if self.best_score is None or score > self.best_score:
            self.best_score, self.best_step, self.without_gain = score, self.steps, 0
            return True
        self.without_gain += 1
        return False


def crosses(step: int, steps: int, share: float) -> bool:
    """True at the step where another `share` of all `steps` is complete, and at the last one; never for share 0."""
    if share <= 0 or step <= 0:
        return False
    return step == steps or int(step / (share * steps) + 1e-9) > int((step - 1) / (share * steps) + 1e-9)
