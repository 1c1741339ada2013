"""Limits of the joints of a shaped body: a pose that goes beyond them is bent back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from actparse.synth.motion.figure import SIDES, BodySizes, Side, Vector
from actparse.synth.motion.reach import elbow_place, unit
from actparse.synth.people.body import Joints

MAX_ELBOW, MAX_KNEE = np.deg2rad(150.0), np.deg2rad(155.0)  # of flexion
MAX_WRIST = np.deg2rad(85.0)  # between the forearm and the hand
FOOT_RANGE = np.deg2rad(25.0), np.deg2rad(122.0)  # between the shin and the foot; 90 degrees in standing
HANGING = 0.15  # metres from the floor to the ankles of a body that hangs from its hands, at scale 1


def within_limits(joints: Joints, sizes: BodySizes) -> Joints:
    """Return the pose with elbows, knees, wrists and ankles within the ranges of a healthy adult.

    A limb that is folded too far ends farther from its root; a body that hangs from its hands sinks instead.
    """
    wrists = {
        side: _unfolded(joints.shoulders[side], joints.wrists[side], sizes.upper_arm, sizes.forearm, MAX_ELBOW)
        for side in SIDES
    }
    if min(joints.ankles[side][1] for side in SIDES) > HANGING * sizes.scale:
        joints = _sunk(joints, sum((joints.wrists[side] - wrists[side] for side in SIDES), np.zeros(3)) / 2)
        wrists = {
            side: _unfolded(joints.shoulders[side], joints.wrists[side], sizes.upper_arm, sizes.forearm, MAX_ELBOW)
            for side in SIDES
        }
    ankles = {
        side: _unfolded(joints.hips[side], joints.ankles[side], sizes.thigh, sizes.shin, MAX_KNEE) for side in SIDES
    }
    elbows = _middles(joints.shoulders, joints.elbows, wrists, joints.wrists, sizes.upper_arm, sizes.forearm)
    knees = _middles(joints.hips, joints.knees, ankles, joints.ankles, sizes.thigh, sizes.shin)
    hands = {side: _turned(joints.hands[side], wrists[side] - elbows[side], 0.0, MAX_WRIST) for side in SIDES}
    feet = {side: _turned(joints.feet[side], ankles[side] - knees[side], *FOOT_RANGE) for side in SIDES}
    return replace(joints, elbows=elbows, wrists=wrists, hands=hands, knees=knees, ankles=ankles, feet=feet)


def _unfolded(root: Vector, end: Vector, upper: float, lower: float, max_flexion: float) -> Vector:
    """Return the end of a limb of two bones, away from its root as far as the flexion of the joint between requires."""
    least = np.sqrt(upper**2 + lower**2 + 2 * upper * lower * np.cos(max_flexion))
    offset = end - root
    distance = float(np.sqrt(offset @ offset))
    return end if distance >= least else root + unit(offset) * least


def _sunk(joints: Joints, shift: Vector) -> Joints:
    """Move the whole body but its hands."""
    if not shift.any():
        return joints
    single = ("pelvis", "chest", "waist", "neck", "head")
    pairs = ("shoulders", "elbows", "hips", "knees", "ankles")
    moved = {name: getattr(joints, name) + shift for name in single}
    moved |= {name: {side: point + shift for side, point in getattr(joints, name).items()} for name in pairs}
    return replace(joints, **moved)


def _middles(
    roots: dict[Side, Vector],
    middles: dict[Side, Vector],
    ends: dict[Side, Vector],
    old_ends: dict[Side, Vector],
    upper: float,
    lower: float,
) -> dict[Side, Vector]:
    """Return elbows or knees for new ends of the limbs, on the side where they were."""
    return {
        side: middles[side]
        if ends[side] is old_ends[side]
        else elbow_place(roots[side], ends[side], middles[side] - roots[side], upper, lower)
        for side in SIDES
    }


def _turned(direction: Vector, axis: Vector, least: float, most: float) -> Vector:
    """Return a unit direction at the nearest angle to an axis that is within the range, radians."""
    axis = unit(axis)
    along = float(np.clip(direction @ axis, -1, 1))
    angle = float(np.arccos(along))
    allowed = min(max(angle, least), most)
    across = direction - along * axis
    if allowed == angle or not across.any():
        return direction
    return float(np.cos(allowed)) * axis + float(np.sin(allowed)) * unit(across)
