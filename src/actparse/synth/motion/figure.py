"""What a motion passes to the renderer: the sizes of a body, a pose as targets for its limbs, and the props.

The frame of a person: x to the person's left, y up from the floor, z forward; metres. Angles are in radians.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]  # (3,)
Side = Literal["left", "right"]
SIDES: tuple[Side, Side] = ("left", "right")
ObjectKey = tuple[str, int]  # name of an object, index among the person's objects of that name
SIDE_SIGN: dict[Side, float] = {"left": 1.0, "right": -1.0}  # sign of the x axis on each side


@dataclass(frozen=True)
class BodySizes:
    """Lengths of one body in metres; `scale` has no unit and multiplies a person of about 1.75 m."""

    scale: float
    thigh: float
    shin: float
    upper_arm: float
    forearm: float
    shoulder_half_width: float
    hip_half_width: float
    head: float = 1.0  # factor on the size of the head, above 1 for a child

    @property
    def standing_pelvis_height(self) -> float:
        """Return the height of the pelvis above the floor with nearly straight legs, metres."""
        return 0.1 * self.scale + 0.993 * (self.thigh + self.shin)


@dataclass
class Pose:
    """The position of the trunk and the targets of hands and feet; inverse kinematics computes elbows and knees.

    `hands` are wrist targets, `feet` ankle targets, both in the person's frame. A pole is the direction in which an
    elbow or a knee points; a direction is where fingers or toes point. A missing side leaves the choice to the body.
    """

    pelvis: Vector
    pelvis_rotation: tuple[float, float, float] = (0.0, 0.0, 0.0)  # pitch, yaw, roll
    spine_rotation: tuple[float, float, float] = (0.0, 0.0, 0.0)  # of the chest relative to the pelvis
    head_rotation: tuple[float, float, float] = (0.0, 0.0, 0.0)  # of the head relative to the chest
    hands: dict[Side, Vector] = field(default_factory=dict)
    feet: dict[Side, Vector] = field(default_factory=dict)
    elbow_poles: dict[Side, Vector] = field(default_factory=dict)  # in the frame of the chest
    knee_poles: dict[Side, Vector] = field(default_factory=dict)
    hand_directions: dict[Side, Vector] = field(default_factory=dict)
    foot_directions: dict[Side, Vector] = field(default_factory=dict)
    hand_grip: dict[Side, float] = field(default_factory=dict)  # 0 open .. 1 fist; the drawn fingers follow it


@dataclass(frozen=True)
class Tube:
    """A prop with a round cross-section along a path: bar, rope, bat, ball (short path), plate (thick, short).

    With `flat` below 1 the cross-section is an ellipse, `flat` times as thick as it is wide: boards, blades, sleds.
    """

    path: NDArray[np.float64]  # (K, 3) metres, in the person's frame
    radii: NDArray[np.float64]  # (K,) metres
    color: tuple[float, float, float]  # RGB 0..255
    sides: int = 8
    flat: float = 1.0  # thickness / width
    up: tuple[float, float, float] = (0.0, 1.0, 0.0)  # direction of the thickness of a flat tube
    object_key: ObjectKey | None = None  # the object of which this tube is a part; None if it is not annotated


@dataclass(frozen=True)
class HeldTube:
    """A prop that follows the solved wrists; the points of its path are offsets in the frame of the grip.

    The frame of the grip has its origin between the wrists (`both`) or at one wrist, its x axis from the right wrist
    to the left one (`both`) or across the palm, its y axis along the up axis of the chest, and z completes it.
    """

    grip: Literal["both", "left", "right"]
    path: NDArray[np.float64]  # (K, 3) metres, in the frame of the grip
    radii: NDArray[np.float64]  # (K,) metres
    color: tuple[float, float, float]  # RGB 0..255
    sides: int = 8
    object_key: ObjectKey | None = None  # see `Tube`


@dataclass
class Moment:
    """One person at one time: pose, the state of every body part, and props."""

    pose: Pose
    states: dict[str, str]  # part -> state, for all ten parts
    props: list[Tube | HeldTube] = field(default_factory=list)
