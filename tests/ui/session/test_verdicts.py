"""The headline of a verdict says no more than its two figures show."""

import pytest

from usfm_studio.ui.verdicts import verdict_title
from usfm_studio.verbs.finetune import FinetuneResult


def a_result(promoted, old, new):
    return FinetuneResult(
        model="d" * 64, promoted=promoted, reason="", holdout={"champion": old, "challenger": new}, train_subjects=6,
        seconds=80.0, settings={}, data_digest="e" * 64, seed=0, comparison={}, failed=[],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("before", "promoted", "old", "new", "title"),
    [
        ("Heads v1", True, 0.914, 0.946, "Heads v2 is better: 0.91 to 0.95"),
        ("Heads v1", True, 0.941, 0.944, "Heads v2 takes over: 0.94 to 0.94"),
        ("Heads v1", True, 0.945, 0.938, "Heads v2 takes over: 0.94 to 0.94"),
        ("Heads v1", True, 0.955, 0.948, "Heads v2 takes over: 0.95 to 0.95"),
        ("Heads v1", True, 0.95, 0.94, "Heads v2 takes over: 0.95 to 0.94"),
        ("Heads v1", True, None, 0.94, "Heads v2 is better"),
        ("Heads v1", False, 0.95, 0.9, "Kept Heads v1: 0.95 to 0.90"),
        ("", True, None, 0.94, "Heads v2 proposes from now on: 0.94"),
        ("", False, None, 0.4, "Heads v2 is not used yet"),
    ],
)
def test_the_title_fits_the_figures(before, promoted, old, new, title):
    assert verdict_title("Heads v2", before, a_result(promoted, old, new)) == title
