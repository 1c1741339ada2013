"""Conversion of a key to a pose in metres for one body: stretched to its sizes, turned, and within its reach."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from actparse.synth.motion.figure import SIDE_SIGN, SIDES, BodySizes, Pose, Vector
from actparse.synth.motion.keys import ANKLE, STAND, Key

MAX_REACH = 0.9995  # of a limb's length: a joint at 176 degrees
MIN_REACH = 0.12  # of a limb's length; closer targets would fold the joint too far


def rotation(pitch: float, yaw: float, roll: float) -> NDArray[np.float64]:
    """Return the matrix (3, 3) of a roll, then a pitch, then a yaw; radians."""
    cp, sp, cy, sy, cr, sr = np.cos(pitch), np.sin(pitch), np.cos(yaw), np.sin(yaw), np.cos(roll), np.sin(roll)
    return np.array(
        [
            [cy * cr + sy * sp * sr, -cy * sr + sy * sp * cr, sy * cp],
            [cp * sr, cp * cr, -sp],
            [-sy * cr + cy * sp * sr, sy * sr + cy * sp * cr, cy * cp],
        ]
    )


def unit(vector: Vector) -> Vector:
    """Scale a vector to length 1; a zero vector stays zero."""
    length = float(np.sqrt(vector @ vector))
    return vector / length if length > 1e-9 else vector


def key_to_pose(key: Key, sizes: BodySizes) -> tuple[Pose, Vector]:
    """Stretch a key to a body and move its targets within reach.

    Returns:
        The pose, and the position of the free prop; metres, in the frame of the person.
    """
    turn = rotation(0.0, float(key.read("heading")[0]), 0.0)
    stretch = np.array([sizes.scale, sizes.standing_pelvis_height / STAND, sizes.scale])
    travel = key.read("travel") * sizes.scale

    def to_body(name: str) -> Vector:
        point: Vector = turn @ (key.read(name) * stretch) + travel
        return point

    pitch, yaw, roll = (float(x) for x in key.read("pelvis_rotation"))
    pose = Pose(
        pelvis=to_body("pelvis"),
        pelvis_rotation=(pitch, yaw + float(key.read("heading")[0]), roll),
        spine_rotation=_triple(key.read("spine_rotation")),
        head_rotation=_triple(key.read("head_rotation")),
        knee_poles={side: turn @ key.read(f"{side}_knee_pole") for side in SIDES},
        elbow_poles={side: key.read(f"{side}_elbow_pole").copy() for side in SIDES},
        foot_directions={side: unit(turn @ key.read(f"{side}_foot_direction")) for side in SIDES},
        hand_grip={side: float(key.read(f"{side}_grip")[0]) for side in SIDES},
    )
    flat_stretch = np.array([sizes.scale, sizes.scale, sizes.scale])
    pelvis_turn, chest_turn, chest = trunk(pose, sizes)
    for side in SIDES:
        ankle = key.read(f"{side}_foot")
        lift = float(np.clip((ankle[1] - ANKLE) / 0.1, 0, 1))  # a foot on the floor stays at the same height
        foot = turn @ (ankle * (flat_stretch + lift * (stretch - flat_stretch))) + travel
        hip = pose.pelvis + pelvis_turn @ np.array([SIDE_SIGN[side] * sizes.hip_half_width, -0.02 * sizes.scale, 0.0])
        pose.feet[side] = within_reach(hip, foot, sizes.thigh + sizes.shin)
        shoulder = chest + chest_turn @ np.array([SIDE_SIGN[side] * sizes.shoulder_half_width, 0.12 * sizes.scale, 0.0])
        wrist = within_reach(shoulder, to_body(f"{side}_hand"), sizes.upper_arm + sizes.forearm)
        pose.hands[side] = wrist
        pose.hand_directions[side] = _hand_direction(
            turn @ key.read(f"{side}_hand_direction"), shoulder, wrist, chest_turn @ pose.elbow_poles[side], sizes
        )
    return pose, to_body("prop")


def trunk(pose: Pose, sizes: BodySizes) -> tuple[NDArray[np.float64], NDArray[np.float64], Vector]:
    """Return the rotations of the pelvis and of the chest, (3, 3) each, and the joint of the chest, metres."""
    pelvis_turn = rotation(*pose.pelvis_rotation)
    pitch, yaw, roll = pose.spine_rotation
    half_turn = pelvis_turn @ rotation(pitch / 2, yaw / 2, roll / 2)
    chest_turn = pelvis_turn @ rotation(pitch, yaw, roll)
    waist = pose.pelvis + pelvis_turn[:, 1] * 0.13 * sizes.scale
    return pelvis_turn, chest_turn, waist + half_turn[:, 1] * 0.2 * sizes.scale


def within_reach(root: Vector, target: Vector, length: float) -> Vector:
    """Return the target, or the nearest point to it that a limb of this length from `root` can reach."""
    offset = target - root
    distance = float(np.sqrt(offset @ offset))
    reach = min(max(distance, MIN_REACH * length), MAX_REACH * length)
    return target if distance == reach else root + offset * (reach / max(distance, 1e-9))


def elbow_place(shoulder: Vector, wrist: Vector, pole: Vector, upper: float, fore: float) -> Vector:
    """Return the middle joint of a limb of two bones, on the side of the pole."""
    offset = wrist - shoulder
    length = max(float(np.sqrt(offset @ offset)), 1e-6)
    along = (upper * upper - fore * fore + length * length) / (2 * length)
    height = float(np.sqrt(max(upper * upper - along * along, 0.0)))
    axis = offset / length
    return shoulder + axis * along + unit(pole - axis * float(axis @ pole)) * height


def _hand_direction(direction: Vector, shoulder: Vector, wrist: Vector, pole: Vector, sizes: BodySizes) -> Vector:
    """Return the direction of a hand; the shorter `direction` is (0 to 1), the more it follows the forearm."""
    elbow = elbow_place(shoulder, wrist, pole, sizes.upper_arm, sizes.forearm)
    strength = min(float(np.sqrt(direction @ direction)), 1.0)
    return unit(unit(wrist - elbow) * (1 - strength) + direction)


def _triple(values: NDArray[np.float64]) -> tuple[float, float, float]:
    return float(values[0]), float(values[1]), float(values[2])
