"""Structures painted into real frames: teachers of a decoder that need no person's mask.

Four kinds, as ultrasound shows them: dark inside (fluid, many lesions), bright-rimmed (skulls, vessel walls), bright
inside, and of another texture. Shapes are star-like around a centre, from nearly elliptic to lobed, of 5 to 45 % of
the image's short side in radius.
"""

import cv2
import numpy as np

KINDS = 4
LEAST_PX = 40


def painted(image, rng):
    """(pixels, ids) uint8: the frame with one to three structures, and their kinds 1..4."""
    frame = image.astype(np.float32)
    ids = np.zeros(image.shape, np.uint8)
    for _ in range(rng.integers(1, 4)):
        kind = int(rng.integers(1, KINDS + 1))
        mask, radius = star(image.shape, rng)
        if mask.sum() < LEAST_PX:
            continue
        edge = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), float(rng.uniform(0.6, 2.5)))
        frame = frame * (1 - edge) + inside(frame, mask, radius, kind, rng) * edge
        ids[mask > 0] = kind
    return np.clip(frame, 0, 255).astype(np.uint8), ids


def star(shape_rc, rng):
    """(mask, radius): a filled outline whose radius waves with up to five periods, stretched and turned."""
    rows, columns = shape_rc
    centre = rng.uniform(0.15, 0.85, 2) * (columns, rows)
    radius = np.exp(rng.uniform(np.log(0.05), np.log(0.45))) * min(shape_rc)
    stretch, turn = np.exp(rng.uniform(-0.5, 0.5)), rng.uniform(0, np.pi)
    angles = np.linspace(0, 2 * np.pi, 96, endpoint=False)
    periods = np.arange(1, 6)[:, None]
    heights = rng.normal(0, 1, 5)[:, None] / periods * rng.choice([0, 0.08, 0.2], p=[0.4, 0.3, 0.3])
    waves = (heights * np.cos(periods * angles + rng.uniform(0, 2 * np.pi, 5)[:, None])).sum(0)
    x, y = radius * (1 + waves) * np.cos(angles) * stretch, radius * (1 + waves) * np.sin(angles) / stretch
    turned = np.stack([x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn)], 1)
    mask = np.zeros(shape_rc, np.uint8)
    cv2.fillPoly(mask, [np.rint(centre + turned).astype(np.int32)], 1)
    return mask, radius


def inside(frame, mask, radius, kind, rng):
    """What the structure's inside looks like, over the whole frame."""
    if kind == 1:
        return frame * rng.uniform(0.05, 0.5)
    if kind == 2:
        return frame * rng.uniform(0.4, 1.0) + rim(mask, radius, rng) * rng.uniform(80, 200)
    if kind == 3:
        return np.minimum(255, frame * rng.uniform(1.3, 2.2) + rng.uniform(20, 90))
    noise = cv2.GaussianBlur(rng.normal(0, 1, frame.shape).astype(np.float32), (0, 0), float(rng.uniform(0.8, 3)))
    level = float(frame[mask > 0].mean()) * rng.uniform(0.6, 1.4)
    return np.clip(level + noise / (noise.std() + 1e-6) * rng.uniform(8, 35), 0, 255)


def rim(mask, radius, rng):
    """A bright rim that fades where the beam runs along it, as a skull's does."""
    width = max(1.5, radius * rng.uniform(0.04, 0.12))
    depth = cv2.distanceTransform(mask, cv2.DIST_L2, 5)
    line = np.exp(-(((depth - width) / width) ** 2)) * (depth > 0)
    rows, columns = np.nonzero(mask)
    y, x = np.mgrid[: mask.shape[0], : mask.shape[1]]
    angle = np.arctan2(y - rows.mean(), x - columns.mean())
    return line * np.clip(0.6 + 0.8 * np.cos(2 * (angle - rng.uniform(0, np.pi))), 0, 1)
