"""Limits of the joints of a shaped body: a pose that goes beyond them is bent back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from actparse.synth.motion.figure import SIDES, BodySizes, Side, Vector
from actparse.synth.motion.reach import elbow_place, unit, within_reach
from actparse.synth.people.body import Joints

MAX_ELBOW, MAX_KNEE = np.deg2rad(150.0), np.deg2rad(155.0)  # of flexion
MAX_WRIST = np.deg2rad(85.0)  # between the forearm and the hand
FOOT_RANGE = np.deg2rad(25.0), np.deg2rad(122.0)  # between the shin and the foot; 90 degrees in standing
# heights between which the share of hanging rises from 0 to 1, metres at scale 1
HANGING_ANKLES, HANGING_WRISTS = (0.15, 0.3), (0.0, 0.08)  # above the floor, above the shoulders
ASKEW = np.array([0.3, 0.5, 0.8])  # chooses a side for a direction that is parallel to its bone


def within_limits(joints: Joints, sizes: BodySizes) -> Joints:
    """Return the pose with elbows, knees, wrists and ankles within the ranges of a healthy adult.

    A limb that is folded too far ends farther from its root; a body that hangs from its hands sinks instead.
    The lengths of the limbs stay, and small changes of the pose remain small.
    """
    wrists = _arm_ends(joints, sizes)
    shift = sum((joints.wrists[side] - wrists[side] for side in SIDES), np.zeros(3)) / 2
    if shift.any():
        joints = _moved(joints, _hanging_share(joints, wrists, sizes.scale) * shift)
        wrists = _arm_ends(joints, sizes)
    ankles = {
        side: _unfolded(joints.hips[side], joints.ankles[side], sizes.thigh, sizes.shin, MAX_KNEE) for side in SIDES
    }
    elbows = _middles(joints.shoulders, joints.elbows, wrists, sizes.upper_arm, sizes.forearm)
    knees = _middles(joints.hips, joints.knees, ankles, sizes.thigh, sizes.shin)
    hands = {side: _turned(joints.hands[side], wrists[side] - elbows[side], 0.0, MAX_WRIST) for side in SIDES}
    feet = {side: _turned(joints.feet[side], ankles[side] - knees[side], *FOOT_RANGE) for side in SIDES}
    return replace(joints, elbows=elbows, wrists=wrists, hands=hands, knees=knees, ankles=ankles, feet=feet)


def _arm_ends(joints: Joints, sizes: BodySizes) -> dict[Side, Vector]:
    """Return the wrists where neither elbow is folded too far and both arms are long enough."""
    upper, lower = sizes.upper_arm, sizes.forearm
    ends = {}
    for side in SIDES:
        shoulder = joints.shoulders[side]
        ends[side] = within_reach(
            shoulder, _unfolded(shoulder, joints.wrists[side], upper, lower, MAX_ELBOW), upper + lower
        )
    return ends


def _unfolded(root: Vector, end: Vector, upper: float, lower: float, max_flexion: float) -> Vector:
    """Return the end of a limb of two bones, away from its root as far as the flexion of the joint between requires."""
    least = np.sqrt(upper**2 + lower**2 + 2 * upper * lower * np.cos(max_flexion))
    offset = end - root
    distance = float(np.sqrt(offset @ offset))
    return end if distance >= least else root + unit(offset) * least


def _hanging_share(joints: Joints, wrists: dict[Side, Vector], scale: float) -> float:
    """Return how far a body hangs from its hands: from 0, a foot near the floor or a hand under its shoulder, to 1."""
    ankles = min(joints.ankles[side][1] for side in SIDES) / scale
    hands = min(wrists[side][1] - joints.shoulders[side][1] for side in SIDES) / scale
    return float(np.interp(ankles, HANGING_ANKLES, (0, 1)) * np.interp(hands, HANGING_WRISTS, (0, 1)))


def _moved(joints: Joints, shift: Vector) -> Joints:
    """Move the whole body but its hands."""
    single = ("pelvis", "chest", "waist", "neck", "head")
    pairs = ("shoulders", "elbows", "hips", "knees", "ankles")
    moved = {name: getattr(joints, name) + shift for name in single}
    moved |= {name: {side: point + shift for side, point in getattr(joints, name).items()} for name in pairs}
    return replace(joints, **moved)


def _middles(
    roots: dict[Side, Vector], middles: dict[Side, Vector], ends: dict[Side, Vector], upper: float, lower: float
) -> dict[Side, Vector]:
    """Return elbows or knees between roots and ends of limbs, on the side where they were."""
    return {side: elbow_place(roots[side], ends[side], middles[side] - roots[side], upper, lower) for side in SIDES}


def _turned(direction: Vector, axis: Vector, least: float, most: float) -> Vector:
    """Return a unit direction at the nearest angle to an axis that is within the range, radians."""
    axis = unit(axis)
    along = float(np.clip(direction @ axis, -1, 1))
    angle = float(np.arccos(along))
    allowed = min(max(angle, least), most)
    if allowed == angle:
        return direction
    across = direction - along * axis
    if across @ across < 1e-12:  # parallel to the axis, so that any side is equally near
        across = ASKEW - (ASKEW @ axis) * axis
    return float(np.cos(allowed)) * axis + float(np.sin(allowed)) * unit(across)
