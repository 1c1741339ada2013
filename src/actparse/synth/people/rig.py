"""Retargeting: the joints of a solved pose become a rigid motion of every bone of a shaped body."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from actparse.synth.drawing.mesh import Floats, cross
from actparse.synth.motion.figure import SIDE_SIGN, SIDES, Side, Vector
from actparse.synth.motion.reach import unit
from actparse.synth.people.body import Joints
from actparse.synth.people.shape import Shape, body_model

Turn = NDArray[np.float64]  # (3, 3)
SUFFIX: dict[Side, str] = {"left": ".L", "right": ".R"}
STRAIGHT = 1e-3  # sine of the angle below which a limb has no hinge
SHOULDER_SHARE = 0.3  # of the arm's rotation that the flesh of the shoulder follows
HAND_TWIST = 1.7  # radians; largest rotation of the hand about the forearm, from the middle position
FINGER_BENDS = (1.25, 1.5, 0.95)  # radians of the joints of a fist
THUMB_BENDS = (0.1, 0.6, 0.8)
THUMB_TARGET = (0.62, 0.3, 0.72)  # shares of the fingers' direction, of the thumb's side and out of the palm, in a fist
OPEN_GRIP = 0.12  # grip at which the fingers are as at rest
FLOOR_FOOT = 0.12  # downward share of the direction of a foot that is flat on the floor
SPINE = ("spine05", "spine04", "spine03", "spine02", "spine01")  # from the pelvis up
NECK_SHARES = (0.25, 0.55, 0.8)  # of the head's rotation, for the three bones of the neck


def about(axis: Vector, angle: float) -> Turn:
    """Return the rotation (3, 3) about a unit axis by an angle in radians."""
    x, y, z = axis.tolist()
    cos, sin = float(np.cos(angle)), float(np.sin(angle))
    rest = 1 - cos
    return np.array(
        [
            [cos + x * x * rest, x * y * rest - z * sin, x * z * rest + y * sin],
            [y * x * rest + z * sin, cos + y * y * rest, y * z * rest - x * sin],
            [z * x * rest - y * sin, z * y * rest + x * sin, cos + z * z * rest],
        ]
    )


def part_way(first: Turn, second: Turn, share: float) -> Turn:
    """Return the rotation at a share of the shortest path from the first to the second."""
    axis, angle = _axis_angle(first.T @ second)
    return first @ about(axis, share * angle)


def _axis_angle(turn: Turn) -> tuple[Vector, float]:
    skew = np.array([turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]]) / 2
    sin = float(np.sqrt(skew @ skew))
    cos = float(np.clip((turn[0, 0] + turn[1, 1] + turn[2, 2] - 1) / 2, -1, 1))
    if sin < 1e-7:
        if cos > 0:
            return np.array([1.0, 0.0, 0.0]), 0.0
        column = int(np.argmax(np.diag(turn)))
        return unit(turn[:, column] + np.eye(3)[column]), float(np.pi)
    return skew / sin, float(np.arctan2(sin, cos))


def swing(start: Vector, end: Vector) -> Turn:
    """Return the shortest rotation from one unit direction to another."""
    axis = cross(start, end)
    sin = float(np.sqrt(axis @ axis))
    if sin < 1e-9:
        return np.eye(3)
    return about(axis / sin, float(np.arctan2(sin, start @ end)))


def twist(first: Turn, second: Turn, axis: Vector) -> float:
    """Return the angle about a unit axis by which the second rotation is ahead of the first, -pi..pi."""
    turn_axis, angle = _axis_angle(second @ first.T)
    half = angle / 2
    value = 2 * float(np.arctan2(np.sin(half) * float(turn_axis @ axis), np.cos(half)))
    return (value + np.pi) % (2 * np.pi) - np.pi


def hinge_axis(upper: Vector, lower: Vector, straight: Vector) -> Vector:
    """Return the axis about which two bones of a limb bend, or `straight` if the limb does not bend."""
    axis = cross(upper, lower)
    return axis if float(axis @ axis) > STRAIGHT**2 * float(upper @ upper) * float(lower @ lower) else straight


def frame(along: Vector, side: Vector) -> Turn:
    """Return the axes, as columns, of a direction and of a second direction made perpendicular to it."""
    first = unit(along)
    second = unit(side - first * float(side @ first))
    return np.stack((first, second, cross(first, second)), axis=1)


def hand_axes(points: dict[str, Vector], side: Side) -> tuple[Vector, Vector, Vector]:
    """Return the directions of the fingers, of the thumb's side and out of the palm of a body at rest."""
    end = SUFFIX[side]
    along = unit(points["finger3-1" + end] - points["wrist" + end])
    across = points["finger2-1" + end] - points["finger5-1" + end]
    across = unit(across - along * float(across @ along))
    return along, across, cross(along, across) * SIDE_SIGN[side]


class Rig:
    """The bones of one body; `transforms` poses them."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self._index = {name: index for index, name in enumerate(body_model().bone_names)}
        self._rest = shape.points
        self._hand_axes = {side: hand_axes(shape.points, side) for side in SIDES}
        self._turns = np.zeros((len(self._index), 3, 3))
        self._shifts = np.zeros((len(self._index), 3))

    def transforms(self, joints: Joints) -> Floats:
        """Return the motion (B, 3, 4) of every bone from rest to the pose, in the frame of the person."""
        self._pose_trunk(joints)
        for side in SIDES:
            self._pose_arm(joints, side)
            self._pose_leg(joints, side)
        return np.concatenate((self._turns, self._shifts[:, :, None]), axis=2)

    def move_head(self, joints: Joints, points: Floats) -> Floats:
        """Move points (..., 3) at rest with the head."""
        self._pose_trunk(joints)
        return self.move("head", points)

    def move(self, bone: str, points: Floats) -> Floats:
        """Move points (..., 3) at rest with a bone, as in the last pose."""
        index = self._index[bone]
        moved: Floats = points @ self._turns[index].T + self._shifts[index]
        return moved

    def _set(self, bone: str, turn: Turn, rest: Vector, target: Vector) -> None:
        """Rotate a bone so that the point `rest` moves to `target`."""
        index = self._index[bone]
        self._turns[index] = turn
        self._shifts[index] = target - turn @ rest

    def _pose_trunk(self, joints: Joints) -> None:
        rest, k = self._rest, self.shape.sizes.scale
        hips = (rest["upperleg01.L"] + rest["upperleg01.R"]) / 2
        shoulders = (rest["upperarm01.L"] + rest["upperarm01.R"]) / 2
        pelvis_turn, waist_turn, chest_turn = joints.pelvis_turn, joints.waist_turn, joints.chest_turn
        self._set("root", pelvis_turn, hips, joints.pelvis - 0.02 * k * pelvis_turn[:, 1])
        for name, share in zip(SPINE, (0, 0.25, 0.5, 0.75, 1), strict=True):
            turn = part_way(pelvis_turn, waist_turn, 2 * share) if share < 0.5 else waist_turn
            if share > 0.5:
                turn = part_way(waist_turn, chest_turn, 2 * share - 1)
            height = float(rest[name][1] - hips[1])
            if name == "spine01":
                height = float(shoulders[1] - hips[1])
            axis_point = hips + (shoulders - hips) * height / float(shoulders[1] - hips[1])
            up = height - 0.02 * k
            if up < 0.13 * k:
                target = joints.pelvis + up * pelvis_turn[:, 1]
            elif up < 0.33 * k:
                target = joints.waist + (up - 0.13 * k) * waist_turn[:, 1]
            else:
                target = joints.chest + (up - 0.33 * k) * chest_turn[:, 1]
            self._set(name, turn, axis_point, target)
        parent = "spine01"
        for name, share in zip(("neck01", "neck02", "neck03", "head"), (*NECK_SHARES, 1.0), strict=True):
            turn = part_way(chest_turn, joints.head_turn, share)
            self._set(name, turn, rest[name], self.move(parent, rest[name]))
            parent = name

    def _pose_arm(self, joints: Joints, side: Side) -> None:
        rest, end, chest_turn = self._rest, SUFFIX[side], joints.chest_turn
        shoulder, elbow, wrist = (rest[name + end] for name in ("upperarm01", "lowerarm01", "wrist"))
        posed_shoulder, posed_elbow, posed_wrist = joints.shoulders[side], joints.elbows[side], joints.wrists[side]
        upper, lower = posed_elbow - posed_shoulder, posed_wrist - posed_elbow
        rest_hinge = cross(elbow - shoulder, wrist - elbow)
        direction = unit(upper)
        swung = swing(chest_turn @ unit(elbow - shoulder), direction) @ chest_turn
        hinge = hinge_axis(upper, lower, swung @ rest_hinge)
        upper_turn = frame(upper, hinge) @ frame(elbow - shoulder, rest_hinge).T
        lower_turn = frame(lower, hinge) @ frame(wrist - elbow, rest_hinge).T
        angle = twist(swung, upper_turn, direction)
        self._set("clavicle" + end, chest_turn, shoulder, posed_shoulder)
        self._set("shoulder01" + end, part_way(chest_turn, swung, SHOULDER_SHARE), shoulder, posed_shoulder)
        self._set("upperarm01" + end, about(direction, 0.4 * angle) @ swung, shoulder, posed_shoulder)
        self._set("upperarm02" + end, about(direction, 0.9 * angle) @ swung, shoulder, posed_shoulder)
        hand_turn, hand_twist = self._hand_turn(joints, side, lower_turn)
        axis = unit(lower)
        self._set("lowerarm01" + end, about(axis, 0.25 * hand_twist) @ lower_turn, elbow, posed_elbow)
        self._set("lowerarm02" + end, about(axis, 0.7 * hand_twist) @ lower_turn, elbow, posed_elbow)
        self._set("wrist" + end, hand_turn, wrist, posed_wrist)
        self._pose_fingers(side, hand_turn, joints.grips[side])

    def _hand_turn(self, joints: Joints, side: Side, lower_turn: Turn) -> tuple[Turn, float]:
        """Return the rotation of a hand and its twist against the forearm: a fist turns to the bar that it holds."""
        along, across, _ = self._hand_axes[side]
        direction = joints.hands[side]
        bent = swing(lower_turn @ along, direction) @ lower_turn  # no twist
        thumb = bent @ across
        chest_x, chest_z = joints.chest_turn[:, 0], joints.chest_turn[:, 2]
        bar = chest_x if abs(float(chest_x @ direction)) < 0.7 else cross(chest_z, direction)
        bar = unit(bar - direction * float(bar @ direction))
        angles = []
        for sign in (1.0, -1.0):
            sine = float(cross(thumb, sign * bar) @ direction)
            angles.append(float(np.arctan2(sine, sign * float(thumb @ bar))))
        angle = min(angles, key=abs)
        firmness = float(np.clip((joints.grips[side] - 0.35) / 0.3, 0, 1))
        angle = float(np.clip(angle * firmness, -HAND_TWIST, HAND_TWIST))
        return about(direction, angle) @ bent, angle

    def _pose_fingers(self, side: Side, hand_turn: Turn, grip: float) -> None:
        rest, end = self._rest, SUFFIX[side]
        along, across, palm = self._hand_axes[side]
        closing = min(max(grip, 0.0), 1.0) - OPEN_GRIP
        for finger in (1, 2, 3, 4, 5):
            direction = unit(rest[f"finger{finger}-3{end}"] - rest[f"finger{finger}-1{end}"])
            if finger == 1:  # the thumb moves in front of the palm and bends across the fingers
                in_front = unit(THUMB_TARGET[0] * along + THUMB_TARGET[1] * across + THUMB_TARGET[2] * palm)
                first, axis, bends = swing(direction, in_front), unit(cross(in_front, -across)), THUMB_BENDS
            else:  # fingers close side by side
                first = swing(unit(direction - palm * float(direction @ palm)), along)
                axis, bends = cross(along, palm), FINGER_BENDS
            gathered = part_way(np.eye(3), first, max(closing, 0.0))
            parent = "wrist" + end
            for bone, angle in enumerate(closing * np.cumsum(bends), start=1):
                name = f"finger{finger}-{bone}{end}"
                turn = hand_turn @ about(axis, float(angle)) @ gathered
                self._set(name, turn, rest[name], self.move(parent, rest[name]))
                parent = name

    def _pose_leg(self, joints: Joints, side: Side) -> None:
        rest, end, pelvis_turn = self._rest, SUFFIX[side], joints.pelvis_turn
        hip, knee, ankle = (rest[name + end] for name in ("upperleg01", "lowerleg01", "foot"))
        toes = rest["toe3-1" + end]
        posed_hip, posed_knee, posed_ankle = joints.hips[side], joints.knees[side], joints.ankles[side]
        upper, lower = posed_knee - posed_hip, posed_ankle - posed_knee
        heading = toes - ankle
        heading = unit(np.array([heading[0], 0.0, heading[2]]))
        rest_hinge = cross(heading, ankle - hip)
        direction = unit(upper)
        swung = swing(pelvis_turn @ unit(knee - hip), direction) @ pelvis_turn
        hinge = hinge_axis(upper, lower, swung @ rest_hinge)
        upper_turn = frame(upper, hinge) @ frame(knee - hip, rest_hinge).T
        lower_turn = frame(lower, hinge) @ frame(ankle - knee, rest_hinge).T
        angle = twist(swung, upper_turn, direction)
        self._set("upperleg01" + end, about(direction, 0.5 * angle) @ swung, hip, posed_hip)
        self._set("upperleg02" + end, about(direction, 0.95 * angle) @ swung, hip, posed_hip)
        foot_turn = self._foot_turn(joints, side, heading)
        axis = unit(lower)
        foot_twist = float(np.clip(twist(lower_turn, foot_turn, axis), -1.0, 1.0))
        self._set("lowerleg01" + end, about(axis, 0.15 * foot_twist) @ lower_turn, knee, posed_knee)
        self._set("lowerleg02" + end, about(axis, 0.6 * foot_twist) @ lower_turn, knee, posed_knee)
        self._set("foot" + end, foot_turn, ankle, posed_ankle)
        self._pose_toes(joints, side, foot_turn, heading)

    def _foot_turn(self, joints: Joints, side: Side, heading: Vector) -> Turn:
        """Return the rotation of a foot; near the floor its sole does not roll."""
        rest_direction = heading - np.array([0.0, FLOOR_FOOT, 0.0])
        shin_up = unit(joints.knees[side] - joints.ankles[side])
        height = float(joints.ankles[side][1]) / self.shape.sizes.scale
        flat = float(np.clip((0.35 - height) / 0.15, 0, 1))
        up = (1 - flat) * shin_up + flat * np.array([0.0, 1.0, 0.0])
        return frame(joints.feet[side], up) @ frame(rest_direction, np.array([0.0, 1.0, 0.0])).T

    def _pose_toes(self, joints: Joints, side: Side, foot_turn: Turn, heading: Vector) -> None:
        """Bend the toes of a raised heel so that they stay on the floor."""
        end, rest = SUFFIX[side], self._rest
        ball = (rest["toe1-1" + end] + rest["toe3-1" + end] + rest["toe5-1" + end]) / 3
        posed_ball = self.move("foot" + end, ball)
        near = float(np.clip(1.5 - float(posed_ball[1]) / (0.06 * self.shape.sizes.scale), 0, 1))
        pitch = float(-(foot_turn @ heading)[1])  # downwards positive
        angle = near * float(np.clip(np.arcsin(np.clip(pitch, -1, 1)), 0, 1.1))
        side_axis = unit(cross(heading, np.array([0.0, 1.0, 0.0])))
        self._set("toes" + end, foot_turn @ about(side_axis, angle), ball, posed_ball)
