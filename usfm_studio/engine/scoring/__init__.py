"""How good a mask or a label is (numpy and scipy only): one meaning for each figure, wherever it is shown.

Masks in `masks`, labels in `labels`, uncertainty in `intervals`, all of an evaluation in `summary`. Where tools
disagree on what a figure means, the docstring says which side we are on.
"""

from usfm_studio.engine.scoring.intervals import Interval, mean_interval, mean_over_subjects, subject_draws
from usfm_studio.engine.scoring.labels import LabelledImage, calibration_floor, label_scores, log_loss
from usfm_studio.engine.scoring.masks import (
    SegmentScore,
    boundary,
    dice,
    hd95,
    mask_scores,
    nsd,
    score_image,
)
from usfm_studio.engine.scoring.summary import Scores, summarise

__all__ = [
    "Interval",
    "LabelledImage",
    "Scores",
    "SegmentScore",
    "boundary",
    "calibration_floor",
    "dice",
    "hd95",
    "label_scores",
    "log_loss",
    "mask_scores",
    "mean_interval",
    "mean_over_subjects",
    "nsd",
    "score_image",
    "subject_draws",
    "summarise",
]
