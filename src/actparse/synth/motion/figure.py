"""What a motion says and the renderer draws: a body's sizes, a pose by its targets, and the props that go with it.

A person's own frame: x to the person's left, y up from the floor, z forward; metres. Angles are radians.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]  # (3,)
Side = Literal["left", "right"]
SIDES: tuple[Side, Side] = ("left", "right")
SIDE_SIGN: dict[Side, float] = {"left": 1.0, "right": -1.0}  # of the x axis


@dataclass(frozen=True)
class BodySizes:
    """Lengths of one body, metres, but for `scale`, which multiplies a person of about 1.75 m."""

    scale: float
    thigh: float
    shin: float
    upper_arm: float
    forearm: float
    shoulder_half_width: float
    hip_half_width: float

    @property
    def standing_pelvis_height(self) -> float:
        """Height of the pelvis over the floor with nearly straight legs."""
        return 0.1 * self.scale + 0.993 * (self.thigh + self.shin)


@dataclass
class Pose:
    """Where the trunk is and where hands and feet should go; inverse kinematics finds elbows and knees.

    `hands` are wrist targets, `feet` ankle targets, both in the person's frame. A pole says which way an elbow or a
    knee points; a direction says where fingers or toes point. None leaves the choice to the body.
    """

    pelvis: Vector
    pelvis_rotation: tuple[float, float, float] = (0.0, 0.0, 0.0)  # pitch, yaw, roll
    spine_rotation: tuple[float, float, float] = (0.0, 0.0, 0.0)  # of the chest against the pelvis
    head_rotation: tuple[float, float, float] = (0.0, 0.0, 0.0)  # of the head against the chest
    hands: dict[Side, Vector] = field(default_factory=dict)
    feet: dict[Side, Vector] = field(default_factory=dict)
    elbow_poles: dict[Side, Vector] = field(default_factory=dict)  # in the chest's frame
    knee_poles: dict[Side, Vector] = field(default_factory=dict)
    hand_directions: dict[Side, Vector] = field(default_factory=dict)
    foot_directions: dict[Side, Vector] = field(default_factory=dict)
    hand_grip: dict[Side, float] = field(default_factory=dict)  # 0 open .. 1 fist; fingers are drawn accordingly


@dataclass(frozen=True)
class Tube:
    """A prop of round section along a path: bar, rope, bat, ball (short path), plate (thick, short)."""

    path: NDArray[np.float64]  # (K, 3) metres, in the person's frame
    radii: NDArray[np.float64]  # (K,) metres
    color: tuple[float, float, float]  # RGB 0..255
    sides: int = 8


@dataclass(frozen=True)
class HeldTube:
    """A prop that goes with the solved wrists: path points are offsets in the frame of the grip.

    The grip's frame has its origin between the wrists (`both`) or at one wrist, its x axis from the right wrist to the
    left one (`both`) or across the palm, y along the chest's up axis, z completing it.
    """

    grip: Literal["both", "left", "right"]
    path: NDArray[np.float64]  # (K, 3) metres, in the grip's frame
    radii: NDArray[np.float64]  # (K,) metres
    color: tuple[float, float, float]  # RGB 0..255
    sides: int = 8


@dataclass
class Moment:
    """One person at one time: pose, the state of every body part, and props."""

    pose: Pose
    states: dict[str, str]  # part -> state, all ten parts
    props: list[Tube | HeldTube] = field(default_factory=list)
