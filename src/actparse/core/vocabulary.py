"""Vocabulary of part-level action parsing: body parts, part groups, keypoints, skeleton, left/right pairs, dots.

Parts, groups and keypoints are fixed by the task; actions and states are read from a dataset or a checkpoint
(`LabelSpace`).
Source: Kinetics-TPS (parts, groups), COCO (keypoints, edges).
"""

from __future__ import annotations

from dataclasses import dataclass

PARTS: tuple[str, ...] = (
    "head",
    "left_arm",
    "right_arm",
    "left_hand",
    "right_hand",
    "hip",
    "left_leg",
    "right_leg",
    "left_foot",
    "right_foot",
)
PART_INDEX: dict[str, int] = {name: index for index, name in enumerate(PARTS)}
PART_FLIP: tuple[int, ...] = (0, 2, 1, 4, 3, 5, 7, 6, 9, 8)  # the part's index in the mirrored image

GROUPS: tuple[str, ...] = ("head", "arm", "hand", "hip", "leg", "foot")
GROUP_PARTS: dict[str, tuple[str, ...]] = {
    "head": ("head",),
    "arm": ("left_arm", "right_arm"),
    "hand": ("left_hand", "right_hand"),
    "hip": ("hip",),
    "leg": ("left_leg", "right_leg"),
    "foot": ("left_foot", "right_foot"),
}
PART_GROUP: dict[str, str] = {part: group for group, parts in GROUP_PARTS.items() for part in parts}

KEYPOINTS: tuple[str, ...] = (
    "nose",
    "left_eye",
    "right_eye",
    "left_ear",
    "right_ear",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_hip",
    "right_hip",
    "left_knee",
    "right_knee",
    "left_ankle",
    "right_ankle",
)
NUM_KEYPOINTS = len(KEYPOINTS)
KEYPOINT_FLIP: tuple[int, ...] = (0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15)
KEYPOINT_PAIRS: tuple[tuple[int, int], ...] = (
    (5, 6),
    (7, 8),
    (9, 10),
    (11, 12),
    (13, 14),
    (15, 16),
)  # limbs, left first
SKELETON: tuple[tuple[int, int], ...] = (
    (15, 13),
    (13, 11),
    (16, 14),
    (14, 12),
    (11, 12),
    (5, 11),
    (6, 12),
    (5, 6),
    (5, 7),
    (6, 8),
    (7, 9),
    (8, 10),
    (1, 2),
    (0, 1),
    (0, 2),
    (1, 3),
    (2, 4),
    (3, 5),
    (4, 6),
)
OKS_SIGMAS: tuple[float, ...] = (
    0.026,
    0.025,
    0.025,
    0.035,
    0.035,
    0.079,
    0.079,
    0.072,
    0.072,
    0.062,
    0.062,
    0.107,
    0.107,
    0.087,
    0.087,
    0.089,
    0.089,
)  # COCO keypoint evaluation

DOT_COLORS: tuple[tuple[int, int, int], ...] = (  # RGB 0..255 of each keypoint's dot on a person's crop
    (255, 255, 255),  # nose
    (255, 200, 120),  # left eye
    (120, 220, 255),  # right eye
    (200, 120, 60),  # left ear
    (60, 140, 200),  # right ear
    (255, 0, 0),  # left shoulder
    (0, 0, 255),  # right shoulder
    (255, 110, 0),  # left elbow
    (0, 110, 255),  # right elbow
    (255, 220, 0),  # left wrist
    (0, 255, 255),  # right wrist
    (255, 0, 110),  # left hip
    (110, 0, 255),  # right hip
    (190, 60, 0),  # left knee
    (0, 150, 120),  # right knee
    (255, 0, 190),  # left ankle
    (0, 255, 80),  # right ankle
)
DOT_RADII: tuple[float, ...] = (  # of the dots, relative to the crop's longer side
    0.0125,
    *(0.009,) * 4,  # eyes, ears
    *(0.025,) * 2,  # shoulders
    *(0.022,) * 2,  # elbows
    *(0.019,) * 2,  # wrists
    *(0.025,) * 2,  # hips
    *(0.022,) * 2,  # knees
    *(0.019,) * 2,  # ankles
)

GroupLabel = tuple[str, ...]  # (action, state) for head and hip, (action, left state, right state) for a paired group


@dataclass(frozen=True)
class LabelSpace:
    """Labels that a set of networks can output: actions, states, and for each group the labels of its training data.

    All are in index order.
    """

    actions: tuple[str, ...]
    states: tuple[str, ...]
    group_labels: dict[str, tuple[GroupLabel, ...]]


def states_by_part(group: str, label: GroupLabel) -> dict[str, str]:
    """Return the state of each part of a group: ("lunge", "bend", "none") of "leg" -> left "bend", right "none"."""
    return dict(zip(GROUP_PARTS[group], label[1:], strict=True))


def mirror_label(label: GroupLabel) -> GroupLabel:
    """Return the label of the mirrored image: the states of the two sides are swapped."""
    return (label[0], *reversed(label[1:]))
