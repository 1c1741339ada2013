"""Random augmentation for training: zoom, shift, rotation, mirror and colour, the same for pixels, boxes and keypoints.

A transform is a (2, 3) matrix from old to new continuous coordinates; the corner of the image is (0, 0).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from actparse.core.vocabulary import KEYPOINT_FLIP

Matrix = NDArray[np.float64]  # (2, 3)
Image = NDArray[np.uint8]  # (H, W, 3)

MIN_BOX_PIXELS = 3.0  # boxes that are not thicker than this after a transform are dropped
NO_KEYPOINTS = np.zeros((0, 3), np.float32)
MIN_SIDE = 1.0  # pixels; a box that is thinner after a shift is dropped. Source: YOLOF in mmdet


@dataclass(frozen=True, kw_only=True)
class ColorJitter:
    """Ranges of a random colour change, the same for all pixels of an image or a clip."""

    gain: float = 0.25  # all channels are multiplied by 1 -+ this
    channel_gain: float = 0.1  # each channel is multiplied by 1 -+ this
    offset: float = 15.0  # -+ this, of 255, is added to all channels
    gamma: float = 0.15  # the exponent is 1 -+ this
    swapped_share: float = 0.0  # share of the images whose channels change their order


STRONG_JITTER = ColorJitter(  # for action networks: the colour of clothes does not depend on the action
    gain=0.35, channel_gain=0.25, offset=25.0, gamma=0.3, swapped_share=0.4
)


def recolor(image: Image, rng: np.random.Generator, jitter: ColorJitter) -> Image:
    """Return an image with one random change of brightness, contrast and tint."""
    if jitter.swapped_share and rng.random() < jitter.swapped_share:
        image = np.ascontiguousarray(image[..., rng.permutation(3)])
    gain = rng.uniform(1 - jitter.gain, 1 + jitter.gain)
    gains = gain * rng.uniform(1 - jitter.channel_gain, 1 + jitter.channel_gain, 3)  # (3,)
    offset = rng.uniform(-jitter.offset, jitter.offset)
    exponent = rng.uniform(1 - jitter.gamma, 1 + jitter.gamma)
    values = 255 * np.linspace(0, 1, 256) ** exponent  # (256,)
    table = np.clip(values[:, None] * gains + offset, 0, 255).astype(np.uint8)[:, None]  # (256, 1, 3)
    return np.asarray(cv2.LUT(image, table), dtype=np.uint8)


def about(center: tuple[float, float], *, zoom: float, degrees: float, to: tuple[float, float]) -> Matrix:
    """Return the transform that zooms and rotates (clockwise, y down) about `center`, then moves it `to` a point."""
    angle = np.deg2rad(degrees)
    turn = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])  # (2, 2)
    return np.concatenate((turn, (np.asarray(to) - turn @ np.asarray(center))[:, None]), axis=1)


def random_zoom(
    size: tuple[int, int], rng: np.random.Generator, *, zoom: tuple[float, float], max_shift: float
) -> Matrix:
    """Draw a transform that zooms about the middle of an image of `size` (height, width) and shifts it.

    Args:
        size: of the image.
        rng: for the draw.
        zoom: range of the factor.
        max_shift: largest shift along each side, as a share of the side.
    """
    height, width = size
    x, y = np.array((width / 2, height / 2)) + rng.uniform(-max_shift, max_shift, 2) * (width, height)
    return about((width / 2, height / 2), zoom=rng.uniform(*zoom), degrees=0, to=(x, y))


def mirrored(matrix: Matrix, width: float) -> Matrix:
    """Return the same transform with its result mirrored in an image of the given width."""
    result = matrix.copy()
    result[0] *= -1
    result[0, 2] += width
    return result


def then(first: Matrix, second: Matrix) -> Matrix:
    """Return the transform that applies `first`, then `second`."""
    turn = second[:, :2] @ first[:, :2]
    return np.concatenate((turn, (second[:, :2] @ first[:, 2] + second[:, 2])[:, None]), axis=1)


def move_points(matrix: Matrix, points: NDArray[np.float32]) -> NDArray[np.float32]:
    """Transform points (..., 2)."""
    return (points @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)


def move_boxes(matrix: Matrix, boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Transform boxes (..., 4); if the transform rotates, return the boxes around the four moved corners."""
    corners = boxes[..., [0, 1, 2, 1, 2, 3, 0, 3]].reshape(*boxes.shape[:-1], 4, 2)
    moved = move_points(matrix, corners)  # (..., 4, 2)
    return np.concatenate((moved.min(axis=-2), moved.max(axis=-2)), axis=-1)


def clip_boxes(
    boxes: NDArray[np.float32], size: tuple[int, int], *, min_visible: float = 0.0, min_side: float = MIN_BOX_PIXELS
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Cut boxes (N, 4) at the edges of an image of `size` (height, width).

    Returns:
        The cut boxes (N, 4), and a mask (N,) of those that keep at least `min_visible` of their area and whose sides
        are longer than `min_side`, pixels.
    """
    height, width = size
    clipped = np.clip(boxes, 0, np.array([width, height, width, height], np.float32))
    sides = clipped[:, 2:] - clipped[:, :2]  # (N, 2)
    full = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)  # (N,)
    keep = (sides.prod(axis=1) >= min_visible * full) & (sides.min(axis=1, initial=np.inf) > min_side)
    return clipped, keep


def move_keypoints(matrix: Matrix, keypoints: NDArray[np.float32], *, mirror: bool) -> NDArray[np.float32]:
    """Transform keypoints (..., 17, 3); with `mirror`, left and right keypoints swap their places in the list."""
    moved = np.concatenate((move_points(matrix, keypoints[..., :2]), keypoints[..., 2:]), axis=-1)
    return moved[..., list(KEYPOINT_FLIP), :] if mirror else moved


def moved_shares(matrix: Matrix, keypoints: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """Move keypoints (T, 17, 3) into a frame of `size` (height, width); return x and y as shares of its sides.

    Those that leave the frame are absent: their visibility is 0.
    """
    moved = move_keypoints(matrix, keypoints, mirror=False)
    moved[..., :2] /= size[::-1]
    moved[~((moved[..., :2] >= 0) & (moved[..., :2] < 1)).all(axis=-1), 2] = 0
    return moved.astype(np.float32)


def warp(image: Image, matrix: Matrix, size: tuple[int, int], *, fill: float | tuple[int, int, int] = 0) -> Image:
    """Warp an image by a transform into one of `size` (height, width), with bilinear interpolation."""
    by_index = matrix.copy()  # OpenCV counts from pixel centres: index i is at i + 0.5
    by_index[:, 2] += 0.5 * by_index[:, :2].sum(axis=1) - 0.5
    color = fill if isinstance(fill, tuple) else (fill,) * 3
    return np.asarray(
        cv2.warpAffine(image, by_index, size[::-1], flags=cv2.INTER_LINEAR, borderValue=color), dtype=np.uint8
    )


def cover_patches(image: Image, rng: np.random.Generator, *, max_patches: int = 2, max_side: float = 0.35) -> None:
    """Cover up to `max_patches` random rectangles with flat colours, in place; `max_side` is a share of each side."""
    height, width = image.shape[:2]
    for _ in range(int(rng.integers(0, max_patches + 1))):
        h, w = (int(rng.uniform(0.08, max_side) * side) for side in (height, width))
        y, x = int(rng.integers(0, height - h)), int(rng.integers(0, width - w))
        image[y : y + h, x : x + w] = rng.integers(0, 256, 3)


@dataclass(frozen=True)
class BoxedImage:
    """An image (H, W, 3) uint8 RGB, its boxes (G, 4) xyxy with labels (G,), and keypoints: (17, 3) or (0, 3)."""

    name: str
    image: NDArray[np.uint8]
    boxes: NDArray[np.float32]
    labels: NDArray[np.int64]
    keypoints: NDArray[np.float32]

    @classmethod
    def inside(
        cls,
        name: str,
        image: NDArray[np.uint8],
        boxes: NDArray[np.float32],
        labels: NDArray[np.int64] | None = None,
        keypoints: NDArray[np.float32] = NO_KEYPOINTS,
        *,
        min_visible: float = 0.0,
    ) -> BoxedImage:
        """Cut the boxes at the image's edges, and drop those of which too little is left; labels default to 0."""
        labels = np.zeros(len(boxes), np.int64) if labels is None else labels
        size = (image.shape[0], image.shape[1])
        boxes, keep = clip_boxes(boxes, size, min_visible=min_visible, min_side=MIN_SIDE)
        return cls(name, image, boxes[keep], labels[keep], keypoints)


def in_mirror(sample: BoxedImage, label_flip: Sequence[int]) -> BoxedImage:
    """Exchange left and right in the sample: pixels, boxes, labels of parts and keypoints.

    Args:
        sample: any.
        label_flip: (K,) the label of each label's mirror image.
    """
    width = sample.image.shape[1]
    boxes = sample.boxes.copy()
    boxes[:, [0, 2]] = width - sample.boxes[:, [2, 0]]
    keypoints = sample.keypoints.copy()
    if len(keypoints):
        keypoints[:, 0] = width - keypoints[:, 0]
        keypoints = keypoints[list(KEYPOINT_FLIP)]
    return replace(
        sample,
        image=np.ascontiguousarray(sample.image[:, ::-1]),
        boxes=boxes,
        labels=np.asarray(label_flip, np.int64)[sample.labels],
        keypoints=keypoints,
    )


def shifted(sample: BoxedImage, x: int, y: int) -> BoxedImage:
    """Shift the sample by whole pixels, with black in uncovered areas; leave it unchanged if no box would remain.

    Source: Chen et al. 2021, section 5.1, and the public program.
    """
    height, width = sample.image.shape[:2]
    boxes, keep = clip_boxes(sample.boxes + np.array([x, y, x, y], np.float32), (height, width), min_side=MIN_SIDE)
    if not keep.any():
        return sample
    image = np.zeros_like(sample.image)
    image[max(y, 0) : height + min(y, 0), max(x, 0) : width + min(x, 0)] = sample.image[
        max(-y, 0) : height + min(-y, 0), max(-x, 0) : width + min(-x, 0)
    ]
    keypoints = sample.keypoints.copy()
    keypoints[:, :2] += (x, y)
    return replace(sample, image=image, boxes=boxes[keep], labels=sample.labels[keep], keypoints=keypoints)


def zoomed(
    sample: BoxedImage, rng: np.random.Generator, *, zoom: tuple[float, float], max_shift: float, min_visible: float
) -> BoxedImage:
    """Zoom and shift a sample without keypoints at random, with one random grey where it has no pixels.

    `zoom` and `max_shift` are those of `random_zoom`; `min_visible` is the share of a box that must stay visible.
    """
    height, width = sample.image.shape[:2]
    matrix = random_zoom((height, width), rng, zoom=zoom, max_shift=max_shift)
    image = warp(sample.image, matrix, (height, width), fill=int(rng.integers(0, 256)))
    boxes = move_boxes(matrix, sample.boxes)
    return BoxedImage.inside(sample.name, image, boxes, sample.labels, min_visible=min_visible)
