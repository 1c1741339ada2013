"""Boxes of body parts from keypoints by rule: circles and ellipses on bones, in torso lengths of the person.

Directions that keypoints do not contain follow from nearby bones: a hand continues the forearm, toes point in the
directions of the bent knee and of the nose, the skull is behind the face.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from actparse.core.errors import expect_shape
from actparse.core.vocabulary import KEYPOINTS, PARTS

Points = NDArray[np.floating[Any]]  # (N, 2) x, y
SIDES = ("left", "right")

# All lengths below are in torso lengths. They were chosen on 15 photographs with hand-made part boxes, so other
# photographs give slightly worse results; benchmarks/part_boxes.py measures them. They began as a simpler rule: arms
# padded by 0.1, legs by 0.12, hands squares of 0.26, feet 0.36 x 0.26 and 0.14 beyond the ankle.
BONES: tuple[tuple[str, str, float], ...] = (  # from, to, and the torso's length over the bone's
    ("shoulder", "hip", 1.0),
    ("hip", "knee", 0.85),
    ("knee", "ankle", 0.85),
    ("shoulder", "elbow", 1.3),
)
MIN_BONE_CONFIDENCE = 0.1  # of both ends, for a bone to measure the torso
ARM_RADII = (0.10, 0.10, 0.08)  # at shoulder, elbow, wrist
HAND_REACH, HAND_RADIUS = 0.12, 0.13  # from the wrist along the forearm to the hand's middle
STRAIGHT_FOREARM = 0.3  # a shorter one points at the camera, and the hand is in front of the wrist
HIP_ALONG, HIP_ACROSS = 0.27, 0.31  # half axes of an ellipse, along the torso and across
HIP_TORSO_SHIFT = 0.06  # of its middle from the hips, away from the shoulders
HIP_THIGH_SHIFT = 0.06  # the same, to the knees
LEG_START = 0.22  # from the hip along the thigh
LEG_RADII = (0.14, 0.11, 0.08)  # at the leg's start, knee, ankle
HEEL_BACK, TOE_FORWARD = 0.06, 0.27  # from the ankle, of a foot in side view
SOLE = 0.14  # from the ankle along the shin
TOE_TOWARDS = 0.08  # further along the shin, of toes that point at the camera
FOOT_RADIUS = 0.09
SIDE_KNEE, SIDE_NOSE = 0.15, 0.2  # how far a bent knee and a nose are in front, in side view
HEAD_UP, HEAD_BACK = 0.05, 0.4  # from the face's middle to the head's; the second in lengths from ears to nose
HEAD_WIDTH, HEAD_HEIGHT, HEAD_DEPTH = 0.30, 0.42, 0.7  # the last in lengths from ears to nose, added to both
NECK = 0.35  # from the shoulders to a face without any keypoint, in lengths from the hips to the shoulders
SCORE_KEYPOINTS: dict[str, tuple[str, ...]] = {  # joints that a part's box depends on
    "arm": ("shoulder", "elbow", "wrist"),
    "hand": ("elbow", "wrist"),
    "leg": ("hip", "knee", "ankle"),
    "foot": ("knee", "ankle"),
}


def rule_boxes(keypoints: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Place the box of each part on the keypoints.

    Args:
        keypoints: (N, 17, 3) x, y in pixels, confidence in [0, 1]; 0 is a keypoint without a position. N may be 0.

    Returns:
        Boxes (N, 10, 4) xyxy, pixels, in the order of PARTS, which may leave the image; and scores (N, 10) in [0, 1],
        the mean confidence of the joints that a box depends on. A part that no keypoint locates has score 0.

    Raises:
        ShapeError: `keypoints` has another shape.
    """
    expect_shape("keypoints", keypoints, (None, len(KEYPOINTS), 3))
    body = _Body(located(keypoints), torso_lengths(keypoints))
    boxes = {"head": _head(body), "hip": _hip(body)}
    for side in SIDES:
        boxes[f"{side}_arm"], boxes[f"{side}_hand"] = _arm(body, side), _hand(body, side)
        boxes[f"{side}_leg"], boxes[f"{side}_foot"] = _leg(body, side), _foot(body, side)
    by_part = np.stack([boxes[part] for part in PARTS], axis=1).reshape(-1, len(PARTS), 4)
    return by_part.astype(np.float32), rule_scores(keypoints)


def rule_scores(keypoints: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the mean confidences (N, 10), in [0, 1], of the joints of each part's box, for keypoints (N, 17, 3)."""
    confidence = dict(zip(KEYPOINTS, np.clip(keypoints[..., 2], 0, 1).T, strict=True))  # name -> (N,)
    scores = []
    for part in PARTS:
        side, _, group = part.rpartition("_")
        if part == "head":
            names = np.sort([confidence[name] for name in KEYPOINTS[:5]], axis=0)[2:]  # (3, N), the most confident
        elif part == "hip":
            names = np.array([confidence["left_hip"], confidence["right_hip"]])
        else:
            names = np.array([confidence[f"{side}_{joint}"] for joint in SCORE_KEYPOINTS[group]])
        scores.append(names.mean(axis=0))
    return np.stack(scores, axis=1).astype(np.float32)


def torso_lengths(keypoints: NDArray[np.float32]) -> NDArray[np.float32]:
    """Estimate torso lengths in pixels, as the longest of the estimates from torso, thighs, shins and upper arms.

    Args:
        keypoints: (N, 17, 3) x, y in pixels, confidence.

    Returns:
        (N,) at least 1. Bones with an end below MIN_BONE_CONFIDENCE count only if there is no other bone.
    """
    lengths = np.zeros((2, len(keypoints)), np.float32)  # from the confident bones; from all bones with both ends
    for side in SIDES:
        for start, end, factor in BONES:
            a, b = (keypoints[:, KEYPOINTS.index(f"{side}_{joint}")] for joint in (start, end))
            length = factor * np.linalg.norm(a[:, :2] - b[:, :2], axis=1)
            confidence = np.minimum(a[:, 2], b[:, 2])
            for row, least in enumerate((MIN_BONE_CONFIDENCE, np.finfo(np.float32).tiny)):
                lengths[row] = np.maximum(lengths[row], np.where(confidence >= least, length, 0))
    torsos: NDArray[np.float32] = np.maximum(np.where(lengths[0] > 0, lengths[0], lengths[1]), 1).astype(np.float32)
    return torsos


def located(keypoints: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return positions (N, 17, 2) in pixels; a keypoint without one gets that of the nearest joint with one.

    Without any keypoint all positions are 0.
    """
    points, exists = keypoints[..., :2].copy(), keypoints[..., 2] > 0  # (N, 17, 2), (N, 17)
    for target, sources in _SUBSTITUTES:
        lacks = ~exists[:, target]
        for source in sources:
            take = lacks & exists[:, source]
            points[take, target] = points[take, source]
            lacks &= ~take
        exists[:, target] |= ~lacks
    faceless = ~(keypoints[:, :5, 2] > 0).any(axis=1)  # (N,)
    shoulders, hips = points[:, 5:7].mean(axis=1), points[:, 11:13].mean(axis=1)  # (N, 2)
    points[faceless, :5] = (shoulders + NECK * (shoulders - hips))[faceless, None]
    return points


def _substitutes() -> tuple[tuple[int, tuple[int, ...]], ...]:
    index = {name: n for n, name in enumerate(KEYPOINTS)}
    chains = {"shoulder": "elbow", "hip": "knee", "elbow": "shoulder", "knee": "hip", "wrist": "elbow", "ankle": "knee"}
    substitutes: list[tuple[int, tuple[int, ...]]] = []
    for _ in range(2):  # the second pass uses positions that the first one filled
        for joint, near in chains.items():
            for side, other in (SIDES, SIDES[::-1]):
                substitutes.append((index[f"{side}_{joint}"], (index[f"{side}_{near}"], index[f"{other}_{joint}"])))
        trunk = {"shoulder": "hip", "hip": "shoulder"}
        substitutes += [(index[f"{s}_{a}"], (index[f"{s}_{b}"],)) for a, b in trunk.items() for s in SIDES]
    face = ("nose", "left_eye", "right_eye", "left_ear", "right_ear")
    for name in face:
        others = tuple(index[other] for other in face if other != name)
        substitutes.append((index[name], others))
    return tuple(substitutes)


_SUBSTITUTES = _substitutes()


class _Body:
    """Joints and directions of N persons by name."""

    def __init__(self, points: NDArray[np.float32], torso: NDArray[np.float32]) -> None:
        self.torso = torso[:, None]  # (N, 1) pixels
        self.joints = {name: points[:, index] for index, name in enumerate(KEYPOINTS)}  # (N, 2) each
        self.shoulders, self.hips = self.middle("shoulder"), self.middle("hip")
        self.up = (self.shoulders - self.hips) / self.torso  # (N, 2), shorter than 1 where foreshortened
        self.nose = (self.joints["nose"] - self.middle("ear")) / self.torso  # (N, 2) from between the ears

    def middle(self, joint: str) -> Points:
        return (self.joints[f"left_{joint}"] + self.joints[f"right_{joint}"]) / 2

    def bone(self, side: str, start: str, end: str) -> Points:
        """Return the vectors from one joint to another, in torso lengths."""
        bone = (self.joints[f"{side}_{end}"] - self.joints[f"{side}_{start}"]) / self.torso
        return np.asarray(bone, np.float32)


def _unit(vectors: Points) -> Points:
    """Scale vectors (N, 2) to length 1; 0 stays 0."""
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6), np.float32)


def _across(vectors: Points) -> Points:
    """Rotate vectors (N, 2) by a quarter turn."""
    return np.stack((-vectors[:, 1], vectors[:, 0]), axis=1)


def _dot(a: Points, b: Points) -> Points:
    """Return the scalar products (N, 1)."""
    return np.asarray((a * b).sum(axis=1, keepdims=True), np.float32)


def _around(body: _Body, *circles: tuple[Points, float]) -> Points:
    """Return boxes (N, 4) around circles: middles (N, 2) in pixels, radii in torso lengths."""
    low = np.min([middle - radius * body.torso for middle, radius in circles], axis=0)
    high = np.max([middle + radius * body.torso for middle, radius in circles], axis=0)
    return np.concatenate((low, high), axis=1)


def _about_ellipse(middle: Points, axis: Points, along: Points, across: Points) -> Points:
    """Return boxes (N, 4) around ellipses: middle (N, 2), axis direction (N, 2), half axes (N, 1), pixels."""
    half = np.sqrt((along * axis) ** 2 + (across * _across(axis)) ** 2)  # (N, 2)
    return np.concatenate((middle - half, middle + half), axis=1)


def _head(body: _Body) -> Points:
    """Return head boxes (N, 4): the skull is as far behind the ears as the nose is in front of them."""
    face = np.stack([body.joints[name] for name in KEYPOINTS[:5]])  # (5, N, 2)
    middle = (face.min(axis=0) + face.max(axis=0)) / 2
    length = np.linalg.norm(body.nose, axis=1, keepdims=True)  # (N, 1)
    neck = _unit(middle - body.shoulders)
    crown = _across(_unit(body.nose))
    crown = np.where(_dot(crown, neck) < 0, -crown, crown)
    sideways = np.clip(length / SIDE_NOSE, 0, 1) ** 2  # directions of short vectors are unreliable
    up = _unit(sideways * crown + (1 - sideways) * neck)
    up = np.where(np.abs(up).sum(axis=1, keepdims=True) > 0, up, np.array((0, -1), np.float32))
    grown = HEAD_DEPTH * length
    middle = middle + body.torso * (HEAD_UP * up - HEAD_BACK * body.nose)
    return _about_ellipse(middle, up, body.torso * (HEAD_HEIGHT + grown) / 2, body.torso * (HEAD_WIDTH + grown) / 2)


def _arm(body: _Body, side: str) -> Points:
    joints = (body.joints[f"{side}_{joint}"] for joint in ("shoulder", "elbow", "wrist"))
    return _around(body, *zip(joints, ARM_RADII, strict=True))


def _hand(body: _Body, side: str) -> Points:
    """Return hand boxes (N, 4), beyond the wrist along the forearm."""
    forearm = body.bone(side, "elbow", "wrist")
    reach = HAND_REACH * np.minimum(np.linalg.norm(forearm, axis=1, keepdims=True) / STRAIGHT_FOREARM, 1)
    middle = body.joints[f"{side}_wrist"] + body.torso * reach * _unit(forearm)
    return _around(body, (middle, HAND_RADIUS))


def _hip(body: _Body) -> Points:
    """Return hip boxes (N, 4), from the waist line to the crotch."""
    thighs = (body.bone("left", "hip", "knee") + body.bone("right", "hip", "knee")) / 2
    middle = body.hips + body.torso * (HIP_THIGH_SHIFT * thighs - HIP_TORSO_SHIFT * body.up)
    foreshortened = np.linalg.norm(body.up, axis=1, keepdims=True)
    axis = np.where(foreshortened > 0, _unit(body.up), np.array((0, -1), np.float32))
    return _about_ellipse(middle, axis, HIP_ALONG * body.torso, HIP_ACROSS * body.torso)


def _leg(body: _Body, side: str) -> Points:
    thigh = body.bone(side, "hip", "knee")
    direction = thigh / np.maximum(np.linalg.norm(thigh, axis=1, keepdims=True), 1)  # at most one torso length
    start = body.joints[f"{side}_hip"] + LEG_START * body.torso * np.asarray(direction, np.float32)
    joints: tuple[Points, ...] = (start, body.joints[f"{side}_knee"], body.joints[f"{side}_ankle"])
    return _around(body, *zip(joints, LEG_RADII, strict=True))


def _foot(body: _Body, side: str) -> Points:
    """Return foot boxes (N, 4); toes point in the directions of the bent knee and of the nose."""
    ankle, shin = body.joints[f"{side}_ankle"], body.bone(side, "knee", "ankle")
    down = _unit(shin)
    down = np.where(np.abs(down).sum(axis=1, keepdims=True) > 0, down, np.array((0, 1), np.float32))
    across = _across(down)
    leg = body.bone(side, "hip", "knee") + shin  # from hip to ankle
    bend = _dot(body.bone(side, "hip", "knee"), _across(_unit(leg)))  # distance of the knee from that line
    turned = np.clip(bend / SIDE_KNEE, -1, 1) + np.clip(_dot(body.nose, across) / SIDE_NOSE, -1, 1)
    forward = np.clip(turned, -1, 1) * across  # (N, 2), shorter than 1 where the foot points at the camera
    sole = ankle + body.torso * SOLE * down
    heel = sole - body.torso * HEEL_BACK * forward
    towards = 1 - np.linalg.norm(forward, axis=1, keepdims=True)
    toes = sole + body.torso * (TOE_FORWARD * forward + TOE_TOWARDS * towards * down)
    return _around(body, (ankle, FOOT_RADIUS), (heel, FOOT_RADIUS), (toes, FOOT_RADIUS))
