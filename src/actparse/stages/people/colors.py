"""Histograms of clothing colours between the keypoints, to identify people after an occlusion."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from actparse.core.errors import expect_shape

Floats = NDArray[np.float32]

REGIONS = ("torso", "thighs", "shins")
REGION_WEIGHTS = np.array([0.5, 0.25, 0.25], np.float32)  # in comparisons; the torso is visible most often
JOINTS = ((5, 6, 11, 12), (11, 12, 13, 14), (13, 14, 15, 16))  # upper left and right, lower left and right
LIGHTNESS = np.array([10, 50, 90, 130, 170, 210, 250], np.float32)  # centres of bins, 0..255
CHROMA = np.array([-35, -14, -4, 4, 14, 35], np.float32)  # of a and of b in CIE Lab; cloth is mostly near grey
NUM_BINS = len(LIGHTNESS) + len(CHROMA) ** 2  # of a region
NUM_COLORS = len(REGIONS) * NUM_BINS
MIN_CONFIDENCE = 0.2  # of all joints of a region
MIN_POINTS = 6  # of a region that must be in the image

NUM_POINTS = 24  # of a region


def _point_weights() -> Floats:
    """Return the weights (R, P, 4) of points as means of four joints: a grid in the torso, lines along the legs."""
    across, down = (grid.ravel() for grid in np.meshgrid(np.linspace(0.15, 0.85, 4), np.linspace(0.1, 0.9, 6)))
    sides, along = np.repeat([0.0, 1.0], NUM_POINTS // 2), np.tile(np.linspace(0.15, 0.85, NUM_POINTS // 2), 2)
    positions = [(across, down), (sides, along), (sides, along)]
    weights = [((1 - u) * (1 - v), u * (1 - v), (1 - u) * v, u * v) for u, v in positions]
    return np.asarray(weights, np.float32).swapaxes(1, 2)


POINT_WEIGHTS = _point_weights()


def person_colors(image: NDArray[np.uint8], keypoints: Floats) -> Floats:
    """Describe the colours of each person's torso, thighs and shins.

    Args:
        image: (H, W, 3) uint8 RGB.
        keypoints: (N, 17, 3) x, y in pixels of the image, confidence; N may be 0.

    Returns:
        (N, NUM_COLORS) histograms of the regions side by side. A region's lightness sums to 0.5 and so does its chroma;
        a region whose joints have low confidence or are outside the image is 0.

    Raises:
        ShapeError: an argument has another shape.
    """
    expect_shape("image", image, (None, None, 3))
    expect_shape("keypoints", keypoints, (None, 17, 3))
    corners = keypoints[:, JOINTS, :2]  # (N, R, 4, 2)
    points = np.floor(np.einsum("rpk,nrkc->nrpc", POINT_WEIGHTS, corners))  # (N, R, P, 2)
    last = np.array([image.shape[1] - 1, image.shape[0] - 1])
    inside = ((points >= 0) & (points <= last)).all(axis=3)  # (N, R, P)
    sure = keypoints[:, JOINTS, 2].min(axis=2) >= MIN_CONFIDENCE  # (N, R)
    weights = inside * (sure & (inside.sum(axis=2) >= MIN_POINTS))[:, :, None]  # (N, R, P)
    x, y = np.moveaxis(np.nan_to_num(points).clip(0, last).astype(np.int64), 3, 0)
    return _histograms(image[y, x], weights).reshape(len(keypoints), NUM_COLORS)


def color_distances(colors: Floats, others: Floats) -> Floats:
    """Compare people's colours: 1 minus the Bhattacharyya coefficient, over the regions that are visible in both.

    Args:
        colors: (M, NUM_COLORS) from `person_colors`.
        others: (N, NUM_COLORS).

    Returns:
        (M, N) in 0..1; NaN if no region is visible in both.
    """
    a, b = (histograms.reshape(-1, len(REGIONS), NUM_BINS) for histograms in (colors, others))
    similarities = np.einsum("mrb,nrb->mnr", np.sqrt(a), np.sqrt(b))  # (M, N, R)
    is_visible = (a.sum(axis=2) > 0)[:, None] & (b.sum(axis=2) > 0)[None]  # (M, N, R)
    weights = REGION_WEIGHTS * is_visible
    total = weights.sum(axis=2)
    distances = ((1 - similarities) * weights).sum(axis=2) / np.where(total > 0, total, 1)
    return np.where(total > 0, distances, np.nan).astype(np.float32)


def _histograms(pixels: NDArray[np.uint8], weights: NDArray[np.bool_]) -> Floats:
    """Return lightness (7) and joint chroma (36) of the weighted RGB pixels (N, R, P, 3) of a region: (N, R, 43)."""
    flat = cv2.cvtColor(pixels.reshape(1, -1, 3), cv2.COLOR_RGB2LAB) if pixels.size else pixels
    lab = flat.reshape(pixels.shape).astype(np.float32)
    lightness = _shares(lab[..., 0], LIGHTNESS) * weights[..., None]  # (N, R, P, 7)
    a = _shares(lab[..., 1] - 128, CHROMA) * weights[..., None]  # (N, R, P, 6)
    chroma = a.swapaxes(2, 3) @ _shares(lab[..., 2] - 128, CHROMA)  # (N, R, 6, 6)
    joined = np.concatenate((lightness.sum(axis=2), chroma.reshape(*chroma.shape[:2], len(CHROMA) ** 2)), axis=2)
    return np.asarray(joined / np.maximum(2 * weights.sum(axis=2), 1)[..., None], np.float32)


def _shares(values: Floats, centers: Floats) -> Floats:
    """Return the shares (..., B) of values (...) in the two nearest bins of `centers` (B,), which sum to 1."""
    positions = np.interp(values, centers, np.arange(len(centers)))[..., None]
    shares = np.clip(1 - np.abs(positions - np.arange(len(centers))), 0, 1)
    return np.asarray(shares, np.float32)
