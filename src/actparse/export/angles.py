"""Joint angles in degrees, in the plane of the image, not in space.

The angle of a joint is the angle between its two limbs, 0 (folded) to 180 (straight), without a sign.
`trunk_lean` is the direction from the middle of the hips to the middle of the shoulders: 0 upright, positive towards
the right edge of the image, negative towards the left, 180 upside down; more than -180 to 180.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from actparse.core.errors import ConfigError, expect_shape
from actparse.core.structures import PersonParse
from actparse.core.vocabulary import KEYPOINTS, NUM_KEYPOINTS

MIN_CONFIDENCE = 0.25  # of a keypoint, as in the parser
JOINT_POINTS: dict[str, tuple[str, str, str]] = {  # the joint is the middle one
    "left_elbow": ("left_shoulder", "left_elbow", "left_wrist"),
    "right_elbow": ("right_shoulder", "right_elbow", "right_wrist"),
    "left_shoulder": ("left_hip", "left_shoulder", "left_elbow"),
    "right_shoulder": ("right_hip", "right_shoulder", "right_elbow"),
    "left_hip": ("left_shoulder", "left_hip", "left_knee"),
    "right_hip": ("right_shoulder", "right_hip", "right_knee"),
    "left_knee": ("left_hip", "left_knee", "left_ankle"),
    "right_knee": ("right_hip", "right_knee", "right_ankle"),
}
TRUNK_POINTS = ("left_shoulder", "right_shoulder", "left_hip", "right_hip")
ANGLES: tuple[str, ...] = (*JOINT_POINTS, "trunk_lean")

_JOINT_INDICES = np.array([[KEYPOINTS.index(name) for name in names] for names in JOINT_POINTS.values()])  # (8, 3)
_TRUNK_INDICES = np.array([KEYPOINTS.index(name) for name in TRUNK_POINTS])  # (4,)


def joint_angles(keypoints: NDArray[np.float32], *, min_confidence: float = MIN_CONFIDENCE) -> NDArray[np.float64]:
    """Return the joint angles of N poses.

    Args:
        keypoints: (N, 17, 3) x, y in pixels, confidence; N may be 0.
        min_confidence: an angle is unknown if one of its keypoints has less, 0..1.

    Returns:
        (N, 9) degrees in the order of ANGLES; NaN if an angle is unknown or a limb has no length.

    Raises:
        ShapeError: `keypoints` is not (N, 17, 3).
        ConfigError: `min_confidence` is outside 0..1.
    """
    expect_shape("keypoints", keypoints, (None, NUM_KEYPOINTS, 3))
    if not 0 <= min_confidence <= 1:
        raise ConfigError(f"min_confidence must be between 0 and 1, got {min_confidence}")
    points = np.asarray(keypoints[..., :2], np.float64)  # (N, 17, 2)
    is_confident = keypoints[..., 2] >= min_confidence  # (N, 17)
    points = np.where(is_confident[..., None], points, np.nan)
    first, joint, last = np.moveaxis(points[:, _JOINT_INDICES], 2, 0)  # (N, 8, 2) each
    first, last = first - joint, last - joint
    across = first[..., 0] * last[..., 1] - first[..., 1] * last[..., 0]
    along = (first * last).sum(axis=-1)
    angles = np.where((across == 0) & (along == 0), np.nan, np.degrees(np.arctan2(np.abs(across), along)))  # (N, 8)
    shoulders_and_hips = points[:, _TRUNK_INDICES]  # (N, 4, 2)
    trunk = shoulders_and_hips[:, :2].mean(axis=1) - shoulders_and_hips[:, 2:].mean(axis=1)  # (N, 2), y downwards
    lean = np.where((trunk == 0).all(axis=1), np.nan, np.degrees(np.arctan2(trunk[:, 0], -trunk[:, 1])))  # (N,)
    return np.concatenate((angles, lean[:, None]), axis=1)  # (N, 9)


def person_angles(persons: Sequence[PersonParse], *, min_confidence: float = MIN_CONFIDENCE) -> NDArray[np.float64]:
    """Return the joint angles of N persons, as `joint_angles` does."""
    keypoints = np.asarray([person.keypoints for person in persons], np.float32)
    return joint_angles(keypoints.reshape(len(persons), NUM_KEYPOINTS, 3), min_confidence=min_confidence)
