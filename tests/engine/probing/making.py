"""A labelled snapshot whose subjects' folds are known, and probe results made of numbers."""

import numpy as np

from usfm_studio.document.schema import Label, Schema, Segment
from usfm_studio.document.snapshot import Sample, SnapshotWriter
from usfm_studio.document.splits import fold_of
from usfm_studio.engine.probing.results import FewShot, FolderResult, ProbeResult, Told

SCHEMA = Schema(
    segments=(Segment(value=1, name="Disc"),), labels=(Label(name="bright"), Label(name="dark")), exclusive_labels=True
)


def subjects_in(fold, count, folds=5):
    """The first names s0, s1 … of this fold."""
    found, number = [], 0
    while len(found) < count:
        if fold_of(f"s{number}", folds) == fold:
            found.append(f"s{number}")
        number += 1
    return found


def a_disc(seed, bright, rows=60, columns=80):
    rng = np.random.default_rng(seed)
    r, c = np.mgrid[:rows, :columns]
    centre, radius = rng.uniform((20, 20), (rows - 20, columns - 20)), rng.uniform(8, 14)
    ids = ((r - centre[0]) ** 2 + (c - centre[1]) ** 2 < radius**2).astype(np.uint8)
    pixels = np.clip(rng.normal(90, 15, (rows, columns)) + (80.0 if bright else -70.0) * ids, 0, 255).astype(np.uint8)
    return pixels, ids


def a_snapshot(folder, by_fold=(3, 3, 2, 2, 2), *, frames=1, masks=True, labels=True):
    """So many subjects of each fold, `frames` each; half of them bright."""
    writer, number = SnapshotWriter(folder, SCHEMA), 0
    for fold, count in enumerate(by_fold):
        for n, subject in enumerate(subjects_in(fold, count)):
            for index in range(frames):
                bright = (n + fold) % 2 == 0
                pixels, ids = a_disc(number, bright, *((60, 80) if number % 2 else (80, 60)))
                sample = Sample(
                    stem=f"{number:03d}", name=f"{subject}_{index}.png", subject=subject,
                    rows=pixels.shape[0], columns=pixels.shape[1],
                    labels=("bright" if bright else "dark",) if labels else None,
                )  # fmt: skip
                writer.add(sample, pixels, ids if masks else None)
                number += 1
    return writer.finish()


def a_shot(by_subject):
    mean = float(np.mean(list(by_subject.values())))
    return FewShot(
        dice=mean, per_seed=(mean,), per_subject=by_subject, pairs=dict.fromkeys(by_subject, 1), interval=None,
        interval_kind=None,
    )  # fmt: skip


def a_result(*, role="decide", quick=False, labels=None, **folders):
    """`folders`: name -> {size: {subject: dice}}; `labels`: share of right labels of knn and of linear."""
    made = {}
    for name, shots in folders.items():
        more = {} if labels is None else told(labels)
        made[name] = FolderResult(
            name=name, train_images=1, test_images=1, test_subjects=1,
            fewshot={size: a_shot(by_subject) for size, by_subject in shots.items()}, **more,
        )  # fmt: skip
    return ProbeResult(encoder="e", digest="d", role=role, quick=quick, folders=made, seconds={})


def told(right):
    """Twenty images of two classes; so many of knn's and of linear's are right in both classes."""
    images, f1 = {}, {}
    for n in range(20):
        truth = ("a", "b")[n % 2]
        said = {way: truth if n // 2 < share * 10 else ("b", "a")[n % 2] for way, share in right.items()}
        images[f"{n}.png"] = Told(subject=f"p{n}", truth=(truth,), **{way: (name,) for way, name in said.items()})
    for way in ("knn", "linear"):
        f1[way] = right[way]
    return {"classes": ("a", "b"), "told": images, **f1}
