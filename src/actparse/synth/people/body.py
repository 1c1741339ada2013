"""The bodies of synthetic people: sizes drawn from a seed, joints from a pose, and the surface over them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from actparse.core.vocabulary import PARTS
from actparse.synth.drawing.mesh import Floats, Mesh, circle, cross, normalised, ring_quads
from actparse.synth.motion.figure import SIDE_SIGN, SIDES, BodySizes, HeldTube, Pose, Side, Tube, Vector
from actparse.synth.motion.reach import elbow_place, rotation, trunk, unit
from actparse.synth.people.look import Look

PART_IDS = {name: index for index, name in enumerate(PARTS, start=1)}
TRUNK_ID = 11  # pixels of the person that belong to none of the ten parts
IDS_PER_PERSON = 16  # id = person * 16 + part; the first person is 1


def draw_sizes(rng: np.random.Generator) -> BodySizes:
    """Draw the lengths of a body 1.55 to 1.95 m tall; limbs and width vary independently."""
    scale = float(np.clip(rng.normal(1.0, 0.06), 0.88, 1.12))
    limb = rng.uniform(0.95, 1.05, 4) * scale
    width = rng.uniform(0.88, 1.1)
    return BodySizes(
        scale=scale,
        thigh=0.43 * limb[0],
        shin=0.42 * limb[1],
        upper_arm=0.29 * limb[2],
        forearm=0.26 * limb[3],
        shoulder_half_width=0.18 * scale * width,
        hip_half_width=0.095 * scale,
    )


def draw_baby_sizes(rng: np.random.Generator) -> BodySizes:
    """Draw the lengths of a body of 8 to 14 months, 0.68 to 0.8 m long: large head, short limbs."""
    scale = float(np.clip(rng.normal(0.48, 0.02), 0.44, 0.52))
    limb = rng.uniform(0.96, 1.04, 4) * scale
    return BodySizes(
        scale=scale,
        thigh=0.31 * limb[0],
        shin=0.28 * limb[1],
        upper_arm=0.255 * limb[2],
        forearm=0.225 * limb[3],
        shoulder_half_width=0.175 * scale,
        hip_half_width=0.1 * scale,
        head=float(rng.uniform(1.4, 1.55)),
    )


@dataclass(frozen=True)
class Joints:
    """A solved pose in the frame of the person, metres."""

    pelvis: Vector
    pelvis_turn: Floats  # (3, 3)
    chest: Vector
    chest_turn: Floats
    waist: Vector
    waist_turn: Floats
    neck: Vector
    head: Vector
    head_turn: Floats
    shoulders: dict[Side, Vector]
    elbows: dict[Side, Vector]
    wrists: dict[Side, Vector]
    hands: dict[Side, Vector]  # directions of the fingers
    hips: dict[Side, Vector]
    knees: dict[Side, Vector]
    ankles: dict[Side, Vector]
    feet: dict[Side, Vector]  # directions of the toes
    grips: dict[Side, float]
    head_size: float = 1.0  # factor on the size of the head

    def keypoints(self, scale: float) -> Floats:
        """Return the 17 COCO keypoints (17, 3), metres."""

        def face(x: float, y: float, z: float) -> Vector:
            point: Vector = self.head + self.head_turn @ np.array([x, y, z]) * (scale * self.head_size)
            return point

        pairs = (self.shoulders, self.elbows, self.wrists, self.hips, self.knees, self.ankles)
        points = [face(0, -0.015, 0.115)]
        for x, y, z in ((0.036, 0.02, 0.095), (0.088, 0.0, 0.0)):  # eyes, ears
            points += [face(x, y, z), face(-x, y, z)]
        points += [pair[side] for pair in pairs for side in SIDES]
        return np.stack(points)


def solve(pose: Pose, sizes: BodySizes) -> Joints:
    """Compute every joint of a pose: forward along the trunk, two-bone inverse kinematics along arms and legs."""
    k = sizes.scale
    pelvis_turn, chest_turn, chest = trunk(pose, sizes)
    pitch, yaw, roll = pose.spine_rotation
    waist_turn = pelvis_turn @ rotation(pitch / 2, yaw / 2, roll / 2)
    head_turn = chest_turn @ rotation(*pose.head_rotation)
    neck = chest + chest_turn[:, 1] * 0.17 * k
    shoulders, elbows, hips, knees = {}, {}, {}, {}
    hands, feet = {}, {}
    for side in SIDES:
        sign = SIDE_SIGN[side]
        shoulders[side] = chest + chest_turn @ np.array([sign * sizes.shoulder_half_width, 0.12 * k, 0.0])
        arm_pole = chest_turn @ pose.elbow_poles.get(side, np.array([sign * 0.5, -0.7, -0.5]))
        elbows[side] = elbow_place(shoulders[side], pose.hands[side], arm_pole, sizes.upper_arm, sizes.forearm)
        hips[side] = pose.pelvis + pelvis_turn @ np.array([sign * sizes.hip_half_width, -0.02 * k, 0.0])
        leg_pole = pose.knee_poles.get(side, pelvis_turn @ np.array([sign * 0.15, 0.0, 1.0]))
        knees[side] = elbow_place(hips[side], pose.feet[side], leg_pole, sizes.thigh, sizes.shin)
        hands[side] = unit(pose.hand_directions.get(side, pose.hands[side] - elbows[side]))
        feet[side] = unit(pose.foot_directions.get(side, np.array([sign * 0.25, -0.12, 1.0])))
    return Joints(
        pelvis=pose.pelvis,
        pelvis_turn=pelvis_turn,
        chest=chest,
        chest_turn=chest_turn,
        waist=pose.pelvis + pelvis_turn[:, 1] * 0.13 * k,
        waist_turn=waist_turn,
        neck=neck,
        head=neck + head_turn @ np.array([0.0, 0.04 + 0.125 * sizes.head, 0.025]) * k,
        head_turn=head_turn,
        shoulders=shoulders,
        elbows=elbows,
        wrists=dict(pose.hands),
        hands=hands,
        hips=hips,
        knees=knees,
        ankles=dict(pose.feet),
        feet=feet,
        grips={side: pose.hand_grip.get(side, 0.3) for side in SIDES},
        head_size=sizes.head,
    )


def held_to_tube(held: HeldTube, joints: Joints, scale: float) -> Tube:
    """Transform a prop from the frame of its grip to the frame of the person."""
    palms = {side: joints.wrists[side] + joints.hands[side] * 0.07 * scale for side in SIDES}
    if held.grip == "both":
        origin = (palms["left"] + palms["right"]) / 2
        x = unit(palms["left"] - palms["right"])
    else:
        origin = palms[held.grip]
        x = unit(cross(joints.chest_turn[:, 2], joints.hands[held.grip]))
    up = joints.chest_turn[:, 1]
    y = unit(up - x * float(x @ up))
    frame = np.stack((x, y, cross(x, y)), axis=1)  # (3, 3), the columns are the axes of the grip
    return Tube(origin + held.path @ frame.T, held.radii, held.color, held.sides, object_key=held.object_key)


Frame = tuple[Vector, Vector, Vector, Vector]  # origin, axis from step 0 to 1, and the two directions across it


class Skin:
    """The surface of one body: lofts of elliptical rings that follow the joints."""

    def __init__(self, sizes: BodySizes, look: Look) -> None:
        self.sizes, self.look = sizes, look
        lofts = look.lofts()
        rings = [(index, ring) for index, loft in enumerate(lofts) for ring in range(len(loft.steps))]
        self._names = [loft.frame or loft.name for loft in lofts]
        self._loft_of_ring = np.array([index for index, _ in rings])
        self._steps = np.concatenate([loft.steps for loft in lofts])
        self._across = np.concatenate([loft.across for loft in lofts]) * sizes.scale
        self._deep = np.concatenate([loft.deep for loft in lofts]) * sizes.scale
        if sizes.head != 1:
            is_head = np.array([loft.part == "head" and loft.name != "neck" for loft in lofts])[self._loft_of_ring]
            self._across, self._deep = (np.where(is_head, x * sizes.head, x) for x in (self._across, self._deep))
        sides = [loft.sides for loft in lofts]
        self._ring_of_vertex = np.repeat(np.arange(len(rings)), [sides[index] for index, _ in rings])
        self._cos, self._sin = (np.concatenate([circle(sides[index])[axis] for index, _ in rings]) for axis in (0, 1))
        firsts = np.cumsum([0, *(len(loft.steps) * loft.sides for loft in lofts)])
        self.quads = np.concatenate(
            [
                ring_quads(len(loft.steps), loft.sides, int(first))
                for loft, first in zip(lofts, firsts[:-1], strict=True)
            ]
        )
        self._loft_of_quad = np.repeat(np.arange(len(lofts)), [(len(loft.steps) - 1) * loft.sides for loft in lofts])
        self._wound = False
        self.colors = np.concatenate([loft.quad_colors() for loft in lofts])
        self.parts = np.concatenate([loft.quad_parts() for loft in lofts])
        self._texels = np.concatenate([loft.quad_texels() for loft in lofts]) if look.textures else None
        torso = np.array([name == "torso" for name in self._names])
        self._torso_rings = np.flatnonzero(torso[self._loft_of_ring])

    def mesh(self, joints: Joints, person: int) -> Mesh:
        """Return the surface at a solved pose; `person` is the index of the person, from 1."""
        frames = self._frames(joints)
        origin, axis, u, v = (np.stack([frames[name][i] for name in self._names]) for i in range(4))  # (L, 3) each
        if not self._wound:
            self._wind(axis, u, v)
        loft = self._loft_of_ring
        centers = origin[loft] + self._steps[:, None] * axis[loft]  # (R, 3)
        u, v = u[loft], v[loft]
        self._bend_torso(joints, centers, u, v)
        u, v = u * self._across[:, None], v * self._deep[:, None]
        ring = self._ring_of_vertex
        vertices = centers[ring] + self._cos[:, None] * u[ring] + self._sin[:, None] * v[ring]
        ids = (person * IDS_PER_PERSON + self.parts).astype(np.uint8)
        return Mesh(vertices, self.quads, self.colors, ids, self._texels)

    @property
    def textures(self) -> Sequence[NDArray[np.uint8]]:
        """Return the textures of this body; empty for plain colours."""
        return self.look.textures

    def keypoints(self, joints: Joints) -> Floats:
        """Return the 17 COCO keypoints (17, 3) at a solved pose, in the frame of the person."""
        return joints.keypoints(self.sizes.scale)

    def shift_layers(self, first: int) -> None:
        """Add `first` to the texture indices of this body, its position among the textures of the scene."""
        if self._texels is not None:
            self._texels[:, 0] += first

    def _wind(self, axis: Floats, u: Floats, v: Floats) -> None:
        """Reverse the quads of left-handed lofts, once, so that all quads face outwards."""
        left_handed = (cross(u, v) * axis).sum(axis=1) < 0  # (L,)
        reversed_quads = left_handed[self._loft_of_quad]
        self.quads[reversed_quads] = self.quads[reversed_quads][:, ::-1]
        if self._texels is not None:  # a reversed quad begins at its opposite end
            self._texels[reversed_quads, 2] += self._texels[reversed_quads, 4]
            self._texels[reversed_quads, 4] *= -1
        self._wound = True

    def _bend_torso(self, joints: Joints, centers: Floats, u: Floats, v: Floats) -> None:
        rings, k = self._torso_rings, self.sizes.scale
        height = self._steps[rings][:, None] * k  # (R, 1)
        low = joints.pelvis + height * joints.pelvis_turn[:, 1]
        middle = joints.waist + (height - 0.13 * k) * joints.waist_turn[:, 1]
        high = joints.chest + (height - 0.33 * k) * joints.chest_turn[:, 1]
        centers[rings] = np.where(height < 0.13 * k, low, np.where(height < 0.33 * k, middle, high))
        share = np.clip(height / (0.4 * k), 0, 1)
        u[rings] = normalised((1 - share) * joints.pelvis_turn[:, 0] + share * joints.chest_turn[:, 0])
        v[rings] = normalised((1 - share) * joints.pelvis_turn[:, 2] + share * joints.chest_turn[:, 2])

    def _frames(self, joints: Joints) -> dict[str, Frame]:
        frames = self._head_frames(joints)
        turn = joints.pelvis_turn
        frames["torso"] = (joints.pelvis, turn[:, 1], turn[:, 0], turn[:, 2])  # `_bend_torso` places its rings
        frames["skirt"] = _skirt_frame(joints, self.sizes.scale)
        for side in SIDES:
            frames |= self._limb_frames(joints, side)
        return frames

    def _limb_frames(self, joints: Joints, side: Side) -> dict[str, Frame]:
        forward, pelvis_forward = joints.chest_turn[:, 2], joints.pelvis_turn[:, 2]
        knee, ankle, toes = joints.knees[side], joints.ankles[side], joints.feet[side]
        k = self.sizes.scale
        shin_up = unit(knee - ankle)
        below = -unit(shin_up - toes * float(shin_up @ toes))  # from the ankle to the sole
        foot = _tube_frame(ankle, ankle + toes * 0.2 * k, shin_up)
        return {
            f"{side}_upper_arm": _tube_frame(joints.shoulders[side], joints.elbows[side], forward),
            f"{side}_forearm": _tube_frame(joints.elbows[side], joints.wrists[side], forward),
            f"{side}_thigh": _tube_frame(joints.hips[side], knee, pelvis_forward),
            f"{side}_shin": _tube_frame(knee, ankle, pelvis_forward),
            f"{side}_foot": (foot[0] + below * 0.035 * k, *foot[1:]),
            f"{side}_sole": (foot[0] + below * 0.066 * k, *foot[1:]),
            **self._hand_frames(joints, side),
        }

    def _hand_frames(self, joints: Joints, side: Side) -> dict[str, Frame]:
        """Return the frames of the palm, of four fingers of two bones that curl with the grip, and of the thumb."""
        k, sign = self.sizes.scale, SIDE_SIGN[side]
        wrist, along, grip = joints.wrists[side], joints.hands[side], joints.grips[side]
        inward = unit(joints.chest_turn[:, 0] * -sign - along * float(along @ joints.chest_turn[:, 0]) * -sign)
        across = cross(along, inward)  # from the little finger to the thumb, or back
        thumb_side = across * (1.0 if float(across @ joints.chest_turn[:, 2]) >= 0 else -1.0)
        frames = {f"{side}_palm": (wrist, along * 0.095 * k, across, inward)}
        bend = 0.25 + 1.3 * grip  # radians at each of the two joints
        first = along * np.cos(bend) + inward * np.sin(bend)
        second = along * np.cos(2 * bend) + inward * np.sin(2 * bend)
        deep, deep_second = cross(first, across), cross(second, across)
        for index, length in enumerate((0.048, 0.052, 0.049, 0.04)):
            root = wrist + along * 0.09 * k + thumb_side * (0.027 - 0.018 * index) * k
            step = first * (length * k)
            frames[f"{side}_finger_{index}a"] = (root, step, across, deep)
            frames[f"{side}_finger_{index}b"] = (root + step, second * (length * k), across, deep_second)
        thumb = unit(along * 0.75 + thumb_side * (0.7 - 0.4 * grip) + inward * (0.2 + 0.5 * grip))
        start = wrist + along * 0.03 * k + thumb_side * 0.03 * k
        frames[f"{side}_thumb"] = _tube_frame(start, start + thumb * 0.065 * k, inward)
        return frames

    def _head_frames(self, joints: Joints) -> dict[str, Frame]:
        k, turn, head = self.sizes.scale * self.sizes.head, joints.head_turn, joints.head
        right, up, front = turn[:, 0], turn[:, 1], turn[:, 2]

        def face(x: float, y: float, z: float) -> Vector:
            point: Vector = head + turn @ np.array([x, y, z]) * k
            return point

        frames: dict[str, Frame] = {
            "neck": (joints.neck - joints.chest_turn[:, 1] * 0.03 * k, head - joints.neck, right, front),
            "head": (head, up * 0.125 * k, right, front),
            "hair": (head + turn @ np.array([0, 0.012, -0.018]) * k, up * 0.125 * k, right, front),
            "hair_back": (face(0, 0.02, -0.075), -up * 0.2 * k - front * 0.03 * k, right, front),
            "brim": (face(0, 0.06, 0.07), front * 0.1 * k - up * 0.015 * k, right, up),
            "nose": (face(0, 0.008, 0.096), -up * 0.032 * k + front * 0.012 * k, right, front),
            "mouth": (face(-0.024, -0.062, 0.089), right * 0.048 * k, up, front),
        }
        for side in SIDES:
            sign = SIDE_SIGN[side]
            frames[f"{side}_eye"] = (
                face(sign * 0.022, 0.02, 0.091),
                turn @ np.array([sign * 0.03, 0, -0.006]) * k,
                up,
                front,
            )
            frames[f"{side}_pupil"] = (
                face(sign * 0.03, 0.02, 0.097),
                turn @ np.array([sign * 0.012, 0, -0.001]) * k,
                up,
                front,
            )
            frames[f"{side}_brow"] = (
                face(sign * 0.016, 0.043, 0.093),
                turn @ np.array([sign * 0.04, 0, -0.01]) * k,
                up,
                front,
            )
            frames[f"{side}_ear"] = (face(sign * 0.086, 0.025, -0.005), -up * 0.055 * k, front, right)
        return frames


def shadow_radii(scale: float) -> dict[str, float]:
    """Return the half widths, metres, of the shadows of trunk, limbs and head of a body of this scale."""
    return {"trunk": 0.16 * scale, "limb": 0.06 * scale, "head": 0.1 * scale}


def shadow_bones(joints: Joints) -> tuple[NDArray[np.float64], list[str]]:
    """Return the lines (B, 2, 3) whose thick projections form the shadow, person's frame, and the kind of each."""
    bones: list[tuple[Vector, Vector]] = [(joints.pelvis, joints.chest), (joints.chest, joints.neck)]
    bones.append((joints.neck, joints.head))
    kinds = ["trunk", "trunk", "head"]
    for side in SIDES:
        bones += [(joints.shoulders[side], joints.elbows[side]), (joints.elbows[side], joints.wrists[side])]
        bones += [(joints.hips[side], joints.knees[side]), (joints.knees[side], joints.ankles[side])]
        bones.append((joints.ankles[side], joints.ankles[side] + joints.feet[side] * 0.18))
        kinds += ["limb"] * 5
    return np.array(bones), kinds


def _tube_frame(start: Vector, end: Vector, reference: Vector) -> Frame:
    axis = end - start
    along = unit(axis)
    u = cross(reference, along)
    if float(u @ u) < 1e-6:
        u = cross(np.array([0.3, 0.5, 0.8]), along)
    u = unit(u)
    return start, axis, u, cross(along, u)


def _skirt_frame(joints: Joints, scale: float) -> Frame:
    knees = (joints.knees["left"] + joints.knees["right"]) / 2
    fall = knees - joints.pelvis + np.array([0.0, -0.05, 0.0]) * scale
    return joints.pelvis, fall, joints.pelvis_turn[:, 0], joints.pelvis_turn[:, 2]
